"""The maps of an exam on its T1 grid, and the picture of their alignment."""

from __future__ import annotations

from dataclasses import replace

import matplotlib.image
import nibabel as nib
import numpy as np
import pytest

from BrainstemALSLib.imaging.dwi import TensorMaps
from BrainstemALSLib.imaging.exam import Exam
from BrainstemALSLib.imaging.registration import Alignment, Registration
from BrainstemALSLib.imaging.volume import Volume
from BrainstemALSLib.report.diffusion_files import write_diffusion

PREFIX = "sub-07_desc-brainstem"


@pytest.fixture
def exam(t1, make_grid):
    shape, affine = make_grid((2.0, 2.0, 2.0), (64.0, 64.0, 96.0))
    height = (np.indices(shape)[2] * 2.0 + affine[2, 3]).astype(np.float32)
    v1 = np.zeros((*shape, 3), np.float32)
    v1[..., 1] = 1
    maps = TensorMaps(
        fa=Volume(np.full(shape, 0.5, np.float32), affine),
        md=Volume(1 + height / 100, affine),
        v1=Volume(v1, affine),
    )
    moved = Registration(False, None, 0.0, np.eye(4))
    return Exam(
        t1, fa=maps.fa, md=maps.md, v1=maps.v1, alignment=Alignment(maps, np.zeros(3), moved)
    )


def test_the_maps_lie_on_the_voxels_of_the_t1(exam, segmentation, measures, tmp_path):
    box = segmentation.probabilities
    files = write_diffusion(tmp_path, "sub-07", exam, box, measures)
    names = [f"{PREFIX}_param-{name}_dwimap.nii.gz" for name in ("fa", "md", "v1")]
    assert [path.name for path in files] == [*names, f"{PREFIX}_registration.png"]
    fa, md, v1 = (nib.load(tmp_path / name) for name in names)
    for image in (fa, md, v1):
        np.testing.assert_allclose(image.affine, box.affine, atol=1e-4)
        assert image.shape[:3] == box.array.shape[:3]
    np.testing.assert_allclose(fa.get_fdata(), 0.5, atol=1e-5)
    heights = np.indices(box.array.shape[:3])[2] * box.affine[2, 2] + box.affine[2, 3]
    np.testing.assert_allclose(md.get_fdata(), 1 + heights / 100, atol=1e-4)
    directions = np.abs(v1.get_fdata())
    np.testing.assert_allclose(directions, np.broadcast_to([0, 1, 0], directions.shape), atol=1e-6)
    assert matplotlib.image.imread(files[-1]).std() > 0.05


def test_a_map_that_ends_before_the_brainstem_is_not_written(
    exam, segmentation, measures, tmp_path
):
    away = exam.fa.affine.copy()
    away[2, 3] += 300
    far = replace(exam, fa=Volume(exam.fa.array, away), v1=None, alignment=None)
    files = write_diffusion(tmp_path, "sub-07", far, segmentation.probabilities, measures)
    assert [path.name for path in files] == [f"{PREFIX}_param-md_dwimap.nii.gz"]


def test_nothing_of_diffusion_writes_nothing(t1, segmentation, measures, tmp_path):
    files = write_diffusion(tmp_path, "sub-07", Exam(t1), segmentation.probabilities, measures)
    assert files == []
    assert not list(tmp_path.iterdir())


def test_what_does_not_fit_is_shown_without_maps(exam, t1, segmentation, measures, tmp_path):
    refused = Exam(t1, alignment=exam.alignment)
    files = write_diffusion(tmp_path, "sub-07", refused, segmentation.probabilities, measures)
    assert [path.name for path in files] == [f"{PREFIX}_registration.png"]
