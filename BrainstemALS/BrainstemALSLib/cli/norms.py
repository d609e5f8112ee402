"""``brainstem-als norms``: fit norms on the controls of a cohort, look at them, score with them."""

from __future__ import annotations

import json
from dataclasses import asdict
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ..errors import BrainstemALSError, ExitCode
from .failures import refusals
from .options import DebugOption
from .output import best_effort

if TYPE_CHECKING:
    from ..norms import Norms, NormScore

norms = typer.Typer(
    name="norms",
    help="Norms: what healthy people measure, by age, sex, head size and scanner.",
    no_args_is_help=True,
)


class Source(StrEnum):
    """Where people come from."""

    SIMULATED = "simulated"
    REAL = "real"


CohortArgument = Annotated[
    Path, typer.Argument(metavar="COHORT_DIR", help="Folder with the three tables of a cohort.")
]
FileArgument = Annotated[
    Path | None,
    typer.Argument(metavar="[FILE]", help="Norms; without one, those that come along."),
]
NormsOption = Annotated[
    Path | None, typer.Option("--norms", help="Norms; without one, those that come along.")
]
ReplaceOption = Annotated[bool, typer.Option("--overwrite", help="Replace an earlier file.")]
JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON instead of text.")]


@norms.command()
def fit(
    cohort: CohortArgument,
    out: Annotated[Path, typer.Option("--out", help="JSON file for the norms.")],
    source: Annotated[
        Source | None,
        typer.Option(
            "--source", help="Of the cohort, where its dataset_description.json does not say."
        ),
    ] = None,
    overwrite: ReplaceOption = False,
    debug: DebugOption = False,
) -> None:
    """Fit norms on the controls (group HC) of a cohort."""
    with refusals(debug):
        from ..cohort.tables import read_cohort
        from ..norms import fit_norms, write_norms
        from ..norms.training import cohort_seed, cohort_source

        _free(out, overwrite)
        stated = cohort_source(cohort, source.value if source else None)
        fitted = fit_norms(read_cohort(cohort), stated, cohort_seed(cohort))
        write_norms(fitted, out)
        with best_effort():
            for finding in fitted.findings:
                typer.echo(f"{finding.severity}: {finding.message}. {finding.action}", err=True)
            typer.echo(f"Wrote {len(fitted.models)} norms to {out}")
            typer.echo(f"Norms {fitted.population.statement}.")


@norms.command()
def show(
    file: FileArgument = None, as_json: JsonOption = False, debug: DebugOption = False
) -> None:
    """Show what norms cover and whom they were fitted on."""
    with refusals(debug):
        read = _read(file)
        with best_effort():
            if as_json:
                typer.echo(json.dumps(_summary(read), indent=2))
            else:
                _print(read)


@norms.command()
def score(
    structure: Annotated[str, typer.Option("--structure", help="Key, for example medulla.")],
    measure: Annotated[str, typer.Option("--measure", help="volume, fa, md or an asymmetry.")],
    value: Annotated[float, typer.Option("--value", help="In the unit of the norms.")],
    age: Annotated[float, typer.Option("--age", help="Years at the scan.")],
    sex: Annotated[str, typer.Option("--sex", help="F or M.")],
    icv: Annotated[
        float | None, typer.Option("--icv", help="Intracranial volume, mm3; for volumes.")
    ] = None,
    site: Annotated[
        str | None, typer.Option("--site", help="Scanner, where the norms know it.")
    ] = None,
    uncertainty: Annotated[
        float | None,
        typer.Option("--uncertainty", min=0.0, help="Standard deviation of the value."),
    ] = None,
    file: NormsOption = None,
    as_json: JsonOption = False,
    debug: DebugOption = False,
) -> None:
    """Score one value: z-score and centile with 95 % intervals, or the reason why not."""
    with refusals(debug):
        result = _read(file).score(structure, measure, value, age, sex, icv, site, uncertainty)
        with best_effort():
            typer.echo(
                json.dumps({**asdict(result), "reason": result.reason}, indent=2)
                if as_json
                else score_text(result)
            )


