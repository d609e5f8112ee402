"""The small hospital of the tuning study: one scanner, one expert, exams with a known truth.

Its T1s are softer along the body and noisier than most that training drew: three slices run into
each other, as where a scanner interpolates thick ones. All its figures are our own choices.
"""

from __future__ import annotations

import dataclasses
import hashlib
from collections.abc import Collection, Iterator
from pathlib import Path

from scipy import ndimage

from BrainstemALSLib.annotation import Approval, BoxGrid, CaseStore
from BrainstemALSLib.imaging.exam import Exam
from BrainstemALSLib.imaging.volume import Volume
from BrainstemALSLib.segmentation.segmenter import Segmenter

from ..evaluation import adapter
from ..evaluation.regrid import rician_noise
from .experts import Expert
from .frozen_set import is_set_aside
from .gate_scores import SIMULATED, ValidationCase

SLICES, NOISE = 3, 0.05
"""Slices that run into each other, and noise as a share of the T1's 99th percentile."""
SEEDS = {"corrected": 51_000, "site": 52_000, "elsewhere": 53_000}
"""First seed of the images of each kind of exam."""


def site_exam(case: str, seed: int) -> tuple[Exam, Volume]:
    """Draw an exam of an anatomy as the hospital's scanner shows it, and its truth.

    Parameters
    ----------
    case : str
        Name of an anatomy.
    seed : int
    """
    exam, truth = adapter.simulate(case, seed)
    # The third axis of a simulated exam runs along the body.
    soft = ndimage.uniform_filter1d(exam.t1.array, SLICES, axis=2, mode="nearest")
    t1 = rician_noise(Volume(soft, exam.t1.affine), seed, NOISE)
    return dataclasses.replace(adapter.without_directions(exam), t1=t1), truth


def fill_store(
    root: Path,
    cases: list[str],
    segmenter: Segmenter,
    profile: str,
    keys: Collection[str] | None,
    seed: int,
) -> tuple[CaseStore, float]:
    """Let the expert correct one exam of each anatomy; return the store and the minutes spent.

    Parameters
    ----------
    root : Path
        Folder of a new store.
    cases : list of str
        Names of anatomies.
    segmenter : Segmenter
        Whose drawing the expert starts from.
    profile : str
        Of the expert.
    keys : collection of str or None
        Structures that are corrected; only what is changed in them is vouched for. All of the exam
        where None.
    seed : int
        Of the expert, and of the images.
    """
    store, expert, spent = CaseStore(root), Expert(profile, seed), 0.0
    codes = _codes()
    for number, case in enumerate(cases):
        exam, truth = site_exam(case, SEEDS["corrected"] + 1000 * seed + number)
        prediction = segmenter.segment(exam).labels
        opinion = expert.correct(prediction, truth, number, (), keys)
        store.approve(
            Approval(
                images={"t1": exam.t1, **exam.maps},
                prediction=prediction,
                correction=opinion.correction,
                grid=BoxGrid(exam.t1.shape, exam.t1.affine, (0, 0, 0)),
                exam_key=hashlib.sha256(f"{case} {seed}".encode()).hexdigest(),
                subject=next(codes),
                annotator="R-01",
                model=segmenter.identity,
                keys=segmenter.keys,
                seconds_spent=60 * opinion.minutes,
                approved_all=keys is None,
            )
        )
        spent += opinion.minutes
    return store, spent


def judged_exams(cases: list[str], seed: int) -> Iterator[tuple[str, ValidationCase]]:
    """Yield exams to judge by: of the hospital's scanner (``site``), and of any (``elsewhere``)."""
    for number, case in enumerate(cases):
        for where, draw in (("site", site_exam), ("elsewhere", adapter.simulate)):
            exam, truth = draw(case, SEEDS[where] + 1000 * seed + number)
            yield where, ValidationCase(f"{case}, {where}", case, SIMULATED, truth, exam)


def _codes() -> Iterator[str]:
    """Codes of subjects that are learned from, and not set aside to judge by."""
    number = 0
    while True:
        number += 1
        if not is_set_aside(f"SIM-{number:03d}"):
            yield f"SIM-{number:03d}"
