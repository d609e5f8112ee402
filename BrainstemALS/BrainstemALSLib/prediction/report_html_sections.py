"""The blocks of the report; each says whom its numbers come from."""

from __future__ import annotations

from collections.abc import Sequence
from math import log

from .explain import LARGEST, RISK_MONTHS, Interval, Reason
from .explain_reference import Neighbour
from .models import PARTS
from .predict import Prediction
from .report_html_curves import risk_chart, timeline
from .report_html_map import evidence_map
from .report_html_svg import INK, Row, interval_chart, stage_chart
from .report_html_words import (
    DASH,
    EVENTS,
    UNKNOWN,
    agreement,
    badges_of,
    between,
    evidence_sentence,
    factor,
    headline,
    level_of,
    limits,
    listed,
    months_between,
    months_of,
    named,
    percent,
    risk_months,
    share_between,
    short,
    stage_sets,
    text,
    why_not,
)
from .stage import LEVEL as STAGE_LEVEL

SHOWN = 5
"""Contributions in a chart."""
_ODDS_ENDS = (-log(4), log(4))
_ODDS_TICKS = tuple((log(v), f"\u00d7{v:g}") for v in (0.25, 0.5, 1, 2, 4))
_EXPLAINED = {
    "classification": "Consistency with ALS", "stage": "King's stage", "survival": "Survival",
}  # fmt: skip
_SIDES = {
    "classification": ("against ALS", "for ALS"),
    "stage": ("lower stage", "higher stage"),
    "survival": ("event later", "event sooner"),
}


def block(
    prediction: Prediction, part: str, title: str, inner: str, statement: str = "",
    nothing: str = "No number is given.", above: str = "", limited: bool = True,
) -> str:  # fmt: skip
    """Return a block with what limits it and its statement, or why the part gives no number.

    Parameters
    ----------
    prediction : Prediction
    part, title, inner, statement : str
    nothing : str
        What stands in place of a number.
    above : str
        What is shown without a number too.
    limited : bool
        Whether warnings stand here; not where the part has another block.
    """
    found = getattr(prediction, part, None)
    statement = statement or getattr(found, "statement", "")
    if not prediction.answers(part):
        reasons = listed(why_not(prediction, part))
        inner = f'{above}<p class="none">{nothing}</p><div class="why">{reasons}</div>'
    inner += warnings(prediction, part) if limited else ""
    inner += source(prediction, part, statement)
    return f"<section><h2>{text(title)}</h2>{inner}</section>"


def warnings(prediction: Prediction, part: str) -> str:
    """Return what a reader of a part's numbers has to know, as it stands in the part's block."""
    items = "".join(f'<li class="warning"><b>Take care:</b> {text(said)}</li>'
                    for said in limits(prediction, part))  # fmt: skip
    return f'<ul class="lim">{items}</ul>' if items else ""


def source(prediction: Prediction, part: str | Sequence[str], statement: str) -> str:
    """Return whom numbers of one part or several come from, with the badges of all."""
    if not statement:
        return ""
    parts = (part,) if isinstance(part, str) else part
    badges = dict.fromkeys(badge for one in parts for badge in badges_of(prediction, one))
    marks = "".join(f'<b class="sim">{text(badge)}</b> ' for badge in badges)
    return f'<p class="src">{marks}{text(statement[:1].upper() + statement[1:])}</p>'


def consistency(prediction: Prediction) -> str:
    """Return the probability of ALS."""
    found = prediction.classification
    inner = ""
    if prediction.answers("classification"):
        inner = (
            f"{_big(prediction, 'classification')}"
            f"<p>Probability of ALS, among people of whom {percent(found.prior)} % have it before "
            f"the images are looked at, the others being healthy ({100 * found.level:.0f} % "
            f"interval). {text(evidence_sentence(prediction))}</p>"
        )
    return block(prediction, "classification", "How consistent with ALS?", inner)


def _big(prediction: Prediction, part: str) -> str:
    return f'<p class="big">{text(headline(prediction, part))}</p>'


