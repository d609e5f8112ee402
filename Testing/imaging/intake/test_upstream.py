"""What was done before is recognised by what programs leave behind."""

from __future__ import annotations

import json

import numpy as np
import pytest

from BrainstemALSLib.imaging.diffusion.gradients import ras_to_fsl
from BrainstemALSLib.imaging.intake.nifti_dwi import read_dwi
from BrainstemALSLib.imaging.intake.upstream import steps_in

from .conftest import write_series
from .test_nifti_dwi import affine, write_gradients


@pytest.mark.parametrize(
    ("text", "steps"),
    [
        ("dwi", set()),
        ("sub-01_dwi", set()),
        ("teddy_dwi", set()),
        ("data_eddy", {"motion"}),
        ("eddy_corrected_data", {"motion"}),
        ("dwi_topup_eddy", {"motion", "distortion"}),
        ("dwi_denoised_unringed", {"denoising", "gibbs"}),
        ("sub-01_desc-preproc_dwi", {"denoising", "gibbs", "motion"}),
        ("dwidenoise a.mif b.mif", {"denoising"}),
        ("mrdegibbs a.mif b.mif", {"gibbs"}),
        ("dwifslpreproc a b -rpe_none -pe_dir ap", {"motion"}),
        ("dwifslpreproc a b -rpe_all", {"motion", "distortion"}),
        ("dwipreproc a b -rpe_pair", {"motion", "distortion"}),
    ],
)
def test_words(text, steps):
    assert steps_in(text) == steps


@pytest.fixture
def write(tmp_path, gradients):
    """Give a function that writes a series under a name."""

    def write_named(stem):
        path = write_series(tmp_path, affine(), name=f"{stem}.nii.gz")
        write_gradients(tmp_path, gradients.bvals, ras_to_fsl(gradients.bvecs, affine()), stem)
        return path

    return write_named


def test_name_of_the_image(write):
    assert read_dwi(write("sub-01_desc-preproc_dwi")).corrected == {
        "denoising",
        "gibbs",
        "motion",
    }


def test_rotated_directions_of_eddy_are_taken(write, tmp_path, gradients):
    path = write("data")
    turned = gradients.bvecs[:, [1, 2, 0]]
    np.savetxt(tmp_path / "data.eddy_rotated_bvecs", ras_to_fsl(turned, affine()).T)
    found = read_dwi(path)
    assert found.corrected == {"motion"}
    assert np.allclose(found.bvecs, turned, atol=1e-6)


def test_command_of_eddy(write, tmp_path):
    path = write("data")
    (tmp_path / "data.eddy_command_txt").write_text("eddy_openmp --imain=a --topup=b --out=data")
    assert read_dwi(path).corrected == {"motion", "distortion"}


def test_history_of_mrtrix(write, tmp_path):
    path = write("data")
    history = ["dwidenoise a b  (version=3)", "dwifslpreproc b c -rpe_none  (version=3)"]
    (tmp_path / "data.json").write_text(json.dumps({"command_history": history}))
    assert read_dwi(path).corrected == {"denoising", "motion"}


def test_a_folder_says_nothing(tmp_path, gradients):
    path = write_series(tmp_path / "eddy_corrected", affine())
    write_gradients(path.parent, gradients.bvals, ras_to_fsl(gradients.bvecs, affine()))
    assert read_dwi(path).corrected == frozenset()
