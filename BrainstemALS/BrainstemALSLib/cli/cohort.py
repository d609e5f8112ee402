"""``brainstem-als cohort`` and ``cohort-forget``: a whole BIDS dataset, as BIDS-Apps take it."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from typer.core import TyperCommand

from .failures import refusals
from .options import DebugOption, Device, DeviceOption, ModelOption
from .output import best_effort

if TYPE_CHECKING:
    from ..cohort.discovery import Visit
    from ..cohort.participant_level import Summary
    from ..cohort.remarks import Remark

_WHICH, _HOW, _FIT, _GROUP = "Which visits", "Computing", "Diffusion", "Group analysis"
_LISTS = ("--participant-label", "--participant_label", "--session-label", "--session_label")
_MOST_REMARKS, _MOST_FAILURES = 40, 20


class Level(StrEnum):
    """Levels of analysis of a BIDS-App."""

    PARTICIPANT = "participant"
    GROUP = "group"


class Diffusion(StrEnum):
    """Which diffusion of a dataset is used."""

    AUTO = "auto"
    MAPS = "maps"
    SERIES = "series"
    NONE = "none"


class BidsAppCommand(TyperCommand):
    """Takes ``--participant-label 01 02 03`` as BIDS-Apps do, after the three arguments."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Repeat the option before each further label."""
        spread: list[str] = []
        option, free = None, 0
        for place, word in enumerate(args):
            if word.startswith("-") and word != "-":
                option = word if word in _LISTS else None
                spread.append(word)
                continue
            before = args[place - 1] if place else ""
            if option is not None and before != option and free >= 3:
                spread += [option, word]
                continue
            if option is not None and before == option:
                spread.append(word)
                continue
            free += not before.startswith("-")
            spread.append(word)
        return super().parse_args(ctx, spread)


