"""Fit the data-driven stage: ``python -m training.prediction.disease_stage [--cohort DIR]``.

Events are the imaging predictors in which patients differ from controls; their order is that of the
event-based model on first visits. By default on simulated people of many scanners, with the errors
of the real segmentation and the norms that come along; how wide intervals are is then learned from
other simulated patients, of whom the simulator knows how many events are past. About a minute.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from scipy.stats import false_discovery_control, kendalltau, ttest_ind

from BrainstemALSLib.cohort.tables import Cohort
from BrainstemALSLib.cohort_analysis.event_model import best_order, fit_mixtures
from BrainstemALSLib.errors import BrainstemALSError, ExitCode
from BrainstemALSLib.norms import Norms
from BrainstemALSLib.prediction.disease_stage import (
    KIND,
    LEAST_EVENTS,
    LEVEL,
    WORSE,
    DiseaseStageModel,
    Margin,
    Posterior,
    content_of,
    ends_of,
    evidence,
    posterior_of,
    staged,
    too_wide,
)
from BrainstemALSLib.prediction.features import NAMES, features_of
from BrainstemALSLib.prediction.model_files import Training, write_model
from BrainstemALSLib.prediction.records import PersonRecord, VisitRecord, records_of
from BrainstemALSLib.prediction.stage_model import LEVELS

from ..cohort.truth import Truth
from ..commands import finish
from .source import (
    arguments,
    check_norms,
    few,
    keep_norms,
    target,
    training_of,
    without,
)
from .stage import people_to_learn_from, simulated_patients
from .stage_truth import events_past

SEED, SET_ASIDE_SEED = 42_002, 42_102
CONTROLS, SET_ASIDE = 1500, 2500
REFITS, ITERATIONS = 30, 100
LEAST_EFFECT, FDR = 0.15, 0.01
"""Smallest difference in standard deviations that makes an event, and its false discovery rate."""
TAILS = (0.5, 0.4, 0.3, 0.2, 0.15, 0.1, 0.07, 0.05, 0.03, 0.02, 0.01)
"""Of ``Margin``, to choose from."""
LEAST = 20
"""Patients and controls that have to have a predictor (own choice)."""


def worse(cohort: Cohort, norms: Norms) -> tuple[np.ndarray, np.ndarray]:
    """Return how abnormal first visits are: patients (n, e) and controls (m, e), as ``WORSE``."""
    people = first_images(cohort)
    z = features_of([p for p, _ in people], [v for _, v in people], norms).z
    values = z[:, [NAMES.index(name) for name in WORSE]] * np.array(list(WORSE.values()))
    group = np.array([p.group for p, _ in people])
    return values[group == "ALS"], values[group == "HC"]


def first_images(cohort: Cohort) -> list[tuple[PersonRecord, VisitRecord]]:
    """Return everybody with images, the scanner unknown, and the first visit that has them."""
    return [
        (replace(person, site=None), visit)
        for person in records_of(cohort)
        for visit in [v for v in person.visits if v.has_images][:1]
    ]


def fit_disease_stage(
    cohort: Cohort, norms: Norms, training: Training, seed: int, refits: int = REFITS
) -> DiseaseStageModel:
    """Fit the model.

    Raises
    ------
    BrainstemALSError
        USAGE: too few people, or they differ in too few predictors for an order.
    """
    patients, controls = worse(cohort, norms)
    names = np.array(list(WORSE))
    lacking = {*few(patients, names, LEAST), *few(controls, names, LEAST)}
    had = np.array([name not in lacking for name in names])
    if had.sum() < LEAST_EVENTS:
        raise BrainstemALSError(
            "cohort", f"{LEAST} patients with ALS and {LEAST} controls have {int(had.sum())} of "
            f"{len(names)} imaging predictors", f"An order needs {LEAST_EVENTS}: give a larger "
            "cohort, or more measures.", ExitCode.USAGE,
        )  # fmt: skip
    training = without(training, [str(name) for name in names[~had]])
    patients, controls, names = patients[:, had], controls[:, had], names[had]
    different = ttest_ind(patients, controls, nan_policy="omit", alternative="greater")
    effect = (np.nanmean(patients, 0) - np.nanmean(controls, 0)) / np.nanstd(controls, 0)
    kept = (false_discovery_control(np.asarray(different.pvalue)) < FDR) & (effect > LEAST_EFFECT)
    if kept.sum() < LEAST_EVENTS:
        raise BrainstemALSError(
            "cohort", f"patients differ from controls in {int(kept.sum())} predictors only",
            f"An order needs {LEAST_EVENTS}: give a larger cohort.", ExitCode.USAGE,
        )  # fmt: skip
    patients, controls = patients[:, kept], controls[:, kept]
    rng = np.random.default_rng(seed)
    mixtures, orders, priors = [], [], []
    for number in range(refits + 1):
        rows = [np.arange(len(group)) if number == 0 else rng.integers(len(group), size=len(group))
                for group in (patients, controls)]  # fmt: skip
        fitted = fit_mixtures(patients[rows[0]], controls[rows[1]])
        ratios = evidence(fitted, patients[rows[0]])
        order, _ = best_order(ratios, seed + number)
        mixtures.append(fitted)
        orders.append(np.asarray(order))
        priors.append(stage_shares(ratios, orders[-1]))
    place = [np.argsort(order) for order in orders]
    agreement = float(np.mean([kendalltau(place[0], other).statistic for other in place[1:]]))
    return DiseaseStageModel(
        tuple(str(name) for name in names[kept]), tuple(mixtures), tuple(orders),
        tuple(priors), agreement, training,
    )  # fmt: skip


def stage_shares(ratios: np.ndarray, order: np.ndarray) -> np.ndarray:
    """Return how many patients are at each stage (e + 1,), by expectation maximisation.

    One person more than there are is spread over all stages, so that none is impossible.
    """
    size = len(order) + 1
    shares = np.full(size, 1.0 / size)
    for _ in range(ITERATIONS):
        found = staged(ratios, order, shares).sum(axis=0) + 1.0 / size
        shares = found / found.sum()
    return shares


def posteriors(
    cohort: Cohort, truth: Truth, norms: Norms, model: DiseaseStageModel
) -> tuple[list[Posterior], np.ndarray, list[tuple[PersonRecord, VisitRecord]]]:
    """Return what the model says of patients, how many events are past, and who.

    Returns
    -------
    said : list of Posterior
        Of all whose images it reads, whether or not their intervals are an answer.
    past : numpy.ndarray of int, shape (n,)
        By the simulator.
    people : list
    """
    people, said = [], []
    for person, visit in first_images(cohort):
        if person.group == "ALS":
            found = posterior_of(person, visit, norms, model)
            if isinstance(found, Posterior):
                people.append((person, visit))
                said.append(found)
    names = [p.participant for p, _ in people], [v.session for _, v in people]
    return said, events_past(truth, *names, model.events).sum(axis=1), people


def with_margins(
    model: DiseaseStageModel, norms: Norms, seed: int, patients: int = SET_ASIDE
) -> DiseaseStageModel:
    """Return the model with intervals that hold the simulator's truth of other patients."""
    said, past, _ = posteriors(*simulated_patients(seed, patients), norms, model)
    return replace(model, margins=margins_of(np.array([one.share for one in said]), past))


