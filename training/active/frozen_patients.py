"""Simulated patients for a validation set, where no anatomies are built: all of one anatomy.

A hospital has what is installed: the average anatomy of the simulated patient in Sample Data. Each
patient here is that anatomy with another random shape, loss and contrast. Such exams can show that
a model does harm; they cannot stand for subjects, and ``gate`` does not take them for any.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from BrainstemALSLib.assets import asset_path
from BrainstemALSLib.imaging.exam import Exam
from BrainstemALSLib.imaging.volume import Volume
from BrainstemALSLib.phantom import patient, sample

ANATOMY = "average anatomy"
"""Name of the one subject that they all are."""
COUNT = 4
"""Own choice: each takes some ten seconds, and more of them would know no more of other people."""
_SEED = 20262
_CODE = ("deformation.py", "effects.py", "painting.py", "patient.py", "sample.py")
_ANATOMY_FILES = ("anatomy.json", "labels.nii.gz", "white.nii.gz", "grey.nii.gz")


def seeds() -> tuple[int, ...]:
    """Seeds of the patients: neither those that fine-tuning replays nor that of Sample Data."""
    return tuple(
        10_000 + int(np.random.SeedSequence([_SEED, number]).generate_state(1)[0])
        for number in range(COUNT)
    )


def drawn(seeds: Sequence[int]) -> Iterator[tuple[Exam, Volume]]:
    """Yield the exam of each patient (T1, FA, MD) and its true labels on the grid of the T1.

    Raises
    ------
    BrainstemALSError
        MODEL_UNAVAILABLE: a file of the installation is missing.
    """
    anatomy = sample.sample_anatomy()
    names = {role: role.upper() for role in ("t1", "fa", "md")}
    for seed in seeds:
        made = patient.synthetic_patient(*anatomy, seed)
        yield Exam(made.t1, made.fa, made.md, names=names), made.truth


def truth_sum(truth: Volume) -> str:
    """SHA-256 of labels and where they lie."""
    digest = hashlib.sha256(truth.array.tobytes())
    digest.update(np.asarray(truth.affine, np.float64).round(6).tobytes())
    return digest.hexdigest()


def code_sum() -> str:
    """SHA-256 of the code that draws the patients, whatever its line ends, and of the anatomy."""
    digest = hashlib.sha256()
    for name in _CODE:
        digest.update(Path(patient.__file__).with_name(name).read_text(encoding="utf-8").encode())
    for name in _ANATOMY_FILES:
        digest.update(asset_path(f"Phantom/{name}").read_bytes())
    return digest.hexdigest()
