"""Scores of shapes whose scores are known on paper."""

import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from BrainstemALSLib.anatomy import by_key, composites, load_structures
from BrainstemALSLib.errors import BrainstemALSError, ExitCode
from BrainstemALSLib.imaging.volume import Volume
from training.evaluation.metrics import score_labels, score_masks

ISOTROPIC = np.ones(3)


def cube(shape=(30, 30, 30), start=(8, 8, 8), size=10):
    mask = np.zeros(shape, bool)
    mask[tuple(slice(a, a + size) for a in start)] = True
    return mask


def ball(radius_mm, spacing, shape):
    centre = (np.array(shape) - 1) / 2
    offset = (np.indices(shape).T - centre) * spacing
    return (np.linalg.norm(offset, axis=-1) <= radius_mm).T


def test_equal_cubes_agree_perfectly():
    score = score_masks(cube(), cube(), ISOTROPIC, 1.0)
    assert (score.dice, score.nsd, score.assd_mm, score.hd95_mm) == (1.0, 1.0, 0.0, 0.0)
    assert score.volume_bias_percent == 0


def test_cube_shifted_by_three_of_ten_voxels():
    score = score_masks(cube(start=(11, 8, 8)), cube(), ISOTROPIC, 1.0)
    assert score.dice == pytest.approx(0.7)  # 2 * 700 / (1000 + 1000)
    assert 0 < score.assd_mm < 3
    assert score.hd95_mm == pytest.approx(3.0)
    assert score.volume_error_percent == 0


@settings(max_examples=15, deadline=None)
@given(
    shift=st.integers(1, 4),
    axis=st.integers(0, 2),
    step=st.floats(0.4, 3.0),
)
def test_hausdorff_distance_follows_the_spacing_of_the_axis_of_the_shift(shift, axis, step):
    spacing = np.ones(3)
    spacing[axis] = step
    start = np.array([8, 8, 8])
    start[axis] += shift
    score = score_masks(cube(start=start), cube(), spacing, step)
    assert score.hd95_mm <= shift * step + 1e-4
    assert score.dice == pytest.approx(1 - shift / 10)
    if step <= 1:  # no shorter way round through the neighbouring faces
        assert score.hd95_mm == pytest.approx(shift * step, rel=1e-4)


def test_concentric_balls_are_apart_by_the_difference_of_their_radii():
    spacing = np.array([0.5, 0.5, 1.0])
    shape = (64, 64, 32)
    score = score_masks(ball(12, spacing, shape), ball(9, spacing, shape), spacing, 0.25)
    # Distances run between voxel centres, so half the finest voxel is as good as it gets.
    assert score.assd_mm == pytest.approx(3.0, abs=0.25)
    assert score.hd95_mm == pytest.approx(3.0, abs=0.6)
    assert score.dice == pytest.approx(2 * 9**3 / (9**3 + 12**3), abs=0.01)
    assert score.volume_bias_percent == pytest.approx(100 * ((12 / 9) ** 3 - 1), abs=3)


def test_surface_within_a_millimetre_counts_as_right():
    near = score_masks(cube(start=(9, 8, 8)), cube(), ISOTROPIC, 1.0)
    assert near.nsd == 1
    assert score_masks(cube(start=(9, 8, 8)), cube(), ISOTROPIC * 1.5, 3.4).nsd < 0.9
    assert score_masks(cube(start=(19, 19, 19)), cube(), ISOTROPIC, 1.0).nsd == 0


def test_sphere_shifted_by_twice_the_tolerance_has_half_its_surface_right():
    # A point at angle c = cos(theta) from the shift lies | sqrt(R^2 + 4 - 4 R c) - R | from the
    # other sphere: at most 1 mm for (3 - 2 R) / 4 R <= c <= (3 + 2 R) / 4 R, half of the surface.
    spacing = np.full(3, 0.25)
    sphere = ball(8, spacing, (90, 80, 80))
    shifted = np.roll(sphere, 8, axis=0)
    score = score_masks(shifted, sphere, spacing, 0.25**3)
    assert score.nsd == pytest.approx(0.5, abs=0.04)


