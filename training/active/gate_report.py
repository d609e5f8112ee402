"""The gate's report: a page that a clinician can read, the same as JSON, and the table as TSV."""

from __future__ import annotations

import base64
import csv
import io
import json
import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from html import escape
from pathlib import Path
from typing import Any

from BrainstemALSLib import __version__
from BrainstemALSLib.durability import write_whole
from BrainstemALSLib.report.statements import RESEARCH_USE

from .gate_figure import draw_forest
from .gate_rules import NEEDS_MORE, PROMOTE, PROVENANCE, REJECT, Flagged, Judgement, Line
from .gate_scores import APPROVED, PATIENT, SIMULATED

STEM = "gate"
HEADLINES = {
    PROMOTE: "The candidate may replace the model in use",
    REJECT: "The candidate is rejected",
    NEEDS_MORE: "More cases are needed to decide",
}
MODELS = ("current", "candidate")
_COLOURS = {PROMOTE: "#2e7d32", REJECT: "#c62828", NEEDS_MORE: "#9a6700"}
_STYLE = """
body{font:15px/1.5 system-ui,sans-serif;max-width:60rem;margin:2rem auto;padding:0 1rem;
color:#1a1d21;background:#fff}
h1{font-size:1.5rem}h2{font-size:1.1rem;margin-top:2rem}
.outcome{border-left:.5rem solid;padding:.5rem 1rem;background:#f5f6f8}
table{border-collapse:collapse;width:100%;font-size:.85rem}
th,td{padding:.2rem .5rem;text-align:right;border-bottom:1px solid #dde1e6}
th:first-child,td:first-child,td.t{text-align:left}
tr.worse td{background:#fdecea}tr.open td{background:#fff8e1}
img{max-width:100%}footer{margin-top:2rem;color:#5a6270;font-size:.85rem}
@media print{body{margin:0}}
"""


@dataclass(frozen=True)
class About:
    """What a judgement was about.

    Attributes
    ----------
    candidate, current : mapping
        Name, version and checksum of the two structure networks.
    current_version : str
        Version of the registry that was in use.
    corrections : tuple of str
        Case ids that the candidate learned from.
    frozen_set : str
        Checksum of the validation set.
    case_names : tuple of str
        What it consists of.
    command : str
        As it was typed, without folders.
    """

    candidate: Mapping[str, str] = field(default_factory=dict)
    current: Mapping[str, str] = field(default_factory=dict)
    current_version: str = ""
    corrections: tuple[str, ...] = ()
    frozen_set: str = ""
    case_names: tuple[str, ...] = ()
    command: str = ""


def caveats(judgement: Judgement) -> tuple[str, ...]:
    """Return what a reader has to know about the exams that were judged by."""
    found = []
    if SIMULATED in judgement.kinds:
        found.append(
            "Simulated exams: drawn from label maps by the simulation that also made the training "
            "images. What was found on them says how models do on simulation, not on patients."
        )
    if PATIENT in judgement.kinds:
        found.append(
            f"Simulated patients: {judgement.patients} exams, all of the one average anatomy that "
            "is installed, slightly deformed. They guard against harm and count as no subject: a "
            "gain, or that nothing was lost, is not shown by them."
        )
    if APPROVED in judgement.kinds:
        found.append(
            "Approved cases: an expert's corrections of what a model drew, which therefore favour "
            "that model somewhat."
        )
    elif judgement.kinds:
        found.append("No exam of a patient took part in this judgement.")
    return tuple(found)


def record(judgement: Judgement, about: About) -> dict[str, Any]:
    """Return the judgement as JSON can hold it; goes into the version as ``gate.json``."""
    return _finite(
        {
            "format": 1,
            "date": f"{datetime.now(UTC):%Y-%m-%d}",
            "software": __version__,
            "outcome": judgement.outcome,
            "reasons": list(judgement.reasons),
            "checks": [
                {"check": name, "passed": not sentence, "found": sentence}
                for name, sentence in judgement.checks
            ],
            "gain": {
                "mean": judgement.gain, "low": judgement.gain_low, "high": judgement.gain_high
            },
            "cases": judgement.cases,
            "subjects": judgement.subjects,
            "simulated_patients": judgement.patients,
            "unfamiliar": {
                name: asdict(flagged)
                for name, flagged in zip(MODELS, judgement.unfamiliar, strict=True)
            },
            "kinds": list(judgement.kinds),
            "caveats": list(caveats(judgement)),
            "rules": {**asdict(judgement.rules), "provenance": PROVENANCE},
            "about": asdict(about),
            "structures": [asdict(line) for line in judgement.lines],
        }
    )  # fmt: skip


def write_report(judgement: Judgement, about: About, folder: Path) -> tuple[Path, ...]:
    """Write ``gate.html``, ``gate.json`` and ``gate.tsv``; each appears whole or not at all."""
    folder.mkdir(parents=True, exist_ok=True)
    content = json.dumps(record(judgement, about), indent=1, allow_nan=False) + "\n"
    files = {
        folder / f"{STEM}.html": page(judgement, about),
        folder / f"{STEM}.json": content,
        folder / f"{STEM}.tsv": table(judgement),
    }
    for path, text in files.items():
        write_whole(path, text.encode())
    return tuple(files)


