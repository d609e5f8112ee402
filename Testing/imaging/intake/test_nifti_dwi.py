"""NIfTI with bval and bvec: every way that the files are written, and every way they are wrong."""

from __future__ import annotations

import json
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from BrainstemALSLib.errors import BrainstemALSError, ExitCode
from BrainstemALSLib.imaging.diffusion.gradients import ras_to_fsl
from BrainstemALSLib.imaging.intake.nifti_dwi import read_dwi

from .conftest import codes, write_series

TURN = Rotation.from_euler("xyz", (12, -8, 20), degrees=True).as_matrix()
REAL = Path(__file__).parents[4] / "shared" / "data" / "images" / "t1-uih-132225"


def affine(mirrored: bool = True) -> np.ndarray:
    matrix = np.eye(4)
    matrix[:3, :3] = TURN @ np.diag([-3.0 if mirrored else 3.0, 3.5, 4.0])
    matrix[:3, 3] = (30, -40, -20)
    return matrix


def write_gradients(folder: Path, bvals, bvecs, stem: str = "dwi") -> None:
    """Write bvals, shape (n,), and bvecs, shape (n, 3), as FSL does."""
    np.savetxt(folder / f"{stem}.bval", np.atleast_2d(bvals), fmt="%g")
    np.savetxt(folder / f"{stem}.bvec", np.asarray(bvecs).T, fmt="%.6f")


@pytest.fixture
def series(tmp_path, gradients) -> Path:
    """A series with its gradient files."""
    path = write_series(tmp_path, affine())
    write_gradients(tmp_path, gradients.bvals, ras_to_fsl(gradients.bvecs, affine()))
    return path


def refused(path, **files) -> BrainstemALSError:
    with pytest.raises(BrainstemALSError) as caught:
        read_dwi(path, **files)
    return caught.value


@pytest.mark.parametrize("mirrored", [True, False])
def test_directions_in_ras(mirrored, tmp_path, gradients):
    path = write_series(tmp_path, affine(mirrored))
    # FSL's frame, spelled out: the axes of the image, the first reversed where they are
    # right-handed.
    table = gradients.bvecs @ (affine(mirrored)[:3, :3] / (3.0, 3.5, 4.0))
    if not mirrored:
        table[:, 0] *= -1
    write_gradients(tmp_path, gradients.bvals, table)
    found = read_dwi(path)
    assert np.allclose(found.bvecs, gradients.bvecs, atol=1e-5)
    assert np.allclose(found.bvals, gradients.bvals)


def test_voxels_and_grid(series):
    found = read_dwi(series)
    stored = nib.load(series)
    assert np.allclose(found.volume.array, stored.get_fdata(), atol=1e-3)
    assert found.volume.array.dtype == np.float32
    assert np.allclose(found.volume.affine, stored.affine, atol=1e-4)
    assert found.phase_encoding is None
    assert found.corrected == frozenset()
    assert found.findings == ()


def test_columns_instead_of_rows(series, tmp_path, gradients):
    expected = read_dwi(series).bvecs
    np.savetxt(tmp_path / "dwi.bval", gradients.bvals[:, None], fmt="%g")
    np.savetxt(tmp_path / "dwi.bvec", np.loadtxt(tmp_path / "dwi.bvec").T, fmt="%.6f")
    found = read_dwi(series)
    assert np.array_equal(found.bvecs, expected)
    assert codes(found.findings) == {"bvec_transposed"}


def test_three_volumes_are_read_as_fsl_writes_them(tmp_path, gradients):
    path = write_series(tmp_path, affine(), n=3)
    table = ras_to_fsl(gradients.bvecs[:3], affine())
    write_gradients(tmp_path, gradients.bvals[:3], table)
    found = read_dwi(path)
    assert np.allclose(found.bvecs, gradients.bvecs[:3], atol=1e-5)
    assert found.findings == ()


@pytest.mark.parametrize("names", [("bvals", "bvecs"), ("dwi.bvals", "dwi.bvecs")])
def test_other_names_of_the_files(names, series, tmp_path):
    for old, new in zip(("dwi.bval", "dwi.bvec"), names, strict=True):
        (tmp_path / old).rename(tmp_path / new)
    assert read_dwi(series).bvecs.any()


def test_files_that_are_named_are_taken(series, tmp_path, gradients):
    other = tmp_path / "other"
    other.mkdir()
    write_gradients(other, 2 * gradients.bvals, ras_to_fsl(gradients.bvecs, affine()), "x")
    found = read_dwi(series, bval=other / "x.bval", bvec=other / "x.bvec")
    assert found.bvals.max() == 2000


def test_unweighted_volumes_have_no_direction(series, tmp_path, gradients):
    table = ras_to_fsl(gradients.bvecs, affine())
    table[0] = (0.3, 0.4, np.nan)
    write_gradients(tmp_path, [5.0, *gradients.bvals[1:]], table)
    assert not read_dwi(series).bvecs[0].any()


