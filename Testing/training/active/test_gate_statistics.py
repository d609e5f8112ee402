"""The bounds hold as often as they say."""

from __future__ import annotations

import numpy as np
import pytest

from training.active.gate_statistics import bootstrap_bounds, by_subject, paired_differences


def test_bounds_of_each_and_of_all_at_once_cover_as_often_as_they_should():
    draw = np.random.default_rng(0)
    n, columns, rounds = 12, 20, 300
    single = joint = 0
    for number in range(rounds):
        table = draw.normal(0.0, 1.0, (n, columns))
        found = bootstrap_bounds(table, 0.95, 1000, number)
        single += (found.low < 0).mean() / rounds
        joint += (found.joint_high > 0).all() / rounds
    assert single == pytest.approx(0.95, abs=0.02)
    assert joint >= 0.93  # with few subjects it errs towards saying nothing


def test_bounds_are_the_same_every_time_and_wider_together():
    table = np.random.default_rng(1).normal(0.01, 0.02, (10, 5))
    first, again = (bootstrap_bounds(table, 0.95, 500, 3) for _ in range(2))
    assert np.array_equal(first.low, again.low)
    assert (first.low < first.mean).all()
    assert (first.joint_high >= first.high).all()


def test_what_is_not_there_has_no_bounds():
    table = np.array([[0.1, np.nan, np.nan], [0.2, np.nan, 0.3], [0.3, np.nan, np.nan]])
    found = bootstrap_bounds(table, 0.95, 200)
    assert found.mean[0] == pytest.approx(0.2)
    assert np.isnan(found.mean[1])
    assert found.mean[2] == pytest.approx(0.3)
    assert np.isnan(found.low[1:]).all()
    assert np.isnan(bootstrap_bounds(table[:1], 0.95, 200).low).all()


def test_all_subjects_alike_have_bounds_at_the_mean():
    found = bootstrap_bounds(np.full((8, 2), 0.01), 0.95, 200)
    for bound in (found.low, found.high, found.joint_high):
        assert bound == pytest.approx([0.01, 0.01])


def test_what_is_rightly_left_out_counts_as_one():
    nothing, half = np.array([[np.nan, np.nan, 0.5]]), np.array([[0.0, np.nan, 0.75]])
    assert paired_differences(nothing, half)[0] == pytest.approx([-1.0, np.nan, 0.25], nan_ok=True)
    assert paired_differences(half, nothing)[0, 0] == 1.0


def test_exams_of_a_subject_count_as_one():
    table = np.array([[1.0], [3.0], [10.0], [np.nan]])
    assert by_subject(table, ["a", "a", "b", "b"]).ravel() == pytest.approx([2.0, 10.0])
