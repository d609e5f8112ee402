"""Fit the models of King's stage: ``python -m training.prediction.stage [--cohort DIR]``.

By default on a simulated cohort with the errors of the real segmentation; with
``--cohort`` on the tables of a real one (``brainstem-als cohort``). Scanners are treated as unknown
to the norms, as a clinic's will be. Under two minutes.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from BrainstemALSLib.cohort.tables import Cohort
from BrainstemALSLib.errors import BrainstemALSError, ExitCode
from BrainstemALSLib.norms import Norms
from BrainstemALSLib.prediction.features import NAMES, features_of
from BrainstemALSLib.prediction.model_files import Training, write_model
from BrainstemALSLib.prediction.records import PersonRecord, records_of
from BrainstemALSLib.prediction.stage import clinical_predictors
from BrainstemALSLib.prediction.stage_model import KIND, SETS, STAGES, StageModels, content_of

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
from .stage_fit import fit_model

SEED, PATIENTS, CONTROLS = 41_001, 1500, 600
LEAST = 60
"""Visits of patients that a model needs; own choice."""


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
    person : numpy.ndarray of str, shape (n,)
    """

    values: np.ndarray
    columns: tuple[str, ...]
    stage: np.ndarray
    person: np.ndarray

    def complete(self, predictors: tuple[str, ...]) -> tuple[np.ndarray, np.ndarray]:
        """Return the columns of some predictors, and which rows have them all."""
        table = self.values[:, [self.columns.index(name) for name in predictors]]
        return table, np.isfinite(table).all(axis=1)


def staged_visits(people: list[PersonRecord], norms: Norms) -> StagedVisits:
    """Return the visits that a stage model can learn from or be judged by."""
    pairs = [
        (replace(person, site=None), visit)
        for person in people
        if person.group == "ALS"
        for visit in person.visits
        if visit.kings in STAGES and visit.has_images
    ]
    z = features_of([p for p, _ in pairs], [v for _, v in pairs], norms).z
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
    )


def fit_stages(cohort: Cohort, norms: Norms, training: Training, seed: int) -> StageModels:
    """Fit the models of all sets that enough visits have.

    Raises
    ------
    BrainstemALSError
        USAGE: too few visits with images and a stage.
    """
    visits = staged_visits(records_of(cohort), norms)
    models = {}
    for key, predictors in SETS.items():
        values, there = visits.complete(predictors)
        if there.sum() >= LEAST:
            parts = visits.stage[there], visits.person[there]
            models[key] = fit_model(predictors, values[there], *parts, seed)
    if not models:
        raise BrainstemALSError(
            "cohort", f"fewer than {LEAST} visits of patients have images and King's stage 1-4",
            "Give a larger cohort.", ExitCode.USAGE,
        )  # fmt: skip
    shares = np.bincount(visits.stage, minlength=len(STAGES)) / len(visits.stage)
    return StageModels(models, shares, without(training, few(visits.values, visits.columns)))


def main() -> None:
    given = arguments(__doc__ or "", KIND, SEED)

    def command() -> None:
        path = target(given, KIND)
        cohort, norms, seed = learned_from(given, PATIENTS, CONTROLS)
        check_norms(given, path, norms)
        models = fit_stages(cohort, norms, training_of(cohort, seed, norms), given.seed)
        write_model(path, KIND, models.training, content_of(models.models, models.shares))
        keep_norms(given, path, norms)
        print(f"Wrote {len(models.models)} models, {models.training.statement}: {path.name}")

    finish(command)


if __name__ == "__main__":
    main()
