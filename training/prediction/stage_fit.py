"""Fits proportional-odds models with a ridge, and refits them on people drawn again."""

from __future__ import annotations

import numpy as np
from scipy.optimize import minimize
from scipy.special import expit

from BrainstemALSLib.prediction.stage_model import STAGES, OrdinalModel, stage_probabilities

PENALTIES = (0.3, 1.0, 3.0, 10.0, 30.0, 100.0)
"""Tried ridges, on standardised predictors; own choice."""
FOLDS, REPLICATES = 5, 40
FAR = 0.999
_CUTS = len(STAGES) - 1


def negative_log_likelihood(
    parameters: np.ndarray, x: np.ndarray, stage: np.ndarray, penalty: float
) -> tuple[float, np.ndarray]:
    """Return the penalised negative log-likelihood and its gradient.

    Parameters
    ----------
    parameters : numpy.ndarray, shape (3 + p,)
        First threshold, logarithms of the steps to the next ones, coefficients.
    x : numpy.ndarray, shape (n, p)
    stage : numpy.ndarray of int, shape (n,)
        0-3, places in ``STAGES``.
    penalty : float
        Half of it times the squared coefficients is added.
    """
    theta = _thresholds(parameters[:_CUTS])
    beta = parameters[_CUTS:]
    score = x @ beta
    edges = np.concatenate([[-np.inf], theta, [np.inf]])
    upper, lower = edges[stage + 1] - score, edges[stage] - score
    p_upper, p_lower = expit(upper), expit(lower)
    probability = np.maximum(p_upper - p_lower, 1e-12)
    value = -np.log(probability).sum() + 0.5 * penalty * beta @ beta
    d_upper = p_upper * (1 - p_upper) / probability
    d_lower = p_lower * (1 - p_lower) / probability
    by_edge = np.zeros(_CUTS)
    for k in range(_CUTS):
        by_edge[k] = -(d_upper[stage == k].sum() - d_lower[stage == k + 1].sum())
    steps = np.concatenate([[1.0], np.exp(parameters[1:_CUTS])])
    by_parameter = np.cumsum(by_edge[::-1])[::-1] * steps
    gradient = np.concatenate([by_parameter, x.T @ (d_upper - d_lower) + penalty * beta])
    return float(value), gradient


def _thresholds(parameters: np.ndarray) -> np.ndarray:
    return np.cumsum(np.concatenate([parameters[:1], np.exp(parameters[1:])]))


def fit(
    x: np.ndarray, stage: np.ndarray, penalty: float, start: np.ndarray | None = None
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return thresholds (3,), coefficients (p,) and the parameters to start a refit from."""
    first = np.concatenate([[-1.0, 0.0, 0.0], np.zeros(x.shape[1])]) if start is None else start
    found = minimize(
        negative_log_likelihood, first, (x, stage, penalty), jac=True, method="L-BFGS-B"
    )
    return _thresholds(found.x[:_CUTS]), found.x[_CUTS:], found.x


def ranked_probability_score(probabilities: np.ndarray, stage: np.ndarray) -> np.ndarray:
    """Return the ranked probability score (n,) of forecasts (n, 4): 0 is perfect.

    Epstein 1969, J Appl Meteorol 8:985-987; divided by the number of steps between stages.
    """
    seen = np.eye(probabilities.shape[1])[stage]
    return ((np.cumsum(probabilities - seen, axis=1)[:, :-1]) ** 2).mean(axis=1)


def chosen_penalty(
    x: np.ndarray, stage: np.ndarray, person: np.ndarray, rng: np.random.Generator
) -> float:
    """Return the ridge with the best score on people held out; all visits of one stay together."""
    names = np.unique(person)
    fold = dict(zip(names, rng.permutation(np.arange(len(names)) % FOLDS), strict=True))
    part = np.array([fold[name] for name in person])
    scores = []
    for penalty in PENALTIES:
        errors = []
        for k in range(FOLDS):
            theta, beta, _ = fit(x[part != k], stage[part != k], penalty)
            forecast = stage_probabilities(x[part == k] @ beta, theta)
            errors.append(ranked_probability_score(forecast, stage[part == k]))
        scores.append(np.concatenate(errors).mean())
    return PENALTIES[int(np.argmin(scores))]


def fit_model(
    predictors: tuple[str, ...],
    values: np.ndarray,
    stage: np.ndarray,
    person: np.ndarray,
    seed: int,
) -> OrdinalModel:
    """Fit one model.

    Parameters
    ----------
    predictors : tuple of str
        Of the columns.
    values : numpy.ndarray, shape (n, p)
        Visits with all of them.
    stage : numpy.ndarray of int, shape (n,)
    person : numpy.ndarray, shape (n,)
        Whose visit it is.
    seed : int
    """
    rng = np.random.default_rng(seed)
    mean, scale = values.mean(axis=0), values.std(axis=0)
    scale = np.where(scale > 0, scale, 1.0)
    x = (values - mean) / scale
    penalty = chosen_penalty(x, stage, person, rng)
    theta, beta, start = fit(x, stage, penalty)
    names, index = np.unique(person, return_inverse=True)
    rows_of = [np.flatnonzero(index == k) for k in range(len(names))]
    replicates = []
    for _ in range(REPLICATES):
        rows = np.concatenate([rows_of[k] for k in rng.integers(len(names), size=len(names))])
        again = fit(x[rows], stage[rows], penalty, start)
        replicates.append(np.concatenate(again[:2]))
    precision = np.linalg.pinv(np.atleast_2d(np.cov(x, rowvar=False)))
    distance = np.sqrt(np.einsum("ni,ij,nj->n", x, precision, x))
    return OrdinalModel(
        predictors, mean, scale, theta, beta, np.array(replicates),
        float(np.quantile(distance, FAR)), precision,
    )  # fmt: skip
