"""Fits the classifier: penalised likelihood, penalty and calibration by sites held out."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.special import expit

from BrainstemALSLib.prediction.classification_model import (
    Classifier,
    Domain,
    curve_values,
    segments,
)

from .classification_data import folds

FORMS = ("logistic", "additive")
RIDGES = (1.0, 10.0, 100.0)
"""Penalties of squared slopes that are tried, log-odds per SD (own choice)."""
BENDS = (10.0, 100.0, 1000.0)
"""Penalties of squared changes of slope between segments that are tried (own choice)."""
INNER = 4
"""Folds of sites that choose the penalty and learn the calibration."""
QUANTILES = (0.2, 0.5, 0.8)
"""Of the training, where curves of the additive form may bend (own choice: few)."""
UNUSUAL, OUTSIDE = 0.99, 0.999
"""Shares of the training within the distances of ``Domain`` (own choice)."""
_STEPS, _REST = 100, 1e-9


@dataclass(frozen=True, eq=False)
class Curves:
    """Fitted curves before calibration; see ``Classifier``."""

    knots: tuple[np.ndarray, ...]
    reference: np.ndarray
    intercept: float
    slopes: np.ndarray
    covariance: np.ndarray

    def log_odds(self, z: np.ndarray) -> np.ndarray:
        """Return uncalibrated log-odds (n,) of features (n, p)."""
        return self.intercept + segments(self.knots, self.reference).lengths(z) @ self.slopes


@dataclass(frozen=True, eq=False)
class Fitted:
    """Curves with what the inner folds chose.

    Attributes
    ----------
    curves : Curves
    penalty : tuple of float
        Ridge and bend.
    offset, slope : float
        Calibration.
    inner : numpy.ndarray, shape (n,)
        Calibrated log-odds of the people by curves that had not seen their site; the two numbers
        of the calibration are learnt from these themselves.
    """

    curves: Curves
    penalty: tuple[float, float]
    offset: float
    slope: float
    inner: np.ndarray

    def log_odds(self, z: np.ndarray) -> np.ndarray:
        """Return calibrated log-odds (n,)."""
        return self.offset + self.slope * self.curves.log_odds(z)


def knots_of(z: np.ndarray, form: str) -> tuple[np.ndarray, ...]:
    """Return the knots of each feature of z (n, p): its range, and where curves may bend."""
    inner = QUANTILES if form == "additive" else ()
    return tuple(
        np.array([column.min(), *np.quantile(column, inner), column.max()]) for column in z.T
    )


def fit_curves(
    z: np.ndarray,
    y: np.ndarray,
    knots: tuple[np.ndarray, ...],
    reference: np.ndarray,
    penalty: tuple[float, float],
) -> Curves:
    """Maximise the penalised likelihood by Newton's method.

    A curve pays ``ridge / 2`` times the mean of its squared slopes and ``bend / 2`` times the sum
    of its squared changes of slope; the intercept pays nothing.

    Parameters
    ----------
    z : numpy.ndarray, shape (n, p)
    y : numpy.ndarray of bool, shape (n,)
    knots, reference : see ``Classifier``
    penalty : (float, float)
        Ridge and bend.
    """
    parts = segments(knots, reference)
    X = np.hstack([np.ones((len(z), 1)), parts.lengths(z)])
    P = _penalty(parts.feature, penalty)
    beta, objective = np.zeros(X.shape[1]), np.inf
    for _ in range(_STEPS):
        p = expit(X @ beta)
        gradient = X.T @ (y - p) - P @ beta
        H = (X * (p * (1.0 - p))[:, None]).T @ X + P
        step = np.linalg.solve(H, gradient)
        size = 1.0
        while True:
            trial = beta + size * step
            eta = X @ trial
            value = float(np.logaddexp(0.0, eta).sum() - eta[y].sum() + 0.5 * trial @ P @ trial)
            if value <= objective + 1e-12 or size < 1e-6:
                break
            size /= 2.0
        beta, previous, objective = trial, objective, value
        if previous - value < _REST * (1.0 + abs(value)):
            break
    return Curves(knots, reference, float(beta[0]), beta[1:], np.linalg.inv(H))


def fit_calibration(eta: np.ndarray, y: np.ndarray) -> tuple[float, float]:
    """Return Platt's offset and slope for log-odds (n,) of people y (n,) of bool.

    A prior of one standard deviation of 10 keeps them finite where nothing tells groups apart.
    """
    line = (np.array([min(eta.min(), 0.0) - 1.0, max(eta.max(), 0.0) + 1.0]),)
    fitted = fit_curves(eta[:, None], y, line, np.zeros(1), (0.01, 0.0))
    at_zero = fitted.log_odds(np.zeros((1, 1)))[0]
    return float(at_zero), float(fitted.slopes[0])


def log_loss(eta: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Return each person's loss (n,)."""
    return np.logaddexp(0.0, eta) - eta * y


