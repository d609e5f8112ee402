"""``brainstem-als segment``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

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


def segment(
    t1: Annotated[
        Path, typer.Argument(metavar="T1", help="T1-weighted image: NIfTI, NRRD or MetaImage.")
    ],
    out: Annotated[Path, typer.Option("--out", help="Folder for the results.")],
    fa: Annotated[Path | None, typer.Option("--fa", help="Fractional anisotropy, 0-1.")] = None,
    md: Annotated[
        Path | None, typer.Option("--md", help="Mean diffusivity, mm2/s or 1e-3 mm2/s.")
    ] = None,
    device: DeviceOption = Device.AUTO,
    flip: Annotated[
        bool,
        typer.Option("--flip", help="Average with the mirrored image: slower, a bit steadier."),
    ] = False,
    model: ModelOption = None,
    threads: ThreadsOption = None,
    overwrite: OverwriteOption = False,
    stem: Annotated[
        str | None,
        typer.Option(
            "--stem",
            metavar="NAME",
            help="Begin the names of the results so: sub-01_ses-02. Without it the name of the T1 "
            "goes into them, with whatever it says of the patient.",
        ),
    ] = None,
    no_probabilities: Annotated[
        bool, typer.Option("--no-probabilities", help="Do not write the probability maps.")
    ] = False,
    debug: DebugOption = False,
) -> None:
    """Segment the brainstem in a T1, with FA and MD where there are any, and measure it."""
    with refusals(debug):
        from ..pipeline import segment_to_folder
        from ..report.console import print_measures
        from .inference import LateSegmenter
        from .progress import progress_bar

        segmenter = LateSegmenter(device.value, model, flip, threads)
        options = {
            "device": device.value,
            "flip": flip,
            "model": model,
            "threads": threads,
            "stem": stem,
            "probabilities": not no_probabilities,
        }
        with progress_bar("Segmenting") as progress:
            saved = segment_to_folder(
                out,
                t1,
                segmenter,
                fa=fa,
                md=md,
                stem=stem,
                overwrite=overwrite,
                probabilities=not no_probabilities,
                options=options,
                progress=progress,
            )
        with best_effort():
            print_measures(saved.result.measures)
            segmentation = saved.result.segmentation
            typer.echo(f"Ran on {segmentation.device}: {segmentation.device_reason}")
            typer.echo(f"Wrote {len(saved.files)} files to {out}")
            for path in saved.files:
                if path.suffix == ".png":
                    typer.echo(f"Look first at {path}")
