"""All that can be said of one person: each part on its own, and none takes the others down.

    prediction = predict(read_person(path), bundled_norms(), read_models())

A part whose model is missing, whose input is not there or is outside of what it has learned from
says nothing, and a finding says why. Nothing is written here.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

from ..errors import BrainstemALSError, ExitCode
from ..imaging.finding import Finding
from ..norms.score import CENTRAL, Norms
from .classification import Classification, classify
from .classification_model import Classifiers, read_classifiers
from .disease_stage import (
    DiseaseStage,
    DiseaseStageModel,
    predict_disease_stage,
    read_disease_stage,
)
from .explain import Explanation, explain
from .explain_reference import References, read_references
from .features import FEATURES, FeatureValues, features_of
from .norms_once import NormsOnce
from .person_checks import about_person
from .progression import Forecast, ProgressionModel, load_progression
from .records import PersonRecord, VisitRecord
from .stage import StagePrediction, predict_stage
from .stage_model import StageModels, read_stage_models
from .survival import predict_survival
from .survival_model import SurvivalModel, read_survival
from .survival_result import SurvivalPrediction

PARTS = {
    "classification": "Consistency with ALS",
    "stage": "King's stage suggested by the images",
    "disease_stage": "Data-driven stage",
    "progression": "Forecast of ALSFRS-R and FVC",
    "survival": "Survival and respiratory failure",
    "reference": "Nearest reference patients",
}
"""What has a model of its own, and its name for people."""
_READERS: Mapping[str, Callable[[Path | None], Any]] = {
    "classification": read_classifiers,
    "stage": read_stage_models,
    "disease_stage": read_disease_stage,
    "progression": load_progression,
    "survival": read_survival,
    "reference": read_references,
}
T = TypeVar("T")


@dataclass(frozen=True, eq=False)
class Models:
    """The models of all parts; None where one could not be read.

    Attributes
    ----------
    classification, stage, disease_stage, progression, survival, reference : object or None
    absent : mapping
        Part to why it has no model.
    """

    classification: Classifiers | None = None
    stage: StageModels | None = None
    disease_stage: DiseaseStageModel | None = None
    progression: ProgressionModel | None = None
    survival: SurvivalModel | None = None
    reference: References | None = None
    absent: Mapping[str, str] = field(default_factory=dict)

    def simulated(self, part: str) -> bool:
        """Whether a part was learned from simulated people; True for one without a model."""
        model = getattr(self, part)
        return model is None or model.training.source == "simulated"


def read_models(folder: Path | None = None) -> Models:
    """Read the models of all parts; one that cannot be read is left out.

    Parameters
    ----------
    folder : Path, optional
        With ``<part>.json`` of ``PARTS``; the bundled ones by default.
    """
    found: dict[str, Any] = {}
    absent: dict[str, str] = {}
    for part, read in _READERS.items():
        try:
            found[part] = read(None if folder is None else folder / f"{part}.json")
        except BrainstemALSError as error:
            absent[part] = error.problem
        except (KeyError, TypeError, ValueError, IndexError):
            # The checksum holds, but the content is of another version than this code.
            absent[part] = "it lacks what this version reads"
    return Models(**found, absent=absent)


@dataclass(frozen=True)
class NormedFeature:
    """Where one imaging predictor stands among healthy people.

    Attributes
    ----------
    name, label : str
    z, low, high : float or None
        With its 95 % interval; None where there is no score.
    reason : str
        Code of ``norms.reasons``; empty where there is a score.
    """

    name: str
    label: str
    z: float | None
    low: float | None
    high: float | None
    reason: str


@dataclass(frozen=True, eq=False)
class Prediction:
    """What is predicted of one person.

    Attributes
    ----------
    person : PersonRecord
        As known at the last visit that was used.
    imaged : VisitRecord or None
        The last visit with images: that of classification, stages and explanation.
    normed : tuple of NormedFeature
    norms_statement : str
        Whom the norms were fitted on; empty without norms.
    classification, stage, disease_stage, progression, survival : object or None
        None where the part could not answer at all; ``findings`` says why. A part that is there
        may still abstain.
    explanation : Explanation or None
    simulated : mapping
        Of ``PARTS`` and ``norms``: whether it was learned from simulated people.
    findings : tuple of (str, Finding)
        Of the person and of all parts: a key of ``PARTS``, ``person`` or ``explanation``; errors
        first.
    """

    person: PersonRecord
    imaged: VisitRecord | None
    normed: tuple[NormedFeature, ...]
    norms_statement: str
    classification: Classification | None
    stage: StagePrediction | None
    disease_stage: DiseaseStage | None
    progression: Forecast | None
    survival: SurvivalPrediction | None
    explanation: Explanation | None
    simulated: Mapping[str, bool]
    findings: tuple[tuple[str, Finding], ...]

    def answers(self, part: str) -> bool:
        """Whether a part gives a number."""
        found = getattr(self, part, None)
        if part == "reference":
            return bool(self.explanation and self.explanation.neighbours)
        name = {
            "classification": "probability", "stage": "probabilities", "disease_stage": "stage",
            "progression": "horizons", "survival": "curve",
        }[part]  # fmt: skip
        return found is not None and getattr(found, name) is not None


def predict(
    person: PersonRecord,
    norms: Norms | None,
    models: Models,
    prior: float | None = None,
    strict: bool = False,
) -> Prediction:
    """Predict all parts of one person.

    Parameters
    ----------
    person : PersonRecord
        All its visits are used; ``person.until(n)`` for the first n.
    norms : Norms or None
        None leaves the images out.
    models : Models
    prior : float, optional
        Share of ALS among the people of whom this one is, for the classification.
    strict : bool
        Let what nobody has foreseen through, to see where it was.

    Raises
    ------
    BrainstemALSError
        USAGE: no visit, or a prior that is no share.
    """
    if not person.visits:
        raise BrainstemALSError(
            "patient record", "there is no visit", "Give one visit at least.", ExitCode.USAGE
        )
    if prior is not None and not 0.0 < prior < 1.0:
        raise BrainstemALSError(
            "prior", "it is no share between 0 and 1", "Give 0.3 for 30 %.", ExitCode.USAGE
        )
    once = None if norms is None else NormsOnce(norms)
    imaged = next((v for v in reversed(person.visits) if v.has_images), None)
    said: list[tuple[str, Finding]] = [("person", f) for f in about_person(person)]
    said += [(part, _without_model(part, why)) for part, why in models.absent.items()]
    if norms is None:
        said.append(("person", _without_norms()))
    elif norms.population.source == "simulated":
        said += [(part, _other_norms()) for part in PARTS if _needs_real_norms(models, part)]

    def attempt(part: str, ask: Callable[[], T], needs: bool = True) -> T | None:
        if not needs or part in models.absent:
            return None
        return _attempt(part, ask, said, strict)

    def images_of(part: str) -> bool:
        if once is not None and imaged is None and part not in models.absent:
            said.append((part, _without_images(part)))
        return once is not None and imaged is not None

    classified = attempt(
        "classification",
        lambda: classify(person, once, imaged, models=models.classification, prior=prior),
        images_of("classification"),
    )
    staged = attempt(
        "stage",
        # Images alone: beside FVC they add next to nothing (docs/results/prediction_stage.md), and
        # a stage from FVC would not be what the images suggest.
        lambda: predict_stage(person, imaged, once, models.stage, use_clinic=False),
        images_of("stage"),
    )
    disease = attempt(
        "disease_stage",
        lambda: predict_disease_stage(person, imaged, once, models.disease_stage),
        images_of("disease_stage"),
    )
    forecast = attempt("progression", lambda: models.progression.forecast(person, once))
    survival = attempt("survival", lambda: predict_survival(person, models.survival, once))
    explanation = _attempt(
        "explanation",
        lambda: explain(person, imaged, once, models, classified, staged, survival, prior),
        said, strict,
    )  # fmt: skip
    normed = _attempt("norms", lambda: _normed(person, imaged, once), said, strict) or ()
    for part, answer in (
        ("classification", classified), ("stage", staged), ("disease_stage", disease),
        ("progression", forecast), ("survival", survival), ("explanation", explanation),
    ):  # fmt: skip
        said += [(part, finding) for finding in (answer.findings if answer else ())]
    said += [("reference", finding) for finding in (explanation.nobody if explanation else ())]
    order = {"error": 0, "warning": 1, "info": 2}
    return Prediction(
        person, imaged, normed, norms.population.statement if norms else "",
        classified, staged, disease, forecast, survival, explanation,
        {part: models.simulated(part) for part in PARTS}
        | {"norms": norms is None or norms.population.source == "simulated"},
        tuple(sorted(said, key=lambda one: order[one[1].severity])),
    )  # fmt: skip


def _attempt(
    part: str, ask: Callable[[], T], said: list[tuple[str, Finding]], strict: bool
) -> T | None:
    """Return an answer, or None and say why there is none."""
    try:
        return ask()
    except BrainstemALSError as refusal:
        said.append((part, Finding(f"{part}-refused", "error", refusal.problem, refusal.remedy)))
    except Exception as problem:
        if strict:
            raise
        # Its text may hold values of the patient.
        said.append((part, Finding(
            f"{part}-failed", "error", f"this part has failed ({type(problem).__name__})",
            "Run brainstem-als predict with --debug, and report what it shows.",
        )))  # fmt: skip
    return None


def _normed(
    person: PersonRecord, visit: VisitRecord | None, norms: NormsOnce | None
) -> tuple[NormedFeature, ...]:
    if visit is None or norms is None:
        return ()
    values: FeatureValues = features_of([person], [visit], norms)
    found = []
    for place, feature in enumerate(FEATURES):
        z, half = float(values.z[0, place]), CENTRAL * float(values.sd[0, place])
        if np.isfinite(z):
            # The size of an asymmetry is never below 0.
            low = max(z - half, 0.0) if feature.size else z - half
            found.append(NormedFeature(feature.name, feature.label, z, low, z + half, ""))
        else:
            reason = values.reasons[0].get(feature.name, "norms-value")
            found.append(NormedFeature(feature.name, feature.label, None, None, None, reason))
    return tuple(found)


def _without_model(part: str, why: str) -> Finding:
    return Finding(
        f"{part}-no-model", "error", f"{PARTS[part]} is left out: its model cannot be used ({why})",
        "Install BrainstemALS again, or fit the model.",
    )  # fmt: skip


def _without_images(part: str) -> Finding:
    return Finding(
        f"{part}-no-images", "error", "No visit has images",
        "Segment an exam and name the folder of its results as exam.",
    )  # fmt: skip


def _needs_real_norms(models: Models, part: str) -> bool:
    training = getattr(getattr(models, part, None), "training", None)
    return getattr(training, "norms", "") == "real"


def _other_norms() -> Finding:
    return Finding(
        "prediction-other-norms", "warning",
        "The model was fitted with norms of real people, but simulated ones score these images",
        "Give the norms that were written beside the model (--norms).",
    )  # fmt: skip


def _without_norms() -> Finding:
    return Finding(
        "no-norms", "error", "The norms cannot be read, so the images are left out",
        "Install BrainstemALS again.",
    )  # fmt: skip
