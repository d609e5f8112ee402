"""Datastore folders of MONAI Label (``datastore_v2.json``), read and written.

Images lie in ``images_dir``, labels in ``labels_dir/final`` (what an annotator submitted) and
``labels_dir/original`` (what the model proposed), under the image's id. Format: class
``LocalDatastore`` of github.com/Project-MONAI/MONAILabel, monailabel/datastore/local.py; Slicer's
MONAI Label module puts ``label_info`` (``name`` and ``idx`` of each segment) into a label's info.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ...anatomy import load_structures
from ...errors import BrainstemALSError, ExitCode
from .description import PREDICTION, Description, description_in, read_json
from .lookup import Term

DATASTORE = "datastore_v2.json"
FINAL, ORIGINAL = "final", "original"
LABELS_DIR = "labels"
_EXTENSIONS = (".nii.gz", ".nii", ".seg.nrrd", ".nrrd")


@dataclass(frozen=True, eq=False)
class Submitted:
    """One image of a datastore that has a final label.

    Attributes
    ----------
    image_id : str
    final : Path
    original : Path or None
    images : dict of str to Path
        ``t1``; of our own exports also ``fa``, ``md`` and ``v1``.
    terms : tuple of Term or None
        None where the datastore does not say what the values mean.
    description : Description or None
        Of our own exports.
    """

    image_id: str
    final: Path
    original: Path | None
    images: dict[str, Path] = field(default_factory=dict)
    terms: tuple[Term, ...] | None = None
    description: Description | None = None


def read_datastore(folder: Path) -> list[Submitted]:
    """Return the images of a datastore that somebody submitted a label for, by id.

    Raises
    ------
    BrainstemALSError
        UNREADABLE_IMAGE: ``datastore_v2.json`` is damaged, names files outside the folder, or
        nothing was submitted.
    """
    path = folder / DATASTORE
    content = read_json(path)
    try:
        images = _inside(folder, str(content.get("images_dir") or "."))
        labels = _inside(folder, str(content.get("labels_dir") or LABELS_DIR))
        found = [
            _submitted(path, folder, images, labels, str(image_id), entry)
            for image_id, entry in sorted(content["objects"].items())
            if FINAL in entry.get("labels", {})
        ]
    except (KeyError, TypeError, AttributeError, ValueError):
        raise BrainstemALSError(
            path,
            "this is no datastore of MONAI Label, or it is damaged",
            "Copy the whole folder again.",
            ExitCode.UNREADABLE_IMAGE,
        ) from None
    if not found:
        raise BrainstemALSError(
            path,
            "no label of this datastore was submitted",
            "Submit labels in MONAI Label first: those in labels/final are imported.",
            ExitCode.UNREADABLE_IMAGE,
        )
    return found


def datastore_record(objects: Mapping[str, dict[str, Any]]) -> dict[str, Any]:
    """Return the content of ``datastore_v2.json``.

    Parameters
    ----------
    objects : mapping
        Image id to ``image`` and ``labels``, see ``object_record``.
    """
    return {
        "name": "BrainstemALS",
        "description": "Brainstem corrections, cut to a box around the brainstem",
        "images_dir": ".",
        "labels_dir": LABELS_DIR,
        "objects": dict(objects),
    }


def object_record(
    image_id: str, ext: str, keys: Iterable[str], tags: Iterable[str], info: dict[str, Any]
) -> dict[str, Any]:
    """Return what a datastore says of one image.

    Parameters
    ----------
    image_id, ext : str
        Image and labels are ``image_id`` + ``ext``.
    keys : iterable of str
        Structures that a label may have.
    tags : iterable of str
        ``final``, ``original``.
    info : dict
        More about the image.
    """
    wanted = set(keys)
    names = [
        {"name": s.name, "idx": s.index, "key": s.key} for s in load_structures() if s.key in wanted
    ]
    name = f"{image_id}{ext}"
    return {
        "image": {"ext": ext, "info": {"name": name, **info}},
        "labels": {tag: {"ext": ext, "info": {"name": name, "label_info": names}} for tag in tags},
    }


def _submitted(
    path: Path, folder: Path, images: Path, labels: Path, image_id: str, entry: dict[str, Any]
) -> Submitted:
    files = {
        tag: _inside(labels / tag, image_id + _extension(entry["labels"][tag]))
        for tag in (FINAL, ORIGINAL)
        if tag in entry["labels"]
    }
    image = _inside(images, image_id + _extension(entry["image"]))
    description = description_in(path, entry["image"].get("info"))
    along = dict(description.files) if description else {}
    along.pop(PREDICTION, None)
    found = {name: _inside(folder, place) for name, place in along.items()}
    return Submitted(
        image_id,
        files[FINAL],
        files.get(ORIGINAL),
        {**found, "t1": image},
        _terms(entry["labels"][FINAL].get("info") or {}),
        description,
    )


def _terms(info: dict[str, Any]) -> tuple[Term, ...] | None:
    rows = info.get("label_info")
    if not rows:
        return None
    return tuple(
        Term(int(row["idx"]), str(row.get("name", "")), str(row.get("key", "")))
        for row in rows
        if int(row["idx"]) > 0
    )


def _extension(entry: dict[str, Any]) -> str:
    if entry["ext"] not in _EXTENSIONS:
        raise ValueError("no image that can be read")
    return entry["ext"]


def _inside(folder: Path, name: str) -> Path:
    """Return a path below a folder; ValueError for one that leads out of it."""
    path = folder / name
    if not path.resolve().is_relative_to(folder.resolve()):
        raise ValueError("a path that leads out of the datastore")
    return path
