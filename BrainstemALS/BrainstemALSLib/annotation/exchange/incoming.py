"""Finds what a file or folder of another program holds: labels, their exam, their prediction."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ...errors import BrainstemALSError, ExitCode
from ...imaging.reading import read_label_map
from .description import PREDICTION, Description, description_in, read_json
from .lookup import LabelImage, Term, read_rows, terms_of_rows
from .monailabel import DATASTORE, read_datastore
from .seg_nrrd import is_segmentation, read_segmentation

_NIFTI = (".nii.gz", ".nii")
_SUBJECT, _SESSION = re.compile(r"sub-([A-Za-z0-9]+)_"), re.compile(r"_ses-([A-Za-z0-9]+)_")
_MODEL_OUTPUT = "desc-brainstem"


@dataclass(frozen=True, eq=False)
class Incoming:
    """One labelling that may become a case.

    Attributes
    ----------
    name : str
        By which a table of codes calls it: file name without extension, or MONAI Label's image id.
    labels : Path
        File of the labels.
    terms : tuple of Term or None
        What a datastore says of the values; None where the file, or a table beside it, does.
    subject : str
        Code out of the file's name (``sub-``); empty where it has none.
    images : dict of str to Path
        ``t1`` and others that come along: boxes where there is a ``description``, else whole.
    prediction : Path or None
        What the model drew.
    description : Description or None
        What BrainstemALS wrote at the export.
    """

    name: str
    labels: Path
    terms: tuple[Term, ...] | None = None
    subject: str = ""
    images: dict[str, Path] = field(default_factory=dict)
    prediction: Path | None = None
    description: Description | None = None


def find_incoming(source: Path) -> list[Incoming]:
    """Return the labellings of a file, a BIDS derivative folder or a MONAI Label datastore.

    In the order in which they were approved, as far as an own export says so; else by name.

    Raises
    ------
    BrainstemALSError
        UNREADABLE_IMAGE: nothing of that kind is there, or it is damaged.
    """
    items = _found(source)
    return sorted(items, key=lambda item: item.description.revision if item.description else 0)


def _found(source: Path) -> list[Incoming]:
    if source.is_file():
        return [_of_file(source)]
    if (source / DATASTORE).is_file():
        return [
            Incoming(
                name=item.image_id,
                labels=item.final,
                terms=item.terms,
                subject=_subject(item.image_id),
                images=item.images,
                prediction=item.original,
                description=item.description,
            )
            for item in read_datastore(source)
        ]
    paths = sorted(
        path
        for path in source.rglob("*")
        if path.name.endswith(("_dseg.nii.gz", "_dseg.nii", ".seg.nrrd")) and path.is_file()
    )
    predictions = {found.prediction for found in map(_described, paths) if found is not None}
    items = [
        _of_file(path) for path in paths if path not in predictions and not _is_model_output(path)
    ]
    if not items:
        raise BrainstemALSError(
            source,
            "there are no corrections here that can be imported",
            f"Give a label map, a BIDS folder (*_dseg.nii.gz), *.seg.nrrd or a folder with "
            f"{DATASTORE}.",
            ExitCode.UNREADABLE_IMAGE,
        )
    return items


def read_labels(item: Incoming, path: Path) -> LabelImage:
    """Read the labels of an item, or its prediction, with what is known of their values.

    Raises
    ------
    BrainstemALSError
        As ``imaging.reading.read_label_map``; UNREADABLE_IMAGE for a damaged table.
    """
    if is_segmentation(path):
        image = read_segmentation(path)
    else:
        image = LabelImage(path.name, (read_label_map(path),))
    if image.terms:
        return image
    if item.terms is not None:
        return LabelImage(image.name, image.layers, item.terms)
    table = _table(path)
    return LabelImage(image.name, image.layers, terms_of_rows(read_rows(table)) if table else ())


def t1_in_dataset(dataset: Path, item: Incoming) -> Path:
    """Return the T1 of an item out of a BIDS dataset, by subject and session.

    Raises
    ------
    BrainstemALSError
        UNREADABLE_IMAGE: none, or more than one.
    """
    session = _SESSION.search(item.name + "_")
    folder = dataset / f"sub-{_subject(item.name)}"
    if session:
        folder = folder / f"ses-{session[1]}"
    found = sorted(
        path for ending in _NIFTI for path in (folder / "anat").glob(f"sub-*_T1w{ending}")
    )
    if len(found) != 1:
        raise BrainstemALSError(
            item.labels,
            "the dataset of T1 images has " + ("none" if not found else "several") + " for it",
            "Import this file alone, and give its T1 with --t1.",
            ExitCode.UNREADABLE_IMAGE,
        )
    return found[0]


def stem_of(path: Path) -> str:
    """Return a file's name without extension, and without a BIDS suffix ``_dseg``."""
    name = path.name
    for ending in (*_NIFTI, ".seg.nrrd", ".nrrd"):
        if name.lower().endswith(ending):
            name = name[: -len(ending)]
            break
    return name.removesuffix("_dseg")


