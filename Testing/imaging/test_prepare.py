"""What preparing decides before anything is fitted."""

from __future__ import annotations

import numpy as np

from BrainstemALSLib.imaging.dwi import Dwi
from BrainstemALSLib.imaging.exam import Exam
from BrainstemALSLib.imaging.prepare import PreparationOptions, prepare
from BrainstemALSLib.imaging.registration import RegistrationOptions
from BrainstemALSLib.imaging.volume import Volume

FEW = np.array([[0, 0, 0], [1, 0, 0], [0, 1, 0], [0, 0, 1]], float)


def prepared(corrected: frozenset[str], unwarp: bool) -> Exam:
    """An exam whose series has too few directions: it ends before the fit."""
    image = np.random.default_rng(0).uniform(100, 200, (20, 20, 20, 4)).astype(np.float32)
    dwi = Dwi(Volume(image, np.eye(4)), np.array([0.0, 1000, 1000, 1000]), FEW, "j", corrected)
    exam = Exam(Volume(image[..., 0], np.eye(4)), dwi=dwi)
    options = PreparationOptions(registration=RegistrationOptions(unwarp=unwarp))
    return prepare(exam, np.array([10.0, 10, 10]), options)


def codes(exam: Exam) -> list[str]:
    return [finding.code for finding in exam.findings]


def test_what_cannot_be_fitted_costs_the_diffusion_alone():
    exam = prepared(frozenset(), unwarp=True)
    assert exam.dwi is None
    assert not exam.has_diffusion
    assert codes(exam) == ["diffusion_not_used"]
    assert exam.alignment is None


def test_distortion_that_topup_took_out_is_not_taken_out_again():
    assert "distortion_corrected_before" in codes(prepared(frozenset({"distortion"}), unwarp=True))
    assert "distortion_corrected_before" not in codes(
        prepared(frozenset({"distortion"}), unwarp=False)
    )
    assert "distortion_corrected_before" not in codes(prepared(frozenset({"motion"}), unwarp=True))
