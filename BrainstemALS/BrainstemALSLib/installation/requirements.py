"""Says which packages are missing or too old, without importing one of them."""

from __future__ import annotations

import importlib
from collections.abc import Iterable
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path

from .standards import packaging

# Beside the module: the same place in the source tree and in the installed extension.
_FILE = Path(__file__).resolve().parents[2] / "Resources" / "requirements.txt"

FOR_A_FIT = ("dipy",)
"""Needed to fit a diffusion series, and for nothing else: T1 and maps are segmented without."""
NOT_IN_SLICER = ("pydicom", "dcm2niix")
"""Needed by the command line, for DICOM folders. Slicer reads DICOM itself, with a pydicom of its
own, which has to stay."""


@dataclass(frozen=True)
class Missing:
    """A package that has to be installed.

    Attributes
    ----------
    name : str
        As the index spells it.
    wanted : str
        The requirement, for example ``torch<3,>=2.4``.
    found : str or None
        Version that is installed and does not do; None where there is none, or only a part.
    """

    name: str
    wanted: str
    found: str | None

    @property
    def only_for_a_fit(self) -> bool:
        """Whether all else works without it."""
        return self.name.lower() in FOR_A_FIT

    def __str__(self) -> str:
        state = "not installed" if self.found is None else f"{self.found} is installed"
        return f"{self.wanted} ({state})"


def read_requirements(path: Path = _FILE) -> tuple[str, ...]:
    """Return the requirements of a file, one for each line that is not a comment."""
    lines = (line.split("#")[0].strip() for line in path.read_text(encoding="utf-8").splitlines())
    return tuple(line for line in lines if line)


def panel_requirements() -> tuple[str, ...]:
    """Return what the worker of the panel may need: all but ``NOT_IN_SLICER``."""
    requirement = packaging("requirements").Requirement
    return tuple(
        text for text in read_requirements() if requirement(text).name not in NOT_IN_SLICER
    )


def missing(
    wanted: Iterable[str] | None = None, search_path: list[str] | None = None
) -> tuple[Missing, ...]:
    """Return what is missing or too old; empty where the worker has all it needs.

    Reads the metadata of the installed packages and imports none: importing torch into Slicer's
    own process would load its CUDA libraries there.

    Parameters
    ----------
    wanted : iterable of str, optional
        Requirements; ``panel_requirements`` when left out.
    search_path : list of str, optional
        Folders to look in; where this interpreter imports from when left out.
    """
    importlib.invalidate_caches()  # packages may have come since Python last looked
    requirement = packaging("requirements").Requirement
    lacking = []
    for text in panel_requirements() if wanted is None else wanted:
        asked = requirement(text)
        found = _whole_version(asked.name, search_path)
        if found is None or not asked.specifier.contains(found, prereleases=True):
            lacking.append(Missing(asked.name, str(asked), found))
    return tuple(lacking)


def _whole_version(name: str, search_path: list[str] | None) -> str | None:
    """Version of a package; None where it is not there, or an install of it was cut off."""
    where = {} if search_path is None else {"path": search_path}
    for distribution in metadata.distributions(name=name, **where):
        # pip writes RECORD last; a wheel without one was cut off. Packages that Slicer builds
        # itself come without WHEEL and without RECORD.
        if distribution.read_text("WHEEL") and not distribution.read_text("RECORD"):
            return None
        return distribution.version
    return None
