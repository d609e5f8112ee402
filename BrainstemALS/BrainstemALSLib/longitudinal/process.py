"""The one way in: exams of one person's visits to change per year."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import replace
from itertools import pairwise
from typing import Any, Protocol

import numpy as np

from ..errors import BrainstemALSError
from ..imaging.exam import Exam
from ..imaging.finding import SEVERITIES, Finding
from ..imaging.prepare import PreparationOptions, prepare
from ..segmentation.result import Segmentation
from . import findings
from .change import annual_change
from .error import MeasurementError, load_measurement_error
from .joining import Joined, Visit, join
from .measuring import measured
from .result import UNITS, Change, LongitudinalResult, VisitValue

Progress = Callable[[str, float, str], None]
_PREPARED, _JOINED = 0.4, 0.8


class CanSegment(Protocol):
    """What is needed of a segmenter; ``pipeline.CanSegment`` is more than that."""

    def locate(self, exam: Exam) -> Any:
        """Return where the brainstem is: a dataclass with ``centre``, RAS mm."""
        ...

    def segment(self, exam: Exam, progress: Any = None, place: Any = None) -> Segmentation:
        """Segment an exam whose brainstem is at ``place``."""
        ...


def process_visits(
    exams: Sequence[Exam],
    months: Sequence[float],
    segmenter: CanSegment,
    *,
    numbers: Sequence[int] | None = None,
    scanners: Sequence[str | None] | None = None,
    preparation: PreparationOptions | None = None,
    error: MeasurementError | None = None,
    progress: Progress | None = None,
) -> LongitudinalResult:
    """Measure the change of one person's brainstem over two or more visits.

    No visit is the reference: all are resampled once, to the space halfway between them; the
    network sees only their median, whose labels all visits share; volumes follow from how each
    visit's shape differs from the mean shape. The result does not depend on the order of visits,
    and exchanging the times of two visits negates their change exactly.

    Parameters
    ----------
    exams : sequence of Exam
        As read, one per visit.
    months : sequence of float
        Time of each, from any origin.
    segmenter : CanSegment
        Kept by the caller.
    numbers : sequence of int, optional
        What to call the visits, from 0, where some of a person's are not among the exams.
    scanners : sequence of str or None, optional
        Scanner or protocol of each visit, where it is known: where names differ no change is
        given, and the same where contrast differs.
    preparation : PreparationOptions, optional
        Of the diffusion.
    error : MeasurementError, optional
        Instead of the one that comes along.
    progress : callable, optional
        Called with stage, fraction 0-1 and text.

    Raises
    ------
    BrainstemALSError
        USAGE: fewer than two exams, two on one date, one image twice, times that do not fit.
        UNSUITABLE_IMAGE, MISMATCHED_IMAGES: fewer than two visits show one brainstem. A single
        visit that cannot be used is left out with a finding.
    """
    report = progress or (lambda *_: None)
    findings.refuse_months(len(exams), months)
    numbers = list(range(len(exams)) if numbers is None else numbers)
    scanners = [None] * len(exams) if scanners is None else list(scanners)
    if not len(numbers) == len(scanners) == len(exams):
        raise ValueError("one number and one scanner for each exam, or none at all")
    noted: list[Finding] = []
    visits = []
    order = _order(exams, numbers)
    for step, position in enumerate(order):
        exam, number = exams[position], numbers[position]
        report("prepare", _PREPARED * step / len(order), f"Preparing visit {number + 1}")
        try:
            place = segmenter.locate(exam)
        except BrainstemALSError as refusal:
            noted.append(findings.unreadable(number, refusal))
            continue
        if exam.has_diffusion:
            exam = prepare(exam, place.centre, preparation)
        noted += [findings.of_visit(number, finding) for finding in exam.findings]
        visits.append(Visit(number, float(months[position]), exam, place, scanners[position]))
    if len(visits) < 2:
        raise findings.too_few(len(visits), noted)
    report("join", _PREPARED, "Laying the visits on each other")
    joined = join(visits, segmenter)
    noted += joined.findings
    report("measure", _JOINED, "Comparing their shapes")
    values = measured(joined)
    one_scanner, doubts = _one_scanner(joined)
    noted += doubts
    if one_scanner:
        error, doubts = _usable_error(joined, error)
        noted += doubts
    used = [visit.number for visit in joined.visits]
    changes = changes_of(values, used, error if one_scanner else None)
    if not one_scanner:
        changes = tuple(replace(change, change_per_year=None) for change in changes)
    report("done", 1.0, "Done")
    return LongitudinalResult(
        changes=changes,
        values=values,
        findings=tuple(sorted(noted, key=lambda f: SEVERITIES.index(f.severity))),
        left_out=tuple(sorted(set(numbers) - set(used))),
        template=joined.template.t1,
        segmentation=joined.segmentation,
        facts={
            "months": dict(zip(numbers, map(float, months), strict=True)),
            "registration_residual_mm": joined.residual_mm,
            "likeness": joined.likeness,
            "model": joined.segmentation.model,
            "measurement_error": dict(error.about) if error and one_scanner else None,
        },
        one_scanner=one_scanner,
    )


def _order(exams: Sequence[Exam], numbers: Sequence[int]) -> list[int]:
    """Positions of exams by what they hold, so that sums are taken in one order."""
    digests = [_digest(exam) for exam in exams]
    order = sorted(range(len(exams)), key=lambda position: digests[position])
    for first, second in pairwise(order):
        if digests[first] == digests[second]:
            raise findings.refuse_twice(numbers[first], numbers[second])
    return order


def _digest(exam: Exam) -> str:
    return hashlib.sha256(np.ascontiguousarray(exam.t1.array).tobytes()).hexdigest()


def _one_scanner(joined: Joined) -> tuple[bool, list[Finding]]:
    """Whether visits can be compared, and what ``join`` has not said of it yet."""
    if not joined.one_contrast:
        return False, []
    if len({visit.scanner for visit in joined.visits if visit.scanner is not None}) > 1:
        named = sorted(visit.number for visit in joined.visits)
        return False, [findings.another_scanner(named, known=True)]
    return True, []


def _usable_error(
    joined: Joined, error: MeasurementError | None
) -> tuple[MeasurementError | None, list[Finding]]:
    """The measurement error, and what there is to say of it."""
    try:
        error = error or load_measurement_error()
    except BrainstemALSError as refusal:
        return None, [findings.error_unknown(refusal.problem)]
    noted = [findings.underestimated(*error.found_share)] if error.found_share else []
    used = joined.segmentation.model.get("structures", {}).get("sha256")
    if used is not None and error.about.get("model") not in (None, used):
        noted.append(findings.error_of_another_model())
    return error, noted


def changes_of(
    values: Sequence[VisitValue], order: Sequence[int], error: MeasurementError | None
) -> tuple[Change, ...]:
    """Return one change per structure and measure that two or more visits have.

    Parameters
    ----------
    values : sequence of VisitValue
    order : sequence of int
        Visits in the order in which sums are taken.
    error : MeasurementError or None
        None where it does not hold for these visits.
    """
    series: dict[tuple[str, str], list[VisitValue]] = {}
    for value in sorted(values, key=lambda v: order.index(v.visit)):
        series.setdefault((value.structure, value.measure), []).append(value)
    by_measure = sorted(series.items(), key=lambda item: list(UNITS).index(item[0][1]))
    return tuple(
        annual_change(*key, [v.months for v in rows], [v.value for v in rows], error)
        for key, rows in by_measure
        if len(rows) >= 2
    )
