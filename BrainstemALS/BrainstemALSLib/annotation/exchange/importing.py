"""Corrections of other programs into an annotation store.

Where an exam comes from, the first of these that there is:

1. the T1 that the caller names (the whole head; FA and MD too, no V1: other programs disagree on
   the axes of directions): its key is that of the same exam in Slicer;
2. an exam of the store, named by its key: images, grid and prediction of its latest case;
3. what BrainstemALS wrote beside the labels at an export.

Where no prediction is known, it is empty: whatever is labelled was drawn by the annotator, and no
model took part. A case of which the annotator vouches only for a part then vouches for what is
labelled, and not for what is not.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from ...anatomy import by_key, load_structures
from ...errors import BrainstemALSError, ExitCode
from ...imaging.reading import read_volume
from ...imaging.volume import Volume
from ..agreement import full_exam_key
from ..approval import IMAGES, Approval, checked
from ..box import BoxGrid, cut_images
from ..codes import check_code, exam_key
from ..image_files import read_image
from ..records import CaseRecord
from ..store import CaseStore
from .description import labels_checksum
from .incoming import Incoming, find_incoming, model_of, read_labels, t1_in_dataset
from .lookup import Mapping, read_rows, structures_of
from .placing import place


@dataclass(frozen=True)
class Choices:
    """What the caller knows of the corrections.

    Attributes
    ----------
    annotator, subject, visit_date : str
        Codes and ISO date; empty where the files of an own export say them.
    whole : bool or None
        The annotator vouches for every voxel; False: only for those that differ from the
        prediction. None: as the files of an unchanged own export say, else True.
    t1 : Path or None
        Whole T1, or the folder of a BIDS dataset that has one for each correction.
    fa, md, prediction : Path or None
        Of one correction.
    exam : str
        Key (or its beginning) of an exam of the store.
    mapping : Mapping or None
        The user's own table of labels.
    codes : dict of str to dict of str to str
        Name of an item to ``subject``, ``annotator``, ``visit_date``; see ``read_codes``.
    """

    annotator: str = ""
    subject: str = ""
    visit_date: str = ""
    whole: bool | None = None
    t1: Path | None = None
    fa: Path | None = None
    md: Path | None = None
    prediction: Path | None = None
    exam: str = ""
    mapping: Mapping | None = None
    codes: dict[str, dict[str, str]] = field(default_factory=dict)


@dataclass(frozen=True, eq=False)
class Imported:
    """What an import did.

    Attributes
    ----------
    stored : tuple of CaseRecord
        New cases.
    already_there : int
        Corrections of which the store had the same as the annotator's latest case.
    """

    stored: tuple[CaseRecord, ...]
    already_there: int


@dataclass(frozen=True, eq=False)
class _Exam:
    images: dict[str, Volume]
    grid: BoxGrid
    exam_key: str
    prediction: np.ndarray | None = None
    model: dict[str, Any] = field(default_factory=dict)
    keys: tuple[str, ...] = ()
    modalities: tuple[str, ...] = ()
    from_simulation: bool = False
    subject: str = ""
    visit_date: str = ""

    @property
    def shape(self) -> tuple[int, int, int]:
        return self.images["t1"].shape


def import_corrections(
    source: Path,
    store: CaseStore,
    choices: Choices,
) -> Imported:
    """Approve the corrections of a file or folder in a store.

    All are read and checked before the first is stored: one that is refused leaves the store as it
    was. Nothing in a store is ever replaced; a correction of an exam that is there makes a new
    case, and one that is the same as the annotator's latest is left out.

    Parameters
    ----------
    source : Path
        ``_dseg.nii.gz``, ``.seg.nrrd``, a folder of these, or a MONAI Label datastore.
    store : CaseStore
        Opened to write.
    choices : Choices
        What the caller knows.

    Raises
    ------
    BrainstemALSError
        What is missing, damaged, unknown or of another grid, one sentence; nothing was stored.
    """
    items = find_incoming(source)
    _refuse_ambiguous(items, choices)
    approvals = [checked(approval_of(item, store, choices)) for item in items]
    stored, same = [], 0
    for approval in approvals:
        if _is_there(store, approval):
            same += 1
        else:
            stored.append(store.approve(approval))
    return Imported(tuple(stored), same)


def read_codes(path: Path) -> dict[str, dict[str, str]]:
    """Read a table of codes: ``image`` and ``subject``, perhaps ``annotator`` and ``visit_date``.

    ``image`` is MONAI Label's image id, or the name of the file without extension.

    Raises
    ------
    BrainstemALSError
        UNREADABLE_IMAGE: no such table.
    """
    rows = read_rows(path)
    if not rows or "image" not in rows[0]:
        raise BrainstemALSError(
            path,
            "this table has no column image",
            "Give a table with the columns image and subject, one line for each correction.",
            ExitCode.UNREADABLE_IMAGE,
        )
    return {row["image"]: {name: text for name, text in row.items() if text} for row in rows}


def approval_of(item: Incoming, store: CaseStore, choices: Choices) -> Approval:
    """Return the approval of one item, before ``approval.checked``; raises what it refuses."""
    exam = _with_prediction(_exam_of(item, store, choices), item, choices)
    labels, keys = _labels(item, item.labels, exam, choices)
    prediction = np.zeros(exam.shape, np.uint8) if exam.prediction is None else exam.prediction
    codes = choices.codes.get(item.name, {})
    told = item.description
    # Carried over only by the very labels it was said of: an edit has an author of its own.
    told = told if told and labels_checksum(labels) == told.labels_sha256 else None
    annotator = codes.get("annotator") or choices.annotator
    if told and annotator not in ("", told.annotator):
        told = None
    used = set(np.unique(labels)) | set(np.unique(prediction))
    known = exam.keys or tuple(s.key for s in load_structures() if s.key in keys)
    # In the model's order, which is that of its channels; what it cannot draw comes after.
    more = tuple(s.key for s in load_structures() if s.index in used and s.key not in known)
    approval = Approval(
        images=exam.images,
        prediction=Volume(prediction.astype(np.uint8), exam.grid.box_affine),
        correction=Volume(labels.astype(np.uint8), exam.grid.box_affine),
        grid=exam.grid,
        exam_key=exam.exam_key,
        subject=codes.get("subject")
        or choices.subject
        or exam.subject
        or (item.description.subject if item.description else "")
        or item.subject,
        annotator=annotator or (told.annotator if told else ""),
        visit_date=codes.get("visit_date") or choices.visit_date or exam.visit_date,
        model=exam.model,
        keys=exam.keys if told else known + more,
        modalities=exam.modalities,
        seconds_spent=told.seconds_spent if told else 0.0,
        approved_all=_vouches_for_all(choices, item.description),
        from_simulation=exam.from_simulation,
    )
    _check_codes(item, approval)
    return approval


def _check_codes(item: Incoming, approval: Approval) -> None:
    """Refuse missing or unfit codes; the store does so too, but not by the options' names."""
    if not approval.annotator:
        raise BrainstemALSError(
            item.labels,
            "nobody says who corrected it"
            if item.description is None
            else "its labels were "
            "changed since BrainstemALS exported them, and nobody says by whom",
            "Give the annotator's code with --annotator.",
            ExitCode.USAGE,
        )
    if not approval.subject:
        raise BrainstemALSError(
            item.labels,
            "its name has no subject code (sub-)",
            "Give the code with --subject, or a table of codes with --codes.",
            ExitCode.USAGE,
        )
    check_code("annotator code", approval.annotator)
    check_code("subject code", approval.subject)


