"""FA and MD maps: their scale and unit, and whether they belong to the T1."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from ..errors import BrainstemALSError, ExitCode
from .alignment import offset_of
from .geometry import crop, overlap_fraction
from .volume import Volume

# FA lies in 0-1; a fit with negative eigenvalues or an interpolation passes 1 in a few voxels at
# the rim (sqrt(1.5) = 1.22 is the largest value the formula can give). Those are clipped.
FA_TOLERATED = (-0.25, 1.25)
FA_OVERSHOOT, FA_OVERSHOOT_SHARE = 0.01, 0.02
# White matter passes 0.4 in every brain, so the top of an FA map far exceeds this; MD does not.
FA_SMALLEST_TOP = 0.1
# In 1e-3 mm2/s. Brain has about 0.7 and CSF about 3.2 (Pierpaoli et al., Radiology 1996;201:637),
# so the median of a brain with its CSF lies near 0.8; the limits are ours and leave room for
# atrophy and for tissue outside the brain. A trace, three times the MD, has 2.1 or more.
MD_MEDIAN_RANGE = (0.4, 1.8)
# Part of the middle half of the T1's field of view that a map has to cover.
SMALLEST_COVERAGE = 0.2


def _unsuitable(path: Path | str, problem: str, remedy: str) -> BrainstemALSError:
    return BrainstemALSError(path, problem, remedy, ExitCode.UNSUITABLE_DIFFUSION)


def fractional_anisotropy(path: Path | str, volume: Volume) -> Volume:
    """Return an FA map clipped to 0-1.

    Raises
    ------
    BrainstemALSError
        The values do not lie in 0-1: below -0.25, above 1.25, over 2 % of the non-zero voxels
        more than 0.01 outside, or nothing above 0.1.
    """
    array = volume.array
    low, high = float(array.min()), float(array.max())
    tissue = array[array != 0]
    outside = np.mean((tissue < -FA_OVERSHOOT) | (tissue > 1.0 + FA_OVERSHOOT))
    beyond = low < FA_TOLERATED[0] or high > FA_TOLERATED[1]
    if beyond or outside > FA_OVERSHOOT_SHARE or np.percentile(tissue, 99) < FA_SMALLEST_TOP:
        raise _unsuitable(
            path,
            f"fractional anisotropy lies between 0 and 1, but this map runs from {low:.4g} "
            f"to {high:.4g}",
            "Give the FA map itself, unscaled; check that FA and MD are not swapped.",
        )
    return Volume(np.clip(array, 0.0, 1.0), volume.affine)


def mean_diffusivity(path: Path | str, volume: Volume) -> Volume:
    """Return an MD map in 1e-3 mm2/s (the same as um2/ms).

    The unit, mm2/s or 1e-3 mm2/s, is told by the median of the voxels that hold tissue: those
    above a hundredth of the 99th percentile of the positive ones, which leaves out background.

    Raises
    ------
    BrainstemALSError
        The median fits neither unit.
    """
    positive = volume.array[volume.array > 0]
    if positive.size:
        tissue = positive[positive > np.percentile(positive, 99) / 100.0]
        median = float(np.median(tissue))
        for factor in (1.0, 1000.0):
            if MD_MEDIAN_RANGE[0] <= median * factor <= MD_MEDIAN_RANGE[1]:
                return Volume(volume.array * np.float32(factor), volume.affine)
        problem = f"its median of {median:.3g} fits no unit of mean diffusivity that is accepted"
    else:
        problem = "mean diffusivity is positive, but no voxel of this map is"
    raise _unsuitable(
        path,
        problem,
        "Give MD in mm2/s (brain about 0.0008) or in 1e-3 mm2/s (brain about 0.8): divide um2/s "
        "by 1000, and a trace by 3.",
    )


def check_covers(path: Path | str, what: str, volume: Volume, t1: Volume) -> None:
    """Refuse a map that misses the T1, or that would fit it clearly better somewhere else.

    It misses the T1 when it covers under a fifth of the middle half of its field of view. Two
    patients who lay alike in the same scanner are not told apart.
    """
    shape = np.array(t1.array.shape)
    middle = crop(t1, shape // 4, shape - shape // 4)
    if overlap_fraction(middle, volume) < SMALLEST_COVERAGE:
        raise BrainstemALSError(
            path,
            f"this {what} map and the T1 show different places in space",
            "Give images of one patient and one session, with the orientation of the scanner kept.",
            ExitCode.MISMATCHED_IMAGES,
        )
    offset = offset_of(volume, t1)
    if offset:
        raise BrainstemALSError(
            path,
            f"this {what} map does not lie on the T1: it would fit better about {offset:.0f} mm "
            "from where it is",
            "Check that both are of one patient, and align the map with the T1 first.",
            ExitCode.MISMATCHED_IMAGES,
        )
