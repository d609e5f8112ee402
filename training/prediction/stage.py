"""Fit the models of King's stage: ``python -m training.prediction.stage [--cohort DIR]``.

By default on simulated patients of many scanners, with the errors of the real segmentation and the
norms that come along; with ``--cohort`` on the tables of a real cohort (``brainstem-als cohort``).
Scanners are treated as unknown to the norms, as a clinic's will be. Under two minutes.
"""

from __future__ import annotations

import argparse
from dataclasses import dataclass, replace

import numpy as np

from BrainstemALSLib.cohort.tables import Cohort
from BrainstemALSLib.errors import BrainstemALSError, ExitCode
from BrainstemALSLib.norms import Norms, bundled_norms
from BrainstemALSLib.prediction.features import NAMES, features_of
from BrainstemALSLib.prediction.model_files import Training, write_model
from BrainstemALSLib.prediction.records import PersonRecord, records_of
from BrainstemALSLib.prediction.stage import clinical_predictors
from BrainstemALSLib.prediction.stage_model import KIND, SETS, STAGES, StageModels, content_of

from ..cohort.config import load_config
from ..cohort.errors import measured_errors
from ..cohort.scenario import Scenario
from ..cohort.simulate import simulate
from ..cohort.truth import Truth
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
from .stage_fit import REPLICATES, fit_model

SEED, PATIENTS, SITES = 41_002, 3000, 40
LEAST = 60
"""Visits of patients that a model needs; own choice."""
LEAST_SITES = 10
"""Sites from which on whole ones are held out, not single people; own choice."""


@dataclass(frozen=True, eq=False)
class StagedVisits:
    """Visits of patients with a stage of ``STAGES`` and images, one row each.

    Attributes
    ----------
    values : numpy.ndarray, shape (n, q)
        All predictors, ``columns``; NaN where missing.
    columns : tuple of str
    stage : numpy.ndarray of int, shape (n,)
        Places in ``STAGES``.
    person, site : numpy.ndarray of str, shape (n,)
        Empty where the site is not known.
    """

    values: np.ndarray
    columns: tuple[str, ...]
    stage: np.ndarray
    person: np.ndarray
    site: np.ndarray

    @property
    def held(self) -> np.ndarray:
        """What is held out together (n,): whole sites, or people where there are few sites."""
        return self.site if len(set(self.site)) >= LEAST_SITES else self.person

    def complete(self, predictors: tuple[str, ...]) -> tuple[np.ndarray, np.ndarray]:
        """Return the columns of some predictors, and which rows have them all."""
        table = self.values[:, [self.columns.index(name) for name in predictors]]
        return table, np.isfinite(table).all(axis=1)


def staged_visits(people: list[PersonRecord], norms: Norms) -> StagedVisits:
    """Return the visits that a stage model can learn from or be judged by."""
    pairs = [
        (person, visit)
        for person in people
        if person.group == "ALS"
        for visit in person.visits
        if visit.kings in STAGES and visit.has_images
    ]
    strangers = [replace(person, site=None) for person, _ in pairs]
    z = features_of(strangers, [v for _, v in pairs], norms).z
    clinical = sorted({name for names in SETS.values() for name in names} - set(NAMES))
    beside = np.full((len(pairs), len(clinical)), np.nan)
    for row, (person, visit) in enumerate(pairs):
        for name, value in clinical_predictors(person, visit).items():
            beside[row, clinical.index(name)] = value
    return StagedVisits(
        np.concatenate([z, beside], axis=1),
        (*NAMES, *clinical),
        np.array([STAGES.index(v.kings) for _, v in pairs], dtype=int),
        np.array([p.participant for p, _ in pairs]),
        np.array([p.site or "" for p, _ in pairs]),
    )


def fit_stages(
    cohort: Cohort,
    norms: Norms,
    training: Training,
    seed: int,
    replicates: int = REPLICATES,
) -> StageModels:
    """Fit the models of all sets that enough visits have.

    Raises
    ------
    BrainstemALSError
        USAGE: too few visits with images and a stage.
    """
    return fit_visits(staged_visits(records_of(cohort), norms), training, seed, replicates)


def fit_visits(
    visits: StagedVisits, training: Training, seed: int, replicates: int = REPLICATES
) -> StageModels:
    """Fit the models of all sets that enough visits have; as ``fit_stages``."""
    models = {}
    for key, predictors in SETS.items():
        values, there = visits.complete(predictors)
        if there.sum() >= LEAST:
            models[key] = fit_model(
                predictors, values[there], visits.stage[there], visits.person[there], seed,
                visits.held[there], replicates,
            )  # fmt: skip
    if not models:
        raise BrainstemALSError(
            "cohort", f"fewer than {LEAST} visits of patients have images and King's stage 1-4",
            "Give a larger cohort.", ExitCode.USAGE,
        )  # fmt: skip
    shares = np.bincount(visits.stage, minlength=len(STAGES)) / len(visits.stage)
    return StageModels(models, shares, without(training, few(visits.values, visits.columns)))


def simulated_patients(
    seed: int,
    patients: int = PATIENTS,
    controls: int = 0,
    scenario: Scenario | None = None,
    sites: int = SITES,
) -> tuple[Cohort, Truth]:
    """Return simulated people of many scanners: of a few, all would share the shift of a draw."""
    config = load_config().with_values(
        site__names=[f"scanner-{k:03d}" for k in range(1, sites + 1)],
        site__shares=[1.0 / sites] * sites,
    )
    return simulate(config, controls, patients, 0, seed, scenario, errors=measured_errors())


def people_to_learn_from(
    given: argparse.Namespace, controls: int = 0
) -> tuple[Cohort, Norms, int | None]:
    """Return the named cohort with norms of its controls, or simulated people with those that
    come along; and the seed of simulated ones."""
    if given.cohort:
        return learned_from(given, 0, 0)
    return simulated_patients(given.seed, controls=controls)[0], bundled_norms(), given.seed


def main() -> None:
    given = arguments(__doc__ or "", KIND, SEED)

    def command() -> None:
        path = target(given, KIND)
        cohort, norms, seed = people_to_learn_from(given)
        check_norms(given, path, norms)
        models = fit_stages(cohort, norms, training_of(cohort, seed, norms), given.seed)
        write_model(path, KIND, models.training, content_of(models.models, models.shares))
        keep_norms(given, path, norms)
        print(f"Wrote {len(models.models)} models, {models.training.statement}: {path.name}")

    finish(command)


if __name__ == "__main__":
    main()
