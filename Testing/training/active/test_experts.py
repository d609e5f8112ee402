"""Simulated experts: better than the model, worse than the truth, each in his own way."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from BrainstemALSLib.imaging.volume import Volume
from training.active.coarse import dice
from training.active.effort import Work, added_path, minutes
from training.active.experts import Expert, rounded
from training.active.profiles import PROFILES, Profile
from training.active.regions import Place, box_mask

LEFT, RIGHT, RED = 23, 24, 9
SPACING = 1.5
AFFINE = np.diag([SPACING] * 3 + [1.0])
EXACT = Profile("exact", 0, 10, 0, 0, 0, 0, 0, 0, 1)


def volume(array: np.ndarray) -> Volume:
    return Volume(array, AFFINE)


def truth() -> Volume:
    """Two large halves and a small nucleus."""
    array = np.zeros((32, 40, 36), np.uint8)
    array[6:16, 8:32, 6:30] = LEFT
    array[16:26, 8:32, 6:30] = RIGHT
    array[11:13, 18:21, 16:19] = RED
    return volume(array)


def wrong(true: Volume) -> Volume:
    """The model's drawing: moved along j, the nucleus forgotten."""
    array = np.roll(true.array, 3, axis=1)
    array[array == RED] = LEFT
    return volume(array)


def mean_dice(a: Volume, b: Volume) -> float:
    return float(np.nanmean(dice(a.array, b.array)))


def test_an_expert_without_errors_draws_the_truth():
    true = truth()
    opinion = Expert(EXACT).correct(wrong(true), true, exam=1)
    assert np.array_equal(opinion.correction.array, true.array)
    assert np.array_equal(opinion.changed.array, true.array != wrong(true).array)
    assert opinion.weights.array.all()
    assert opinion.keys == ("red_nucleus_left", "basis_pontis_left", "basis_pontis_right")


def test_profiles_differ_in_how_well_they_draw():
    true = truth()
    before = wrong(true)
    scores = {
        name: np.mean(
            [mean_dice(Expert(name, s).correct(before, true, s).correction, true) for s in range(6)]
        )
        for name in PROFILES
    }
    assert 0.995 > scores["careful"] > scores["quick"] > scores["novice"]
    assert scores["novice"] > mean_dice(before, true)


def test_the_same_person_and_exam_give_the_same_drawing_and_another_day_another():
    true = truth()
    before = wrong(true)
    first = Expert("novice", 4).correct(before, true, exam=7)
    again = Expert("novice", 4).correct(before, true, exam=7)
    assert np.array_equal(first.correction.array, again.correction.array)
    assert first.minutes == again.minutes
    day = Expert("novice", 4).correct(before, true, exam=8)
    person = Expert("novice", 5).correct(before, true, exam=7)
    for other in (day, person):
        assert not np.array_equal(first.correction.array, other.correction.array)


def test_jitter_has_the_size_that_was_asked_for():
    """A flat face that is off by normal errors of sigma: what they sweep is 0.8 sigma wide."""
    true = np.zeros((40, 40, 40), np.uint8)
    true[10:, :, :] = LEFT
    fine = np.diag([0.5, 0.5, 0.5, 1.0])
    one = Volume(true, fine)
    widths = []
    for exam in range(12):
        expert = Expert(replace(EXACT, jitter_mm=1.5, wave_mm=5.0), 1)
        drawn = expert.correct(Volume(np.zeros_like(true), fine), one, exam)
        face = (drawn.correction.array[:25] == LEFT).sum(0)
        widths.append(np.abs(face - 15).mean() * 0.5)
    # Between its control points the field is linear, and weaker: 2/3 of it or more is left.
    assert 0.4 * 1.5 < np.mean(widths) < 0.85 * 1.5


def test_a_lasting_error_is_the_same_every_day():
    true = truth()
    expert = Expert(replace(EXACT, bias_mm=2.0), 3)
    days = [expert.correct(wrong(true), true, exam).correction.array for exam in range(3)]
    assert all(np.array_equal(days[0], day) for day in days)
    assert not np.array_equal(days[0], true.array)


