"""Scores of survival predictions, censoring weighed out, each with bootstrap replicates.

Time runs from the visit, at which everybody is free of the event, so there is no delayed entry
here. Censoring is weighed by the inverse of its Kaplan-Meier curve (IPCW). scikit-survival has the
same scores; it is no dependency (its solvers are not needed, and it has no bootstrap that reuses
the pairs), and the tests compare with it where it is installed.

Replicates resample people by multiplicities m: a score of pairs is m' A m / m' B m, with matrices
computed once. The censoring curve is held fixed.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

EPSILON = 1e-12


def kaplan_meier(time: np.ndarray, event: np.ndarray, weights: np.ndarray | None = None):
    """Return the Kaplan-Meier curve as a function of time: the probability beyond it.

    Parameters
    ----------
    time, event : numpy.ndarray, shape (n,)
    weights : numpy.ndarray, shape (n,), optional

    Returns
    -------
    callable
        ``curve(t, before=False)``: at t, or just before it.
    """
    w = np.ones(len(time)) if weights is None else weights
    at, place = np.unique(time, return_inverse=True)
    gone = np.bincount(place, w)
    events = np.bincount(place, w * event)
    risk = gone[::-1].cumsum()[::-1]
    curve = np.cumprod(1 - events / np.maximum(risk, EPSILON))
    steps = np.concatenate([[1.0], curve])

    def value(t, before: bool = False):
        return steps[np.searchsorted(at, t, side="left" if before else "right")]

    return value


def censoring(time: np.ndarray, event: np.ndarray):
    """Return the Kaplan-Meier curve of censoring; at a tie events come first."""
    # Who has an event at t is no longer at risk of being censored at t.
    return kaplan_meier(np.where(event, np.nextafter(time, -np.inf), time), ~event)


@dataclass(frozen=True, eq=False)
class Censored:
    """Follow-up of n people after the visit, with its censoring curve.

    Attributes
    ----------
    time : numpy.ndarray, shape (n,)
        Months.
    event : numpy.ndarray of bool, shape (n,)
    """

    time: np.ndarray
    event: np.ndarray

    def weights(self, horizon: float) -> tuple[np.ndarray, np.ndarray]:
        """Return IPCW weights (n,) of those with an event by the horizon, and of those beyond."""
        free = censoring(self.time, self.event)
        had = self.event & (self.time <= horizon)
        cases = np.where(had, 1 / np.maximum(free(self.time, before=True), EPSILON), 0.0)
        beyond = np.where(self.time > horizon, 1 / np.maximum(free(horizon), EPSILON), 0.0)
        return cases, beyond


def bootstrap(n: int, replicates: int, rng: np.random.Generator) -> np.ndarray:
    """Return multiplicities, shape (replicates + 1, n); the first row is the sample itself."""
    drawn = rng.multinomial(n, np.full(n, 1 / n), size=replicates)
    return np.vstack([np.ones((1, n)), drawn]).astype(np.float32)


def _pairs(first: np.ndarray, comparable: np.ndarray, risk: np.ndarray, m: np.ndarray):
    """Return sum of concordant over sum of comparable pairs, of each row of ``m``.

    Parameters
    ----------
    first : numpy.ndarray, shape (n,)
        Weight of the one who should have the higher risk.
    comparable : numpy.ndarray of bool, shape (n, n)
    """
    better = (risk[:, None] > risk[None]) + np.float32(0.5) * (risk[:, None] == risk[None])
    weighted = m * first.astype(np.float32)
    right = np.einsum("bi,bi->b", weighted @ (comparable * better).astype(np.float32), m)
    whole = np.einsum("bi,bi->b", weighted @ comparable.astype(np.float32), m)
    return right.astype(float) / np.maximum(whole.astype(float), EPSILON)


def harrell(data: Censored, risk: np.ndarray, m: np.ndarray) -> np.ndarray:
    """Return Harrell's C (replicates,): pairs whose order of events is known."""
    later = (data.time[:, None] < data.time[None]) | (
        (data.time[:, None] == data.time[None]) & ~data.event[None]
    )
    return _pairs(data.event.astype(float), later, risk, m)


def uno(data: Censored, risk: np.ndarray, m: np.ndarray, limit: float) -> np.ndarray:
    """Return Uno's C (replicates,) until a time, Stat Med 2011, 30:1105, doi:10.1002/sim.4154."""
    free = censoring(data.time, data.event)(data.time, before=True)
    first = np.where(data.event & (data.time < limit), np.maximum(free, EPSILON) ** -2.0, 0.0)
    later = (data.time[:, None] < data.time[None]) | (
        (data.time[:, None] == data.time[None]) & ~data.event[None]
    )
    return _pairs(first, later, risk, m)


