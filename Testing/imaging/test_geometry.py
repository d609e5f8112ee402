"""Geometry: what must not move, does not."""

from __future__ import annotations

import nibabel as nib
import numpy as np
import pytest
import SimpleITK as sitk
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation

from BrainstemALSLib.imaging.geometry import (
    box_around,
    crop,
    from_sitk,
    overlap_fraction,
    resample,
    same_grid,
    to_sitk,
)
from BrainstemALSLib.imaging.volume import Volume

angles = st.floats(-180, 180)
rotations = st.builds(
    lambda a, b, c: Rotation.from_euler("xyz", [a, b, c], degrees=True).as_matrix(),
    angles,
    angles,
    angles,
)
flips_and_orders = st.builds(
    lambda order, signs: np.eye(3)[list(order)] * signs,
    st.permutations(range(3)),
    st.tuples(*[st.sampled_from([-1.0, 1.0])] * 3),
)
spacings = st.tuples(*[st.floats(0.5, 3.0)] * 3)
points = st.tuples(*[st.floats(-80, 80)] * 3)
small_shapes = st.tuples(*[st.integers(2, 6)] * 3)
affines = st.builds(
    lambda rotation, flip, spacing, point: box_around(point, (5, 5, 5), spacing, rotation @ flip),
    rotations,
    flips_and_orders,
    spacings,
    points,
)


def world(affine, index) -> np.ndarray:
    return affine[:3, :3] @ np.asarray(index, dtype=float) + affine[:3, 3]


def centre_of_mass(volume: Volume) -> np.ndarray:
    weights = volume.array.astype(float)
    index = [np.sum(weights * grid) for grid in np.indices(volume.array.shape)]
    return world(volume.affine, np.array(index) / weights.sum())


def blob(affine, shape, centre, sigma) -> Volume:
    grid = np.indices(shape).reshape(3, -1)
    distance = affine[:3, :3] @ grid + affine[:3, 3:] - np.asarray(centre)[:, None]
    array = np.exp(-0.5 * np.sum(distance**2, axis=0) / sigma**2).reshape(shape)
    return Volume(array.astype(np.float32), affine)


@settings(max_examples=40, deadline=None)
@given(affines, small_shapes, st.sampled_from(["u1", "i2", "f4", "f8"]))
def test_sitk_round_trip_keeps_every_voxel_and_place(affine, shape, dtype):
    array = np.random.default_rng(1).integers(0, 100, shape).astype(dtype)
    back = from_sitk(to_sitk(Volume(array, affine)))
    assert back.array.dtype == array.dtype
    np.testing.assert_array_equal(back.array, array)
    np.testing.assert_allclose(back.affine, affine, atol=1e-9)


@settings(max_examples=30, deadline=None)
@given(affines, small_shapes)
def test_sitk_puts_each_voxel_where_the_affine_does(affine, shape):
    image = to_sitk(Volume(np.arange(np.prod(shape)).reshape(shape).astype("i4"), affine))
    index = [n - 1 for n in shape]
    assert image[index] == np.prod(shape) - 1
    lps = np.array(image.TransformIndexToPhysicalPoint(index))
    np.testing.assert_allclose(lps * (-1, -1, 1), world(affine, index), atol=1e-6)


def test_vector_and_boolean_volumes_cross_the_border():
    vector = np.random.default_rng(0).random((3, 4, 5, 2)).astype("f4")
    np.testing.assert_array_equal(from_sitk(to_sitk(Volume(vector, np.eye(4)))).array, vector)
    mask = vector[..., 0] > 0.5
    np.testing.assert_array_equal(from_sitk(to_sitk(Volume(mask, np.eye(4)))).array, mask)
    assert from_sitk(to_sitk(Volume(vector.astype("f2"), np.eye(4)))).array.dtype == np.float32


def test_from_sitk_refuses_other_dimensions():
    with pytest.raises(ValueError, match="3 dimensions"):
        from_sitk(sitk.Image(4, 4, sitk.sitkUInt8))


