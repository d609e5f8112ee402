"""Fits the survival model to visits with delayed entry: what the libraries at hand do not offer.

statsmodels has delayed entry for Cox models only, lifelines (which would need an older pandas) for
splines without predictors on the odds scale, scikit-survival not at all.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields

import numpy as np
from scipy.optimize import minimize
from scipy.special import expit, logsumexp

from BrainstemALSLib.errors import BrainstemALSError, ExitCode
from BrainstemALSLib.prediction.survival_model import basis, basis_slope, cause_design

INNER_KNOTS = (1 / 3, 2 / 3)
"""Quantiles of the log times of events; as many as in the ENCALS model, places as Royston and
Parmar 2002 advise."""
CLINICAL_PENALTY = 1.0
"""Ridge on standardised clinical predictors: a weak one, which only keeps rare flags finite."""
PENALTIES = (10.0, 30.0, 100.0, 300.0, 1000.0, 10000.0)
"""Ridge on what sets an imaging coefficient apart from ``DIRECTION``: one of these, by
cross-validation."""
DIRECTION = {
    "medulla_volume": -1.0,
    "pyramid_volume": -1.0,
    "dorsal_medulla_volume": -1.0,
    "cst_fa": -1.0,
    "cst_md": 1.0,
    "pyramid_fa": -1.0,
}
"""What ALS changes in the brainstem, and to which side: expected to matter alike, each a sixth of
one load (own choice, made before any fit); the other imaging predictors are expected not to."""
CAUSE_PENALTY = 1.0
FOLDS = 5
LEAST_EVENTS = 60
"""Events below which nothing is fitted: about five for each clinical predictor (own choice)."""
LATER_WEIGHT = 0.3
"""What a visit after the first counts in the fit; a first one counts 1. Chosen on development seeds
between 0.3 and 1: first visits are predicted no worse then, later ones hardly worse. One over the
number of visits is wrong: who dies early has fewer, so that it weighs by what is to be predicted.
"""
_FLAT = 1e-6


@dataclass(frozen=True, eq=False)
class Times:
    """Times of n visits, months since onset, shape (n,).

    Attributes
    ----------
    entry, exit : numpy.ndarray
        Visit, and event or end of follow-up.
    event : numpy.ndarray of bool
    cause : numpy.ndarray of int
        Place in ``survival_model.CAUSES``; -1 without an event.
    person : numpy.ndarray of int
        Whose visit it is.
    later : numpy.ndarray of bool
        Not the person's first one.
    """

    entry: np.ndarray
    exit: np.ndarray
    event: np.ndarray
    cause: np.ndarray
    person: np.ndarray
    later: np.ndarray

    @classmethod
    def once(cls, *known: np.ndarray) -> Times:
        """Return the times of people with one visit each: entry, exit, event and cause."""
        n = len(known[0])
        return cls(*known, np.arange(n), np.zeros(n, dtype=bool))

    @property
    def weight(self) -> np.ndarray:
        """How much each visit counts in the fit."""
        return np.where(self.later, LATER_WEIGHT, 1.0)

    @property
    def events(self) -> int:
        """Number of people with an event."""
        return len(np.unique(self.person[self.event]))

    def take(self, rows: np.ndarray) -> Times:
        """Return some of them."""
        return Times(*(getattr(self, field.name)[rows] for field in fields(self)))


@dataclass(frozen=True, eq=False)
class Curve:
    """A fitted Royston-Parmar model; see ``SurvivalModel``."""

    knots: np.ndarray
    gamma: np.ndarray
    beta: np.ndarray
    covariance: np.ndarray


def place_knots(times: Times) -> np.ndarray:
    """Return the knots of ln(months): least and greatest event, and quantiles between."""
    logs = np.log(times.exit[times.event & ~times.later])
    return np.quantile(logs, (0.0, *INNER_KNOTS, 1.0))


def log_likelihood(
    theta: np.ndarray, x: np.ndarray, times: Times, knots: np.ndarray
) -> tuple[float, np.ndarray, np.ndarray]:
    """Return the log likelihood given life until entry, its gradient and Hessian.

    Visits are weighted. Up to a constant: ln(1 / exit) of the events is left out. Minus infinity
    where the hazard of an event would be negative.

    Parameters
    ----------
    theta : numpy.ndarray, shape (q + p,)
        Spline coefficients, then log odds.
    x : numpy.ndarray, shape (n, p)
    times : Times
    knots : numpy.ndarray, shape (q,)
    """
    d, w = times.event.astype(float), times.weight
    q = len(knots)
    late, early = np.log(times.exit), np.log(times.entry)
    z_late = np.hstack([basis(late, knots), x])
    z_early = np.hstack([basis(early, knots), x])
    rise = basis_slope(late[times.event], knots)
    slope = rise @ theta[:q]
    if (slope <= _FLAT).any():
        return -np.inf, np.zeros_like(theta), np.eye(len(theta))
    eta, eta_early = z_late @ theta, z_early @ theta
    at_event = w[times.event]
    value = at_event @ np.log(slope) + (w * d) @ eta - (w * (1 + d)) @ np.logaddexp(0, eta)
    value += w @ np.logaddexp(0, eta_early)
    dead, dead_early = expit(eta), expit(eta_early)
    gradient = z_late.T @ (w * (d - (1 + d) * dead)) + z_early.T @ (w * dead_early)
    gradient[:q] += rise.T @ (at_event / slope)
    hessian = -(z_late.T * (w * (1 + d) * dead * (1 - dead))) @ z_late
    hessian += (z_early.T * (w * dead_early * (1 - dead_early))) @ z_early
    hessian[:q, :q] -= (rise.T * (at_event / slope**2)) @ rise
    return float(value), gradient, hessian


def person_scores(theta: np.ndarray, x: np.ndarray, times: Times, knots: np.ndarray) -> np.ndarray:
    """Return each person's part of the gradient, summed over visits, (people, q + p)."""
    d, w, q = times.event.astype(float), times.weight[:, None], len(knots)
    late, early = np.log(times.exit), np.log(times.entry)
    z_late = np.hstack([basis(late, knots), x])
    z_early = np.hstack([basis(early, knots), x])
    rows = z_late * (d - (1 + d) * expit(z_late @ theta))[:, None]
    rows += z_early * expit(z_early @ theta)[:, None]
    rise = basis_slope(late, knots)
    rows[:, :q] += np.where(times.event, 1 / (rise @ theta[:q]), 0.0)[:, None] * rise
    _, place = np.unique(times.person, return_inverse=True)
    out = np.zeros((place.max() + 1, len(theta)))
    np.add.at(out, place, w * rows)
    return out


