"""Files that are named beside a T1: what is wrong with the diffusion does not cost the exam."""

from __future__ import annotations

import numpy as np
import pytest

from BrainstemALSLib.errors import BrainstemALSError, ExitCode
from BrainstemALSLib.imaging.diffusion.gradients import ras_to_fsl
from BrainstemALSLib.imaging.intake import open_source

from .conftest import write_series
from .test_bids import write_t1
from .test_nifti_dwi import affine, write_gradients


@pytest.fixture
def t1(tmp_path):
    write_t1(tmp_path, "head.nii.gz")
    return tmp_path / "anat" / "head.nii.gz"


@pytest.fixture
def dwi(tmp_path, gradients):
    """A series with its gradients beside it."""
    path = write_series(tmp_path, affine())
    write_gradients(tmp_path, gradients.bvals, ras_to_fsl(gradients.bvecs, affine()))
    return path


def refused(*args, **choices) -> BrainstemALSError:
    with pytest.raises(BrainstemALSError) as caught:
        open_source(*args, **choices)
    return caught.value


def only_t1(found) -> str:
    """Return what the only finding says, once nothing claims that there was diffusion."""
    assert found.dwi is None
    assert set(found.names) == set(found.checksums) == {"t1"}
    (finding,) = found.findings
    assert finding.code == "dwi_not_read"
    assert finding.severity == "warning"
    assert "only the T1 is used" in finding.message
    assert np.isfinite(found.t1.array).all()
    return finding.message


def test_a_series_that_is_named(t1, dwi):
    found = open_source(t1, dwi=dwi)
    assert found.dwi.volume.array.shape[3] == 8
    assert found.names == {"t1": "head.nii.gz", "dwi": "dwi.nii.gz"}
    assert set(found.checksums) == {"t1", "dwi"}
    assert found.findings == ()


@pytest.mark.parametrize("kind", ["bval", "bvec"])
def test_without_gradients_beside_it(kind, t1, dwi, tmp_path):
    (tmp_path / f"dwi.{kind}").unlink()
    assert f"no {kind} file" in only_t1(open_source(t1, dwi=dwi))


@pytest.mark.parametrize("content", ["0 1000 1000", ""])
def test_gradients_that_do_not_fit(content, t1, dwi, tmp_path):
    (tmp_path / "dwi.bval").write_text(content)
    message = only_t1(open_source(t1, dwi=dwi, bval=tmp_path / "dwi.bval"))
    assert "the bval file has 3 b-values" in message or "bval file is empty" in message


def test_gradients_that_are_swapped(t1, dwi, tmp_path):
    found = open_source(t1, dwi=dwi, bval=tmp_path / "dwi.bvec", bvec=tmp_path / "dwi.bval")
    assert "3 rows" in only_t1(found)
    assert "swapped" in found.findings[0].action


@pytest.mark.parametrize("keep", [0, 400, -5000])
def test_an_image_that_is_damaged(keep, t1, dwi):
    dwi.write_bytes(dwi.read_bytes()[:keep])
    assert "incomplete or damaged" in only_t1(open_source(t1, dwi=dwi))


def test_an_image_that_is_no_series(t1, dwi, tmp_path):
    beside = {kind: tmp_path / f"dwi.{kind}" for kind in ("bval", "bvec")}
    assert "fourth axis" in only_t1(open_source(t1, dwi=t1, **beside))


def test_voxels_that_are_too_coarse(t1, tmp_path, gradients):
    matrix = affine()
    matrix[:3, 2] *= 2
    path = write_series(tmp_path, matrix)
    write_gradients(tmp_path, gradients.bvals, gradients.bvecs)
    assert "voxel size" in only_t1(open_source(t1, dwi=path))


def test_a_bad_series_beside_a_dicom_folder(exam_folder, dwi, tmp_path):
    (tmp_path / "dwi.bvec").unlink()
    assert "no bvec file" in only_t1(open_source(exam_folder, dwi=dwi))


@pytest.mark.parametrize("role", ["dwi", "bval", "bvec"])
def test_a_path_that_is_not_there_is_a_typing_error(role, t1, dwi, tmp_path):
    choices = {"dwi": dwi, role: tmp_path / "typo"}
    refusal = refused(t1, **choices)
    assert refusal.subject == "typo"
    assert "no such" in refusal.problem
    assert refusal.code == ExitCode.UNREADABLE_IMAGE
    choices[role] = tmp_path / "anat"
    assert "this is a folder" in refused(t1, **choices).problem


@pytest.mark.parametrize("role", ["fa", "md"])
def test_a_map_that_is_empty_is_refused(role, t1, tmp_path):
    empty = tmp_path / "map.nii.gz"
    empty.write_bytes(b"")
    assert "incomplete or damaged" in refused(t1, **{role: empty}).problem
