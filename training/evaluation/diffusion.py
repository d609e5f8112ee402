"""Measures the diffusion processing on simulated series whose tensors are known.

    python -m training.evaluation.diffusion [--seed 1] [--quick]

FA and MD of white-matter structures, gradient tables with wrong axes, movement, time and memory.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np

from BrainstemALSLib.errors import BrainstemALSError
from BrainstemALSLib.imaging.diffusion.denoise import LARGEST_MOVEMENT, denoise
from BrainstemALSLib.imaging.diffusion.process import DiffusionOptions, process_dwi
from BrainstemALSLib.imaging.dwi import Dwi
from BrainstemALSLib.imaging.volume import Volume

from . import commands
from . import diffusion_cases as cases
from .diffusion_cases import Case
from .process import Run, measured
from .tables import Page, Table

SNRS, MOVEMENTS = (15.0, 20.0, 30.0), (0.0, 0.8, 3.0)
FA_ERROR, MD_PERCENT, SECONDS, GIB = 0.03, 4.0, 90.0, 3.0
THREADS = 2
BY_ITSELF = "by itself"
TIMED = Case(20.0, 0.8)
"""So still that it can be denoised, which is timed too."""
SLABS = {"whole": (0, 60), "lower third": (0, 20), "middle third": (20, 40)}


def accuracy(seed: int, quick: bool) -> tuple[list[tuple], list[tuple], dict[str, float]]:
    """Return rows by case, rows by structure, and the worst figures."""
    rows, details = [], []
    worst = {"fa": 0.0, "md": 0.0}
    for snr in SNRS[1:2] if quick else SNRS:
        for movement in MOVEMENTS[:1] if quick else MOVEMENTS:
            case = Case(snr, movement, dropouts=movement > LARGEST_MOVEMENT)
            made = cases.simulate(case, seed)
            voxels = cases.structure_voxels(made.dwi, seed)
            for way, dwi, options in _ways(case, made.dwi, quick):
                start = time.perf_counter()
                maps = process_dwi(dwi, options)
                taken = time.perf_counter() - start
                errors = cases.errors_of(maps, made.tensors, voxels)
                fa, md = ([abs(getattr(e, n)) for e in errors] for n in ("fa", "md_percent"))
                if way == BY_ITSELF:
                    worst = {"fa": max(worst["fa"], *fa), "md": max(worst["md"], *md)}
                    details += [(snr, case.words, *asdict(e).values()) for e in errors]
                rows.append(
                    (
                        snr,
                        case.words,
                        way,
                        float(np.mean(fa)),
                        max(fa),
                        sum(value < FA_ERROR for value in fa),
                        len(fa),
                        float(np.mean(md)),
                        max(md),
                        float(np.median([e.angle for e in errors])),
                        maps.facts["lost_slices"],
                        maps.facts["gradient_axes"]["lead_standard_errors"],
                    )
                )
                print(
                    f"SNR {snr:g}, movement {case.words}, {way}: FA {max(fa):.3f}, "
                    f"MD {max(md):.1f} %, {taken:.0f} s"
                )
    return rows, details, worst


def _ways(case: Case, dwi: Dwi, quick: bool) -> list[tuple[str, Dwi, DiffusionOptions]]:
    """What is compared: as it is processed by itself, and denoised."""
    found = [(BY_ITSELF, dwi, DiffusionOptions())]
    if quick or case.snr != SNRS[0]:
        return found
    if case.movement > LARGEST_MOVEMENT:
        # The option would decline: done by hand, to show why.
        volume, _ = denoise(dwi.volume, cases.brain_of(dwi))
        return [*found, ("denoised all the same", replace(dwi, volume=volume), DiffusionOptions())]
    return [*found, ("denoised", dwi, DiffusionOptions(denoise=True))]


def orientations(seed: int, quick: bool) -> list[tuple]:
    """Return how many of 48 tables come out right: by case and part of the head."""
    rows = []
    for case in [Case(20.0, 3.0, True)] if quick else [Case(15.0, 0.0), Case(15.0, 3.0, True)]:
        dwi = cases.simulate(case, seed).dwi
        mask = cases.brain_of(dwi)
        for name, (low, high) in list(SLABS.items())[: 1 if quick else None]:
            volume = Volume(dwi.volume.array[:, :, low:high], dwi.volume.affine)
            found = cases.recovered(replace(dwi, volume=volume), mask[:, :, low:high])
            rows.append((f"simulated, SNR {case.snr:g}", case.words, name, *found))
            print(f"axes, movement {case.words}, {name}: {found[0]} of 48")
    return rows


def movements(seed: int, quick: bool) -> list[tuple]:
    """Return how far the estimated movement is from the true one."""
    rows = []
    for amount in (3.0,) if quick else (1.0, 3.0, 6.0):
        case = Case(20.0, amount)
        made = cases.simulate(case, seed)
        faults = cases.faults_of(case, cases.protocol(), seed)
        rows.append((20.0, amount, *cases.movement_errors(made.dwi, faults)))
        print(f"movement {amount:g}: error {rows[-1][2]:.2f} mm")
    return rows


def timing(seed: int) -> dict[str, tuple[Run, dict]]:
    """Return wall time and memory of processes that fit one series, and their own times."""
    found = {}
    with tempfile.TemporaryDirectory(prefix="brainstem-als-dwi-") as folder:
        child = [sys.executable, "-m", "training.evaluation.diffusion", "--seed", str(seed)]
        measured([*child, "--prepare", folder], THREADS)
        for way, extra in ((BY_ITSELF, []), ("denoised", ["--denoise"])):
            run = measured([*child, "--process", folder, *extra], THREADS)
            found[way] = run, json.loads((Path(folder) / "times.json").read_text())
    return found


def _prepare(folder: Path, seed: int) -> None:
    dwi = cases.simulate(TIMED, seed).dwi
    np.save(folder / "dwi.npy", dwi.volume.array)


def _process(folder: Path, denoised: bool) -> None:
    scheme = cases.protocol()
    array = np.load(folder / "dwi.npy")
    dwi = Dwi(Volume(array, scheme.affine), scheme.bvals, scheme.bvecs, scheme.phase_encoding)
    cpu, wall = time.process_time(), time.perf_counter()
    maps = process_dwi(dwi, DiffusionOptions(denoise=denoised))
    times = {
        "cpu": time.process_time() - cpu,
        "wall": time.perf_counter() - wall,
        "steps": maps.facts["seconds"],
        "shape": array.shape,
    }
    (folder / "times.json").write_text(json.dumps(times))


def _seconds(way: str, run: Run, times: dict) -> list[tuple]:
    return [
        *((way, step, value, None) for step, value in times["steps"].items()),
        (way, "CPU time of all", times["cpu"], None),
        (way, "process, with start and reading", run.seconds, run.peak_bytes / 2**30),
    ]


def page_of(
    measures: tuple[list[tuple], list[tuple], dict[str, float]],
    axes: list[tuple],
    moved: list[tuple],
    timed: dict[str, tuple[Run, dict]],
    seed: int,
    quick: bool,
) -> Page:
    """Return the page of results."""
    rows, details, worst = measures
    run, times = timed[BY_ITSELF]
    whole = [row for row in axes if row[2] == "whole"]
    shape = " x ".join(str(n) for n in times["shape"])
    own = [row for row in rows if row[2] == BY_ITSELF]
    inside, judged = sum(row[5] for row in own), sum(row[6] for row in own)
    return Page(
        stem="diffusion_quick" if quick else "diffusion",
        title="Diffusion: FA, MD, gradient axes, movement, time",
        kind="simulated",
        data="diffusion series computed from the phantom's average anatomy (ICBM 2009a), nobody "
        f"was scanned: {shape}, voxels of 2.5 mm, 30 directions at b=1000 s/mm2 and 3 unweighted "
        "volumes, Rician noise.",
        seed=seed,
        threads=THREADS,
        marks=[
            (
                f"FA error under {FA_ERROR:g} in white-matter structures, mean of structures in "
                f"the worst case: {max(row[3] for row in own):.3f}",
                max(row[3] for row in own) < FA_ERROR,
            ),
            (
                f"FA error under {FA_ERROR:g} in every white-matter structure of every case: "
                f"{inside} of {judged}, worst {worst['fa']:.3f}",
                worst["fa"] < FA_ERROR,
            ),
            (
                f"MD error under {MD_PERCENT:g} % in every white-matter structure, worst: "
                f"{worst['md']:.1f} %",
                worst["md"] < MD_PERCENT,
            ),
            (
                "all 48 flips and exchanges of the gradient axes put right (whole head): "
                + ", ".join(f"{row[3]} of 48" for row in whole),
                all(row[3] == 48 for row in whole),
            ),
            (
                f"whole diffusion step under {SECONDS:g} s on 2 cores: {run.seconds:.0f} s "
                f"({times['cpu']:.0f} s of CPU time)",
                run.seconds < SECONDS,
            ),
            (
                f"under {GIB:g} GiB: {run.peak_bytes / 2**30:.2f} GiB",
                run.peak_bytes < GIB * 2**30,
            ),
            ("gradient axes on a real series, 48 of 48", None),
        ],
        tables=[
            Table(
                "accuracy",
                "FA and MD of white-matter structures by noise and movement",
                (
                    "SNR",
                    "movement",
                    "how",
                    "FA error, mean",
                    "FA error, worst",
                    f"structures under {FA_ERROR:g}",
                    "structures",
                    "MD error, mean (%)",
                    "MD error, worst (%)",
                    "V1, median angle (deg)",
                    "lost slices found",
                    "lead of the right axes (SE)",
                ),
                rows,
            ),
            Table(
                "axes",
                "What becomes of 48 gradient tables: the right one and its flips and exchanges",
                (
                    "data",
                    "movement",
                    "part of the head",
                    "right after the check",
                    "wrong without a word",
                    "smallest lead (SE)",
                ),
                axes,
                digits=1,
            ),
            Table(
                "movement",
                "Estimated movement against the true one",
                (
                    "SNR",
                    "largest movement (mm, degrees)",
                    "error, mean (mm)",
                    "error, worst volume (mm)",
                    "largest error of the shear",
                ),
                moved,
                digits=4,
            ),
            Table(
                "seconds",
                f"Seconds and memory, {shape}, movement {TIMED.words}",
                ("how", "step", "seconds", "peak (GiB)"),
                [row for way, (taken, own) in timed.items() for row in _seconds(way, taken, own)],
                digits=2,
            ),
        ],
        attachments=[
            Table(
                "structures",
                "Errors by structure",
                (
                    "SNR",
                    "movement",
                    "structure",
                    "voxels",
                    "FA, truth",
                    "FA error",
                    "MD error (%)",
                    "V1, median angle (deg)",
                ),
                details,
            )
        ],
        notes=[
            "SNR: signal of white matter at b=0 over the standard deviation of the noise in one "
            "channel. Error: mean over the voxels that a structure fills by half at least, "
            "estimated minus true; the truth is the noise-free tensor of those voxels, partial "
            "volume included. Means of a structure, not single voxels, which are noisier.",
            "Fibres of the phantom run along its white matter by construction, which favours the "
            "check of the gradient axes; see phantom/fibres.py. No whole-head real series is among "
            "the project's data, so that the check has not been measured on one.",
            "Wall time depends on what else the machine does; CPU time does not.",
        ],
    )


def main(arguments: list[str] | None = None) -> int:
    """Run the command."""
    parser = commands.arguments(__doc__, models=False)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--quick", action="store_true", help="one case each, a page of its own")
    parser.add_argument("--prepare", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--process", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--denoise", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args(arguments)
    if options.prepare:
        _prepare(options.prepare, options.seed)
        return 0
    if options.process:
        _process(options.process, options.denoise)
        return 0
    try:
        # First: a child's memory counts from that of this process.
        timed = timing(options.seed)
        page = page_of(
            accuracy(options.seed, options.quick),
            orientations(options.seed, options.quick),
            movements(options.seed, options.quick),
            timed,
            options.seed,
            options.quick,
        )
    except BrainstemALSError as refusal:
        print(refusal, file=sys.stderr)
        return int(refusal.code)
    commands.publish(page, options.out)
    return 0


if __name__ == "__main__":
    sys.exit(main())
