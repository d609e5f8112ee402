"""Paired bootstrap over subjects: bounds of mean differences, singly and for all at once.

Bounds are expanded percentiles (Hesterberg 2015, The American Statistician 69, 371-386,
doi:10.1080/00031305.2015.1089789): with the few subjects at hand, plain percentiles are too narrow
by about the factor between the t and the normal distribution and that of n and n - 1.

Several structures at a time:

* Not worse: every structure has to show it, so that each is tested at the full level and no
  correction is due (intersection-union test, Berger 1982, Technometrics 24, 295-300,
  doi:10.2307/1267823).
* Worse: one structure is enough, so that the bound must hold for all at once: the largest
  studentised deviation over structures in the same resamples (single-step max-T, Westfall and
  Young 1993, Resampling-Based Multiple Testing, Wiley).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

TINY = 1e-6
"""Part of the spread below which a resample holds one subject only, many times."""


@dataclass(frozen=True, eq=False)
class Bounds:
    """Mean differences and their one-sided bounds, each (columns,); NaN where nothing was measured.

    Attributes
    ----------
    mean, low, high : numpy.ndarray
        Mean over subjects and bounds of each column for itself.
    joint_high : numpy.ndarray
        Upper bounds that hold for all columns at once.
    """

    mean: np.ndarray
    low: np.ndarray
    high: np.ndarray
    joint_high: np.ndarray


def paired_differences(current: np.ndarray, candidate: np.ndarray) -> np.ndarray:
    """Candidate minus current, (cases, structures).

    Where neither truth nor one of the two has a structure and the other draws it, the one that
    rightly draws nothing counts as 1; where none has it, NaN.
    """
    known = np.isfinite(current) | np.isfinite(candidate)
    filled = [np.where(np.isnan(table) & known, 1.0, table) for table in (current, candidate)]
    return filled[1] - filled[0]


def by_subject(table: np.ndarray, subjects: Sequence[str]) -> np.ndarray:
    """Mean of each subject's cases, (subjects, columns), in order of first appearance."""
    names = list(dict.fromkeys(subjects))
    rows = np.asarray(subjects)
    return np.array([mean_of(table[rows == name]) for name in names])


def mean_of(table: np.ndarray) -> np.ndarray:
    """Mean of each column without its NaN, (columns,); NaN where there is nothing else."""
    known = np.isfinite(table).sum(0)
    total = np.nansum(table, axis=0)
    return np.divide(total, known, out=np.full(total.shape, np.nan), where=known > 0)


def bootstrap_bounds(
    differences: np.ndarray, confidence: float, resamples: int, seed: int = 0
) -> Bounds:
    """Return one-sided bounds of the mean of every column.

    Parameters
    ----------
    differences : numpy.ndarray
        (subjects, columns); NaN are left out.
    confidence : float
        One-sided.
    resamples : int
    seed : int
        Of the resampling; all columns use the same resamples.
    """
    n = len(differences)
    known = np.isfinite(differences)
    values, size, mean = np.nan_to_num(differences), known.sum(0), mean_of(differences)
    if n < 2:
        nothing = np.full(differences.shape[1], np.nan)
        return Bounds(mean, nothing, nothing, nothing)
    counts = np.random.default_rng(seed).multinomial(n, np.full(n, 1 / n), resamples)
    drawn = counts @ known
    # A resample without any subject that has the structure says nothing about it.
    means = np.divide(
        counts @ values, drawn, out=np.broadcast_to(mean, drawn.shape).copy(), where=drawn > 0
    )
    tail = _expanded_tail(1 - confidence, n)
    spread = _standard_error(values, known.astype(float))
    # Each resample by its own spread: with that of the sample, the bound is too low for few.
    scaled = np.zeros_like(means)
    own = _standard_error(values, known.astype(float), counts)
    np.divide(mean - means, own, out=scaled, where=own > TINY * np.maximum(spread, TINY))
    reach = float(np.quantile(scaled.max(1), confidence)) if scaled.size else 0.0
    few = size < 2
    low, high = np.quantile(means, [tail, 1 - tail], axis=0)
    return Bounds(
        mean,
        np.where(few, np.nan, low),
        np.where(few, np.nan, high),
        np.where(few, np.nan, np.maximum(mean + reach * spread, high)),
    )


def _standard_error(
    values: np.ndarray, known: np.ndarray, counts: np.ndarray | None = None
) -> np.ndarray:
    """Of the mean of each column, (columns,), or of each resample, (resamples, columns)."""
    counts = np.ones((1, len(values))) if counts is None else counts
    middle = values.sum(0) / np.maximum(known.sum(0), 1)
    centred = (values - middle) * known  # else digits are lost in the squares
    size = np.maximum(counts @ known, 1)
    variance = counts @ centred**2 / size - (counts @ centred / size) ** 2
    found = np.sqrt(np.maximum(variance, 0) / np.maximum(size - 1, 1))
    return found[0] if len(found) == 1 else found


def _expanded_tail(tail: float, n: int) -> float:
    """Tail of the percentiles that has about the wanted level with n subjects."""
    from scipy.stats import norm, t

    return float(norm.cdf(-np.sqrt(n / (n - 1)) * t.ppf(1 - tail, n - 1)))