@settings(max_examples=20, deadline=None)
@given(rotations, flips_and_orders, st.tuples(*[st.floats(0.8, 4.0)] * 3), points)
def test_centre_of_mass_stays_under_any_resampling(rotation, flip, spacing, point):
    source = blob(box_around(point, (32, 32, 32), 1.5), (32, 32, 32), point, sigma=4.0)
    shape = tuple(int(np.ceil(48 / s)) + 4 for s in spacing)
    target = box_around(np.add(point, 0.7), shape, spacing, rotation @ flip)
    moved = resample(source, shape, target)
    np.testing.assert_allclose(centre_of_mass(moved), point, atol=0.08)
    total = float(moved.array.sum()) * moved.voxel_volume
    assert total == pytest.approx(float(source.array.sum()) * source.voxel_volume, rel=0.02)


def test_resample_to_and_from_a_sheared_grid():
    source = blob(box_around((0, 0, 0), (32, 32, 32), 1.5), (32, 32, 32), (2, -3, 1), sigma=5.0)
    sheared = box_around((0, 0, 0), (40, 40, 40), 1.5, [[1, 0.3, 0], [0, 1, 0.2], [0, 0, 1]])
    there = resample(source, (40, 40, 40), sheared)
    np.testing.assert_array_equal(there.affine, sheared)
    np.testing.assert_allclose(centre_of_mass(there), (2, -3, 1), atol=0.05)
    back = resample(there, source.shape, source.affine)
    np.testing.assert_allclose(centre_of_mass(back), (2, -3, 1), atol=0.05)


@settings(max_examples=20, deadline=None)
@given(flips_and_orders, points)
def test_resample_to_flipped_and_permuted_axes_is_exact(flip, point):
    array = np.random.default_rng(2).integers(0, 200, (7, 7, 7)).astype("u1")
    source = Volume(array, box_around(point, (7, 7, 7), 1.25))
    target = box_around(point, (7, 7, 7), 1.25, flip)
    there = resample(source, (7, 7, 7), target, interpolation="nearest")
    assert there.array.dtype == np.uint8
    canonical = nib.as_closest_canonical(nib.Nifti1Image(there.array, there.affine))
    np.testing.assert_array_equal(np.asarray(canonical.dataobj), array)
    back = resample(there, source.shape, source.affine, interpolation="nearest")
    np.testing.assert_array_equal(back.array, array)


def test_linear_resampling_reproduces_a_ramp_and_fills_outside():
    shape = (12, 12, 12)
    affine = box_around((0, 0, 0), shape, 2.0)
    ramp = (affine[:3, :3] @ np.indices(shape).reshape(3, -1) + affine[:3, 3:])[1].reshape(shape)
    target = box_around(
        (0.3, 0.4, -0.2), (5, 5, 5), 1.0, Rotation.from_rotvec([0, 0, 0.4]).as_matrix()
    )
    result = resample(Volume(ramp, affine), (5, 5, 5), target)
    expected = (target[:3, :3] @ np.indices((5, 5, 5)).reshape(3, -1) + target[:3, 3:])[1]
    np.testing.assert_allclose(result.array.ravel(), expected, atol=1e-4)
    outside = resample(
        Volume(ramp, affine), (2, 2, 2), box_around((99, 0, 0), (2, 2, 2), 1), default=-7
    )
    assert (outside.array == -7).all()


def test_coarser_grids_average_what_they_cannot_show():
    stripes = np.zeros((48, 48, 48), np.float32)
    stripes[::2] = 100.0
    source = Volume(stripes, box_around((0, 0, 0), stripes.shape, 1.0))
    coarse = box_around((0, 0, 0), (8, 8, 8), 4.0, Rotation.from_rotvec([0, 0, 0.1]).as_matrix())
    assert resample(source, (8, 8, 8), coarse).array.std() < 2.0
    assert resample(source, (8, 8, 8), coarse, antialias=False).array.std() > 8.0


