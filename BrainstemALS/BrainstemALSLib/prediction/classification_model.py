"""The form of a classifier: log-odds as a sum of one curve a feature, with what is unsure of them.

    log-odds = offset + slope * (intercept + curve_1(z_1) + ... + curve_p(z_p))

- A curve is piecewise linear: knots and values. With two knots it is a straight line, and the
  whole a penalised logistic regression; with more, a glass-box additive model. It is 0 at the mean
  of the healthy people of the training, and does not rise or fall beyond its outer knots.
- ``offset`` and ``slope`` are Platt's calibration (1999, "Probabilistic outputs for support vector
  machines"), learned from predictions for sites that the curves had not seen. It is a straight
  line so that contributions still add up to the log-odds; isotonic steps would not.
- The covariance of intercept and slopes is that of the Laplace approximation: the inverse of the
  curvature of the penalised log-likelihood (MacKay 1992, doi:10.1162/neco.1992.4.5.720).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from scipy.special import logit

from ..norms.score import Norms
from .features import FEATURES
from .model_files import (
    Training,
    bundled,
    lower_rows,
    matrix_of,
    read_model,
    row_of,
    row_text,
)

KIND = "classification"
QUESTIONS = {
    "healthy": (("HC",), "healthy people"),
    "mimics": (("MIMIC",), "people with diseases that resemble ALS"),
    "others": (("HC", "MIMIC"), "healthy people and people with diseases that resemble ALS"),
}
"""Whom ALS is told from: groups of a cohort, and words."""
SETS = ("all", "volumes")
"""All features, or volumes alone: many exams have no diffusion images."""
PATIENTS = "ALS"


@dataclass(frozen=True, eq=False)
class Domain:
    """Where a model may be asked.

    Attributes
    ----------
    centres : numpy.ndarray, shape (2, p)
        Mean features of the others and of the patients in training.
    precision : numpy.ndarray, shape (p, p)
        Inverse of the covariance within groups.
    unusual, outside : float
        Distances that 1 % and 0.1 % of the people in training were beyond.
    """

    centres: np.ndarray
    precision: np.ndarray
    unusual: float
    outside: float

    def distance(self, z: np.ndarray) -> np.ndarray:
        """Return the Mahalanobis distance (n,) of features (n, p) to the nearer centre."""
        away = z[:, None, :] - self.centres
        squared = np.einsum("ngi,ij,ngj->ng", away, self.precision, away)
        return np.sqrt(np.maximum(squared, 0.0).min(axis=1))


@dataclass(frozen=True, eq=False)
class Classifier:
    """A fitted model of one question and one set of features.

    Attributes
    ----------
    features : tuple of str
        Names, as in ``features.FEATURES``.
    reference : numpy.ndarray, shape (p,)
        Mean features of the healthy people of the training.
    knots, values : tuple of numpy.ndarray
        Of each curve; values in log-odds before calibration.
    intercept : float
    covariance : numpy.ndarray, shape (1 + s, 1 + s)
        Of the intercept and of the slopes of all segments between knots.
    offset, slope : float
        Calibration.
    prevalence : float
        Share of patients in training.
    domain : Domain
    """

    features: tuple[str, ...]
    reference: np.ndarray
    knots: tuple[np.ndarray, ...]
    values: tuple[np.ndarray, ...]
    intercept: float
    covariance: np.ndarray
    offset: float
    slope: float
    prevalence: float
    domain: Domain

    @cached_property
    def segments(self) -> Segments:
        """The stretches between knots."""
        return segments(self.knots, self.reference)

    @cached_property
    def slopes(self) -> np.ndarray:
        """Slope of each segment (s,), log-odds per SD before calibration."""
        return np.concatenate(
            [np.diff(v) / np.diff(k) for k, v in zip(self.knots, self.values, strict=True)]
        )

    def baseline(self, prior: float | None = None) -> float:
        """Return the log-odds of the average healthy person of the training.

        Parameters
        ----------
        prior : float, optional
            Share of patients among those who are asked about; that of the training by default.
        """
        shift = 0.0 if prior is None else float(logit(prior) - logit(self.prevalence))
        return self.offset + self.slope * self.intercept + shift

    def contributions(self, z: np.ndarray, slopes: np.ndarray | None = None) -> np.ndarray:
        """Return what each feature adds to the log-odds, shape as ``z`` (..., p).

        Parameters
        ----------
        z : numpy.ndarray, shape (..., p)
        slopes : numpy.ndarray, shape (..., s), optional
            Instead of the fitted ones.
        """
        parts = self.segments.lengths(z) * (self.slopes if slopes is None else slopes)
        return self.slope * np.add.reduceat(parts, self.segments.starts, axis=-1)

    def log_odds(self, z: np.ndarray, prior: float | None = None) -> np.ndarray:
        """Return calibrated log-odds (...) of features (..., p)."""
        return self.baseline(prior) + self.contributions(z).sum(axis=-1)

    def drawn(self, draws: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
        """Return intercepts (draws,) and slopes (draws, s) as they might have been fitted."""
        size, vectors = np.linalg.eigh(self.covariance)
        root = vectors * np.sqrt(np.maximum(size, 0.0))
        found = rng.standard_normal((draws, len(root))) @ root.T
        return self.intercept + found[:, 0], self.slopes + found[:, 1:]


@dataclass(frozen=True, eq=False)
class Segments:
    """Stretches between knots, those of one feature side by side.

    Attributes
    ----------
    feature : numpy.ndarray of int, shape (s,)
    low, high, reference : numpy.ndarray, shape (s,)
        Ends of the segment, and the feature's reference within them.
    starts : numpy.ndarray of int, shape (p,)
        First segment of each feature.
    """

    feature: np.ndarray
    low: np.ndarray
    high: np.ndarray
    reference: np.ndarray
    starts: np.ndarray

    def lengths(self, z: np.ndarray) -> np.ndarray:
        """Return how far z (..., p) reaches into each segment from the reference, (..., s)."""
        return np.clip(z[..., self.feature], self.low, self.high) - self.reference


def segments(knots: tuple[np.ndarray, ...], reference: np.ndarray) -> Segments:
    """Return the segments of curves with these knots that are 0 at the reference (p,)."""
    counts = np.array([len(k) - 1 for k in knots])
    feature = np.repeat(np.arange(len(knots)), counts)
    low, high = (np.concatenate([k[part] for k in knots]) for part in (slice(-1), slice(1, None)))
    starts = np.concatenate([[0], np.cumsum(counts)[:-1]]).astype(int)
    return Segments(feature, low, high, np.clip(reference[feature], low, high), starts)


def curve_values(knots: np.ndarray, slopes: np.ndarray, reference: float) -> np.ndarray:
    """Return a curve's values at its knots from the slopes between them; 0 at the reference."""
    values = np.concatenate([[0.0], np.cumsum(slopes * np.diff(knots))])
    return values - np.interp(reference, knots, values)


