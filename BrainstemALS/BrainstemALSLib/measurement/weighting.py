"""Weights of diffusion voxels, and what a weighted mean is worth."""

from __future__ import annotations

import math

import numpy as np

CORE_SHARE = 0.5
"""Part of a voxel that a structure has to take (our choice): more than everything else in it."""
LOOSE_SHARE, STRICT_SHARE = 0.25, 0.75
"""Other choices of ``CORE_SHARE``, whose means say how much depends on it: the odds of 1:3 and 3:1
that the half range of a volume is taken between."""
MAXIMUM_FLUID = 0.1
"""Part of fluid from which a voxel counts for nothing (our choice): it raises an MD of 0.8 by a
quarter. The weight falls towards it, so that voxels without fluid lead."""

# Variance of the shares below which no line can be drawn through them.
_NO_SPREAD = 1e-6


def core_weights(share: np.ndarray, fluid: np.ndarray, core: float) -> np.ndarray:
    """Return the weights of voxels, see ``diffusion``.

    Parameters
    ----------
    share, fluid : numpy.ndarray, shape (n,)
        Parts of each voxel, 0-1.
    core : float
        Smallest share that counts.
    """
    weights = np.square(share, dtype=np.float64) * fluid_factor(fluid)
    return np.where(share >= core, weights, 0.0)


def fluid_factor(fluid: np.ndarray) -> np.ndarray:
    """Return the factor 0-1 by which fluid in a voxel lowers its weight."""
    return np.clip(1.0 - fluid / MAXIMUM_FLUID, 0.0, 1.0)


def effective_number(weights: np.ndarray) -> float:
    """Return ``(sum w)^2 / sum w^2`` (Kish 1965, Survey Sampling); 0 without weights.

    Examples
    --------
    >>> effective_number(np.array([2.0, 2.0, 2.0, 0.0]))
    3.0
    """
    square = float(np.square(weights).sum())
    return float(weights.sum()) ** 2 / square if square > 0 else 0.0


def weighted_mean_sd(values: np.ndarray, weights: np.ndarray) -> tuple[float, float]:
    """Return mean and standard deviation, unbiased for independent values of equal spread."""
    total = float(weights.sum())
    mean = float((weights * values).sum()) / total
    squares = float((weights * np.square(values - mean)).sum())
    freedom = total - float(np.square(weights).sum()) / total
    return mean, math.sqrt(squares / freedom)


def outline_error(values: np.ndarray, share: np.ndarray, fluid: np.ndarray, mean: float) -> float:
    """Return how far a mean would move with the outline, the larger of two figures.

    The first is half the range between the means with a looser and a stricter core. It is blind to
    what the purest voxels still hold of their neighbours: a structure as thin as a voxel has none
    without. The second is the distance to the value of a voxel that holds nothing else, where a
    straight line through the values against the share arrives. The line is no estimate to report:
    FA does not mix linearly, and the point spread is only roughly known.

    Parameters
    ----------
    values, share, fluid : numpy.ndarray, shape (n,)
        Of the voxels that can be used.
    mean : float
        With ``CORE_SHARE``.
    """
    means = [mean]
    for core in (LOOSE_SHARE, STRICT_SHARE):
        weights = core_weights(share, fluid, core)
        if weights.sum() > 0:
            means.append(float(np.average(values, weights=weights)))
    weights = core_weights(share, fluid, LOOSE_SHARE)
    foreign = 1.0 - share
    centre, level = (float(np.average(each, weights=weights)) for each in (foreign, values))
    spread = float((weights * np.square(foreign - centre)).sum())
    if spread < _NO_SPREAD * float(weights.sum()):
        return (max(means) - min(means)) / 2
    slope = float((weights * (foreign - centre) * (values - level)).sum()) / spread
    return max((max(means) - min(means)) / 2, abs(level - slope * centre - mean))