def compared(prediction: Prediction) -> str:
    """Return where each predictor stands among healthy people."""
    rows = [
        Row(short(one.name, one.label), one.z, one.low, one.high)
        for one in prediction.normed
        if one.z is not None
    ]
    title = "Compared with healthy people"
    if not rows:
        inner = '<p class="none">No measure could be compared.</p>'
    else:
        chart = interval_chart(
            rows, (-4.5, 4.5), [(k, f"{k:+d}" if k else "0") for k in (-4, -2, 0, 2, 4)],
            "z-scores of the imaging predictors with 95 % intervals",
            ("lower than expected", "higher"), shade=(-1.96, 1.96), colours=(INK, INK),
        )  # fmt: skip
        inner = (
            f'{chart}<p class="dim">Standard deviations from what is expected at this age, sex '
            "and head size, with 95 % intervals; shaded: where 95 % of healthy people are.</p>"
        )
        missing = [short(o.name, o.label) for o in prediction.normed if o.z is None]
        if missing:
            inner += f'<p class="dim">Without a score: {text("; ".join(missing))}.</p>'
    said = f"Norms {prediction.norms_statement}" if prediction.norms_statement else ""
    inner += warnings(prediction, "norms") + source(prediction, "norms", said)
    return f"<section><h2>{title}</h2>{inner}</section>"


def stage(prediction: Prediction) -> str:
    """Return King's stages beside the clinical one."""
    found = prediction.stage
    inner = ""
    if prediction.answers("stage"):
        chart = stage_chart(
            dict(found.probabilities), found.clinical, "Probabilities of King's stages"
        )
        inner = (
            f"{_big(prediction, 'stage')}"
            f"<p>{text(stage_sets(prediction))}</p>{chart}"
            f'<p>{text(agreement(prediction))} <span class="dim">Bars: {100 * STAGE_LEVEL:.0f} % '
            "intervals of what measurement and fit leave open.</span></p>"
        )
    return block(prediction, "stage", "King's stage that the images suggest", inner)


def disease_stage(prediction: Prediction) -> str:
    """Return how many changes have happened."""
    found = prediction.disease_stage
    inner = ""
    if prediction.answers("disease_stage"):
        events = "; ".join(
            f"{short(name, words)} {percent(share)} %" for name, words, share in found.events
        )
        inner = (
            f"<p><b>{text(headline(prediction, 'disease_stage'))}</b> "
            f"have happened ({text(level_of(prediction, 'disease_stage'))}). "
            f'<span class="dim">In their usual order, with the probability that each is past '
            f"(what is unsure is in it): {text(events)}.</span></p>"
        )
    return block(prediction, "disease_stage", "Data-driven stage (no clinical stage)", inner)


def course(prediction: Prediction) -> str:
    """Return the visits and the forecast."""
    found = prediction.progression
    title = "Visits, and how the ALSFRS-R may go on"
    if not prediction.answers("progression"):
        known = any(visit.total is not None for visit in prediction.person.visits)
        chart = timeline(prediction) if known else ""
        return block(prediction, "progression", title, "", nothing="No forecast.", above=chart)
    slope = between(found.slope.value, found.slope.low80, found.slope.high80, "points a month", 1)
    inner = (
        f"{_big(prediction, 'progression')}{timeline(prediction)}"
        f"<p>80 % intervals; bands 80 and 95 %. Loss over the next year: {text(slope)}. "
        f'<span class="dim">It holds {text(found.condition)}.</span></p>'
    )
    return block(prediction, "progression", title, inner)


def risk(prediction: Prediction) -> str:
    """Return the risk of the end point over time."""
    found = prediction.survival
    inner = ""
    if prediction.answers("survival"):
        months = risk_months(prediction)
        inner = _big(prediction, "survival")
        inner += risk_chart(found.curve, found.encals, found.endpoint)
        failure = (found.respiratory_failure or {}).get(months)
        said = [f"Risk of {found.endpoint} (95 % interval)."]
        if failure is not None:
            share = share_between(failure.value, failure.low95, failure.high95)
            whose = "simulated patients" if prediction.simulated["survival"] else "patients"
            said.append(
                f"NIV or tracheostomy first, in {months} months: {share}; how often it is the "
                f"first event is the average of {whose}, it is not this person's."
            )
        if found.median_months is not None:
            median = found.median_months
            half = months_between(median.value, median.low95, median.high95)
            said.append(f"Half of such patients have it after: {half}.")
        said.append(
            "Bands (80, 95 %) are of the risk; when it comes to one person is far less sure."
        )
        inner += f"<p>{text(' '.join(said))}</p>"
    return block(prediction, "survival", "Survival and respiratory failure", inner)


