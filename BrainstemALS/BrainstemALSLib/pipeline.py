"""Exam to result: the one path that every front end walks."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from .errors import BrainstemALSError, ExitCode
from .imaging.exam import Exam, exam_from_source
from .imaging.finding import SEVERITIES, Finding
from .imaging.intake import open_source
from .imaging.intake.dicom_headers import is_dicom_file
from .imaging.prepare import PreparationOptions, prepare
from .imaging.staging import staged_output
from .measurement.measure import Measures, measure
from .report.derivatives import (
    DATASET_DESCRIPTION,
    derivative_names,
    write_dataset_description,
    write_derivatives,
)
from .report.naming import chosen_stem, derivative_name, derivative_stem
from .report.provenance import InputFile, Provenance, t1_checksum
from .segmentation.result import Segmentation

if TYPE_CHECKING:
    from .segmentation.locate import Location

Progress = Callable[[str, float, str], None]
"""Called with a stage's name, the fraction of the whole run that is done (0-1), and a sentence."""

# Where the stages begin in the whole run, from timings on two CPU cores. Reading and writing weigh
# more on a GPU, where the bar then moves unevenly; it never moves back.
_SEGMENT, _MEASURE, _WRITE = 0.05, 0.85, 0.88
# A series takes longer than all the rest together.
_PREPARED = {"none": 0.0, "maps": 0.2, "series": 0.75}


class CanSegment(Protocol):
    """What the pipeline needs of a segmenter; ``segmentation.segmenter.Segmenter`` is the one."""

    @property
    def findings(self) -> tuple[Finding, ...]:
        """Of the models in use: those that were not meant, and what they cannot tell."""
        ...

    def locate(self, exam: Exam) -> Location:
        """Find the brainstem in the T1; asked only where there is diffusion to prepare."""
        ...

    def segment(
        self, exam: Exam, progress: Progress | None = None, place: Location | None = None
    ) -> Segmentation:
        """Segment an exam; ``progress`` gets the fraction of the segmentation.

        ``place`` is what ``locate`` found, where it was asked.
        """
        ...


@dataclass(frozen=True, eq=False)
class ExamResult:
    """What the pipeline found out about one exam.

    Attributes
    ----------
    exam : Exam
        The T1 as read and the diffusion maps as they were used: fitted, and moved onto the T1.
    segmentation : Segmentation
        On the grid of the T1.
    measures : Measures
        Volumes, asymmetries, intracranial volume, quality findings.
    timings : dict
        Seconds by stage, beside those of the segmentation.
    """

    exam: Exam
    segmentation: Segmentation
    measures: Measures
    timings: dict[str, float]


@dataclass(frozen=True, eq=False)
class SavedResult:
    """A result and where it was written.

    Attributes
    ----------
    result : ExamResult
    files : tuple of Path
        In the output folder.
    """

    result: ExamResult
    files: tuple[Path, ...]


def run_exam(
    exam: Exam,
    segmenter: CanSegment,
    progress: Progress | None = None,
    preparation: PreparationOptions | None = None,
) -> ExamResult:
    """Fit and align the diffusion of one exam, segment it and measure it.

    Parameters
    ----------
    exam : Exam
        As read.
    segmenter : CanSegment
        Kept by the caller, so that its models are loaded once for many exams.
    progress : callable, optional
        See ``Progress``.
    preparation : PreparationOptions, optional
        Of the diffusion.

    Raises
    ------
    BrainstemALSError
        NO_BRAINSTEM, or what the segmenter refuses.
    """
    report = progress or _silent
    started = time.perf_counter()
    kind = "none" if not exam.has_diffusion else "maps" if exam.maps else "series"
    middle = _SEGMENT + (_MEASURE - _SEGMENT) * _PREPARED[kind]
    place = None
    if kind != "none":
        report("locate", _SEGMENT, "Looking for the brainstem")
        place = segmenter.locate(exam)
        exam = prepare(exam, place.centre, preparation, _between(report, _SEGMENT, middle))
    prepared = time.perf_counter()
    report("segment", middle, "Segmenting")
    segmentation = segmenter.segment(exam, _between(report, middle, _MEASURE), place)
    segmented = time.perf_counter()
    report("measure", _MEASURE, "Measuring")
    measures = measure(segmentation, exam.t1, exam.maps)
    findings = sorted(
        (*exam.findings, *segmenter.findings, *measures.findings),
        key=lambda finding: SEVERITIES.index(finding.severity),
    )
    timings = {
        "prepare": prepared - started,
        "segment": segmented - prepared,
        "measure": time.perf_counter() - segmented,
    }
    return ExamResult(exam, segmentation, replace(measures, findings=tuple(findings)), timings)


