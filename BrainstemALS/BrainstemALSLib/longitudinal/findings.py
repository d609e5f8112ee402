"""What longitudinal processing has to tell the reader, and what it refuses."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from ..errors import BrainstemALSError, ExitCode
from ..imaging.finding import Finding

OF_COMPARISON = (
    "visit_left_out",
    "visit_of_another_person",
    "scanner_differs",
    "measurement_error_unknown",
)
"""Codes of what concerns the comparison itself, and not the images of one visit."""
SAME_DAY_MONTHS = 0.5 / 30.4
"""Half a day: two visits nearer to each other were on one date."""


def refuse_months(count: int, months: Sequence[float]) -> None:
    """Refuse visits from which no change can be had.

    Raises
    ------
    BrainstemALSError
        USAGE: fewer than two exams, not one time for each, a time that is no number, or two visits
        on one date.
    """
    if count < 2:
        raise _usage(
            "there is only one visit, and change needs two or more" if count else "there is none",
            "Give the T1 of at least two visits of one person.",
        )
    if len(months) != count:
        raise _usage(
            f"{count} exams were given and {len(months)} times",
            "Give one time in months for each exam, in the same order.",
        )
    times = np.asarray(months, float)
    if not np.isfinite(times).all():
        raise _usage("a time is not a number", "Give the months since the first visit.")
    order = np.argsort(times, kind="stable")
    close = np.flatnonzero(np.diff(times[order]) < SAME_DAY_MONTHS)
    if close.size:
        first, second = sorted((order[close[0]] + 1, order[close[0] + 1] + 1))
        raise _usage(
            f"visits {first} and {second} are on one date",
            "Give only one exam of each date, or the right months.",
        )


def refuse_twice(first: int, second: int) -> BrainstemALSError:
    """One image stands for two visits; positions from 0."""
    return _usage(
        f"visits {min(first, second) + 1} and {max(first, second) + 1} are the same image",
        "Give the T1 that was measured at each visit.",
    )


def too_few(left: int, reasons: Sequence[Finding]) -> BrainstemALSError:
    """Fewer than two visits can be used."""
    why = " ".join(dict.fromkeys(finding.message for finding in reasons))
    return BrainstemALSError(
        "visits",
        f"only {left} can be used, and change needs two or more. {why}".rstrip(". "),
        "Check that all are T1-weighted images of one person with the brainstem in view.",
        ExitCode.UNSUITABLE_IMAGE,
    )


def not_one_person() -> BrainstemALSError:
    """No two visits fit."""
    return BrainstemALSError(
        "visits",
        "no two of them show the same brainstem, as if they were of different persons",
        "Check that all are T1-weighted images of one person.",
        ExitCode.MISMATCHED_IMAGES,
    )


def unreadable(visit: int, refusal: BrainstemALSError) -> Finding:
    """A visit could not be used from the start; its position from 0."""
    return Finding(
        "visit_left_out",
        "error",
        f"Visit {visit + 1} was left out: {refusal.problem}.",
        refusal.remedy,
    )


def of_visit(visit: int, finding: Finding) -> Finding:
    """A finding of one exam, with the visit named; its number from 0."""
    return replace(finding, message=f"Visit {visit + 1}: {finding.message}")


def not_covered(visit: int, share: float) -> Finding:
    """The T1 of a visit ends within the brainstem."""
    return Finding(
        "visit_left_out",
        "error",
        f"Visit {visit + 1} was left out: its T1 shows only {100 * share:.0f} % of the brainstem.",
        "Use a T1 whose field of view holds the brainstem.",
    )


def another_person(visit: int, likeness: float | None) -> Finding:
    """A visit fits no other; None where it could not even be laid on one."""
    how = "no registration" if likeness is None else f"likeness {likeness:.2f} of 1"
    return Finding(
        "visit_of_another_person",
        "error",
        f"Visit {visit + 1} was left out: its brainstem fits that of no other visit ({how}), "
        "as if it were of another person.",
        "Check that all exams are of one person; look for motion in this one.",
    )


def another_scanner(visits: Sequence[int], known: bool = False) -> Finding:
    """Visits differ in scanner or protocol; positions from 0.

    ``known`` where the files say so. Else they only look less alike than visits of one scanner do,
    and so do those of two persons, not all of whom are refused.
    """
    *others, last = (f"Visit {visit + 1}" for visit in visits)
    named = f"{', '.join(others)} and {last}" if others else last
    persons = "" if known else " They may even be of two persons."
    return Finding(
        "scanner_differs",
        "warning",
        f"{named} differ in scanner or contrast, so that no change is given: between two simulated "
        "scanners, change found by comparing visits was further from the truth than that of their "
        f"own segmentations.{persons}",
        ("" if known else "Check that all visits are of one person. ")
        + "Take each visit's own values (measures.tsv of a cohort) and model the scanner, or "
        "compare only visits of one scanner and protocol.",
    )


def error_of_another_model() -> Finding:
    """The measurement error was measured with other weights."""
    return Finding(
        "measurement_error_of_another_model",
        "info",
        "The error of a measurement was found with another model than the one in use.",
        "Measure it anew: python -m training.evaluation.longitudinal_error.",
    )


def underestimated(share: float, se: float) -> Finding:
    """Simulated loss is not found as it is, which intervals and judgements do not know."""
    return Finding(
        "change_underestimated",
        "info",
        f"Of a simulated loss of volume of the medulla, {100 * share:.0f} % was found (standard "
        f"error {100 * se:.0f}). Changes are not corrected by it; their intervals hold scatter "
        "only.",
        "Compare only changes that were found the same way; small structures take part of their "
        "neighbours' change. See docs/results/longitudinal_error.md.",
    )


def error_unknown(reason: str) -> Finding:
    """There is no measurement error to judge by."""
    return Finding(
        "measurement_error_unknown",
        "warning",
        f"Whether a change is beyond measurement error is not said: {reason}.",
        "Install BrainstemALS again, or measure it: "
        "python -m training.evaluation.longitudinal_error.",
    )


def _usage(problem: str, remedy: str) -> BrainstemALSError:
    return BrainstemALSError("visits", problem, remedy, ExitCode.USAGE)
