"""Fit the data-driven stage: ``python -m training.prediction.disease_stage [--cohort DIR]``.

Events are the imaging predictors in which patients differ from controls; their order is that of the
event-based model on first visits. By default on a simulated cohort with the errors of the real
segmentation. About a minute.
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
    WORSE,
    DiseaseStageModel,
    content_of,
    evidence,
    staged,
)
from BrainstemALSLib.prediction.features import NAMES, features_of
from BrainstemALSLib.prediction.model_files import Training, write_model
from BrainstemALSLib.prediction.records import records_of

from ..commands import finish
from .source import (
    arguments,
    check_norms,
    few,
    keep_norms,
    learned_from,
    target,
    training_of,
    without,
)
from .stage import CONTROLS, PATIENTS

SEED = 42_001
REFITS, ITERATIONS = 30, 100
LEAST_EFFECT, FDR = 0.15, 0.01
"""Smallest difference in standard deviations that makes an event, and its false discovery rate."""
LEAST = 20
"""Patients and controls that have to have a predictor (own choice)."""


def worse(cohort: Cohort, norms: Norms) -> tuple[np.ndarray, np.ndarray]:
    """Return how abnormal first visits are: patients (n, e) and controls (m, e), as ``WORSE``."""
    people = [
        (replace(person, site=None), visit)
        for person in records_of(cohort)
        for visit in [v for v in person.visits if v.has_images][:1]
    ]
    z = features_of([p for p, _ in people], [v for _, v in people], norms).z
    values = z[:, [NAMES.index(name) for name in WORSE]] * np.array(list(WORSE.values()))
    group = np.array([p.group for p, _ in people])
    return values[group == "ALS"], values[group == "HC"]


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


def main() -> None:
    given = arguments(__doc__ or "", KIND, SEED)

    def command() -> None:
        path = target(given, KIND)
        cohort, norms, seed = learned_from(given, PATIENTS, CONTROLS)
        check_norms(given, path, norms)
        model = fit_disease_stage(cohort, norms, training_of(cohort, seed, norms), given.seed)
        write_model(path, KIND, model.training, content_of(model))
        keep_norms(given, path, norms)
        order = " > ".join(model.events[k] for k in model.orders[0])
        print(f"Wrote {order} (agreement {model.agreement:.2f}): {path.name}")

    finish(command)


if __name__ == "__main__":
    main()
