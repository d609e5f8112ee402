"""Names of exchanged files: codes and keys alone, so that no name tells who or when."""

from __future__ import annotations

import re
from collections.abc import Iterable

from ..records import CaseRecord

KEY_DIGITS = 8
"""Of the exam key, enough to tell the exams of one person apart (our own choice)."""


def label_of(code: str) -> str:
    """Return a code as BIDS allows it in a name: letters and digits.

    Examples
    --------
    >>> label_of("ALS-017")
    'ALS017'
    """
    return re.sub(r"[^A-Za-z0-9]", "", code) or "unnamed"


def exam_stem(record: CaseRecord) -> str:
    """Return the beginning of the names of all files of one exam.

    The session is the beginning of the exam key and not a date, which would be part of an identity.
    """
    return f"sub-{label_of(record.subject)}_ses-{record.exam_key[:KEY_DIGITS]}"


def exam_stems(records: Iterable[CaseRecord]) -> dict[str, str]:
    """Return ``exam_stem`` by exam key, each different from all others.

    Two keys of one subject that begin alike, which chance does not do, get their whole keys.
    """
    records = {record.exam_key: record for record in records}
    stems = {key: exam_stem(record) for key, record in records.items()}
    plain = list(stems.values())
    return {
        key: stem if plain.count(stem) == 1 else f"{stem}{key[KEY_DIGITS:]}"
        for key, stem in stems.items()
    }


def case_stems(records: Iterable[CaseRecord]) -> dict[str, str]:
    """Return the beginning of the names of the files of each case, by case id.

    The annotator's code makes the description; codes that differ only in ``-`` and ``_`` get the
    end of their case's id as well.
    """
    records = list(records)
    exams = exam_stems(records)
    stems = {r.case_id: f"{exams[r.exam_key]}_desc-{label_of(r.annotator)}" for r in records}
    plain = [stem.lower() for stem in stems.values()]  # not every file system tells a from A
    return {
        case_id: stem if plain.count(stem.lower()) == 1 else f"{stem}x{case_id[-12:]}"
        for case_id, stem in stems.items()
    }
