"""The report of one person: one self-contained HTML file that prints on A4.

The first sheet stands alone, on one page: the numbers with intervals, whom they come from, what
limits them, what they rest on. The second has the details: what if, where, who is alike, the
forecast in numbers, all findings.
"""

from __future__ import annotations

import re
from dataclasses import replace

from .. import __version__
from ..report.statements import RESEARCH_USE
from . import report_html_sections as sections
from .models import PARTS
from .predict import Prediction
from .prediction_json import NOT_FOR_DIAGNOSIS
from .report_html_words import findings_once, person_line, text

DENSE = 3200
"""Letters of the first sheet from which on it is printed smaller, to stay one page."""
MOST_FINDINGS = 4
"""On the first sheet beside those in its blocks; all are on the second."""
IN_BLOCKS = ("classification", "stage", "disease_stage", "progression", "survival")
"""Parts whose warnings stand in their own block of the first sheet."""
STYLE = """
*{box-sizing:border-box}
body{font:10pt/1.35 system-ui,-apple-system,"Segoe UI","DejaVu Sans",sans-serif;color:#1a1d21;
background:#fff;margin:1rem auto;max-width:190mm;padding:0 .6rem}
h1{font-size:14pt;margin:0}h2{font-size:10.5pt;margin:0 0 1mm;color:#0b4f6c}
h3{font-size:9pt;margin:1.2mm 0 0}h3 span{font-weight:400;color:#5a6270}
p{margin:.6mm 0}.big{font-size:11pt;font-weight:650;margin:.5mm 0 1mm}
.dim,.src{color:#5a6270;font-size:8pt}
.src{border-top:1px solid #eceff2;margin-top:1mm;padding-top:.6mm}
.sim{background:#fff3d6;color:#7a4f00;padding:0 .4em;border-radius:2px;font-weight:650}
.banner{border-left:1.6mm solid #9a6700;background:#fff8e1;padding:1.2mm 2.5mm;margin:1.5mm 0}
.banner p{margin:0}
.sheet{display:grid;grid-template-columns:1fr 1fr;gap:2.6mm 5mm;align-items:start}
.wide{grid-column:1/-1}.col{display:grid;gap:2.6mm;align-content:start;min-width:0}
.three{display:grid;grid-template-columns:1fr 1fr 1fr;gap:0 4mm}
section{border-top:1.5px solid #0b4f6c;padding-top:1mm;break-inside:avoid;min-width:0}
svg{display:block;width:100%;height:auto;font-family:inherit}
ul{margin:.5mm 0;padding-left:4.2mm}li{margin:.3mm 0}
.none{font-weight:650}.why{font-size:9pt}
table{border-collapse:collapse;width:100%;font-size:8.3pt}
th,td{text-align:left;padding:.5mm 1.2mm .5mm 0;border-bottom:1px solid #e4e8ec;vertical-align:top;
font-variant-numeric:tabular-nums}thead th{color:#5a6270;font-weight:600}tbody th{font-weight:500}
.tight td{white-space:nowrap;padding-right:2mm}.three svg{max-width:330px}
.error b{color:#a11}.warning b{color:#7a4f00}.info b{color:#5a6270}
.lim{list-style:none;padding:0}
.two{columns:2;column-gap:5mm}.two li{break-inside:avoid}
.sheet+.sheet{margin-top:4mm}
footer{color:#5a6270;font-size:8pt;margin-top:2mm}
@media(max-width:640px){.sheet,.three{grid-template-columns:1fr}.two{columns:1}}
@page{size:A4;margin:9mm 10mm}
@media print{body{margin:0;max-width:none;padding:0;font-size:8.3pt;line-height:1.28}
.big{font-size:9.5pt}
.sheet{gap:2mm 5mm}.col{gap:2mm}
.dim{font-size:7pt}.src{font-size:6.5pt;margin-top:.6mm;padding-top:.3mm}
section{padding-top:.6mm}table{font-size:7.4pt}.why{font-size:8pt}
.all{font-size:7pt;line-height:1.2}.second{break-before:page}
.first{gap:1.4mm 5mm}.first .col{gap:1.4mm}.first .lim{font-size:7.4pt;line-height:1.2}
.dense{font-size:7.4pt;line-height:1.2}.dense .big{font-size:8.6pt}.dense .why{font-size:7.2pt}
.dense .lim{font-size:6.9pt;line-height:1.15}.dense .dim{font-size:6.6pt}
*{-webkit-print-color-adjust:exact;print-color-adjust:exact}}
"""
_WORD = {"error": "No number", "warning": "Take care", "info": "Note"}


