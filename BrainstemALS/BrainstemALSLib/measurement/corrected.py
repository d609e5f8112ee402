"""A segmentation after an expert has corrected its labels.

What the expert changed counts as certain: probability 1 for the expert's label and 0 for all the
others. What the expert left keeps the model's probabilities. A region thereby stays the sum of its
parts, and a correction moves the soft volumes by what was corrected and by nothing else.
"""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np

from ..anatomy import CONTEXT, by_key
from ..errors import BrainstemALSError, ExitCode
from ..imaging.volume import Volume
from ..segmentation.field_of_view import Slabs, faces_within
from ..segmentation.result import Segmentation


def corrected(segmentation: Segmentation, labels: np.ndarray, filled: Slabs) -> Segmentation:
    """Return a segmentation with an expert's labels, ready to be measured.

    Parameters
    ----------
    segmentation : Segmentation
        As the model left it; with ``probabilities`` None, all confidences come back as NaN.
    labels : numpy.ndarray, shape (i, j, k)
        The expert's labels, unsigned integers, on the whole grid of the T1. They may lie outside
        the box of the probabilities.
    filled : tuple
        Where the image of the T1 begins and ends, from ``segmentation.field_of_view``.

    Raises
    ------
    BrainstemALSError
        MISMATCHED_IMAGES: the labels are of another grid. USAGE: they hold a structure that the
        model does not have.
    """
    if labels.shape != segmentation.labels.shape:
        raise BrainstemALSError(
            "correction",
            "it does not lie on the grid of the segmentation",
            "Measure the correction with the segmentation that it was made from.",
            ExitCode.MISMATCHED_IMAGES,
        )
    column = _columns(segmentation.keys)
    _refuse_unknown(labels, column)
    probabilities, confidence = None, dict.fromkeys(segmentation.keys, math.nan)
    if segmentation.probabilities is not None:
        probabilities, start = _certain_where_changed(segmentation, labels, column)
        confidence = _confidence(probabilities, start, labels, segmentation.keys, column)
        affine = segmentation.labels.affine.copy()
        affine[:3, 3] += affine[:3, :3] @ start
        probabilities = Volume(probabilities, affine)
    table = by_key()
    stem = [table[key].index for key in segmentation.keys if table[key].parent != CONTEXT]
    affine = segmentation.labels.affine
    return replace(
        segmentation,
        labels=Volume(labels, affine),
        probabilities=probabilities,
        confidence=confidence,
        touches_border=faces_within(Volume(np.isin(labels, stem), affine), filled),
    )


def _columns(keys: tuple[str, ...]) -> np.ndarray:
    """Position among ``keys`` by label; -1 for the background and for labels that are none."""
    table = by_key()
    column = np.full(256, -1)
    column[[table[key].index for key in keys]] = range(len(keys))
    return column


def _refuse_unknown(labels: np.ndarray, column: np.ndarray) -> None:
    present = np.flatnonzero(np.bincount(labels.ravel(), minlength=len(column)))
    unknown = [n for n in present if n and (n >= len(column) or column[n] < 0)]
    if unknown:
        raise BrainstemALSError(
            "correction",
            f"it holds a label that the model does not know ({unknown[0]})",
            "Correct with the structures of the segmentation only.",
            ExitCode.USAGE,
        )


def _certain_where_changed(
    segmentation: Segmentation, labels: np.ndarray, column: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Return new probabilities, float16 (i, j, k, n), and the first voxel of their box."""
    old = segmentation.probabilities.array
    start = np.array(segmentation.offset)
    stop = start + old.shape[:3]
    changed = np.argwhere(labels != segmentation.labels.array)
    if not len(changed):
        return old, start
    low, high = np.minimum(start, changed.min(0)), np.maximum(stop, changed.max(0) + 1)
    new = np.zeros((*(high - low), old.shape[3]), old.dtype)
    new[tuple(slice(a, b) for a, b in zip(start - low, stop - low, strict=True))] = old
    new[tuple((changed - low).T)] = 0
    position = column[labels[tuple(changed.T)]]
    labelled = position >= 0
    new[(*(changed[labelled] - low).T, position[labelled])] = 1
    return new, low


def _confidence(
    probabilities: np.ndarray,
    start: np.ndarray,
    labels: np.ndarray,
    keys: tuple[str, ...],
    column: np.ndarray,
) -> dict[str, float]:
    """Mean probability of each structure over the voxels labelled so; NaN where there are none."""
    size = probabilities.shape[:3]
    box = labels[tuple(slice(a, a + n) for a, n in zip(start, size, strict=True))]
    voxels = np.nonzero(box)
    position = column[box[voxels]]
    of_label = probabilities[(*voxels, position)].astype(np.float64)
    count = np.bincount(position, minlength=len(keys))
    total = np.bincount(position, of_label, minlength=len(keys))
    return {key: float(total[n] / count[n]) if count[n] else math.nan for n, key in enumerate(keys)}
