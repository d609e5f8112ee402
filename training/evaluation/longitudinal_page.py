"""The page of ``training.evaluation.longitudinal``."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from .longitudinal_cases import groups
from .longitudinal_rows import (
    ASKED_PERCENT,
    OTHER_SCANNER,
    UNITS,
    Row,
    agreement_table,
    marks,
    reduction,
    shares_table,
)
from .tables import Page, Table


def page(
    stem: str,
    rows: Sequence[Row],
    symmetric: bool | None,
    again: int,
    cases: int,
    seed: int,
    model: Mapping[str, Mapping[str, str]],
    left_out: Mapping[str, str] | None = None,
    refused: Sequence[tuple[str, str]] = (),
) -> Page:
    """Return the page.

    Parameters
    ----------
    stem : str
        File name without ending.
    rows : sequence of Row
    symmetric : bool or None
        Whether exchanging visits negated the change exactly; None where it was not measured.
    again : int
        Scanners that were drawn anew.
    cases, seed : int
    model : mapping
        ``Segmenter.identity``.
    left_out : mapping, optional
        Anatomies that were left out because they had been looked at, and at what occasion.
    refused : sequence of (case, series)
        That longitudinal processing refused, though they are of one person.
    """
    gains = _gains([row for row in rows if row.series != OTHER_SCANNER], seed)
    return Page(
        stem=stem,
        title="Change over visits, longitudinal processing and independent segmentations",
        kind="simulated",
        data=f"{cases} held-out anatomies, every visit in a pose of its own",
        seed=seed,
        tables=[
            gains,
            shares_table(rows, seed),
            agreement_table(rows),
            _errors(rows, seed),
            _recovery(rows),
            _judgements(rows),
            _intervals(rows),
        ],
        model=model,
        marks=[
            *marks(rows, seed),
            ("visits exchanged give exactly the negated change", symmetric),
        ],
        notes=(
            "Error: root mean square of found minus true change per year over structures and "
            "cases; its interval by drawing cases anew (bootstrap, 95 %).",
            "Structures with a zero or wholly missing volume in one way are left out of both.",
            "One scanner: contrast, faults and noise of one draw, the head in another pose; both "
            "visits name it. Another scanner is named by nobody: visits have to look more alike "
            "then before a change is given. That limit was set after the first run of this page, "
            "in which 42 of 100 volumes that had not changed were called changed between two "
            "scanners, from what visits of training anatomies look like.",
            f"Scanners whose images were refused by the segmentation, and drawn anew: {again}.",
            *_withheld(rows),
            "Limits of agreement take all structures of a group and all cases together (own "
            "choice); those of one structure are 1.96 times the root of 2 times its error in "
            "Resources/Norms/longitudinal_error.json, of other anatomies.",
            *_told(gains),
            *_refused(refused),
            *_left_out(left_out or {}),
            "No person was scanned.",
        ),
    )


def _gains(rows: Sequence[Row], seed: int) -> Table:
    lines = []
    for measure in UNITS:
        for name, members in groups().items():
            of = [r for r in rows if r.measure == measure and r.structure in members]
            if not of:
                continue
            alone, joint = (
                _rms([getattr(r, way) - r.true for r in of])
                for way in ("independent", "longitudinal")
            )
            less, low, high = reduction(of, seed)
            word = "yes" if low > 0 else "no" if high < 0 else "not clear"
            lines.append(
                (measure, UNITS[measure], name, len(of), alone, joint, less, low, high, word)
            )
    return Table(
        "gains",
        "Error of the change per year, all series of one scanner together",
        (
            "measure",
            "unit",
            "structures",
            "n",
            "independent",
            "longitudinal",
            "less by %",
            "from",
            "to",
            "better",
        ),
        lines,
    )


def _told(gains: Table) -> tuple[str, ...]:
    """Where longitudinal processing is not better, or by less than was asked for."""
    found: dict[str, list[str]] = {}
    for measure, _, name, *_, less, _, _, word in gains.rows:
        if word != "yes":
            found.setdefault(f"No gain that is clear ({word}):", []).append(f"{measure} of {name}")
        elif less < ASKED_PERCENT:
            start = f"Better, by less than {ASKED_PERCENT:g} %:"
            found.setdefault(start, []).append(f"{measure} of {name}")
    return tuple(f"{start} {', '.join(where)}." for start, where in found.items())


def _withheld(rows: Sequence[Row]) -> tuple[str, ...]:
    series = list(dict.fromkeys((r.case, r.series) for r in rows if not r.given))
    if not series:
        return ()
    named = "; ".join(f"{case}, {name}" for case, name in series)
    return (
        "Series in which results give no change (n/a), because visits seem to differ in scanner: "
        f"{named}. Tables hold what would follow from the common template there, which is why "
        "none is given.",
    )


def _refused(refused: Sequence[tuple[str, str]]) -> tuple[str, ...]:
    named = "; ".join(f"{case}, {series}" for case, series in refused) or "none"
    return (
        "Series of one person that longitudinal processing refused as if they were of two persons, "
        f"or without a usable visit, and that are in no table: {named}.",
    )


def _left_out(cases: Mapping[str, str]) -> tuple[str, ...]:
    if not cases:
        return ()
    named = ", ".join(f"{case} ({why})" for case, why in cases.items())
    return (f"Held-out anatomies that had been looked at before take no part: {named}.",)


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


def _intervals(rows: Sequence[Row]) -> Table:
    lines = []
    for series in dict.fromkeys(row.series for row in rows):
        for name, changed in (("volumes that do not change", False), ("volumes that do", True)):
            held = [
                row.low <= row.true <= row.high
                for row in rows
                if (row.series, row.measure) == (series, "volume")
                and row.low is not None
                and row.high is not None
                and (row.true != 0) == changed
            ]
            if held:
                lines.append((series, name, len(held), _share(held)))
    return Table(
        "intervals",
        "95 % intervals of the change that hold the true one, per cent, which should be 95; they "
        "do not know that loss is found only in part",
        ("series", "of", "n", "hold it"),
        lines,
        1,
    )


def _share(judgements: Sequence[bool | None]) -> float:
    return 100.0 * float(np.mean(judgements)) if judgements else float("nan")


def _rms(errors: Sequence[float]) -> float:
    return float(np.sqrt(np.mean(np.square(errors))))


def _mean(errors: Sequence[float]) -> float:
    return float(np.mean(errors)) if errors else float("nan")


def _sd(errors: Sequence[float]) -> float:
    return float(np.std(errors))
