"""What the panel remembers of the user, not of the patient: in Slicer's application settings."""

from __future__ import annotations

from pathlib import Path

import qt

_GROUP = "BrainstemALS"


def remembered(name: str) -> str:
    """Return a setting as text; empty where there is none."""
    return str(qt.QSettings().value(f"{_GROUP}/{name}") or "")


def remember(name: str, value: str) -> None:
    """Keep a setting for the next session."""
    qt.QSettings().setValue(f"{_GROUP}/{name}", value)


def local_folder() -> Path:
    """Return the folder on this computer for what belongs to nobody's scene: drafts and logs.

    The local kind, which roaming profiles do not carry to other machines.
    """
    place = qt.QStandardPaths.writableLocation(qt.QStandardPaths.AppLocalDataLocation)
    return Path(str(place)) / _GROUP
