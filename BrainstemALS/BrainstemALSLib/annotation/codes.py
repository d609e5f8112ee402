"""Who and when, without an identity: codes, dates and keys that the store accepts."""

from __future__ import annotations

import hashlib
import math
import re
from datetime import date

import numpy as np

from ..errors import BrainstemALSError, ExitCode
from ..imaging.volume import Volume

_CODE = re.compile(r"[A-Za-z0-9_-]{1,32}")
# Two capitalised words, as in Ada_Lovelace: no study numbers its patients so.
_NAME_LIKE = re.compile(r"[A-Z][a-z]+[_-][A-Z][a-z]+([_-][A-Z][a-z]+)*")
# Eight digits that are a day of a lifetime, with or without dashes: a date of birth or of a visit.
_DATE_LIKE = re.compile(r"(19|20)\d\d([_-]?)(0[1-9]|1[0-2])\2(0[1-9]|[12]\d|3[01])")
_EXAM_KEY = re.compile(r"[0-9a-f]{64}")
# Header rounding differs between programs by less than this; a voxel is thousands of times wider.
_AFFINE_STEP_MM = 1e-3


def is_code(text: str) -> bool:
    """Return whether a text is a code: 1-32 of A-Z a-z 0-9 _ -, and neither a name nor a date."""
    return (
        _CODE.fullmatch(text) is not None
        and _NAME_LIKE.fullmatch(text) is None
        and _DATE_LIKE.fullmatch(text) is None
    )


def check_code(what: str, text: str) -> None:
    """Refuse what is no code; the message does not repeat it, because it may be an identity.

    Parameters
    ----------
    what : str
        ``"subject code"`` or ``"annotator code"``, for the message.
    text : str
        What was typed.

    Raises
    ------
    BrainstemALSError
        USAGE: empty, not a code, or like a name or a date.
    """
    if not is_code(text):
        raise BrainstemALSError(
            what,
            "this is empty, or may be a name, a date or another identity" if text else "is empty",
            "Give a code of the study, such as ALS-017: 1 to 32 letters without accents, digits, "
            "- or _.",
            ExitCode.USAGE,
        )


def is_visit_date(text: str) -> bool:
    """Return whether a text is a date as 2026-03-31, or empty."""
    if not text:
        return True
    try:
        return date.fromisoformat(text).isoformat() == text
    except ValueError:
        return False


def check_visit_date(text: str) -> None:
    """Refuse a visit date that is neither empty nor as 2026-03-31 (USAGE)."""
    if not is_visit_date(text):
        raise BrainstemALSError(
            "visit date",
            "this is not a date",
            "Give year, month and day as 2026-03-31, or leave it empty.",
            ExitCode.USAGE,
        )


def check_exam_key(text: str) -> None:
    """Raise ValueError for what ``exam_key`` cannot have returned."""
    if not _EXAM_KEY.fullmatch(text):
        raise ValueError("an exam key is a SHA-256 in hexadecimal")


def check_seconds(seconds: float) -> None:
    """Raise ValueError for a time spent that is negative or no number."""
    if not math.isfinite(seconds) or seconds < 0:
        raise ValueError(f"no time is {seconds} seconds long")


def exam_key(t1: Volume) -> str:
    """Return the key by which an exam is known again: the SHA-256 of its T1 and its grid.

    The same image gives the same key whether Slicer or this library read it: voxels count as
    float32, the affine in steps of 0.001 mm. Nothing of the patient can be read from it.

    Parameters
    ----------
    t1 : Volume
        The whole T1, shape (i, j, k).
    """
    digest = hashlib.sha256()
    steps = np.rint(np.asarray(t1.affine, dtype=float) / _AFFINE_STEP_MM)
    digest.update(np.asarray(t1.array.shape, dtype="<i8").tobytes())
    digest.update(steps.astype("<i8").tobytes())
    # Slice by slice along k, i fastest: so the voxels lie in memory, and no copy of all is made.
    for plane in t1.array.transpose(2, 1, 0):
        digest.update(np.ascontiguousarray(plane, dtype="<f4"))
    return digest.hexdigest()
