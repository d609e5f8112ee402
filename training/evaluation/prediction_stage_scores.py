"""Scores of stages over visits, as functions of weights: people are drawn again by weights."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from BrainstemALSLib.prediction.stage_model import LEVELS, STAGES, OrdinalModel, joined

from ..prediction.stage_fit import ranked_probability_score

RESAMPLES, BINS = 500, 10
Three = tuple[float, float, float]
"""A figure, and the ends of its 95 % interval over people."""
Statistic = Callable[[np.ndarray], float]
"""Of weights (n,) of visits."""


def over_people(statistic: Statistic, person: np.ndarray, seed: int) -> Three:
    """Return a statistic with its interval; visits of one person (n,) are drawn together."""
    names, index = np.unique(person, return_inverse=True)
    rng = np.random.default_rng(seed)
    counts = rng.multinomial(len(names), np.full(len(names), 1.0 / len(names)), size=RESAMPLES)
    again = [statistic(count[index].astype(float)) for count in counts]
    low, high = np.nanquantile(again, (0.025, 0.975))
    return statistic(np.ones(len(index))), float(low), float(high)


def mean_of(values: np.ndarray) -> Statistic:
    """Return the mean of values (n,)."""
    return lambda weight: float(weight @ values / weight.sum())


def percent_of(held: np.ndarray) -> Statistic:
    """Return how many per cent of (n,) of bool are true."""
    return mean_of(100.0 * held)


def rank_correlation_of(one: np.ndarray, other: np.ndarray) -> Statistic:
    """Return Spearman's correlation of values (n,)."""
    from scipy.stats import spearmanr

    def statistic(weight: np.ndarray) -> float:
        rows = np.repeat(np.arange(len(one)), weight.astype(int))
        return float(spearmanr(one[rows], other[rows]).statistic)

    return statistic


def kappa_of(probabilities: np.ndarray, stage: np.ndarray) -> Statistic:
    """Return the quadratically weighted kappa of the most probable stage; NaN without variety."""
    size = len(STAGES)
    cell = stage * size + probabilities.argmax(axis=1)
    apart = np.subtract.outer(np.arange(size), np.arange(size)) ** 2

    def statistic(weight: np.ndarray) -> float:
        seen = np.bincount(cell, weight, size**2).reshape(size, size)
        chance = np.outer(seen.sum(axis=1), seen.sum(axis=0)) / seen.sum()
        expected = float((apart * chance).sum())
        return 1.0 - float((apart * seen).sum()) / expected if expected > 0 else float("nan")

    return statistic


def calibration_error_of(probabilities: np.ndarray, stage: np.ndarray) -> Statistic:
    """Return the expected calibration error of "later than stage k", over all three k."""
    above = 1.0 - np.cumsum(probabilities, axis=1)[:, :-1]
    off = above - (stage[:, None] > np.arange(len(STAGES) - 1))
    place = np.minimum((above * BINS).astype(int), BINS - 1)

    def statistic(weight: np.ndarray) -> float:
        each = np.repeat(weight, above.shape[1])
        return float(np.abs(np.bincount(place.ravel(), each * off.ravel())).sum() / each.sum())

    return statistic


def king_row(
    model: OrdinalModel,
    shares: np.ndarray,
    values: np.ndarray,
    stage: np.ndarray,
    person: np.ndarray,
    seed: int,
) -> tuple:
    """Return people, visits, score, gain over the shares, kappa and calibration error."""
    p = model.probabilities(values)
    score = ranked_probability_score(p, stage)
    gain = ranked_probability_score(np.broadcast_to(shares, p.shape), stage) - score
    figures = mean_of(score), mean_of(gain), kappa_of(p, stage), calibration_error_of(p, stage)
    found = [over_people(one, person, seed) for one in figures]
    return len(set(person)), len(stage), *(number for three in found for number in three)


def set_rows(
    model: OrdinalModel, values: np.ndarray, stage: np.ndarray, person: np.ndarray, seed: int
) -> list[tuple]:
    """Return visits, level, how many runs hold the stage, the same of the bare probabilities with a
    random end, and how many stages are in a run."""
    p = model.probabilities(values)
    before = joined(p)
    rows = np.arange(len(stage))
    own = before[rows, stage]
    # With a random end the sum of a calibrated forecast is uniform: this judges the forecast alone.
    drawn = own + np.random.default_rng(seed).uniform(size=len(stage)) * p[rows, stage]
    found = []
    for level in LEVELS:
        inside = before <= model.reach[level]
        figures = (
            percent_of(inside[rows, stage]),
            percent_of(drawn <= level),
            mean_of(inside.sum(axis=1)),
        )
        threes = [over_people(one, person, seed) for one in figures]
        found.append((100.0 * level, len(stage), *(number for three in threes for number in three)))
    return found


def set_rows_given(
    model: OrdinalModel, values: np.ndarray, stage: np.ndarray, person: np.ndarray, seed: int
) -> list[tuple]:
    """Return level, of whom, visits, and how many runs hold the stage, with its interval.

    Those with the same run, and those at the same stage: the level is promised to neither.
    """
    before = joined(model.probabilities(values))
    size, found = len(STAGES), []
    for level in LEVELS:
        inside = before <= model.reach[level]
        held = inside[np.arange(len(stage)), stage]
        first, last = inside.argmax(axis=1), size - 1 - inside[:, ::-1].argmax(axis=1)
        groups = [
            (f"run {STAGES[a]} to {STAGES[b]}", (first == a) & (last == b))
            for a in range(size)
            for b in range(a, size)
        ]
        groups += [(f"clinical stage {STAGES[k]}", stage == k) for k in range(size)]
        for text, those in groups:
            if those.any():
                three = over_people(percent_of(held[those]), person[those], seed)
                found.append((100.0 * level, text, int(those.sum()), *three))
    return found
