"""Volumes and diffusion of every visit, under the labels of the common template."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from ..anatomy import by_key, composites
from ..imaging.volume import Volume
from ..measurement.diffusion import diffusion_values
from ..measurement.volumes import SUPPORT_PROBABILITY
from ..segmentation.result import Segmentation
from .joining import Joined
from .result import VisitValue
from .warping import SMOOTHING_VOXELS, displacements, jacobian, warped_to_visit

MARGIN = 8
"""Voxels around the brainstem in which shapes are compared: four times the smoothing of the
displacement, so that the edge of the box does not hold it (our choice)."""
METRICS = ("fa", "md")
SMALLEST_MM3 = 1.0
"""A volume below one voxel of the template is not followed."""


def measured(joined: Joined, smoothing: float = SMOOTHING_VOXELS) -> tuple[VisitValue, ...]:
    """Return volumes and mean FA and MD of every visit.

    A volume is the sum of the template's probabilities times the volume factor of the visit.
    Diffusion is measured as for one exam (``measurement.diffusion``), under the template's
    probabilities moved onto the visit. Structures of tier C have no volume. ``smoothing`` is that
    of ``warping``, in voxels.
    """
    box, probabilities = _box(joined.segmentation)
    fields = displacements([image[box] for image in joined.template.even], smoothing)
    by_visit: list[VisitValue] = []
    for visit, movement, field in zip(joined.visits, joined.movements, fields, strict=True):
        found = _volumes(joined.segmentation, probabilities, field)
        maps = {name: volume for name, volume in visit.exam.maps.items() if name in METRICS}
        if maps:
            labels = _on_visit(joined.segmentation, probabilities, field, box)
            lying = {n: Volume(v.array, movement @ v.affine) for n, v in maps.items()}
            found += [
                (row.key, row.metric, row.value)
                for row in diffusion_values(labels, lying)
                if row.value is not None
            ]
        by_visit += [VisitValue(visit.number, visit.months, *each) for each in found]
    return tuple(sorted(by_visit, key=lambda value: value.visit))


def _box(segmentation: Segmentation) -> tuple[tuple[slice, ...], np.ndarray]:
    """Box of the common grid that holds the brainstem, and the probabilities (i, j, k, n) in it."""
    held = segmentation.probabilities.array
    shape = segmentation.labels.shape
    inside = np.argwhere(held.sum(axis=-1, dtype=np.float32) >= SUPPORT_PROBABILITY)
    offset = np.array(segmentation.offset)
    low = np.maximum(inside.min(0) + offset - MARGIN, 0)
    high = np.minimum(inside.max(0) + offset + 1 + MARGIN, shape)
    out = np.zeros((*(high - low), held.shape[-1]), np.float32)
    # Where the box of the probabilities and this box overlap.
    first = np.maximum(low, offset)
    last = np.minimum(high, offset + held.shape[:3])
    there = tuple(slice(a, b) for a, b in zip(first - low, last - low, strict=True))
    here = tuple(slice(a, b) for a, b in zip(first - offset, last - offset, strict=True))
    out[there] = held[here]
    out *= out.sum(-1, keepdims=True) >= SUPPORT_PROBABILITY
    return tuple(slice(a, b) for a, b in zip(low, high, strict=True)), out


def _volumes(
    segmentation: Segmentation, probabilities: np.ndarray, field: np.ndarray
) -> list[tuple[str, str, float]]:
    factor = jacobian(field)
    voxel = segmentation.labels.voxel_volume
    sums = np.tensordot(factor, probabilities.astype(np.float64), axes=3) * voxel
    table = by_key()
    held = dict(zip(segmentation.keys, sums.tolist(), strict=True))
    found = {key: value for key, value in held.items() if table[key].tier != "C"}
    for key, members in composites().items():
        present = [held[member] for member in members if member in held]
        if present:
            found[key] = sum(present)
    return [(key, "volume", value) for key, value in found.items() if value >= SMALLEST_MM3]


def _on_visit(
    segmentation: Segmentation,
    probabilities: np.ndarray,
    field: np.ndarray,
    box: tuple[slice, ...],
) -> Segmentation:
    """The template's probabilities where a visit has them; labels keep only their grid."""
    affine = segmentation.labels.affine.copy()
    affine[:3, 3] += affine[:3, :3] @ [part.start for part in box]
    return replace(
        segmentation, probabilities=Volume(warped_to_visit(probabilities, field), affine)
    )