def cohort(
    bids_dir: Annotated[Path, typer.Argument(metavar="BIDS_DIR", help="BIDS dataset.")],
    out: Annotated[Path, typer.Argument(metavar="OUT", help="Folder for the results.")],
    level: Annotated[
        Level,
        typer.Argument(
            metavar="{participant,group}",
            help="participant: every visit, then the tables. group: tables and the group analysis.",
        ),
    ],
    participant_label: Annotated[
        list[str] | None,
        typer.Option(
            "--participant-label",
            "--participant_label",
            metavar="LABEL...",
            help="Only these participants, with or without sub-.",
            rich_help_panel=_WHICH,
        ),
    ] = None,
    session_label: Annotated[
        list[str] | None,
        typer.Option(
            "--session-label",
            "--session_label",
            metavar="LABEL...",
            help="Only these sessions, with or without ses-.",
            rich_help_panel=_WHICH,
        ),
    ] = None,
    skip_bids_validation: Annotated[
        bool,
        typer.Option(
            "--skip-bids-validation",
            "--skip_bids_validation",
            help="Taken for the sake of other BIDS-Apps: the official validator is never run, our "
            "own checks always are.",
            rich_help_panel=_WHICH,
        ),
    ] = False,
    diffusion: Annotated[
        Diffusion,
        typer.Option(
            "--diffusion",
            help="auto: FA and MD maps of derivatives where there are any, else the series.",
            rich_help_panel=_FIT,
        ),
    ] = Diffusion.AUTO,
    derivatives: Annotated[
        list[Path] | None,
        typer.Option(
            "--derivatives",
            help="Dataset with FA and MD maps, besides BIDS_DIR/derivatives.",
            rich_help_panel=_FIT,
        ),
    ] = None,
    denoise: Annotated[
        bool, typer.Option("--denoise", help="See segment.", rich_help_panel=_FIT)
    ] = False,
    gibbs: Annotated[
        bool, typer.Option("--gibbs", help="See segment.", rich_help_panel=_FIT)
    ] = False,
    motion: Annotated[
        bool, typer.Option("--motion/--no-motion", help="See segment.", rich_help_panel=_FIT)
    ] = True,
    unwarp: Annotated[
        bool, typer.Option("--unwarp", help="See segment.", rich_help_panel=_FIT)
    ] = False,
    phase_encoding: Annotated[
        str | None,
        typer.Option("--phase-encoding", metavar="AXIS", help="See segment.", rich_help_panel=_FIT),
    ] = None,
    register: Annotated[
        bool, typer.Option("--register/--no-register", help="See segment.", rich_help_panel=_FIT)
    ] = True,
    n_procs: Annotated[
        int | None,
        typer.Option(
            "--n-procs",
            "--n_procs",
            "--nprocs",
            "--n-cpus",
            min=1,
            help="Processes on this computer; as many as memory (2.5 GiB each) and cores bear, or "
            "one for each GPU.",
            rich_help_panel=_HOW,
        ),
    ] = None,
    threads: Annotated[
        int | None,
        typer.Option(
            "--threads",
            "--omp-nthreads",
            min=1,
            help="CPU threads of each; the cores are shared out by default.",
            rich_help_panel=_HOW,
        ),
    ] = None,
    scheduler: Annotated[
        str | None,
        typer.Option(
            "--scheduler",
            metavar="ADDRESS",
            help="Send the visits to this Dask cluster (tcp://host:8786, or a scheduler file).",
            rich_help_panel=_HOW,
        ),
    ] = None,
    device: DeviceOption = Device.AUTO,
    model: ModelOption = None,
    flip: Annotated[bool, typer.Option("--flip/--no-flip", help="See segment.")] = True,
    no_probabilities: Annotated[
        bool, typer.Option("--no-probabilities", help="Do not write the probability maps.")
    ] = False,
    redo: Annotated[
        bool, typer.Option("--redo", help="Process again what is done and unchanged.")
    ] = False,
    seed: Annotated[
        int, typer.Option("--seed", help="Of permutations.", rich_help_panel=_GROUP)
    ] = 0,
    permutations: Annotated[
        int,
        typer.Option("--permutations", min=0, help="Of each contrast.", rich_help_panel=_GROUP),
    ] = 5000,
    debug: DebugOption = False,
) -> None:
    """Process a cohort (participant) and analyse it (group); run it again to go on."""  # fmt: skip
    with refusals(debug):
        from ..cohort.discovery import find_visits
        from ..cohort.participant_level import SOME_FAILED, collect_only, run_participants
        from ..cohort.settings import Settings, model_checksums

        remarks: list[Remark] = []
        search = {
            "diffusion": diffusion.value, "derivatives": derivatives or (), "leave_out": out,
        }  # fmt: skip
        every = find_visits(bids_dir, remarks, **search)
        if level is Level.GROUP:
            _group(bids_dir, out, collect_only(bids_dir, out, every, remarks), seed, permutations)
            return
        labels = {"participants": _split(participant_label), "sessions": _split(session_label)}
        visits = find_visits(bids_dir, [], **labels, **search)
        settings = Settings(
            device.value, model, model_checksums(model), flip, denoise, gibbs, motion, unwarp,
            phase_encoding, register, not no_probabilities,
        )  # fmt: skip
        with _bar() as progress:
            summary = run_participants(
                bids_dir, out, visits, every, settings,
                _runner(scheduler, n_procs, threads, device.value),
                remarks=remarks, redo=redo, progress=progress,
            )  # fmt: skip
        with best_effort():
            _print(summary, every, out)
        if summary.count("failed"):
            raise typer.Exit(SOME_FAILED)


def cohort_forget(
    out: Annotated[Path, typer.Argument(metavar="OUT", help="Folder of the results of cohort.")],
    participant: Annotated[
        str, typer.Option("--participant", metavar="LABEL", help="Whom to delete: sub-01.")
    ],
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    debug: DebugOption = False,
) -> None:
    """Delete a participant from the results of a cohort: images, tables, logs, group results."""
    with refusals(debug):
        from ..cohort.forget import forget

        if not yes:
            typer.confirm(
                "Delete this participant's results? They can't be brought back", abort=True
            )
        changed = forget(out, participant)
        with best_effort():
            typer.echo(f"Deleted or rewritten: {', '.join(changed)}")
            typer.echo(
                "The dataset itself was not touched: as long as it holds the participant, the next "
                "run makes these results again. docs/data-protection.md says what lies elsewhere."
            )


def _split(labels: list[str] | None) -> list[str]:
    return [part for label in labels or () for part in label.replace(",", " ").split()]