def fit_curve(
    x: np.ndarray, times: Times, penalty: np.ndarray, knots: np.ndarray | None = None
) -> Curve:
    """Fit by penalised maximum likelihood.

    The covariance is the sandwich of the penalised information around what people's scores vary
    (their visits together) plus the penalty. Where scores vary as the information says, it is the
    inverse of the penalised information: that of a Bayesian with the penalty's prior (Gray 1992,
    JASA 87:942).

    Parameters
    ----------
    x : numpy.ndarray, shape (n, p)
        Standardised predictors.
    times : Times
    penalty : numpy.ndarray, shape (p, p)
        Prior precision of the coefficients.
    knots : numpy.ndarray, optional
        Instead of ``place_knots``.
    """
    knots = place_knots(times) if knots is None else knots
    q = len(knots)
    ridge = np.zeros((q + len(penalty),) * 2)
    ridge[q:, q:] = penalty
    # The spline's terms differ a thousandfold: the search runs in scaled coefficients.
    size = np.concatenate(
        [np.abs(basis(np.log(times.exit), knots)).mean(axis=0), np.ones(len(penalty))]
    )

    def objective(scaled):
        theta = scaled / size
        value, gradient, hessian = log_likelihood(theta, x, times, knots)
        if not np.isfinite(value):
            return 1e12, np.zeros_like(theta), np.eye(len(theta))
        value -= theta @ ridge @ theta / 2
        gradient = gradient - ridge @ theta
        hessian = hessian - ridge
        return -value, -gradient / size, -hessian / np.outer(size, size)

    start = np.zeros(q + x.shape[1])
    start[1] = 2.5
    start[0] = -2.5 * np.log(np.median(times.exit))
    kept: dict[str, tuple] = {}

    def cached(scaled):
        key = scaled.tobytes()
        if key not in kept:
            kept.clear()
            kept[key] = objective(scaled)
        return kept[key]

    found = minimize(
        lambda s: cached(s)[0], start * size, jac=lambda s: cached(s)[1],
        hess=lambda s: cached(s)[2], method="trust-exact",
        options={"gtol": 1e-4 * len(x) ** 0.5, "maxiter": 500},
    )  # fmt: skip
    theta = found.x / size
    _, _, hessian = log_likelihood(theta, x, times, knots)
    inner = np.linalg.inv(-hessian + ridge)
    scores = person_scores(theta, x, times, knots)
    covariance = inner @ (scores.T @ scores + ridge) @ inner
    if not found.success or (np.diag(covariance) <= 0).any():
        raise BrainstemALSError(
            "survival model", "the fit did not converge",
            "Give more patients, or look for predictors that hardly vary.", ExitCode.USAGE,
        )  # fmt: skip
    return Curve(knots, theta[:q], theta[q:], covariance)


def penalties(names: Sequence[str], clinical: int, strength: float) -> np.ndarray:
    """Return the prior precision (p, p) of clinical, then imaging predictors.

    An imaging coefficient is its part of one load, whose prior is as wide as that of a clinical
    predictor, and a deviation from that, with the precision ``strength``.
    """
    precision = CLINICAL_PENALTY * np.eye(len(names))
    imaging = names[clinical:]
    if imaging:
        load = np.array([DIRECTION.get(name, 0.0) for name in imaging]) / len(DIRECTION)
        prior = np.outer(load, load) / CLINICAL_PENALTY + np.eye(len(imaging)) / strength
        precision[clinical:, clinical:] = np.linalg.inv(prior)
    return precision


