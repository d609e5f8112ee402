"""The report: one HTML file with its pictures in it, for the screen and for paper."""

from __future__ import annotations

import base64
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from .. import __version__
from ..report.statements import RESEARCH_USE
from .correlation import SCORES
from .covariates import INSEPARABLE, without_common_site
from .figure_style import MEASURES, NAMES, structure_name
from .forest import REGIONS
from .html_template import TEMPLATE
from .methods_text import methods, source_sentence
from .mixed import AS_SEEN, EVERYBODY
from .options import SIMULATED
from .results import GroupResults, number, p_text

if TYPE_CHECKING:
    import pandas as pd

SPACE = "\u00a0"  # an interval is never broken into two lines
MOST_ROWS = 25
"""Rows of a table on the page; everything is in the TSV files."""
CHANGE_UNITS = {
    "volume": f"%{SPACE}per{SPACE}year",
    "fa": f"per{SPACE}year",
    "md": f"10\u207b\u00b3{SPACE}mm\u00b2/s per year",
}
DIGITS = {"volume": 1, "fa": 3, "md": 3}
PICTURES = {
    "forest": "Adjusted differences of ALS and controls, every structure and measure",
    "asymmetry": "Adjusted differences of left/right asymmetry",
    "levels": "Regions by group, site of onset and King's stage, against controls",
    "violins": "Participants at the first visit by group and onset: the regions, then the "
    "structures with the smallest p of each measure",
    "trajectories": "Change over time by group",
    "map_volume": "Effect on volume, painted on the average brainstem",
    "map_fa": "Effect on FA, painted on the average brainstem",
    "map_md": "Effect on MD, painted on the average brainstem",
    "spread": "Order in which structures change, with its uncertainty",
}


APART = (
    "WARNING: no scanner (site) measured both patients with ALS and controls. Scanner and disease "
    "cannot be told apart here: whatever differs may be the scanner. Nothing is counted as a "
    "difference. The tables below are not adjusted for site."
)
COMBAT = (
    "Scanners were harmonised by ComBat: p-values are too small where scanners are shared unevenly "
    "or few controls were there. Read the row with site in the sensitivity table first."
)


def report_page(results: GroupResults) -> str:
    """Return the page as HTML; it refers to nothing outside itself."""
    from jinja2 import Environment

    environment = Environment(autoescape=True, trim_blocks=True, lstrip_blocks=True)
    pictures = {
        name: {
            "alt": text,
            "data": base64.b64encode(results.figures[name]).decode(),
        }
        for name, text in PICTURES.items()
        if name in results.figures
    }
    return environment.from_string(TEMPLATE).render(
        title="Brainstem in ALS: group analysis",
        source=results.source,
        simulated=results.source == SIMULATED,
        source_sentence=source_sentence(results.source),
        research_use=RESEARCH_USE,
        version=__version__,
        date=f"{datetime.now(UTC):%Y-%m-%d}",
        findings=findings(results),
        methods=methods(results),
        pictures=pictures,
        groups=_group_rows(results),
        onsets=_level_rows(results, "onset"),
        stages=_level_rows(results, "stage"),
        change=_change_rows(results, AS_SEEN),
        everybody=_change_rows(results, EVERYBODY),
        individual=_individual_rows(results),
        beyond=_beyond_rows(results),
        correlations=_correlation_rows(results),
        variants=_variant_rows(results),
        missing_visits=_plain(results.missing["visits"]),
        missing_measures=_plain(results.missing["measures"]),
        missing_covariates=_plain(results.missing["covariates"]),
        notes=results.notes.rows(),
        apart=without_common_site(results.design.people),
        spread=results.spread,
        coverage=f"{1 - results.options.alpha:.0%}",
        alpha=f"{results.options.alpha:g}",
        command=results.options.command,
        most=MOST_ROWS,
    )


def findings(results: GroupResults) -> list[str]:
    """Return what stands at the top: counted, with intervals, without adjectives."""
    main, alpha = results.main(), results.options.alpha
    if without_common_site(results.design.people):
        return [APART, *_notes_line(results)]
    found = []
    for measure, name in NAMES.items():
        part = main[(main.measure == measure) & main.p.notna()]
        if not len(part):
            continue
        sure = part[part.q < alpha]
        text = (
            f"{name}: {len(sure)} of {len(part)} structures and regions differ between ALS and "
            f"controls at a false discovery rate below {alpha:g}"
        )
        if len(sure):
            line = sure.loc[sure.p.idxmin()]
            text += (
                f"; the clearest is {structure_name(line.structure).lower()}, "
                f"{_interval(line, 'adjusted_d', 2)} standard deviations"
            )
            if line.percent == line.percent:
                text += f" ({_interval(line, 'percent', 1)} %)"
        found.append(f"{text}.")
    if not found:
        found.append("ALS and controls could not be compared; the notes say why.")
    change = results.change
    differing = change[
        change.analysis.eq(AS_SEEN) & change.contrast.eq("ALS - HC") & change.p.notna()
    ]
    if len(differing):
        sure = int((differing.q < alpha).sum())
        found.append(
            f"Change over time differs between ALS and controls in {sure} of {len(differing)} "
            "measures of structures and regions, among those who came back."
        )
    if results.harmonised:
        found.append(COMBAT)
    return [*found, *_notes_line(results)]