def contributions(prediction: Prediction) -> str:
    """Return what each value does to each answer."""
    explanation = prediction.explanation
    shown = {part: explanation.of(part)[:SHOWN] if explanation else () for part in _EXPLAINED}
    parts = [_chart(part, rows) for part, rows in shown.items() if rows]
    inner = (
        f'<div class="three">{"".join(parts)}</div>'
        if parts
        else ('<p class="none">No part has given a number to explain.</p>')
    )
    if parts:
        inner += (
            '<p class="dim">Each value multiplies the odds by so much, against the average '
            "person of the training. Hollow circle: another measurement might turn it round (sign "
            "kept in fewer than 80 % of draws). They tell how the models work, not what causes "
            "what."
        )
        if any(row.value is None for rows in shown.values() for row in rows):
            inner += f" {UNKNOWN}: not known, expected from the rest."
        inner += "</p>" + _sources(prediction)
    return f'<section class="wide"><h2>What the numbers rest on</h2>{inner}</section>'


def _chart(part: str, rows: Sequence[Reason]) -> str:
    chart = interval_chart(
        [Row(named(c), c.log_odds, c.low, c.high, not c.steady) for c in rows],
        _ODDS_ENDS, _ODDS_TICKS, f"Contributions: {PARTS[part]}", _SIDES[part],
        width=246, names=122,
    )  # fmt: skip
    level = f"{100 * rows[0].level:.0f}"
    return f"<div><h3>{text(_EXPLAINED[part])} <span>({level} %)</span></h3>{chart}</div>"


def what_if(prediction: Prediction) -> str:
    """Return the answers if a value were average."""
    explanation = prediction.explanation
    title = "What if a value were average?"
    if explanation is None or not explanation.what_ifs:
        return f'<section><h2>{title}</h2><p class="none">No number to ask it of.</p></section>'

    def cells(probability: Interval | None, stage: Interval | None, risk: Interval | None) -> str:
        return (
            f"<td>{_share_cell(probability)}</td><td>{_number_cell(stage)}</td>"
            f"<td>{_share_cell(risk)}</td>"
        )

    level, stage_level = 95, round(100 * STAGE_LEVEL)
    now = explanation.now
    rows = [f"<tr><th>As measured</th>{cells(now.probability, now.stage, now.risk)}</tr>"]
    for one in explanation.what_ifs:
        name = short(one.features[0], one.label) if len(one.features) == 1 else one.label
        rows.append(f"<tr><th>{text(name)}</th>{cells(one.probability, one.stage, one.risk)}</tr>")
    return (
        f'<section><h2>{title}</h2><table class="tight"><thead><tr><th></th>'
        f"<th>ALS, %</th><th>Mean King's stage</th><th>Event in {RISK_MONTHS} months, %</th>"
        "</tr></thead>"
        f"<tbody>{''.join(rows)}</tbody>"
        '</table><p class="dim">Interval, then best estimate '
        f"({level} %{'' if level == stage_level else f', stage {stage_level} %'}), if this value "
        "were that of average healthy people of this age, sex and head size and all else as it is. "
        "It shows how the models weigh a value; it is no effect of a treatment.</p>"
        f"{_sources(prediction)}</section>"
    )


def where(prediction: Prediction) -> str:
    """Return the sketch of the brainstem."""
    explanation = prediction.explanation
    title = "Where on the brainstem the evidence sits"
    if explanation is None or not explanation.evidence:
        return f'<section><h2>{title}</h2><p class="none">No evidence from images.</p></section>'
    largest = "; ".join(
        f"{one.label.split(':')[0]} {factor(one.low)} to {factor(one.high)} "
        f"({factor(one.log_odds)})"
        for one in explanation.evidence[:LARGEST]
    )
    return (
        f"<section><h2>{title}</h2>{evidence_map(explanation.evidence)}"
        f'<p class="dim">Factors of the odds of ALS, 95 % interval (best estimate): '
        f"{text(largest)}. A sketch; the map proper is in Slicer. Dashed: not used. It shows "
        "what the model reads, not where tissue is damaged.</p>"
        f"{source(prediction, 'classification', prediction.classification.statement)}</section>"
    )


