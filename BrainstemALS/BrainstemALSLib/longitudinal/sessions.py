"""Longitudinal processing of a subject's sessions: from images on disk to tables on disk."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from ..errors import BrainstemALSError
from ..imaging.exam import Exam, exam_from_source
from ..imaging.finding import Finding
from ..imaging.intake import open_source
from ..imaging.prepare import PreparationOptions, prepare
from . import findings
from .process import CanSegment, Progress, process_visits
from .result import LongitudinalResult
from .writing import write_longitudinal


@dataclass(frozen=True)
class Session:
    """One visit on disk.

    Attributes
    ----------
    source : Path
        T1, DICOM folder, or BIDS subject or session.
    months : float
    choices : mapping
        What else ``intake.open_source`` takes: ``session``, ``fa``, ``md``, ``dwi`` and so on.
    scanner : str or None
        Scanner or site, where it is known.
    """

    source: Path
    months: float
    choices: Mapping[str, object] = field(default_factory=dict)
    scanner: str | None = None


def process_sessions(
    sessions: Sequence[Session],
    segmenter: CanSegment,
    folder: Path,
    *,
    overwrite: bool = False,
    simulated: bool = False,
    stem: str | None = None,
    preparation: PreparationOptions | None = None,
    progress: Progress | None = None,
) -> LongitudinalResult:
    """Read a subject's sessions, process them together and write ``longitudinal.tsv``.

    A session that cannot be read is left out with a finding. Its diffusion is prepared as soon as
    it is read, so that one series at a time is in memory.

    Parameters
    ----------
    sessions : sequence of Session
        Two or more.
    segmenter : CanSegment
        Kept by the caller.
    folder : Path
        See ``writing.write_longitudinal``.
    overwrite, simulated, stem
        As there.
    preparation, progress
        As for ``process_visits``.

    Returns
    -------
    LongitudinalResult
        Visits are numbered as the sessions.

    Raises
    ------
    BrainstemALSError
        What ``process_visits`` refuses, and OUTPUT_REFUSED.
    """
    findings.refuse_months(len(sessions), [session.months for session in sessions])
    exams: dict[int, Exam] = {}
    unread: list[Finding] = []
    for number, session in enumerate(sessions):
        try:
            exam = exam_from_source(open_source(session.source, **session.choices))
            if exam.has_diffusion:
                exam = prepare(exam, segmenter.locate(exam).centre, preparation)
            exams[number] = exam
        except BrainstemALSError as refusal:
            unread.append(findings.unreadable(number, refusal))
    if len(exams) < 2:
        raise findings.too_few(len(exams), unread)
    read = list(exams)
    result = process_visits(
        list(exams.values()),
        [sessions[number].months for number in read],
        segmenter,
        scanners=[sessions[number].scanner for number in read],
        preparation=PreparationOptions(register=False),
        numbers=read,
        progress=progress,
    )
    result = replace(
        result,
        findings=(*unread, *result.findings),
        left_out=tuple(sorted((*result.left_out, *(set(range(len(sessions))) - set(read))))),
    )
    write_longitudinal(result, folder, overwrite, simulated, stem)
    return result
