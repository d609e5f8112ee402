"""The bundled models on a real head: any grid in, the same brainstem out, on that grid."""

from __future__ import annotations

import dataclasses
import json
import shutil

import numpy as np
import pytest

from BrainstemALSLib.anatomy import CONTEXT, by_key, load_structures
from BrainstemALSLib.assets import asset_path
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


def test_the_mirror_image_is_averaged_unless_left_out(icbm, icbm_result):
    plain = Segmenter(device="cpu", flip=False).segment(icbm)
    assert stem_mm3(plain) == pytest.approx(stem_mm3(icbm_result), rel=0.03)
    assert not np.array_equal(plain.entropy.array, icbm_result.entropy.array)
    assert plain.model["structures"]["mirrored"] == "no"
    assert icbm_result.model["structures"]["mirrored"] == "averaged"
    left, right = centre(icbm_result, "pyramid_left"), centre(icbm_result, "pyramid_right")
    assert left[0] < right[0]


def test_an_image_and_its_mirror_image_give_mirrored_labels(segmenter, icbm, icbm_result):
    """With both averaged, and the box at the mirrored place, only the names of sides differ."""
    array = np.ascontiguousarray(icbm.t1.array[::-1])
    affine = icbm.t1.affine.copy()  # the voxels change places, the grid stays: a mirrored person
    affine[0, 3] = -(affine[0, 3] + affine[0, 0] * (array.shape[0] - 1))
    place = segmenter.locate(icbm)
    place = dataclasses.replace(place, centre=place.centre * [-1, 1, 1])
    result = segmenter.segment(Exam(Volume(array, affine)), place=place)
    partner = np.arange(256)
    for structure in load_structures():
        partner[structure.index] = by_key()[structure.mirror_key].index
    back = partner[result.labels.array[::-1]]
    labelled = icbm_result.labels.array > 0
    assert np.mean(back[labelled] == icbm_result.labels.array[labelled]) > 0.995


def test_the_temperature_of_the_sidecar_counts_unless_another_is_given(icbm, icbm_result, tmp_path):
    for name in ("locator", "structures"):
        for suffix in (".ts", ".json"):
            shutil.copy(asset_path(f"Models/{name}{suffix}"), tmp_path)
    sidecar = tmp_path / "structures.json"
    card = json.loads(sidecar.read_text()) | {"temperature": 2.5}
    sidecar.write_text(json.dumps(card))
    softer = Segmenter(device="cpu", model_dir=tmp_path).segment(icbm)
    assert softer.model["structures"]["temperature"] == "2.5"
    inside = icbm_result.labels.array > 0
    # Entropy is that of the probabilities that are returned: tempered and averaged.
    assert softer.entropy.array[inside].mean() > 1.2 * icbm_result.entropy.array[inside].mean()
    assert np.nanmean(list(softer.confidence.values())) < np.nanmean(
        list(icbm_result.confidence.values())
    )
    both = inside & (softer.labels.array > 0)
    same = softer.labels.array[both] == icbm_result.labels.array[both]
    assert same.mean() > 0.97, "a temperature makes less sure, it does not decide otherwise"
    assert Segmenter(device="cpu", model_dir=tmp_path, temperature=1.25).temperature == 1.25


@pytest.mark.parametrize("temperature", [0, -1.0, float("nan"), float("inf"), True])
def test_a_temperature_that_divides_nothing_is_refused(temperature):
    with pytest.raises(ValueError, match="above 0"):
        Segmenter(device="cpu", temperature=temperature)


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
