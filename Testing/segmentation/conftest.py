"""The bundled models and a real head, loaded once."""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path

import pytest

from BrainstemALSLib.imaging.exam import Exam, read_exam
from BrainstemALSLib.segmentation.segmenter import Segmenter

ICBM_T1 = "datasets/data/mni_icbm152_t1_tal_nlin_sym_09a_converted.nii.gz"


@pytest.fixture(scope="session")
def segmenter() -> Segmenter:
    return Segmenter(device="cpu")


@pytest.fixture(scope="session")
def icbm() -> Exam:
    """Average T1 of 152 people, skull-stripped, 1 mm: real MRI that a package carries."""
    return read_exam(Path(str(files("nilearn") / ICBM_T1)))


@pytest.fixture(scope="session")
def icbm_result(segmenter, icbm):
    return segmenter.segment(icbm)