def margins_of(shares: np.ndarray, past: np.ndarray) -> dict[float, Margin]:
    """Return the narrowest intervals that hold the truth of those who get a stage.

    As split conformal, but with a few ways to widen in place of one. Who is left without a stage
    depends on the interval that is shown, so both are chosen together; such a person counts as if
    told that all is possible. Without any way, nobody gets a stage.

    Parameters
    ----------
    shares : numpy.ndarray, shape (n, e + 1)
        Probabilities of 0, 1, ... e events, of people set aside.
    past : numpy.ndarray of int, shape (n,)
    """
    events = shares.shape[1] - 1
    ways = [Margin(tail, *by) for tail in TAILS for by in np.ndindex(events, events)]
    found, told = {}, np.ones(len(past), bool)
    inner = np.full(len(past), events), np.zeros(len(past), int)
    for level in LEVELS:
        best, found[level] = np.inf, Margin(0.0, events, events)
        for way in ways:
            low, high = ends_of(shares, way)
            low, high = np.minimum(low, inner[0]), np.maximum(high, inner[1])
            kept = ~too_wide(low, high, events) if level == LEVEL else told
            held = ((low <= past) & (past <= high))[kept].sum()
            cost = np.where(kept, high - low, events).mean()
            if held >= level * (kept.sum() + 1) and cost < best:
                best, found[level] = cost, way
        if level == LEVEL:
            inner = ends_of(shares, found[level])
            told = ~too_wide(*inner, events)
    return found


def main() -> None:
    given = arguments(__doc__ or "", KIND, SEED)

    def command() -> None:
        path = target(given, KIND)
        cohort, norms, seed = people_to_learn_from(given, CONTROLS)
        check_norms(given, path, norms)
        model = fit_disease_stage(cohort, norms, training_of(cohort, seed, norms), given.seed)
        if not given.cohort:
            model = with_margins(model, norms, SET_ASIDE_SEED)
        content = content_of(model)
        if model.margins:
            content["set_aside"] = {"seed": SET_ASIDE_SEED, "patients": SET_ASIDE}
        write_model(path, KIND, model.training, content)
        keep_norms(given, path, norms)
        order = " > ".join(model.events[k] for k in model.usual_order)
        print(f"Wrote {order} (agreement {model.agreement:.2f}): {path.name}")

    finish(command)


if __name__ == "__main__":
    main()
