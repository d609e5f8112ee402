"""The files of one case: written, checked by their checksums, read back.

``t1.nii.gz`` (and ``fa``, ``md``, ``v1``), ``prediction.nii.gz``, ``correction.nii.gz``,
``changed.nii.gz`` (1 where the two differ), ``labels.tsv``, ``case.json`` with everything else, and
``case.sha256`` with the checksum of ``case.json`` itself, as ``sha256sum -c`` reads it. Images are
ordinary NIfTI, V1 with its right, anterior and superior parts along the fourth axis; only their
affine, float32 there, is in double precision in ``case.json``.
"""

from __future__ import annotations

import csv
import io
import json
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from ..anatomy import load_structures
from ..errors import BrainstemALSError, ExitCode
from ..imaging.checks import ORIENTATION_GAP_MM
from ..imaging.checksum import sha256_of
from ..imaging.geometry import same_grid
from ..imaging.reading import read_label_map
from ..imaging.volume import Volume
from ..imaging.writing import write_volume
from . import refusals
from .approval import Approval
from .durability import PARTIAL, sync_file, sync_folder
from .image_files import read_image
from .records import CaseRecord, from_json, to_json

CASE, SEAL, LABELS = "case.json", "case.sha256", "labels.tsv"
MASKS = ("prediction", "correction", "changed")


@dataclass(frozen=True, eq=False)
class Case:
    """One approved case with its images.

    Attributes
    ----------
    record : CaseRecord
        What it says about itself.
    images : dict of str to Volume
        ``t1`` and those of ``fa``, ``md`` and ``v1`` that are there, float32; V1 (i, j, k, 3).
    prediction, correction : Volume
        uint8, values are ``Structure.index``.
    changed : Volume
        bool, where the two differ. All volumes lie on one box, its affine in double precision.
    """

    record: CaseRecord
    images: dict[str, Volume]
    prediction: Volume
    correction: Volume
    changed: Volume


def write_case(folder: Path, approval: Approval, record: CaseRecord) -> CaseRecord:
    """Write a case into an empty folder, flush it to the disk, and read it back.

    Parameters
    ----------
    folder : Path
        Hidden folder that gets its name later.
    approval : Approval
        As ``approval.checked`` returns it.
    record : CaseRecord
        Everything but the checksums.

    Returns
    -------
    CaseRecord
        With the checksums of the files.

    Raises
    ------
    OSError
        The file system did not take it, or not as it was.
    BrainstemALSError
        An image was not taken, or is none that could be read again.
    """
    changed = approval.prediction.array != approval.correction.array
    volumes = {
        **approval.images,
        "prediction": approval.prediction,
        "correction": approval.correction,
        "changed": Volume(changed, approval.prediction.affine),
    }
    for name, volume in volumes.items():
        write_volume(volume, folder / f"{name}.nii.gz")
    (folder / LABELS).write_bytes(_label_table(approval))
    names = [*(f"{name}.nii.gz" for name in volumes), LABELS]
    record = replace(record, checksums={name: sha256_of(folder / name) for name in names})
    text = json.dumps(to_json(record), indent=1, ensure_ascii=False, allow_nan=False) + "\n"
    (folder / CASE).write_bytes(text.encode())
    (folder / SEAL).write_bytes(f"{sha256_of(folder / CASE)}  {CASE}\n".encode())
    for name in [*names, CASE, SEAL]:
        sync_file(folder / name)
    sync_folder(folder)
    _check_kept(approval, folder)
    return record


def read_record(folder: Path) -> CaseRecord:
    """Read what a case says about itself.

    Raises
    ------
    BrainstemALSError
        UNREADABLE_IMAGE where ``case.json`` is missing or damaged, OUTPUT_REFUSED where a newer
        version wrote it.
    """
    try:
        record = from_json(json.loads((folder / CASE).read_bytes()))
    except FileNotFoundError:
        raise refusals.damaged_case(folder.name, f"{CASE} of this case is missing") from None
    except OSError:
        raise refusals.unreadable() from None
    except (ValueError, RecursionError):
        raise refusals.damaged_case(folder.name, f"{CASE} of this case is damaged") from None
    if record.case_id != folder.name.removeprefix(PARTIAL):
        raise refusals.damaged_case(folder.name, f"{CASE} of this case belongs to another one")
    return record


