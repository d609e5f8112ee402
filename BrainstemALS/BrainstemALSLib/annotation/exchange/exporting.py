"""Corrections of an annotation store, as other programs read them.

Only what the store holds leaves it: boxes around the brainstem, in which there is no face. Names
are made of codes and keys; dates of visits stay out unless the caller wants them. V1 goes along in
every format, as a NIfTI whose fourth axis holds the right, anterior and superior part of the
direction in the patient (not along the image's own axes); its sign means nothing.
"""

from __future__ import annotations

import json
import os
import shutil
import tempfile
from collections.abc import Collection, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import numpy as np

from ... import __version__
from ...anatomy import load_structures
from ...errors import BrainstemALSError, ExitCode
from ...imaging.staging import unwritable
from ...imaging.writing import write_volume
from ..agreement import full_exam_key
from ..case_files import Case
from ..records import CaseRecord
from ..store import CaseStore
from .description import BLOCK, PREDICTION, Description, block_of, describe
from .monailabel import (
    DATASTORE,
    FINAL,
    LABELS_DIR,
    ORIGINAL,
    datastore_record,
    object_record,
)
from .naming import case_stems
from .seg_nrrd import write_segmentation

FORMATS = ("bids", "seg.nrrd", "monailabel")
MAPS_DIR = "maps"
"""Of a datastore: MONAI Label takes every image beside the T1s for another exam."""
_BIDS_VERSION = "1.10.0"
_TABLE = ("index", "name", "abbreviation", "color", "key", "side", "parent", "snomed", "uberon")


def export_corrections(
    store: CaseStore,
    out: Path,
    form: str,
    exam: str = "",
    annotators: Collection[str] = (),
    with_dates: bool = False,
) -> tuple[CaseRecord, ...]:
    """Write the latest case of each exam and annotator for another program.

    The folder appears whole or not at all.

    Parameters
    ----------
    store : CaseStore
        Opened to read.
    out : Path
        Folder that does not exist yet, or is empty.
    form : str
        One of ``FORMATS``.
    exam : str
        Key or its beginning; all exams where it is empty.
    annotators : collection of str
        Only these; all where it is empty.
    with_dates : bool
        Write visit dates into the JSON.

    Returns
    -------
    tuple of CaseRecord
        What was exported.

    Raises
    ------
    BrainstemALSError
        OUTPUT_REFUSED: the folder has something in it, or takes nothing. USAGE: no such exam.
        UNSUITABLE_IMAGE: no such case. UNREADABLE_IMAGE: a case is damaged.
    ValueError
        Another format.
    """
    if form not in FORMATS:
        raise ValueError(f"the format is one of {FORMATS}, not {form}")
    records = _chosen(store, exam, annotators)
    stems = case_stems(records)
    write = {"bids": _write_bids, "seg.nrrd": _write_seg_nrrd, "monailabel": _write_monailabel}
    objects: dict[str, Any] = {}
    with _whole_folder(out) as folder:
        for record in records:
            case = store.read(record.case_id)
            objects.update(write[form](folder, stems[record.case_id], case, with_dates))
        if form == "bids":
            _write_json(folder / "dataset_description.json", _dataset_description())
        elif form == "monailabel":
            _write_json(folder / DATASTORE, datastore_record(objects))
    return records


def write_label_table(path: Path, keys: Collection[str], drawn: Collection[int]) -> None:
    """Write a ``dseg.tsv``: structures that a label map may have, ``n/a`` for what is missing."""
    lines = ["\t".join(_TABLE)]
    for structure in load_structures():
        if structure.key in keys or structure.index in drawn:
            lines.append("\t".join(str(getattr(structure, name) or "n/a") for name in _TABLE))
    path.write_bytes(("\n".join(lines) + "\n").encode())


def write_described_json(path: Path, description: Description) -> None:
    """Write the JSON beside exported labels, by which they find back into a store."""
    _write_json(path, {BLOCK: block_of(description)})


def _chosen(store: CaseStore, exam: str, annotators: Collection[str]) -> tuple[CaseRecord, ...]:
    records = store.cases()
    if exam:
        key = full_exam_key(list(dict.fromkeys(r.exam_key for r in records)), exam)
        records = tuple(record for record in records if record.exam_key == key)
    latest: dict[tuple[str, str], CaseRecord] = {}
    for record in sorted(records, key=lambda r: r.age):
        if not annotators or record.annotator in annotators:
            latest[record.exam_key, record.annotator] = record
    if not latest:
        raise BrainstemALSError(
            "annotation store",
            "there is no such case in it",
            "Approve cases first, or choose another exam or annotator.",
            ExitCode.UNSUITABLE_IMAGE,
        )
    chosen = {record.case_id for record in latest.values()}
    return tuple(record for record in store.cases() if record.case_id in chosen)


