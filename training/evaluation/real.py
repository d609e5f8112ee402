"""Runs the model on real T1s: pictures, volumes, and how steady the brainstem's volume is.

    python -m training.evaluation.real [--seed 7] [--quick]

No truth exists for these images. Steadiness is the change of the volume of the whole brainstem
when the same head is sampled on a grid rotated by 7 degrees and shifted by 0.3 mm, and 3 % noise is
added.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from BrainstemALSLib.anatomy import composites, load_structures
from BrainstemALSLib.errors import BrainstemALSError, ExitCode
from BrainstemALSLib.imaging.volume import Volume
from BrainstemALSLib.report.overview import draw_overview

from ..data import shared_data
from . import adapter, commands
from .regrid import NOISE_FRACTION, ROTATION_DEGREES, SHIFT_MM, rician_noise, rotated_grid
from .tables import Page, Table, results_dir

IMAGES = {
    "studyforrest-sub02": "t1-studyforrest-sub02/studyforrest_sub-02_T1w_defaced.nii.gz",
    "uih-132225": "t1-uih-132225/DTI_132225_T1w_1mm_crudely_defaced.nii.gz",
}
AXES = {
    "left-right axis": (1, 0, 0),
    "anterior-posterior axis": (0, 1, 0),
    "inferior-superior axis": (0, 0, 1),
    "oblique axis": (1, 1, 1),
}
CHANGE_PERCENT = 1.0


@dataclass(frozen=True)
class Change:
    """Volume of the brainstem in one changed image.

    Attributes
    ----------
    image, what, axis : str
        Which image; ``grid``, ``noise`` or ``grid + noise``; axis of the rotation.
    volume_mm3 : float
        Of the whole brainstem, from probabilities; NaN when the changed image was refused.
    percent : float
        Against the image as it is.
    """

    image: str
    what: str
    axis: str
    volume_mm3: float
    percent: float


def changed_images(t1: Volume, seed: int, quick: bool) -> Iterator[tuple[str, str, Volume]]:
    """Yield what was done, about which axis, and the changed T1."""
    axes = dict(list(AXES.items())[-1:]) if quick else AXES
    for number, (name, axis) in enumerate(axes.items()):
        turned = rotated_grid(t1, axis)
        yield "grid", name, turned
        yield "grid + noise", name, rician_noise(turned, seed + number)
    yield "noise", "none", rician_noise(t1, seed)


def steadiness(
    name: str, t1: Volume, reference_mm3: float, segmenter, seed: int, quick: bool
) -> list[Change]:
    """Segment every changed image and compare the volume of the brainstem."""
    changes = []
    for what, axis, changed in changed_images(t1, seed, quick):
        try:
            volume = adapter.brainstem_mm3(segmenter.segment(adapter.exam_of(changed)))
        except BrainstemALSError as refusal:
            print(f"{name}, {what}, {axis}: refused, {refusal}", file=sys.stderr)
            volume = float("nan")
        percent = 100 * (volume - reference_mm3) / reference_mm3
        print(f"{name}, {what}, {axis}: {percent:+.2f} %")
        changes.append(Change(name, what, axis, volume, percent))
    return changes


def page_of(
    volumes: dict[str, dict[str, float]],
    changes: list[Change],
    pictures: dict[str, str],
    model: dict,
    seed: int,
    quick: bool,
) -> Page:
    """Return the page of results."""
    marks = []
    for name in volumes:
        both = [abs(c.percent) for c in changes if c.image == name and c.what == "grid + noise"]
        # A refused image is NaN; max() would hide it.
        worst = float("nan") if any(v != v for v in both) else max(both)
        marks.append(
            (
                f"{name}: whole brainstem changes by at most {CHANGE_PERCENT:g} % under "
                f"re-gridding and noise, worst of {len(both)}: {worst:.2f} %",
                worst <= CHANGE_PERCENT,
            )
        )
    keys = [*composites(), *(s.key for s in load_structures() if s.tier != "C")]
    volume_rows = [(key, *(volumes[name].get(key) for name in volumes)) for key in keys]
    change_rows = [(c.image, c.what, c.axis, c.volume_mm3, c.percent) for c in changes]
    return Page(
        stem="real_quick" if quick else "real",
        title="Real T1s: volumes, pictures, steadiness",
        kind="real",
        data="two T1s of healthy adults under open licences (studyforrest sub-02, PDDL; "
        "dcm_qa_uih 132225, BSD-2), defaced.",
        seed=seed,
        model=model,
        marks=marks,
        tables=[
            Table(
                "steadiness",
                "Whole brainstem under another grid and noise",
                ("image", "what", "rotation about", "brainstem (mm3)", "change (%)"),
                change_rows,
                digits=2,
            ),
            Table(
                "volumes",
                "Volumes from probabilities (mm3)",
                ("structure or composite", *(f"{name} (mm3)" for name in volumes)),
                volume_rows,
                digits=1,
            ),
        ],
        pictures=[
            (f"{name}; the patient's right is on the left.", file)
            for name, file in pictures.items()
        ],
        notes=[
            f"Grid: rotated by {ROTATION_DEGREES:g} degrees and shifted by {SHIFT_MM:g} mm along "
            "the axis, cubic B-spline, affine changed accordingly. Noise: Rician, "
            f"{100 * NOISE_FRACTION:g} % of the 99th percentile.",
            "There is no truth for these images: the pictures have to be looked at.",
        ],
    )


def _draw(name: str, exam, segmentation, folder: Path) -> str:
    from BrainstemALSLib.measurement.measure import measure

    folder.mkdir(parents=True, exist_ok=True)
    file = f"real_{name}.png"
    draw_overview(
        exam.t1, segmentation, folder / file, title=name, measures=measure(segmentation, exam.t1)
    )
    return file


def main(arguments: list[str] | None = None) -> int:
    """Run the command."""
    parser = commands.arguments(__doc__)
    parser.add_argument("--seed", type=int, default=7, help="of the noise")
    parser.add_argument("--quick", action="store_true", help="one axis, a page of its own")
    options = parser.parse_args(arguments)
    folder = options.out or results_dir()
    volumes: dict[str, dict[str, float]] = {}
    changes: list[Change] = []
    pictures: dict[str, str] = {}
    model: dict = {}
    try:
        segmenter = adapter.segmenter(options.device, options.model_dir)
        for name, file in IMAGES.items():
            path = shared_data() / "images" / file
            if not path.exists():
                raise BrainstemALSError(
                    path,
                    "this test image is missing",
                    "Fetch the shared data again.",
                    ExitCode.USAGE,
                )
            exam = adapter.read_t1(path)
            segmentation = segmenter.segment(exam)
            model = segmentation.model
            volumes[name] = adapter.volumes_mm3(segmentation)
            pictures[name] = _draw(name, exam, segmentation, folder)
            changes += steadiness(
                name, exam.t1, volumes[name]["brainstem"], segmenter, options.seed, options.quick
            )
    except BrainstemALSError as refusal:
        print(refusal, file=sys.stderr)
        return int(refusal.code)
    page = page_of(volumes, changes, pictures, model, options.seed, options.quick)
    commands.publish(page, folder)
    return 0


if __name__ == "__main__":
    sys.exit(main())
