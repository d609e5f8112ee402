"""Measures the error of one measurement in longitudinal processing: repeats without change.

    python -m training.evaluation.longitudinal_error [--cases 8] [--seed 41] [--quick] [--write]

On anatomies that training saw: each is simulated twice on one scanner in two poses, once with a
loss of the medulla and once on another scanner. What repeats scatter, and what share of the loss is
found, goes to Resources/Norms/longitudinal_error.json with ``--write``; how both depend on the
smoothing of shapes, and how alike visits look, to a page.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np

from BrainstemALSLib.errors import BrainstemALSError, ExitCode
from BrainstemALSLib.imaging.exam import Exam
from BrainstemALSLib.imaging.prepare import prepare
from BrainstemALSLib.longitudinal.error import RELATIVE_PATH
from BrainstemALSLib.longitudinal.joining import (
    ONE_PERSON,
    ONE_SCANNER,
    SCANNER_UNTOLD,
    Joined,
    Visit,
    join,
)
from BrainstemALSLib.longitudinal.measuring import measured
from BrainstemALSLib.longitudinal.result import VisitValue
from BrainstemALSLib.longitudinal.warping import SMOOTHING_VOXELS
from BrainstemALSLib.report.tables import write_json

from ..data import repository
from . import adapter, commands
from .longitudinal_cases import course, first_accepted, groups, simulated_visit, with_surroundings
from .tables import Page, Table, command_line

CASES, QUICK_CASES = 8, 4
LOSS_PERCENT = 4.0
SMOOTHINGS = (1.5, SMOOTHING_VOXELS, 3.0)
STATEMENT = (
    "Simulated repeats of unchanged anatomies in another pose on one simulated scanner; real "
    "repeats scatter more."
)
Difference = dict[tuple[str, str], float]
"""Structure and measure to second visit minus first: volumes in per cent of the mean."""


@dataclass
class Found:
    """What was found over all anatomies: smoothing to kind of pair to differences, one per case."""

    differences: dict[float, dict[str, list[Difference]]] = field(default_factory=dict)
    truths: list[dict[str, float]] = field(default_factory=list)
    likeness: dict[str, list[float]] = field(default_factory=dict)
    persons: list[bool] = field(default_factory=list)
    refused: int = 0

    def add(self, kind: str, joined: Joined, smoothings: tuple[float, ...]) -> None:
        """Measure a pair with every smoothing."""
        self.likeness.setdefault(kind, []).append(min(joined.likeness.values()))
        for smoothing in smoothings:
            of_kind = self.differences.setdefault(smoothing, {}).setdefault(kind, [])
            of_kind.append(differences(measured(joined, smoothing)))


def differences(values: tuple[VisitValue, ...]) -> Difference:
    """Return second visit minus first of everything that both have."""
    first, second = (
        {(v.structure, v.measure): v.value for v in values if v.visit == n} for n in (0, 1)
    )
    out = {}
    for key in first.keys() & second.keys():
        scale = 200.0 / (first[key] + second[key]) if key[1] == "volume" else 1.0
        out[key] = scale * (second[key] - first[key])
    return out


def measure(cases: list[str], seed: int, segmenter: Any, quick: bool) -> Found:
    """Simulate and measure the pairs of every anatomy."""
    found = Found()
    before: Visit | None = None
    smoothings = (SMOOTHING_VOXELS,) if quick else SMOOTHINGS
    for number, case in enumerate(cases):
        anatomy = with_surroundings(adapter.anatomy(case), seed + number)
        healthy = course(anatomy, "medulla", 0.0)
        ill = course(anatomy, "medulla", LOSS_PERCENT)
        pose = 100_000 * seed + 100 * number
        scanner = 1000 * seed + 2 * number

        def visits(n: int, healthy=healthy, ill=ill, pose=pose) -> list[Visit]:
            shapes = [healthy, healthy] if quick else [healthy, healthy, ill]
            return [
                _visit(k, simulated_visit(shape, n, pose + k)[0], segmenter)
                for k, shape in enumerate(shapes)
            ]

        (first, again, *later), refused = first_accepted(visits, scanner)
        found.refused += refused
        found.add("one scanner", join([first, again], segmenter), smoothings)
        for visit in later:
            found.truths.append(ill.change_percent)
            found.add("loss", join([first, replace(visit, number=1)], segmenter), smoothings)
            other, refused = first_accepted(
                lambda n, healthy=healthy, pose=pose: _visit(
                    1, simulated_visit(healthy, n, pose + 3)[0], segmenter
                ),
                scanner + 1,
            )
            found.refused += refused
            pair = join([first, other], segmenter)
            found.add("two scanners", pair, (SMOOTHING_VOXELS,))
            if before is not None:
                found.persons.append(_refused(before, again, segmenter))
            before = first
        print(f"{number + 1}/{len(cases)} {case}", flush=True)
    return found


def _visit(number: int, exam: Exam, segmenter: Any) -> Visit:
    place = segmenter.locate(exam)
    if exam.has_diffusion:
        exam = prepare(exam, place.centre)
    return Visit(number, 0.0, exam, place)


def _refused(first: Visit, second: Visit, segmenter: Any) -> bool:
    try:
        join([first, second], segmenter)
    except BrainstemALSError as refusal:
        return refusal.code == ExitCode.MISMATCHED_IMAGES
    return False


def standard_deviations(repeats: list[Difference]) -> dict[str, dict[str, float]]:
    """Return the standard deviation of one measurement: measure to structure to figure.

    That of a difference without change, over the square root of 2. Few repeats know a variance
    badly, so each is drawn half way to that of its group (tier, whole regions, tracts): our choice.
    """
    square: dict[str, dict[str, float]] = {}
    for key in sorted(set().union(*repeats)):
        each = [repeat[key] for repeat in repeats if key in repeat]
        if len(each) >= max(2, len(repeats) / 2):
            square.setdefault(key[1], {})[key[0]] = float(np.mean(np.square(each))) / 2
    out = {}
    for measure, variances in square.items():
        out[measure] = {}
        for structure, variance in variances.items():
            members = next((m for m in groups().values() if structure in m), (structure,))
            of_group = np.mean([variances[m] for m in members if m in variances])
            out[measure][structure] = float(f"{np.sqrt((variance + of_group) / 2):.4g}")
    return out


def record(found: Found, cases: list[str], seed: int, model: str) -> dict[str, object]:
    """Return the content of the JSON file."""
    repeats = found.differences[SMOOTHING_VOXELS]["one scanner"]
    losses = found.differences[SMOOTHING_VOXELS].get("loss", [])
    return {
        "about": {
            "simulated": True,
            "statement": STATEMENT,
            "command": command_line(),
            "seed": seed,
            "date": f"{datetime.now(UTC):%Y-%m-%d}",
            "data": f"{len(cases)} anatomies of training, simulated twice each",
            "smoothing_voxels": SMOOTHING_VOXELS,
            "model": model,
            "units": {"volume": "% of the volume", "fa": "1", "md": "1e-3 mm2/s"},
        },
        "pairs": len(repeats),
        "sd": standard_deviations(repeats),
        **({"found_of_loss": found_of_loss(losses, found.truths)} if losses else {}),
    }


def found_of_loss(losses: list[Difference], truths: list[dict[str, float]]) -> dict[str, object]:
    """Return what share of a true change of volume is found: 1 would be all of it.

    Found on true change through the origin, over the anatomies: for the medulla, and for all
    structures within the brainstem of tier A and of tier B. Standard errors leave out one anatomy
    after the other (jackknife). Volumes are not corrected by it: that would raise the scatter of
    repeats by as much (our choice).
    """
    named = groups()
    of = {"medulla": ("medulla",)} | {n: named[n] for n in named if n.startswith("tier")}
    share = {name: _share(losses, truths, members) for name, members in of.items()}
    return {
        "about": f"share of a simulated loss of {LOSS_PERCENT:g} % of the medulla",
        "cases": len(losses),
        "share": {name: each for name, each in share.items() if each},
    }


def _share(
    losses: list[Difference], truths: list[dict[str, float]], members: tuple[str, ...]
) -> dict[str, float] | None:
    sums = []
    for difference, truth in zip(losses, truths, strict=True):
        both = [
            (difference[m, "volume"], truth[m])
            for m in members
            if m in truth and (m, "volume") in difference
        ]
        sums.append((sum(a * b for a, b in both), sum(b * b for _, b in both)))
    total = np.sum(sums, axis=0)
    if len(sums) < 2 or not total[1]:
        return None
    share = float(total[0] / total[1])
    count = len(sums)
    without = [(total[0] - a) / (total[1] - b) for a, b in sums]
    se = np.sqrt((count - 1) / count * np.sum((np.array(without) - np.mean(without)) ** 2))
    return {"value": float(f"{share:.3g}"), "se": float(f"{se:.2g}")}


def page(found: Found, content: dict, cases: list[str], seed: int, segmenter: Any) -> Page:
    """Return the page of the error."""
    sd = content["sd"]
    sizes = [
        (name, measure, float(np.median(known)), float(1.96 * np.sqrt(2) * np.median(known)))
        for name, members in groups().items()
        for measure in sd
        if (known := [sd[measure][m] for m in members if m in sd[measure]])
    ]
    tables = [
        Table(
            "groups",
            "Standard deviation of one measurement, and the smallest change that two visits can "
            "show (1.96 times that of a difference): medians over the members of a group; volumes "
            "in per cent, FA 0-1, MD in 1e-3 mm2/s",
            ("group", "measure", "standard deviation", "smallest detectable change"),
            sizes,
            4,
        )
    ]
    if found.truths:
        tables += [_found_table(content), _smoothing_table(found), _likeness_table(found)]
    return Page(
        stem="longitudinal_error" if found.truths else "longitudinal_error_quick",
        title="Error of one measurement in longitudinal processing",
        kind="simulated",
        data=f"{len(cases)} anatomies of training, in two poses on one simulated scanner",
        seed=seed,
        tables=tables,
        model=segmenter.identity,
        notes=(
            STATEMENT,
            f"Written to Resources/{RELATIVE_PATH} with --write, from where the library reads it.",
            f"Scanners whose images were refused, and drawn anew: {found.refused}.",
            *_persons_note(found),
        ),
    )


def _persons_note(found: Found) -> tuple[str, ...]:
    if not found.persons:
        return ()
    text = f"Visits of two persons were refused in {sum(found.persons)} of {len(found.persons)}."
    return (text,)


def _found_table(content: dict) -> Table:
    about = content["found_of_loss"]
    return Table(
        "found",
        f"{about['about'][0].upper()}{about['about'][1:]} that is found, with its standard error "
        "over anatomies (jackknife); results name it, volumes are not corrected by it",
        ("structures", "share", "standard error"),
        [(name, each["value"], each["se"]) for name, each in about["share"].items()],
        2,
    )


def _smoothing_table(found: Found) -> Table:
    rows = []
    for smoothing, kinds in found.differences.items():
        for name, members in groups().items():
            zero = [d[m, "volume"] for d in kinds["one scanner"] for m in members]
            error = [
                d[m, "volume"] - truth[m]
                for d, truth in zip(kinds["loss"], found.truths, strict=True)
                for m in members
                if m in truth
            ]
            rows.append((smoothing, name, _rms(zero), _rms(error)))
        shown = [d["medulla", "volume"] for d in kinds["loss"]]
        rows.append((smoothing, f"medulla, true {-LOSS_PERCENT:g} %: found", None, _mean(shown)))
    return Table(
        "smoothing",
        "By the smoothing of shapes (voxels): root mean square error of a change of volume in per "
        "cent, without any change and with a loss of the medulla",
        ("smoothing", "group", "no change", "loss"),
        rows,
        2,
    )


def _likeness_table(found: Found) -> Table:
    rows = [
        (kind, len(all_), min(all_), float(np.median(all_)), max(all_))
        for kind, all_ in found.likeness.items()
    ]
    return Table(
        "likeness",
        f"Likeness of two visits: below {ONE_SCANNER} they count as of two scanners "
        f"({SCANNER_UNTOLD} where no scanner is named), below "
        f"{ONE_PERSON} as of two persons",
        ("pair", "pairs", "least", "median", "largest"),
        rows,
    )


def _rms(values: list[float]) -> float:
    return float(np.sqrt(np.mean(np.square(values))))


def _mean(values: list[float]) -> float:
    return float(np.mean(values))


def training_sample(count: int) -> list[str]:
    """Return anatomies of training, spread evenly over all there are."""
    from ..commands import training_cases

    cases = training_cases()
    chosen = np.linspace(0, len(cases) - 1, min(count, len(cases))).round().astype(int)
    return [cases[n] for n in chosen]


def main(arguments: list[str] | None = None) -> int:
    """Run the command."""
    parser = commands.arguments(__doc__)
    parser.add_argument("--cases", type=int, help=f"anatomies, {CASES} unless told")
    parser.add_argument("--seed", type=int, default=41)
    parser.add_argument(
        "--quick",
        action="store_true",
        help=f"{QUICK_CASES} anatomies, repeats only, a page of its own",
    )
    parser.add_argument("--write", action="store_true", help=f"write Resources/{RELATIVE_PATH}")
    options = parser.parse_args(arguments)
    try:
        cases = training_sample(options.cases or (QUICK_CASES if options.quick else CASES))
        segmenter = adapter.segmenter(options.device, options.model_dir)
        found = measure(cases, options.seed, segmenter, options.quick)
    except BrainstemALSError as refusal:
        print(refusal, file=sys.stderr)
        return int(refusal.code)
    content = record(found, cases, options.seed, segmenter.identity["structures"]["sha256"])
    if options.write:
        _write(content, repository() / "Resources" / RELATIVE_PATH)
    commands.publish(page(found, content, cases, options.seed, segmenter), options.out)
    return 0


def _write(content: dict[str, object], path: Path) -> None:
    partial = path.with_name(f".{path.name}.partial")
    write_json(partial, content)
    partial.replace(path)


if __name__ == "__main__":
    sys.exit(main())
