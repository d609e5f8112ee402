"""Maps on another grid: scalars and directions keep their place in the patient."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation

from BrainstemALSLib.imaging.maps_on_grid import directions_on_grid, scalars_on_grid
from BrainstemALSLib.imaging.volume import Volume

SHAPE = (14, 15, 16)
AFFINE = np.array([[-2.0, 0, 0, 14], [0, 2.0, 0, -15], [0, 0, 2.0, -16], [0, 0, 0, 1]])


def places(shape, affine):
    return np.moveaxis(np.indices(shape), 0, -1) @ affine[:3, :3].T + affine[:3, 3]


def turning(points):
    """Directions that turn slowly from place to place."""
    angle = 0.05 * points[..., 0] + 0.03 * points[..., 2]
    height = 0.4 * np.sin(0.1 * points[..., 1])
    vectors = np.stack([np.cos(angle), np.sin(angle), height], axis=-1)
    return vectors / np.linalg.norm(vectors, axis=-1, keepdims=True)


@settings(max_examples=20, deadline=None)
@given(
    turns=st.tuples(*[st.floats(-180, 180)] * 3),
    spacing=st.tuples(*[st.floats(0.8, 2.5)] * 3),
    seed=st.integers(0, 2**16),
)
def test_directions_stay_those_of_the_place_whatever_the_grid(turns, spacing, seed):
    signs = np.random.default_rng(seed).choice([-1.0, 1.0], (*SHAPE, 1))
    v1 = Volume((signs * turning(places(SHAPE, AFFINE))).astype(np.float32), AFFINE)
    affine = np.eye(4)
    affine[:3, :3] = Rotation.from_euler("xyz", turns, degrees=True).as_matrix() @ np.diag(spacing)
    affine[:3, 3] = -affine[:3, :3] @ [3, 3, 3]

    placed = directions_on_grid(v1, (7, 7, 7), affine)

    points = places((7, 7, 7), affine)
    index = (points - AFFINE[:3, 3]) / np.diag(AFFINE)[:3]
    inner = ((index >= 1) & (index <= np.array(SHAPE) - 2)).all(axis=-1)
    assert inner.any()
    cosine = np.abs((placed.array * turning(points)).sum(axis=-1))[inner]
    assert np.degrees(np.arccos(np.clip(cosine.min(), 0, 1))) < 3
    np.testing.assert_array_equal(placed.affine, affine)


def test_nothing_is_shown_where_there_was_nothing():
    v1 = np.zeros((*SHAPE, 3), np.float32)
    v1[:7] = (0, 0, 1)
    placed = directions_on_grid(Volume(v1, AFFINE), SHAPE, AFFINE)
    np.testing.assert_allclose(np.abs(placed.array), np.abs(v1), atol=1e-6)
    away = AFFINE.copy()
    away[:3, 3] += 500
    assert not directions_on_grid(Volume(v1, AFFINE), SHAPE, away).array.any()


def test_scalars_are_interpolated_and_0_outside():
    ramp = places(SHAPE, AFFINE)[..., 2].astype(np.float32) + 20
    fine = AFFINE @ np.diag([0.5, 0.5, 0.5, 1])
    (placed,) = scalars_on_grid({"md": Volume(ramp, AFFINE)}, (20, 20, 40), fine).values()
    inside = placed.array[:20, :20, 2:29]
    expected = places((20, 20, 40), fine)[:, :, 2:29, 2] + 20
    np.testing.assert_allclose(inside, expected, atol=1e-4)
    assert placed.array[:, :, 32:].max() == 0
    assert placed.array.dtype == np.float32


def test_a_scalar_keeps_its_mean_on_a_coarser_grid():
    noise = np.random.default_rng(3).normal(1, 0.2, (24, 24, 24)).astype(np.float32)
    coarse = np.diag([2.0, 2.0, 2.0, 1.0])
    (placed,) = scalars_on_grid({"fa": Volume(noise, np.eye(4))}, (11, 11, 11), coarse).values()
    assert placed.array.mean() == pytest.approx(1, abs=0.01)
    assert placed.array.std() < 0.15
