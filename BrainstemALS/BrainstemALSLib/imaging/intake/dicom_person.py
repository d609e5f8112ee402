"""Age and sex of DICOM headers; nothing else of who was scanned goes further."""

from __future__ import annotations

import re
from datetime import date

from ..person import OLDEST_AGE, Person
from .dicom_headers import Header

_AGE = re.compile(r"(\d{1,3})([DWMY])")
_YEARS = {"D": 1 / 365.25, "W": 7 / 365.25, "M": 1 / 12, "Y": 1.0}
_SEXES = {"M": "male", "F": "female", "O": "other"}


def person_of(header: Header) -> Person:
    """Return age (as written, or from birth and study date) and sex of a header."""
    age = _written(header.age)
    if age is None:
        age = _between(header.birth_date, header.date)
    if age is not None:
        age = min(round(age, 1), OLDEST_AGE)
    return Person(age, _SEXES.get(header.sex.strip().upper()[:1]))


def _written(text: str) -> float | None:
    match = _AGE.fullmatch(text.strip().upper())
    return int(match[1]) * _YEARS[match[2]] if match and int(match[1]) else None


def _between(birth: str, study: str) -> float | None:
    try:
        first, last = (date.fromisoformat(text.strip().replace(".", "")) for text in (birth, study))
    except ValueError:
        return None
    years = (last - first).days / 365.25
    return years if 0 <= years <= 130 else None
