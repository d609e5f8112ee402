"""The page of ``training.evaluation.longitudinal``."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from .longitudinal_cases import groups
from .tables import Page, Table

ASKED_PERCENT = 30.0
RESAMPLES = 2000
OTHER_SCANNER, NO_CHANGE = "another scanner", "no change"
UNITS = {"volume": "%", "fa": "1", "md": "1e-3 mm2/s"}


@dataclass(frozen=True)
class Row:
    """One change of one structure.

    Attributes
    ----------
    case, series : str
    structure, measure : str
        As of ``longitudinal.Change``.
    true, independent, longitudinal : float
        Change per year: volumes in per cent of the mean, FA and MD in their unit.
    beyond_error : bool or None
        What longitudinal processing says of it.
    """

    case: str
    series: str
    structure: str
    measure: str
    true: float
    independent: float
    longitudinal: float
    beyond_error: bool | None


def page(
    stem: str,
    rows: Sequence[Row],
    symmetric: bool,
    again: int,
    cases: int,
    seed: int,
    model: Mapping[str, Mapping[str, str]],
) -> Page:
    """Return the page.

    Parameters
    ----------
    stem : str
        File name without ending.
    rows : sequence of Row
    symmetric : bool
        Whether exchanging visits negated the change exactly.
    again : int
        Scanners that were drawn anew.
    cases, seed : int
    model : mapping
        ``Segmenter.identity``.
    """
    whole = [r for r in rows if r.measure == "volume" and r.series != OTHER_SCANNER]
    members = set().union(*groups().values())
    whole = [r for r in whole if r.structure in members]
    less, low, high = reduction(whole, seed)
    marks = [
        (
            f"error of a volume change at least {ASKED_PERCENT:g} % below that of independent "
            f"segmentations, one scanner: {less:.0f} % ({low:.0f} to {high:.0f})",
            less >= ASKED_PERCENT,
        ),
        ("visits exchanged give exactly the negated change", symmetric),
    ]
    return Page(
        stem=stem,
        title="Change over visits, longitudinal processing and independent segmentations",
        kind="simulated",
        data=f"{cases} held-out anatomies, every visit in a pose of its own",
        seed=seed,
        tables=[_errors(rows, seed), _recovery(rows), _judgements(rows)],
        attachments=[_all(rows)],
        model=model,
        marks=marks,
        notes=(
            "Error: root mean square of found minus true change per year over structures and "
            "cases; its interval by drawing cases anew (bootstrap, 95 %).",
            "Structures with a zero or wholly missing volume in one way are left out of both.",
            "One scanner: contrast, faults and noise of one draw, the head in another pose.",
            f"Scanners whose images were refused by the segmentation, and drawn anew: {again}.",
            "No person was scanned.",
        ),
    )


def reduction(rows: Sequence[Row], seed: int) -> tuple[float, float, float]:
    """Return by how many per cent the error is smaller, with its interval over cases."""
    cases = sorted({row.case for row in rows})
    square = np.array(
        [
            [
                sum((getattr(r, way) - r.true) ** 2 for r in rows if r.case == case)
                for way in ("independent", "longitudinal")
            ]
            for case in cases
        ]
    )

    def less(of_cases: np.ndarray) -> float:
        alone, joint = np.sqrt(of_cases.sum(0))
        return 100.0 * (1.0 - joint / alone) if alone > 0 else float("nan")

    rng = np.random.default_rng(seed)
    drawn = [less(square[rng.integers(0, len(cases), len(cases))]) for _ in range(RESAMPLES)]
    low, high = np.percentile(drawn, (2.5, 97.5))
    return less(square), float(low), float(high)


def _errors(rows: Sequence[Row], seed: int) -> Table:
    lines = []
    for measure in UNITS:
        for series in dict.fromkeys(row.series for row in rows):
            for name, members in groups().items():
                of = [
                    r
                    for r in rows
                    if (r.measure, r.series) == (measure, series) and r.structure in members
                ]
                if not of:
                    continue
                alone, joint = (
                    [getattr(r, way) - r.true for r in of]
                    for way in ("independent", "longitudinal")
                )
                shown = [f(errors) for errors in (alone, joint) for f in (_rms, _mean, _sd)]
                lines.append((measure, UNITS[measure], series, name, len(of), *shown))
                lines[-1] += (reduction(of, seed)[0],)
    return Table(
        "errors",
        "Error of the change per year: root mean square, bias and standard deviation",
        (
            "measure",
            "unit",
            "series",
            "structures",
            "n",
            "independent: error",
            "bias",
            "SD",
            "longitudinal: error",
            "bias ",
            "SD ",
            "less by %",
        ),
        lines,
    )


def _recovery(rows: Sequence[Row]) -> Table:
    lines = []
    for series in dict.fromkeys(row.series for row in rows):
        of = [
            r for r in rows if (r.series, r.structure, r.measure) == (series, "medulla", "volume")
        ]
        ways = [[getattr(r, w) for r in of] for w in ("true", "independent", "longitudinal")]
        lines.append((series, len(of), *(_mean(way) for way in ways)))
    return Table(
        "recovery",
        "Mean change of the medulla per year, per cent",
        ("series", "cases", "true", "independent", "longitudinal"),
        lines,
        2,
    )


def _judgements(rows: Sequence[Row]) -> Table:
    lines = []
    for series in dict.fromkeys(row.series for row in rows):
        judged = [
            r
            for r in rows
            if r.series == series and r.measure == "volume" and r.beyond_error is not None
        ]
        medulla = [r.beyond_error for r in judged if r.structure == "medulla"]
        still = [r.beyond_error for r in judged if r.true == 0]
        lines.append((series, _share(medulla), _share(still), len(still)))
    return Table(
        "beyond",
        "Said to be beyond measurement error, per cent: the medulla, and all volumes that do not "
        "change at all, which should be 5",
        ("series", "medulla", "without change", "of n"),
        lines,
        1,
    )


def _all(rows: Sequence[Row]) -> Table:
    columns = tuple(Row.__dataclass_fields__)
    return Table(
        "changes",
        "Every change of every structure and case",
        columns,
        [tuple(getattr(row, name) for name in columns) for row in rows],
    )


def _share(judgements: Sequence[bool | None]) -> float:
    return 100.0 * float(np.mean(judgements)) if judgements else float("nan")


def _rms(errors: Sequence[float]) -> float:
    return float(np.sqrt(np.mean(np.square(errors))))


def _mean(errors: Sequence[float]) -> float:
    return float(np.mean(errors)) if errors else float("nan")


def _sd(errors: Sequence[float]) -> float:
    return float(np.std(errors))
