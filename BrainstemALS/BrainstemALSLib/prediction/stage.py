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
from ..norms.reasons import IN_SHORT
from ..norms.score import Norms
from .features import NAMES, features_of
from .measurement import MeasurementError, read_measurement
from .parts import QUANTILES, Contribution, Estimate, around
from .records import PersonRecord, VisitRecord, age_at
from .stage_model import (
    BREATH,
    CLINIC,
    LABELS,
    LEVELS,
    SETS,
    STAGES,
    OrdinalModel,
    StageModels,
    joined,
)

DRAWS, SEED = 400, 0
LEVEL = LEVELS[-1]
"""Of the intervals of probabilities and of contributions."""


@dataclass(frozen=True)
class StagePrediction:
    """Stage of one visit.

    Attributes
    ----------
    probabilities : mapping or None
        Stage to (probability, low, high): of the values as measured, and the central 95 % of what
        another measurement and another fit might have said.
    images, clinic : str
        Which of ``stage_model.SETS`` was used.
    expected : Estimate or None
        Mean stage, 1-4, with intervals of the same kind.
    sets : mapping or None
        Level of ``stage_model.LEVELS`` (0.8, 0.95) to the first and the last stage of a run of
        neighbouring stages. Such runs hold the clinical stage of that share of all new patients;
        not of those with one answer, nor of those at one stage.
    clinical : str or None
        The stage from function, for comparison.
    clinical_probability : float or None
    agreement : str
        ``agrees`` where the clinical stage is in the run of 80 %, ``hardly agrees`` where it is in
        that of 95 % alone, ``disagrees`` outside both; empty where there is none to compare with.
    contributions : tuple of Contribution
        What each predictor adds to the log-odds of a higher stage, the largest first; they sum up
        to the patient's distance from the average patient of the training.
    findings : tuple of Finding
    statement : str
    simulated : bool
    """

    probabilities: Mapping[str, tuple[float, float, float]] | None
    images: str
    clinic: str
    expected: Estimate | None
    sets: Mapping[float, tuple[str, str]] | None
    clinical: str | None
    clinical_probability: float | None
    agreement: str
    contributions: tuple[Contribution, ...]
    findings: tuple[Finding, ...]
    statement: str
    simulated: bool


def predict_stage(
    person: PersonRecord,
    visit: VisitRecord,
    norms: Norms,
    models: StageModels,
    use_clinic: bool = True,
    measurement: MeasurementError | None = None,
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
    measurement : MeasurementError, optional
        The bundled one by default.

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
    again = (measurement or read_measurement()).drawn(values, DRAWS, rng)[:, 0, places]
    again = np.concatenate([again, np.broadcast_to(beside, (DRAWS, len(beside)))], axis=1)
    found, each = model.drawn(again, rng)
    # The fit has seen values as they are measured: its answer to them is the calibrated one. Draws
    # say how far another measurement or another fit might be from it.
    told = model.probabilities(now)
    ends = [QUANTILES[0], QUANTILES[-1]]
    low, high = around(told, np.quantile(found, ends, axis=0))
    share = told[STAGES.index(visit.kings)] if visit.kings in STAGES else None
    sets = _runs(model, told)
    parts = model.contributions(now)
    tail = np.quantile(each, ends, axis=0)
    reasons = [
        Contribution(name, LABELS[name], *map(float, row), imaging=name in NAMES)
        for name, *row in zip(model.predictors, now, parts, *around(parts, tail), strict=True)
    ]
    return StagePrediction(
        probabilities={
            stage: (float(p), float(a), float(b))
            for stage, p, a, b in zip(STAGES, told, low, high, strict=True)
        },
        images=key[0],
        clinic=key[1],
        expected=_mean(told, found),
        sets=sets,
        clinical_probability=None if share is None else float(share),
        agreement=agreement_of(visit.kings, sets),
        contributions=tuple(sorted(reasons, key=lambda one: -abs(one.log_odds))),
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
        found["age"] = age_at(person, visit)
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


def _mean(told: np.ndarray, found: np.ndarray) -> Estimate:
    """The mean stage of probabilities (4,), with intervals by drawn ones (d, 4)."""
    number = np.arange(1, len(STAGES) + 1)
    mean, ends = told @ number, np.quantile(found @ number, QUANTILES)
    for low, high in ((0, -1), (1, -2)):
        ends[low], ends[high] = around(mean, ends[[low, high]])
    return Estimate.of(ends, float(mean))


def _runs(model: OrdinalModel, told: np.ndarray) -> dict[float, tuple[str, str]]:
    found = joined(told[None])[0]
    inside = {level: np.flatnonzero(found <= reach) for level, reach in model.reach.items()}
    return {level: (STAGES[places[0]], STAGES[places[-1]]) for level, places in inside.items()}


def agreement_of(clinical: str | None, sets: Mapping[float, tuple[str, str]]) -> str:
    """Return how a clinical stage goes with the runs of stages.

    Examples
    --------
    >>> [agreement_of(stage, {0.8: ("1", "2"), 0.95: ("1", "3")}) for stage in ("2", "3", "4")]
    ['agrees', 'hardly agrees', 'disagrees']
    """
    if clinical not in STAGES:
        return ""
    words = zip(("agrees", "hardly agrees"), LEVELS, strict=True)
    inside = (word for word, level in words if sets[level][0] <= clinical <= sets[level][1])
    return next(inside, "disagrees")


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
    words = dict.fromkeys(IN_SHORT.get(code, "a measure cannot be used") for code in reasons)
    return f" ({', '.join(words)})" if reasons else ""


def _nothing(
    finding: Finding, common: Mapping[str, object], images: str = "", clinic: str = ""
) -> StagePrediction:
    return StagePrediction(
        probabilities=None, images=images, clinic=clinic, expected=None, sets=None,
        clinical_probability=None, agreement="", contributions=(), findings=(finding,), **common,
    )  # fmt: skip
