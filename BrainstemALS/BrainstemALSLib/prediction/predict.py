"""All that can be said of one person: each part on its own, and none takes the others down.

    prediction = predict(read_person(path), bundled_norms(), read_models())

A part whose model is missing, whose input is not there or is outside of what it has learned from
says nothing, and a finding says why. Nothing is written here.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TypeVar

from ..errors import BrainstemALSError, ExitCode
from ..imaging.finding import Finding
from ..norms.score import Norms
from .classification import Classification, classify
from .disease_stage import DiseaseStage, predict_disease_stage
from .explain import Explanation, explain, reads_images
from .models import PARTS, Models
from .normed import NormedFeature, level_of_norms, normed_features
from .norms_once import NormsOnce
from .person_checks import about_person, is_death
from .progression import Forecast
from .progression_data import UNLIKE
from .records import PersonRecord, VisitRecord
from .stage import StagePrediction, predict_stage
from .survival import predict_survival
from .survival_findings import reached
from .survival_result import SurvivalPrediction

_NUMBERS = {
    "classification": "probability", "stage": "probabilities", "disease_stage": "stage",
    "progression": "horizons", "survival": "curve",
}  # fmt: skip
"""What an answer of a part lacks where it abstains."""
ON_IMAGES = ("norms", "classification", "stage", "disease_stage")
"""What rests on images alone, and is off where the level of their norms is."""
T = TypeVar("T")


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
        if part == "reference":
            return bool(self.explanation and self.explanation.neighbours)
        return _gives(getattr(self, part), part)

    def simulated_norms(self, part: str) -> bool:
        """Whether simulated norms scored the images that a part reads; False where it reads none.

        A part that was learned from real people is then asked otherwise than it was fitted.
        """
        if not self.norms_statement or not self.simulated["norms"]:
            return False
        if part == "progression":
            return self.progression is not None and self.progression.with_imaging
        if part == "survival":
            return reads_images(self.survival)
        return self.imaged is not None


def predict(
    person: PersonRecord,
    norms: Norms | None,
    models: Models,
    prior: float | None = None,
    strict: bool = False,
    progress: Callable[[float, str], None] = lambda _fraction, _text: None,
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
    progress : callable
        Called with a fraction 0-1 and what comes next; what it raises ends the prediction.

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
    if imaged is not None and models.measurement.training is None:
        said.append(("person", _as_stated()))
    if norms is None:
        said.append(("person", _without_norms()))
    elif norms.population.source == "simulated":
        if imaged is not None and not person.simulated:
            said += [(part, level_of_norms()) for part in ON_IMAGES]
        said += [(part, _other_norms()) for part in PARTS if _needs_real_norms(models, part)]

    def attempt(part: str, ask: Callable[[], T], needs: bool = True) -> T | None:
        progress(list(PARTS).index(part) / len(PARTS), PARTS[part])
        if not needs or part in models.absent:
            return None
        return _attempt(part, ask, said, strict)

    def images_of(part: str) -> bool:
        if once is not None and imaged is None and part not in models.absent:
            said.append((part, _without_images(part)))
        return once is not None and imaged is not None

    dead = is_death(person.visits[-1])

    def lives(part: str) -> bool:
        if dead:
            said.append((part, _after_death(part)))
        return not dead

    def lives_unventilated() -> bool:
        over = reached(person)
        if over is not None:
            said.append(("progression", _after_end_point()))
        return over is None

    classified = attempt(
        "classification",
        lambda: classify(
            person,
            once,
            imaged,
            models=models.classification,
            measurement=models.measurement,
            prior=prior,
        ),
        images_of("classification"),
    )
    staged = attempt(
        "stage",
        # Images alone: beside FVC they add next to nothing (docs/results/prediction_stage.md), and
        # a stage from FVC would not be what the images suggest.
        lambda: predict_stage(
            person, imaged, once, models.stage, use_clinic=False, measurement=models.measurement
        ),
        images_of("stage") and lives("stage"),
    )
    disease = attempt(
        "disease_stage",
        lambda: predict_disease_stage(
            person, imaged, once, models.disease_stage, models.measurement
        ),
        images_of("disease_stage") and lives("disease_stage"),
    )
    forecast = attempt(
        "progression", lambda: models.progression.forecast(person, once), lives_unventilated()
    )
    survival = attempt(
        "survival", lambda: predict_survival(person, models.survival, once, models.measurement)
    )
    if survival is not None and forecast is not None and _unlike(forecast):
        survival = SurvivalPrediction(
            survival.statement, findings=(_as_the_forecast(),), encals=survival.encals
        )
    progress((len(PARTS) - 1) / len(PARTS), "Reasons")
    explanation = _attempt(
        "explanation",
        lambda: explain(person, imaged, once, models, classified, staged, survival, prior),
        said, strict,
    )  # fmt: skip
    normed = ()
    if imaged is not None and once is not None:
        normed = _attempt(
            "norms", lambda: normed_features(person, imaged, once, models.measurement), said, strict
        ) or ()  # fmt: skip
    for part, answer in (
        ("classification", classified), ("stage", staged), ("disease_stage", disease),
        ("progression", forecast), ("survival", survival), ("explanation", explanation),
    ):  # fmt: skip
        # What would limit numbers is not said where there are none.
        gives = part == "explanation" or _gives(answer, part)
        said += [
            (part, finding)
            for finding in (answer.findings if answer else ())
            if gives or finding.severity == "error"
        ]
    said += [("reference", finding) for finding in (explanation.nobody if explanation else ())]
    order = {"error": 0, "warning": 1, "info": 2}
    return Prediction(
        person, imaged, normed, norms.population.statement if norms else "",
        classified, staged, disease, forecast, survival, explanation,
        {part: models.simulated(part) for part in PARTS}
        | {"norms": norms is None or norms.population.source == "simulated"},
        tuple(sorted(said, key=lambda one: order[one[1].severity])),
    )  # fmt: skip


def _gives(answer: object, part: str) -> bool:
    """Whether the answer of a part has its number."""
    return answer is not None and getattr(answer, _NUMBERS[part]) is not None


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


def _without_model(part: str, why: str) -> Finding:
    return Finding(
        f"{part}-no-model", "error", f"{PARTS[part]} is left out: its model cannot be used ({why})",
        "Install BrainstemALS again, or fit the model.",
    )  # fmt: skip


def _unlike(forecast: Forecast) -> bool:
    """Whether the forecast knows nobody with such visits."""
    return any(f.code == UNLIKE and f.severity == "error" for f in forecast.findings)


def _as_the_forecast() -> Finding:
    return Finding(
        "survival-unlike-training", "error",
        "The visits are unlike those of anybody in the training of the forecast, so no risk is "
        "given either", "Check ratings, FVC and dates.",
    )  # fmt: skip


def _after_death(part: str) -> Finding:
    return Finding(
        f"{part}-death", "error", "Stage 5 was entered, which is death: no stage is suggested",
        "Correct the stage if this is not so.",
    )  # fmt: skip


def _after_end_point() -> Finding:
    return Finding(
        "progression-end-point", "error",
        "The forecast is for people without tracheostomy and without ventilation day and night, "
        "which a visit has", "Correct item 12 or the stage if this is not so.",
    )  # fmt: skip


def _as_stated() -> Finding:
    return Finding(
        "prediction-errors-as-stated", "info",
        "How large errors of measurement really are was not learned for these models: they are "
        "taken as exam and norms state them, and intervals are wider",
        "Read them as cautious.",
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