@dataclass(frozen=True, eq=False)
class Classifiers:
    """A file of models.

    Attributes
    ----------
    form : str
        ``logistic`` or ``additive``.
    models : mapping
        Question and set of features to the model; a question may be missing.
    ages : tuple of float
        Youngest and oldest person of the training, years.
    norms : mapping
        Of ``known_norms``, of the training; empty where every site had norms of its own.
    training : Training
    """

    form: str
    models: Mapping[tuple[str, str], Classifier]
    ages: tuple[float, float]
    norms: Mapping[str, Any]
    training: Training


def known_norms(norms: Norms) -> dict[str, Any]:
    """Return what tells norms from others: source, controls, seed, and the controls' means.

    The means tell norms of one simulation from those of the same one measured otherwise.
    """
    population = norms.population
    models = [norms.model(*key) for feature in FEATURES for key in feature.keys]
    return {
        "source": population.source,
        "controls": population.n,
        "seed": population.seed,
        "means": " ".join("n/a" if model is None else f"{model.centre:.5g}" for model in models),
    }


def content_of(
    form: str,
    models: Mapping[tuple[str, str], Classifier],
    ages: tuple[float, float],
    norms: Mapping[str, Any],
) -> dict[str, Any]:
    """Return the JSON content of ``read_classifiers``."""
    return {
        "form": form,
        "ages": list(ages),
        "norms": dict(norms),
        "models": [
            {"question": question, "set": which, **_record(model)}
            for (question, which), model in models.items()
        ],
    }


def read_classifiers(path: Path | None = None) -> Classifiers:
    """Read models; the bundled ones by default.

    Raises
    ------
    BrainstemALSError
        MODEL_UNAVAILABLE: as ``model_files.read_model``.
    """
    return classifiers_of(*read_model(path or bundled(KIND), KIND))


def classifiers_of(training: Training, content: Mapping[str, Any]) -> Classifiers:
    """Return models from what ``content_of`` made of them."""
    models = {(m["question"], m["set"]): _model(m) for m in content["models"]}
    ages = tuple(content["ages"])
    return Classifiers(content["form"], models, ages, content["norms"], training)


def _record(model: Classifier) -> dict[str, Any]:
    domain = model.domain
    return {
        "prevalence": model.prevalence,
        "intercept": model.intercept,
        "calibration": {"offset": model.offset, "slope": model.slope},
        "curves": [
            {"feature": name, "reference": at, "knots": row_text(k), "values": row_text(v)}
            for name, at, k, v in zip(
                model.features, model.reference, model.knots, model.values, strict=True
            )
        ],
        "covariance_lower": lower_rows(model.covariance),
        "domain": {
            "centres": [row_text(row) for row in domain.centres],
            "precision_lower": lower_rows(domain.precision),
            "unusual": domain.unusual,
            "outside": domain.outside,
        },
    }


def _model(record: Mapping[str, Any]) -> Classifier:
    curves, domain = record["curves"], record["domain"]
    return Classifier(
        tuple(c["feature"] for c in curves),
        np.array([c["reference"] for c in curves]),
        tuple(row_of(c["knots"]) for c in curves),
        tuple(row_of(c["values"]) for c in curves),
        record["intercept"],
        matrix_of(record["covariance_lower"]),
        record["calibration"]["offset"],
        record["calibration"]["slope"],
        record["prevalence"],
        Domain(
            np.array([row_of(row) for row in domain["centres"]]),
            matrix_of(domain["precision_lower"]),
            domain["unusual"],
            domain["outside"],
        ),
    )
