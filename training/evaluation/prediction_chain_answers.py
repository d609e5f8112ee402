"""How far answers from real segmentations are from those of the true values."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import chain, pairwise

import numpy as np
from scipy.stats import rankdata

from BrainstemALSLib.prediction.explain import LARGEST
from BrainstemALSLib.prediction.parts import Contribution, Estimate
from BrainstemALSLib.prediction.predict import Prediction
from BrainstemALSLib.prediction.stage_model import STAGES

from .prediction_chain_scores import Three, over_people, padded, quantile, share

MONTHS = 12
BINS = (0.0, 0.7, 0.8, 0.9, 0.95, 0.99, 1.0)
"""Of the stated share of draws in which a sign stays; our own choice."""


def classified(predictions: Sequence[Prediction]) -> np.ndarray:
    """Return the probability and whether it is a patient, (n, 2), of patients and controls."""
    asked = [
        (p.classification.probability, p.person.group == "ALS")
        for p in predictions
        if p.person.group in ("ALS", "HC") and p.answers("classification")
    ]
    return np.array(asked, dtype=float).reshape(-1, 2)


def area(both: np.ndarray) -> float:
    """Return the area under the curve of (n, 2): score and patient; NaN without one of them."""
    patient = both[:, 1] > 0.5
    if patient.all() or not patient.any():
        return float("nan")
    m, n = int(patient.sum()), int((~patient).sum())
    # Without the covariance of ``areas``: a sample may hold one patient.
    return float((rankdata(both[:, 0])[patient].sum() - m * (m + 1) / 2) / (m * n))


@dataclass(frozen=True)
class Interval:
    """Intervals that are asked whether they hold what the true values give.

    Attributes
    ----------
    name : str
    level : float
    of : callable
        Prediction to value, low and high of each, empty without an answer.
    """

    name: str
    level: float
    of: Callable[[Prediction], list[Three]]


def _class(found: Prediction) -> list[Three]:
    one = found.classification
    return [(one.probability, one.low, one.high)] if found.answers("classification") else []


def _stages(found: Prediction) -> list[Three]:
    return [found.stage.probabilities[s] for s in STAGES] if found.answers("stage") else []


def _ends(found: Estimate | None, level: int) -> list[Three]:
    """Return value and ends of an estimate, nothing where one of them is not known."""
    if found is None:
        return []
    three = (found.value, getattr(found, f"low{level}"), getattr(found, f"high{level}"))
    return [] if None in three else [three]


def _mean_stage(level: int, found: Prediction) -> list[Three]:
    return _ends(found.stage.expected, level) if found.answers("stage") else []


def _driven(level: int, found: Prediction) -> list[Three]:
    return _ends(found.disease_stage.stage, level) if found.answers("disease_stage") else []


def _risk(level: int, found: Prediction) -> list[Three]:
    return _ends(found.survival.risks[MONTHS], level) if found.answers("survival") else []


def _points(level: int, found: Prediction) -> list[Three]:
    if not found.answers("progression"):
        return []
    year = next(one.alsfrs for one in found.progression.horizons if one.months == MONTHS)
    return _ends(year, level)


INTERVALS = (
    Interval("probability of ALS", 0.95, _class),
    Interval("probability of each King's stage", 0.95, _stages),
    *(
        Interval(name, level / 100, partial(of, level))
        for name, of in (
            ("mean King's stage", _mean_stage),
            ("data-driven stage", _driven),
            (f"{MONTHS}-month risk", _risk),
        )
        for level in (80, 95)
    ),
)
FORECASTS = (
    (f"ALSFRS-R in {MONTHS} months (points)", 1.0, partial(_points, 80)),
    (f"{MONTHS}-month risk (points of %)", 100.0, partial(_risk, 80)),
    ("data-driven stage (events)", 1.0, partial(_driven, 80)),
    ("mean King's stage", 1.0, partial(_mean_stage, 80)),
    ("probability of ALS (points of %)", 100.0, _class),
)
"""What is compared, its unit, and where it is; the width of the 80 % interval stands beside the
change, of the probability of ALS that of the 95 % one."""


def held(
    interval: Interval, found: Sequence[Prediction], true: Sequence[Prediction], seed: int
) -> tuple[int, Three, float]:
    """Return people, the share (%) of intervals that hold what true values give, median width."""
    rows = [
        [
            (float(low <= exact[0] <= high), high - low)
            for (_, low, high), exact in zip(interval.of(one), interval.of(other), strict=False)
        ]
        for one, other in zip(found, true, strict=True)
    ]
    rows = [row for row in rows if row]
    if not rows:
        return 0, (np.nan,) * 3, np.nan
    values = padded(rows, 2)
    return len(rows), over_people(values[..., 0], share, seed), quantile(values[..., 1], 0.5)


def changes(
    of: Callable[[Prediction], list[Three]],
    found: Sequence[Prediction],
    true: Sequence[Prediction],
) -> tuple[np.ndarray, np.ndarray]:
    """Return how far answers are from those of the true values (n,), and the intervals' widths."""
    rows = [
        (abs(one[0] - other[0]), high - low)
        for measured, exact in zip(found, true, strict=True)
        for one, other, (_, low, high) in zip(of(measured), of(exact), of(measured), strict=False)
    ]
    values = np.array(rows, dtype=float).reshape(-1, 2)
    return values[:, 0], values[:, 1]


