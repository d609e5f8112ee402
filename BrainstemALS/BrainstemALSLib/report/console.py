"""Volumes, diffusion, asymmetry and findings of one exam on the terminal."""

from __future__ import annotations

from itertools import groupby
from typing import TYPE_CHECKING

from ..anatomy import CONTEXT
from ..imaging.finding import Finding
from ..measurement import Measures
from .diffusion_cells import MISSING, PLACES, DiffusionCells
from .statements import RESEARCH_USE, SYNTHETIC_TRAINING
from .summary_rows import WHOLE, SummaryRow, summary_rows, volume_text

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
    if measures.diffusion:
        console.print(diffusion_table(measures))
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
    for group, rows in groupby(summary_rows(measures), key=lambda row: row.group):
        if group != WHOLE:
            table.add_section()
            table.add_row(f"[bold]{group.capitalize()}[/bold]")
        for row in rows:
            table.add_row(*_cells("" if group == WHOLE else "  ", row))
    return table


def diffusion_table(measures: Measures) -> Table:
    """Return the table of FA and MD: composites, structures, then the places of tier C."""
    from rich import box
    from rich.table import Table

    cells = DiffusionCells(measures)
    table = Table(title="Diffusion", box=box.SIMPLE_HEAD, title_style="bold", padding=0)
    table.add_column("Structure", no_wrap=True, max_width=28)
    shown = [metric for metric in ("fa", "md") if metric in cells.metrics]
    for metric in shown:
        # Two sides of four digits: a pair reads 0.52 / 0.55.
        table.add_column(f"{metric.upper()} (L / R)", justify="right", no_wrap=True, min_width=11)
        table.add_column("±", justify="right", no_wrap=True, min_width=4)
        table.add_column("L-R %", justify="right", no_wrap=True, min_width=6)
    table.caption = (
        "Means away from fluid; MD in 1e-3 mm2/s; ± is the larger one of both sides and holds "
        "noise and outline, not the alignment. Places are sampled, not outlined. AD, RD and the "
        "number of voxels: diffusion.tsv."
    )

    def add(indent: str, name: str, keys: tuple[str, ...]) -> None:
        row = [cells.cell(keys, metric) for metric in shown]
        if any(row):
            texts = [
                text
                for cell in row
                for text in (
                    (cell.text, cell.uncertainty, cell.index) if cell else (MISSING, "", "")
                )
            ]
            table.add_row(indent + name, *texts)

    for group, rows in groupby(summary_rows(measures), key=lambda row: row.group):
        if group == CONTEXT:
            continue  # fluid
        if group != WHOLE:
            table.add_section()
            table.add_row(f"[bold]{group.capitalize()}[/bold]")
        for row in rows:
            add("" if group == WHOLE else "  ", row.name, row.keys)
    places = list(cells.places())
    if places:
        table.add_section()
        table.add_row(f"[bold]{PLACES}[/bold]")
    for name, keys in places:
        add("  ", name, keys)
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


def _cells(indent: str, row: SummaryRow) -> list[str]:
    left = right = index = ""
    if row.has_sides:
        left, right = volume_text(row.left_mm3), volume_text(row.right_mm3)
        index = "n/a" if row.index_percent is None else f"{row.index_percent:+.1f}"
    number = "" if row.word == "none" else f" {row.confidence:.2f}"
    style = _WORD_STYLE[row.word]
    confidence = f"[{style}]{row.word}{number}[/{style}]"
    total, spread = volume_text(row.total_mm3), volume_text(row.spread_mm3)
    return [indent + row.name, left, right, total, spread, index, confidence]
