"""``brainstem-als demo``: a real average brain, then a simulated patient with a known truth."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

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

if TYPE_CHECKING:
    from rich.console import Console

    from ..imaging.volume import Volume
    from ..phantom import SyntheticPatient
    from ..pipeline import CanSegment


def demo(
    out: Annotated[Path, typer.Option("--out", help="Folder for the results.")] = Path(
        "demo-output"
    ),
    seed: Annotated[int, typer.Option("--seed", min=0, help="Which simulated patient.")] = 1,
    device: DeviceOption = Device.AUTO,
    model: ModelOption = None,
    threads: ThreadsOption = None,
    overwrite: OverwriteOption = False,
    debug: DebugOption = False,
) -> None:
    """Segment the ICBM 2009 T1 (a real average brain) and a simulated ALS patient."""
    with refusals(debug):
        from rich.console import Console

        from .inference import LateSegmenter

        console = Console()
        segmenter = LateSegmenter(device.value, model, threads=threads)
        labels = _average_brain(out / "icbm2009", segmenter, overwrite, console)
        _simulated_patient(out / "simulated", labels, segmenter, seed, overwrite, console)
        console.print(f"Results are in {out}", highlight=False)


def _average_brain(out: Path, segmenter: CanSegment, overwrite: bool, console: Console) -> Volume:
    from ..pipeline import segment_to_folder
    from ..report.console import print_measures
    from .icbm import icbm_path
    from .progress import progress_bar

    console.rule("ICBM 2009a symmetric T1: average of 152 real brains")
    with progress_bar("ICBM 2009a") as progress:
        saved = segment_to_folder(
            out,
            icbm_path("t1"),
            segmenter,
            stem="sub-icbm2009a",
            overwrite=overwrite,
            replace_other=True,
            options={"command": "demo"},
            progress=progress,
        )
    print_measures(saved.result.measures, console)
    return saved.result.segmentation.labels


def _simulated_patient(
    out: Path, labels: Volume, segmenter: CanSegment, seed: int, overwrite: bool, console: Console
) -> None:
    from ..phantom import synthetic_patient
    from ..phantom.files import STEM, write_patient
    from ..pipeline import segment_to_folder
    from ..report.console import print_measures
    from .icbm import tissue_map
    from .progress import progress_bar

    console.rule("Simulated ALS patient: T1, FA and MD computed, nobody was scanned")
    with progress_bar("Simulating") as progress:
        progress("simulate", 0.0, "Deforming and painting the average brain")
        patient = synthetic_patient(labels, tissue_map("wm"), tissue_map("gm"), seed)
    paths = write_patient(patient, out / "input", overwrite)
    with progress_bar("Simulated patient") as progress:
        saved = segment_to_folder(
            out,
            paths["t1"],
            segmenter,
            choices={"fa": paths["fa"], "md": paths["md"]},
            stem=STEM,
            overwrite=overwrite,
            replace_other=True,
            options={"command": "demo", "seed": seed, "simulated": True},
            progress=progress,
        )
    print_measures(saved.result.measures, console)
    _print_comparison(saved.result.segmentation.labels, patient, console)


def _print_comparison(found: Volume, patient: SyntheticPatient, console: Console) -> None:
    from rich import box
    from rich.table import Table

    from ..phantom.comparison import compare

    table = Table(title="Simulated patient: found beside its known truth", box=box.SIMPLE_HEAD)
    for heading in ("Region", "Dice", "Truth mm3", "Found mm3", "Error %", "Simulated loss %"):
        table.add_column(heading, justify="left" if heading == "Region" else "right")
    change = patient.description["volume_change_percent"]
    for row in compare(found, patient.truth):
        table.add_row(
            row.name.capitalize(),
            f"{row.dice:.3f}",
            f"{row.truth_mm3:,.0f}",
            f"{row.found_mm3:,.0f}",
            f"{row.volume_error_percent:+.1f}",
            f"{change.get(row.name, 0.0):+.1f}",
        )
    table.caption = (
        "The truth is what the same model found in the average brain, deformed: these numbers say "
        "how well it finds it again, not how well it knows anatomy (see docs/results)."
    )
    console.print(table)