def _of_file(path: Path) -> Incoming:
    found = _described(path)
    if found is not None:
        return found
    return Incoming(
        stem_of(path),
        path,
        subject=_subject(path.name),
        prediction=_model_output_beside(path),
    )


def _described(path: Path) -> Incoming | None:
    """Return the item of a file that BrainstemALS exported, by the JSON beside it."""
    stem = stem_of(path)
    for beside in (path.with_name(f"{stem}_dseg.json"), path.with_name(f"{stem}.json")):
        if beside.is_file():
            description = description_in(beside, read_json(beside))
            if description is not None:
                files = {name: path.parent / place for name, place in description.files.items()}
                prediction = files.pop(PREDICTION, None)
                return Incoming(
                    stem,
                    path,
                    images=files,
                    prediction=prediction,
                    description=description,
                )
    return None


def _is_model_output(path: Path) -> bool:
    """Return whether ``brainstem-als segment`` wrote it: only that leaves a provenance beside."""
    return path.with_name(f"{stem_of(path)}_provenance.json").is_file()


def _model_output_beside(path: Path) -> Path | None:
    stem = re.sub(r"_desc-[A-Za-z0-9]+$", "", stem_of(path))
    output = path.with_name(f"{stem}_{_MODEL_OUTPUT}_dseg.nii.gz")
    usable = output != path and output.is_file() and _is_model_output(output)
    return output if usable else None


def model_of(prediction: Path) -> tuple[dict[str, Any], tuple[str, ...]]:
    """Return models and channels of a prediction that ``brainstem-als segment`` wrote, if known."""
    provenance = prediction.with_name(f"{stem_of(prediction)}_provenance.json")
    content = read_json(provenance) if provenance.is_file() else {}
    try:
        return dict(content.get("model", {})), tuple(content.get("modalities_used", ()))
    except (AttributeError, TypeError, ValueError):
        return {}, ()


def _table(path: Path) -> Path | None:
    """Return the ``dseg.tsv`` of a label map: its own, else one of its folder or those above.

    BIDS calls that inheritance; it ends at the dataset's folder, which has a description.
    """
    own = path.with_name(f"{stem_of(path)}_dseg.tsv")
    for candidate in (own, path.with_name(f"{stem_of(path)}.tsv")):
        if candidate.is_file():
            return candidate
    within = [path.parent]
    for folder in (path.parent, *path.parent.parents[:4]):
        if (folder / "dataset_description.json").is_file():
            within = [path.parent, *(up for up in path.parent.parents if up.is_relative_to(folder))]
            break
    return next((up / "dseg.tsv" for up in within if (up / "dseg.tsv").is_file()), None)


def _subject(name: str) -> str:
    match = _SUBJECT.match(name + "_")
    return match[1] if match else ""
