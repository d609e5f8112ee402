"""Scores segmentation on simulated exams of anatomies that training never saw.

    python -m training.evaluation.segmentation [--cases 15] [--seed 7] [--quick] [--page-only]
                                               [--methods model plain unet ants]

The bundled model is asked exams of seven kinds (``kinds``), the baselines (``methods``) the two
that matter most. Every result is kept in data/evaluation/segmentation, so that an interrupted run
goes on where it stopped; new weights, another seed or changed code start anew.
"""

from __future__ import annotations

import dataclasses
import sys
import time

import numpy as np

from BrainstemALSLib.errors import BrainstemALSError, ExitCode
from BrainstemALSLib.imaging.volume import Volume

from . import adapter, commands
from .calibration import calibration, error_auroc
from .kinds import KINDS, Drawn, Exams
from .methods import METHODS, Method, chosen
from .metrics import score_labels
from .records import Record, Store
from .segmentation_page import publishable
from .segmentation_sheet import Results
from .tables import results_dir

CASES, QUICK_CASES = 15, 2
QUICK_METHODS = ("model", "plain")


def measure(method: Method, drawn: Drawn) -> Record:
    """Segment one exam and score what comes; a refusal or a crash scores as nothing found."""
    start = time.perf_counter()
    try:
        segmentation = method.segment(drawn)
    except (BrainstemALSError, RuntimeError) as failure:
        seconds = time.perf_counter() - start
        nothing = Volume(np.zeros_like(drawn.truth.array), drawn.truth.affine)
        crashed = not isinstance(failure, BrainstemALSError)
        scores = _scores(nothing, drawn, {})
        return Record(scores, {}, float("nan"), seconds, str(failure).splitlines()[0], crashed)
    seconds = time.perf_counter() - start
    soft = {} if segmentation.probabilities is None else adapter.volumes_mm3(segmentation)
    bins = calibration(segmentation, drawn.truth)
    return Record(
        _scores(segmentation.labels, drawn, soft),
        {key: one for key, one in bins.items() if key not in drawn.left_out},
        error_auroc(segmentation, drawn.truth),
        seconds,
    )


def _scores(labels: Volume, drawn: Drawn, soft: dict[str, float]) -> dict:
    return {
        key: dataclasses.replace(score, truth_mm3=drawn.truth_mm3[key], soft_mm3=soft.get(key))
        for key, score in score_labels(labels, drawn.truth).items()
        if key not in drawn.left_out
    }


def evaluate(
    cases: list[str], seed: int, methods: list[Method], store: Store, page_only: bool = False
) -> Results:
    """Return the records of every method, kind and case, from the store or measured now.

    Parameters
    ----------
    cases : list of str
        Names of held-out anatomies.
    seed : int
        Of the exams.
    methods : list of Method
    store : Store
    page_only : bool
        Take what the store has and measure nothing.

    Returns
    -------
    dict
        Method's short name to kind to case to record; with ``page_only`` some may be missing.
    """
    results: Results = {method.slug: {kind: {} for kind in method.kinds} for method in methods}
    for number, case in enumerate(cases, start=1):
        exams = Exams(case, seed)
        for kind in KINDS:
            for method in methods:
                if kind not in method.kinds:
                    continue
                record = store.load(method, kind, case)
                if not page_only and (record is None or record.crashed):
                    record = measure(method, exams.of(kind))
                    store.save(record, method, kind, case)
                    _tell(f"{number}/{len(cases)} {case}, {method.slug}, {kind}", record)
                if record:
                    results[method.slug][kind][case] = record
    return results


def _tell(what: str, record: Record) -> None:
    if record.refused:
        word = "crashed" if record.crashed else "refused"
        print(f"{what}: {word}, {record.refused}", file=sys.stderr)
    else:
        dice = record.scores["brainstem"].dice
        print(f"{what}: brainstem Dice {dice:.3f}, {record.seconds:.1f} s", flush=True)


def main(arguments: list[str] | None = None) -> int:
    """Run the command."""
    parser = commands.arguments(__doc__)
    parser.add_argument("--cases", type=int, help=f"held-out anatomies, {CASES} unless told")
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--methods", nargs="+", choices=tuple(METHODS))
    parser.add_argument(
        "--quick",
        action="store_true",
        help=f"{QUICK_CASES} cases, {' and '.join(QUICK_METHODS)} only, a page of its own",
    )
    parser.add_argument(
        "--page-only", action="store_true", help="write the page from what was kept"
    )
    options = parser.parse_args(arguments)
    slugs = options.methods or (QUICK_METHODS if options.quick else tuple(METHODS))
    count = options.cases or (QUICK_CASES if options.quick else CASES)
    try:
        cases = adapter.held_out(count)
        methods = chosen(slugs, options.device, options.model_dir)
        store = Store(options.seed)
        results = evaluate(cases, options.seed, methods, store, options.page_only)
        _require_any(results)
    except BrainstemALSError as refusal:
        print(refusal, file=sys.stderr)
        return int(refusal.code)
    folder = options.out or results_dir()
    page = publishable(results, methods, options.seed, options.quick, folder)
    commands.publish(page, folder)
    return 0


def _require_any(results: Results) -> None:
    if any(cases for kinds in results.values() for cases in kinds.values()):
        return
    raise BrainstemALSError(
        "data/evaluation/segmentation",
        "nothing is kept there of these methods, this seed and this code",
        "Run the command without --page-only.",
        ExitCode.USAGE,
    )


if __name__ == "__main__":
    sys.exit(main())