def _notes_line(results: GroupResults) -> list[str]:
    rows = results.notes.rows()
    if not rows:
        return []
    return [f"{len(rows)} notes say what was left out or did not work."]


def _interval(line: pd.Series, column: str, digits: int) -> str:
    low, high = (
        number(line[f"{column}_low"], digits, True),
        number(line[f"{column}_high"], digits, True),
    )
    return f"{number(line[column], digits, True)} [{low},{SPACE}{high}]"


def _group_rows(results: GroupResults) -> list[dict[str, object]]:
    """Regions first, then the smallest p-values."""
    main = results.main()
    main = main[main.measure.isin(NAMES)]
    regions = main[main.structure.isin(REGIONS)]
    others = main[~main.structure.isin(REGIONS) & main.p.notna()].sort_values("p")
    rows = []
    for part in (regions, others.head(max(MOST_ROWS - len(regions), 10))):
        rows += [_comparison(line, results.options.alpha) for _, line in part.iterrows()]
    return rows


def _level_rows(results: GroupResults, analysis: str) -> list[dict[str, object]]:
    table = results.comparisons
    table = table[
        (table.analysis == analysis) & table.structure.isin(REGIONS) & table.measure.isin(NAMES)
    ]
    # Levels that nobody has would only repeat themselves in every measure: the notes name them.
    table = table[table.p.notna()]
    return [_comparison(line, results.options.alpha) for _, line in table.iterrows()]


def _contrast(name: str) -> str:
    """Return a contrast with a minus that no line break follows."""
    return name.replace(" - ", f"{SPACE}\u2212{SPACE}").replace(" ", SPACE)


def _comparison(line: pd.Series, alpha: float) -> dict[str, object]:
    digits = DIGITS.get(line.measure, 2)
    percent = _interval(line, "percent", 1) if line.percent == line.percent else "n/a"
    return {
        "sure": line.q < alpha,
        "structure": _starred(line),
        "measure": MEASURES.get(line.measure, line.measure),
        "contrast": _contrast(line.contrast),
        "n": f"{line.n:.0f}"
        + (f"{SPACE}/{SPACE}{line.n_reference:.0f}" if line.n_reference > 0 else ""),
        "difference": _interval_of(line, digits),
        "percent": percent,
        "d": _interval(line, "adjusted_d", 2) if line.adjusted_d == line.adjusted_d else "n/a",
        "g": _interval(line, "hedges_g", 2) if line.hedges_g == line.hedges_g else "n/a",
        "p": p_text(line.p),
        "p_permutation": p_text(line.p_permutation),
        "q": p_text(line.q),
        "remark": line.remark if line.p != line.p else "",
    }


def _starred(line: pd.Series) -> str:
    """Return the name, with a star where site could not be told apart from the groups."""
    return structure_name(line.structure) + (" *" if line.remark == INSEPARABLE else "")


def _interval_of(line: pd.Series, digits: int, column: str = "difference") -> str:
    values = (line[column], line.low, line.high)
    if not all(value == value for value in values):
        return "n/a"
    value, low, high = (number(v, digits, True) for v in values)
    return f"{value} [{low},{SPACE}{high}]"


