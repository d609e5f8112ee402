"""BIDS names of the files of one exam."""

from __future__ import annotations

import re
from itertools import takewhile
from pathlib import PurePath

from ..errors import BrainstemALSError, ExitCode

DESCRIPTION = "desc-brainstem"

_EXTENSION = re.compile(
    r"\.(nii\.gz|nii|nrrd|nhdr|mha|mhd|mgz|mgh|img|hdr|dcm|gz)$", flags=re.IGNORECASE
)
_ENTITY = re.compile(r"^[a-z]+-[A-Za-z0-9+]+$")
_STEM = re.compile(r"sub-[A-Za-z0-9+]+(_[a-z]+-[A-Za-z0-9+]+)*")


def derivative_stem(file_name: str | PurePath) -> str:
    """Return the part of a T1's file name that its derivatives share.

    A name that begins with a BIDS subject keeps its entities and loses its extension, ``desc-``,
    which the derivatives set themselves, and what follows the entities. Any other name becomes
    ``sub-`` and its letters and digits, because BIDS allows nothing else in a label. The caller's
    name is kept as it is otherwise: a file named after a patient gives derivatives named after
    that patient.

    Parameters
    ----------
    file_name : str or pathlib.PurePath
        Name of the T1; a folder in front is ignored.

    Examples
    --------
    >>> derivative_stem("sub-01_ses-02_T1w.nii.gz")
    'sub-01_ses-02'
    >>> derivative_stem("sub-01_acq-mprage_desc-preproc_T1w.nii")
    'sub-01_acq-mprage'
    >>> derivative_stem("sub-01_ses-02_T1w_brain.nii.gz")
    'sub-01_ses-02'
    >>> derivative_stem("my brain (2).nii.gz")
    'sub-mybrain2'
    >>> derivative_stem("---.nii")
    'sub-unnamed'
    """
    name = _EXTENSION.sub("", PurePath(file_name).name)
    parts = name.split("_")
    entities = list(takewhile(_ENTITY.match, parts))
    if len(entities) < len(parts) and entities and entities[0].startswith("sub-"):
        return "_".join(part for part in entities if not part.startswith("desc-"))
    label = re.sub(r"[^A-Za-z0-9]", "", name.removeprefix("sub-"))
    return f"sub-{label or 'unnamed'}"


def chosen_stem(name: str) -> str:
    """Return the stem for a name that the user chose; ``sub-`` is put before it where it lacks.

    Raises
    ------
    BrainstemALSError
        USAGE: BIDS does not allow the name.

    Examples
    --------
    >>> chosen_stem("sub-01_ses-02")
    'sub-01_ses-02'
    >>> chosen_stem("visit2")
    'sub-visit2'
    """
    stem = name if name.startswith("sub-") else f"sub-{name}"
    if not _STEM.fullmatch(stem):
        raise BrainstemALSError(
            f"--stem {PurePath(name).name}",
            "this is no name for results",
            "Use letters and digits, or BIDS entities such as sub-01_ses-02.",
            ExitCode.USAGE,
        )
    return stem


def derivative_name(stem: str, suffix: str, extension: str) -> str:
    """Return a derivative's file name.

    Examples
    --------
    >>> derivative_name("sub-01", "dseg", ".nii.gz")
    'sub-01_desc-brainstem_dseg.nii.gz'
    """
    return f"{stem}_{DESCRIPTION}_{suffix}{extension}"
