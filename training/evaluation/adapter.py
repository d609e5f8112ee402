"""The only file of the evaluation that calls the rooms it measures: cases, images, segmenter."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from BrainstemALSLib.errors import BrainstemALSError, ExitCode
from BrainstemALSLib.imaging.volume import Volume

if TYPE_CHECKING:
    from BrainstemALSLib.imaging.exam import Exam
    from BrainstemALSLib.segmentation.models import ModelFile
    from BrainstemALSLib.segmentation.result import Segmentation


def held_out(count: int) -> list[str]:
    """Return the names of held-out anatomies, spread evenly over all there are.

    Raises
    ------
    BrainstemALSError
        No anatomy is built.
    """
    from training.anatomies import built_cases

    cases = built_cases(held_out=True)
    if not cases:
        raise BrainstemALSError(
            "anatomies",
            "no held-out anatomy is built",
            "Run `python -m training.atlas` and then `python -m training.anatomies`.",
            ExitCode.USAGE,
        )
    if count >= len(cases):
        return cases
    return [cases[i] for i in np.linspace(0, len(cases) - 1, count).round().astype(int)]


def simulate(case: str, seed: int) -> tuple[Exam, Volume]:
    """Draw images of one anatomy.

    Parameters
    ----------
    case : str
        Name of an anatomy.
    seed : int
        Of the images; the same seed draws the same images.

    Returns
    -------
    (Exam, Volume)
        T1, FA and MD, and the true labels (``Structure.index`` only) on the grid of the T1.
    """
    exam, truth, _ = simulate_with_mask(case, seed)
    return exam, truth


def simulate_with_mask(case: str, seed: int) -> tuple[Exam, Volume, np.ndarray]:
    """Like ``simulate``, with the true brain mask (bool, (i, j, k)) for methods that need one."""
    from .simulate import simulate_exam

    return simulate_exam(anatomy(case), seed)


def anatomy(case: str) -> Volume:
    """Return the labels (uint8, ``training.labels``) of one anatomy."""
    from training.anatomies import load_anatomy

    return load_anatomy(case)


def fingerprint(case: str) -> str:
    """SHA-256 of one anatomy as it is built."""
    from training.anatomies import data_fingerprint

    return data_fingerprint([case])


def t1_only(exam: Exam) -> Exam:
    """Return the exam without its diffusion maps."""
    return dataclasses.replace(exam, fa=None, md=None, v1=None)


def without_directions(exam: Exam) -> Exam:
    """Return the exam without V1."""
    return dataclasses.replace(exam, v1=None)


def read_t1(path: Path) -> Exam:
    """Read a T1 file as an exam."""
    from BrainstemALSLib.imaging.exam import read_exam

    return read_exam(path)


def exam_of(t1: Volume) -> Exam:
    """Return a T1 in memory as an exam."""
    from BrainstemALSLib.imaging.exam import Exam

    return Exam(t1=t1, names={"t1": "T1"})


def segmenter(device: str = "cpu", model_dir: Path | None = None, **settings: object):
    """Return the segmenter under test: with the settings of ``Segmenter``, else as users get it.

    Without a folder it is the bundled model's, whichever version this user has put into use.
    """
    from BrainstemALSLib.assets import asset_path
    from BrainstemALSLib.segmentation.segmenter import Segmenter

    return Segmenter(device=device, model_dir=model_dir or asset_path("Models"), **settings)


def model_files(model_dir: Path | None = None) -> dict[str, ModelFile]:
    """Return the checked files behind a segmenter, without loading their networks."""
    from BrainstemALSLib.segmentation.models import LOCATOR, STRUCTURES, find_model

    return {name: find_model(name, model_dir) for name in (LOCATOR, STRUCTURES)}


def volumes_mm3(segmentation: Segmentation) -> dict[str, float]:
    """Return the volume of every structure and composite from probabilities, in mm3."""
    from BrainstemALSLib.measurement.volumes import structure_volumes

    return {
        row.key: row.volume_soft_mm3
        for row in structure_volumes(segmentation)
        if row.volume_soft_mm3 is not None
    }
