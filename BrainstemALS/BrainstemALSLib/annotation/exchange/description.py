"""What BrainstemALS writes beside exported labels, so that they come back as what they were.

A JSON object under ``BrainstemALS``: exam key, grid, codes, model. Whoever edits the labels in
another program leaves it alone; the checksum of the labels tells then that somebody did, and
that what it says of the annotator no longer holds.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np

from ...anatomy import by_key
from ...errors import BrainstemALSError, ExitCode
from ..approval import DIRECTIONS, IMAGES
from ..box import BoxGrid
from ..case_files import Case
from ..codes import check_exam_key, check_seconds, is_code, is_visit_date

BLOCK, SCHEMA = "BrainstemALS", 2
_WITHOUT_DIRECTIONS = 1
"""What a case without V1 is written as, so that earlier versions go on importing it."""
PREDICTION = "prediction"
_LARGEST_JSON = 64 * 2**20


@dataclass(frozen=True, eq=False)
class Description:
    """One exported case.

    Attributes
    ----------
    exam_key, subject, annotator, visit_date, model, keys, modalities, seconds_spent, \
approved_all, from_simulation
        As in ``Approval``; ``visit_date`` is empty unless the exporting user wanted dates.
    grid : BoxGrid
        The whole T1, and where the exported box lies in it.
    box_shape : tuple of 3 int
        Voxels of the box.
    labels_sha256 : str
        ``labels_checksum`` of the exported labels.
    revision : int
        Of the case in the store it comes from: cases of one exam are imported in this order, so
        that the latest one stays the latest.
    files : dict of str to str
        ``t1``, perhaps ``fa``, ``md``, ``v1`` and ``prediction``: paths relative to the folder,
        with ``/``.
    """

    exam_key: str
    subject: str
    annotator: str
    grid: BoxGrid
    box_shape: tuple[int, int, int]
    labels_sha256: str
    visit_date: str = ""
    model: dict[str, Any] = field(default_factory=dict)
    keys: tuple[str, ...] = ()
    modalities: tuple[str, ...] = ()
    seconds_spent: float = 0.0
    approved_all: bool = True
    from_simulation: bool = True
    revision: int = 1
    files: dict[str, str] = field(default_factory=dict)


def labels_checksum(labels: np.ndarray) -> str:
    """Return the SHA-256 of labels on the exported box, whatever the file format."""
    digest = hashlib.sha256(np.asarray(labels.shape, "<i8").tobytes())
    digest.update(np.asfortranarray(labels, dtype=np.uint8).tobytes(order="F"))
    return digest.hexdigest()


def describe(case: Case, files: dict[str, str], with_dates: bool = False) -> Description:
    """Return the description of a case that is exported."""
    record = case.record
    return Description(
        exam_key=record.exam_key,
        subject=record.subject,
        annotator=record.annotator,
        visit_date=record.visit_date if with_dates else "",
        model=record.model,
        keys=record.keys,
        modalities=record.modalities,
        seconds_spent=record.seconds_spent,
        approved_all=record.approved_all,
        from_simulation=record.from_simulation,
        revision=record.revision,
        grid=record.grid,
        box_shape=record.box_shape,
        labels_sha256=labels_checksum(case.correction.array),
        files=files,
    )


def block_of(description: Description) -> dict[str, Any]:
    """Return the JSON object that stands under ``BLOCK``."""
    d = description
    return {
        "schema": SCHEMA if DIRECTIONS in {*d.files, *d.modalities} else _WITHOUT_DIRECTIONS,
        "exam_key": d.exam_key,
        "subject": d.subject,
        "annotator": d.annotator,
        "visit_date": d.visit_date,
        "model": d.model,
        "keys": list(d.keys),
        "modalities": list(d.modalities),
        "seconds_spent": d.seconds_spent,
        "approved_all": d.approved_all,
        "prediction_learned_from_simulation": d.from_simulation,
        "revision": d.revision,
        "t1_grid": d.grid.record(),
        "box_shape": list(d.box_shape),
        "labels_sha256": d.labels_sha256,
        "files": d.files,
    }


def description_in(subject: Path | str, content: Any) -> Description | None:
    """Return the description in a JSON object; None where it has none.

    Raises
    ------
    BrainstemALSError
        UNREADABLE_IMAGE: it has one that is damaged. OUTPUT_REFUSED: of a newer version.
    """
    if not isinstance(content, dict) or not isinstance(block := content.get(BLOCK), dict):
        return None
    try:
        if int(block["schema"]) > SCHEMA:
            raise BrainstemALSError(
                subject,
                "this was exported by a newer version of BrainstemALS",
                "Update BrainstemALS to import it.",
                ExitCode.OUTPUT_REFUSED,
            )
        found = Description(
            exam_key=str(block["exam_key"]),
            subject=str(block["subject"]),
            annotator=str(block["annotator"]),
            visit_date=str(block["visit_date"]),
            model=dict(block["model"]),
            keys=tuple(str(key) for key in block["keys"]),
            modalities=tuple(str(name) for name in block["modalities"]),
            seconds_spent=float(block["seconds_spent"]),
            approved_all=bool(block["approved_all"]),
            from_simulation=bool(block["prediction_learned_from_simulation"]),
            revision=int(block["revision"]),
            grid=BoxGrid(**block["t1_grid"]),
            box_shape=tuple(int(n) for n in block["box_shape"]),
            labels_sha256=str(block["labels_sha256"]),
            files={str(name): str(path) for name, path in block["files"].items()},
        )
        check_exam_key(found.exam_key)
        check_seconds(found.seconds_spent)
    except (KeyError, TypeError, AttributeError, ValueError, OverflowError):
        raise _damaged(subject) from None
    sound = (
        is_code(found.subject)
        and is_code(found.annotator)
        and is_visit_date(found.visit_date)
        and set(found.keys) <= set(by_key())
        and set(found.modalities) <= set(IMAGES)
        and found.grid.holds(found.box_shape)
        and min(found.box_shape) > 0
        and set(found.files) <= {*IMAGES, PREDICTION}
        and all(_stays_inside(path) for path in found.files.values())
    )
    if not sound:
        raise _damaged(subject)
    return found


def read_json(path: Path) -> Any:
    """Return the content of a JSON file.

    Raises
    ------
    BrainstemALSError
        UNREADABLE_IMAGE: it cannot be read, is no JSON, or larger than any such file.
    """
    try:
        if path.stat().st_size > _LARGEST_JSON:
            raise ValueError
        return json.loads(path.read_bytes())
    except (OSError, ValueError, RecursionError):
        raise BrainstemALSError(
            path,
            "this JSON file cannot be read, or is damaged",
            "Copy or export the file again.",
            ExitCode.UNREADABLE_IMAGE,
        ) from None


def _stays_inside(path: str) -> bool:
    parts = PurePosixPath(path).parts
    return bool(parts) and "\\" not in path and ":" not in path and not {"..", "/"} & set(parts)


def _damaged(subject: Path | str) -> BrainstemALSError:
    return BrainstemALSError(
        subject,
        "what BrainstemALS wrote about this case is damaged",
        f"Export the case again, or remove {BLOCK} from the JSON and give the T1 with --t1.",
        ExitCode.UNREADABLE_IMAGE,
    )
