"""Contributions as another measurement of the same exam might have had them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from .classification import Classification
from .features import NAMES, features_of
from .norms_once import NormsOnce
from .records import PersonRecord, VisitRecord
from .stage import StagePrediction, clinical_predictors
from .survival_predictors import IMAGING, PREDICTORS, predictors_of, transform
from .survival_result import SurvivalPrediction

if TYPE_CHECKING:
    from .models import Models

DRAWS, SEED = 300, 81


@dataclass(frozen=True, eq=False)
class Draws:
    """Contributions to one part, drawn.

    Attributes
    ----------
    names : tuple of str
    measured : numpy.ndarray, shape (d, p)
        With the model as it is: only the measurement differs.
    refitted : numpy.ndarray, shape (d, p), or None
        What the fit leaves open differs too; of the classification only.
    """

    names: tuple[str, ...]
    measured: np.ndarray
    refitted: np.ndarray | None = None

    def steadiness(
        self, name: str, value: float, inside: bool, largest: int
    ) -> tuple[float, float]:
        """Return the shares of draws in which sign and place of a contribution stay.

        Parameters
        ----------
        name : str
        value : float
            As it came out.
        inside : bool
            Whether it was among the largest.
        largest : int
            How many these are.
        """
        column = self.names.index(name)
        sign = np.sign(self.measured[:, column]) == np.sign(value)
        size = np.nan_to_num(np.abs(self.measured))
        place = (size > size[:, column, None]).sum(axis=1) < largest
        return float(sign.mean()), float((place == inside).mean())


def drawn_parts(
    person: PersonRecord,
    visit: VisitRecord | None,
    norms: NormsOnce | None,
    models: Models,
    classified: Classification | None,
    staged: StagePrediction | None,
    survival: SurvivalPrediction | None,
) -> dict[str, Draws]:
    """Return the draws of each part that has answered."""
    found: dict[str, Draws] = {}
    if norms is None:
        return found
    rng = np.random.default_rng(SEED)
    if visit is not None:
        values = features_of([person], [visit], norms)
        z = models.measurement.drawn(values, DRAWS, rng)[:, 0]
        if classified is not None and classified.probability is not None:
            found["classification"] = _of_class(z, models, classified, rng)
        if staged is not None and staged.probabilities is not None:
            found["stage"] = _of_stage(person, visit, z, models, staged)
    if survival is not None and survival.curve is not None:
        found["survival"] = _of_survival(person, norms, models, rng)
    return found


def _of_class(
    z: np.ndarray, models: Models, answer: Classification, rng: np.random.Generator
) -> Draws:
    model = models.classification.models[answer.question, answer.used]
    again = z[:, [NAMES.index(name) for name in model.features]]
    _, slopes = model.drawn(DRAWS, rng)
    return Draws(model.features, model.contributions(again), model.contributions(again, slopes))


def _of_stage(
    person: PersonRecord, visit: VisitRecord, z: np.ndarray, models: Models,
    answer: StagePrediction,
) -> Draws:  # fmt: skip
    model = models.stage.models[answer.images, answer.clinic]
    clinic = clinical_predictors(person, visit)
    table = np.column_stack(
        [
            z[:, NAMES.index(name)] if name in NAMES else np.full(DRAWS, clinic[name])
            for name in model.predictors
        ]
    )
    return Draws(tuple(model.predictors), model.contributions(table))


def _of_survival(
    person: PersonRecord, norms: NormsOnce, models: Models, rng: np.random.Generator
) -> Draws:
    model = models.survival
    values = predictors_of([person], norms)
    raw = np.repeat(values.raw, DRAWS, axis=0)
    raw[:, IMAGING] = models.measurement.drawn(values.images, DRAWS, rng)[:, 0]
    return Draws(PREDICTORS, model.standardised(transform(raw)) * model.beta)
