"""Tables and marks of predictions from real segmentations (``prediction_chain``)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from BrainstemALSLib.prediction.models import PARTS, Models
from BrainstemALSLib.prediction.predict import Prediction
from BrainstemALSLib.prediction.stage_model import LEVELS, STAGES

from ..prediction.stage_fit import ranked_probability_score
from .prediction_chain_answers import FORECASTS, INTERVALS, area, changes, classified, held
from .prediction_chain_scores import over_people, quantile, share
from .prediction_classification_metrics import BINS, calibration_error, chance_calibration_error
from .tables import Table

HEADLESS = "images alone"
MEASURED, CALIBRATED, TRUE = "as measured", "calibrated", "true values"
COST = "calibrated less true values"
OFF, ECE_LIMIT, MILLISECONDS = 3.0, 0.04, 100.0
"""Marks of the issue: points of a coverage, calibration error, time of one prediction."""
GROUPS = {"ALS": "patients", "HC": "controls", "MIMIC": "mimics"}


@dataclass(frozen=True, eq=False)
class Answers:
    """Predictions of the same people from four kinds of measures.

    Attributes
    ----------
    of : dict of str to list of Prediction
        By ``HEADLESS`` (no intracranial volume), ``MEASURED``, ``CALIBRATED`` and ``TRUE``, in
        the order of the people.
    seconds : numpy.ndarray, shape (n, 2)
        By the clock and of the processor, from the calibrated measures.
    """

    of: dict[str, list[Prediction]]
    seconds: np.ndarray


def answer_rows(answers: Answers, seed: int) -> list[tuple]:
    """Rows of parts: whom they answer for, and why not."""
    rows = []
    for part in PARTS:
        for group in GROUPS if part == "classification" else ("ALS",):
            asked = {k: [p for p in v if p.person.group == group] for k, v in answers.of.items()}
            if not asked[CALIBRATED]:
                continue
            shares = {
                name: over_people(np.array([p.answers(part) for p in v], float), share, seed)
                for name, v in asked.items()
            }
            rows.append(
                (
                    PARTS[part],
                    GROUPS[group],
                    len(asked[CALIBRATED]),
                    shares[HEADLESS][0],
                    *shares[MEASURED],
                    *shares[CALIBRATED],
                    shares[TRUE][0],
                    *(reasons(asked[name], part) for name in (MEASURED, CALIBRATED)),
                )
            )
    return rows


def reasons(predictions: Sequence[Prediction], part: str) -> str:
    """Return the codes of the findings why a part says nothing, with how many they concern."""
    codes: Counter[str] = Counter()
    for found in predictions:
        if not found.answers(part):
            said = [f.code for of, f in found.findings if of == part and f.severity == "error"]
            codes.update(set(said) or {"no finding"})
    return ", ".join(f"{code} {count}" for code, count in codes.most_common()) or "none"


def class_rows(answers: Answers, seed: int) -> list[tuple]:
    """Rows of how well patients and controls are told apart, and what the segmentation costs."""
    rows = []
    for name in (MEASURED, CALIBRATED, TRUE):
        both = classified(answers.of[name])
        patients = int(both[:, 1].sum())
        if len(both) < BINS or np.isnan(area(both)):
            rows.append((name, patients, len(both) - patients, *[None] * 10))
            continue
        rows.append(
            (
                name,
                patients,
                len(both) - patients,
                *over_people(both, area, seed),
                *over_people(both, brier, seed),
                *over_people(both, lambda v: calibration_error(v[:, 0], v[:, 1]), seed),
                chance_calibration_error(both[:, 0], seed),
            )
        )
    both = [p.answers("classification") for p in answers.of[CALIBRATED]]
    both = [a and p.answers("classification") for a, p in zip(both, answers.of[TRUE], strict=True)]
    pair = np.hstack(
        [
            classified([p for p, kept in zip(answers.of[name], both, strict=True) if kept])
            for name in (CALIBRATED, TRUE)
        ]
    )
    patients = int(pair[:, 1].sum())
    lost = [
        figure
        for of in (area, brier)
        for figure in over_people(pair, lambda v, of=of: of(v[:, :2]) - of(v[:, 2:]), seed)
    ]
    return [*rows, (COST, patients, len(pair) - patients, *lost, *[None] * 4)]


def brier(both: np.ndarray) -> float:
    """Return the Brier score of (n, 2): probability and patient."""
    return float(np.mean((both[:, 0] - both[:, 1]) ** 2)) if len(both) else float("nan")


def stage_rows(answers: Answers, models: Models, seed: int) -> list[tuple]:
    """Rows of the ranked probability score of King's stage, and of the shares of the stages."""
    found, rows = {}, []
    for name in (MEASURED, CALIBRATED, TRUE):
        score, plain = stage_scores(answers.of[name], models)
        found[name], known = score, np.isfinite(score)
        rows.append(
            (
                name,
                int(known.sum()),
                *over_people(score[known], mean, seed),
                mean(plain[known]),
                *over_people((plain - score)[known], mean, seed),
            )
        )
    lost = found[CALIBRATED] - found[TRUE]
    known = np.isfinite(lost)
    cost = over_people(lost[known], mean, seed)
    return [*rows, (COST, int(known.sum()), *cost, *[None] * 4)]


