"""Time, memory and Dice of one T1, ours beside ANTs label propagation, in the same run.

    python -m training.evaluation.bench [--threads 2] [--cases 1] [--seed 7] [--skip-real]

Every method runs in a process of its own, limited to the same number of threads. Dice needs a
truth and is therefore measured on simulated T1s of held-out anatomies; a real whole head gives the
time of a real exam. ANTs carries the training atlas from the ICBM T1 to the image (SyN, defaults).
"""

from __future__ import annotations

import json
import shutil
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

from BrainstemALSLib.errors import BrainstemALSError

from ..data import shared_data
from . import adapter, commands
from .process import Run, measured
from .tables import Page, Table

SPEED_UP = 15.0
"""Times faster than ANTs, asked for of every image by itself (our own choice)."""
PEAK_GIB = 2.5
REAL_NAME = "real-studyforrest-sub02"
REAL_FILE = "t1-studyforrest-sub02/studyforrest_sub-02_T1w_defaced.nii.gz"
METHODS = {"ours": "BrainstemALS", "ants": "ANTs SyN label propagation"}
_TIMED = {"warm": "ours", "ants": "ants"}
SCORED = ("brainstem", "midbrain", "pons", "medulla", "tier_A", "tier_B")


@dataclass(frozen=True)
class Measured:
    """One image: our cold run, our warm process, ANTs' process; seconds inside warm and ANTs."""

    image: str
    cold: Run
    warm: Run
    ants: Run
    warm_seconds: float
    ants_seconds: float
    model: dict

    @property
    def speed_up(self) -> float:
        """How many times faster than ANTs we are, both without start-up."""
        return self.ants_seconds / self.warm_seconds

    @property
    def peak_gib(self) -> float:
        """Our larger peak, of the cold and the warm process."""
        return max(self.cold.peak_bytes, self.warm.peak_bytes) / 2**30


def run_image(folder: Path, image: str, threads: int, model_dir: Path | None) -> Measured:
    """Measure the three runs on one image that lies in the folder."""
    python = sys.executable
    child = [python, "-m", "training.evaluation.bench_child"]
    command_line = [python, "-m", "BrainstemALSLib.cli", "segment"]
    t1 = str(folder / f"{image}_t1.nii.gz")
    cold = [*command_line, t1, "--out", str(folder / f"{image}_out"), "--device", "cpu"]
    cold += ["--threads", str(threads)]
    cold += ["--model", str(model_dir)] if model_dir else []
    own = [str(model_dir)] if model_dir else []
    runs = {}
    for what, command in (
        ("cold", cold),
        ("warm", [*child, "warm", str(folder), image, *own]),
        ("ants", [*child, "ants", str(folder), image]),
    ):
        runs[what] = measured(command, threads)
        run = runs[what]
        print(f"{image}, {what}: {run.seconds:.1f} s, {run.peak_bytes / 2**30:.2f} GiB", flush=True)
    inside = {m: json.loads((folder / f"{image}_{m}.json").read_text()) for m in METHODS}
    seconds = {f"{method}_seconds": inside[key]["seconds"] for method, key in _TIMED.items()}
    models = inside["ours"]["model"] | inside["ants"]["model"]
    return Measured(image, **runs, **seconds, model=models)


def dice_of(folder: Path, case: str) -> dict[str, dict[str, float]]:
    """Dice of both methods on one simulated image: method to structure or group to Dice."""
    from BrainstemALSLib.imaging.reading import read_label_map

    from .grids import structures_only
    from .metrics import score_labels
    from .summary import line_of, summarise

    truth = read_label_map(folder / f"{case}_truth.nii.gz")
    out = {}
    for method in METHODS:
        found = structures_only(read_label_map(folder / f"{case}_{method}.nii.gz"))
        lines = summarise({case: score_labels(found, truth)})
        out[method] = {key: line_of(lines, key).dice.mean for key in SCORED}
    return out