def _vouches_for_all(choices: Choices, told: Any) -> bool:
    """What was vouched for in part is not vouched for as a whole because somebody edited it."""
    if choices.whole is not None:
        return choices.whole
    return told.approved_all if told else True


def _exam_of(item: Incoming, store: CaseStore, choices: Choices) -> _Exam:
    if choices.t1 is not None:
        path = t1_in_dataset(choices.t1, item) if choices.t1.is_dir() else choices.t1
        return _whole_exam(item, path, choices)
    if choices.exam:
        keys = dict.fromkeys(record.exam_key for record in store.cases())
        return _stored_exam(store, full_exam_key(list(keys), choices.exam))
    if item.description is not None:
        return _described_exam(item)
    if "t1" in item.images:  # of a datastore
        return _whole_exam(item, item.images["t1"], choices)
    raise BrainstemALSError(
        item.labels,
        "nobody says which exam it belongs to",
        "Give the T1 it was drawn on with --t1, or an exam of the store with --exam.",
        ExitCode.USAGE,
    )


def _whole_exam(item: Incoming, path: Path, choices: Choices) -> _Exam:
    t1 = read_volume(path, "T1")
    grid = BoxGrid(t1.shape, t1.affine, (0, 0, 0))
    maps = {
        name: read_volume(place, name.upper())
        for name, place in (("fa", choices.fa), ("md", choices.md))
        if place is not None
    }
    images = cut_images(grid, t1.shape, t1, **maps)
    return _Exam(images, grid, exam_key(t1))