def find_problems(folder: Path) -> tuple[str, ...]:
    """Return what is missing or altered in a case, a clause each; empty where all is whole."""
    try:
        record = read_record(folder)
    except BrainstemALSError as error:
        return (error.problem,)
    problems = []
    try:
        seal = (folder / SEAL).read_bytes().split()
    except OSError:
        problems.append(f"{SEAL} is missing")
    else:
        if not seal or seal[0].decode("ascii", "replace") != sha256_of(folder / CASE):
            problems.append(f"{CASE} was altered")
    needed = [LABELS, *(f"{name}.nii.gz" for name in (*record.images, *MASKS))]
    problems += [f"{CASE} has no checksum of {n}" for n in needed if n not in record.checksums]
    for name in needed:
        try:
            if sha256_of(folder / name) != record.checksums.get(name):
                problems.append(f"{name} was altered")
        except FileNotFoundError:
            problems.append(f"{name} is missing")
        except OSError:
            problems.append(f"{name} cannot be read")
    return tuple(problems)


def read_case(folder: Path) -> Case:
    """Read a case whose every file is as it was approved.

    Raises
    ------
    BrainstemALSError
        UNREADABLE_IMAGE: a file is missing, altered or contradicts the others.
    """
    if problems := find_problems(folder):
        raise refusals.damaged_case(folder.name, problems[0])
    record = read_record(folder)
    images = {name: read_image(folder / f"{name}.nii.gz", name) for name in record.images}
    masks = {name: read_label_map(folder / f"{name}.nii.gz") for name in MASKS}
    box = Volume(np.empty(record.box_shape, dtype=np.uint8), record.grid.box_affine)
    for name, volume in (*images.items(), *masks.items()):
        if not same_grid(volume, box, ORIENTATION_GAP_MM):
            raise refusals.damaged_case(folder.name, f"{name} lies on another grid than the case")
    before, after, changed = (masks[name].array for name in MASKS)
    if not np.array_equal(before != after, changed):
        raise refusals.damaged_case(folder.name, "the changed voxels contradict the two labellings")
    known = _known_labels(folder)
    if not (np.isin(before, known).all() and np.isin(after, known).all()):
        raise refusals.damaged_case(folder.name, f"a label is not in {LABELS}")

    def exact(array: np.ndarray, dtype: type) -> Volume:
        return Volume(array.astype(dtype, copy=False), box.affine)

    return Case(
        record,
        {name: exact(volume.array, np.float32) for name, volume in images.items()},
        exact(before, np.uint8),
        exact(after, np.uint8),
        exact(changed, bool),
    )


def _label_table(approval: Approval) -> bytes:
    """Return ``labels.tsv``: the structures the model can draw and those that were drawn."""
    drawn = set(np.unique(approval.prediction.array)) | set(np.unique(approval.correction.array))
    text = io.StringIO()
    writer = csv.writer(text, delimiter="\t", lineterminator="\n")
    writer.writerow(("index", "key", "name"))
    for structure in load_structures():
        if structure.key in approval.keys or structure.index in drawn:
            writer.writerow((structure.index, structure.key, structure.name))
    return text.getvalue().encode()


def _known_labels(folder: Path) -> list[int]:
    """Return background and the labels of ``labels.tsv``, which mean today what they meant then."""
    ours = {(str(structure.index), structure.key) for structure in load_structures()}
    with (folder / LABELS).open(encoding="utf-8", newline="") as handle:
        rows = list(csv.DictReader(handle, delimiter="\t"))
    if any((row.get("index"), row.get("key")) not in ours for row in rows):
        raise refusals.damaged_case(folder.name, f"{LABELS} names structures unknown here")
    return [0, *(int(row["index"]) for row in rows)]


def _check_kept(approval: Approval, folder: Path) -> None:
    try:
        stored = read_case(folder)
    except BrainstemALSError as error:
        if error.code == ExitCode.UNREADABLE_IMAGE:
            raise OSError("the file system does not give back what it took") from None
        raise
    pairs = [(approval.images[name], stored.images[name]) for name in approval.images]
    pairs += [(approval.prediction, stored.prediction), (approval.correction, stored.correction)]
    if not all(np.array_equal(given.array, kept.array) for given, kept in pairs):
        raise OSError("the file system does not give back what it took")