def fit(z: np.ndarray, y: np.ndarray, healthy: np.ndarray, site: np.ndarray, form: str) -> Fitted:
    """Choose the penalty and learn the calibration by sites held out, then fit on everybody.

    Parameters
    ----------
    z : numpy.ndarray, shape (n, p)
        Of ``left_out_features``, nothing missing.
    y, healthy : numpy.ndarray of bool, shape (n,)
        Patients; the people whose mean is the reference.
    site : numpy.ndarray of str, shape (n,)
    form : str
        Of ``FORMS``.
    """
    bends = BENDS if form == "additive" else (0.0,)
    parts = folds(site, INNER, seed=0)
    best: tuple[float, tuple[float, float], np.ndarray] | None = None
    for penalty in ((ridge, bend) for ridge in RIDGES for bend in bends):
        eta = np.full(len(y), np.nan)
        for held in parts:
            knots, reference = knots_of(z[~held], form), _reference(z[~held], healthy[~held])
            eta[held] = fit_curves(z[~held], y[~held], knots, reference, penalty).log_odds(z[held])
        loss = float(log_loss(eta, y).mean())
        if best is None or loss < best[0]:
            best = loss, penalty, eta
    _, penalty, eta = best
    curves = fit_curves(z, y, knots_of(z, form), _reference(z, healthy), penalty)
    offset, slope = fit_calibration(eta, y)
    return Fitted(curves, penalty, offset, slope, offset + slope * eta)


def classifier(fitted: Fitted, names: tuple[str, ...], z: np.ndarray, y: np.ndarray) -> Classifier:
    """Return the model with its domain; z (n, p) and y (n,) are what it was fitted on."""
    curves = fitted.curves
    owner = segments(curves.knots, curves.reference).feature
    values = tuple(
        curve_values(knots, curves.slopes[owner == k], float(curves.reference[k]))
        for k, knots in enumerate(curves.knots)
    )
    return Classifier(
        names,
        curves.reference,
        curves.knots,
        values,
        curves.intercept,
        curves.covariance,
        fitted.offset,
        fitted.slope,
        float(y.mean()),
        domain(z, y),
    )


def domain(z: np.ndarray, y: np.ndarray) -> Domain:
    """Return where a model that was fitted on z (n, p) of patients and others may be asked."""
    centres = np.stack([z[~y].mean(axis=0), z[y].mean(axis=0)])
    within = np.where(y[:, None], z - centres[1], z - centres[0])
    precision = np.linalg.inv(within.T @ within / max(len(z) - 2, 1))
    found = Domain(centres, precision, np.inf, np.inf).distance(z)
    unusual, outside = np.quantile(found, (UNUSUAL, OUTSIDE))
    return Domain(centres, precision, float(unusual), float(outside))


def _reference(z: np.ndarray, healthy: np.ndarray) -> np.ndarray:
    return z[healthy].mean(axis=0) if healthy.any() else np.zeros(z.shape[1])


def _penalty(feature: np.ndarray, penalty: tuple[float, float]) -> np.ndarray:
    ridge, bend = penalty
    s = len(feature)
    P = np.zeros((s + 1, s + 1))
    counts = np.bincount(feature)
    P[np.arange(1, s + 1), np.arange(1, s + 1)] = ridge / counts[feature]
    for k in np.flatnonzero(np.diff(feature) == 0):
        P[k + 1 : k + 3, k + 1 : k + 3] += bend * np.array([[1.0, -1.0], [-1.0, 1.0]])
    return P
