"""What an expert approves, checked and cut before anything is written."""

from __future__ import annotations

import json
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from ..anatomy import load_structures
from ..errors import BrainstemALSError, ExitCode
from ..imaging.checks import ORIENTATION_GAP_MM
from ..imaging.geometry import crop, same_grid
from ..imaging.volume import Volume
from .box import BoxGrid, brainstem_box
from .codes import check_code, check_exam_key, check_seconds, check_visit_date

IMAGES = ("t1", "fa", "md", "v1")
DIRECTIONS = "v1"
"""The one image that is no scalar."""
# Interpolation and float32 keep unit vectors to a few digits; our own choice.
_LENGTH_TOLERANCE = 0.01


@dataclass(frozen=True, eq=False)
class Approval:
    """One exam that an expert has looked through.

    Attributes
    ----------
    images : dict of str to Volume
        ``"t1"`` and, where given, ``"fa"``, ``"md"`` and ``"v1"``, all on the box of ``prediction``
        (``box.cut_images`` makes them). V1 is as in ``imaging.exam.Exam``: (i, j, k, 3), RAS, unit
        length or 0, of either sign. The store cuts them further, see ``checked``.
    prediction, correction : Volume
        uint8, values are ``Structure.index``: what the model drew and what the expert approves.
    grid : BoxGrid
        The whole T1, and where the box lies in it.
    exam_key : str
        As ``codes.exam_key`` returns it for the whole T1.
    subject, annotator : str
        Codes, never names.
    visit_date : str
        ISO date or empty.
    model : dict
        Name, version and checksum of every model that took part in the prediction.
    keys : tuple of str
        Structures that the model can draw.
    modalities : tuple of str
        Channels that the prediction was made with, of ``IMAGES``; empty where nobody knows.
        ``images`` may hold others.
    seconds_spent : float
        Time the expert worked on it.
    approved_all : bool
        The expert vouches for every voxel; otherwise only for those that were changed.
    from_simulation : bool
        The model of the prediction was trained on synthetic images.
    """

    images: dict[str, Volume]
    prediction: Volume
    correction: Volume
    grid: BoxGrid
    exam_key: str
    subject: str
    annotator: str
    visit_date: str = ""
    model: dict[str, Any] = field(default_factory=dict)
    keys: tuple[str, ...] = ()
    modalities: tuple[str, ...] = ()
    seconds_spent: float = 0.0
    approved_all: bool = True
    from_simulation: bool = True


def checked(approval: Approval) -> Approval:
    """Return an approval that may be stored: every field checked, cut to the brainstem's box.

    Diffusion maps that show nothing in the box (one value, or voxels that are not numbers) are
    left out; so is a V1 whose vectors are neither of unit length nor 0, and one without an FA: how
    much a direction means is only known from that.

    Raises
    ------
    BrainstemALSError
        USAGE for a code or a date, MISMATCHED_IMAGES for grids, UNSUITABLE_IMAGE for labels or a
        T1 that cannot be stored.
    ValueError
        What only a mistake of the calling program explains: exam key, time, model, names of images,
        structures and channels.
    """
    check_code("subject code", approval.subject)
    check_code("annotator code", approval.annotator)
    check_visit_date(approval.visit_date)
    check_exam_key(approval.exam_key)
    check_seconds(approval.seconds_spent)
    json.dumps(approval.model, allow_nan=False)
    if "t1" not in approval.images or set(approval.images) - set(IMAGES):
        raise ValueError(f"the images of a case are t1 and perhaps {IMAGES[1:]}")
    if unknown := set(approval.keys) - {structure.key for structure in load_structures()}:
        raise ValueError(f"no such structures: {', '.join(sorted(unknown))}")
    if unknown := set(approval.modalities) - set(IMAGES):
        raise ValueError(f"no such channels: {', '.join(sorted(unknown))}")
    for name, volume in approval.images.items():
        if volume.array.shape[3:] != ((3,) if name == DIRECTIONS else ()):
            raise ValueError(f"{name} has not the axes of such an image: {volume.array.shape}")
    _check_grids(approval)
    for what, volume in (("prediction", approval.prediction), ("correction", approval.correction)):
        _check_labels(what, volume.array)
    return _without_empty_maps(_cut(approval))


