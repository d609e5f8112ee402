"""How consistent one brainstem is with ALS: a probability with its interval and its reasons.

Age and sex are no predictors. The norms have taken out what they do to a brainstem; what would be
left is whom a study invited, which says nothing of the next person. How common ALS is among those
who are asked about belongs to the ``prior``, which the clinic knows and the training does not.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from scipy.special import expit, logit

from ..errors import BrainstemALSError, ExitCode
from ..imaging.finding import Finding
from ..norms.reasons import IN_SHORT, REASONS
from ..norms.score import Norms
from .classification_model import (
    QUESTIONS,
    SETS,
    Classifier,
    Classifiers,
    known_norms,
    read_classifiers,
)
from .features import FEATURES, NAMES, FeatureValues, features_of
from .measurement import MeasurementError, read_measurement
from .parts import Contribution, around
from .records import PersonRecord, VisitRecord, age_at

LEVEL = 0.95
DRAWS, LEAST_DRAWS = 1000, 100
SEED = 8
"""Of the draws: the same exam gives the same interval."""
_LABELS = {feature.name: feature.label for feature in FEATURES}
# Of an answer; None where the model abstains.
_NUMBERS = (
    *("probability", "low", "high", "evidence", "evidence_low", "evidence_high"),
    *("baseline", "used", "distance"),
)
# Why a feature has no z-score, where no other feature could have one.
_OF_PERSON = ("norms-age-missing", "norms-age", "norms-sex", "norms-icv-missing", "norms-icv")


@dataclass(frozen=True)
class Classification:
    """The answer for one visit.

    Attributes
    ----------
    question : str
        Of ``QUESTIONS``: whom ALS is told from.
    session : str or None
        The visit.
    probability, low, high : float or None
        That the images are of a patient with ALS, among people of whom ``prior`` have it; with
        the interval of what the measurement, the norms, the scanner and the fit leave open. None
        where the model abstains: ``findings`` says why.
    level : float
        Of the intervals.
    prior : float
        Share of ALS among those who are asked about, before the images.
    evidence, evidence_low, evidence_high : float or None
        Log-odds that the images add to the prior, whatever it is: the logarithm of a likelihood
        ratio.
    baseline : float or None
        Log-odds of the average healthy person; with all contributions it adds up to the log-odds
        of ``probability``.
    contributions : tuple of Contribution
        Against the average healthy person, above 0 for ALS; in the order of ``features.FEATURES``.
    used : str or None
        Of ``SETS``: all features, or volumes alone.
    distance : float or None
        Mahalanobis distance to the nearer group of the training.
    findings : tuple of Finding
    statement : str
        Whom the model was learned from.
    """

    question: str
    session: str | None
    probability: float | None
    low: float | None
    high: float | None
    level: float
    prior: float
    evidence: float | None
    evidence_low: float | None
    evidence_high: float | None
    baseline: float | None
    contributions: tuple[Contribution, ...]
    used: str | None
    distance: float | None
    findings: tuple[Finding, ...]
    statement: str


def classify(
    person: PersonRecord,
    norms: Norms,
    visit: VisitRecord | None = None,
    *,
    models: Classifiers | None = None,
    measurement: MeasurementError | None = None,
    question: str = "healthy",
    prior: float | None = None,
    level: float = LEVEL,
    draws: int = DRAWS,
    seed: int = SEED,
) -> Classification:
    """Say how consistent the images of one visit are with ALS.

    Parameters
    ----------
    person : PersonRecord
        Age and sex are needed for the norms.
    norms : Norms
    visit : VisitRecord, optional
        The last one with images by default.
    models : Classifiers, optional
        The bundled ones by default.
    measurement : MeasurementError, optional
        The bundled one by default.
    question : str
        Of ``QUESTIONS``.
    prior : float, optional
        Share of ALS among the people of whom this one is; that of the training by default.
    level : float
        Of the intervals.
    draws : int
        Of features and coefficients.
    seed : int
        Of the draws.

    Raises
    ------
    BrainstemALSError
        USAGE: an unknown question, or a prior, level or number of draws out of range.
        MODEL_UNAVAILABLE: no usable file, or no model for this question in it.
    """
    _check(question, prior, level, draws)
    models = models or read_classifiers()
    whole = _wanted(models, question)
    prior = whole.prevalence if prior is None else float(prior)
    imaged = [v for v in person.visits if v.has_images]
    visit = visit or (imaged[-1] if imaged else None)
    findings = list(_limits(person, norms, models, question))

    def answer(**known: object) -> Classification:
        fields = {**dict.fromkeys(_NUMBERS), "contributions": (), **known}
        session = visit.session if visit else None
        order = {"error": 0, "warning": 1, "info": 2}
        sorted_findings = tuple(sorted(findings, key=lambda f: order[f.severity]))
        return Classification(
            question=question, session=session, level=level, prior=prior,
            findings=sorted_findings, statement=models.training.statement, **fields,
        )  # fmt: skip

    if visit is None or not visit.has_images:
        findings.append(_no("no-images", "there are no measures of images", "Segment the exam."))
        return answer()
    age = age_at(person, visit)
    youngest, oldest = models.ages
    if age is None or not youngest <= age <= oldest:
        said = "the age is missing" if age is None else f"the age of {age:.1f} years is outside"
        within = f"the training ({youngest:.0f}-{oldest:.0f} years)"
        text = said if age is None else f"{said} {within}"
        findings.append(_no("age", text, "Do not use this model for this person."))
        return answer()
    values = features_of([person], [visit], norms)
    used, missing = _usable_set(values.z[0], whole, models.models[question, "volumes"])
    if missing:
        findings.append(_reason(missing, values.reasons[0], used is None))
    if used is None:
        return answer()
    model = models.models[question, used]
    columns = [NAMES.index(name) for name in model.features]
    z = values.z[:, columns]
    distance = float(model.domain.distance(z)[0])
    if distance > model.domain.outside:
        text = f"the measures are unlike anybody's in the training (distance {distance:.1f}, "
        text += f"{model.domain.outside:.1f} is the limit)"
        findings.append(_no("outside", text, "Look at the segmentation and at the diffusion maps."))
        return answer(used=used, distance=distance)
    if distance > model.domain.unusual:
        text = "fewer than 1 in 100 people of the training had measures as unusual as these"
        findings.append(_warn("unusual", text, "Look at the segmentation before the number."))
    sampled = _sampled(model, measurement or read_measurement(), values, columns, draws, seed)
    tail = [(1.0 - level) / 2.0, (1.0 + level) / 2.0]
    parts = model.contributions(z)[0]
    evidence = float(model.baseline() + parts.sum() - logit(model.prevalence))
    low, high = around(parts, np.quantile(sampled.contributions, tail, axis=0))
    limits = around(evidence, np.quantile(sampled.log_odds, tail) - logit(model.prevalence))
    if limits[0] < 0.0 < limits[1]:
        text = "the images may speak for ALS or against it: the interval holds both"
        findings.append(Finding("classification-undecided", "info", text, "Decide without them."))
    chance, least, most = (
        float(expit(logit(prior) + part)) for part in (evidence, limits[0], limits[1])
    )
    return answer(
        probability=chance, low=least, high=most, evidence=evidence,
        evidence_low=float(limits[0]), evidence_high=float(limits[1]),
        baseline=float(model.baseline(prior)), used=used, distance=distance,
        contributions=tuple(
            Contribution(name, _LABELS[name], *map(float, row), imaging=True)
            for name, *row in zip(model.features, z[0], parts, low, high, strict=True)
        ),
    )  # fmt: skip


@dataclass(frozen=True, eq=False)
class _Sampled:
    """Log-odds (draws,) and contributions (draws, p) as they might have come out."""

    log_odds: np.ndarray
    contributions: np.ndarray


def _sampled(
    model: Classifier, measurement: MeasurementError, values: FeatureValues, columns: list[int],
    draws: int, seed: int,
) -> _Sampled:  # fmt: skip
    rng = np.random.default_rng(seed)
    intercepts, slopes = model.drawn(draws, rng)
    again = measurement.drawn(values, draws, rng)[:, 0, columns]
    parts = model.contributions(again, slopes)
    return _Sampled(model.offset + model.slope * intercepts + parts.sum(axis=1), parts)


def _usable_set(
    z: np.ndarray, whole: Classifier, volumes: Classifier
) -> tuple[str | None, list[str]]:
    """Return which set of features can be used, and the names of all that are missing."""
    known = set(np.array(NAMES)[np.isfinite(z)].tolist())
    missing = [name for name in whole.features if name not in known]
    for which, model in zip(SETS, (whole, volumes), strict=True):
        if known.issuperset(model.features):
            return which, missing
    return None, missing


def _reason(missing: list[str], reasons: dict[str, str], none_left: bool) -> Finding:
    codes = {reasons.get(name, "") for name in missing} - {""}
    of_person = [code for code in _OF_PERSON if code in codes]
    if none_left and of_person:
        return _no("missing", IN_SHORT[of_person[0]], REASONS[of_person[0]][1])
    names = ", ".join(_LABELS[name] for name in missing)
    bad = "norms-quality" in codes
    text = f"{'bad or ' if bad else ''}missing: {names}"
    if none_left:
        return _no("missing", text, "Look at the findings of the exam, and segment it again.")
    return _warn(
        "volumes-only",
        f"only volumes were used, which tell less ({text})",
        "Add the FA and MD maps of the exam.",
    )


def _limits(
    person: PersonRecord, norms: Norms, models: Classifiers, question: str
) -> Iterator[Finding]:
    """Yield what limits every answer of these models."""
    simulated = models.training.source == "simulated"
    if simulated and not person.simulated:
        yield _warn(
            "simulated",
            "the model was learned from simulated people; how it does on real ones is not known",
            "Do not use it for diagnosis. Fit it with real data.",
        )
    if simulated and question != "healthy":
        yield _warn(
            "mimics",
            "the simulated diseases that resemble ALS leave the brainstem healthy; real ones may "
            "not, so this tells ALS from health rather than from them",
            "Do not take it as evidence against another disease.",
        )
    if models.norms and known_norms(norms) != dict(models.norms):
        yield _warn(
            "norms",
            "these are not the norms that the model was learned with, so z-scores may mean "
            "something else",
            "Use the norms that come along with the model, or fit it again.",
        )


def _check(question: str, prior: float | None, level: float, draws: int) -> None:
    if question not in QUESTIONS:
        raise _refusal(f"there is no question {question!r}", f"Give {', '.join(QUESTIONS)}.")
    if prior is not None and not (_is_number(prior) and 0.0 < prior < 1.0):
        raise _refusal("the prior is no share between 0 and 1", "Give 0.3 for 30 %.")
    if not (_is_number(level) and 0.0 < level < 1.0):
        raise _refusal("the level is no share between 0 and 1", "Give 0.95 for 95 %.")
    if draws < LEAST_DRAWS:
        raise _refusal(f"{draws} draws are too few", f"Give {LEAST_DRAWS} or more.")


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _wanted(models: Classifiers, question: str) -> Classifier:
    found = [models.models.get((question, which)) for which in SETS]
    if any(model is None for model in found):
        raise BrainstemALSError(
            "classification", f"the model was fitted without an answer to {question!r}",
            "Ask another question, or fit it with these people.", ExitCode.MODEL_UNAVAILABLE,
        )  # fmt: skip
    return found[0]


def _no(code: str, message: str, action: str) -> Finding:
    return Finding(f"classification-{code}", "error", message, action)


def _warn(code: str, message: str, action: str) -> Finding:
    return Finding(f"classification-{code}", "warning", message, action)


def _refusal(problem: str, remedy: str) -> BrainstemALSError:
    return BrainstemALSError("classification", problem, remedy, ExitCode.USAGE)
