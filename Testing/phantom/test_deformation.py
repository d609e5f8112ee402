import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from BrainstemALSLib.phantom import deformation

SPACING = np.array([1.0, 1.0, 1.0])


def tilted_cylinder(slope):
    i, j, k = np.indices((48, 48, 40))
    return (i - 24 - slope * (k - 20)) ** 2 + (j - 24) ** 2 <= 10**2


def soft_volume(mask, field):
    return deformation.warp(mask.astype(np.float32), field, SPACING, 1).sum()


@settings(max_examples=15, deadline=None)
@given(strength=st.floats(-0.06, 0.1), slope=st.floats(-0.2, 0.2))
def test_a_cylinder_shrinks_by_the_square_of_the_strength(strength, slope):
    mask = tilted_cylinder(slope)
    change = soft_volume(mask, deformation.shrink(mask, SPACING, strength)) / mask.sum()
    assert change == pytest.approx(1 / (1 + strength) ** 2, abs=0.02)


def test_shrinking_stays_local():
    mask = tilted_cylinder(0.0)
    field = deformation.shrink(mask, SPACING, 0.05)
    size = np.linalg.norm(field, axis=0)
    assert size.max() < 1.0
    assert size[0, 0].max() < 0.02
    assert np.all(field[2] == 0), "no displacement along the body"


def test_a_wanted_loss_is_reached():
    mask = tilted_cylinder(0.1)
    unit = deformation.shrink(mask, SPACING, 1.0)
    strength = deformation.strength_for(7.0, lambda s: soft_volume(mask, s * unit))
    assert 1 - soft_volume(mask, strength * unit) / mask.sum() == pytest.approx(0.07, abs=0.002)


def test_the_random_shape_is_smooth_and_never_folds():
    shape = deformation.random_shape((60, 70, 50), SPACING, np.random.default_rng(5))
    assert shape.std() == pytest.approx(deformation.SHAPE_AMPLITUDE_MM, rel=1e-3)
    gradient = np.stack([np.stack(np.gradient(part)) for part in shape])
    jacobian = np.linalg.det(np.moveaxis(gradient, (0, 1), (-2, -1)) + np.eye(3))
    assert jacobian.min() > 0.3


@settings(max_examples=10, deadline=None)
@given(shift=st.tuples(*[st.integers(-3, 3)] * 3), spacing=st.floats(0.5, 2.0))
def test_warping_by_whole_voxels_is_a_shift(shift, spacing):
    array = np.random.default_rng(0).integers(0, 50, (16, 17, 18)).astype(np.uint8)
    field = np.zeros((3, *array.shape), np.float32)
    for axis, step in enumerate(shift):
        field[axis] = step * spacing
    warped = deformation.warp(array, field, np.full(3, spacing), 0)
    inner = (slice(4, -4),) * 3
    moved = np.roll(array, [-s for s in shift], axis=(0, 1, 2))
    np.testing.assert_array_equal(warped[inner], moved[inner])