def neighbours(prediction: Prediction) -> str:
    """Return the nearest reference patients."""
    explanation = prediction.explanation
    found = explanation.neighbours if explanation else ()
    inner = ""
    if found:
        heads = ("Distance", "Stays", "Age", "Onset", "Months", "King's", "ALSFRS-R", "FVC %",
                 "What became of them")  # fmt: skip
        head = "".join(f"<th>{text(name)}</th>" for name in heads)
        rows = "".join(f"<tr>{_neighbour(one)}</tr>" for one in found)
        inner = (
            f"<table><thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table>"
            f'<p class="dim">Distance: mean difference in standard deviations over '
            f"{min(one.shared for one in found)} or more shared values, 95 % interval (estimate), "
            "what measuring adds taken out. "
            "Stays: how often another measurement would find the same patient. Months: since "
            "onset. Five patients are no rate: read the risk above.</p>"
        )
    said = explanation.reference_statement if explanation else ""
    whole = block(prediction, "reference", "Nearest reference patients", inner, said)
    return whole.replace("<section>", '<section class="wide">', 1)


def forecasts(prediction: Prediction) -> str:
    """Return the forecast as a table."""
    found = prediction.progression
    inner = ""
    if prediction.answers("progression"):
        rows = "".join(
            f"<tr><th>{h.months:.0f}</th>"
            + "".join(
                f"<td>{e.low80:.0f} to {e.high80:.0f} ({e.value:.0f})</td>"
                f"<td>{e.low95:.0f} to {e.high95:.0f}</td>"
                for e in (h.alsfrs, h.fvc)
            )
            + "</tr>"
            for h in found.horizons
        )
        half = between(found.d50.value, found.d50.low80, found.d50.high80, "months after onset")
        inner = (
            '<table class="tight"><thead><tr><th>Months</th><th>ALSFRS-R, 80 %</th><th>95 %</th>'
            f"<th>FVC %, 80 %</th><th>95 %</th></tr></thead><tbody>{rows}</tbody></table>"
            f'<p class="dim">Interval (median), months after the last visit. 24 points are reached '
            f"{text(half)} (80 %).</p>"
        )
    return block(prediction, "progression", "Forecast in numbers", inner, limited=False)


def _sources(prediction: Prediction) -> str:
    """Return whom the explained numbers come from, each once."""
    parts = [p for p in _EXPLAINED if prediction.answers(p)]
    said = dict.fromkeys(getattr(prediction, part).statement for part in parts)
    return source(prediction, parts, "; ".join(said))


def _neighbour(one: Neighbour) -> str:
    def number(value: float | None) -> str:
        return DASH if value is None else f"{value:.0f}"

    end = f"{EVENTS.get(one.event, one.event)} after {months_of(one.months_to_end)}"
    away, stays = f"{one.distance:.1f}", DASH
    if one.stays is not None:
        away = f"{one.low:.1f} to {one.high:.1f} ({away})"
        stays = f"{100 * one.stays:.0f} %"
    cells = [
        away, stays,
        number(one.age), one.onset or DASH, number(one.months_since_onset), one.stage or DASH,
        number(one.alsfrs), number(one.fvc), end,
    ]  # fmt: skip
    return "".join(f"<td>{text(cell)}</td>" for cell in cells)


def _share_cell(found: Interval | None) -> str:
    if found is None:
        return DASH
    value, low, high = found
    return f"{percent(low)} to {percent(high)} ({percent(value)})"


def _number_cell(found: Interval | None) -> str:
    if found is None:
        return DASH
    value, low, high = found
    return f"{low:.1f} to {high:.1f} ({value:.1f})"


__all__ = [
    "compared", "consistency", "contributions", "course", "disease_stage", "forecasts",
    "neighbours", "risk", "stage", "what_if", "where",
]  # fmt: skip
