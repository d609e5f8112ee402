"""Compares change by longitudinal processing with change between independent segmentations.

    python -m training.evaluation.longitudinal [--cases 6] [--seed 31] [--quick]

On simulated visits of anatomies that neither training nor the design of the method saw: another
pose for every visit, and a loss of the medulla of known size. A case takes about two minutes on one
core.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from BrainstemALSLib.errors import BrainstemALSError
from BrainstemALSLib.imaging.exam import Exam
from BrainstemALSLib.imaging.prepare import PreparationOptions
from BrainstemALSLib.longitudinal import LongitudinalResult, VisitValue, process_visits
from BrainstemALSLib.longitudinal.process import changes_of
from BrainstemALSLib.pipeline import run_exam
from BrainstemALSLib.report.tables import write_tsv

from . import adapter, commands
from .longitudinal_cases import Course, course, first_accepted, simulated_visit, with_surroundings
from .longitudinal_page import page
from .longitudinal_rows import OTHER_SCANNER, REGION, Row

CASES, QUICK_CASES = 6, 1
ONE = "one"
"""Name of the scanner where it is one; nobody says that another is another."""
LOOKED_AT = {
    "hoa2-120111": "the method was chosen on it",
    "hoa2-201111": "the method was chosen on it",
    "hoa2-103818": "a trial of the finished method",
    "synthseg-12": "a trial of the finished method",
}
"""Held-out anatomies whose results had been seen before this command was first run as it is."""
AS_THEY_LIE = PreparationOptions(register=False)


@dataclass(frozen=True)
class Planned:
    """A visit to simulate: its loss in per cent, and whether on another scanner."""

    loss: float
    other_scanner: bool = False


VISITS = {
    "first": Planned(0.0),
    "again": Planned(0.0),
    "2 %": Planned(2.0),
    "4 %": Planned(4.0),
    "other": Planned(0.0, True),
}
SERIES = {
    "no change": (("first", 0.0), ("again", 12.0)),
    "loss of 2 %": (("first", 0.0), ("2 %", 12.0)),
    "loss of 4 %": (("first", 0.0), ("4 %", 12.0)),
    "three visits, 0, 2 and 4 %": (("first", 0.0), ("2 %", 6.0), ("4 %", 12.0)),
    "another scanner": (("first", 0.0), ("other", 12.0)),
}
"""Name to visits and their months, over a year: a change per year is that between the ends."""
QUICK_SERIES = ("no change", "loss of 4 %")
Seen = dict[str, tuple[Exam, tuple[VisitValue, ...]]]


def unseen(count: int) -> list[str]:
    """Return held-out anatomies that nobody had looked at, spread evenly over all there are.

    Raises
    ------
    BrainstemALSError
        No anatomy is built.
    """
    cases = [case for case in adapter.held_out(sys.maxsize) if case not in LOOKED_AT]
    chosen = np.linspace(0, len(cases) - 1, min(count, len(cases))).round().astype(int)
    return [cases[n] for n in chosen]


def measure(
    cases: Sequence[str], seed: int, segmenter: Any, series: Sequence[str]
) -> tuple[list[Row], bool | None, int, list[tuple[str, str]]]:
    """Return what both ways found in every series of every case, and whether exchange negates.

    The second is asked of the first case: the visits of its first series in the other order, their
    times exchanged; None where that was refused. The third is how many scanners were drawn anew
    (``first_accepted``), the last case and series that longitudinal processing refused.
    """
    rows: list[Row] = []
    refusals: list[tuple[str, str]] = []
    symmetric, again = None, 0
    for number, case in enumerate(cases):
        anatomy = with_surroundings(adapter.anatomy(case), seed + number)
        courses = {
            loss: course(anatomy, REGION, loss) for loss in {p.loss for p in VISITS.values()}
        }
        wanted = {name for each in series for name, _ in SERIES[each]}
        scanner = 1000 * seed + 2 * number
        seen: Seen = {}
        for other in (False, True):
            names = [n for n, p in VISITS.items() if n in wanted and p.other_scanner == other]
            found, refused = first_accepted(
                lambda s, names=names, courses=courses, number=number: _seen(
                    courses, names, s, 1000 * seed + 10 * number, segmenter
                ),
                scanner + other,
            )
            seen, again = seen | found, again + refused
        for each in series:
            planned = SERIES[each]
            exams, months = [seen[n][0] for n, _ in planned], [m for _, m in planned]
            try:
                named = None if each == OTHER_SCANNER else [ONE] * len(exams)
                joint = process_visits(
                    exams, months, segmenter, preparation=AS_THEY_LIE, scanners=named
                )
            except BrainstemALSError as refusal:
                print(f"{case}, {each}: {refusal}", flush=True)
                refusals.append((case, each))
                continue
            rows += _rows(case, each, planned, courses, seen, joint)
            if number == 0 and each == series[0]:
                symmetric = _exchange_negates(exams, months, joint, segmenter)
        print(f"{number + 1}/{len(cases)} {case}", flush=True)
    return rows, symmetric, again, refusals


def _seen(
    courses: Mapping[float, Course], names: Sequence[str], scanner: int, pose: int, segmenter: Any
) -> Seen:
    """Exams with their diffusion in place, and what independent segmentation measures on each."""
    seen: Seen = {}
    for name in names:
        place = list(VISITS).index(name)
        exam, _ = simulated_visit(courses[VISITS[name].loss], scanner, pose + place)
        result = run_exam(exam, segmenter)
        found = [("volume", v.key, v.volume_soft_mm3) for v in result.measures.volumes]
        found += [(d.metric, d.key, d.value) for d in result.measures.diffusion]
        values = tuple(
            VisitValue(0, 0.0, key, measure, value)
            for measure, key, value in found
            if value and measure in ("volume", "fa", "md")
        )
        seen[name] = result.exam, values
    return seen


def _rows(
    case: str,
    series: str,
    planned: Sequence[tuple[str, float]],
    courses: Mapping[float, Course],
    seen: Seen,
    joint: LongitudinalResult,
) -> list[Row]:
    """Rows of a series: what both have, with the truth."""
    alone, truth = [], []
    for number, (name, months) in enumerate(planned):
        values = seen[name][1]
        alone += [VisitValue(number, months, v.structure, v.measure, v.value) for v in values]
        true = courses[VISITS[name].loss].change_percent
        truth += [VisitValue(number, months, k, "volume", 100 + x) for k, x in true.items()]
    order = range(len(planned))
    slopes = {(c.structure, c.measure): c.change_per_year for c in changes_of(alone, order, None)}
    # Where results give no change between scanners, what the common template would make of it.
    joined = {
        (c.structure, c.measure): c.change_per_year for c in changes_of(joint.values, order, None)
    }
    true_slopes = {c.structure: c.change_per_year for c in changes_of(truth, order, None)}
    return [
        Row(
            case,
            series,
            change.structure,
            change.measure,
            # The tissue keeps its FA and MD in all courses.
            true_slopes[change.structure] if change.measure == "volume" else 0.0,
            slopes[change.structure, change.measure],
            joined[change.structure, change.measure],
            change.beyond_error,
            change.low,
            change.high,
            change.change_per_year is not None,
        )
        for change in joint.changes
        if change.structure in true_slopes and (change.structure, change.measure) in slopes
    ]


def _exchange_negates(
    exams: list[Exam], months: list[float], joint: LongitudinalResult, segmenter: Any
) -> bool | None:
    """Whether visits in the other order with exchanged times give exactly the negated change.

    None where no change is given.
    """
    if not joint.one_scanner:
        return None
    scanners = [ONE] * len(exams)
    other = process_visits(
        exams[::-1], months, segmenter, preparation=AS_THEY_LIE, scanners=scanners
    )
    before = [c.change_per_year for c in joint.changes]
    return bool(np.array_equal(before, [-c.change_per_year for c in other.changes]))


def main(arguments: list[str] | None = None) -> int:
    """Run the command."""
    parser = commands.arguments(__doc__)
    parser.add_argument("--cases", type=int, help=f"held-out anatomies, {CASES} unless told")
    parser.add_argument("--seed", type=int, default=31)
    parser.add_argument(
        "--quick",
        action="store_true",
        help=f"{QUICK_CASES} case, {' and '.join(QUICK_SERIES)} only, a page of its own",
    )
    parser.add_argument("--rows", type=Path, help="write every change of every structure here too")
    options = parser.parse_args(arguments)
    series = QUICK_SERIES if options.quick else tuple(SERIES)
    try:
        cases = unseen(options.cases or (QUICK_CASES if options.quick else CASES))
        segmenter = adapter.segmenter(options.device, options.model_dir)
        rows, symmetric, again, refusals = measure(cases, options.seed, segmenter, series)
    except BrainstemALSError as refusal:
        print(refusal, file=sys.stderr)
        return int(refusal.code)
    if options.rows:
        # As text: the tables round to four decimals, which is too little for a change of MD.
        lines = [
            {k: f"{v:.6g}" if isinstance(v, float) else v for k, v in vars(row).items()}
            for row in rows
        ]
        write_tsv(options.rows, tuple(Row.__dataclass_fields__), lines)
    stem = "longitudinal_quick" if options.quick else "longitudinal"
    done = page(
        stem, rows, symmetric, again, len(cases), options.seed, segmenter.identity, LOOKED_AT,
        refusals,
    )  # fmt: skip
    commands.publish(done, options.out)
    return 0


if __name__ == "__main__":
    sys.exit(main())