@norms.command()
def table(
    cohort: CohortArgument,
    out: Annotated[Path, typer.Option("--out", help="TSV file for the scores.")],
    file: NormsOption = None,
    overwrite: ReplaceOption = False,
    debug: DebugOption = False,
) -> None:
    """Score all measures of a cohort."""
    with refusals(debug):
        from ..cohort.tables import read_cohort
        from ..durability import write_whole
        from ..norms.training import score_cohort

        _free(out, overwrite)
        read = _read(file)
        scores = score_cohort(read, read_cohort(cohort))
        text = scores.to_csv(
            sep="\t", index=False, na_rep="n/a", lineterminator="\n", float_format="%.6g"
        )
        try:
            out.parent.mkdir(parents=True, exist_ok=True)
            write_whole(out, text.encode())
        except OSError as error:
            raise BrainstemALSError(
                out, "it cannot be written", "Choose another place.", ExitCode.OUTPUT_REFUSED
            ) from error
        with best_effort():
            missing = scores["reason"].ne("")
            typer.echo(f"Scored {int((~missing).sum())} of {len(scores)} values")
            for reason, count in scores.loc[missing, "reason"].value_counts().items():
                typer.echo(f"  without a score: {count} ({reason})")
            typer.echo(f"Norms {read.population.statement}.")


def score_text(result: NormScore) -> str:
    """Return a score as lines of text."""
    lines = [f"{result.structure}, {result.measure}"]
    if result.z is None:
        lines = []
    else:
        lines.append(f"z-score  {result.z:.2f} ({result.z_low:.2f} to {result.z_high:.2f})")
        limits = f"{result.centile_low:.1f} to {result.centile_high:.1f}"
        lines.append(f"centile  {result.centile:.1f} ({limits})")
    lines += [f"{finding.message}. {finding.action}" for finding in result.findings]
    return "\n".join([*lines, f"Norms {result.statement}."])


def _read(file: Path | None) -> Norms:
    from ..norms import bundled_norms, read_norms

    return read_norms(file) if file else bundled_norms()


def _free(path: Path, overwrite: bool) -> None:
    """Refuse to write over a file, before anything is computed."""
    if path.exists() and not overwrite:
        raise BrainstemALSError(
            path,
            "it is there already",
            "Choose another name, or replace it with --overwrite.",
            ExitCode.OUTPUT_REFUSED,
        )


def _summary(read: Norms) -> dict:
    return {
        "statement": read.population.statement,
        "population": {**asdict(read.population), "sites": dict(read.population.sites)},
        "findings": [asdict(finding) for finding in read.findings],
        "models": [
            {
                "structure": model.structure,
                "measure": model.measure,
                "unit": model.unit,
                "controls": model.n,
                "ages": model.age_range,
                "skewness": model.skewness,
                "kurtosis": model.kurtosis,
            }
            for model in read.models
        ],
    }


def _print(read: Norms) -> None:
    from rich import box
    from rich.console import Console
    from rich.table import Table

    whom = read.population
    console = Console()
    sites = ", ".join(f"{name} {count}" for name, count in whom.sites) or "none"
    seed = "" if whom.seed is None else f", seed {whom.seed}"
    for line in (
        f"Norms {whom.statement}{seed}",
        f"{whom.female} women, {whom.male} men; sites: {sites}",
        f"Fitted on {whom.date} with BrainstemALS {whom.version}",
    ):
        console.print(line, markup=False, highlight=False)
    rows: dict[str, list] = {}
    for model in read.models:
        rows.setdefault(model.structure, []).append(model)
    shown = Table(box=box.SIMPLE_HEAD)
    for heading in ("Structure", "Measures", "Controls", "Ages"):
        shown.add_column(heading, overflow="fold")
    for structure, models in rows.items():
        counts = {model.n for model in models}
        shown.add_row(
            structure,
            ", ".join(model.measure for model in models),
            "-".join(str(n) for n in sorted({min(counts), max(counts)})),
            f"{min(m.age_range[0] for m in models):.0f}-{max(m.age_range[1] for m in models):.0f}",
        )
    console.print(shown)
    for finding in read.findings:
        console.print(f"{finding.message}. {finding.action}", style="yellow", markup=False)