@dataclass(frozen=True, eq=False)
class Reasons:
    """Imaging contributions to one part from measured and from true values, person by person.

    Attributes
    ----------
    part : str
    signs, places : list of list of (float, float)
        Of each person, empty without an answer: the share of draws in which the sign (the place
        among the largest, or outside of them) was said to stay, and 1.0 where the true values give
        the same.
    in_common : numpy.ndarray, shape (n,)
        How many of the largest are the same; NaN without an answer.
    """

    part: str
    signs: list[list[tuple[float, float]]]
    places: list[list[tuple[float, float]]]
    in_common: np.ndarray


def reasons_of(part: str, found: Sequence[Prediction], true: Sequence[Prediction]) -> Reasons:
    """Compare the contributions to one part."""
    signs, places, common = [], [], []
    for measured, exact in zip(found, true, strict=True):
        ours, theirs = (
            {} if p.explanation is None else {c.name: c for c in p.explanation.of(part)}
            for p in (measured, exact)
        )
        top, other = (set(list(side)[:LARGEST]) for side in (ours, theirs))
        both = [
            (one, theirs[one.name])
            for one in ours.values()
            if one.imaging and None not in (one.value, one.same_sign) and one.name in theirs
        ]
        signs.append([(a.same_sign, float(_sign(a) == _sign(b))) for a, b in both])
        places.append(
            [(a.same_place, float((a.name in top) == (a.name in other))) for a, _ in both]
        )
        common.append(float(len(top & other)) if ours and theirs else np.nan)
    return Reasons(part, signs, places, np.array(common))


def _sign(one: Contribution) -> float:
    return float(np.sign(one.log_odds))


def sign_rows(every: Sequence[Reasons], seed: int) -> list[tuple]:
    """Rows of parts, then of ``BINS`` of all parts: contributions, stated and found shares (%)."""
    rows = [_shares(one.part, one.signs, seed) for one in every]
    together = [list(chain(*row)) for row in zip(*(one.signs for one in every), strict=True)]
    rows.append(_shares("all", together, seed))
    for low, high in pairwise(BINS):
        last = high == BINS[-1]
        kept = [
            [said for said in row if low <= said[0] < high or (last and said[0] == high)]
            for row in together
        ]
        word = "to" if last else "to below"
        rows.append(_shares(f"said of {100 * low:.0f} {word} {100 * high:.0f} %", kept, seed))
    return rows


def _shares(name: str, rows: Sequence[Sequence[tuple[float, float]]], seed: int) -> tuple:
    """Return name, how many, the share that is stated, and that which is found with interval."""
    rows = [row for row in rows if row]
    if not rows:
        return (name, 0, *[None] * 4)
    values = padded(rows, 2)
    many = int(np.isfinite(values[..., 0]).sum())
    return (name, many, share(values[..., 0]), *over_people(values[..., 1], share, seed))


def place_rows(every: Sequence[Reasons], seed: int) -> list[tuple]:
    """Rows of the largest: people, all the same (%), how many are, places stated and kept (%)."""
    rows = []
    for one in every:
        common = one.in_common[np.isfinite(one.in_common)]
        if not common.size:
            rows.append((one.part, 0, *[None] * 8))
            continue
        same = over_people((common >= LARGEST).astype(float), share, seed)
        of_places = _shares(one.part, one.places, seed)[2:]
        rows.append((one.part, len(common), *same, float(common.mean()), *of_places))
    return rows
