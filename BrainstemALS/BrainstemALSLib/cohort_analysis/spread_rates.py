"""Which structures began to change first, told by repeated visits: change so far against its rate.

A structure that has lost much and loses little now began early; one that has lost little and loses
much now began late. So the yearly change as a share of the change so far (linear extrapolation, as
Villemagne et al. 2013 date amyloid, doi:10.1016/S1474-4422(13)70044-9) grows along the order. The
disease compares a person with himself here, which most of what sets healthy people apart leaves
alone. What healthy people share in structures that the disease spares is taken off first.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.optimize import nnls

RIDGE = 0.3
"""Of the regression on the spared structures, in the controls' variance; own choice."""
ROUNDS = 2
"""Times that weights and relative rates are found in turn; own choice."""
LEAST_REPEATED = 20
"""Patients seen twice that rates may be told from; own choice."""


@dataclass(frozen=True, eq=False)
class Repeated:
    """Visits of patients as needed for rates; rows are persons, columns measures of structures.

    Every column rests on the visits that have it: a visit without one measure keeps its others.

    Attributes
    ----------
    numerator : numpy.ndarray, shape (n, c)
        Sum over visits of deviation times years, years from the person's own mean.
    spread : numpy.ndarray, shape (n, c)
        Sum of squared years from the person's mean.
    mean : numpy.ndarray, shape (n, c)
        Mean deviation of a person; NaN where no visit has it.
    years : numpy.ndarray, shape (n, c)
        Mean time since the first visit; NaN as ``mean``.
    healthy : numpy.ndarray, shape (m, c)
        Mean deviation of each control; NaN where no visit has it.
    event : numpy.ndarray of int, shape (c,)
        Which structure a column belongs to.
    patients, controls : numpy.ndarray of int, shape (n,) and (m,)
        Who they are, ascending.
    """

    numerator: np.ndarray
    spread: np.ndarray
    mean: np.ndarray
    years: np.ndarray
    healthy: np.ndarray
    event: np.ndarray
    patients: np.ndarray
    controls: np.ndarray

    @property
    def usable(self) -> np.ndarray:
        """Tell which columns a rate may be told from, (c,)."""
        again = (self.spread > 0).sum(axis=0) >= LEAST_REPEATED
        return again & (np.isfinite(self.healthy).sum(axis=0) > 2)

    def enough(self) -> bool:
        """Tell whether rates may be told from these people."""
        return bool(self.usable.any())

    def again(self) -> int:
        """Return how many patients have a usable measure at two visits or more."""
        return int((self.spread[:, self.usable] > 0).any(axis=1).sum())

    def drawn(self, patients: np.ndarray, controls: np.ndarray) -> Repeated:
        """Return the people of a bootstrap sample; those without any measure drop out."""
        sick, well = _rows(self.patients, patients), _rows(self.controls, controls)
        return Repeated(
            self.numerator[sick], self.spread[sick], self.mean[sick], self.years[sick],
            self.healthy[well], self.event, self.patients[sick], self.controls[well],
        )  # fmt: skip


def gather(
    values: np.ndarray,
    spared: np.ndarray,
    event: np.ndarray,
    person: np.ndarray,
    years: np.ndarray,
    sick: np.ndarray,
    well: np.ndarray,
) -> Repeated:
    """Gather what rates are made of.

    Parameters
    ----------
    values : numpy.ndarray, shape (v, c)
        Deviations of the events' measures, one row a visit; a gap leaves out that measure alone.
    spared : numpy.ndarray, shape (v, s)
        Deviations of structures that the disease spares; gaps count as 0.
    event : numpy.ndarray of int, shape (c,)
    person : numpy.ndarray of int, shape (v,)
    years : numpy.ndarray, shape (v,)
        Since the person's first visit.
    sick, well : numpy.ndarray of bool, shape (v,)
        Rows of patients and of controls.
    """
    seen = np.isfinite(values).any(axis=1) & np.isfinite(years)
    sick, well = sick & seen, well & seen
    if spared.shape[1]:
        values = _less_shared(values, np.nan_to_num(spared), well)
    patients, who = np.unique(person[sick], return_inverse=True)
    known = np.isfinite(values[sick])
    times = np.where(known, years[sick, None], 0.0)
    count = _sums(known.astype(float), who)
    mean, middle = (
        _share(_sums(part, who), count) for part in (np.where(known, values[sick], 0.0), times)
    )
    since = np.where(known, times - middle[who], 0.0)
    controls, whose = np.unique(person[well], return_inverse=True)
    there = np.isfinite(values[well])
    return Repeated(
        numerator=_sums(np.where(known, values[sick], 0.0) * since, who),
        spread=_sums(since**2, who),
        mean=mean,
        years=middle,
        healthy=_share(
            _sums(np.where(there, values[well], 0.0), whose), _sums(there.astype(float), whose)
        ),
        event=event,
        patients=patients,
        controls=controls,
    )


