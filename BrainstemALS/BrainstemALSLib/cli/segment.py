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

_CHOICE, _FIT = "Which images", "Diffusion"


def segment(
    source: Annotated[
        Path,
        typer.Argument(
            metavar="DICOM_DIR|BIDS_SUBJECT|T1",
            help="Folder of DICOM files, folder of a BIDS subject or session, or a T1-weighted "
            "image (NIfTI, NRRD, MetaImage).",
        ),
    ],
    out: Annotated[Path, typer.Option("--out", help="Folder for the results.")],
    fa: Annotated[Path | None, typer.Option("--fa", help="Fractional anisotropy, 0-1.")] = None,
    md: Annotated[
        Path | None, typer.Option("--md", help="Mean diffusivity, mm2/s or 1e-3 mm2/s.")
    ] = None,
    dwi: Annotated[
        Path | None,
        typer.Option("--dwi", help="Diffusion series: NIfTI with bval and bvec, or NRRD."),
    ] = None,
    bval: Annotated[
        Path | None, typer.Option("--bval", help="b-values; looked for beside the series.")
    ] = None,
    bvec: Annotated[
        Path | None, typer.Option("--bvec", help="Directions; looked for beside the series.")
    ] = None,
    session: Annotated[
        str | None,
        typer.Option("--session", help="Session of a BIDS subject.", rich_help_panel=_CHOICE),
    ] = None,
    visit: Annotated[
        int | None,
        typer.Option(
            "--visit",
            min=1,
            help="Visit in a DICOM folder that holds several, the first is 1.",
            rich_help_panel=_CHOICE,
        ),
    ] = None,
    t1_series: Annotated[
        int | None,
        typer.Option(
            "--t1-series", help="Number of the DICOM series with the T1.", rich_help_panel=_CHOICE
        ),
    ] = None,
    dwi_series: Annotated[
        list[int] | None,
        typer.Option(
            "--dwi-series",
            help="Number of the DICOM series with the diffusion; more than once for its parts.",
            rich_help_panel=_CHOICE,
        ),
    ] = None,
    denoise: Annotated[
        bool,
        typer.Option(
            "--denoise",
            help="Remove noise (MP-PCA); it lowers the FA of small structures, see the guide.",
            rich_help_panel=_FIT,
        ),
    ] = False,
    gibbs: Annotated[
        bool, typer.Option("--gibbs", help="Remove Gibbs ringing too.", rich_help_panel=_FIT)
    ] = False,
    motion: Annotated[
        bool,
        typer.Option(
            "--motion/--no-motion",
            help="Correct motion and eddy currents.",
            rich_help_panel=_FIT,
        ),
    ] = True,
    unwarp: Annotated[
        bool,
        typer.Option(
            "--unwarp",
            help="Straighten echo-planar distortion against the T1, where that helps.",
            rich_help_panel=_FIT,
        ),
    ] = False,
    phase_encoding: Annotated[
        str | None,
        typer.Option(
            "--phase-encoding",
            metavar="AXIS",
            help="Axis of the stored diffusion image along which it is distorted (i, j or k), "
            "where its files do not say so.",
            rich_help_panel=_FIT,
        ),
    ] = None,
    register: Annotated[
        bool,
        typer.Option(
            "--register/--no-register",
            help="Align diffusion with the T1; without it the maps are taken where they lie.",
            rich_help_panel=_FIT,
        ),
    ] = True,
    device: DeviceOption = Device.AUTO,
    flip: Annotated[
        bool,
        typer.Option(
            "--flip/--no-flip",
            help="Average with the mirrored image: steadier; without it, a bit faster.",
        ),
    ] = True,
    model: ModelOption = None,
    threads: ThreadsOption = None,
    overwrite: OverwriteOption = False,
    stem: Annotated[
        str | None,
        typer.Option(
            "--stem",
            metavar="NAME",
            help="Begin the names of the results so: sub-01_ses-02. Without it the name of the T1 "
            "goes into them, with whatever it says of the patient; of a DICOM folder, nothing.",
        ),
    ] = None,
    no_probabilities: Annotated[
        bool, typer.Option("--no-probabilities", help="Do not write the probability maps.")
    ] = False,
    debug: DebugOption = False,
) -> None:
    """Segment the brainstem in a T1, with its diffusion where there is any, and measure it."""
    with refusals(debug):
        from ..imaging.diffusion.process import DiffusionOptions
        from ..imaging.prepare import PreparationOptions
        from ..imaging.registration import RegistrationOptions, checked_axis
        from ..pipeline import segment_to_folder
        from ..report.console import print_measures
        from .inference import LateSegmenter
        from .progress import progress_bar

        segmenter = LateSegmenter(device.value, model, flip, threads)
        fit = {"denoise": denoise, "gibbs": gibbs, "motion": motion}
        options = {
            "device": device.value,
            "flip": flip,
            "model": model,
            "threads": threads,
            "stem": stem,
            "probabilities": not no_probabilities,
            **fit,
            "unwarp": unwarp,
            "phase_encoding": phase_encoding,
            "register": register,
        }
        choices = {
            "fa": fa,
            "md": md,
            "dwi": dwi,
            "bval": bval,
            "bvec": bvec,
            "session": session,
            "visit": visit,
            "t1_series": t1_series,
            "dwi_series": dwi_series,
        }
        with progress_bar("Segmenting") as progress:
            saved = segment_to_folder(
                out,
                source,
                segmenter,
                choices={name: value for name, value in choices.items() if value is not None},
                preparation=PreparationOptions(
                    DiffusionOptions(**fit),
                    RegistrationOptions(unwarp, checked_axis(phase_encoding)),
                    register,
                ),
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
