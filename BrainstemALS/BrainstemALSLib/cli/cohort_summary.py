"""What ``brainstem-als cohort`` prints: progress, how visits ended, failures, remarks."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import typer

from .output import best_effort

if TYPE_CHECKING:
    from ..cohort.participant_level import Summary

_MOST_REMARKS, _MOST_FAILURES = 40, 20
GROUP_PARTS = (
    "comparing groups, onsets and stages", "change over time", "change of each participant",
    "clinical scores", "sensitivity", "spread order", "figures",
)  # fmt: skip
"""What ``run_group`` says as it begins each part; not all parts run on all tables."""


@contextmanager
def visit_progress() -> Iterator[Callable[[int, int, Any], None]]:
    """Show a bar where somebody watches, else a line per visit: the log of a batch job."""
    failed = 0
    from .progress import progress_bar  # brings the pipeline along, which --help must not load

    with progress_bar("Cohort") as report:

        def progress(done: int, of: int, last: Any) -> None:
            nonlocal failed
            failed += last is not None and last.status == "failed"
            text = f"{done} of {of} done" + (f", {failed} failed" if failed else "")
            report("cohort", done / of if of else 1.0, text)
            if last is not None and not sys.stderr.isatty():
                with best_effort():
                    problem = f": {last.problem}" if last.problem else ""
                    typer.echo(f"{done}/{of} {last.key}: {last.status}{problem}")

        yield progress


@contextmanager
def group_progress() -> Iterator[Callable[[str], None]]:
    """Show a bar, or a line, as each part of the group analysis begins."""
    reached = 0
    from .progress import progress_bar

    with progress_bar("Group") as report:

        def say(text: str) -> None:
            nonlocal reached
            reached = GROUP_PARTS.index(text) if text in GROUP_PARTS else reached
            report("group", reached / len(GROUP_PARTS), text)
            if not sys.stderr.isatty():
                with best_effort():
                    typer.echo(f"Part {reached + 1} of {len(GROUP_PARTS)}: {text}")

        yield say


def print_summary(summary: Summary) -> None:
    """Print how a run of the participant level ended."""
    typer.echo(
        f"{summary.count('done')} visits processed, {summary.count('unchanged')} unchanged, "
        f"{summary.count('failed')} failed; {len(summary.cohort.measures)} measures of "
        f"{summary.cohort.measures.participant_id.nunique()} participants."
    )
    if summary.cohort.simulated:
        typer.echo("SIMULATED: this dataset says that its people are simulated.")
    if summary.compared:
        ended = [outcome.status for outcome in summary.compared]
        typer.echo(
            f"Visits compared: {ended.count('done')} participants, {ended.count('unchanged')} "
            f"unchanged, {ended.count('failed')} failed; changes.tsv holds {summary.changes}."
        )
    failures = [o for o in (*summary.outcomes, *summary.compared) if o.status == "failed"]
    if failures:
        _table("Failed", [(f.key, f.problem, f.remedy) for f in failures[:_MOST_FAILURES]])
    print_remarks(summary)
    left = sum(row["status"] in ("not processed", "no T1") for row in summary.rows)
    if left:
        typer.echo(
            f"Of {len(summary.rows)} visits in summary.tsv, {left} have no results yet or no T1."
        )
    typer.echo("Look at summary.tsv and remarks.tsv; the measures are in measures.tsv.")


def print_found(summary: Summary) -> None:
    """Print what the group level found, before it analyses it."""
    lacking = [row for row in summary.rows if row["status"] != "done"]
    if lacking:
        typer.echo(
            f"The participant level is incomplete: {len(lacking)} of {len(summary.rows)} "
            "visits have no results (summary.tsv says why). Going on with the others."
        )
    print_remarks(summary)


def print_remarks(summary: Summary) -> None:
    """Print what was odd in the dataset, a line for each problem."""
    from ..cohort.remarks import summary_lines

    lines = summary_lines(summary.remarks)
    for line in lines[:_MOST_REMARKS]:
        typer.echo(f"- {line}")
    if len(lines) > _MOST_REMARKS:
        typer.echo(f"- and {len(lines) - _MOST_REMARKS} more problems in remarks.tsv")


def _table(title: str, rows: list[tuple[str, str, str]]) -> None:
    from rich import box
    from rich.console import Console
    from rich.table import Table

    table = Table("visit", "why", "what to do", title=title, box=box.SIMPLE, title_justify="left")
    for row in rows:
        table.add_row(*row)
    Console().print(table)
