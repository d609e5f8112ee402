"""Label-efficiency curves: Dice over corrected exams and over minutes, with their uncertainty.

Loops are repeated over seeds and scored on the same held-out exams, so every figure is a table of
seeds by exams. Both are resampled, each by itself: the pigeonhole bootstrap (Owen 2007,
doi:10.1214/07-AOAS122), which errs towards wide intervals. With three seeds they stay rough.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from ..evaluation.summary import CONFIDENCE, RESAMPLES, Interval
from .loop import Round

Loops = Mapping[int, Sequence[Round]]
"""Seed to the rounds of a loop."""


def pigeonhole(table: np.ndarray, seed: int = 0) -> Interval:
    """Return the mean of a table of seeds by exams with its 95 % interval.

    Parameters
    ----------
    table : numpy.ndarray, shape (seeds, exams)
        No NaN.
    seed : int
        Of the resampling.
    """
    rng = np.random.default_rng(seed)
    rows, columns = table.shape
    mean = float(table.mean())
    if rows < 2 or columns < 2:
        return Interval(mean, float("nan"), float("nan"))
    by_row = rng.multinomial(rows, [1 / rows] * rows, RESAMPLES) / rows
    by_column = rng.multinomial(columns, [1 / columns] * columns, RESAMPLES) / columns
    means = np.einsum("br,rc,bc->b", by_row, table, by_column)
    tail = (1 - CONFIDENCE) / 2
    low, high = np.quantile(means, [tail, 1 - tail])
    return Interval(mean, float(low), float(high))


def exam_dice(loops: Loops, keep: np.ndarray | None = None) -> np.ndarray:
    """Return the mean Dice over structures: (seeds, exams, rounds), the seeds in order.

    Parameters
    ----------
    loops : mapping
    keep : numpy.ndarray, shape (structures,), optional
        bool, the structures that count; all unless given.
    """
    out = []
    for seed in sorted(loops):
        tables = np.stack([one.table() for one in loops[seed]], -1)
        if keep is not None:
            tables = tables[:, keep]
        out.append(np.nanmean(tables, axis=1))
    return np.stack(out)


def corrected(loops: Loops) -> np.ndarray:
    """Return the corrected exams after each round, (seeds, rounds)."""
    return np.array([[one.corrected for one in loops[seed]] for seed in sorted(loops)], float)


def spent(loops: Loops) -> np.ndarray:
    """Return the minutes after each round, (seeds, rounds)."""
    return np.array([[one.minutes for one in loops[seed]] for seed in sorted(loops)], float)


def heights(values: np.ndarray, along: np.ndarray, upto: float) -> np.ndarray:
    """Return the area under every curve divided by its width: the mean Dice on the way.

    Parameters
    ----------
    values : numpy.ndarray, shape (seeds, exams, rounds)
    along : numpy.ndarray, shape (seeds, rounds)
        What the curve runs over; the first is 0.
    upto : float
        Where it ends, over 0; linear between rounds.

    Returns
    -------
    numpy.ndarray, shape (seeds, exams)
    """
    from scipy.integrate import trapezoid

    out = np.empty(values.shape[:2])
    for row, x in enumerate(along):
        grid = np.append(x[x < upto], upto)
        for exam, curve in enumerate(values[row]):
            out[row, exam] = trapezoid(np.interp(grid, x, curve), grid) / upto
    return out


def common_end(every: Sequence[np.ndarray]) -> float:
    """Return the largest value that all curves reach."""
    return float(min(along[:, -1].min() for along in every))


def difference(loops: Loops, baseline: Loops, over: str, upto: float, seed: int = 0) -> Interval:
    """Return how much higher a curve lies than the baseline's, paired by seed and exam.

    Parameters
    ----------
    loops, baseline : mapping
        Of the same seeds.
    over : str
        ``corrected`` or ``minutes``.
    upto : float
        Where both end.
    seed : int
        Of the bootstrap.

    Raises
    ------
    ValueError
        Their seeds differ, or what they run over is unknown.
    """
    axes = {"corrected": corrected, "minutes": spent}
    if over not in axes or sorted(loops) != sorted(baseline):
        raise ValueError("curves are compared over corrected or minutes, for the same seeds")
    both = [heights(exam_dice(one), axes[over](one), upto) for one in (loops, baseline)]
    return pigeonhole(both[0] - both[1], seed)


def structure_change(loops: Loops, keep: np.ndarray) -> np.ndarray:
    """Return the change of Dice from the first to the last round, per structure.

    Parameters
    ----------
    loops : mapping
    keep : numpy.ndarray, shape (structures,)
        bool, the structures that are wanted.

    Returns
    -------
    numpy.ndarray
        Mean over seeds and exams; NaN for a structure that no exam has.
    """
    changes = [loops[seed][-1].table() - loops[seed][0].table() for seed in sorted(loops)]
    together = np.concatenate(changes)[:, keep]
    there = np.isfinite(together)
    count = there.sum(0)
    total = np.where(there, together, 0).sum(0)
    return np.where(count > 0, total / np.maximum(count, 1), np.nan)
