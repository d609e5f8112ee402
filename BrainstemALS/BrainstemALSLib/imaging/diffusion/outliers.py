"""Slices that lost their signal: found against a prediction, and replaced by it.

A head that moves while a slice is weighted leaves it dark. As in FSL's eddy (Andersson et al.,
NeuroImage 2016;141:556, doi:10.1016/j.neuroimage.2016.06.058), a slice whose mean lies far below
what all other volumes predict is replaced by the prediction, which leaves it out of the fit.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from ..dwi import Dwi
from ..finding import Finding
from ..volume import Volume
from .linear import design_matrix, linear_fit, predicted
from .motion import Moved

SMALLEST_LOSS, DEVIATIONS = 0.12, 6.0
"""A slice is an outlier that lost this share of its signal, and this many robust standard
deviations of all slices. Our own choice: eddy takes 4 standard deviations, of noise alone."""
FEWEST_VOXELS = 40
"""Of the brain in a slice, to judge it by; our own choice."""
WARNING_SHARE = 0.05
"""Share of slices lost from which the numbers are to be used with care; our own choice."""
_PASSES, _FILLS = 2, 3


@dataclass(frozen=True, eq=False)
class Repaired:
    """A series with its lost slices replaced.

    Attributes
    ----------
    dwi : Dwi
        Values that were not seen or were lost are predictions; only inside the mask.
    outliers : numpy.ndarray of bool, shape (k, n)
        By slice as acquired and volume.
    judged : int
        Slices that could be looked at.
    lost : numpy.ndarray of bool, shape (i, j, k, n)
        Values that were replaced.
    """

    dwi: Dwi
    outliers: np.ndarray
    judged: int
    lost: np.ndarray


def replace_outliers(moved: Moved, mask: np.ndarray) -> Repaired:
    """Return the series with slices of lost signal replaced by what a tensor predicts.

    Parameters
    ----------
    moved : Moved
        With one tensor per voxel to be fitted: of enough directions.
    mask : numpy.ndarray of bool, shape (i, j, k)
        The brain.
    """
    dwi = moved.dwi
    signals, seen = dwi.volume.array[mask], moved.seen[mask]
    slices = moved.slices[mask].astype(np.int32)
    design = design_matrix(dwi.bvals, dwi.bvecs)
    count, n = dwi.volume.array.shape[2], len(dwi.bvals)
    slices = np.clip(slices, 0, count - 1)
    outliers = np.zeros((count, n), bool)
    judged = 0
    lost = ~seen
    for _ in range(_PASSES):
        guess = _filled(signals, lost, design)[1]
        ratio, judged = _by_slice(signals, guess, seen, slices, count)
        outliers |= _dark(ratio)
        lost = ~seen | _near_outlier(outliers, slices)
    filled, _ = _filled(signals, lost, design)
    array = dwi.volume.array.copy()
    array[mask] = filled
    missing = np.zeros(array.shape, bool)
    missing[mask] = lost
    volume = Volume(array, dwi.volume.affine)
    return Repaired(replace(dwi, volume=volume), outliers, judged, missing)


def outlier_finding(outliers: np.ndarray, judged: int) -> Finding | None:
    """Say how many slices were lost; None where there was none."""
    count = int(outliers.sum())
    if not count:
        return None
    share = count / max(judged, 1)
    volumes = int(outliers.any(axis=0).sum())
    severe = share > WARNING_SHARE
    return Finding(
        "lost_slices",
        "warning" if severe else "info",
        f"{count} of {judged} slices ({100 * share:.1f} %), in {volumes} volumes, lost signal and "
        "were left out of the diffusion fit.",
        "Look at the series; scan again if it can be." if severe else "Nothing to do.",
    )


def _filled(
    signals: np.ndarray, lost: np.ndarray, design: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Signals with the lost ones predicted from the others, and the prediction of all."""
    coefficients = linear_fit(signals, design)
    guess = predicted(coefficients, design)
    rows = np.flatnonzero(lost.any(axis=1))
    if not rows.size:
        return signals, guess
    filled = signals.copy()
    for _ in range(_FILLS):
        # Each pass brings the prediction closer to that of a fit without the lost values.
        filled[rows] = np.where(lost[rows], guess[rows], signals[rows])
        guess[rows] = predicted(linear_fit(filled[rows], design), design)
    filled[rows] = np.where(lost[rows], guess[rows], signals[rows])
    return filled, guess


def _by_slice(
    signals: np.ndarray, guess: np.ndarray, seen: np.ndarray, slices: np.ndarray, count: int
) -> tuple[np.ndarray, int]:
    """Signal over prediction (k, n), NaN where too little brain is seen; how many are not."""
    n = signals.shape[1]
    ratio = np.full((count, n), np.nan)
    for volume in range(n):
        use = seen[:, volume]
        where = slices[use, volume]
        size = np.bincount(where, minlength=count)
        mean = np.bincount(where, signals[use, volume], minlength=count)
        wanted = np.bincount(where, guess[use, volume], minlength=count)
        enough = (size >= FEWEST_VOXELS) & (wanted > 0)
        ratio[enough, volume] = mean[enough] / wanted[enough]
    return ratio, int(np.isfinite(ratio).sum())


def _dark(ratio: np.ndarray) -> np.ndarray:
    known = ratio[np.isfinite(ratio)]
    if not known.size:
        return np.zeros(ratio.shape, bool)
    middle = np.median(known)
    spread = 1.4826 * np.median(np.abs(known - middle))
    limit = middle - max(SMALLEST_LOSS, DEVIATIONS * spread)
    return np.nan_to_num(ratio, nan=np.inf) < limit


def _near_outlier(outliers: np.ndarray, slices: np.ndarray) -> np.ndarray:
    """Values that come from a lost slice or, by interpolation, from one beside it."""
    wide = outliers.copy()
    wide[1:] |= outliers[:-1]
    wide[:-1] |= outliers[1:]
    return np.take_along_axis(wide, slices, axis=0)
