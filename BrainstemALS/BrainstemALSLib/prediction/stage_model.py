"""The form of the model of King's stage: proportional odds on a few predictors, as JSON.

    P(stage > k) = expit(x . beta - theta_k),  k = 1, 2, 3

McCullagh 1980, "Regression models for ordinal data", J R Stat Soc B 42:109-142. What is unsure of
the coefficients is kept as refits on people drawn again (bootstrap), so that thresholds stay in
order and visits of one person stay together.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from scipy.special import expit

from .features import FEATURES
from .model_files import Training, bundled, read_model, row_of, row_text

KIND = "stage"
STAGES = ("1", "2", "3", "4")
"""Those that are modelled: stage 0 is a patient without any loss in the scale, 5 is death."""
LEVELS = (0.8, 0.95)
"""Of intervals, and of runs of stages."""
CLINIC = ("bulbar_onset", "log_months", "age")
BREATH = "fvc"
LABELS = {
    "bulbar_onset": "Bulbar onset",
    "log_months": "Time since the first symptom",
    "age": "Age",
    "fvc": "Forced vital capacity",
} | {feature.name: feature.label for feature in FEATURES}
_IMAGES = {
    "all": tuple(f.name for f in FEATURES),
    "volumes": tuple(f.name for f in FEATURES if f.name.endswith("_volume")),
    "none": (),
}
_CLINICAL = {"images": (), "clinic": CLINIC, "clinic+fvc": (*CLINIC, BREATH)}
SETS = {
    (images, clinic): (*_IMAGES[images], *_CLINICAL[clinic])
    for images in _IMAGES
    for clinic in _CLINICAL
    if images != "none" or clinic != "images"
}
"""Predictors of each model: which images, and what is known of the patient beside them. Those
without images are what the others are compared with."""


@dataclass(frozen=True, eq=False)
class OrdinalModel:
    """A model of one set of predictors.

    Attributes
    ----------
    predictors : tuple of str
    mean, scale : numpy.ndarray, shape (p,)
        Of the training; predictors are standardised with them.
    theta : numpy.ndarray, shape (3,)
        Thresholds, rising.
    beta : numpy.ndarray, shape (p,)
        Log-odds of a higher stage per standard deviation.
    replicates : numpy.ndarray, shape (r, 3 + p)
        Refits: thresholds, then coefficients.
    far : float
        Mahalanobis distance that 0.1 % of the training was beyond.
    precision : numpy.ndarray, shape (p, p)
        Of the standardised predictors.
    reach : mapping of float to float
        Level of ``LEVELS`` to what the stages of a run have to sum up to, at the least, before no
        other joins it: so that runs of people held out of the fit held their stage that often. The
        level itself where it was not learned.
    """

    predictors: tuple[str, ...]
    mean: np.ndarray
    scale: np.ndarray
    theta: np.ndarray
    beta: np.ndarray
    replicates: np.ndarray
    far: float
    precision: np.ndarray
    reach: Mapping[float, float] = field(default_factory=lambda: {one: one for one in LEVELS})

    def standardised(self, values: np.ndarray) -> np.ndarray:
        """Return predictors (..., p) in standard deviations of the training."""
        return (values - self.mean) / self.scale

    def probabilities(self, values: np.ndarray) -> np.ndarray:
        """Return the probabilities (..., 4) of ``STAGES`` for predictors (..., p)."""
        return stage_probabilities(self.standardised(values) @ self.beta, self.theta)

    def drawn(self, values: np.ndarray, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
        """Return probabilities (d, 4) and contributions (d, p) of predictors drawn (d, p).

        Each draw is answered by one of the refits.
        """
        which = self.replicates[rng.integers(len(self.replicates), size=len(values))]
        cut = len(STAGES) - 1
        parts = self.standardised(values) * which[:, cut:]
        return stage_probabilities(parts.sum(axis=1), which[:, :cut]), parts

    def contributions(self, values: np.ndarray) -> np.ndarray:
        """Return what each predictor (p,) adds to the log-odds of a higher stage."""
        return self.standardised(values) * self.beta

    def distance(self, values: np.ndarray) -> np.ndarray:
        """Return the Mahalanobis distances (...) of predictors (..., p)."""
        x = self.standardised(values)
        return np.sqrt(np.maximum(np.einsum("...i,ij,...j->...", x, self.precision, x), 0.0))


def stage_probabilities(score: np.ndarray, theta: np.ndarray) -> np.ndarray:
    """Return probabilities (..., k + 1) from scores (...) and thresholds (k,) or (..., k).

    Examples
    --------
    >>> stage_probabilities(np.array(0.0), np.array([0.0])).tolist()
    [0.5, 0.5]
    """
    above = expit(np.asarray(score)[..., None] - theta)
    ones, zeros = np.ones((*above.shape[:-1], 1)), np.zeros((*above.shape[:-1], 1))
    return -np.diff(np.concatenate([ones, above, zeros], axis=-1), axis=-1)


def joined(probabilities: np.ndarray) -> np.ndarray:
    """Return what a run of neighbouring stages sums up to when each stage joins it, (n, k).

    A run begins with the most probable stage, to which nothing has been added, 0; the more probable
    one of its two neighbours joins next. Runs are nested.

    Parameters
    ----------
    probabilities : numpy.ndarray, shape (n, k)

    Examples
    --------
    >>> joined(np.array([[0.1, 0.5, 0.25, 0.15]])).tolist()
    [[0.9, 0.0, 0.5, 0.75]]
    """
    n, size = probabilities.shape
    rows = np.arange(n)
    edged = np.pad(probabilities, ((0, 0), (1, 1)), constant_values=-1.0)
    low = high = probabilities.argmax(axis=1)
    total = probabilities[rows, low]
    found = np.zeros((n, size))
    for _ in range(size - 1):
        down = edged[rows, low] > edged[rows, high + 2]
        low, high = np.where(down, low - 1, low), np.where(down, high, high + 1)
        new = np.where(down, low, high)
        found[rows, new] = total
        total = total + probabilities[rows, new]
    return found


@dataclass(frozen=True, eq=False)
class StageModels:
    """A file of models.

    Attributes
    ----------
    models : mapping
        Key of ``SETS`` to the model.
    shares : numpy.ndarray, shape (4,)
        Of ``STAGES`` in training.
    training : Training
    """

    models: Mapping[tuple[str, str], OrdinalModel]
    shares: np.ndarray
    training: Training


def content_of(models: Mapping[tuple[str, str], OrdinalModel], shares: np.ndarray) -> dict:
    """Return the JSON content of ``read_stage_models``."""
    return {
        "stages": list(STAGES),
        "shares": shares,
        "models": [
            {
                "images": images,
                "clinic": clinic,
                "predictors": list(m.predictors),
                "mean": row_text(m.mean, 5),
                "scale": row_text(m.scale, 5),
                "theta": row_text(m.theta, 5),
                "beta": row_text(m.beta, 5),
                "far": float(m.far),
                "precision": [row_text(row, 5) for row in m.precision],
                "reach": row_text([m.reach[level] for level in LEVELS], 5),
                "replicates": [row_text(row, 5) for row in m.replicates],
            }
            for (images, clinic), m in models.items()
        ],
    }


def read_stage_models(path: Path | None = None) -> StageModels:
    """Read models; the bundled ones by default.

    Raises
    ------
    BrainstemALSError
        MODEL_UNAVAILABLE: as ``model_files.read_model``.
    """
    training, content = read_model(path or bundled(KIND), KIND)
    models = {(m["images"], m["clinic"]): _model(m) for m in content["models"]}
    return StageModels(models, np.array(content["shares"]), training)


def _model(record: Mapping[str, Any]) -> OrdinalModel:
    numbers = {name: row_of(record[name]) for name in ("mean", "scale", "theta", "beta")}
    tables = {
        name: np.array([row_of(row) for row in record[name]])
        for name in ("replicates", "precision")
    }
    if "reach" in record:
        reach = row_of(record["reach"]).tolist()
        numbers["reach"] = dict(zip(LEVELS, reach, strict=True))
    return OrdinalModel(tuple(record["predictors"]), far=record["far"], **numbers, **tables)