def stage_scores(
    predictions: Sequence[Prediction], models: Models
) -> tuple[np.ndarray, np.ndarray]:
    """Return the scores (n,) of the answers and of the shares; NaN without answer or stage."""
    score = np.full((2, len(predictions)), np.nan)
    for place, one in enumerate(predictions):
        if not one.answers("stage") or one.imaged.kings not in STAGES:
            continue
        told = [one.stage.probabilities[s][0] for s in STAGES]
        stage = np.repeat(STAGES.index(one.imaged.kings), 2)
        score[:, place] = ranked_probability_score(np.stack([told, models.stage.shares]), stage)
    return score[0], score[1]


def run_rows(answers: Answers, seed: int) -> list[tuple]:
    """Rows of how often the runs of King's stages hold the clinical stage (%), and their size."""
    rows = []
    for level in LEVELS:
        for name in (MEASURED, CALIBRATED, TRUE):
            told = [
                (first <= p.imaged.kings <= last, STAGES.index(last) - STAGES.index(first) + 1)
                for p in answers.of[name]
                if p.answers("stage") and p.imaged.kings in STAGES
                for first, last in [p.stage.sets[level]]
            ]
            inside, size = np.array(told, dtype=float).reshape(-1, 2).T
            held_ = over_people(inside, share, seed)
            rows.append((100.0 * level, name, len(told), *held_, mean(size)))
    return rows


def mean(values: np.ndarray) -> float:
    """Return the mean of what is known; NaN where nothing is."""
    known = values[np.isfinite(values)]
    return float(known.mean()) if known.size else float("nan")


def change_rows(answers: Answers, seed: int) -> list[tuple]:
    """Rows of how far answers are from those of the true values."""
    rows = []
    for text, unit, of in FORECASTS:
        for name in (MEASURED, CALIBRATED):
            change, width = changes(of, answers.of[name], answers.of[TRUE])
            rows.append(
                (
                    text,
                    name,
                    len(change),
                    *over_people(unit * change, lambda v: quantile(v, 0.5), seed),
                    *over_people(unit * change, lambda v: quantile(v, 0.95), seed),
                    unit * quantile(width, 0.5),
                )
            )
    return rows


def interval_rows(answers: Answers, seed: int) -> list[tuple]:
    """Rows of how often intervals hold what the true values give."""
    rows = []
    for interval in INTERVALS:
        for name in (MEASURED, CALIBRATED):
            n, found, width = held(interval, answers.of[name], answers.of[TRUE], seed)
            rows.append((interval.name, 100.0 * interval.level, name, n, *found, width))
    return rows


def time_rows(answers: Answers, seed: int) -> list[tuple]:
    """Rows of how long one whole prediction takes, in ms."""
    patient = np.array([p.person.group == "ALS" for p in answers.of[CALIBRATED]])
    rows = []
    for by, column in zip(("clock", "processor"), 1000.0 * answers.seconds.T, strict=True):
        for whose, rowed in (("patients", column[patient]), ("others", column[~patient])):
            if rowed.size:
                typical = over_people(rowed, lambda v: quantile(v, 0.5), seed)
                rows.append((by, whose, len(rowed), *typical, float(rowed.max())))
    return rows


