"""Rates of decline, the D50 course and FVC."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from BrainstemALSLib.errors import BrainstemALSError
from BrainstemALSLib.prognosis import d50, fvc, slope


def test_the_rate_before_a_visit_is_points_lost_by_months():
    assert slope.pre_slope(30, 18) == 1.0
    assert slope.pre_slope([48, 24], [5, 48]) == pytest.approx([0, 0.5])
    assert np.isnan(slope.pre_slope(None, 10))


@pytest.mark.parametrize(("total", "months"), [(49, 10), (-1, 10), (40, 0), (40, -3)])
def test_an_impossible_rate_is_refused(total, months):
    with pytest.raises(BrainstemALSError, match="ALSFRS-R slope"):
        slope.pre_slope(total, months)


def test_the_rate_between_visits():
    assert slope.slope([0, 3, 6], [40, 37, 34]) == pytest.approx(1)
    assert slope.slope([0, 3, 6], [40, np.nan, 34]) == pytest.approx(1)
    assert slope.last_slope([0, 3, 6], [40, 40, 34]) == pytest.approx(2)
    assert slope.slope([0], [40]) is None
    assert slope.slope([], []) is None
    assert slope.last_slope([0, 3], [40, None]) is None


@settings(deadline=None)
@given(
    st.floats(-3, 3), st.lists(st.integers(0, 60), min_size=2, max_size=6, unique=True).map(sorted)
)
def test_a_straight_line_has_its_slope(rate, months):
    assert slope.slope(months, 40 - rate * np.array(months)) == pytest.approx(rate, abs=1e-9)


@pytest.mark.parametrize(
    ("months", "totals", "problem"),
    [
        ([0, 6, 3], [40, 38, 36], "out of order"),
        ([0, 3, 3], [40, 38, 36], "one date"),
        ([0, np.nan], [40, 38], "no date"),
        ([0, 3], [40], "1 values for 2 visits"),
    ],
)
def test_visits_that_make_no_series_are_refused(months, totals, problem):
    with pytest.raises(BrainstemALSError, match=problem) as refusal:
        slope.slope(months, totals, subject="sub-007")
    assert refusal.value.subject == "sub-007"


def test_a_total_far_above_the_one_before_is_found():
    assert slope.unlikely_rises([0, 3, 6, 9], [40, 42, np.nan, 47]) == [3]
    assert slope.unlikely_rises([0, 3], [40, 44]) == []
    assert slope.unlikely_rises([0], [40]) == []


@pytest.mark.parametrize(("half", "ratio"), [(12, 0.25), (24, 0.2), (60, 0.3)])
def test_a_course_is_found_again_from_three_visits(half, ratio):
    true = d50.Course(half, half * ratio)
    months = half * np.array([0.6, 0.9, 1.2])
    found = d50.fit(months, true.total(months))
    assert found.d50 == pytest.approx(half, rel=0.05)
    assert found.total(half * 1.5) == pytest.approx(true.total(half * 1.5), abs=1.5)


def test_the_course_has_half_of_the_points_at_d50_and_loses_most_there():
    course = d50.Course(20.0, 5.0)
    assert course.total(20) == 24
    assert course.total(0) > 47
    months = np.linspace(0, 60, 601)
    assert months[np.argmax(course.loss(months))] == pytest.approx(20)
    assert np.gradient(course.total(months), months)[200] == pytest.approx(
        -course.loss(20), rel=1e-3
    )
    assert [course.phase(at) for at in (0, 9.9, 10, 19.9, 20, 90)] == [
        "I", "I", "II", "II", "III/IV", "III/IV",
    ]  # fmt: skip


@settings(deadline=None)
@given(st.floats(2, 60), st.integers(4, 46))
def test_one_visit_is_enough_and_a_lower_total_is_a_faster_course(months, total):
    found, worse = d50.fit([months], [total]), d50.fit([months], [total - 4])
    assert worse.d50 < found.d50
    assert abs(found.total(months) - total) < 6


def test_no_loss_has_no_course():
    assert d50.fit([10, 14], [48, 48]) is None
    assert d50.fit([10], [np.nan]) is None
    assert d50.fit([], []) is None


def test_a_visit_before_onset_has_no_course():
    with pytest.raises(BrainstemALSError, match="onset"):
        d50.fit([-2, 4], [47, 40])


def test_fvc_is_percent_and_not_litres():
    assert fvc.decline([0, 5], [90, 80]) == pytest.approx(2)
    assert fvc.decline([0, 5], [90, np.nan]) is None
    with pytest.raises(BrainstemALSError, match="% predicted"):
        fvc.checked([80, 3.4])