def _write_bids(folder: Path, stem: str, case: Case, with_dates: bool) -> dict[str, Any]:
    subject, session = stem.split("_")[:2]
    anat = folder / subject / session / "anat"
    anat.mkdir(parents=True, exist_ok=True)
    names = {"t1": f"{stem}_T1w.nii.gz", PREDICTION: f"{stem}prediction_dseg.nii.gz"}
    names |= {name: f"{stem}_param-{name}_dwimap.nii.gz" for name in case.images if name != "t1"}
    for name, volume in {**case.images, PREDICTION: case.prediction}.items():
        write_volume(volume, anat / names[name])
    write_volume(case.correction, anat / f"{stem}_dseg.nii.gz")
    write_volume(case.changed, anat / f"{stem}changed_mask.nii.gz")
    drawn = _drawn(case)
    for name in (stem, f"{stem}prediction"):
        write_label_table(anat / f"{name}_dseg.tsv", case.record.keys, drawn)
    write_described_json(anat / f"{stem}_dseg.json", describe(case, names, with_dates))
    return {}


def _write_seg_nrrd(folder: Path, stem: str, case: Case, with_dates: bool) -> dict[str, Any]:
    names = {"t1": f"{stem}_T1w.nii.gz", PREDICTION: f"{stem}prediction.seg.nrrd"}
    names |= {name: f"{stem}_param-{name}_dwimap.nii.gz" for name in case.images if name != "t1"}
    for name, volume in case.images.items():
        write_volume(volume, folder / names[name])
    write_segmentation(case.prediction, folder / names[PREDICTION], case.record.keys)
    write_segmentation(case.correction, folder / f"{stem}.seg.nrrd", case.record.keys)
    write_described_json(folder / f"{stem}.json", describe(case, names, with_dates))
    return {}


def _write_monailabel(folder: Path, stem: str, case: Case, with_dates: bool) -> dict[str, Any]:
    name = f"{stem}.nii.gz"
    files = {"t1": name}
    write_volume(case.images["t1"], folder / name)
    for kind in [kind for kind in case.images if kind != "t1"]:
        (folder / MAPS_DIR).mkdir(exist_ok=True)
        files[kind] = f"{MAPS_DIR}/{stem}_{kind}.nii.gz"
        write_volume(case.images[kind], folder / files[kind])
    for tag, labels in ((FINAL, case.correction), (ORIGINAL, case.prediction)):
        (folder / LABELS_DIR / tag).mkdir(parents=True, exist_ok=True)
        write_volume(labels, folder / LABELS_DIR / tag / name)
    drawn = _drawn(case)
    keys = {s.key for s in load_structures() if s.key in case.record.keys or s.index in drawn}
    info = {BLOCK: block_of(describe(case, files, with_dates))}
    return {stem: object_record(stem, ".nii.gz", keys, (FINAL, ORIGINAL), info)}


def _drawn(case: Case) -> set[int]:
    arrays = case.correction.array, case.prediction.array
    return {int(value) for array in arrays for value in np.unique(array)}


def _dataset_description() -> dict[str, Any]:
    return {
        "Name": "Brainstem corrections",
        "BIDSVersion": _BIDS_VERSION,
        "DatasetType": "derivative",
        "GeneratedBy": [{"Name": "BrainstemALS", "Version": __version__}],
    }


def _write_json(path: Path, content: dict[str, Any]) -> None:
    text = json.dumps(content, indent=1, ensure_ascii=False, allow_nan=False)
    path.write_bytes(f"{text}\n".encode())


@contextmanager
def _whole_folder(out: Path) -> Iterator[Path]:
    """Give a temporary folder beside ``out`` that becomes ``out`` when the block ends well."""
    partial = None
    try:
        if out.exists() and (not out.is_dir() or any(out.iterdir())):
            raise BrainstemALSError(
                out,
                "this is a file, or a folder that has something in it",
                "Choose a folder that does not exist yet: nothing is overwritten.",
                ExitCode.OUTPUT_REFUSED,
            )
        out.parent.mkdir(parents=True, exist_ok=True)
        partial = Path(tempfile.mkdtemp(prefix=".partial-", dir=out.parent))
        whole = partial / "whole"  # mkdtemp's own folder is closed to others
        whole.mkdir()
        yield whole
        with suppress(FileNotFoundError):
            out.rmdir()  # an empty one, which Windows does not replace
        os.replace(whole, out)
    except OSError:
        raise unwritable(out) from None
    finally:
        if partial is not None:
            shutil.rmtree(partial, ignore_errors=True)