def _change_rows(results: GroupResults, analysis: str) -> list[dict[str, object]]:
    change = results.change
    change = change[change.analysis == analysis]
    if not change.p.notna().any():
        return []
    order = change[change.structure.isin(REGIONS) & change.contrast.isin(["HC", "ALS", "ALS - HC"])]
    others = change[
        ~change.structure.isin(REGIONS) & change.contrast.eq("ALS - HC") & change.p.notna()
    ].sort_values("p")
    rows = []
    for part in (order, others.head(MOST_ROWS - 10)):
        for _, line in part.iterrows():
            digits = DIGITS.get(line.measure, 2) + (line.measure != "volume")
            percent = "n/a"
            if line.percent_per_year == line.percent_per_year:
                low, high = (number(line[f"percent_{e}"], 2, True) for e in ("low", "high"))
                percent = f"{number(line.percent_per_year, 2, True)} [{low},{SPACE}{high}]"
            rows.append({
                "sure": line.q < results.options.alpha,
                "structure": structure_name(line.structure),
                "measure": MEASURES.get(line.measure, line.measure),
                "contrast": _contrast(line.contrast),
                "n": f"{line.returned:.0f} of {line.n:.0f} ({line.visits:.0f})".replace(" ", SPACE)
                if line.n > 0
                else "n/a",
                "per_year": _interval_of(line, digits, "per_year"),
                "percent": percent,
                "p": p_text(line.p),
                "q": p_text(line.q),
                "random": line.random_effects
                if isinstance(line.random_effects, str)
                else line.remark,
            })  # fmt: skip
    return rows


def _individual_rows(results: GroupResults) -> list[dict[str, object]]:
    table = results.individual
    if table is None or not len(table):
        return []
    regions = table[table.structure.isin(REGIONS)]
    others = table[~table.structure.isin(REGIONS) & table.p.notna()].sort_values("p")
    rows = []
    for part in (regions, others.head(MOST_ROWS - 10)):
        for _, line in part.iterrows():
            digits = 2 if line.measure == "volume" else 4
            rows.append({
                "sure": line.q < results.options.alpha,
                "structure": _starred(line),
                "measure": NAMES.get(line.measure, line.measure),
                "contrast": _contrast(line.contrast),
                "n": f"{line.n:.0f}{SPACE}/{SPACE}{line.n_reference:.0f}",
                "means": f"{number(line['mean'], digits, True)} / "
                f"{number(line.mean_reference, digits, True)}",
                "difference": _interval_of(line, digits),
                "unit": CHANGE_UNITS[line.measure],
                "p": p_text(line.p),
                "q": p_text(line.q),
                "remark": line.remark if line.p != line.p else "",
            })  # fmt: skip
    return rows


def _beyond_rows(results: GroupResults) -> list[dict[str, object]]:
    table = results.beyond
    if table is None or not len(table):
        return []
    judged = table[table.judged > 0]
    regions = judged[judged.structure.isin(REGIONS)]
    others = judged[~judged.structure.isin(REGIONS) & judged.p_against_controls.notna()]
    best = others.sort_values("p_against_controls").drop_duplicates(["measure", "structure"])
    keys = [*dict.fromkeys(zip(regions.measure, regions.structure, strict=True))]
    keys += list(zip(best.measure, best.structure, strict=True))[:10]
    rows = []
    for measure, structure in keys:
        own = judged[(judged.measure == measure) & (judged.structure == structure)]
        for _, line in own.iterrows():
            low, high = (f"{100 * value:.0f}" for value in (line.low, line.high))
            rows.append({
                "structure": structure_name(structure),
                "measure": NAMES.get(measure, measure),
                "group": line.group,
                "beyond": f"{line.beyond:.0f} of {line.judged:.0f}",
                "share": f"{100 * line.share:.0f}{SPACE}% [{low},{SPACE}{high}]",
                "p": p_text(line.p_against_controls),
            })  # fmt: skip
    return rows


def _correlation_rows(results: GroupResults) -> list[dict[str, object]]:
    table = results.correlations
    known = table[table.rho.notna()]
    regions = known[known.structure.isin(REGIONS)]
    others = known[~known.structure.isin(REGIONS)].sort_values("p").head(15)
    rows = []
    for part in (regions, others):
        for _, line in part.iterrows():
            rows.append({
                "sure": line.q < results.options.alpha,
                "score": SCORES[line.score],
                "structure": structure_name(line.structure),
                "measure": NAMES.get(line.measure, line.measure),
                "n": f"{line.n:.0f}",
                "rho": _interval_of(line, 2, "rho"),
                "p": p_text(line.p),
                "q": p_text(line.q),
            })  # fmt: skip
    return rows


def _variant_rows(results: GroupResults) -> list[dict[str, object]]:
    return [
        {
            **line,
            "n": f"{number(line['n'], 0)} / {number(line['n_reference'], 0)}",
            "largest_change_of_d": number(line["largest_change_of_d"], 2),
            "correlation_of_d": number(line["correlation_of_d"], 3),
        }
        for line in results.variants.to_dict("records")
    ]


def _plain(table: pd.DataFrame) -> dict[str, object]:
    heads = [name.replace("_", " ").capitalize() for name in table.columns]
    return {"heads": heads, "rows": table.to_dict("split")["data"]}