def relative_rates(people: Repeated) -> tuple[np.ndarray, np.ndarray]:
    """Return yearly change as a share of the change at the first visit, and its variance.

    Measures of a structure are weighted so that the variance is smallest. Both are NaN and infinite
    where there is no change so far, or where too few patients have the measure twice.

    Returns
    -------
    numpy.ndarray, shape (e,)
        1 / year.
    numpy.ndarray, shape (e,)
        By the delta method; persons are the units.
    """
    usable = people.usable
    total = np.where(usable, people.spread.sum(axis=0), 1.0)
    rate = np.where(usable, people.numerator.sum(axis=0) / total, 0.0)
    off = people.numerator - people.spread * rate
    level, level_cov = _mean(people.mean - people.years * rate)
    rate_cov = off.T @ off / np.outer(total, total)
    healthy, healthy_cov = _mean(people.healthy)
    level, level_cov = level - healthy, level_cov + healthy_cov
    size = int(people.event.max()) + 1
    values, variance = np.full(size, np.nan), np.full(size, np.inf)
    if not usable.any():
        return values, variance
    usual = float(rate[usable].sum() / max(level[usable].sum(), 1e-9))
    for _ in range(ROUNDS):
        for event in range(size):
            own = np.flatnonzero((people.event == event) & usable)
            if not len(own):
                continue
            block = np.ix_(own, own)
            noise = np.atleast_2d((rate_cov + usual**2 * level_cov)[block])
            weights, _ = nnls(noise, np.maximum(level[own], 0.0))
            so_far = float(weights @ level[own])
            if so_far <= 0:
                values[event], variance[event] = np.nan, np.inf
                continue
            value = float(weights @ rate[own]) / so_far
            spread = weights @ (rate_cov + value**2 * level_cov)[block] @ weights
            values[event], variance[event] = value, float(spread) / so_far**2
        if np.isfinite(values).any():
            usual = float(np.nanmedian(values))
    return values, variance


def misfit(order: np.ndarray, values: np.ndarray, variance: np.ndarray) -> float:
    """Return minus the log likelihood, up to a constant, of an order given the relative rates.

    The rates are fitted by the nearest ones that never fall along the order (isotonic regression).
    """
    from scipy.optimize import isotonic_regression

    known = order[np.isfinite(values[order])]
    if len(known) < 2:
        return 0.0
    weights = 1.0 / variance[known]
    fitted = isotonic_regression(values[known], weights=weights).x
    return 0.5 * float((weights * (values[known] - fitted) ** 2).sum())


def _less_shared(values: np.ndarray, known: np.ndarray, well: np.ndarray) -> np.ndarray:
    """Values less what the spared structures tell of them in controls, column by column."""
    out = np.full(values.shape, np.nan)
    for number, column in enumerate(values.T):
        use = well & np.isfinite(column)
        healthy = known[use]
        inner = healthy.T @ healthy + RIDGE * max(len(healthy), 1) * np.eye(known.shape[1])
        out[:, number] = column - known @ np.linalg.solve(inner, healthy.T @ column[use])
    return out


def _share(sums: np.ndarray, count: np.ndarray) -> np.ndarray:
    return np.where(count > 0, sums / np.maximum(count, 1.0), np.nan)


def _mean(rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Mean over the persons who have a column, (c,), and the covariance of those means, (c, c)."""
    known = np.isfinite(rows)
    count = np.maximum(known.sum(axis=0), 1)
    mean = np.where(known, rows, 0.0).sum(axis=0) / count
    off = np.where(known, rows - mean, 0.0) / np.sqrt(count * np.maximum(count - 1.0, 1.0))
    return mean, off.T @ off


def _sums(values: np.ndarray, who: np.ndarray) -> np.ndarray:
    """Sums by person of (v,) or (v, c)."""
    found = np.zeros((int(who.max(initial=-1)) + 1, *values.shape[1:]))
    np.add.at(found, who, values)
    return found


def _rows(known: np.ndarray, wanted: np.ndarray) -> np.ndarray:
    """Rows of the wanted persons, as often as they are wanted."""
    if not len(known):
        return np.zeros(0, int)
    place = np.minimum(np.searchsorted(known, wanted), len(known) - 1)
    return place[known[place] == wanted]
