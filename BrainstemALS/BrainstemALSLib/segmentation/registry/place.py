"""Where a user's own models lie: one place for Slicer, its worker and the terminal."""

from __future__ import annotations

import os
import sys
from pathlib import Path

VARIABLE = "BRAINSTEM_ALS_MODELS"


def user_folder() -> Path:
    """Return the folder of the user's own models; it need not exist.

    ``BRAINSTEM_ALS_MODELS`` names it. Without that it is where the system keeps what programs
    store for a user on this computer: ``%LOCALAPPDATA%`` on Windows, ``~/Library/Application
    Support`` on macOS, else ``$XDG_DATA_HOME`` or ``~/.local/share`` (XDG Base Directory
    Specification 0.8). Not Slicer's own folder, which has another name with every version.
    """
    named = os.environ.get(VARIABLE)
    if named:
        return Path(named).expanduser()
    return _local_data() / "BrainstemALS" / "models"


def _local_data() -> Path:
    if os.name == "nt":
        return Path(os.environ.get("LOCALAPPDATA") or Path.home() / "AppData" / "Local")
    if sys.platform == "darwin":
        return Path.home() / "Library" / "Application Support"
    return Path(os.environ.get("XDG_DATA_HOME") or Path.home() / ".local" / "share")