def test_small_structures_are_overlooked_at_the_rate_of_the_profile():
    true = truth()
    before = wrong(true)
    profile = replace(EXACT, small_mm3=200.0, overlook=0.4)
    missed = [
        not (Expert(profile, 1).correct(before, true, exam).correction.array == RED).any()
        for exam in range(200)
    ]
    assert 0.3 < np.mean(missed) < 0.5
    blind = Expert(replace(profile, overlook=1.0)).correct(before, true, 1)
    assert mean_dice(blind.correction, before) < 1, "large structures are corrected all the same"
    assert blind.weights.array.all(), "and the expert vouches for what he overlooked"


def test_small_errors_are_left_and_large_ones_are_not():
    true = truth()
    before = volume(true.array.copy())
    before.array[8, 10, 10] = RIGHT  # 3.4 mm3
    before.array[8:12, 24:28, 8:12] = RIGHT
    opinion = Expert(replace(EXACT, ignore_mm3=10.0)).correct(before, true, 1)
    assert opinion.correction.array[8, 10, 10] == RIGHT
    assert (opinion.correction.array[8:12, 24:28, 8:12] == LEFT).all()


def test_only_the_places_that_were_asked_for_are_looked_at():
    true = truth()
    before = wrong(true)
    place = Place((20.0, 14.0, 24.0), 12.0, (), 1.0, "")
    opinion = Expert("quick", 2).correct(before, true, 1, places=[place])
    inside = box_mask(true.shape, AFFINE, place.centre_ras, place.size_mm)
    assert np.array_equal(opinion.weights.array > 0, inside)
    assert opinion.changed.array.any()
    assert not (opinion.changed.array & ~inside).any()
    whole = Expert("quick", 2).correct(before, true, 1)
    assert opinion.minutes < whole.minutes


def test_only_the_structures_that_were_asked_for_are_looked_at():
    true = truth()
    before = wrong(true)
    opinion = Expert(EXACT).correct(before, true, 1, keys=["red_nucleus_left"])
    assert (opinion.correction.array == RED).sum() == (true.array == RED).sum()
    assert np.array_equal(opinion.weights.array > 0, true.array == RED)
    assert opinion.keys == ("red_nucleus_left",)


def test_rounding_takes_corners_and_keeps_what_is_flat():
    true = truth().array
    soft = rounded(true, np.array([1.0, 1.0, 1.0]))
    assert soft[6, 8, 6] == 0
    assert soft[10, 20, 10] == LEFT
    assert np.array_equal(rounded(true, np.zeros(3)), true)


def test_maps_of_two_grids_are_refused():
    with pytest.raises(ValueError, match="one grid"):
        Expert().correct(volume(truth().array[1:]), truth(), 1)


def test_minutes_grow_with_every_kind_of_work():
    base = minutes(Work(0, 0, 0.0, 0))
    assert base > 0
    for more in (Work(1, 0, 0, 0), Work(0, 1, 0, 0), Work(0, 0, 50, 0), Work(0, 0, 0, 1)):
        assert minutes(more) > base
    assert minutes(Work(3, 0, 90, 4), pace=2.0) == pytest.approx(2 * minutes(Work(3, 0, 90, 4)))


def test_added_path_is_the_contour_that_was_not_there():
    before = np.zeros((12, 12, 5), np.uint8)
    after = before.copy()
    after[3:8, 3:8, 1:3] = LEFT
    length, slices = added_path(before, after, np.array([2.0, 2.0, 3.0]))
    assert (length, slices) == (2 * 16 * 2.0, 2), "16 voxels of 2 mm around a square of 5, twice"
    assert added_path(after, after, np.ones(3)) == (0.0, 0)
    grown = after.copy()
    grown[8, 3:8, 1] = LEFT
    length, slices = added_path(after, grown, np.ones(3))
    assert slices == 1
    assert 5 <= length <= 7


def test_thousands_of_opinions_a_minute():
    import time

    true = truth()
    before = wrong(true)
    started = time.process_time()
    for exam in range(20):
        Expert("novice", 1).correct(before, true, exam)
    assert time.process_time() - started < 1.2, "1000 a minute at the very least"