def _between(report: Progress, low: float, high: float) -> Progress:
    """Progress of a part of the run that goes from one fraction of it to another."""

    def inner(stage: str, fraction: float, text: str) -> None:
        report(stage, low + (high - low) * min(max(fraction, 0.0), 1.0), text)

    return inner


def segment_to_folder(
    out_dir: str | Path,
    source: str | Path,
    segmenter: CanSegment,
    *,
    choices: Mapping[str, object] | None = None,
    preparation: PreparationOptions | None = None,
    stem: str | None = None,
    overwrite: bool = False,
    replace_other: bool = False,
    probabilities: bool = True,
    options: Mapping[str, object] | None = None,
    progress: Progress | None = None,
) -> SavedResult:
    """Read an exam, segment and measure it, and write everything; all files or none.

    Parameters
    ----------
    out_dir : str or Path
        Folder for the results; made where it does not exist.
    source : str or Path
        T1, DICOM folder or BIDS subject.
    segmenter : CanSegment
        See ``run_exam``.
    choices : mapping, optional
        What else ``intake.open_source`` takes: ``fa``, ``md``, ``dwi``, ``session`` and so on.
    preparation : PreparationOptions, optional
        Of the diffusion.
    stem : str, optional
        Beginning of every file name, see ``chosen_stem``; made from the name of the T1 or of the
        BIDS subject when left out. With it, the names of the inputs are written nowhere; their
        checksums are.
    overwrite : bool
        Replace earlier results of the same names, where they come from the same T1 (by SHA-256).
    replace_other : bool
        With ``overwrite``, replace results of another T1 too.
    probabilities : bool
        Write the probabilities, the largest of the files.
    options : mapping, optional
        Options of the caller, for the provenance.
    progress : callable, optional
        See ``Progress``.

    Raises
    ------
    BrainstemALSError
        OUTPUT_REFUSED or USAGE (``stem``) before anything is computed; else what reading,
        segmenting and measuring refuse.
    """
    report = progress or _silent
    out_dir, source = Path(out_dir), Path(source)
    renamed = stem is not None
    started = time.perf_counter()
    opened = None
    if renamed:
        stem = chosen_stem(stem)
    elif source.is_dir() or is_dicom_file(source):
        # What lies in a folder says what to call its results; the name of a DICOM file may be
        # that of a patient.
        report("read", 0.0, "Reading the images")
        opened = open_source(source, **(choices or {}))
        stem = derivative_stem(f"{opened.name}_T1w")
    else:
        stem = derivative_stem(source.name)
    names = derivative_names(stem)
    with staged_output(out_dir, names, overwrite, shared=(DATASET_DESCRIPTION,)) as staged:
        report("read", 0.0, "Reading the images")
        exam = exam_from_source(opened or open_source(source, **(choices or {})))
        reading = time.perf_counter() - started
        if overwrite and not replace_other:
            _refuse_results_of_another(out_dir, stem, exam)
        result = run_exam(exam, segmenter, progress, preparation)
        report("write", _WRITE, "Writing the results")
        provenance = Provenance(
            inputs=tuple(
                # Who chose a name for the results may have had a reason not to show the other.
                InputFile(role, None if renamed else exam.names.get(role), checksum)
                for role, checksum in exam.checksums.items()
            ),
            options=dict(options or {}),
            timings={"read": reading, **result.timings},
            person=exam.person,
            facts=result.exam.facts,
        )
        written = write_derivatives(
            staged, stem, result.exam, result.segmentation, result.measures, provenance
        )
        if not probabilities:
            written = _without_probabilities(written)
        written.append(write_dataset_description(staged))
    report("done", 1.0, "Done")
    return SavedResult(result, tuple(out_dir / path.name for path in written))


def _refuse_results_of_another(out_dir: Path, stem: str, exam: Exam) -> None:
    """Two images may give one name: ``a_b.nii`` and ``ab.nii``, or two folders with ``T1.nii``."""
    earlier = t1_checksum(out_dir / derivative_name(stem, "provenance", ".json"))
    if earlier not in (None, exam.checksums["t1"]):
        raise BrainstemALSError(
            exam.names.get("t1", "T1"),
            f"the results named {stem} in the output folder come from another image",
            "Choose another folder (--out) or another name (--stem), or remove them first if they "
            "are not needed.",
            ExitCode.OUTPUT_REFUSED,
        )


def _without_probabilities(written: list[Path]) -> list[Path]:
    dropped = [path for path in written if "_probseg." in path.name]
    for path in dropped:
        path.unlink()
    return [path for path in written if path not in dropped]


def _silent(stage: str, fraction: float, text: str) -> None:
    """Progress that nobody watches."""
