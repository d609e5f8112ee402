"""``brainstem-als cohort`` and ``cohort-forget``: a whole BIDS dataset, as BIDS-Apps take it."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from typer.core import TyperCommand

from ..errors import BrainstemALSError, ExitCode
from .cohort_summary import group_progress, print_found, print_summary, visit_progress
from .failures import refusals
from .options import DebugOption, Device, DeviceOption, ModelOption
from .output import best_effort

if TYPE_CHECKING:
    from ..cohort.participant_level import Summary
    from ..cohort.remarks import Remark

_WHICH, _HOW, _FIT, _GROUP = "Which visits", "Computing", "Diffusion", "Group analysis"
_OVER_TIME = "Change over visits"
_ONLY_PARTICIPANT = (
    "denoise", "gibbs", "motion", "unwarp", "phase_encoding", "register", "longitudinal", "n_procs",
    "threads", "scheduler", "limit_minutes", "device", "model", "flip", "no_probabilities",
)  # fmt: skip
_CHOOSE, _ONLY_GROUP = (
    ("participant_label", "session_label", "redo"), ("seed", "permutations", "harmonise"),
)  # fmt: skip
"""Options that one level alone reads; those of ``_CHOOSE`` would change what a group is."""
_LISTS = ("--participant-label", "--participant_label", "--session-label", "--session_label")


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


class Harmonise(StrEnum):
    """What becomes of scanners in the group analysis."""

    NONE = "none"
    COMBAT = "combat"


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
    ctx: typer.Context,
    bids_dir: Annotated[
        Path,
        typer.Argument(
            metavar="BIDS_DIR",
            help="BIDS dataset; for group also a folder with the tables of a cohort alone.",
        ),
    ],
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
    longitudinal: Annotated[
        bool,
        typer.Option(
            "--longitudinal/--no-longitudinal",
            help="Compare the visits of each participant who has two or more, for changes.tsv. "
            "Diffusion series are fitted once more for it.",
            rich_help_panel=_OVER_TIME,
        ),
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
    limit_minutes: Annotated[
        float,
        typer.Option(
            "--limit-minutes",
            min=0,
            help="A visit that takes longer fails; 0 for no limit. Not with --scheduler.",
            rich_help_panel=_HOW,
        ),
    ] = 180.0,
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
    harmonise: Annotated[
        Harmonise,
        typer.Option(
            "--harmonise",
            help="none: the site is a covariate; combat: values are freed of it first, learnt from "
            "controls; not where patients and controls are scanned at different scanners: it then "
            "finds differences that are none (docs/results/group_recovery.md).",
            rich_help_panel=_GROUP,
        ),
    ] = Harmonise.NONE,
    debug: DebugOption = False,
) -> None:
    """Process a cohort (participant) and analyse it (group); run it again to go on."""  # fmt: skip
    with refusals(debug):
        from ..cohort.discovery import find_visits, holds_images
        from ..cohort.participant_level import run_participants
        from ..cohort.settings import Settings, model_checksums
        from ..cohort.tables import holds_tables

        # Once and for all: records, workers and the group analysis see the same paths.
        bids_dir, out = bids_dir.resolve(), out.resolve()
        model = model and model.absolute()
        tables_alone = holds_tables(bids_dir) and not holds_images(bids_dir)
        _refuse_unread(ctx, level, tables_alone)
        search = {
            "diffusion": diffusion.value, "derivatives": derivatives or (), "leave_out": out,
        }  # fmt: skip
        if level is Level.GROUP:
            _group(
                bids_dir, out, None if tables_alone else search, seed, permutations,
                harmonise.value,
            )  # fmt: skip
            return
        remarks: list[Remark] = []
        every = find_visits(bids_dir, remarks, **search)
        labels = {"participants": _split(participant_label), "sessions": _split(session_label)}
        visits = find_visits(bids_dir, [], **labels, **search)
        settings = Settings(
            device.value, model, model_checksums(model), flip, denoise, gibbs, motion, unwarp,
            phase_encoding, register, not no_probabilities,
        )  # fmt: skip
        with visit_progress() as progress:
            summary = run_participants(
                bids_dir, out, visits, every, settings,
                _runner(scheduler, n_procs, threads, device.value, limit_minutes),
                remarks=remarks, redo=redo, longitudinal=longitudinal, progress=progress,
            )  # fmt: skip
        with best_effort():
            print_summary(summary)
        if summary.count("failed") or any(each.status == "failed" for each in summary.compared):
            raise typer.Exit(ExitCode.SOME_FAILED)


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


def _runner(
    scheduler: str | None, wanted: int | None, threads: int | None, device: str, limit: float
) -> Any:
    def make(jobs: int) -> Any:
        if scheduler is not None:
            from ..cohort.dask_cluster import DaskCluster

            if wanted is not None:
                typer.echo("--n-procs is not used: the cluster decides with --scheduler.", err=True)
            return DaskCluster(scheduler, threads)
        from ..cohort.local import LocalPool
        from ..cohort.machine import processes_for, usable_gpus
        from ..cohort.warm import cores

        gpus = usable_gpus(device)
        processes = processes_for(jobs, wanted, len(gpus))
        return LocalPool(
            processes, threads or max(1, cores() // processes), gpus, limit_minutes=limit
        )

    return make


def _refuse_unread(ctx: typer.Context, level: Level, tables_alone: bool) -> None:
    """Refuse or name the options that were given and that this level does not read."""
    given = {
        param.name: param.opts[0] for param in ctx.command.params
        if param.name and getattr(ctx.get_parameter_source(param.name), "name", "") == "COMMANDLINE"
    }  # fmt: skip
    if level is Level.PARTICIPANT:
        if tables_alone:
            raise BrainstemALSError(
                ctx.params["bids_dir"], "it holds the tables of a cohort and no images",
                "Name a BIDS dataset, or give the level group.", ExitCode.USAGE,
            )  # fmt: skip
        unread = _ONLY_GROUP
    else:
        if chosen := [given[name] for name in _CHOOSE if name in given]:
            raise BrainstemALSError(
                ", ".join(chosen), "the group level takes all results as they are",
                "Leave it out, or give it to the level participant.", ExitCode.USAGE,
            )  # fmt: skip
        unread = (*_ONLY_PARTICIPANT, *(("diffusion", "derivatives") if tables_alone else ()))
    if names := [given[name] for name in unread if name in given]:
        with best_effort():
            where = " with tables alone" if level is Level.GROUP and tables_alone else ""
            typer.echo(f"Not used at the level {level.value}{where}: {', '.join(names)}.", err=True)


def _group(
    source: Path,
    out: Path,
    search: dict[str, Any] | None,
    seed: int,
    permutations: int,
    harmonise: str,
) -> None:
    """Analyse a dataset's results; or, without ``search``, the tables in ``source``."""
    from ..cohort.discovery import find_visits
    from ..cohort.forget import GROUP
    from ..cohort.participant_level import collect_only, read_only
    from ..cohort.tables import DESCRIPTION
    from ..cohort_analysis.group import run_group
    from ..cohort_analysis.options import REAL, SIMULATED, UNSTATED, GroupOptions

    # Tables without a description are not taken for real people's.
    stated = search is not None or (source / DESCRIPTION).is_file()

    def analyse(found: Summary) -> None:
        with best_effort():
            print_found(found)
        options = GroupOptions(
            seed=seed, permutations=permutations, harmonise=harmonise,
            source=SIMULATED if found.cohort.simulated else REAL if stated else UNSTATED,
            command=f"brainstem-als cohort {'TABLES' if search is None else 'BIDS_DIR'} OUT group "
            f"--seed {seed} --permutations {permutations} --harmonise {harmonise}",
        )  # fmt: skip
        with group_progress() as say:
            changes = source if search is None else out
            written = run_group(found.cohort, out / GROUP, options, say, changes)
        with best_effort():
            typer.echo(f"Wrote {len(written)} files. Read first: {GROUP}/{written[0].name}")

    if search is None:
        read_only(source, out, analyse)
        return
    remarks: list[Remark] = []
    every = find_visits(source, remarks, **search)
    collect_only(source, out, every, remarks, analyse)
