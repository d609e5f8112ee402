"""``brainstem-als predict``: all that can be said of one person, as JSON and as a page to print."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ..errors import BrainstemALSError, ExitCode
from .failures import refusals
from .options import DebugOption
from .output import best_effort

if TYPE_CHECKING:
    from ..norms.score import Norms
    from ..prediction.predict import Prediction

JSON_NAME, HTML_NAME = "prediction.json", "prediction.html"
EXAMPLE = """{
  "participant": "patient",
  "group": "ALS",
  "age": 61,
  "sex": "F",
  "onset": "bulbar",
  "onset_age": 60,
  "months_since_onset": 14,
  "diagnostic_delay": 9,
  "ftd": "no",
  "c9orf72": null,
  "riluzole": "yes",
  "definite_ee": "no",
  "intracranial_mm3": null,
  "visits": [
    {"session": "ses-01", "months": 0, "alsfrs": [3, 4, 3, 4, 4, 4, 4, 3, 3, 4, 4, 4],
     "gastrostomy": "no", "fvc": 84, "niv": "no", "exam": null},
    {"session": "ses-02", "months": 4, "alsfrs": [2, 3, 3, 4, 4, 4, 4, 3, 3, 4, 4, 4],
     "gastrostomy": "no", "fvc": 78, "niv": "no", "exam": null}
  ]
}"""
"""``exam``: folder of results of ``brainstem-als segment``, relative to the file;
``intracranial_mm3``: for exams that do not show the whole head."""
_STYLE = {"error": "bold red", "warning": "yellow", "info": "cyan"}


def predict(
    person: Annotated[
        Path | None,
        typer.Argument(metavar="PERSON.json", help="One person as JSON; see --example."),
    ] = None,
    out: Annotated[
        Path | None, typer.Option("--out", help=f"Folder for {JSON_NAME} and {HTML_NAME}.")
    ] = None,
    visit: Annotated[
        int | None,
        typer.Option("--visit", help="Use the first N visits only, as on the day of the last."),
    ] = None,
    prior: Annotated[
        float | None,
        typer.Option("--prior", help="Share of ALS among those who are asked about: 0.3 for 30 %."),
    ] = None,
    models: Annotated[
        Path | None,
        typer.Option("--models", help="Folder with other models than those that come along."),
    ] = None,
    norms: Annotated[
        Path | None,
        typer.Option(
            "--norms", help="Norms; else norms.json beside --models, else those that come along."
        ),
    ] = None,
    example: Annotated[
        bool, typer.Option("--example", help="Print an example of PERSON.json and stop.")
    ] = False,
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Replace an earlier prediction.")
    ] = False,
    debug: DebugOption = False,
) -> None:
    """Stage, consistency with ALS, forecast and risk of one person; for research only."""
    with refusals(debug):
        if example:
            typer.echo(EXAMPLE)
            return
        from datetime import date

        from ..imaging.staging import staged_output
        from ..prediction.models import read_models
        from ..prediction.person_file import read_person
        from ..prediction.predict import predict as predict_person
        from ..prediction.prediction_json import prediction_text
        from ..prediction.report_html import report_html

        if person is None:
            raise _usage("PERSON.json", "it is missing", "Name a file; --example prints one.")
        if out is None:
            raise _usage("--out", "it is missing", "Name a folder for the results.")
        if models is not None and not models.is_dir():
            raise _usage("--models", "there is no such folder", "Name a folder with models.")
        known = read_person(person)
        if visit is not None:
            if not 1 <= visit <= len(known.visits):
                many = len(known.visits)
                raise _usage("--visit", f"there are visits 1 to {many}", "Give one of them.")
            known = known.until(visit)
        with staged_output(out, [JSON_NAME, HTML_NAME], overwrite) as folder:
            beside = models / "norms.json" if models is not None and norms is None else None
            if beside is not None and beside.is_file():
                norms = beside
            found = predict_person(known, _norms(norms), read_models(models), prior, strict=debug)
            today = date.today().isoformat()
            for name, text in (
                (JSON_NAME, prediction_text(found, today)),
                (HTML_NAME, report_html(found, today)),
            ):
                (folder / name).write_text(text, encoding="utf-8")
        with best_effort():
            _print(found)
            typer.echo(f"Wrote {JSON_NAME} and {HTML_NAME} to {out}")


def _norms(path: Path | None) -> Norms | None:
    from ..norms import bundled_norms, read_norms

    if path is not None:
        return read_norms(path)
    try:
        return bundled_norms()
    except BrainstemALSError:
        return None  # a finding of the prediction says so


def _print(found: Prediction) -> None:
    from rich import box
    from rich.console import Console
    from rich.markup import escape
    from rich.table import Table

    from ..prediction.prediction_json import NOT_FOR_DIAGNOSIS
    from ..prediction.report_html_words import findings_once, headlines
    from ..report.statements import RESEARCH_USE

    console = Console()
    table = Table(box=box.SIMPLE_HEAD, title="Prediction", title_style="bold")
    table.add_column("Part", overflow="fold")
    table.add_column("Interval, then best estimate", overflow="fold")
    table.add_column("Learned from", overflow="fold")
    for name, said, whom in headlines(found):
        table.add_row(escape(name), escape(said), escape(whom))
    console.print(table)
    for severity, where, said in findings_once(found):
        style = _STYLE[severity]
        console.print(
            f"[{style}]{severity.capitalize():<8}[/{style}] {escape(said)} "
            f"[dim]({escape(where)})[/dim]", highlight=False,
        )  # fmt: skip
    console.print(f"[dim]{RESEARCH_USE} {NOT_FOR_DIAGNOSIS}[/dim]")


def _usage(option: str, problem: str, remedy: str) -> BrainstemALSError:
    return BrainstemALSError(option, problem, remedy, ExitCode.USAGE)
