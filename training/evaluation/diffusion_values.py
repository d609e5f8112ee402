"""Measures the whole way from a simulated series to FA and MD per structure, outlines included.

    python -m training.evaluation.diffusion_values [--heads 3] [--seed 11]

A moving head is scanned by the simulation at SNR 20; the pipeline fits, aligns, segments and
measures it as it would a patient's; the truth is the tissue the head was made of.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from BrainstemALSLib.anatomy import by_key
from BrainstemALSLib.errors import BrainstemALSError
from BrainstemALSLib.imaging.exam import exam_from_volumes
from BrainstemALSLib.imaging.tensor import fa_and_md
from BrainstemALSLib.imaging.volume import Volume
from BrainstemALSLib.phantom.diffusion_head import diffusion_head, full_tensors
from BrainstemALSLib.pipeline import ExamResult, run_exam
from BrainstemALSLib.segmentation.segmenter import Segmenter

from . import diffusion_cases as cases
from .diffusion import FA_ERROR, MD_PERCENT
from .tables import Page, Table, results_dir, write_page

CASE = cases.Case(20.0, 0.8)
_METRICS = {"fa": FA_ERROR, "md": MD_PERCENT}
COLUMNS = (
    "structure",
    "tissue",
    "tier",
    "heads with a value",
    "FA, truth",
    "FA error, mean",
    "FA error, mean size",
    "FA: ± given",
    "MD error, mean (%)",
    "MD error, mean size (%)",
    "MD: ± given (%)",
)


def tissue_truth(seed: int) -> dict[str, dict[str, float]]:
    """Return mean FA and MD of the tissue of each structure, without partial volume."""
    head = diffusion_head(seed, resolution=0.0)
    fa, md = fa_and_md(Volume(full_tensors(head.tensors.array), head.tensors.affine))
    truth = {}
    for key, structure in by_key().items():
        where = head.labels.array == structure.index
        if where.any():
            truth[key] = {"fa": float(fa.array[where].mean()), "md": float(md.array[where].mean())}
    return truth


def scanned(seed: int, segmenter: Segmenter) -> ExamResult:
    """Return what the pipeline makes of the simulated exam."""
    exam = exam_from_volumes(cases.head(seed).t1, dwi=cases.simulate(CASE, seed).dwi)
    return run_exam(exam, segmenter)


def deviations(result: ExamResult, truth: dict[str, dict[str, float]]) -> Iterator[tuple]:
    """Yield key, metric, truth, error and uncertainty given; MD in per cent of the truth."""
    for row in result.measures.diffusion:
        if row.kind != "structure" or row.metric not in _METRICS or row.key not in truth:
            continue
        true = truth[row.key][row.metric]
        if row.value is None:
            yield row.key, row.metric, true, np.nan, np.nan
            continue
        scale = 100 / true if row.metric == "md" else 1.0
        yield row.key, row.metric, true, scale * (row.value - true), scale * row.uncertainty


def by_structure(found: list[tuple]) -> list[tuple]:
    """Rows of ``COLUMNS``, in the order of the table of structures."""
    rows = []
    for key in dict.fromkeys(key for key, *_ in found):
        part = {m: np.array([r[2:] for r in found if r[:2] == (key, m)]) for m in _METRICS}
        there = np.isfinite(part["fa"][:, 1])
        cells = []
        for values in part.values():
            errors, given = values[there, 1], values[there, 2]
            none = not there.any()
            cells += [np.nan] * 3 if none else [errors.mean(), abs(errors).mean(), given.mean()]
        structure = by_key()[key]
        rows.append(
            (
                structure.name + (f", {structure.side}" if structure.side != "midline" else ""),
                structure.tissue,
                structure.tier,
                int(there.sum()),
                part["fa"][:, 0].mean(),
                *cells,
            )
        )
    return rows


def page_of(found: list[tuple], model: dict, heads: int, seed: int) -> Page:
    """Return the page of all heads."""
    white = [r for r in found if by_key()[r[0]].tissue == "white"]
    marks = []
    for metric, limit in _METRICS.items():
        errors = np.abs([r[3] for r in white if r[1] == metric])
        known = errors[np.isfinite(errors)]
        unit = " %" if metric == "md" else ""
        marks.append(
            (
                f"{metric.upper()} error under {limit:g}{unit} in white-matter structures, mean: "
                f"{known.mean():.3g}{unit}; {(known < limit).sum()} of {len(known)} values, worst "
                f"{known.max():.3g}{unit}; {len(errors) - len(known)} without a value",
                bool(known.max() < limit),
            )
        )
    inside = [abs(r[3]) <= 2 * r[4] for r in found if np.isfinite(r[3])]
    return Page(
        stem="diffusion_values",
        title="FA and MD per structure, from the series to the table",
        kind="simulated",
        data=f"{heads} simulated heads (ICBM 2009a anatomy, deformed), nobody was scanned: T1 of "
        f"1 mm and a series of 96 x 96 x 60 x 33, 2.5 mm, SNR {CASE.snr:g}, {CASE.words}.",
        seed=seed,
        model=model,
        marks=marks,
        tables=[
            Table("structures", "Error of the measured value", COLUMNS, by_structure(found)),
        ],
        notes=[
            "Everything is in it: fit, alignment, the model's outlines, weighting away from fluid. "
            "The truth is the tissue itself, without partial volume, which no voxel of 2.5 mm "
            "shows: FA of a thin tract is measured too low, and more so than its noise.",
            f"Twice the ± that is given holds {100 * np.mean(inside):.0f} % of the true values, "
            f"of {len(inside)} (FA and MD of all tissues).",
            "The page [diffusion](diffusion.md) has the error of the fit alone.",
        ],
    )


def main(arguments: list[str] | None = None) -> int:
    """Run the command."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--heads", type=int, default=3)
    parser.add_argument("--seed", type=int, default=11, help="of the first head")
    parser.add_argument("--device", default="auto", choices=("auto", "cpu", "cuda"))
    parser.add_argument("--model-dir", type=Path)
    parser.add_argument("--out", type=Path, help="folder instead of docs/results")
    options = parser.parse_args(arguments)
    try:
        segmenter = Segmenter(options.device, options.model_dir)
        found: list[tuple] = []
        for seed in range(options.seed, options.seed + options.heads):
            result = scanned(seed, segmenter)
            found += deviations(result, tissue_truth(seed))
            print(f"head {seed}: {', '.join(f.code for f in result.measures.findings)}")
    except BrainstemALSError as refusal:
        print(refusal, file=sys.stderr)
        return int(refusal.code)
    page = page_of(found, result.segmentation.model, options.heads, options.seed)
    write_page(page, options.out or results_dir())
    for text, passed in page.marks:
        print(f"{'reached    ' if passed else 'not reached'}  {text}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
