"""The one place that knows where the data lie: shared inputs outside, built data inside."""

from __future__ import annotations

import os
from pathlib import Path

from BrainstemALSLib.errors import BrainstemALSError, ExitCode

SHARED_VARIABLE = "BRAINSTEM_ALS_SHARED"
WORK_VARIABLE = "BRAINSTEM_ALS_DATA"


def repository() -> Path:
    """Top folder of the source tree."""
    return Path(__file__).resolve().parents[1]


def shared_data() -> Path:
    """Folder of the shared inputs: ``atlases``, ``labelmaps`` and ``images``.

    ``BRAINSTEM_ALS_SHARED`` names it; without that it is ``../shared/data`` beside the repository.

    Raises
    ------
    BrainstemALSError
        The folder is not there.
    """
    named = os.environ.get(SHARED_VARIABLE)
    folder = Path(named).expanduser() if named else repository().parent / "shared" / "data"
    if not folder.is_dir():
        raise BrainstemALSError(
            "shared data",
            "the folder with the atlases, label maps and test images was not found",
            f"Set {SHARED_VARIABLE} to it, or put it at ../shared/data beside the repository.",
            ExitCode.USAGE,
        )
    return folder


def work_dir() -> Path:
    """Folder for what training builds: atlas, anatomies, runs.

    ``BRAINSTEM_ALS_DATA`` names it; without that it is ``data`` in the repository, ignored by git.
    It is created when absent.
    """
    named = os.environ.get(WORK_VARIABLE)
    folder = Path(named).expanduser() if named else repository() / "data"
    folder.mkdir(parents=True, exist_ok=True)
    return folder