def _with_prediction(exam: _Exam, item: Incoming, choices: Choices) -> _Exam:
    """Return the exam with the prediction that comes along, and what is known of its model."""
    found = choices.prediction or (item.prediction if exam.prediction is None else None)
    if found is None:
        return exam
    prediction, keys = _labels(item, found, exam, choices, of_model=True)
    told = item.description
    if told is not None and choices.prediction is None:
        model, modalities, simulated = told.model, told.modalities, told.from_simulation
        ordered = told.keys
    else:
        # All our models so far have learned from simulated images; of others nobody says it.
        (model, modalities), simulated = model_of(found), True
        ordered = tuple(s.key for s in load_structures() if s.key in keys)
    return replace(
        exam,
        prediction=prediction,
        model=model,
        keys=ordered,
        modalities=tuple(name for name in modalities if name in IMAGES),
        from_simulation=simulated,
    )


def _stored_exam(store: CaseStore, key: str) -> _Exam:
    record = store.latest(key)
    case = store.read(record.case_id)
    return _Exam(
        case.images,
        record.grid,
        record.exam_key,
        case.prediction.array,
        record.model,
        record.keys,
        record.modalities,
        record.from_simulation,
        record.subject,
        record.visit_date,
    )


def _described_exam(item: Incoming) -> _Exam:
    told = item.description
    if "t1" not in item.images:
        raise BrainstemALSError(
            item.labels,
            "the T1 that was exported with it is not named",
            "Give the T1 it was drawn on with --t1, or an exam of the store with --exam.",
            ExitCode.USAGE,
        )
    images = {name: read_image(path, name) for name, path in item.images.items()}
    if images["t1"].shape != told.box_shape:
        raise BrainstemALSError(
            item.images["t1"],
            "this is not the T1 that was exported with the labels",
            "Export the case again, or give the whole T1 with --t1.",
            ExitCode.MISMATCHED_IMAGES,
        )
    return _Exam(
        images,
        told.grid,
        told.exam_key,
        None,
        told.model,
        told.keys,
        told.modalities,
        told.from_simulation,
        told.subject,
        told.visit_date,
    )


def _labels(
    item: Incoming, path: Path, exam: _Exam, choices: Choices, of_model: bool = False
) -> tuple[np.ndarray, set[str]]:
    image, mapping = read_labels(item, path), choices.mapping
    # The user's table is for the annotator's labels; a prediction of ours has values of its own.
    if of_model and image.terms and all(term.key in by_key() for term in image.terms):
        mapping = None
    labels, keys = structures_of(image, mapping)
    return place(labels, exam.shape, exam.grid.box_affine, path.name), keys


def _is_there(store: CaseStore, approval: Approval) -> bool:
    """Return whether the annotator's latest case of the exam is the same as this one."""
    record = store.latest(approval.exam_key, approval.annotator)
    if record is None or record.approved_all != approval.approved_all:
        return False
    if record.grid.offset != approval.grid.offset:
        return False
    case = store.read(record.case_id)
    pairs = ((case.correction, approval.correction), (case.prediction, approval.prediction))
    return all(np.array_equal(old.array, new.array) for old, new in pairs)


def _refuse_ambiguous(items: list[Incoming], choices: Choices) -> None:
    """Refuse for several corrections what can hold for one only."""
    if len(items) < 2:
        return
    single = {
        "--subject": choices.subject,
        "--exam": choices.exam,
        "--visit-date": choices.visit_date,
        "--fa": choices.fa,
        "--md": choices.md,
        "--prediction": choices.prediction,
        "--t1 with one image": choices.t1 if choices.t1 and not choices.t1.is_dir() else None,
    }
    if given := [name for name, value in single.items() if value]:
        raise BrainstemALSError(
            given[0],
            f"this can hold for one correction, and there are {len(items)}",
            "Import them one by one, or give a table of codes with --codes and the folder of the "
            "BIDS dataset with --t1.",
            ExitCode.USAGE,
        )
