"""Scores of many cases in one line per structure, tier, region and composite."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from BrainstemALSLib.anatomy import CONTEXT, by_key, composites, load_structures

from .metrics import Score

CONFIDENCE = 0.95
RESAMPLES = 2000


@dataclass(frozen=True)
class Interval:
    """A mean (or statistic) over subjects and its bootstrap interval; NaN where unknown."""

    mean: float
    low: float
    high: float


@dataclass(frozen=True)
class Line:
    """Summary of one structure or group over all cases.

    Attributes
    ----------
    key : str
        Structure, composite, ``tier_A``, ``tier_B``, ``structures_midbrain`` ... or ``context``.
    kind : str
        ``structure``, ``composite`` or ``group`` (mean over its structures, per case).
    tier, region : str
        Of a structure; empty otherwise.
    cases : int
        Cases with a Dice, which are those in which truth or prediction has the structure.
    dice : Interval
        Mean over cases with its 95 % bootstrap interval over subjects.
    nsd, assd_mm, hd95_mm, volume_bias_percent, volume_error_percent : float
        Means over the cases in which they are defined.
    missed, spurious : int
        Structures not found, and found where there are none, over all cases.
    """

    key: str
    kind: str
    tier: str
    region: str
    cases: int
    dice: Interval
    nsd: float
    assd_mm: float
    hd95_mm: float
    volume_bias_percent: float
    volume_error_percent: float
    missed: int
    spurious: int


def groups() -> dict[str, tuple[str, ...]]:
    """Return the groups whose mean is reported: name to structure keys.

    The tiers hold brainstem structures only: the fourth ventricle is easy and the aqueduct hard,
    and neither belongs to what the tiers are about. Both are in ``context``.
    """
    inside = [s for s in load_structures() if s.parent != CONTEXT]
    named = {f"tier_{tier}": [s for s in inside if s.tier == tier] for tier in ("A", "B")}
    for region in dict.fromkeys(s.parent for s in inside):
        named[f"structures_{region}"] = [s for s in inside if s.parent == region]
    named[CONTEXT] = [s for s in load_structures() if s.parent == CONTEXT]
    return {name: tuple(s.key for s in members) for name, members in named.items()}


def bootstrap_mean(values: Sequence[float], seed: int = 0) -> Interval:
    """Return a mean with its 95 % percentile bootstrap interval (scipy.stats.bootstrap).

    Parameters
    ----------
    values : sequence of float
        One per subject; NaN are left out. With fewer than two the interval is NaN.
    seed : int
        Of the resampling.
    """
    known = np.asarray([v for v in values if math.isfinite(v)])
    return _bootstrap(known, np.mean, seed)


def bootstrap_over(
    subjects: np.ndarray, statistic: Callable[[np.ndarray], float], seed: int = 0
) -> Interval:
    """Return a statistic of all subjects together with its 95 % percentile bootstrap interval.

    Parameters
    ----------
    subjects : numpy.ndarray, shape (subjects, ...)
    statistic : callable
        Such an array to a number; a subject may be in it several times.
    seed : int
        Of the resampling.
    """
    places = np.arange(len(subjects))
    return _bootstrap(places, lambda chosen: statistic(subjects[chosen]), seed)


def _bootstrap(values: np.ndarray, statistic: Callable[..., float], seed: int) -> Interval:
    from scipy.stats import bootstrap

    if values.size == 0:
        return Interval(math.nan, math.nan, math.nan)
    found = float(statistic(values))
    if values.size == 1:
        return Interval(found, math.nan, math.nan)
    # Percentile, not BCa: BCa is undefined when all subjects score the same.
    interval = bootstrap(
        (values,), statistic, n_resamples=RESAMPLES, confidence_level=CONFIDENCE,
        method="percentile", rng=np.random.default_rng(seed),
    ).confidence_interval  # fmt: skip
    return Interval(found, float(interval.low), float(interval.high))


def summarise(cases: Mapping[str, Mapping[str, Score]], seed: int = 0) -> list[Line]:
    """Summarise cases: groups first, then composites, then structures in the table's order.

    Parameters
    ----------
    cases : mapping
        Case name to the scores of ``score_labels``.
    seed : int
        Of the bootstrap.
    """
    sheets = list(cases.values())
    lines = [_line(name, "group", members, sheets, seed) for name, members in groups().items()]
    lines += [_line(name, "composite", (name,), sheets, seed) for name in composites()]
    lines += [_line(s.key, "structure", (s.key,), sheets, seed) for s in load_structures()]
    return lines


def line_of(lines: Sequence[Line], key: str) -> Line:
    """Return the line of one key."""
    return next(line for line in lines if line.key == key)


def _line(
    key: str, kind: str, members: tuple[str, ...], sheets: list[Mapping[str, Score]], seed: int
) -> Line:
    table = [[sheet[member] for member in members if member in sheet] for sheet in sheets]
    every = [score for row in table for score in row]
    per_case = [_mean([score.dice for score in row]) for row in table]
    structure = by_key().get(key) if kind == "structure" else None

    def mean_of(name: str) -> float:
        # First within a case, then over cases: every subject weighs the same.
        return _mean([_mean([getattr(score, name) for score in row]) for row in table])

    return Line(
        key=key,
        kind=kind,
        tier=structure.tier if structure else "",
        region=structure.parent if structure else "",
        cases=sum(math.isfinite(dice) for dice in per_case),
        dice=bootstrap_mean(per_case, seed),
        nsd=mean_of("nsd"),
        assd_mm=mean_of("assd_mm"),
        hd95_mm=mean_of("hd95_mm"),
        volume_bias_percent=mean_of("volume_bias_percent"),
        volume_error_percent=mean_of("volume_error_percent"),
        missed=sum(score.missed for score in every),
        spurious=sum(score.spurious for score in every),
    )


def _mean(values: Sequence[float]) -> float:
    known = [value for value in values if math.isfinite(value)]
    return sum(known) / len(known) if known else math.nan