Mark = tuple[str, bool | None]


def marks_of(tables: Mapping[str, Table]) -> list[Mark]:
    """Return what was asked for, and whether it is so from calibrated measures."""
    rows = {name: table.rows for name, table in tables.items()}
    of_classes, of_stage = (
        next(row for row in rows[name] if row[0] == CALIBRATED)
        for name in ("classification", "stage")
    )
    return [
        *(mark for row in rows["held"][-1:] for mark in _held_marks(row)),
        *(_interval_mark(row) for row in rows["intervals"] if row[2] == CALIBRATED),
        _ece_mark(of_classes),
        _mark(
            "King's stage from images beats the shares of the stages",
            f"gain {of_stage[6]:.3f} ({of_stage[7]:.3f} to {of_stage[8]:.3f}, n {of_stage[1]})",
            of_stage[7] > 0,
            of_stage[1],
        ),
        *(_run_mark(row) for row in rows["runs"] if row[1] == CALIBRATED),
        _sign_mark(next(row for row in rows["signs"] if row[0] == "all")),
        *(_time_mark(by, rows["time"]) for by in ("clock", "processor")),
    ]


def _mark(asked: str, found: str, passed: bool, n: int) -> Mark:
    """Return a mark; one that nobody has answered for was not measured."""
    return (f"{asked}: {found}", bool(passed)) if n else (f"{asked}: nobody has an answer", None)


def _held_marks(row: Sequence) -> Iterator[Mark]:
    for start, kind in ((2, "stated"), (8, "that predictions draw from")):
        for place, level in ((start, 80), (start + 3, 95)):
            found, low, high = row[place : place + 3]
            yield _mark(
                f"{level} % intervals of z-scores ({kind}) hold the true ones within {OFF:g} "
                "points",
                f"{found:.1f} % ({low:.1f} to {high:.1f}, {row[1]} values)",
                abs(found - level) <= OFF,
                row[1],
            )


def _interval_mark(row: Sequence) -> Mark:
    name, level, _, n, found, low, high, width = row
    return _mark(
        f"{level:.0f} % interval of {name} holds that of the true values in no fewer than "
        f"{level - OFF:.0f} %",
        f"{found:.1f} % ({low:.1f} to {high:.1f}, n {n}; median width {width:.2f})",
        found >= level - OFF,
        n,
    )


def _ece_mark(row: Sequence) -> Mark:
    asked = f"ECE of the classification at most {ECE_LIMIT}"
    if row[3] is None:
        return f"{asked}: too few people with an answer", None
    exact = f"probabilities that are exactly right have {row[12]:.3f} in so few people"
    return f"{asked}: {row[9]:.3f} (n {row[1] + row[2]}; {exact})", row[9] <= ECE_LIMIT


def _run_mark(row: Sequence) -> Mark:
    level, _, n, found, low, high, size = row
    return _mark(
        f"{level:.0f} % runs of King's stages hold the clinical one within {OFF:g} points",
        f"{found:.1f} % ({low:.1f} to {high:.1f}, n {n}; {size:.1f} of {len(STAGES)} stages)",
        abs(found - level) <= OFF,
        n,
    )


def _sign_mark(row: Sequence) -> Mark:
    asked = "Signs of imaging contributions are those of the true values as often as was said"
    _, n, said, found, low, high = row
    if not n:
        return f"{asked}: nobody has an answer", None
    text = f"{asked}, {said:.1f} %, or more often: {found:.1f} % ({low:.1f} to {high:.1f})"
    return text, high >= said


def _time_mark(by: str, rows: Sequence[Sequence]) -> Mark:
    timed = [row for row in rows if row[0] == by]
    medians = ", ".join(f"median {row[3]:.0f} of {row[1]}" for row in timed)
    longest = max(row[6] for row in timed)
    text = f"One whole prediction within {MILLISECONDS:.0f} ms ({by}): longest {longest:.0f}"
    return f"{text}, {medians}", longest < MILLISECONDS
