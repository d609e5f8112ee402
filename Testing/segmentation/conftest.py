"""The bundled models and a real head, loaded once."""

from __future__ import annotations

import pytest

from BrainstemALSLib.cli.icbm import icbm_path
from BrainstemALSLib.imaging.exam import Exam, read_exam
from BrainstemALSLib.segmentation.segmenter import Segmenter


@pytest.fixture(scope="session")
def segmenter() -> Segmenter:
    return Segmenter(device="cpu")


@pytest.fixture(scope="session")
def icbm() -> Exam:
    """Average T1 of 152 people, skull-stripped, 1 mm: real MRI that a package carries."""
    return read_exam(icbm_path("t1"))


@pytest.fixture(scope="session")
def icbm_result(once, segmenter, icbm):
    return once("icbm-result", lambda: segmenter.segment(icbm))
