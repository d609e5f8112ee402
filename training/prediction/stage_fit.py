"""Fits proportional-odds models with a ridge, and refits them on people drawn again."""

from __future__ import annotations

import numpy as np
from scipy.optimize import minimize
from scipy.special import expit

from BrainstemALSLib.prediction.stage_model import (
    LEVELS,
    STAGES,
    OrdinalModel,
    joined,
    stage_probabilities,
)

PENALTIES = (0.3, 1.0, 3.0, 10.0, 30.0, 100.0, 300.0, 1000.0, 3000.0)
"""Tried ridges, on standardised predictors; own choice. The largest leave nothing of predictors
that say nothing."""
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


def folds(held: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Return the fold (n,) of each visit; what shares a name in ``held`` (n,) stays together."""
    names, index = np.unique(held, return_inverse=True)
    return rng.permutation(np.arange(len(names)) % FOLDS)[index]


def chosen_penalty(x: np.ndarray, stage: np.ndarray, fold: np.ndarray) -> tuple[float, np.ndarray]:
    """Return the ridge with the best score on folds (n,) held out, and its forecasts (n, 4)."""
    found = np.zeros((len(PENALTIES), len(stage), len(STAGES)))
    for k in np.unique(fold):
        rest, start = fold != k, None
        for place, penalty in enumerate(PENALTIES):
            theta, beta, start = fit(x[rest], stage[rest], penalty, start)
            found[place, ~rest] = stage_probabilities(x[~rest] @ beta, theta)
    best = int(np.argmin([ranked_probability_score(one, stage).mean() for one in found]))
    return PENALTIES[best], found[best]


def reach_of(forecasts: np.ndarray, stage: np.ndarray) -> dict[float, float]:
    """Return ``OrdinalModel.reach`` by forecasts (n, 4) of people held out, and their stages (n,).

    Split conformal with the run's sum as the score (Romano 2020, arXiv:2006.02544, without the
    random part), cross-fitted: a new visit's run holds its stage with the level. Only where the
    most probable stage alone holds more, runs hold more than the level.
    """
    scores = np.sort(joined(forecasts)[np.arange(len(stage)), stage])
    at = [min(int(np.ceil((len(scores) + 1) * level)), len(scores)) - 1 for level in LEVELS]
    return {level: float(scores[k]) for level, k in zip(LEVELS, at, strict=True)}


def fit_model(
    predictors: tuple[str, ...],
    values: np.ndarray,
    stage: np.ndarray,
    person: np.ndarray,
    seed: int,
    held: np.ndarray | None = None,
    replicates: int = REPLICATES,
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
    held : numpy.ndarray, shape (n,), optional
        What is held out together: sites; people by default.
    replicates : int
    """
    rng = np.random.default_rng(seed)
    mean, scale = values.mean(axis=0), values.std(axis=0)
    scale = np.where(scale > 0, scale, 1.0)
    x = (values - mean) / scale
    fold = folds(person if held is None else held, rng)
    penalty, forecasts = chosen_penalty(x, stage, fold)
    theta, beta, start = fit(x, stage, penalty)
    names, index = np.unique(person, return_inverse=True)
    rows_of = [np.flatnonzero(index == k) for k in range(len(names))]
    refits = []
    for _ in range(replicates):
        rows = np.concatenate([rows_of[k] for k in rng.integers(len(names), size=len(names))])
        again = fit(x[rows], stage[rows], penalty, start)
        refits.append(np.concatenate(again[:2]))
    precision = np.linalg.pinv(np.atleast_2d(np.cov(x, rowvar=False)))
    distance = np.sqrt(np.einsum("ni,ij,nj->n", x, precision, x))
    return OrdinalModel(
        predictors, mean, scale, theta, beta,
        np.array(refits) if refits else np.concatenate([theta, beta])[None],
        float(np.quantile(distance, FAR)), precision, reach_of(forecasts, stage),
    )  # fmt: skip
