"""The event-based model: in which order markers turn abnormal, from one look at each person.

Fonteijn et al. 2012 (doi:10.1016/j.neuroimage.2012.01.062) with the Gaussian mixtures of Young et
al. 2014 (doi:10.1093/brain/awu176): each marker is normal or abnormal, a person at stage k has the
first k events of the order behind them, all stages are as likely as one another. Pure numbers here;
``spread`` brings the cohort.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from scipy.special import logsumexp
from scipy.stats import norm

STARTS = 10
"""Random orders that the search begins with, beside the guess; own choice."""
LEAST_SHARE, LEAST_SPREAD = 0.02, 0.3
"""Smallest share and smallest standard deviation (in controls' ones) of the abnormal component: own
choices, that keep a mixture from closing in on a single person."""
ITERATIONS = 200


@dataclass(frozen=True, eq=False)
class Mixtures:
    """Two Gaussians for each of e events; higher is worse.

    Attributes
    ----------
    normal, abnormal : numpy.ndarray, shape (e, 2)
        Mean and standard deviation.
    share : numpy.ndarray, shape (e,)
        Of abnormal values among the patients.
    """

    normal: np.ndarray
    abnormal: np.ndarray
    share: np.ndarray

    def log_ratios(self, values: np.ndarray) -> np.ndarray:
        """Return log p(value | abnormal) - log p(value | normal), (n, e); 0 where it is missing.

        The ratio never falls below that at the normal mean: far on the healthy side, a wide
        abnormal component would win otherwise.
        """
        seen = np.maximum(values, self.normal[:, 0])
        ratio = norm.logpdf(seen, *self.abnormal.T) - norm.logpdf(seen, *self.normal.T)
        return np.where(np.isfinite(values), ratio, 0.0)


def fit_mixtures(patients: np.ndarray, controls: np.ndarray) -> Mixtures:
    """Fit the mixtures: controls say what is normal, the rest of the patients what is not.

    Parameters
    ----------
    patients : numpy.ndarray, shape (n, e)
        Higher is worse; NaN where missing.
    controls : numpy.ndarray, shape (m, e)

    Raises
    ------
    ValueError
        An event that fewer than three controls or patients have.
    """
    counts = np.isfinite(patients).sum(0), np.isfinite(controls).sum(0)
    if min(one.min() for one in counts) < 3:
        raise ValueError("an event needs three patients and three controls at least")
    normal = np.stack([np.nanmean(controls, 0), np.nanstd(controls, 0, ddof=1)], 1)
    fitted = [
        _fit_one(column[np.isfinite(column)], *one)
        for column, one in zip(patients.T, normal, strict=True)
    ]
    return Mixtures(normal, np.array([one[:2] for one in fitted]), np.array([f[2] for f in fitted]))


def _fit_one(values: np.ndarray, mean: float, spread: float) -> tuple[float, float, float]:
    """Abnormal mean, spread and share by expectation maximisation with the normal one fixed."""
    top = values[values >= np.quantile(values, 0.75)]
    middle = max(float(top.mean()), mean + spread)
    width, share = max(float(values.std()), LEAST_SPREAD * spread), 0.5
    healthy = norm.pdf(values, mean, spread)
    for _ in range(ITERATIONS):
        sick = share * norm.pdf(values, middle, width)
        weight = sick / (sick + (1 - share) * healthy + 1e-300)
        total = weight.sum() + 1e-9
        before = middle
        # An abnormal mean on the healthy side would turn the event round.
        middle = max(float((weight * values).sum() / total), mean + 0.5 * spread)
        width = float(np.sqrt((weight * (values - middle) ** 2).sum() / total))
        # No wider than twice the normal one: else it takes both tails.
        width = float(np.clip(width, LEAST_SPREAD * spread, 2 * spread))
        share = float(np.clip(total / len(values), LEAST_SHARE, 1 - LEAST_SHARE))
        if abs(middle - before) < 1e-6 * spread:
            break
    return middle, width, share


def log_likelihood(ratios: np.ndarray, order: np.ndarray) -> float:
    """Return the log likelihood of an order of events, up to a constant.

    Parameters
    ----------
    ratios : numpy.ndarray, shape (n, e)
        As ``Mixtures.log_ratios`` returns them.
    order : numpy.ndarray of int, shape (e,)
        Events, the first to turn abnormal first.
    """
    stages = _stages(ratios, order)
    top = stages.max(axis=1)  # scipy's logsumexp takes twice as long, and this is asked very often
    return float((top + np.log(np.exp(stages - top[:, None]).sum(axis=1))).sum())


def stage_probabilities(ratios: np.ndarray, order: np.ndarray) -> np.ndarray:
    """Return how likely each person is at each stage, (n, e + 1)."""
    stages = _stages(ratios, order)
    return np.exp(stages - logsumexp(stages, axis=1, keepdims=True))


def _stages(ratios: np.ndarray, order: np.ndarray) -> np.ndarray:
    behind = np.cumsum(ratios[:, order], axis=1)
    return np.concatenate([np.zeros((len(ratios), 1)), behind], axis=1)


def best_order(
    ratios: np.ndarray,
    seed: int,
    guess: np.ndarray | None = None,
    starts: int = STARTS,
    score: Callable[[np.ndarray], float] | None = None,
) -> tuple[np.ndarray, float]:
    """Return the most likely order and its log likelihood.

    From each start, single events move to the place that is best for them until none moves.

    Parameters
    ----------
    ratios : numpy.ndarray, shape (n, e)
    seed : int
        Of the random starts.
    guess : numpy.ndarray of int, shape (e,), optional
        An order to start from; that of how many patients are past each event where left out.
    starts : int
        Random starts beside it.
    score : callable, optional
        What to climb instead of the log likelihood: order to a number, higher is better.
    """
    rng = np.random.default_rng(seed)
    size = ratios.shape[1]
    first = np.argsort(-(ratios > 0).mean(0), kind="stable") if guess is None else guess

    def plain(order: np.ndarray) -> float:
        return log_likelihood(ratios, order)

    best, highest = np.asarray(first), -np.inf
    for number in range(1 + starts):
        order = np.array(first) if number == 0 else rng.permutation(size)
        order, value = _climb(score or plain, order)
        if value > highest + 1e-9:
            best, highest = order, value
    return best, highest


def _climb(score: Callable[[np.ndarray], float], order: np.ndarray) -> tuple[np.ndarray, float]:
    current = score(order)
    moved = True
    while moved:
        moved = False
        for event in range(len(order)):
            rest = order[order != event]
            options = [np.insert(rest, place, event) for place in range(len(order))]
            values = [score(option) for option in options]
            top = int(np.argmax(values))
            if values[top] > current + 1e-9:
                order, current, moved = options[top], values[top], True
    return order, current
