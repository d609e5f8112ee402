"""What a case says about itself: the content of ``case.json``."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..anatomy import load_structures
from . import refusals
from .approval import DIRECTIONS, IMAGES, Approval
from .box import BoxGrid
from .codes import check_exam_key, check_seconds, is_code, is_visit_date

SCHEMA = 2
_WITHOUT_DIRECTIONS = 1
"""What a case without V1 is written as, so that earlier versions go on reading it."""
_CASE_ID = re.compile(r"\d{8}T\d{6}Z-[0-9a-f]{12}")


def is_case_id(name: str) -> bool:
    """Return whether a name is a case's: the UTC of its approval and twelve random hex digits."""
    return _CASE_ID.fullmatch(name) is not None


@dataclass(frozen=True)
class Change:
    """How many voxels of one structure the expert added and took away."""

    added: int
    removed: int


@dataclass(frozen=True, eq=False)
class CaseRecord:
    """One approved case, without its images.

    Attributes
    ----------
    case_id : str
        Name of its folder.
    approved_utc : str
        When, as 2026-03-31T12:00:00Z.
    exam_key, subject, annotator, visit_date, model, keys, modalities, seconds_spent, \
approved_all, from_simulation
        As in ``Approval``.
    grid : BoxGrid
        The whole T1 and where the stored box lies in it.
    box_shape : tuple of 3 int
        Voxels of the stored box.
    images : tuple of str
        ``t1`` and those of ``fa``, ``md`` and ``v1`` that are stored.
    changes : dict of str to Change
        By structure key; structures that were left as they were are not in it.
    revision : int
        1 for the first case of an exam, then one more each time, whatever the clocks say.
    supersedes : str or None
        The case of the same exam that was the latest before.
    software : str
        Version of BrainstemALS that wrote it.
    checksums : dict of str to str
        File name to SHA-256, hexadecimal.
    """

    case_id: str
    approved_utc: str
    exam_key: str
    subject: str
    annotator: str
    visit_date: str
    model: dict[str, Any]
    keys: tuple[str, ...]
    modalities: tuple[str, ...]
    seconds_spent: float
    approved_all: bool
    from_simulation: bool
    grid: BoxGrid
    box_shape: tuple[int, int, int]
    images: tuple[str, ...]
    changes: dict[str, Change]
    revision: int
    supersedes: str | None
    software: str
    checksums: dict[str, str]

    @property
    def age(self) -> tuple[int, str, str]:
        """Sorts the cases of one exam from the first to the latest."""
        return self.revision, self.approved_utc, self.case_id


def count_changes(approval: Approval) -> dict[str, Change]:
    """Return what the expert changed, by structure key."""
    before, after = approval.prediction.array, approval.correction.array
    differs = before != after
    removed = np.bincount(before[differs], minlength=256)
    added = np.bincount(after[differs], minlength=256)
    return {
        structure.key: Change(int(added[structure.index]), int(removed[structure.index]))
        for structure in load_structures()
        if added[structure.index] or removed[structure.index]
    }


def to_json(record: CaseRecord) -> dict[str, Any]:
    """Return the content of ``case.json``."""
    return {
        "schema": SCHEMA
        if DIRECTIONS in {*record.images, *record.modalities}
        else _WITHOUT_DIRECTIONS,
        "case": record.case_id,
        "approved_utc": record.approved_utc,
        "revision": record.revision,
        "supersedes": record.supersedes,
        "exam_key": record.exam_key,
        "subject": record.subject,
        "visit_date": record.visit_date,
        "annotator": record.annotator,
        "seconds_spent": record.seconds_spent,
        "approved_all": record.approved_all,
        "software": record.software,
        "model": record.model,
        "keys": list(record.keys),
        "modalities": list(record.modalities),
        "prediction_learned_from_simulation": record.from_simulation,
        "t1_grid": record.grid.record(),
        "box_shape": list(record.box_shape),
        "images": list(record.images),
        "changed_voxels": {
            key: {"added": change.added, "removed": change.removed}
            for key, change in record.changes.items()
        },
        "sha256": record.checksums,
    }


def from_json(content: Any) -> CaseRecord:
    """Return the record of a ``case.json``.

    Raises
    ------
    BrainstemALSError
        OUTPUT_REFUSED: a newer version wrote it.
    ValueError
        It is not what ``to_json`` returns.
    """
    try:
        if int(content["schema"]) > SCHEMA:
            raise refusals.newer("case")
        record = CaseRecord(
            case_id=str(content["case"]),
            approved_utc=str(content["approved_utc"]),
            exam_key=str(content["exam_key"]),
            subject=str(content["subject"]),
            annotator=str(content["annotator"]),
            visit_date=str(content["visit_date"]),
            model=dict(content["model"]),
            keys=tuple(str(key) for key in content["keys"]),
            # The first cases did not say it.
            modalities=tuple(str(name) for name in content.get("modalities", ())),
            seconds_spent=float(content["seconds_spent"]),
            approved_all=bool(content["approved_all"]),
            from_simulation=bool(content["prediction_learned_from_simulation"]),
            grid=BoxGrid(**content["t1_grid"]),
            box_shape=tuple(int(n) for n in content["box_shape"]),
            images=tuple(str(name) for name in content["images"]),
            changes={
                str(key): Change(int(change["added"]), int(change["removed"]))
                for key, change in content["changed_voxels"].items()
            },
            revision=int(content["revision"]),
            supersedes=content["supersedes"],
            software=str(content["software"]),
            checksums={str(name): str(value) for name, value in content["sha256"].items()},
        )
        check_exam_key(record.exam_key)
        check_seconds(record.seconds_spent)
    except (KeyError, TypeError, AttributeError, OverflowError) as error:
        raise ValueError(
            "a part of the case's description is missing or of another kind"
        ) from error
    sound = (
        is_case_id(record.case_id)
        and is_code(record.subject)
        and is_code(record.annotator)
        and is_visit_date(record.visit_date)
        and "t1" in record.images
        and set(record.images) <= set(IMAGES)
        and ("fa" in record.images or DIRECTIONS not in record.images)
        and set(record.modalities) <= set(IMAGES)
        and record.grid.holds(record.box_shape)
        and record.revision >= 1
        and (record.supersedes is None or is_case_id(str(record.supersedes)))
    )
    if not sound:
        raise ValueError("a part of the case's description has a value that cannot be")
    return record
