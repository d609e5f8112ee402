"""Finds the run-time assets in the source tree, the installed extension or the wheel."""

from __future__ import annotations

from pathlib import Path

from .errors import BrainstemALSError, ExitCode

_LIBRARY = Path(__file__).resolve().parent

# The wheel carries the assets inside the package, the Slicer extension beside the module
# (BrainstemALS/Resources), the source tree at its top level.
_CANDIDATES = (
    _LIBRARY / "Resources",
    _LIBRARY.parent / "Resources",
    _LIBRARY.parent.parent / "Resources",
)


def asset_path(relative: str) -> Path:
    """Return the path of a run-time asset.

    Parameters
    ----------
    relative : str
        Path below ``Resources``, for example ``"Anatomy/structures.tsv"``.

    Raises
    ------
    BrainstemALSError
        The asset is in none of the three places.
    """
    for root in _CANDIDATES:
        if (root / relative).exists():
            return root / relative
    raise BrainstemALSError(
        relative,
        "this file of the installation is missing",
        "Install BrainstemALS again, or check that the extension was copied whole.",
        ExitCode.MODEL_UNAVAILABLE,
    )
