"""What keeps a fine-tuned network from forgetting: exams like those it learned from before.

A workplace that trains has anatomies (``training.anatomies``). A hospital has not: there a few
simulated patients are drawn from the average anatomy that comes with BrainstemALS.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch

from BrainstemALSLib.errors import BrainstemALSError
from BrainstemALSLib.imaging.volume import Volume
from BrainstemALSLib.phantom.patient import synthetic_patient
from BrainstemALSLib.phantom.sample import sample_anatomy
from BrainstemALSLib.segmentation.preprocess import WINDOW_MM

from ..anatomies import built_cases, data_fingerprint
from ..samples import CaseSampler
from .finetune_data import Lesson, Window

ANATOMIES, PATIENTS, NOTHING = "training anatomies", "simulated patients", "nothing"
COUNT = 3
"""Simulated patients; own choice. Each takes some ten seconds, and is deformed at every step."""
_FIRST_SEED = 101  # not that of the patient in Sample Data, which people measure


@dataclass(frozen=True)
class Replay:
    """Exams to replay.

    Attributes
    ----------
    source : str
        ``ANATOMIES``, ``PATIENTS`` or ``NOTHING``.
    count : int
        How many anatomies or patients.
    draw : callable
        Number to ``Window``.
    fingerprint : str
        Another one when the exams are.
    """

    source: str
    count: int
    draw: Callable[[int], Window]
    fingerprint: str


def find_replay(
    progress: Callable[[float, str], None] = lambda *_: None, count: int = COUNT
) -> Replay:
    """Return the best replay there is here; says with ``progress`` (0-1, text) what it does.

    Parameters
    ----------
    progress : callable
    count : int
        Simulated patients, where there are no anatomies.
    """
    try:
        cases = built_cases(held_out=False)
    except BrainstemALSError:  # not even what anatomies are built from
        cases = []
    if cases:
        sampler = CaseSampler(cases)
        print_ = data_fingerprint(cases)
        return Replay(ANATOMIES, len(cases), lambda number: Window(*sampler(number)), print_)
    return simulated_patients(count, progress=progress)


def simulated_patients(
    count: int = COUNT,
    window: tuple[int, int, int] = WINDOW_MM,
    progress: Callable[[float, str], None] = lambda *_: None,
) -> Replay:
    """Return simulated patients drawn from the anatomy that is installed."""
    progress(0.0, "Simulating patients to replay")
    anatomy = sample_anatomy()
    digest = hashlib.sha256(b"simulated patients, 1")
    lessons = []
    for number in range(count):
        patient = synthetic_patient(*anatomy, _FIRST_SEED + number)
        truth = patient.truth
        digest.update(truth.array.tobytes())
        everywhere = Volume(np.ones(truth.shape, np.uint8), truth.affine)
        images = {"t1": patient.t1, "fa": patient.fa, "md": patient.md}
        lessons.append(Lesson(f"simulated-{number}", images, truth, everywhere))
        progress((number + 1) / count, "Simulating patients to replay")

    def draw(number: int) -> Window:
        generator = torch.Generator().manual_seed(number)
        which = int(torch.randint(count, (), generator=generator))
        return lessons[which].draw(number, window)

    return Replay(PATIENTS, count, draw, digest.hexdigest())


def no_replay() -> Replay:
    """Return a replay for a share of 0."""

    def draw(number: int) -> Window:
        raise RuntimeError("nothing is replayed")

    return Replay(NOTHING, 0, draw, "")
