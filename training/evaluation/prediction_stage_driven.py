"""The data-driven stage of new patients beside the simulator's own count of events."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from time import perf_counter

import numpy as np

from BrainstemALSLib.cohort.tables import Cohort
from BrainstemALSLib.norms import Norms
from BrainstemALSLib.prediction.disease_stage import (
    LEVEL,
    DiseaseStageModel,
    Posterior,
    estimate_of,
    posterior_of,
    predict_disease_stage,
    too_wide,
)
from BrainstemALSLib.prediction.features import NAMES
from BrainstemALSLib.prediction.measurement import MeasurementError
from BrainstemALSLib.prediction.stage import predict_stage
from BrainstemALSLib.prediction.stage_model import LEVELS, StageModels

from ..prediction.disease_stage import first_images, posteriors
from ..prediction.stage import simulated_patients
from .prediction_stage_cases import CLEAN, NEW_SITES
from .prediction_stage_scores import mean_of, over_people, percent_of, rank_correlation_of

EXACT = MeasurementError(np.zeros((len(NAMES), len(NAMES))))
TIMED = 100
CONTROLS = 400
COUNT = "simulator's count of events"
TOLD = "with a stage", "with a stage, volumes alone"


@dataclass(frozen=True, eq=False)
class Driven:
    """Rows of the data-driven stage.

    Attributes
    ----------
    figures : list of tuple
        Figure, people, value and interval.
    intervals : list of tuple
        Truth, whose, level, people, held, width.
    counts : list of tuple
        True number of events, people, who gets a stage, and how many of these hold it.
    """

    figures: list[tuple]
    intervals: list[tuple]
    counts: list[tuple]


def driven_rows(model: DiseaseStageModel, norms: Norms, seed: int, patients: int) -> Driven:
    """Return the rows of new patients."""
    cohort, truth = simulated_patients(seed, patients, CONTROLS, sites=NEW_SITES)
    said, past, people = posteriors(cohort, truth, norms, model)
    ends = _ends(said, model)
    told = ~too_wide(*ends[LEVEL], len(model.events))
    names = np.array([person.participant for person, _ in people])
    bare, true_bare, _ = posteriors(_volumes(cohort), truth, norms, model)
    bare_ends = _ends(bare, model)
    bare_told = ~too_wide(*bare_ends[LEVEL], len(model.events))
    exact = _exact(seed, patients, norms, model)
    again = np.array([exact.get(name, np.nan) for name in names])
    rows = []
    for level in LEVELS:
        for text, whose, true, (low, high), there in (
            (COUNT, TOLD[0], past, ends[level], told),
            (COUNT, "left without", past, ends[level], ~told),
            (COUNT, "all", past, ends[level], np.ones(len(past), bool)),
            (COUNT, TOLD[1], true_bare, bare_ends[level], bare_told),
            ("same model, no error", TOLD[0], again, ends[level], told & np.isfinite(again)),
        ):
            held, width = ((low <= true) & (true <= high))[there], (high - low)[there]
            who = np.arange(len(held))
            threes = (
                over_people(statistic, who, seed) if len(who) else (np.nan,) * 3
                for statistic in (percent_of(held), mean_of(width.astype(float)))
            )
            rows.append(
                (text, whose, 100.0 * level, len(who), *(x for three in threes for x in three))
            )
    figures = [
        ("share of patients with a stage (%)", len(past),
         *over_people(percent_of(told), names, seed)),
        ("the same, volumes alone (%)", len(bare),
         *over_people(percent_of(bare_told), np.arange(len(bare)), seed)),
        *_figures(model, norms, cohort, truth, said, past, people, told, seed),
    ]  # fmt: skip
    counts = [_count_row(k, past, told, ends, seed) for k in range(len(model.events) + 1)]
    return Driven(figures, rows, [row for row in counts if row])


def _figures(model, norms, cohort, truth, said, past, people, told, seed: int) -> list[tuple]:
    """Rows of correlations and means, of those who get a stage."""
    places = np.flatnonzero(told)
    names = np.array([people[k][0].participant for k in places])
    mean = np.array([said[k].share @ np.arange(len(said[k].share)) for k in places])
    clock = truth.clocks.set_index(["participant_id", "session_id"]).brainstem_clock
    keys = [(people[k][0].participant, people[k][1].session) for k in places]
    at = clock.loc[keys].to_numpy()
    kings = [people[k][1].kings for k in places]
    kings = np.array([float(one) if one else np.nan for one in kings])
    known, healthy = np.isfinite(kings), _healthy(cohort, norms, model)
    past = past[places]
    return [
        (text, len(who), *over_people(statistic, who, seed))
        for text, who, statistic in (
            ("rank correlation with the simulator's count of events", names,
             rank_correlation_of(mean, past)),
            ("rank correlation with the brainstem clock of the simulator", names,
             rank_correlation_of(mean, at)),
            ("rank correlation with King's stage", names[known],
             rank_correlation_of(mean[known], kings[known])),
            ("mean stage of patients", names, mean_of(mean)),
            ("mean of the simulator's count, patients", names, mean_of(past.astype(float))),
            ("mean stage of controls", np.arange(len(healthy)), mean_of(healthy)),
        )
    ]  # fmt: skip


def _count_row(number: int, past, told, ends, seed: int) -> tuple | None:
    """Row of those with so many events past; None where nobody of them gets a stage."""
    those = past == number
    if not (those & told).any():
        return None
    kept = those & told
    threes = [over_people(percent_of(told[those]), np.arange(those.sum()), seed)]
    for level in LEVELS:
        low, high = ends[level]
        held = ((low <= number) & (number <= high))[kept]
        threes.append(over_people(percent_of(held), np.arange(len(held)), seed))
    return number, int(those.sum()), *(x for three in threes for x in three)


def _ends(said: Sequence[Posterior], model: DiseaseStageModel) -> dict[float, tuple]:
    """Level to the ends of intervals, as they are told."""
    found = [estimate_of(one.share, model) for one in said]
    return {
        level: tuple(
            np.array([getattr(one, f"{end}{100 * level:.0f}") for one in found])
            for end in ("low", "high")
        )
        for level in LEVELS
    }


def _volumes(cohort: Cohort) -> Cohort:
    """The cohort without diffusion."""
    return replace(cohort, measures=cohort.measures[cohort.measures.measure == "volume"])


def milliseconds(
    models: StageModels, model: DiseaseStageModel, norms: Norms, seed: int
) -> tuple[float, int]:
    """Return the median time of both stages of one patient, and of how many."""
    people = first_images(simulated_patients(seed, TIMED)[0])
    times = []
    for pair in people:
        begin = perf_counter()
        predict_stage(*pair, norms, models, use_clinic=False)
        predict_disease_stage(*pair, norms, model)
        times.append(1000.0 * (perf_counter() - begin))
    return float(np.median(times)), len(times)


def _healthy(cohort, norms: Norms, model: DiseaseStageModel) -> np.ndarray:
    # The group is left out: of a control the model would say nothing.
    pairs = [(replace(p, group=None), v) for p, v in first_images(cohort) if p.group == "HC"]
    found = [predict_disease_stage(*pair, norms, model).stage for pair in pairs]
    return np.array([one.value for one in found if one is not None])


def _exact(seed: int, patients: int, norms: Norms, model: DiseaseStageModel) -> dict[str, float]:
    """Return the mean stage of each patient without error of measurement."""
    cohort, _ = simulated_patients(seed, patients, scenario=CLEAN, sites=NEW_SITES)
    found = {
        person.participant: posterior_of(person, visit, norms, model, EXACT)
        for person, visit in first_images(cohort)
    }
    return {
        name: estimate_of(one.share, model).value
        for name, one in found.items()
        if isinstance(one, Posterior)
    }
