"""Chooses the visit, the T1 and the diffusion series of a DICOM folder, and says what it took."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from ...errors import BrainstemALSError, ExitCode
from ..finding import Finding
from .dicom_headers import FOLDER
from .dicom_scan import Scan, Series
from .series_rules import DWI, T1, order_dwi, order_t1, rule_for

EXPORT_AGAIN = "Copy or export the whole series again."


def choose_visit(found: Scan, visit: int | None) -> int:
    """Return the place of a visit in ``found.visits``; ``visit`` counts from 1, the earliest.

    Raises
    ------
    BrainstemALSError
        USAGE: several and none chosen, or no such visit.
    """
    count = len(found.visits)
    if visit is None:
        if count == 1:
            return 0
        raise _usage(
            f"this folder holds {count} visits",
            f"Choose one with --visit, from 1 (the earliest) to {count}.",
        )
    if not 1 <= visit <= count:
        raise _usage(f"there is no visit {visit}", f"This folder holds {count}; the first is 1.")
    return visit - 1


def choose_t1(series: Sequence[Series], number: int | None) -> tuple[Series, list[Finding]]:
    """Return the series of a number, or the best T1 by ``series_rules.order_t1``.

    Raises
    ------
    BrainstemALSError
        USAGE: no such number. UNREADABLE_IMAGE: no series is a T1.
    """
    if number is not None:
        return _numbered(series, number, order_t1), []
    found = _of_kind(series, T1, order_t1)
    if not found:
        raise BrainstemALSError(
            FOLDER,
            f"none of its {len(series)} series is a T1-weighted image of the head",
            f"Name it with --t1-series, one of {_numbers(series)}, or give the T1 as a file.",
            ExitCode.UNREADABLE_IMAGE,
        )
    findings = _taken("t1_chosen", "T1", found, "--t1-series")
    if found[0].first.has_contrast:
        findings.append(
            Finding(
                "t1_with_contrast",
                "warning",
                f"The T1 ({found[0].label}) was made with a contrast agent, and no other is there.",
                "Prefer a T1 without: vessels and lesions look different with it.",
            )
        )
    return found[0], findings


def choose_dwi(
    series: Sequence[Series], numbers: Sequence[int] | None
) -> tuple[list[Series], list[Finding]]:
    """Return the series of the numbers, or the best diffusion series; none where there is none.

    Raises
    ------
    BrainstemALSError
        USAGE: no such number.
    """
    if numbers is not None:
        # A number that is given twice means no second series.
        return [_numbered(series, number, order_dwi) for number in dict.fromkeys(numbers)], []
    found = _of_kind(series, DWI, order_dwi)
    return found[:1], _taken("dwi_chosen", "diffusion", found, "--dwi-series")


def limits_of(series: Series) -> list[Finding]:
    """Return what a chosen series lacks and can be used without."""
    findings = []
    if series.n_parts > 1:
        findings.append(
            Finding(
                "series_split",
                "warning",
                f"DICOM {series.label} holds {series.n_parts} kinds of images that do not make one "
                "stack (orientation, size or kind); one of them was taken.",
                "Check that the series was exported as the scanner made it.",
            )
        )
    slices = series.slices
    if slices.n_ends and not series.first.is_mosaic:
        findings.append(
            Finding(
                "slices_missing_at_ends",
                "warning",
                f"{slices.n_ends} of {slices.n_ends + len(slices.places)} slices of DICOM "
                f"{series.label} are missing at its ends; the others were used.",
                EXPORT_AGAIN,
            )
        )
    return findings


def _of_kind(series: Sequence[Series], kind: str, order: Callable[[Series], tuple]) -> list[Series]:
    return sorted((one for one in series if rule_for(one).kind == kind), key=order)


def _numbered(series: Sequence[Series], number: int, order: Callable[[Series], tuple]) -> Series:
    """Return the series of a number, whatever its kind; of several stacks in it, the largest."""
    chosen = [one for one in series if one.number == number]
    if not chosen:
        raise _usage(f"there is no series {number}", f"Its series are {_numbers(series)}.")
    return min(chosen, key=lambda one: (-one.n_images, order(one)))


def _numbers(series: Sequence[Series]) -> str:
    return ", ".join(dict.fromkeys(str(one.number) for one in series))


def _taken(code: str, what: str, found: Sequence[Series], option: str) -> list[Finding]:
    others = dict.fromkeys(str(one.number) for one in found[1:] if one.number != found[0].number)
    if not others:
        return []
    return [
        Finding(
            code,
            "info",
            f"Of {len(others) + 1} {what} series, {found[0].label} was taken "
            f"({rule_for(found[0]).reason}); the others are {', '.join(others)}.",
            f"Choose another one with {option}.",
        )
    ]


def _usage(problem: str, remedy: str) -> BrainstemALSError:
    return BrainstemALSError(FOLDER, problem, remedy, ExitCode.USAGE)