def auc(data: Censored, risk: np.ndarray, m: np.ndarray, horizon: float) -> np.ndarray:
    """Return the cumulative/dynamic AUC (replicates,): events by the horizon against later ones."""
    cases, beyond = data.weights(horizon)
    pairs = np.broadcast_to((beyond > 0)[None], (len(risk), len(risk)))
    return _pairs(cases, pairs, risk, m)


def brier(data: Censored, risk: np.ndarray, horizon: float) -> np.ndarray:
    """Return each person's weighted squared error (n,), Graf 1999, Stat Med 18:2529."""
    cases, beyond = data.weights(horizon)
    return cases * (1 - risk) ** 2 + beyond * risk**2


def integrated_brier(data: Censored, curves: np.ndarray, times: np.ndarray) -> np.ndarray:
    """Return each person's Brier error averaged over time (n,).

    Parameters
    ----------
    curves : numpy.ndarray, shape (n, k)
        Risks by ``times``.
    """
    errors = np.stack([brier(data, curves[:, k], t) for k, t in enumerate(times)], axis=1)
    return np.trapezoid(errors, times, axis=1) / (times[-1] - times[0])


def mean(values: np.ndarray, m: np.ndarray) -> np.ndarray:
    """Return weighted means (replicates,)."""
    return (m @ values) / m.sum(axis=1)


def observed(data: Censored, horizon: float, rows: np.ndarray, m: np.ndarray) -> float:
    """Return the Kaplan-Meier risk by the horizon of some people, with multiplicities (n,)."""
    curve = kaplan_meier(data.time[rows], data.event[rows], m[rows].astype(float))
    return 1.0 - float(curve(horizon))


def calibration(data: Censored, risk: np.ndarray, horizon: float, m: np.ndarray, bins: int = 10):
    """Return predicted and observed risks of bins of equal size, and the sizes.

    Returns
    -------
    numpy.ndarray, shape (bins, 3); fewer where nobody of a bin was drawn
        Mean prediction, Kaplan-Meier risk, share of the people.
    """
    place = np.argsort(np.argsort(risk, kind="stable")) * bins // len(risk)
    rows = []
    for k in range(bins):
        inside = (place == k) & (m > 0)
        if not inside.any():  # nobody of it was drawn
            continue
        share = float(m[inside].sum() / m.sum())
        predicted = float(np.average(risk[inside], weights=m[inside]))
        rows.append((predicted, observed(data, horizon, inside, m), share))
    return np.array(rows)


def expected_error(table: np.ndarray) -> float:
    """Return the expected calibration error of ``calibration``."""
    return float(np.abs(table[:, 0] - table[:, 1]) @ table[:, 2])


def slope_and_intercept(data: Censored, risk: np.ndarray, horizon: float, m: np.ndarray):
    """Return slope and intercept of a logistic regression on the predicted log odds (IPCW)."""
    cases, beyond = data.weights(horizon)
    weight = (cases + beyond) * m
    used = weight > 0
    clipped = np.clip(risk[used], 1e-6, 1 - 1e-6)
    design = np.stack([np.ones(used.sum()), np.log(clipped / (1 - clipped))], axis=1)
    y, w = (cases[used] > 0).astype(float), weight[used]
    theta = np.array([0.0, 1.0])
    for _ in range(25):
        p = 1 / (1 + np.exp(-design @ theta))
        step = np.linalg.solve((design.T * (w * p * (1 - p))) @ design, design.T @ (w * (y - p)))
        theta = theta + step
        if np.abs(step).max() < 1e-8:
            break
    return float(theta[1]), float(theta[0])


def net_benefit(data: Censored, risk: np.ndarray, horizon: float, threshold: float, m: np.ndarray):
    """Return the net benefit (replicates,) of acting above a threshold (Vickers 2006).

    Vickers and Elkin, Med Decis Making 26:565, doi:10.1177/0272989X06295361; events and others are
    counted with IPCW weights.
    """
    cases, beyond = data.weights(horizon)
    acted = risk >= threshold
    return mean(acted * (cases - beyond * threshold / (1 - threshold)), m)


def aalen_johansen(time: np.ndarray, cause: np.ndarray, wanted: tuple[int, ...], horizon: float):
    """Return the cumulative incidence of some causes by the horizon; cause -1 is censored."""
    order = np.argsort(time, kind="stable")
    t, c = time[order], cause[order]
    free, found = 1.0, 0.0
    for at in np.unique(t[(c >= 0) & (t <= horizon)]):
        risk = (t >= at).sum()
        now = t == at
        found += free * np.isin(c[now], wanted).sum() / risk
        free *= 1 - (c[now] >= 0).sum() / risk
    return found
