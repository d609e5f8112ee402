"""Prepares the diffusion of an exam: series to maps, maps onto the T1. The one way to both.

What goes wrong here costs the diffusion, never the exam: the T1 goes on alone, and a finding says
why.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace

import numpy as np

from ..errors import BrainstemALSError
from .diffusion.process import DiffusionOptions, process_dwi
from .dwi import TensorMaps, not_used
from .exam import Exam
from .finding import Finding
from .registration import Alignment, RegistrationOptions, register
from .registration.findings import straightened_before

Progress = Callable[[str, float, str], None]

_MAPS = ("fa", "md", "ad", "rd", "v1")
# Where registration begins in the preparation of a series, from timings on two CPU cores.
_REGISTER = 0.9


@dataclass(frozen=True)
class PreparationOptions:
    """What is done to diffusion before the segmentation.

    Attributes
    ----------
    diffusion : DiffusionOptions
        Of the fit.
    registration : RegistrationOptions
        Of the alignment with the T1.
    register : bool
        False takes the maps where they lie.
    """

    diffusion: DiffusionOptions = field(default_factory=DiffusionOptions)
    registration: RegistrationOptions = field(default_factory=RegistrationOptions)
    register: bool = True


def prepare(
    exam: Exam,
    centre: np.ndarray,
    options: PreparationOptions | None = None,
    progress: Progress | None = None,
) -> Exam:
    """Return the exam with maps that lie on its T1, or without any.

    Parameters
    ----------
    exam : Exam
        As read. Maps that are given win over a series, which is then left aside.
    centre : numpy.ndarray, shape (3,)
        Middle of the brainstem in the T1, RAS mm.
    options : PreparationOptions, optional
    progress : callable, optional
        Called with stage, fraction 0-1 of the preparation and text.

    Returns
    -------
    Exam
        ``dwi`` is None; ``fa``, ``md``, ``ad``, ``rd`` and ``v1`` are there as far as they could be
        made; ``findings``, ``facts`` and ``alignment`` say what happened.
    """
    options = options or PreparationOptions()
    report = progress or (lambda *_: None)
    if not exam.has_diffusion:
        return exam
    chosen = options.registration
    if exam.dwi is not None and not exam.maps:
        # What the user says comes before what the files say.
        axis = chosen.phase_encoding or exam.dwi.phase_encoding
        chosen = replace(chosen, phase_encoding=axis)
        if chosen.unwarp and "distortion" in exam.dwi.corrected:
            chosen = replace(chosen, unwarp=False)
            exam = _noting(exam, straightened_before())
    maps, exam = _fitted(exam, options, report)
    if maps is None or not options.register:
        return exam
    report("register", _REGISTER, "Aligning diffusion with the T1")
    done = register(maps, exam.t1, centre, chosen)
    exam = replace(
        exam,
        findings=(*exam.findings, *done.findings),
        facts={**exam.facts, "registration": done.facts},
        alignment=Alignment(maps, np.asarray(centre), done),
    )
    return _with(exam, done.maps if done.ok else None)


def _fitted(
    exam: Exam, options: PreparationOptions, report: Progress
) -> tuple[TensorMaps | None, Exam]:
    """The maps of an exam, and the exam with them."""
    series, exam = exam.dwi, replace(exam, dwi=None)
    if exam.maps:
        if series is not None:
            exam = _noting(exam, _left_aside())
        return TensorMaps(**{name: getattr(exam, name) for name in _MAPS}), exam

    def inner(stage: str, fraction: float, text: str) -> None:
        report(stage, _REGISTER * fraction, text)

    try:
        maps = process_dwi(series, options.diffusion, inner)
    except BrainstemALSError as refusal:
        return None, _noting(exam, *series.findings, not_used(refusal))
    exam = replace(_noting(exam, *maps.findings), facts={**exam.facts, "diffusion": maps.facts})
    return maps, _with(exam, maps)


def _with(exam: Exam, maps: TensorMaps | None) -> Exam:
    maps = maps or TensorMaps()
    return replace(exam, **{name: getattr(maps, name) for name in _MAPS})


def _noting(exam: Exam, *findings: Finding) -> Exam:
    return replace(exam, findings=(*exam.findings, *findings))


def _left_aside() -> Finding:
    return Finding(
        "dwi_left_aside",
        "info",
        "The diffusion series was not fitted, because maps were given with it.",
        "Give the series alone to have it fitted.",
    )
