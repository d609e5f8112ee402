"""King's stage as the images (and, where known, the clinic) suggest it, beside the clinical stage.

The clinical stage follows from the patient's function by definition (``prognosis.kings``); this is
no better measure of it. It says which stages go with a brainstem like this one, and how well the
two agree.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from ..imaging.finding import Finding
from ..norms.score import Norms
from .features import NAMES, drawn, features_of
from .records import PersonRecord, VisitRecord
from .stage_model import BREATH, CLINIC, LABELS, SETS, STAGES, OrdinalModel, StageModels

DRAWS, SEED = 400, 0
LEVEL = 0.9
UNUSUAL, POSSIBLE = 0.05, 0.15
"""Probability of the clinical stage below which the two disagree, and below which they hardly
agree; own choices."""
_WORDS = {
    "norms-age-missing": "the age is missing",
    "norms-age": "the age is outside the norms",
    "norms-sex": "the norms do not know this sex",
    "norms-icv-missing": "the intracranial volume is missing",
    "norms-icv": "the intracranial volume is far from those of the norms",
    "norms-quality": "a measurement is bad",
    "norms-value": "a measure is missing",
}


@dataclass(frozen=True)
class StagePrediction:
    """Stage of one visit.

    Attributes
    ----------
    probabilities : mapping or None
        Stage to (probability, low, high): the mean over what is unsure, and the central 90 %.
    images, clinic : str
        Which of ``stage_model.SETS`` was used.
    expected : tuple of float or None
        Mean stage, low, high.
    clinical : str or None
        The stage from function, for comparison.
    clinical_probability : float or None
    agreement : str
        ``agrees``, ``hardly agrees``, ``disagrees``, or empty.
    contributions : tuple of (str, str, float)
        Predictor, its label, and what it adds to the log-odds of a higher stage, largest first;
        they sum up to the patient's distance from the average patient of the training.
    findings : tuple of Finding
    statement : str
    simulated : bool
    """

    probabilities: Mapping[str, tuple[float, float, float]] | None
    images: str
    clinic: str
    expected: tuple[float, float, float] | None
    clinical: str | None
    clinical_probability: float | None
    agreement: str
    contributions: tuple[tuple[str, str, float], ...]
    findings: tuple[Finding, ...]
    statement: str
    simulated: bool


def predict_stage(
    person: PersonRecord,
    visit: VisitRecord,
    norms: Norms,
    models: StageModels,
    use_clinic: bool = True,
) -> StagePrediction:
    """Predict the stage at a visit from its images and, on demand, from what the clinic knows.

    The function scale itself is never a predictor: the clinical stage is made of it.

    Parameters
    ----------
    person : PersonRecord
    visit : VisitRecord
        One of the person's.
    norms : Norms
    models : StageModels
    use_clinic : bool

    Returns
    -------
    StagePrediction
        Without probabilities where there is no usable image, or it is far from all in training.
    """
    values = features_of([person], [visit], norms)
    clinic = clinical_predictors(person, visit) if use_clinic else {}
    key = _richest(values.z[0], clinic)
    training = models.training
    simulated = training.source == "simulated"
    common = {
        "clinical": visit.kings,
        "statement": training.statement,
        "simulated": simulated,
    }
    if person.group not in (None, "ALS"):
        finding = Finding(
            "stage-not-als", "error", "No stage is suggested: this person is not said to have ALS",
            "The stages are those of ALS.",
        )  # fmt: skip
        return _nothing(finding, common)
    if key is None:
        reasons = sorted(set(values.reasons[0].values()))
        finding = Finding(
            "stage-no-images", "error",
            "No stage is suggested: the images give too little" + _because(reasons),
            "Segment the visit, or see the findings of the norms.",
        )  # fmt: skip
        return _nothing(finding, common)
    model = models.models[key]
    places = [NAMES.index(name) for name in model.predictors if name in NAMES]
    beside = np.array([clinic[name] for name in model.predictors if name not in NAMES])
    now = np.concatenate([values.z[0, places], beside])
    if model.distance(now) > model.far:
        finding = Finding(
            "stage-outside", "error",
            "No stage is suggested: this combination of values is outside of what the model has "
            "learned from", "Look at the segmentation and at the values themselves.",
        )  # fmt: skip
        return _nothing(finding, common, *key)
    rng = np.random.default_rng(SEED)
    again = drawn(values, DRAWS, rng)[:, 0, places]
    again = np.concatenate([again, np.broadcast_to(beside, (DRAWS, len(beside)))], axis=1)
    found = model.probabilities_drawn(again, rng)
    mean = found.mean(axis=0)
    low, high = np.quantile(found, [(1 - LEVEL) / 2, (1 + LEVEL) / 2], axis=0)
    expected = found @ np.arange(1, len(STAGES) + 1)
    ends = np.quantile(expected, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    share = mean[STAGES.index(visit.kings)] if visit.kings in STAGES else None
    parts = sorted(
        zip(model.predictors, model.contributions(now), strict=True), key=lambda p: -abs(p[1])
    )
    return StagePrediction(
        probabilities={
            stage: (float(p), float(a), float(b))
            for stage, p, a, b in zip(STAGES, mean, low, high, strict=True)
        },
        images=key[0],
        clinic=key[1],
        expected=(float(expected.mean()), float(ends[0]), float(ends[1])),
        clinical_probability=None if share is None else float(share),
        agreement=_agreement(share),
        contributions=tuple((name, LABELS[name], float(part)) for name, part in parts),
        findings=tuple(_limits(visit, key, model, use_clinic)),
        **common,
    )


def clinical_predictors(person: PersonRecord, visit: VisitRecord) -> dict[str, float]:
    """Return what is known beside the images, by name; what is missing is left out."""
    found: dict[str, float] = {}
    if person.onset is not None:
        found["bulbar_onset"] = float(person.onset == "bulbar")
    if person.months_since_onset is not None:
        months = person.months_since_onset + (visit.months or 0.0)
        if months > 0:
            found["log_months"] = float(np.log(months))
    if person.age is not None:
        found["age"] = person.age + (visit.months or 0.0) / 12.0
    if visit.fvc is not None:
        found[BREATH] = visit.fvc / 100.0
    return found


def _richest(z: np.ndarray, clinic: Mapping[str, float]) -> tuple[str, str] | None:
    """The set with the most predictors that are all known, images first; None without images."""
    known = {name for name, value in zip(NAMES, z, strict=True) if np.isfinite(value)} | set(clinic)
    for images in ("all", "volumes"):
        for part in ("clinic+fvc", "clinic", "images"):
            if set(SETS[images, part]) <= known:
                return images, part
    return None


def _agreement(share: float | None) -> str:
    if share is None:
        return ""
    return "disagrees" if share < UNUSUAL else "hardly agrees" if share < POSSIBLE else "agrees"


def _limits(visit: VisitRecord, key: tuple[str, str], model: OrdinalModel, use_clinic: bool):
    if key[0] == "volumes":
        yield Finding(
            "stage-volumes-only", "info", "Without FA and MD the stage rests on volumes alone",
            "Add diffusion images.",
        )  # fmt: skip
    missing = [n for n in (*CLINIC, BREATH) if n not in model.predictors]
    if missing and use_clinic:
        names = ", ".join(LABELS[n].lower() for n in missing)
        yield Finding(
            "stage-clinic-missing", "info", f"The stage is suggested without {names}",
            "Enter what is known.",
        )  # fmt: skip
    if visit.kings is not None and visit.kings not in STAGES:
        yield Finding(
            "stage-not-modelled", "info", f"Stage {visit.kings} is not among those modelled (1-4)",
            "Compare with the neighbouring stage.",
        )  # fmt: skip


def _because(reasons: list[str]) -> str:
    words = dict.fromkeys(_WORDS.get(code, "a measure cannot be used") for code in reasons)
    return f" ({', '.join(words)})" if reasons else ""


def _nothing(
    finding: Finding, common: Mapping[str, object], images: str = "", clinic: str = ""
) -> StagePrediction:
    return StagePrediction(
        probabilities=None, images=images, clinic=clinic, expected=None,
        clinical_probability=None, agreement="", contributions=(), findings=(finding,), **common,
    )  # fmt: skip
