"""How well a map lies on the T1, as one figure.

Two images of one head share most information where they lie on top of each other (Studholme et al.
1999, normalised mutual information, doi:10.1016/S0031-3203(98)00091-0). How much that is depends on
the sequences; how fast it goes when one of them is shifted hardly does, so that is the figure.

What it cannot see: a map that is mirrored left to right, because a head is its own mirror image to
within a millimetre or two; and another person whose head lies alike and fits as well as heads of
two people do. Both look like a fair registration.
"""

from __future__ import annotations

import numpy as np

from ..volume import Volume
from .region import Region

GRID_MM = 2.0
SHIFTS_MM = (4.0, 8.0, 16.0)
BINS = 16
# Part of the region in which the contrasts are compared: less of it is scalp, neck and cerebellar
# fluid than of the whole. Measured: with it the figures of real heads rise from 0.07 to 0.2.
CORE = 0.8
# Fewer voxels than this (4 cm3) hold no histogram of 16 x 16 bins.
SMALLEST_VOXELS = 500
# Normalised mutual information above 1 of two images that have nothing in common comes to 0.001
# here; real pairs have 0.05 and more.
SMALLEST_INFORMATION = 0.01

GOOD, ACCEPTED, DOUBTFUL = 0.25, 0.15, 0.05
"""At or above the first nothing else is tried; at or above the second the maps are used, between it
and the third with a warning, below not at all. Chosen from docs/results/registration.md."""


def quality_of(contrast: Volume, t1: Volume, region: Region) -> float:
    """Share of the common information that even the least harmful shift destroys.

    The maps are shifted by 4, 8 and 16 mm along each axis, either way. Where they lie right each
    shift costs information; where they lie 4 mm off or more, one of them gains some.

    Parameters
    ----------
    contrast : Volume
        b0, FA or MD where it is to be judged, any grid; 0 outside its mask.
    t1 : Volume
    region : Region

    Returns
    -------
    float
        0-1; 0 where a shifted map fits as well or better, or where there is nothing to compare.
    """
    core = Region(region.centre, tuple(CORE * size for size in region.size_mm), True)
    margin = max(SHIFTS_MM)
    fixed = _bins(core.sample(t1, GRID_MM).array)
    moving = _bins(core.sample(contrast, GRID_MM, margin).array)
    reach = round(margin / GRID_MM)

    def shared(axis: int, shift_mm: float) -> float:
        start = [reach] * 3
        start[axis] += round(shift_mm / GRID_MM)
        part = tuple(slice(a, a + n) for a, n in zip(start, fixed.shape, strict=True))
        return _shared_information(fixed, moving[part])

    here = shared(0, 0.0)
    if here < SMALLEST_INFORMATION:
        return 0.0
    elsewhere = max(
        shared(axis, sign * shift) for axis in range(3) for sign in (-1, 1) for shift in SHIFTS_MM
    )
    return float(np.clip(1.0 - elsewhere / here, 0.0, 1.0))


def _bins(image: np.ndarray) -> np.ndarray:
    """Bin numbers (int64) of equal size, 1 to ``BINS``; 0 where there is nothing."""
    filled = image > 0
    if not filled.any():
        return np.zeros(image.shape, np.int64)
    edges = np.quantile(image[filled], np.linspace(0, 1, BINS + 1)[1:-1])
    return np.where(filled, 1 + np.searchsorted(edges, image), 0)


def _shared_information(first: np.ndarray, second: np.ndarray) -> float:
    """Normalised mutual information above 1, where both images hold something."""
    both = (first > 0) & (second > 0)
    if np.count_nonzero(both) < SMALLEST_VOXELS:
        return 0.0
    pairs = (first[both] - 1) * BINS + second[both] - 1
    joint = np.bincount(pairs, minlength=BINS**2).reshape(BINS, BINS) / pairs.size

    def entropy(p: np.ndarray) -> float:
        p = p[p > 0]
        return float(-(p * np.log(p)).sum())

    whole = entropy(joint)
    return (entropy(joint.sum(0)) + entropy(joint.sum(1))) / whole - 1.0 if whole > 0 else 0.0
