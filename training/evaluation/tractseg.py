"""Lays a real FA on the ICBM 2009 T1 and compares structures with automatic bundle masks.

    python -m training.evaluation.tractseg

FA and masks are of one person of the Human Connectome Project, as TractSeg's test files carry them
(Wasserthal et al. 2018, doi:10.1016/j.neuroimage.2018.07.070); the T1 is the average of 152 others.
"""

from __future__ import annotations

import sys

import numpy as np

from BrainstemALSLib.anatomy import composites
from BrainstemALSLib.cli.icbm import icbm_path
from BrainstemALSLib.errors import BrainstemALSError
from BrainstemALSLib.imaging.dwi import TensorMaps
from BrainstemALSLib.imaging.exam import Exam
from BrainstemALSLib.imaging.reading import read_volume
from BrainstemALSLib.imaging.registration import Alignment, Registration, register
from BrainstemALSLib.imaging.volume import Volume
from BrainstemALSLib.report.registration_figure import registration_figure

from ..data import shared_data
from . import adapter, commands
from .tables import Page, Table, results_dir
from .tractseg_bundles import mask_of, pairs_of, read_bundles, row_of
from .tractseg_figure import draw_bundles


def page_of(rows: list[tuple], found: Registration, alone: float, model: dict, mode: str) -> Page:
    """Return the page of results."""
    columns = (
        "bundle",
        "within",
        "structure",
        "structure (mL)",
        "bundle there (mL)",
        "Dice",
        "structure inside bundle",
        "by chance",
        "bundle inside structure",
        "centroids apart (mm)",
        "ASSD (mm)",
        "structure to bundle, mean (mm)",
    )
    facts = found.facts
    return Page(
        stem="tractseg",
        title="A real FA on the ICBM 2009 T1, and bundle masks against structures",
        kind="real",
        data="FA (2.5 mm) and automatic TractSeg masks (1.25 mm) of one person of the Human "
        "Connectome Project (WU-Minn HCP open access terms), from the test files of TractSeg; "
        "ICBM 2009a symmetric T1, average of 152 others.",
        seed=None,
        model=model,
        marks=[
            (
                f"the FA is laid on the T1: {'yes' if found.ok else 'no'}, moved by "
                f"{facts['translation_mm']:.1f} mm and {facts['rotation_degrees']:.1f} degrees, "
                f"quality {found.quality:.2f} ({facts['quality_before']:.2f} before), "
                f"{facts['registration_seconds']:.0f} s; findings: "
                + (", ".join(finding.code for finding in found.findings) or "none"),
                found.ok,
            )
        ],
        tables=[
            Table(
                "bundles",
                "Structures and bundles, FA laid on the T1 rigidly",
                columns,
                rows,
                digits=2,
            )
        ],
        pictures=[
            (
                "Structures (lines) and bundles (filled), rigid; the patient's right is on the "
                "left.",
                "tractseg.png",
            ),
            ("FA on the T1, before and after.", "tractseg_registration.png"),
        ],
        notes=[
            "The masks are no truth: TractSeg drew them automatically, from the diffusion of this "
            "person, as whole bundles with all that a streamline may touch. They hold several "
            "times the volume of the structures (columns in mL), so Dice must be low; MCP, ICP "
            "and SCP masks go on through pons and tegmentum, where the segmenter has other "
            "structures. What tells is how much of a structure lies inside its bundle, and how far "
            "from it the rest.",
            "Definition: both are cut to the segmenter's own brainstem (or its midbrain, pons or "
            "medulla, column `within`); what a bundle does outside of it is not compared. The "
            "masks are interpolated linearly to the 1 mm grid of the T1 and cut at a half.",
            "`structure inside bundle` is the share of the structure's voxels in the bundle, `by "
            "chance` the share of all voxels of that part of the brainstem; only what goes beyond "
            "chance speaks for the structure. `structure to bundle` is the mean distance of the "
            "structure's voxels from it, 0 within.",
            "FA and T1 are of different people, one of them an average: a rigid movement leaves "
            "their differences in shape, which count as disagreement here and lower the quality. "
            "There is no MD and no b0 with this FA.",
            f"Segmented from {mode}; with the T1 alone the Dice of the CST, mean of both sides, is "
            f"{alone:.2f}.",
        ],
    )


def main(arguments: list[str] | None = None) -> int:
    """Run the command."""
    options = commands.arguments(__doc__).parse_args(arguments)
    folder = options.out or results_dir()
    try:
        source = shared_data() / "images" / "dti-tractseg"
        fa = read_volume(source / "FA.nii.gz", "FA")
        bundles = read_bundles(source / "bundles_1.25mm")
        t1 = read_volume(icbm_path("t1"), "T1")
        segmenter = adapter.segmenter(options.device, options.model_dir)
        first = segmenter.segment(Exam(t1=t1, names={"t1": "T1"})).labels
        centre = _centre(first)
        maps = TensorMaps(fa=fa)
        found = register(maps, t1, centre)
        if found.maps is None:
            print("; ".join(f.message for f in found.findings), file=sys.stderr)
            return 1
        names = {"t1": "T1", "fa": "FA"}
        segmentation = segmenter.segment(Exam(t1=t1, fa=found.maps.fa, names=names))
    except BrainstemALSError as refusal:
        print(refusal, file=sys.stderr)
        return int(refusal.code)
    labels = segmentation.labels
    pairs = pairs_of(labels, bundles, found.transform)
    rows = [(p.name, p.within, p.structure, *row_of(p, labels)) for p in pairs]
    by_t1 = [
        row_of(p, first)[2]
        for p in pairs_of(first, bundles, found.transform)
        if p.structure == "all three"
    ]
    folder.mkdir(parents=True, exist_ok=True)
    draw_bundles(t1, labels, pairs, folder / "tractseg.png")
    picture = folder / "tractseg_registration.png"
    alignment = Alignment(maps, centre, found)
    registration_figure(t1, alignment, picture, note="FA and T1 of different people.")
    mode = " + ".join(name.upper() for name in segmentation.modalities)
    page = page_of(rows, found, float(np.mean(by_t1)), segmentation.model, mode)
    commands.publish(page, folder)
    return 0


def _centre(labels: Volume) -> np.ndarray:
    index = np.argwhere(mask_of(labels, composites()["brainstem"]))
    middle = (index.min(0) + index.max(0)) / 2
    return labels.affine[:3, :3] @ middle + labels.affine[:3, 3]


if __name__ == "__main__":
    sys.exit(main())