def _runner(scheduler: str | None, wanted: int | None, threads: int | None, device: str) -> Any:
    def make(jobs: int) -> Any:
        if scheduler is not None:
            from ..cohort.dask_cluster import DaskCluster

            return DaskCluster(scheduler, threads)
        from ..cohort.local import LocalPool
        from ..cohort.machine import processes_for, usable_gpus
        from ..cohort.warm import cores

        gpus = usable_gpus(device)
        processes = processes_for(jobs, wanted, len(gpus))
        return LocalPool(processes, threads or max(1, cores() // processes), gpus)

    return make


def _bar() -> Any:
    """A bar where somebody watches, else a line per visit: the log of a batch job."""
    import sys
    from contextlib import contextmanager

    from .progress import progress_bar

    @contextmanager
    def shown() -> Any:
        failed = 0
        with progress_bar("Cohort") as report:

            def progress(done: int, of: int, last: Any) -> None:
                nonlocal failed
                failed += last is not None and last.status == "failed"
                text = f"{done} of {of} visits" + (f", {failed} failed" if failed else "")
                report("cohort", done / of if of else 1.0, text)
                if last is not None and not sys.stderr.isatty():
                    with best_effort():
                        problem = f": {last.problem}" if last.problem else ""
                        typer.echo(f"{done}/{of} {last.key}: {last.status}{problem}")

            yield progress

    return shown()


def _print(summary: Summary, every: list[Visit], out: Path) -> None:
    typer.echo(
        f"{summary.count('done')} visits processed, {summary.count('unchanged')} unchanged, "
        f"{summary.count('failed')} failed; {len(summary.cohort.measures)} measures of "
        f"{summary.cohort.measures.participant_id.nunique()} participants."
    )
    if summary.cohort.simulated:
        typer.echo("SIMULATED: this dataset says that its people are simulated.")
    failures = [outcome for outcome in summary.outcomes if outcome.status == "failed"]
    if failures:
        _table("Failed", [(f.key, f.problem, f.remedy) for f in failures[:_MOST_FAILURES]])
    _print_remarks(summary)
    left = sum(row["status"] not in ("done", "failed") for row in summary.rows)
    if left:
        typer.echo(f"Of the dataset's {len(every)} visits, {left} have no results yet or no T1.")
    typer.echo("Look at summary.tsv and remarks.tsv; the measures are in measures.tsv.")


def _print_remarks(summary: Summary) -> None:
    from ..cohort.remarks import summary_lines

    lines = summary_lines(summary.remarks)
    for line in lines[:_MOST_REMARKS]:
        typer.echo(f"- {line}")
    if len(lines) > _MOST_REMARKS:
        typer.echo(f"- and {len(lines) - _MOST_REMARKS} more in remarks.tsv")


def _table(title: str, rows: list[tuple[str, str, str]]) -> None:
    from rich import box
    from rich.console import Console
    from rich.table import Table

    table = Table("visit", "why", "what to do", title=title, box=box.SIMPLE, title_justify="left")
    for row in rows:
        table.add_row(*row)
    Console().print(table)


def _group(bids_dir: Path, out: Path, summary: Summary, seed: int, permutations: int) -> None:
    from ..cohort.forget import GROUP
    from ..cohort_analysis.group import run_group
    from ..cohort_analysis.options import REAL, SIMULATED, GroupOptions

    with best_effort():
        lacking = [row for row in summary.rows if row["status"] != "done"]
        if lacking:
            typer.echo(
                f"The participant level is incomplete: {len(lacking)} of {len(summary.rows)} "
                "visits have no results (summary.tsv says why). Going on with the others."
            )
        _print_remarks(summary)
    options = GroupOptions(
        seed=seed, permutations=permutations,
        source=SIMULATED if summary.cohort.simulated else REAL,
        command="brainstem-als cohort BIDS_DIR OUT group "
        f"--seed {seed} --permutations {permutations}",
    )  # fmt: skip
    from .progress import progress_bar

    with progress_bar("Group") as report:
        written = run_group(
            summary.cohort, out / GROUP, options, lambda text: report("group", 0.5, text)
        )
    with best_effort():
        typer.echo(f"Wrote {len(written)} files. Read first: {GROUP}/{written[0].name}")
