"""Draws of one patient's course: what visits leave open, the population, the day to come."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..prognosis.alsfrs import HIGHEST_TOTAL
from . import progression_curve as curve
from .parts import QUANTILES
from .progression_parameters import RATE, Parameters, Rows

SEARCHED = np.linspace(0.4, 2.2, 25)
"""Where half of the points may be lost, in units of a typical patient's D50."""
HEAVIEST = 10.0
"""Most that one draw may weigh, times the mean: our choice, so that none decides alone."""


@dataclass(frozen=True, eq=False)
class Drawn:
    """Draws with their weights.

    Attributes
    ----------
    alsfrs, fvc : numpy.ndarray, shape (s, 1 + h)
        As another form or spirometer of that day would show: at the last visit and each horizon.
    d50, weight : numpy.ndarray, shape (s,)
    """

    alsfrs: np.ndarray
    fvc: np.ndarray
    d50: np.ndarray
    weight: np.ndarray

    def quantiles(self, values: np.ndarray) -> np.ndarray:
        """Return weighted ``QUANTILES`` of each column of draws (s, c), shape (c, 5)."""
        order = np.argsort(values, axis=0)
        ranked = np.take_along_axis(values, order, 0)
        share = (np.cumsum(self.weight[order], axis=0) - 0.5 * self.weight[order]).T
        share = share / self.weight.sum()
        return np.array([np.interp(QUANTILES, *pair) for pair in zip(share, ranked.T, strict=True)])


def widened(quantiles: np.ndarray, factors: np.ndarray, highest: float) -> np.ndarray:
    """Widen intervals around their median.

    Parameters
    ----------
    quantiles : numpy.ndarray, shape (h, 5)
        As ``QUANTILES``.
    factors : numpy.ndarray, shape (2, h)
        Of the 80 % and the 95 % interval.
    highest : float
        What nothing exceeds; nothing is below 0.

    Returns
    -------
    numpy.ndarray, shape (h, 5)
        The 95 % interval never inside the 80 % one.
    """
    middle, (inner, outer) = quantiles[:, 2:3], factors
    by = np.stack([outer, inner, np.ones_like(inner), inner, outer], axis=1)
    out = middle + (quantiles - middle) * by
    out[:, 0], out[:, 4] = np.minimum(out[:, 0], out[:, 1]), np.maximum(out[:, 4], out[:, 3])
    return np.clip(out, 0.0, highest)


def draw(
    sets: Parameters,
    normal: np.ndarray,
    noise: np.ndarray,
    mode: np.ndarray,
    rows: Rows,
    weights: np.ndarray,
    horizons: tuple[float, ...],
) -> Drawn:
    """Draw courses of one patient.

    Parameters
    ----------
    sets : Parameters
        p sets.
    normal : numpy.ndarray, shape (p, s, d)
        Standard normal numbers: s draws of the effects for each set.
    noise : numpy.ndarray, shape (2, 1 + h, p * s)
        The same, of the rating and the spirometry of the day to come.
    mode : numpy.ndarray, shape (n, d)
        Of the posterior of each row, with the best parameters: where to begin.
    rows : Rows
        The patient, as one row for each time since onset that may be.
    weights : numpy.ndarray, shape (n,)
        Of the rows.
    horizons : tuple of float
        Months after the last visit.
    """
    n, (p, s, d) = len(weights), normal.shape
    which, chosen = np.repeat(np.arange(n), p), np.tile(np.arange(p), n)
    parameters, seen = sets.take(chosen), rows.take(which)
    found = curve.posterior(parameters, seen, mode[which], 4)
    steps = normal[chosen]
    r = found.mode[:, None] + steps @ np.swapaxes(found.root, 1, 2)
    weight = _importance(curve.log_target(parameters, seen, r) + 0.5 * (steps**2).sum(axis=-1))
    weight = (weight * weights[which, None]).ravel()
    many, flat = np.repeat(np.arange(n * p), s), r.reshape(-1, d)
    own = parameters.of_curves(many)
    at = seen.months[many, -1:] + np.array([0.0, *horizons])
    day, breath = (np.tile(part, n).T for part in noise)
    rated = _rated(own, seen.take(many), flat, at, day)
    blown = curve.fvc(own, at, flat) + breath * np.exp(own.scalars["log_fvc_sd"])
    return Drawn(
        np.clip(rated, 0, HIGHEST_TOTAL),
        np.maximum(blown, 0.0),
        _half(own, flat),
        weight,
    )


def _rated(
    own: Parameters, seen: Rows, r: np.ndarray, at: np.ndarray, normals: np.ndarray
) -> np.ndarray:
    """Draw what forms show at times to come (n, t).

    What lasts is drawn given how far the visits were off; a form then varies by its day.
    """
    past = seen.months.shape[1]
    expected, variance = curve.expectation(own, seen, r)
    weight = curve.weights(own, seen, r, expected, variance)
    left = np.where(np.isfinite(seen.values), seen.values, 0.0) - expected
    course = curve.alsfrs(own, at, r)
    months = np.concatenate([seen.months, at], axis=1)
    whole = curve.lasting(own, months, r, np.concatenate([expected[..., 0], course], axis=1))
    shared = whole[:, past:, :past]
    mean = course + (shared @ weight.of(left)[..., :1])[..., 0]
    covariance = whole[:, past:, past:] - shared @ weight.joint @ np.swapaxes(shared, 1, 2)
    day = curve.alsfrs_variance(own, course)
    root = np.linalg.cholesky(covariance + day[..., None] * np.eye(at.shape[1]))
    return mean + (root @ normals[..., None])[..., 0]


def _half(own: Parameters, r: np.ndarray) -> np.ndarray:
    """Months from onset to half of the points: -ln D50 is that of a patient without walk."""
    months = np.exp(-r[:, RATE, None]) * SEARCHED
    lost = HIGHEST_TOTAL - curve.alsfrs(own, months, r)
    after = np.clip((lost < HIGHEST_TOTAL / 2).sum(axis=1), 1, len(SEARCHED) - 1)
    rows = np.arange(len(r))
    x0, x1 = months[rows, after - 1], months[rows, after]
    y0, y1 = lost[rows, after - 1], lost[rows, after]
    share = np.clip((HIGHEST_TOTAL / 2 - y0) / np.maximum(y1 - y0, 1e-6), 0, 1)
    return x0 + share * (x1 - x0)


def _importance(log: np.ndarray) -> np.ndarray:
    """Weights that turn draws of the normal posterior into ones of the exact one, 1 a row."""
    weight = np.exp(log - log.max(axis=1, keepdims=True))
    weight = np.minimum(weight, HEAVIEST * weight.mean(axis=1, keepdims=True))
    return weight / weight.sum(axis=1, keepdims=True)
