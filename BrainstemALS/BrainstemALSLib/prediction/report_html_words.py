"""Words of the report: the interval first, then the best estimate; nothing sounds surer than it is.

Everything that comes from a file passes ``text`` before it becomes HTML.
"""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from math import exp

from ..imaging.finding import Finding
from .disease_stage import LEVEL as EVENT_LEVEL
from .explain import RISK_MONTHS
from .models import PARTS
from .parts import Contribution
from .person_file import ONSETS
from .predict import Prediction
from .records import PersonRecord

DASH, UNKNOWN = "\u2013", "(?)"
YEAR = RISK_MONTHS
"""Months that a forecast and a risk are told for first."""
SHORT = {
    "medulla_volume": "Medulla, volume",
    "pons_volume": "Pons, volume",
    "midbrain_volume": "Midbrain, volume",
    "pyramid_volume": "Pyramids, volume",
    "dorsal_medulla_volume": "Dorsal medulla, volume",
    "cst_fa": "Corticospinal tracts, FA",
    "cst_md": "Corticospinal tracts, MD",
    "pyramid_fa": "Pyramids, FA",
    "scp_fa": "Cerebellar peduncles, FA",
    "cst_fa_asymmetry": "Corticospinal asymmetry",
    "progression_rate": "ALSFRS-R loss a month",
    "diagnostic_delay": "Delay to diagnosis",
    "months_since_onset": "Onset to this visit",
    "months_since_first": "Since the first visit",
    "definite_ee": "Definite El Escorial",
    "fvc": "Forced vital capacity",
    "log_months": "Time since first symptom",
}
"""Names that fit beside a chart."""
EVENTS = {
    "death": "died",
    "niv": "NIV 23 h a day",
    "tracheostomy": "tracheostomy",
    "censored": "alive, follow-up ended",
}
PART_WORDS = PARTS | {"person": "Record", "norms": "Norms", "explanation": "Reasons"}


def text(value: object) -> str:
    """Return text for HTML; a per cent sign stays with its number."""
    return escape(str(value), quote=True).replace(" %", "\u00a0%")


def short(name: str, label: str) -> str:
    """Return a name that fits beside a chart."""
    return SHORT.get(name, label.split(" (")[0])


def named(contribution: Contribution) -> str:
    """Return a short name of a contribution, marked where the predictor itself is not known."""
    name = short(contribution.name, contribution.label)
    return name if contribution.value is not None else f"{name} {UNKNOWN}"


def months_of(months: float) -> str:
    """Return whole months in words.

    Examples
    --------
    >>> months_of(1.2), months_of(0.2), months_of(14.0)
    ('1 month', 'less than 1 month', '14 months')
    """
    whole = round(months)
    return "less than 1 month" if whole < 1 else "1 month" if whole == 1 else f"{whole} months"


def percent(share: float) -> str:
    """Return a share in whole per cent, never 0 nor 100.

    Examples
    --------
    >>> percent(0.314), percent(0.001), percent(0.999)
    ('31', 'under 1', 'over 99')
    """
    return "under 1" if share < 0.01 else "over 99" if share > 0.99 else f"{100 * share:.0f}"


def share_between(value: float, low: float, high: float) -> str:
    """Return a share with its interval first.

    Examples
    --------
    >>> share_between(0.31, 0.2, 0.45)
    'between 20 and 45 %, best estimate 31 %'
    """
    ends = percent(low), percent(high)
    if ends[0] == ends[1]:
        return f"{ends[0]} %"
    return f"between {ends[0]} and {ends[1]} %, best estimate {percent(value)} %"


def between(value: float, low: float, high: float, unit: str = "", digits: int = 0) -> str:
    """Return a number with its interval first.

    Examples
    --------
    >>> between(31.2, 24.6, 36, "points")
    'between 25 and 36 points, best estimate 31'
    """
    low_text, high_text = f"{low:.{digits}f}", f"{high:.{digits}f}"
    after = f" {unit}" if unit else ""
    if low_text == high_text:
        return f"{low_text}{after}"
    return f"between {low_text} and {high_text}{after}, best estimate {value:.{digits}f}"