def test_bias_is_of_the_volume_users_see():
    score = replace(score_masks(cube(), cube(), ISOTROPIC, 1.0), soft_mm3=900.0)
    assert score.volume_bias_percent == pytest.approx(-10)
    assert not score.missed
    assert replace(score, soft_mm3=None).volume_bias_percent == 0


def test_scores_do_not_depend_on_the_room_around_the_masks():
    wide = score_masks(cube(start=(11, 8, 8)), cube(), ISOTROPIC, 1.0)
    tight = score_masks(
        cube(start=(11, 8, 8))[8:21, 8:18, 8:18], cube()[8:21, 8:18, 8:18], ISOTROPIC, 1.0
    )
    assert tight == wide


def test_score_is_symmetric_but_for_the_sign_of_the_volume():
    a, b = cube(size=8), cube(start=(9, 8, 8), size=10)
    one, other = score_masks(a, b, ISOTROPIC, 1.0), score_masks(b, a, ISOTROPIC, 1.0)
    assert one.assd_mm == pytest.approx(other.assd_mm)
    assert one.hd95_mm == pytest.approx(other.hd95_mm)
    assert one.volume_bias_percent < 0 < other.volume_bias_percent


def test_both_empty_says_nothing():
    none = np.zeros((5, 5, 5), bool)
    score = score_masks(none, none, ISOTROPIC, 1.0)
    assert math.isnan(score.dice)
    assert math.isnan(score.nsd)
    assert math.isnan(score.volume_error_percent)
    assert not score.missed
    assert not score.spurious


def test_missed_and_spurious_structures_score_nought():
    none = np.zeros((30, 30, 30), bool)
    missed = score_masks(none, cube(), ISOTROPIC, 1.0)
    assert missed.dice == missed.nsd == 0
    assert math.isnan(missed.assd_mm)
    assert missed.volume_bias_percent == -100
    assert missed.missed
    spurious = score_masks(cube(), none, ISOTROPIC, 1.0)
    assert spurious.dice == spurious.nsd == 0
    assert math.isnan(spurious.volume_error_percent)
    assert spurious.spurious


def test_label_maps_are_scored_by_structure_and_composite():
    index = {key: s.index for key, s in by_key().items()}
    affine = np.diag([0.5, 0.5, 0.5, 1.0])
    truth = np.zeros((40, 40, 40), np.uint8)
    truth[5:15, 5:15, 5:15] = index["pyramid_left"]
    truth[15:25, 5:15, 5:15] = index["pyramid_right"]
    swapped = truth.copy()
    swapped[5:15, 5:15, 5:15] = index["pyramid_right"]
    swapped[15:25, 5:15, 5:15] = index["pyramid_left"]
    scores = score_labels(Volume(swapped, affine), Volume(truth, affine))
    assert scores["pyramid_left"].dice == 0  # sides are told apart ...
    assert scores["medulla"].dice == 1  # ... and the region does not mind
    assert scores["medulla"].truth_mm3 == pytest.approx(2000 / 8)
    assert set(scores) == {s.key for s in load_structures()} | set(composites())
    assert math.isnan(scores["midbrain"].dice)


def test_surroundings_of_training_count_as_background():
    affine = np.eye(4)
    truth = np.zeros((20, 20, 20), np.uint8)
    truth[5:12, 5:12, 5:12] = 1
    predicted = truth.copy()
    predicted[12:, 12:, 12:] = 104
    assert score_labels(Volume(predicted, affine), Volume(truth, affine))["brainstem"].dice == 1


def test_different_grids_are_refused():
    array = np.ones((4, 4, 4), np.uint8)
    moved = np.eye(4)
    moved[0, 3] = 0.5
    with pytest.raises(BrainstemALSError) as refusal:
        score_labels(Volume(array, np.eye(4)), Volume(array, moved))
    assert refusal.value.code == ExitCode.MISMATCHED_IMAGES
