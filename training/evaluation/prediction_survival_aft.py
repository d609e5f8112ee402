"""Accelerated failure time models with delayed entry: comparators of the survival model.

Weibull and log-logistic, by maximum likelihood. They are those of lifelines (``WeibullAFTFitter``
and ``LogLogisticAFTFitter`` with ``entry_col``), which needs an older pandas than the rest of the
tools; a test compares with it where it is installed.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.optimize import minimize
from scipy.special import expit

from ..prediction.survival_fit import Times

WEIBULL, LOGLOGISTIC = "Weibull", "log-logistic"


@dataclass(frozen=True, eq=False)
class Aft:
    """A fitted model: ln T is ``level + x @ slopes`` plus an error of scale 1 / ``shape``.

    Attributes
    ----------
    kind : str
        ``WEIBULL`` or ``LOGLOGISTIC``.
    level, shape : float
    slopes : numpy.ndarray, shape (p,)
    """

    kind: str
    level: float
    shape: float
    slopes: np.ndarray

    def risks(self, x: np.ndarray, entry: np.ndarray, after: np.ndarray) -> np.ndarray:
        """Return risks (n, k) within some months after entry."""
        place = (self.level + x @ self.slopes)[:, None]
        late = _hazard(self.kind, self.shape * (np.log(entry[:, None] + after) - place))[0]
        early = _hazard(self.kind, self.shape * (np.log(entry[:, None]) - place))[0]
        return -np.expm1(early - late)


def fit_aft(kind: str, x: np.ndarray, times: Times) -> Aft:
    """Fit to people with one visit each.

    Parameters
    ----------
    kind : str
    x : numpy.ndarray, shape (n, p)
        Standardised.
    times : Times
    """
    design = np.column_stack([np.ones(len(x)), x])
    late, early, d = np.log(times.exit), np.log(times.entry), times.event.astype(float)

    def objective(theta):
        shape, place = np.exp(theta[0]), design @ theta[1:]
        eta, before = shape * (late - place), shape * (early - place)
        hazard, slope = _hazard(kind, eta)
        hazard_before, slope_before = _hazard(kind, before)
        # Of ln h: eta + ln shape - ln t, less the hazard where it is log-logistic.
        bent = 0.0 if kind == WEIBULL else 1.0
        value = d @ (eta + theta[0] - bent * hazard) - hazard.sum() + hazard_before.sum()
        by_eta = d * (1 - bent * slope) - slope
        gradient = np.concatenate(
            [
                [by_eta @ eta + slope_before @ before + d.sum()],
                -shape * design.T @ (by_eta + slope_before),
            ]
        )
        return -value / len(x), -gradient / len(x)

    start = np.zeros(1 + design.shape[1])
    start[1] = np.log(np.median(times.exit))
    found = minimize(objective, start, jac=True, method="BFGS", options={"maxiter": 500}).x
    return Aft(kind, float(found[1]), float(np.exp(found[0])), found[2:])


def _hazard(kind: str, eta: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the cumulative hazard at log odds or log hazards, and its slope."""
    if kind == WEIBULL:
        hazard = np.exp(np.minimum(eta, 50.0))
        return hazard, hazard
    return np.logaddexp(0.0, eta), expit(eta)