def table(judgement: Judgement) -> str:
    """Return the structures as TSV."""
    columns = [name for name in Line.__dataclass_fields__ if name != "name"]
    out = io.StringIO()
    writer = csv.writer(out, delimiter="\t", lineterminator="\n")
    writer.writerow(columns)
    for line in judgement.lines:
        values = [getattr(line, name) for name in columns]
        writer.writerow(
            [("n/a" if v != v else f"{v:.6g}") if isinstance(v, float) else v for v in values]
        )
    return out.getvalue()


def page(judgement: Judgement, about: About) -> str:
    """Return the page; one file, with its picture in it."""
    parts = [
        _outcome(judgement),
        _checks(judgement),
        _chart(judgement),
        _structures(judgement),
        _basis(judgement, about),
    ]
    title = HEADLINES[judgement.outcome]
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width">'
        f"<title>{escape(title)}</title><style>{_STYLE}</style></head><body>\n"
        + "\n".join(part for part in parts if part)
        + f"\n<footer>{escape(RESEARCH_USE)} BrainstemALS {escape(__version__)}, "
        f"{datetime.now(UTC):%Y-%m-%d}.</footer></body></html>\n"
    )


def _outcome(judgement: Judgement) -> str:
    reasons = "".join(f"<li>{escape(reason)}</li>" for reason in judgement.reasons)
    return (
        f"<h1>{escape(HEADLINES[judgement.outcome])}</h1>"
        f'<div class="outcome" style="border-color:{_COLOURS[judgement.outcome]}">'
        f"<ul>{reasons}</ul></div>"
        + "".join(f"<p>{escape(sentence)}</p>" for sentence in caveats(judgement))
    )


def _checks(judgement: Judgement) -> str:
    rows = "".join(
        f'<tr class="{"worse" if sentence else ""}"><td>{escape(name.capitalize())}</td>'
        f'<td class="t">{escape(sentence or "nothing wrong")}</td></tr>'
        for name, sentence in judgement.checks
    )
    return f"<h2>Checks that no candidate may fail</h2><table>{rows}</table>"


def _chart(judgement: Judgement) -> str:
    if not judgement.lines:
        return ""
    picture = base64.b64encode(draw_forest(judgement.lines, judgement.rules)).decode()
    text = "Change of each structure's mean Dice with its bounds; the same as the table below"
    return (
        "<h2>What each structure gained or lost</h2>"
        f'<img alt="{text}" src="data:image/png;base64,{picture}">'
    )


def _structures(judgement: Judgement) -> str:
    if not judgement.lines:
        return ""
    heads = ("Structure", "Tier", "In use", "Candidate", "Change", "At least", "May lose", "")
    classes = {"worse": "worse", "not shown": "open"}
    rows = "".join(
        f'<tr class="{classes.get(line.state, "")}"><td>{escape(line.name)}'
        f"{' (should get better)' if line.target else ''}</td><td>{line.tier}</td>"
        f"<td>{_number(line.current)}</td><td>{_number(line.candidate)}</td>"
        f"<td>{_number(line.difference, '+')}</td><td>{_number(line.low, '+')}</td>"
        f'<td>{line.margin:g}</td><td class="t">{escape(line.state)}</td></tr>'
        for line in sorted(judgement.lines, key=lambda line: line.difference)
    )
    head = "".join(f"<th>{name}</th>" for name in heads)
    note = (
        "Dice is the overlap with the known labels, from 0 to 1. At least: the lower one-sided "
        f"{judgement.rules.confidence:.0%} bound of the change. Margins are our own choice."
    )
    return f"<h2>Every structure</h2><p>{note}</p><table><tr>{head}</tr>{rows}</table>"


def _basis(judgement: Judgement, about: About) -> str:
    def model(identity: Mapping[str, str]) -> str:
        return f"{identity.get('version', 'n/a')}, sha256 {identity.get('sha256', 'n/a')}"

    facts = {
        "Candidate": model(about.candidate),
        "Model in use": f"{about.current_version}: {model(about.current)}",
        "Corrections it learned from": ", ".join(about.corrections) or "none named",
        "Judged on": _judged_on(judgement),
        **_called_unfamiliar(judgement),
        "Validation set": f"sha256 {about.frozen_set}" if about.frozen_set else "n/a",
        "Exams": "; ".join(about.case_names) or "n/a",
        "Command": about.command or "n/a",
    }
    rows = "".join(
        f'<tr><td>{escape(name)}</td><td class="t">{escape(text)}</td></tr>'
        for name, text in facts.items()
    )
    return f"<h2>What was compared</h2><table>{rows}</table>"


def _judged_on(judgement: Judgement) -> str:
    sampled = judgement.cases - judgement.patients
    text = f"{sampled} exams of {judgement.subjects} subjects"
    if judgement.patients:
        text += f", and {judgement.patients} simulated patients, which are no subjects"
    return text


def _called_unfamiliar(judgement: Judgement) -> dict[str, str]:
    def text(found: Flagged) -> str:
        if not found.compared:
            return "it cannot tell"
        return f"{found.unfamiliar} of {found.compared} exams"

    if not judgement.cases:
        return {}
    heads = ("Called unfamiliar by the model in use", "Called unfamiliar by the candidate")
    return dict(zip(heads, map(text, judgement.unfamiliar), strict=True))


def _number(value: float, sign: str = "") -> str:
    return "n/a" if math.isnan(value) else f"{value:{sign}.3f}"


def _finite(value: Any) -> Any:
    """NaN and infinities as None, which JSON can hold."""
    if isinstance(value, dict):
        return {key: _finite(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(item) for item in value]
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value