def report_html(prediction: Prediction, created: str) -> str:
    """Return the page.

    Parameters
    ----------
    prediction : Prediction
    created : str
        ISO date.
    """
    person = prediction.person
    title = f"Brainstem and ALS: {person.participant}"
    # Columns of their own, so that no block waits for a longer one beside it.
    left, right = (
        (sections.consistency, sections.compared, sections.course),
        (sections.stage, sections.disease_stage, sections.risk),
    )
    columns = "".join(
        f'<div class="col">{"".join(part(prediction) for part in parts)}</div>'
        for parts in (left, right)
    )
    first = (
        columns + sections.contributions(prediction) + _findings(prediction, MOST_FINDINGS)
    )  # fmt: skip
    second = (
        sections.what_if(prediction) + sections.where(prediction)
        + sections.forecasts(prediction) + _meaning() + sections.neighbours(prediction)
        + _findings(prediction, None)
    )  # fmt: skip
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width">'
        f"<title>{text(title)}</title><style>{STYLE}</style></head><body>"
        f"<h1>{text(title)}</h1><p>{text(person_line(person))}. "
        f'<span class="dim">Predicted on {text(created)}.</span></p>{_banner(prediction)}'
        f'<main><div class="sheet first{_dense(first)}">{first}</div>{_again(title)}'
        f'<div class="sheet">{second}</div></main>'
        f"<footer>{text(created)}, BrainstemALS {text(__version__)}. {RESEARCH_USE} "
        f"{NOT_FOR_DIAGNOSIS}</footer></body></html>\n"
    )


def _banner(prediction: Prediction) -> str:
    said = f"<p><strong>{RESEARCH_USE} {NOT_FOR_DIAGNOSIS}</strong>"
    said += _trained_on(prediction)
    if prediction.person.simulated:
        said += " This person is simulated."
    return f'<div class="banner">{said}</p></div>'


def _trained_on(prediction: Prediction) -> str:
    """Say which models were trained on simulated people, and whether the norms are of such."""
    absent = {where for where, found in prediction.findings if found.code == f"{where}-no-model"}
    there = [part for part in PARTS if part not in absent]
    simulated = [part for part in there if prediction.simulated[part]]
    unknown = " How well they do on real people is not known."
    said = ""
    if simulated and simulated == there:
        said += " These models were trained on simulated patients, not on real ones." + unknown
    elif simulated:
        names = text("; ".join(PARTS[part] for part in simulated))
        said += f" Trained on simulated patients, not on real ones: {names}." + unknown
    if prediction.norms_statement and prediction.simulated["norms"]:
        said += " Images are scored by simulated norms."
        if len(simulated) < len(there):
            said += (
                " Where norms.json lies beside models of real people, give it with --norms: "
                "they were fitted with those norms."
            )
    return said


def _findings(prediction: Prediction, most: int | None) -> str:
    found = findings_once(prediction)
    shown = found if most is None else _outside_of_blocks(prediction)[:most]
    whole = " all" if most is None else ""
    title = "All findings" if most is None else "What else limits these numbers"
    items = "".join(
        f'<li class="{severity}"><b>{_WORD[severity]}:</b> {text(said)}'
        f"{f' <span class=dim>({text(where)})</span>' if most is None else ''}</li>"
        for severity, where, said in shown
    )
    if not shown and most is not None:
        return ""
    if not shown:
        items = "<li>Nothing was found.</li>"
    return f'<section class="wide"><h2>{title}</h2><ul class="two{whole}">{items}</ul></section>'


def _dense(first: str) -> str:
    """Return the class that sets a first sheet with many words in smaller print: it is one page."""
    words = re.sub(r"<svg.*?</svg>|<[^>]*>", "", first, flags=re.S)
    return " dense" * (len(words) > DENSE)


def _again(title: str) -> str:
    """Return what stands above the second sheet, which may lie apart from the first."""
    return (
        f'<p class="second"><b>{text(title)}: reasons and details.</b> '
        f'<span class="dim">{RESEARCH_USE} {NOT_FOR_DIAGNOSIS}</span></p>'
    )


def _outside_of_blocks(prediction: Prediction) -> list[tuple[str, str, str]]:
    """Return what limits the numbers and is of no block of the first sheet: it is said there."""
    elsewhere = [
        (where, finding)
        for where, finding in prediction.findings
        if where not in IN_BLOCKS and (where != "norms" or finding.severity == "error")
    ]
    found = findings_once(replace(prediction, findings=tuple(elsewhere)))
    return [one for one in found if one[0] != "info"]


def _meaning() -> str:
    lines = (
        "A probability of ALS compares with healthy people only. It says nothing of other diseases "
        "that resemble ALS, and it depends on how many of those who are asked about have ALS.",
        "A suggested stage says which stages go with a brainstem like this one. The clinical stage "
        "is what counts.",
        "An interval is what measurement, norms and models leave open if the models are right. "
        "Whether they are right for this person is not in it.",
        "A risk is that of many such patients. It is no date, for nobody.",
    )
    return (
        "<section><h2>What these numbers do not mean</h2><ul>"
        + "".join(f"<li>{text(one)}</li>" for one in lines)
        + "</ul></section>"
    )
