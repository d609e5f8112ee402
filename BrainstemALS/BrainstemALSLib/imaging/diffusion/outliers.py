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
from .motion import Moved, encoding_axis
from .movement import Frame

SMALLEST_LOSS, DEVIATIONS = 0.12, 6.0
"""A slice is an outlier that lost this share of its signal, and this many robust standard
deviations of all slices. Our own choice: eddy takes 4 standard deviations, of noise alone."""
FEWEST_VOXELS = 40
"""Of the brain in a slice, to judge it by; our own choice."""
EDGE_VOXELS, SHOWN_SHARE = 0.5, 0.9
"""A value interpolated less than this far inside the outermost voxels' centres leans on what is not
in view; slices are judged by voxels that this share of the volumes shows without it. Our own
choice, from simulated series: within half a voxel of the edge, whole slices seemed lost."""
STILL_VOXELS = 0.02
"""Movement at which nothing is interpolated to speak of, so that the outermost slices count too;
our own choice."""
WARNING_SHARE = 0.05
"""Share of slices lost from which the numbers are to be used with care; our own choice."""
GROSS_LOSS = 0.4
"""Share of signal lost against the same slice in like volumes, that shows without any prediction:
directions change the mean of a slice far less. Our own choice."""
BLEED = 0.6
"""What interpolation may give a slice of the loss beside it, up to half and a little for the
overshoot of cubic splines: such a slice is not one more. Our own choice."""
_PASSES = 2
_SHELL = 200.0  # s/mm2


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
    sure = seen & _away_from_edge(moved, mask)
    design = design_matrix(dwi.bvals, dwi.bvecs)
    count = dwi.volume.array.shape[2]
    slices = np.clip(slices, 0, count - 1)
    # A prediction suffers from what is plainly lost, so that goes first.
    means = _by_slice(signals, np.ones_like(signals), sure, slices, count)[0]
    outliers = _plainly_dark(means, dwi.bvals)
    for _ in range(_PASSES):
        lost = ~seen | _near_outlier(outliers, slices)
        guess = _filled(signals, lost, design)[1]
        ratio, judged = _by_slice(signals, guess, sure, slices, count)
        outliers = _dark(ratio)
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


def _away_from_edge(moved: Moved, mask: np.ndarray) -> np.ndarray:
    """Values in the mask, shape (m, n), to judge slices by: not interpolated at the edge of view.

    There a volume that moved lacks data and the prediction suffers from all that do.
    """
    affine = moved.dwi.volume.affine
    places = np.argwhere(mask)
    limit = np.array(mask.shape) - 1
    middle = affine[:3, :3] @ (limit / 2) + affine[:3, 3]
    points = places @ affine[:3, :3].T + affine[:3, 3]
    frame = Frame(affine, points, middle, encoding_axis(moved.dwi), mask)
    inner = np.empty((len(places), len(moved.movements)), bool)
    for n, movement in enumerate(moved.movements):
        taken = frame.voxels(movement).T
        clear = (taken >= EDGE_VOXELS) & (taken <= limit - EDGE_VOXELS)
        still = np.abs(taken - places) <= STILL_VOXELS
        inner[:, n] = (clear | still).all(axis=1)
    return inner & (inner.mean(axis=1, keepdims=True) >= SHOWN_SHARE)


def _filled(
    signals: np.ndarray, lost: np.ndarray, design: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Signals with the lost ones predicted from the others, and the prediction of all."""
    guess = np.empty_like(signals)
    # Voxels that lost the same volumes share a design, and there are few such groups.
    _, group = np.unique(np.packbits(lost, axis=1), axis=0, return_inverse=True)
    order = np.argsort(group.ravel(), kind="stable")
    for rows in np.split(order, np.cumsum(np.bincount(group.ravel()))[:-1]):
        kept = ~lost[rows[0]]
        if kept.sum() < design.shape[1]:
            kept = np.ones(len(kept), bool)
        coefficients = linear_fit(signals[rows][:, kept], design[kept])
        guess[rows] = predicted(coefficients, design)
    return np.where(lost, guess, signals), guess


def _by_slice(
    signals: np.ndarray, guess: np.ndarray, sure: np.ndarray, slices: np.ndarray, count: int
) -> tuple[np.ndarray, int]:
    """Signal over prediction (k, n), NaN where too little is sure; how many are not NaN."""
    n = signals.shape[1]
    ratio = np.full((count, n), np.nan)
    for volume in range(n):
        use = sure[:, volume]
        where = slices[use, volume]
        size = np.bincount(where, minlength=count)
        mean = np.bincount(where, signals[use, volume], minlength=count)
        wanted = np.bincount(where, guess[use, volume], minlength=count)
        enough = (size >= FEWEST_VOXELS) & (wanted > 0)
        ratio[enough, volume] = mean[enough] / wanted[enough]
    return ratio, int(np.isfinite(ratio).sum())


def _plainly_dark(means: np.ndarray, bvals: np.ndarray) -> np.ndarray:
    """Slices (k, n) far darker than the median of theirs among volumes of about the same b."""
    found = np.zeros(means.shape, bool)
    shell = np.round(bvals / _SHELL).astype(int)
    for value in np.unique(shell):
        like = np.flatnonzero(shell == value)
        known = np.isfinite(means[:, like]).any(axis=1)
        middle = np.nanmedian(means[np.ix_(known, like)], axis=1, keepdims=True)
        dark = means[np.ix_(known, like)] < (1 - GROSS_LOSS) * middle
        found[np.ix_(known, like)] = dark
    return found


def _dark(ratio: np.ndarray) -> np.ndarray:
    known = ratio[np.isfinite(ratio)]
    if not known.size:
        return np.zeros(ratio.shape, bool)
    middle = np.median(known)
    spread = 1.4826 * np.median(np.abs(known - middle))
    limit = middle - max(SMALLEST_LOSS, DEVIATIONS * spread)
    dark = np.nan_to_num(ratio, nan=np.inf) < limit
    loss = np.nan_to_num(1 - ratio / middle, nan=0.0)
    beside = np.zeros_like(loss)
    beside[1:] = loss[:-1]
    beside[:-1] = np.maximum(beside[:-1], loss[1:])
    return dark & (loss > BLEED * beside)


def _near_outlier(outliers: np.ndarray, slices: np.ndarray) -> np.ndarray:
    """Values that come from a lost slice or, by interpolation, from one beside it."""
    wide = outliers.copy()
    wide[1:] |= outliers[:-1]
    wide[:-1] |= outliers[1:]
    return np.take_along_axis(wide, slices, axis=0)
