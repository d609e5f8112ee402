"""Other grids and noise leave the patient where he is."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.ndimage import gaussian_filter, map_coordinates

from BrainstemALSLib.imaging.volume import Volume
from training.evaluation.grids import on_grid, structures_only
from training.evaluation.regrid import rician_noise, rotated_grid

AXIS = st.tuples(*[st.floats(-1, 1)] * 3).filter(lambda v: np.linalg.norm(v) > 0.2)


def smooth_image(shape=(40, 44, 36), seed=0):
    noise = np.random.default_rng(seed).normal(size=shape)
    smooth = gaussian_filter(noise, 3.0).astype(np.float32)
    array = 500 + 400 * smooth / np.abs(smooth).max()
    affine = np.array([[0, -1.0, 0, 12], [0, 0, 1.2, -20], [0.9, 0, 0, 5], [0, 0, 0, 1]])
    return Volume(array, affine)


def at(volume, points):
    voxel = np.linalg.inv(volume.affine) @ np.vstack([points, np.ones(points.shape[1])])
    return map_coordinates(volume.array, voxel[:3], order=3)


@settings(max_examples=10, deadline=None)
@given(axis=AXIS, degrees=st.floats(-15, 15), shift=st.floats(-1, 1))
def test_a_point_of_the_patient_keeps_its_intensity_on_a_rotated_grid(axis, degrees, shift):
    image = smooth_image()
    turned = rotated_grid(image, axis, degrees, shift)
    middle = (image.affine @ [*(np.array(image.shape) - 1) / 2, 1])[:3]
    points = middle[:, None] + np.random.default_rng(1).uniform(-7, 7, (3, 200))
    assert np.allclose(at(turned, points), at(image, points), atol=6)  # of a range of 800


@settings(max_examples=20, deadline=None)
@given(axis=AXIS)
def test_the_grid_turns_by_the_angle_and_moves_by_the_shift(axis):
    image = smooth_image((8, 8, 8))
    turned = rotated_grid(image, axis, 7.0, 0.3)
    turn = turned.affine[:3, :3] @ np.linalg.inv(image.affine[:3, :3])
    assert np.degrees(np.arccos((np.trace(turn) - 1) / 2)) == pytest.approx(7.0, abs=1e-4)
    assert np.linalg.det(turn) == pytest.approx(1)
    assert np.allclose(turned.spacing, image.spacing)
    middle = np.append((np.array(image.shape) - 1) / 2, 1)
    assert np.linalg.norm((turned.affine - image.affine) @ middle) == pytest.approx(0.3)


def test_a_rotated_image_has_no_values_that_the_image_had_not():
    box = np.zeros((20, 20, 20), np.float32)
    box[6:14, 6:14, 6:14] = 100
    turned = rotated_grid(Volume(box, np.eye(4)), (1, 1, 1)).array
    assert (turned.min(), turned.max()) == (0, 100)


def test_rician_noise_has_the_noise_of_a_magnitude_image():
    flat = Volume(np.full((50, 50, 50), 1000.0, np.float32), np.eye(4))
    flat.array[:25] = 0
    noisy = rician_noise(flat, seed=3)
    sigma = 30.0  # 3 % of the 99th percentile
    assert noisy.array[25:].std() == pytest.approx(sigma, rel=0.03)
    # Without signal the magnitude follows a Rayleigh distribution.
    assert noisy.array[:25].mean() == pytest.approx(sigma * np.sqrt(np.pi / 2), rel=0.03)
    assert np.array_equal(noisy.array, rician_noise(flat, seed=3).array)
    assert not np.array_equal(noisy.array, rician_noise(flat, seed=4).array)


def ball_labels(spacing, shape):
    affine = np.diag([spacing, spacing, spacing, 1.0])
    affine[:3, 3] = -spacing * (np.array(shape) - 1) / 2
    points = np.indices(shape).T * spacing + affine[:3, 3]
    inside = np.linalg.norm(points, axis=-1) < 8
    return Volume(
        np.where(inside, np.where(points[..., 0] < 0, 1, 2), 0).T.astype(np.uint8), affine
    )


@pytest.mark.parametrize("spacing", [0.5, 0.8, 1.0, 2.0])
def test_labels_keep_place_and_volume_on_another_grid(spacing):
    labels = ball_labels(0.5, (60, 60, 60))
    shape = (int(40 / spacing),) * 3
    affine = np.diag([-spacing, spacing, spacing, 1.0])
    # Symmetric in x: a border of two labels can only lie midway between voxels.
    affine[:3, 3] = [spacing * (shape[0] - 1) / 2, -19.3, -18.8]
    moved = on_grid(labels, Volume(np.zeros(shape, np.float32), affine))
    assert moved.array.dtype == np.uint8
    for value, side in ((1, -3.0), (2, 3.0)):
        voxels = np.argwhere(moved.array == value)
        volume = len(voxels) * spacing**3
        assert volume == pytest.approx((labels.array == value).sum() * 0.125, rel=0.05)
        centre = affine[:3, :3] @ voxels.mean(0) + affine[:3, 3]
        assert centre == pytest.approx([side, 0, 0], abs=0.35)


def test_labels_out_of_view_leave_an_empty_map():
    affine = np.eye(4)
    affine[:3, 3] = 500
    moved = on_grid(ball_labels(1.0, (30, 30, 30)), Volume(np.zeros((5, 5, 5)), affine))
    assert not moved.array.any()
    assert moved.shape == (5, 5, 5)


def test_labels_cut_by_the_field_of_view_stay_where_they_are():
    labels = ball_labels(1.0, (30, 30, 30))
    cut = Volume(np.zeros((30, 30, 15)), labels.affine)
    assert np.array_equal(on_grid(labels, cut).array, labels.array[..., :15])


def test_surroundings_of_training_are_dropped():
    labels = Volume(np.array([[[0, 1, 62, 99, 100, 104, 150]]], np.uint8), np.eye(4))
    assert structures_only(labels).array.ravel().tolist() == [0, 1, 62, 99, 0, 0, 0]
