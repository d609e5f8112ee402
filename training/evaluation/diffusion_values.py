"""Measures the whole way from a simulated series to FA and MD per structure, outlines included.

    python -m training.evaluation.diffusion_values [--heads 3] [--seed 11]

A moving head is scanned by the simulation at SNR 20; the pipeline fits, aligns, segments and
measures it as it would a patient's; the truth is the tissue the head was made of.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from dataclasses import replace

import numpy as np

from BrainstemALSLib.anatomy import by_key
from BrainstemALSLib.errors import BrainstemALSError
from BrainstemALSLib.imaging.exam import exam_from_volumes
from BrainstemALSLib.imaging.tensor import fa_and_md, maps_from_tensors
from BrainstemALSLib.imaging.volume import Volume
from BrainstemALSLib.measurement.diffusion import diffusion_values
from BrainstemALSLib.measurement.diffusion_value import DiffusionValue
from BrainstemALSLib.phantom.diffusion_head import diffusion_head, full_tensors
from BrainstemALSLib.pipeline import ExamResult, run_exam
from BrainstemALSLib.segmentation.segmenter import Segmenter

from . import commands
from . import diffusion_cases as cases
from .diffusion import FA_ERROR, MD_PERCENT
from .tables import Page, Table

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
    "FA error by the voxels alone",
    "MD error, mean (%)",
    "MD error, mean size (%)",
    "MD: ± given (%)",
    "MD error by the voxels alone (%)",
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


def by_voxels_alone(seed: int, result: ExamResult) -> tuple[DiffusionValue, ...]:
    """Return what is measured with the true outlines on tensors without noise: the best there is.

    What then still lacks is due to the size of the voxels.
    """
    head, tensors = cases.head(seed), cases.simulate(CASE, seed).tensors
    maps = maps_from_tensors(tensors)
    truth = replace(result.segmentation, labels=head.labels, probabilities=None)
    return diffusion_values(truth, {"fa": maps.fa, "md": maps.md})


def deviations(
    values: tuple[DiffusionValue, ...],
    best: tuple[DiffusionValue, ...],
    truth: dict[str, dict[str, float]],
) -> Iterator[tuple]:
    """Yield key, metric, truth, error, uncertainty given and error by the voxels alone.

    MD in per cent of the truth, NaN where there is no value.
    """
    attainable = {(row.key, row.metric): row for row in best}
    for row in values:
        if row.kind != "structure" or row.metric not in _METRICS or row.key not in truth:
            continue
        true = truth[row.key][row.metric]
        scale = 100 / true if row.metric == "md" else 1.0
        ideal = attainable[row.key, row.metric].value
        yield (
            row.key,
            row.metric,
            true,
            np.nan if row.value is None else scale * (row.value - true),
            np.nan if row.value is None else scale * row.uncertainty,
            np.nan if ideal is None else scale * (ideal - true),
        )


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
            ideal = values[np.isfinite(values[:, 3]), 3]
            cells.append(ideal.mean() if len(ideal) else np.nan)
        structure = by_key()[key]
        rows.append(
            (
                structure.name,
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
        rows = [r for r in white if r[1] == metric]
        against = {
            "against the tissue": [r[3] for r in rows],
            "beyond what the voxels alone do": [r[3] - r[5] for r in rows],
        }
        marks += [_mark(metric, limit, what, np.abs(errors)) for what, errors in against.items()]
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
            "`error by the voxels alone`: the same weighting on the true outlines and on tensors "
            "without noise or movement. The rest is what fit, alignment and outlines add.",
            f"Twice the ± that is given holds {100 * np.mean(inside):.0f} % of the true values, "
            f"of {len(inside)} (FA and MD of all tissues).",
            "The page [diffusion](diffusion.md) has the error of the fit alone.",
        ],
    )


def _mark(metric: str, limit: float, what: str, errors: np.ndarray) -> tuple[str, bool]:
    known = errors[np.isfinite(errors)]
    unit = " %" if metric == "md" else ""
    text = (
        f"{metric.upper()} error {what} under {limit:g}{unit} in white-matter structures: "
        f"{(known < limit).sum()} of {len(known)} values, mean {known.mean():.3g}{unit}, worst "
        f"{known.max():.3g}{unit}; {len(errors) - len(known)} without a value"
    )
    return text, bool(known.max() < limit)


def main(arguments: list[str] | None = None) -> int:
    """Run the command."""
    parser = commands.arguments(__doc__)
    parser.add_argument("--heads", type=int, default=3)
    parser.add_argument("--seed", type=int, default=11, help="of the first head")
    options = parser.parse_args(arguments)
    try:
        segmenter = Segmenter(options.device, options.model_dir)
        found: list[tuple] = []
        for seed in range(options.seed, options.seed + options.heads):
            result = scanned(seed, segmenter)
            best = by_voxels_alone(seed, result)
            found += deviations(result.measures.diffusion, best, tissue_truth(seed))
            print(f"head {seed}: {', '.join(f.code for f in result.measures.findings)}")
    except BrainstemALSError as refusal:
        print(refusal, file=sys.stderr)
        return int(refusal.code)
    page = page_of(found, result.segmentation.model, options.heads, options.seed)
    commands.publish(page, options.out)
    return 0


if __name__ == "__main__":
    sys.exit(main())
