"""Volumes, asymmetry and findings of one exam on the terminal."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..anatomy import CONTEXT, REGIONS
from ..measurement import Measures
from ..measurement.asymmetry import Asymmetry
from ..measurement.confidence import confidence_word
from ..measurement.quality import Finding
from ..measurement.volumes import StructureVolume
from .statements import RESEARCH_USE, SYNTHETIC_TRAINING
from .wording import short_name

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table

_WORD_STYLE = {"high": "green", "moderate": "yellow", "low": "red", "none": "dim"}
_SEVERITY_STYLE = {"error": "bold red", "warning": "yellow", "info": "cyan"}
MANY_ALIKE = 4
"""From so many findings of one code on, they are shown as one line."""


def print_measures(measures: Measures, console: Console | None = None) -> None:
    """Print the measures of one exam.

    Parameters
    ----------
    measures : Measures
        As ``measure`` returns them.
    console : rich.console.Console, optional
        Where to print; standard output by default.
    """
    from rich.console import Console

    console = console or Console()
    console.print(volume_table(measures))
    volume = measures.intracranial.volume_mm3
    if volume is not None:
        share = measures.intracranial.brainstem_fraction
        tail = f"; the brainstem is {100 * share:.2f} % of it" if share is not None else ""
        console.print(f"Intracranial volume (estimate): {volume / 1000:.0f} cm3{tail}.")
    print_findings(measures.findings, console)
    console.print(f"[dim]{RESEARCH_USE} {SYNTHETIC_TRAINING}[/dim]")


def volume_table(measures: Measures) -> Table:
    """Return the table of volumes: composites first, then the structures of each region."""
    from rich import box
    from rich.table import Table

    table = Table(
        title="Brainstem volumes in mm3", box=box.SIMPLE_HEAD, title_style="bold", padding=0
    )
    table.add_column("Structure", no_wrap=True, max_width=31)
    # Widths that fit 80 columns: only long names are cut, never a number.
    for heading, width in (("Left", 5), ("Right", 5), ("Total", 6), ("±", 5), ("L-R %", 6)):
        table.add_column(heading, justify="right", no_wrap=True, min_width=width)
    table.add_column("Confidence", no_wrap=True, min_width=13)
    table.caption = (
        "Soft volumes; ± is half the range between the outlines of probability 0.25 and 0.75; "
        "L-R is 100 (L - R) / mean, positive when the left is larger."
    )
    pairs = {pair.key: pair for pair in measures.asymmetries}
    composites = [row for row in measures.volumes if row.kind == "composite"]
    _add_group(table, "", composites, pairs)
    for region in (*REGIONS, CONTEXT):
        rows = [r for r in measures.volumes if r.kind == "structure" and r.parent == region]
        if rows:
            table.add_section()
            _add_group(table, region.capitalize(), rows, pairs)
    return table


def print_findings(findings: tuple[Finding, ...], console: Console) -> None:
    """Print the findings, worst first; many of one kind share a line."""
    if not findings:
        console.print("[green]No quality findings.[/green]")
        return
    alike: dict[tuple[str, str], list[Finding]] = {}
    for finding in findings:
        alike.setdefault((finding.severity, finding.code), []).append(finding)
    for (severity, _), group in alike.items():
        style = _SEVERITY_STYLE[severity]
        shown = group if len(group) < MANY_ALIKE else group[:1]
        for finding in shown:
            rest = len(group) - len(shown)
            more = f" (and {rest} more like it, see qc.json)" if rest else ""
            console.print(
                f"[{style}]{severity.capitalize():<8}[/{style}] {finding.message}{more} "
                f"[dim]{finding.action}[/dim]",
                highlight=False,
            )


def _add_group(
    table: Table, heading: str, rows: list[StructureVolume], pairs: dict[str, Asymmetry]
) -> None:
    if heading:
        table.add_row(f"[bold]{heading}[/bold]")
    indent = "  " if heading else ""
    by_key = {row.key: row for row in rows}
    for row in rows:
        if row.side == "right" and _stem(row) + "_left" in by_key:
            continue  # shown beside its left
        sides = [row]
        if row.side == "left" and _stem(row) + "_right" in by_key:
            sides.append(by_key[_stem(row) + "_right"])
        table.add_row(*_cells(indent, sides, pairs.get(_stem(row))))


def _cells(indent: str, sides: list[StructureVolume], pair: Asymmetry | None) -> list[str]:
    name = short_name(sides[0].name)
    left = right = index = ""
    if sides[0].side in ("left", "right"):
        name = name if len(sides) == 2 else f"{name}, {sides[0].side}"
        volumes = {row.side: row.volume_soft_mm3 for row in sides}
        left = _number(volumes.get("left"))
        right = _number(volumes.get("right"))
        index = (
            "n/a" if pair is None or pair.index_percent is None else f"{pair.index_percent:+.1f}"
        )
    total = _sum(row.volume_soft_mm3 for row in sides)
    spread = _sum(row.half_range_mm3 for row in sides)
    # The weaker side decides: a pair is no better known than its worse half.
    weakest = min(sides, key=lambda row: row.confidence if row.confidence == row.confidence else -1)
    word = confidence_word(weakest.confidence, weakest.tier)
    style = _WORD_STYLE[word]
    number = "" if word == "none" else f" {weakest.confidence:.2f}"
    confidence = f"[{style}]{word}{number}[/{style}]"
    return [indent + name, left, right, _number(total), _number(spread), index, confidence]


def _stem(row: StructureVolume) -> str:
    return row.key.removesuffix(f"_{row.side}")


def _sum(values) -> float | None:
    known = list(values)
    return None if any(value is None for value in known) else sum(known)


def _number(value: float | None) -> str:
    if value is None:
        return "n/a"
    return f"{value:,.0f}" if value >= 100 else f"{value:.1f}"
