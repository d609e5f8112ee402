"""Why: contributions in one form, how steady they are, and what would be if a value were average.

Contributions are log-odds against the average person of a model's training. How steady they are is
the share of draws of the measurement (``measurement``: segmentation, scanner, norms) in which they
keep their sign, and their place among the largest. A "what if" asks the models again with one value
at the average of healthy people of that age; it tells how a model works, not what a treatment would
do.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

from ..imaging.finding import Finding
from .classification import Classification, classify
from .explain_draws import Draws, drawn_parts
from .explain_map import Evidence, evidence_of
from .explain_reference import Neighbour, nearest
from .features import FEATURES
from .norms_once import NormsOnce
from .parts import Contribution
from .records import PersonRecord, VisitRecord
from .stage import LEVEL as STAGE_LEVEL
from .stage import StagePrediction, predict_stage
from .survival import predict_survival
from .survival_result import CONTRIBUTION_LEVEL, SurvivalPrediction

if TYPE_CHECKING:
    from .models import Models

LARGEST = 3
"""Contributions that are looked at as the largest, and values that a "what if" is asked of."""
RISK_MONTHS = 12
STEADY = 0.8
"""Share of draws from which on a contribution is called steady; own choice."""
Interval = tuple[float, float, float]
"""Value, low, high."""


@dataclass(frozen=True)
class Reason(Contribution):
    """What one predictor adds to one part, against the average person of its training.

    Attributes
    ----------
    part : str
        ``classification`` (above 0: for ALS, against the average healthy person), ``stage`` (a
        higher stage) or ``survival`` (the event sooner), both against the average patient.
    level : float
        Of the interval of what measurement and fit leave open.
    same_sign, same_place : float or None
        Share of draws of the measurement in which the sign stays, and in which it stays among the
        ``LARGEST`` contributions of the part, or outside of them. None where no image is read.
    """

    part: str
    level: float
    same_sign: float | None
    same_place: float | None

    @property
    def steady(self) -> bool:
        """Whether another measurement would most likely say the same of it."""
        return self.same_sign is None or self.same_sign >= STEADY


@dataclass(frozen=True)
class WhatIf:
    """Answers if some imaging values were average for age, sex and head size.

    Attributes
    ----------
    features : tuple of str
        All of them: if the whole brainstem were average.
    label : str
    probability : tuple of float or None
        Of ALS: value, low, high (the classification's level).
    stage : tuple of float or None
        Mean King's stage (the stage's level).
    risk : tuple of float or None
        Of the end point of survival within ``RISK_MONTHS`` (95 %); of a "what if" None also where
        the outlook reads no image.
    """

    features: tuple[str, ...]
    label: str
    probability: Interval | None
    stage: Interval | None
    risk: Interval | None


@dataclass(frozen=True)
class Explanation:
    """Why the parts answer as they do.

    Attributes
    ----------
    contributions : tuple of Reason
        Part by part, the largest first.
    now : WhatIf
        The answers as they are, to compare with.
    what_ifs : tuple of WhatIf
    evidence : tuple of Evidence
        Where on the brainstem the evidence for or against ALS sits.
    neighbours : tuple of Neighbour
        The nearest reference patients.
    reference_statement : str
        Whom they come from.
    findings : tuple of Finding
    nobody : tuple of Finding
        Why there is no reference patient.
    """

    contributions: tuple[Reason, ...]
    now: WhatIf
    what_ifs: tuple[WhatIf, ...]
    evidence: tuple[Evidence, ...]
    neighbours: tuple[Neighbour, ...]
    reference_statement: str
    findings: tuple[Finding, ...]
    nobody: tuple[Finding, ...] = ()

    def of(self, part: str) -> tuple[Reason, ...]:
        """Return the contributions to one part."""
        return tuple(one for one in self.contributions if one.part == part)


def explain(
    person: PersonRecord,
    visit: VisitRecord | None,
    norms: NormsOnce | None,
    models: Models,
    classified: Classification | None,
    staged: StagePrediction | None,
    survival: SurvivalPrediction | None,
    prior: float | None = None,
) -> Explanation:
    """Explain answers.

    Parameters
    ----------
    person : PersonRecord
    visit : VisitRecord or None
        With images; that of the classification and the stage.
    norms : NormsOnce or None
    models : predict.Models
    classified, staged, survival : object or None
        Answers for this person; None where there is none.
    prior : float, optional
        As it was for the classification.
    """
    draws = drawn_parts(person, visit, norms, models, classified, staged, survival)
    contributions = tuple(
        reason
        for part, answer, level in (
            ("classification", classified, classified.level if classified else None),
            ("stage", staged, STAGE_LEVEL),
            ("survival", survival, CONTRIBUTION_LEVEL),
        )
        if answer is not None
        for reason in _reasons(part, draws.get(part), answer.contributions, level)
    )
    now = WhatIf(
        (), "as measured", _probability(classified), _stage(staged), _risk(survival)
    )  # fmt: skip
    what_ifs: tuple[WhatIf, ...] = ()
    if visit is not None and norms is not None:
        wanted = _wanted(contributions)
        what_ifs = tuple(
            _what_if(person, visit, norms, models, now, names, label, prior, reads_images(survival))
            for names, label in wanted
        )
    evidence = ()
    if visit is not None and norms is not None and "classification" in draws:
        model = models.classification.models[classified.question, classified.used]
        evidence = evidence_of(person, visit, norms, model, draws["classification"])
    neighbours, nobody = (), ()
    if models.reference is not None:
        at = visit or person.visits[-1]
        neighbours, nobody = nearest(person, at, norms, models.reference, models.measurement)
    statement = models.reference.statement if models.reference else ""
    return Explanation(
        contributions, now, what_ifs, evidence, neighbours, statement,
        tuple(_findings(contributions)), nobody,
    )  # fmt: skip


def reads_images(survival: SurvivalPrediction | None) -> bool:
    """Whether any image was read for the outlook; without one nothing of it would change."""
    found = survival.contributions if survival is not None else ()
    return any(one.imaging and one.value is not None for one in found)


def _reasons(
    part: str, draws: Draws | None, answered: Sequence[Contribution], level: float
) -> Iterator[Reason]:
    for rank, one in enumerate(sorted(answered, key=lambda c: -abs(c.log_odds))):
        sign = place = None
        # What was not measured cannot be measured otherwise.
        measured = one.imaging and one.value is not None
        if draws is not None and measured and one.name in draws.names:
            sign, place = draws.steadiness(one.name, one.log_odds, rank < LARGEST, LARGEST)
        yield Reason(**asdict(one), part=part, level=level, same_sign=sign, same_place=place)


def _wanted(contributions: Sequence[Reason]) -> list[tuple[tuple[str, ...], str]]:
    """Which values a "what if" is asked of: the largest of imaging, then all of them."""
    for part in ("classification", "stage", "survival"):
        largest = [c for c in contributions if c.part == part and c.imaging][:LARGEST]
        if largest:
            break
    else:
        return []
    singles = [((one.name,), one.label) for one in largest]
    return [*singles, (tuple(f.name for f in FEATURES), "The whole brainstem")]


def _what_if(
    person: PersonRecord,
    visit: VisitRecord,
    norms: NormsOnce,
    models: Models,
    now: WhatIf,
    names: tuple[str, ...],
    label: str,
    prior: float | None,
    with_images: bool,
) -> WhatIf:
    keys = [key for feature in FEATURES if feature.name in names for key in feature.keys]
    average = norms.finding_average(keys)
    probability = stage = risk = None
    if now.probability is not None:
        probability = _probability(
            classify(
                person, average, visit, models=models.classification,
                measurement=models.measurement, prior=prior,
            )
        )  # fmt: skip
    if now.stage is not None:
        stage = _stage(
            predict_stage(
                person, visit, average, models.stage, use_clinic=False,
                measurement=models.measurement,
            )
        )  # fmt: skip
    if now.risk is not None and with_images:
        risk = _risk(predict_survival(person, models.survival, average, models.measurement))
    return WhatIf(names, label, probability, stage, risk)


def _probability(found: Classification | None) -> Interval | None:
    if found is None or found.probability is None:
        return None
    return found.probability, found.low, found.high


def _stage(found: StagePrediction | None) -> Interval | None:
    mean = None if found is None else found.expected
    return None if mean is None else (mean.value, mean.low95, mean.high95)


def _risk(found: SurvivalPrediction | None) -> Interval | None:
    risk = (found.risks or {}).get(RISK_MONTHS) if found is not None else None
    if risk is None or None in (risk.value, risk.low95, risk.high95):
        return None
    return risk.value, risk.low95, risk.high95


def _findings(contributions: Sequence[Reason]) -> Iterator[Finding]:
    """Name the large contributions that another measurement might turn round."""
    for part, word in (
        ("classification", "for or against ALS"), ("stage", "for the stage"),
        ("survival", "for survival"),
    ):  # fmt: skip
        shown = [c for c in contributions if c.part == part][:LARGEST]
        shaky = [c.label for c in shown if not c.steady]
        if shaky:
            yield Finding(
                f"explanation-unsteady-{part}", "info",
                f"Another measurement might turn round what this says {word}: {', '.join(shaky)}",
                "Do not lean on this reason.",
            )  # fmt: skip