def months_between(value: float | None, low: float | None, high: float | None) -> str:
    """Return months with an interval whose ends may lie beyond what is known."""
    if low is None:
        return "beyond the follow-up of the training"
    best = "" if value is None else f", best estimate {value:.0f}"
    if high is None:
        return f"{low:.0f} months or more{best}"
    return f"between {low:.0f} and {high:.0f} months{best}"


def factor(log_odds: float) -> str:
    """Return a factor of odds."""
    return f"{exp(log_odds):.2f}"


def person_line(person: PersonRecord) -> str:
    """Return who it is, in a sentence without the name."""
    parts = []
    if person.age is not None:
        parts.append(f"{person.age:.0f} years")
    parts.append({"F": "female", "M": "male"}.get(person.sex or "", "sex not known"))
    parts.append(f"{person.onset} onset" if person.onset in ONSETS else "onset not known")
    if person.months_since_onset is not None:
        parts.append(f"first visit {person.months_since_onset:.0f} months after onset")
    if person.diagnostic_delay is not None:
        parts.append(f"diagnosis {person.diagnostic_delay:.0f} months after onset")
    many = len(person.visits)
    parts.append("one visit" if many == 1 else f"{many} visits")
    return ", ".join(parts)


def headline(prediction: Prediction, part: str) -> str:
    """Return the one number of a part with its interval first; empty where it gives none."""
    if not prediction.answers(part):
        return ""
    found = getattr(prediction, part, None)
    if part == "classification":
        said = share_between(found.probability, found.low, found.high)
        return f"{said[:1].upper()}{said[1:]}"
    if part == "stage":
        best = max(found.probabilities, key=lambda name: found.probabilities[name][0])
        return _stages(*found.sets[0.8], best)
    if part == "disease_stage":
        ends = found.stage
        said = between(ends.value, ends.low80, ends.high80, f"of {len(found.events)} changes")
        return f"{said[:1].upper()}{said[1:]}"
    if part == "progression":
        year = next(h for h in found.horizons if h.months == YEAR).alsfrs
        return f"In {YEAR} months {between(year.value, year.low80, year.high80, 'points')}"
    if part == "survival":
        months = risk_months(prediction)
        if months is None:
            return "Too late in the follow-up for a risk in months"
        risk = found.risks[months]
        return f"Within {months} months {share_between(risk.value, risk.low95, risk.high95)}"
    return f"{len(prediction.explanation.neighbours)} patients, told one by one in the report"


def _stages(first: str, last: str, best: str | None = None) -> str:
    likely = "" if best is None else f", most likely {best}"
    if first == last:
        return f"Stage {first}" + (likely if best != first else "")
    return f"Stages {first} to {last}{likely}"


def stage_sets(prediction: Prediction) -> str:
    """Return which stages hold the clinical one of how many patients."""
    sets, simulated = prediction.stage.sets, prediction.simulated["stage"]
    whom = "simulated patients" if simulated else "patients"
    # The level is that of all together; what is known of some is known of the simulation alone.
    fewer = "; of fewer in late stages, and where the run is short" if simulated else ""
    return (
        f"Such runs hold the clinical stage of 80 % (here {_lower(_stages(*sets[0.8]))}) and 95 % "
        f"(here {_lower(_stages(*sets[0.95]))}) of all new {whom}{fewer}."
    )


def _lower(said: str) -> str:
    return said[:1].lower() + said[1:]


def level_of(prediction: Prediction, part: str) -> str:
    """Return which interval a headline has and, of the probability of ALS, what was assumed."""
    if part == "classification":
        found = prediction.classification
        return (
            f"{100 * found.level:.0f} % interval, if {percent(found.prior)} % had ALS beforehand, "
            "the others being healthy"
        )
    level = {
        "stage": 0.8, "disease_stage": EVENT_LEVEL, "progression": 0.8, "survival": 0.95,
    }.get(part)  # fmt: skip
    return f"{100 * level:.0f} % interval" if level else ""