def page_of(
    results: list[Measured], dice: dict[str, dict[str, dict[str, float]]], threads: int, seed: int
) -> Page:
    """Return the page of results; ``dice`` as ``dice_of`` gives it, by simulated image."""
    columns = (
        "image", "method", "cold (s)", "warm (s)", "peak (GiB)",
        *(f"Dice, {key.replace('_', ' ')}" for key in SCORED), "times faster, warm",
    )  # fmt: skip
    rows: list[tuple] = []
    for r in results:
        figures = {
            "ours": (r.cold.seconds, r.warm_seconds, r.peak_gib),
            "ants": (None, r.ants_seconds, r.ants.peak_bytes / 2**30),
        }
        for method, name in METHODS.items():
            scores = dice.get(r.image, {}).get(method, {})
            faster = r.speed_up if method == "ours" else None
            rows.append(
                (r.image, name, *figures[method], *(scores.get(key) for key in SCORED), faster)
            )
    marks = []
    for r in results:
        fast, small = r.speed_up, r.peak_gib
        text = f"{r.image}: at least {SPEED_UP:g} times faster than ANTs, warm: {fast:.1f}"
        text += "" if fast >= SPEED_UP else f", missed by {SPEED_UP - fast:.1f}"
        marks.append((text, fast >= SPEED_UP))
        text = f"{r.image}: peak memory under {PEAK_GIB:g} GiB: {small:.2f} GiB"
        text += "" if small < PEAK_GIB else f", missed by {small - PEAK_GIB:.2f}"
        marks.append((text, small < PEAK_GIB))
    real = any(r.image == REAL_NAME for r in results)
    return Page(
        stem="bench",
        title="Time, memory and Dice beside ANTs SyN label propagation",
        kind="real and simulated" if real else "simulated",
        data="simulated T1s of held-out anatomies (a box of 96 x 108 x 120 mm around the "
        "brainstem, 1 mm)"
        + ("; a real whole-head T1 (studyforrest sub-02, PDDL)." if real else "."),
        seed=seed,
        threads=threads,
        model=results[0].model if results else {},
        marks=marks,
        tables=[
            Table("methods", "Time, peak memory and Dice, T1 only", columns, rows, digits=2),
        ],
        notes=[
            "Cold: `brainstem-als segment` in a new process, from start to all results written. "
            "Warm: median of three further segmentations in a process that has segmented once. "
            "ANTs: reading, SyN registration (affine + deformable, defaults of antspyx) and label "
            "transfer, without its start-up. Peak memory: largest resident set of each process; "
            "for ours, of the cold and the warm one. A real head has no truth, so no Dice.",
            "ANTs carries the very atlas that the training anatomies were made from, from the "
            "skull-stripped ICBM T1. For simulated images it is given the true brain mask and a "
            "template cut to the same field of view; for the real head it gets neither, and the "
            "skull-stripping it would need is not counted. Our model gets the T1 as it is.",
            "The simulated truth comes from label maps registered with ANTs' SyN, which may favour "
            "ANTs, and from the simulation that our model was trained on, which favours ours.",
        ],
    )


def main(arguments: list[str] | None = None) -> int:
    """Run the command."""
    parser = commands.arguments(__doc__, models=False)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--cases", type=int, default=1, help="simulated T1s")
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--skip-real", action="store_true", help="simulated T1s only")
    parser.add_argument("--model-dir", type=Path)
    options = parser.parse_args(arguments)
    try:
        cases = adapter.held_out(options.cases)
        real = None if options.skip_real else shared_data() / "images" / REAL_FILE
        with tempfile.TemporaryDirectory(prefix="brainstem-als-bench-") as name:
            folder = Path(name)
            prepare = [sys.executable, "-m", "training.evaluation.bench_child", "prepare", name]
            for number, case in enumerate(cases):
                measured([*prepare, case, str(options.seed + number)], options.threads)
            if real:
                shutil.copyfile(real, folder / f"{REAL_NAME}_t1.nii.gz")
            images = [*cases, *([REAL_NAME] if real else [])]
            results = [
                run_image(folder, image, options.threads, options.model_dir) for image in images
            ]
            dice = {case: dice_of(folder, case) for case in cases}
    except BrainstemALSError as refusal:
        print(refusal, file=sys.stderr)
        return int(refusal.code)
    except (RuntimeError, OSError) as failure:
        print(f"A run of the benchmark failed: {failure}", file=sys.stderr)
        return 1
    page = page_of(results, dice, options.threads, options.seed)
    commands.publish(page, options.out)
    return 0


if __name__ == "__main__":
    sys.exit(main())
