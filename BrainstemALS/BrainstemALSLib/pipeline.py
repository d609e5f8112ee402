"""Exam to result: the one path that every front end walks."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from .errors import BrainstemALSError, ExitCode
from .imaging.exam import Exam, read_exam
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

Progress = Callable[[str, float, str], None]
"""Called with a stage's name, the fraction of the whole run that is done (0-1), and a sentence."""

# Where the stages begin in the whole run, from timings on two CPU cores. Reading and writing weigh
# more on a GPU, where the bar then moves unevenly; it never moves back.
_SEGMENT, _MEASURE, _WRITE = 0.05, 0.85, 0.88


class CanSegment(Protocol):
    """What the pipeline needs of a segmenter; ``segmentation.segmenter.Segmenter`` is the one."""

    def segment(self, exam: Exam, progress: Progress | None = None) -> Segmentation:
        """Segment an exam; ``progress`` gets the fraction of the segmentation."""
        ...


@dataclass(frozen=True, eq=False)
class ExamResult:
    """What the pipeline found out about one exam.

    Attributes
    ----------
    exam : Exam
        The images as read.
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


def run_exam(exam: Exam, segmenter: CanSegment, progress: Progress | None = None) -> ExamResult:
    """Segment and measure one exam.

    Parameters
    ----------
    exam : Exam
        As ``imaging.exam.read_exam`` returns it.
    segmenter : CanSegment
        Kept by the caller, so that its models are loaded once for many exams.
    progress : callable, optional
        See ``Progress``.

    Raises
    ------
    BrainstemALSError
        NO_BRAINSTEM, or what the segmenter refuses.
    """
    report = progress or _silent
    started = time.perf_counter()

    def inner(stage: str, fraction: float, text: str) -> None:
        report(stage, _SEGMENT + (_MEASURE - _SEGMENT) * min(max(fraction, 0.0), 1.0), text)

    inner("segment", 0.0, "Segmenting")
    segmentation = segmenter.segment(exam, progress=inner)
    segmented = time.perf_counter()
    report("measure", _MEASURE, "Measuring")
    measures = measure(segmentation, exam.t1)
    timings = {"segment": segmented - started, "measure": time.perf_counter() - segmented}
    return ExamResult(exam, segmentation, measures, timings)


def segment_to_folder(
    out_dir: str | Path,
    t1: str | Path,
    segmenter: CanSegment,
    *,
    fa: str | Path | None = None,
    md: str | Path | None = None,
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
    t1, fa, md : str or Path
        Images of one patient.
    segmenter : CanSegment
        See ``run_exam``.
    stem : str, optional
        Beginning of every file name, see ``chosen_stem``; made from the name of the T1 when left
        out. With it, the names of the inputs are written nowhere; their checksums are.
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
    out_dir = Path(out_dir)
    renamed = stem is not None
    stem = derivative_stem(Path(t1).name) if stem is None else chosen_stem(stem)
    names = derivative_names(stem)
    with staged_output(out_dir, names, overwrite, shared=(DATASET_DESCRIPTION,)) as staged:
        report("read", 0.0, "Reading the images")
        started = time.perf_counter()
        exam = read_exam(t1, fa=fa, md=md)
        reading = time.perf_counter() - started
        if overwrite and not replace_other:
            _refuse_results_of_another(out_dir, stem, exam)
        result = run_exam(exam, segmenter, progress)
        report("write", _WRITE, "Writing the results")
        provenance = Provenance(
            inputs=tuple(
                # Who chose a name for the results may have had a reason not to show the other.
                InputFile(role, None if renamed else name, exam.checksums[role])
                for role, name in exam.names.items()
            ),
            options=dict(options or {}),
            timings={"read": reading, **result.timings},
        )
        written = write_derivatives(
            staged, stem, exam.t1, result.segmentation, result.measures, provenance
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
            exam.names["t1"],
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