def test_rounded_lengths_become_one(series, tmp_path, gradients):
    np.savetxt(tmp_path / "dwi.bvec", np.loadtxt(tmp_path / "dwi.bvec"), fmt="%.2f")
    lengths = np.linalg.norm(read_dwi(series).bvecs[1:], axis=1)
    assert np.allclose(lengths, 1.0, atol=1e-12)


@pytest.mark.parametrize("key", ["PhaseEncodingDirection", "PhaseEncodingAxis"])
def test_phase_encoding(key, series, tmp_path):
    (tmp_path / "dwi.json").write_text(json.dumps({key: "j-", "PatientName": "Doe"}))
    assert read_dwi(series).phase_encoding == "j-"


@pytest.mark.parametrize("text", ["{", "[]", '{"PhaseEncodingDirection": "up"}', "[" * 100000])
def test_a_sidecar_that_says_nothing_is_not_missed(text, series, tmp_path):
    (tmp_path / "dwi.json").write_text(text)
    assert read_dwi(series).phase_encoding is None


@pytest.mark.parametrize("kind", ["bval", "bvec"])
def test_missing_gradient_file(kind, series, tmp_path):
    (tmp_path / f"dwi.{kind}").unlink()
    refusal = refused(series)
    assert refusal.subject == "dwi.nii.gz"
    assert f"no {kind} file" in refusal.problem
    assert refusal.code == ExitCode.UNSUITABLE_DIFFUSION


@pytest.mark.parametrize(
    ("kind", "content", "said"),
    [
        ("bval", "0 1000 1000", "has 3 b-values, but the image has 8 volumes"),
        ("bval", "0 1000 1000 1000 a 1000 1000 1000", "other than numbers"),
        ("bval", "0 1000 1000 1000 -5 1000 1000 1000", "below 0"),
        ("bval", "0 1000 1000 1000 nan 1000 1000 1000", "not numbers"),
        ("bval", "", "is empty"),
        ("bval", "0 1 2 3\n4 5 6 7", "2 rows of 4 numbers"),
        ("bvec", "0 1 0\n0 0 1\n0 0 0", "has 3 directions, but the image has 8 volumes"),
        ("bvec", "1 2 3 4 5 6 7 8\n1 2 3 4 5 6 7 8", "2 rows of 8 numbers"),
        ("bvec", "0 1 0\n0 0", "differ in length"),
        ("bvec", "\n".join(["0 nan 1 1 1 1 1 1"] * 3), "not numbers"),
        ("bvec", "\n".join(["0 0 1"] * 9), "has 9 directions, but the image has 8 volumes"),
    ],
)
def test_wrong_gradient_files(kind, content, said, series, tmp_path):
    (tmp_path / f"dwi.{kind}").write_text(content)
    refusal = refused(series)
    assert refusal.subject == f"dwi.{kind}"
    assert said in refusal.problem
    assert refusal.code == ExitCode.UNSUITABLE_DIFFUSION


def test_bytes_that_are_no_text(series, tmp_path):
    (tmp_path / "dwi.bval").write_bytes(b"\xff\xfe\x00\x81" * 30)
    assert "cannot be read as text" in refused(series).problem


def test_swapped_files(series, tmp_path):
    refusal = refused(series, bval=tmp_path / "dwi.bvec", bvec=tmp_path / "dwi.bval")
    assert "swapped" in refusal.remedy


def test_a_single_volume(tmp_path):
    path = write_series(tmp_path, affine(), n=1)
    (tmp_path / "dwi.bval").write_text("0")
    (tmp_path / "dwi.bvec").write_text("0\n0\n0")
    assert "this has 1" in refused(path).problem


def test_an_image_that_breaks_off(series):
    series.write_bytes(series.read_bytes()[:-5000])
    assert refused(series).code == ExitCode.UNREADABLE_IMAGE


def test_slices_too_thick_for_a_brainstem(tmp_path, gradients):
    matrix = affine()
    matrix[:3, 2] *= 2
    path = write_series(tmp_path, matrix)
    write_gradients(tmp_path, gradients.bvals, gradients.bvecs)
    assert "voxel size" in refused(path).problem


def test_mrtrix_file(tmp_path):
    path = tmp_path / "dwi.mif"
    path.write_bytes(b"mrtrix image\n")
    assert "mrconvert" in refused(path).remedy


def test_a_missing_image(tmp_path):
    assert "no such DWI file" in refused(tmp_path / "dwi.nii.gz").problem


@pytest.mark.parametrize("number", ["6_134431", "rot_12_132222"])
def test_real_series(number):
    path = REAL / f"dti_tra_dir16_PA_{number}.nii.gz"
    if not path.is_file():
        pytest.skip("the real series of shared/data is not here")
    found = read_dwi(path)
    assert found.volume.array.shape[3] == len(found.bvals) == 17
    weighted = ~found.unweighted
    assert weighted.sum() == 16
    assert np.allclose(np.linalg.norm(found.bvecs[weighted], axis=1), 1.0, atol=1e-6)