def headlines(prediction: Prediction) -> list[tuple[str, str, str]]:
    """Return name, number with the level of its interval, and statement of all parts."""
    rows = []
    for part, name in PARTS.items():
        said = headline(prediction, part) or "no number"
        level = level_of(prediction, part) if prediction.answers(part) else ""
        said += f" ({level})" if level else ""
        whom = getattr(getattr(prediction, part, None), "statement", "")
        if part == "reference" and prediction.explanation:
            whom = prediction.explanation.reference_statement
        unsaid = [badge for badge in badges_of(prediction, part) if whom and badge not in whom]
        rows.append((name, said, ", ".join([whom, *unsaid])))
    return rows


def risk_months(prediction: Prediction) -> int | None:
    """Return the months of the risk that is told: a year, or less where the training ends."""
    known = [
        months for months, risk in prediction.survival.risks.items()
        if months <= YEAR and None not in (risk.value, risk.low95, risk.high95)
    ]  # fmt: skip
    return max(known, default=None)


def agreement(prediction: Prediction) -> str:
    """Return how the suggested stage goes with the clinical one."""
    stage = prediction.stage
    if stage is None or stage.probabilities is None:
        return ""
    if stage.clinical is None:
        return "No clinical stage is known to compare with."
    if stage.clinical_probability is None:
        return f"The clinical stage is {stage.clinical}, which the model does not know."
    share = share_between(*stage.probabilities[stage.clinical])
    word = {
        "agrees": "is among them: inside the stages that hold 80 %",
        "hardly agrees": "is at the edge: outside the stages that hold 80 %, inside those of 95 %",
        "disagrees": "is outside the stages that hold 95 %: it does not fit the images, look at "
        "both again",
    }[stage.agreement]
    return f"Clinical stage {stage.clinical} {word}. The model gives it {share}."


def evidence_sentence(prediction: Prediction) -> str:
    """Return what the images add, whatever the prior."""
    found = prediction.classification
    if found is None or found.evidence is None:
        return ""
    low, high, best = (factor(v) for v in
                       (found.evidence_low, found.evidence_high, found.evidence))  # fmt: skip
    said = f"The images multiply the odds of ALS by {low} to {high} (best estimate {best})"
    if found.evidence_low > 0:
        return f"{said}: they speak for ALS."
    if found.evidence_high < 0:
        return f"{said}: they speak against ALS."
    return f"{said}: they may speak for it or against it."


def why_not(prediction: Prediction, part: str) -> list[str]:
    """Return why a part gives no number."""
    found = [f for where, f in prediction.findings if where == part and f.severity == "error"]
    return [sentence(f) for f in found] or ["This part gives no answer."]


def limits(prediction: Prediction, part: str) -> list[str]:
    """Return the warnings of a part, each once."""
    found = [f for where, f in prediction.findings if where == part and f.severity == "warning"]
    return list(dict.fromkeys(sentence(f) for f in found))


def badges_of(prediction: Prediction, part: str) -> tuple[str, ...]:
    """Return what a part's block is marked with: which of its people were simulated."""
    if prediction.simulated[part]:
        return ("simulated",)
    # Learned from real people; but if others score the images, the numbers are no more theirs.
    return ("simulated norms",) if prediction.simulated_norms(part) else ()


def sentence(finding: Finding) -> str:
    """Return a finding in plain words."""
    message = finding.message[:1].upper() + finding.message[1:]
    return f"{message.rstrip('.')}. {finding.action}"


def findings_once(prediction: Prediction) -> list[tuple[str, str, str]]:
    """Return severity, where it belongs and sentence of all findings, each sentence once."""
    places: dict[tuple[str, str], list[str]] = {}
    for part, finding in prediction.findings:
        where = places.setdefault((finding.severity, sentence(finding)), [])
        if PART_WORDS[part] not in where:
            where.append(PART_WORDS[part])
    return [(severity, ", ".join(where), said) for (severity, said), where in places.items()]


def listed(items: Sequence[str]) -> str:
    """Return a list of sentences as HTML."""
    return "<ul>" + "".join(f"<li>{text(item)}</li>" for item in items) + "</ul>"