def test_antialias_leaves_an_equal_grid_alone():
    array = np.random.default_rng(3).random((9, 8, 7)).astype("f4")
    volume = Volume(array, box_around((1, 2, 3), array.shape, 1.1))
    for interpolation in ("linear", "bspline"):
        same = resample(volume, array.shape, volume.affine, interpolation)
        np.testing.assert_allclose(same.array, array, atol=1e-4)


def test_vectors_are_resampled_by_component():
    array = np.random.default_rng(4).random((9, 9, 9, 3)).astype("f4")
    affine = box_around((0, 0, 0), (9, 9, 9), 1.0)
    target = box_around((0.2, 0, 0), (4, 4, 4), 2.0)
    together = resample(Volume(array, affine), (4, 4, 4), target)
    assert together.array.shape == (4, 4, 4, 3)
    for component in range(3):
        alone = resample(Volume(array[..., component], affine), (4, 4, 4), target)
        np.testing.assert_allclose(together.array[..., component], alone.array, atol=1e-5)


@settings(max_examples=30, deadline=None)
@given(points, small_shapes, spacings, rotations)
def test_box_around_has_its_centre_and_voxel_size(point, shape, spacing, rotation):
    affine = box_around(point, shape, spacing, rotation)
    np.testing.assert_allclose(world(affine, (np.array(shape) - 1) / 2), point, atol=1e-9)
    np.testing.assert_allclose(np.linalg.norm(affine[:3, :3], axis=0), spacing)


@settings(max_examples=20, deadline=None)
@given(affines)
def test_crop_leaves_voxels_where_they_were(affine):
    array = np.random.default_rng(5).random((6, 7, 8))
    part = crop(Volume(array, affine), (1, 2, 3), (5, 4, 8))
    assert part.shape == (4, 2, 5)
    assert part.array[0, 0, 0] == array[1, 2, 3]
    np.testing.assert_allclose(world(part.affine, (0, 0, 0)), world(affine, (1, 2, 3)), atol=1e-9)


@pytest.mark.parametrize(
    ("start", "stop"), [((-1, 0, 0), (2, 2, 2)), ((0, 0, 0), (2, 2, 9)), ((2, 0, 0), (2, 2, 2))]
)
def test_crop_refuses_what_is_not_inside(start, stop):
    with pytest.raises(ValueError, match="no box"):
        crop(Volume(np.zeros((4, 4, 4)), np.eye(4)), start, stop)


def test_same_grid_looks_at_shape_and_at_every_corner():
    volume = Volume(np.zeros((100, 100, 100), "u1"), np.eye(4))
    shifted, turned = np.eye(4), np.eye(4)
    shifted[0, 3] = 5e-4
    turned[:3, :3] = Rotation.from_rotvec([0, 0, 1e-3]).as_matrix()
    assert same_grid(volume, Volume(volume.array, shifted))
    assert not same_grid(volume, Volume(volume.array, turned))
    assert same_grid(volume, Volume(volume.array, turned), tolerance=0.2)
    assert not same_grid(volume, Volume(volume.array[1:], np.eye(4)))


def test_overlap_is_the_covered_part_of_the_first():
    whole = Volume(np.zeros((20, 20, 20), "u1"), box_around((0, 0, 0), (20, 20, 20), 2.0))
    half = Volume(np.zeros((10, 20, 20), "u1"), box_around((10, 0, 0), (10, 20, 20), 2.0))
    far = Volume(whole.array, box_around((500, 0, 0), (20, 20, 20), 2.0))
    assert overlap_fraction(whole, whole) == 1.0
    assert overlap_fraction(whole, half) == pytest.approx(0.5, abs=0.02)
    assert overlap_fraction(half, whole) == 1.0
    assert overlap_fraction(whole, far) == 0.0
