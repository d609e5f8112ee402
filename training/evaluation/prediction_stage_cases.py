"""New patients for the page of the stages: measured, without error, and where images are silent."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from BrainstemALSLib.norms import Norms
from BrainstemALSLib.prediction.features import NAMES, features_of
from BrainstemALSLib.prediction.records import PersonRecord, VisitRecord, records_of
from BrainstemALSLib.prediction.stage import StagePrediction, clinical_predictors, predict_stage
from BrainstemALSLib.prediction.stage_model import SETS, STAGES, OrdinalModel, StageModels

from ..cohort.scenario import Scenario
from ..prediction.stage import StagedVisits, simulated_patients, staged_visits
from ..prediction.stage_fit import fit_model, ranked_probability_score

CLEAN = Scenario(site_effect=0.0, measurement_error=0.0)
"""The same people in an average scanner that does not err."""
SILENT = Scenario(imaging_effect=0.0)
NEW_SITES = 200
"""Scanners of new patients; none was in training, and their draw shall not decide."""
ADDED = (("clinic", "clinic"), ("clinic+fvc", "clinic+fvc"), ("images", None))
"""What is known beside all images, and what they are compared with: None is the stages' shares."""
Pair = tuple[PersonRecord, VisitRecord]


def new_visits(
    seed: int, patients: int, norms: Norms, scenario: Scenario | None = None
) -> StagedVisits:
    """Return visits of new patients of new scanners."""
    cohort, _ = simulated_patients(seed, patients, scenario=scenario, sites=NEW_SITES)
    return staged_visits(records_of(cohort), norms)


def together(parts: Sequence[StagedVisits]) -> StagedVisits:
    """Return visits of several cohorts in one; their people and scanners are not the same."""

    def named(name: str) -> np.ndarray:
        return np.concatenate(
            [np.char.add(f"{k} ", getattr(one, name)) for k, one in enumerate(parts)]
        )

    return StagedVisits(
        np.concatenate([one.values for one in parts]),
        parts[0].columns,
        np.concatenate([one.stage for one in parts]),
        named("person"),
        named("site"),
    )


def fitted(visits: StagedVisits, key: tuple[str, str], seed: int) -> OrdinalModel:
    """Fit one model as ``training.prediction.stage`` does, without refits."""
    values, there = visits.complete(SETS[key])
    parts = visits.stage[there], visits.person[there], seed, visits.held[there]
    return fit_model(SETS[key], values[there], *parts, replicates=0)


def permuted(visits: StagedVisits, seed: int) -> StagedVisits:
    """Return visits whose stages were dealt out anew."""
    return replace(visits, stage=np.random.default_rng(seed).permutation(visits.stage))


def refitted(visits: StagedVisits, seed: int) -> dict[tuple[str, str], OrdinalModel]:
    """Fit what ``gain_of_images`` compares."""
    keys = [("all", clinic) for clinic, _ in ADDED]
    keys += [("none", clinic) for _, clinic in ADDED if clinic]
    return {key: fitted(visits, key, seed) for key in keys}


def gain_of_images(
    models: dict[tuple[str, str], OrdinalModel],
    shares: np.ndarray,
    visits: StagedVisits,
    clinic: str,
    other: str | None,
) -> tuple[np.ndarray, np.ndarray]:
    """Return the gain (n,) in score of each visit by images, and whose visit it is."""
    model = models["all", clinic]
    values, there = visits.complete(model.predictors)
    stage, told = visits.stage[there], model.probabilities(values[there])
    if other is None:
        plain = np.broadcast_to(shares, told.shape)
    else:
        less = models["none", other]
        plain = less.probabilities(visits.complete(less.predictors)[0][there])
    gain = ranked_probability_score(plain, stage) - ranked_probability_score(told, stage)
    return gain, visits.person[there]


def shares_of(visits: StagedVisits) -> np.ndarray:
    """Return the shares of the stages (4,)."""
    return np.bincount(visits.stage, minlength=len(STAGES)) / len(visits.stage)


def measured_twice(
    seed: int, patients: int, scenario: Scenario | None = None
) -> dict[tuple[str, str], Pair]:
    """Return patients' visits with images by name; the same people with every scenario."""
    cohort, _ = simulated_patients(seed, patients, scenario=scenario, sites=NEW_SITES)
    return {
        (person.participant, visit.session): (replace(person, site=None), visit)
        for person in records_of(cohort)
        for visit in person.visits
        if visit.has_images
    }


def predictors(pair: Pair, norms: Norms, names: Sequence[str]) -> np.ndarray:
    """Return the values (p,) of these predictors."""
    z = features_of([pair[0]], [pair[1]], norms).z[0]
    known = dict(zip(NAMES, z, strict=True)) | clinical_predictors(*pair)
    return np.array([known[name] for name in names])


def answers(
    measured: dict[tuple[str, str], Pair],
    clean: dict[tuple[str, str], Pair],
    norms: Norms,
    models: StageModels,
    key: tuple[str, str],
) -> tuple[list[StagePrediction], np.ndarray, np.ndarray]:
    """Return answers of one model, its predictors without error (n, p), and whose they are."""
    found, values, person = [], [], []
    for name, pair in measured.items():
        answer = predict_stage(*pair, norms, models, use_clinic=key[1] != "images")
        if answer.probabilities is not None and (answer.images, answer.clinic) == key:
            found.append(answer)
            values.append(predictors(clean[name], norms, SETS[key]))
            person.append(name[0])
    return found, np.array(values), np.array(person)