def choose_penalty(
    x: np.ndarray, times: Times, names: Sequence[str], clinical: int, rng: np.random.Generator
) -> tuple[float, dict[float, float]]:
    """Choose the ridge on imaging predictors by the cross-validated log likelihood.

    Returns
    -------
    float
    dict of float to float
        Log likelihood of people left out, by strength.
    """
    people, place = np.unique(times.person, return_inverse=True)
    folds = (rng.permutation(len(people)) % FOLDS)[place]
    knots = place_knots(times)
    scores = {}
    for strength in PENALTIES:
        ridge = penalties(names, clinical, strength)
        total = 0.0
        for fold in range(FOLDS):
            inside, outside = np.flatnonzero(folds != fold), np.flatnonzero(folds == fold)
            curve = fit_curve(x[inside], times.take(inside), ridge, knots)
            theta = np.concatenate([curve.gamma, curve.beta])
            total += log_likelihood(theta, x[outside], times.take(outside), knots)[0]
        scores[strength] = total
    return max(scores, key=scores.get), scores


def fit_causes(x: np.ndarray, times: Times, knots: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Fit which cause an event has, given its time: a multinomial logistic model with a ridge.

    All visits of a person together count once.

    Parameters
    ----------
    x : numpy.ndarray, shape (n, m)
        Standardised predictors of the cause.
    times : Times
    knots : numpy.ndarray

    Returns
    -------
    coefficients : numpy.ndarray, shape (2, 2 + m)
        Against the first cause.
    covariance : numpy.ndarray, shape (2 * (2 + m), 2 * (2 + m))
    """
    rows = np.flatnonzero(times.event)
    _, place, visits = np.unique(times.person[rows], return_inverse=True, return_counts=True)
    share = 1 / visits[place]
    design = cause_design(np.log(times.exit[rows])[:, None], knots, x[rows])[:, 0]
    wide = design.shape[1]
    seen = np.stack([times.cause[rows] == 1, times.cause[rows] == 2], axis=1).astype(float)
    ridge = np.tile(np.r_[0.01, np.full(wide - 1, CAUSE_PENALTY)], 2)

    def logs(flat):
        odds = np.column_stack([np.zeros(len(design)), design @ flat.reshape(2, wide).T])
        return odds - logsumexp(odds, axis=1, keepdims=True)

    def objective(flat):
        found = logs(flat)
        value = -share @ ((seen * found[:, 1:]).sum(axis=1) + (1 - seen.sum(axis=1)) * found[:, 0])
        left = share[:, None] * (seen - np.exp(found[:, 1:]))
        gradient = -(left.T @ design).ravel() + ridge * flat
        return value + ridge @ flat**2 / 2, gradient

    found = minimize(
        objective, np.zeros(2 * wide), jac=True, method="L-BFGS-B", options={"maxiter": 1000}
    )
    p = np.exp(logs(found.x))[:, 1:]
    information = np.diag(ridge)
    for a in range(2):
        for b in range(2):
            weight = share * p[:, a] * ((a == b) - p[:, b])
            block = (design.T * weight) @ design
            information[a * wide : (a + 1) * wide, b * wide : (b + 1) * wide] += block
    return found.x.reshape(2, wide), np.linalg.inv(information)


def gaussian(x: np.ndarray, rounds: int = 60) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return mean and covariance of rows with gaps, by EM, and the rows with expected values.

    Parameters
    ----------
    x : numpy.ndarray, shape (n, p)
        NaN where missing.
    """
    mean = np.nanmean(x, axis=0)
    covariance = np.diag(np.nanvar(x, axis=0) + 1e-6)
    gaps = np.isnan(x)
    patterns = {tuple(row): None for row in gaps}
    filled = np.where(gaps, mean, x)
    for _ in range(rounds):
        extra = np.zeros_like(covariance)
        for pattern in patterns:
            missing = np.array(pattern)
            if not missing.any():
                continue
            rows = (gaps == missing).all(axis=1)
            known = ~missing
            link = np.linalg.solve(
                covariance[np.ix_(known, known)], covariance[np.ix_(known, missing)]
            )
            expected = mean[missing] + (x[np.ix_(rows, known)] - mean[known]) @ link
            filled[np.ix_(rows, missing)] = expected
            left = covariance[np.ix_(missing, missing)] - covariance[np.ix_(missing, known)] @ link
            extra[np.ix_(missing, missing)] += rows.sum() * left
        before = mean, covariance
        mean = filled.mean(axis=0)
        centred = filled - mean
        covariance = (centred.T @ centred + extra) / len(x) + 1e-6 * np.eye(len(mean))
        # Both: from the start, with nothing correlated, the mean does not move yet.
        moved = np.abs(mean - before[0]).max(), np.abs(covariance - before[1]).max()
        if max(moved) < 1e-5:
            break
    return mean, covariance, filled
