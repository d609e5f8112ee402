"""``brainstem-als longitudinal``."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated

import typer

from ..errors import BrainstemALSError, ExitCode
from .failures import refusals
from .options import (
    DebugOption,
    Device,
    DeviceOption,
    ModelOption,
    OverwriteOption,
    ThreadsOption,
)
from .output import best_effort

_SHOWN = ("brainstem", "midbrain", "pons", "medulla")
_BETWEEN = re.compile(r"[,;\s]+")


def longitudinal(
    sources: Annotated[
        list[Path],
        typer.Argument(
            metavar="VISIT...",
            help="Two or more visits of one person: a T1-weighted image, a folder of DICOM files, "
            "or a BIDS session each.",
        ),
    ],
    months: Annotated[
        str,
        typer.Option(
            "--months",
            metavar="NUMBERS",
            help="Time of each visit in months, in the order of the visits: 0,6,12.5",
        ),
    ],
    out: Annotated[Path, typer.Option("--out", help="Folder for the results.")],
    fa: Annotated[
        list[Path] | None,
        typer.Option("--fa", help="Fractional anisotropy; once for every visit, in their order."),
    ] = None,
    md: Annotated[
        list[Path] | None,
        typer.Option("--md", help="Mean diffusivity; once for every visit, in their order."),
    ] = None,
    device: DeviceOption = Device.AUTO,
    model: ModelOption = None,
    threads: ThreadsOption = None,
    overwrite: OverwriteOption = False,
    debug: DebugOption = False,
) -> None:
    """Measure the change of the brainstem over two or more visits of one person."""
    with refusals(debug):
        from ..longitudinal.sessions import Session, process_sessions
        from .inference import LateSegmenter
        from .progress import progress_bar

        times = read_months(months)
        # Times that do not fit are refused by name, so the shorter list must not cut the longer.
        if len(times) != len(sources):
            raise _usage("--months", f"{len(sources)} visits were given and {len(times)} times")
        maps = {"fa": fa or [], "md": md or []}
        for name, paths in maps.items():
            if paths and len(paths) != len(sources):
                raise _usage(f"--{name}", f"{len(sources)} visits were given and {len(paths)} maps")
        sessions = [
            Session(source, time, {name: paths[n] for name, paths in maps.items() if paths})
            for n, (source, time) in enumerate(zip(sources, times, strict=True))
        ]
        with progress_bar("Comparing visits") as progress:
            result = process_sessions(
                sessions,
                LateSegmenter(device.value, model, threads=threads),
                out,
                overwrite=overwrite,
                progress=progress,
            )
        with best_effort():
            for change in result.changes:
                if change.measure == "volume" and change.structure in _SHOWN:
                    typer.echo(change_line(change))
            for finding in result.findings:
                typer.echo(f"{finding.severity}: {finding.message} {finding.action}")
            typer.echo(f"Wrote the results to {out}")


def read_months(text: str) -> list[float]:
    """Return the numbers of ``--months``.

    Raises
    ------
    BrainstemALSError
        USAGE: one of them is no number.
    """
    try:
        return [float(part) for part in _BETWEEN.split(text.strip()) if part]
    except ValueError:
        raise _usage("--months", "a time is not a number") from None


def change_line(change) -> str:
    """Return a change of volume as it is shown."""
    if change.change_per_year is None:
        return f"{change.structure}: no change is given, the visits differ in scanner or contrast"
    if change.low is None:
        return f"{change.structure}: {change.change_per_year:+.2f} %/year, error not known"
    word = "beyond" if change.beyond_error else "within"
    return (
        f"{change.structure}: {change.change_per_year:+.2f} %/year "
        f"({change.low:+.2f} to {change.high:+.2f}), {word} measurement error (simulated)"
    )


def _usage(option: str, problem: str) -> BrainstemALSError:
    return BrainstemALSError(
        option,
        problem,
        "Give one for each visit, in their order; times as numbers with a decimal point: 0,6,12.5",
        ExitCode.USAGE,
    )