def _check_grids(approval: Approval) -> None:
    box = Volume(approval.prediction.array, approval.grid.box_affine)
    volumes = {
        "prediction": approval.prediction,
        "correction": approval.correction,
        **{name.upper(): volume for name, volume in approval.images.items()},
    }
    for what, volume in volumes.items():
        if not same_grid(volume, box, ORIENTATION_GAP_MM):
            raise BrainstemALSError(
                what,
                "this does not lie on the voxels of the T1's box",
                "Segment the exam again, then correct and approve it.",
                ExitCode.MISMATCHED_IMAGES,
            )
    if not approval.grid.holds(box.shape):
        raise BrainstemALSError(
            "T1",
            "the segmented box reaches beyond the image",
            "Segment the exam again, then correct and approve it.",
            ExitCode.MISMATCHED_IMAGES,
        )


def _check_labels(what: str, labels: np.ndarray) -> None:
    known = [0, *(structure.index for structure in load_structures())]
    if not np.issubdtype(labels.dtype, np.integer) or not np.isin(np.unique(labels), known).all():
        raise BrainstemALSError(
            what,
            "this holds labels that are no structures of the brainstem",
            "Move such segments out of the segmentation, or draw into the segments it came with.",
            ExitCode.UNSUITABLE_IMAGE,
        )


def _cut(approval: Approval) -> Approval:
    labelled = (approval.prediction.array > 0) | (approval.correction.array > 0)
    if not labelled.any():
        raise BrainstemALSError(
            "segmentation",
            "nothing is labelled",
            "Segment the exam, or draw at least one structure.",
            ExitCode.NO_BRAINSTEM,
        )
    start, stop = brainstem_box(labelled, approval.prediction.spacing)
    grid = replace(approval.grid, offset=tuple(start + approval.grid.offset))

    def cut(volume: Volume, dtype: Any = None) -> Volume:
        array = crop(volume, start, stop).array
        return Volume(array.astype(dtype or array.dtype, copy=False), grid.box_affine)

    return replace(
        approval,
        grid=grid,
        images={
            name: cut(volume, _stored_type(volume.array))
            for name, volume in approval.images.items()
        },
        prediction=cut(approval.prediction, np.uint8),
        correction=cut(approval.correction, np.uint8),
    )


def _stored_type(array: np.ndarray) -> np.dtype:
    # Everything here computes in float32; integers of 16 bits or less are smaller and as exact.
    return array.dtype if array.dtype.kind in "iu" and array.itemsize <= 2 else np.dtype("f4")


def _without_empty_maps(approval: Approval) -> Approval:
    shown = {
        name: volume
        for name, volume in approval.images.items()
        if (_points if name == DIRECTIONS else _shows)(volume.array)
    }
    if "fa" not in shown:
        shown.pop(DIRECTIONS, None)
    if "t1" not in shown:
        raise BrainstemALSError(
            "T1",
            "this has one value everywhere, or voxels that are not numbers, around the brainstem",
            "Load the T1 again, then segment and correct it.",
            ExitCode.UNSUITABLE_IMAGE,
        )
    return replace(approval, images=shown)


def _shows(array: np.ndarray) -> bool:
    return bool(np.isfinite(array).all() and array.min() < array.max())


def _points(directions: np.ndarray) -> bool:
    # What is no number is of no length either.
    lengths = np.linalg.norm(directions, axis=-1)
    sound = (lengths == 0) | (np.abs(lengths - 1) < _LENGTH_TOLERANCE)
    return bool(sound.all() and lengths.any())
