"""The bundled models on a real head: any grid in, the same brainstem out, on that grid."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from BrainstemALSLib.anatomy import CONTEXT, load_structures
from BrainstemALSLib.errors import BrainstemALSError, ExitCode
from BrainstemALSLib.imaging.exam import Exam
from BrainstemALSLib.imaging.geometry import crop, resample
from BrainstemALSLib.imaging.volume import Volume
from BrainstemALSLib.segmentation.locate import _coarse_grid
from BrainstemALSLib.segmentation.segmenter import Segmenter

STEM = [s.index for s in load_structures() if s.parent != CONTEXT]


def stem_mm3(result) -> float:
    return np.isin(result.labels.array, STEM).sum() * result.labels.voxel_volume


def centre(result, key: str) -> np.ndarray:
    index = next(s.index for s in load_structures() if s.key == key)
    voxels = np.argwhere(result.labels.array == index)
    affine = result.labels.affine
    return affine[:3, :3] @ voxels.mean(0) + affine[:3, 3]


def test_icbm_brainstem_is_where_it_belongs_and_of_human_size(icbm, icbm_result):
    assert icbm_result.labels.shape == icbm.t1.shape
    assert np.array_equal(icbm_result.labels.affine, icbm.t1.affine)
    assert 28_000 < stem_mm3(icbm_result) < 48_000
    # Allen reference atlas, same space: pons about (0, -29, -33), medulla below, midbrain above.
    left, right = (
        centre(icbm_result, "basis_pontis_left"),
        centre(icbm_result, "basis_pontis_right"),
    )
    assert left[0] < -2 < 2 < right[0]
    assert (left + right) / 2 == pytest.approx([0, -25, -34], abs=4)
    assert centre(icbm_result, "medullary_tegmentum_left")[2] < left[2] - 10
    assert centre(icbm_result, "red_nucleus_left")[2] > left[2] + 15


def test_probabilities_labels_and_entropy_agree(icbm_result):
    probabilities = icbm_result.probabilities.array.astype(np.float32)
    assert probabilities.min() >= 0
    assert probabilities.sum(-1).max() <= 1.01
    entropy = icbm_result.entropy.array
    assert 0 <= entropy.min() <= entropy.max() <= 1
    labelled = icbm_result.labels.array > 0
    border = entropy[labelled].mean()
    assert border > entropy[~labelled].mean(), "the unsure voxels lie in the brainstem"
    assert set(icbm_result.confidence) == set(icbm_result.keys)
    assert icbm_result.modalities == ("t1",)
    assert icbm_result.device == "cpu"
    assert icbm_result.device_reason


def test_intracranial_volume_is_human(icbm_result):
    assert 1.2e6 < icbm_result.intracranial_mm3 < 2.2e6


@pytest.mark.parametrize(
    ("order", "flips"),
    [((2, 0, 1), (False, True, True)), ((1, 2, 0), (True, False, False))],
)
def test_voxel_order_does_not_matter(segmenter, icbm, icbm_result, order, flips):
    """A permuted and flipped grid shows the same head, so it gives the same labels, permuted."""
    array, affine = icbm.t1.array.transpose(order), icbm.t1.affine[:, [*order, 3]].copy()
    for axis, flip in enumerate(flips):
        if flip:
            affine[:3, 3] += affine[:3, axis] * (array.shape[axis] - 1)
            affine[:3, axis] *= -1
            array = np.flip(array, axis)
    result = segmenter.segment(Exam(Volume(np.ascontiguousarray(array), affine)))
    back = result.labels.array
    for axis, flip in enumerate(flips):
        if flip:
            back = np.flip(back, axis)
    back = back.transpose(np.argsort(order))
    same = np.mean(
        back[icbm_result.labels.array > 0] == icbm_result.labels.array[icbm_result.labels.array > 0]
    )
    assert same > 0.98


def test_intensity_scale_does_not_matter(segmenter, icbm, icbm_result):
    scaled = dataclasses.replace(icbm, t1=Volume(icbm.t1.array * 37.5, icbm.t1.affine))
    assert stem_mm3(segmenter.segment(scaled)) == pytest.approx(stem_mm3(icbm_result), rel=0.005)


def test_thick_oblique_slices(segmenter, icbm, icbm_result):
    angle = np.deg2rad(15)
    turn = np.array(
        [[1, 0, 0], [0, np.cos(angle), -np.sin(angle)], [0, np.sin(angle), np.cos(angle)]]
    )
    affine = np.eye(4)
    affine[:3, :3] = turn * [0.9, 0.9, 3.0]
    middle = icbm.t1.affine[:3, :3] @ (np.array(icbm.t1.shape) / 2) + icbm.t1.affine[:3, 3]
    shape = (200, 260, 70)
    affine[:3, 3] = middle - affine[:3, :3] @ (np.array(shape) / 2)
    result = segmenter.segment(Exam(resample(icbm.t1, shape, affine)))
    assert result.labels.shape == shape
    assert stem_mm3(result) == pytest.approx(stem_mm3(icbm_result), rel=0.12)


def test_medulla_cut_by_the_field_of_view_is_noticed(segmenter, icbm, icbm_result):
    # The ICBM image itself ends at z = -72 mm, close below the medulla: only the cut ones count.
    cut = crop(icbm.t1, (0, 0, 22), icbm.t1.shape)
    result = segmenter.segment(Exam(cut))
    assert result.touches_border.get("inferior", 0) > 20
    # The same head after a tool that fills up what it cut off.
    array = icbm.t1.array.copy()
    array[..., :22] = 0
    result = segmenter.segment(Exam(Volume(array, icbm.t1.affine)))
    assert result.touches_border.get("inferior", 0) > 20


@pytest.mark.parametrize("kind", ["noise", "top of the head", "sphere"])
def test_no_brainstem_is_said_so(segmenter, icbm, kind):
    if kind == "noise":
        array = np.random.default_rng(1).random((120, 120, 120), np.float32)
        t1 = Volume(array, np.diag([1.5, 1.5, 1.5, 1]))
    elif kind == "sphere":
        grid = np.indices((100, 100, 100)) - 50
        array = ((grid**2).sum(0) < 40**2).astype(np.float32)
        t1 = Volume(array * 100, np.diag([1.6, 1.6, 1.6, 1]))
    else:
        t1 = crop(icbm.t1, (0, 0, 95), icbm.t1.shape)
    with pytest.raises(BrainstemALSError) as caught:
        segmenter.segment(Exam(t1, names={"t1": "sub-01_T1w.nii.gz"}))
    assert caught.value.code is ExitCode.NO_BRAINSTEM
    assert "sub-01_T1w.nii.gz" in str(caught.value)


def test_diffusion_on_its_own_grid_is_used(segmenter, icbm):
    rng = np.random.default_rng(2)
    affine = np.diag([2.0, 2.0, 2.0, 1.0])
    affine[:3, 3] = [-90, -126, -72]
    fa = Volume(rng.uniform(0.2, 0.5, (90, 109, 90)).astype(np.float32), affine)
    md = Volume(rng.uniform(0.6, 0.9, (90, 109, 90)).astype(np.float32), affine)
    result = segmenter.segment(dataclasses.replace(icbm, fa=fa, md=md))
    assert result.modalities == ("t1", "fa", "md")
    assert result.labels.shape == icbm.t1.shape


def test_flip_averages_with_the_mirror_image(icbm, icbm_result):
    flipped = Segmenter(device="cpu", flip=True).segment(icbm)
    assert stem_mm3(flipped) == pytest.approx(stem_mm3(icbm_result), rel=0.03)
    left, right = centre(flipped, "pyramid_left"), centre(flipped, "pyramid_right")
    assert left[0] < right[0]


def test_coarse_grid_covers_an_oblique_image():
    affine = np.diag([1.0, 1.0, 1.0, 1.0])
    affine[:3, :3] = [[0, 0, 1.2], [0.8, 0.6, 0], [-0.6, 0.8, 0]]
    coarse, shape, _ = _coarse_grid(Volume(np.zeros((180, 200, 150), np.float32), affine))
    corners = np.array([[i, j, k, 1] for i in (0, 179) for j in (0, 199) for k in (0, 149)])
    voxels = (np.linalg.inv(coarse) @ affine @ corners.T)[:3].T
    assert (voxels >= -0.5).all()
    assert (voxels <= np.array(shape) - 0.5).all()


def test_no_intracranial_volume_of_a_head_whose_end_was_emptied(segmenter, icbm, icbm_result):
    """A tool that cuts a head and fills up the rest leaves the image its size."""
    array = icbm.t1.array.copy()
    array[..., :32] = 0
    result = segmenter.segment(Exam(Volume(array, icbm.t1.affine)))
    assert icbm_result.intracranial_mm3 is not None
    assert result.intracranial_mm3 is None
