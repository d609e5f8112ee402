"""The ENCALS model gives the published curve, refuses what it can't say, and can be drawn from."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from BrainstemALSLib.errors import BrainstemALSError
from BrainstemALSLib.prognosis import encals

PATIENT = {
    "age_at_onset": 60.0,
    "diagnostic_delay": 12.0,
    "progression_rate": 0.6,
    "fvc": 85.0,
    "bulbar_onset": False,
    "definite_ee": False,
    "ftd": False,
    "c9orf72": False,
}
LP = st.floats(-10, 2)
LEVEL = st.floats(0.001, 0.999)


def test_the_medians_of_the_anchors_are_within_two_percent():
    for lp, months in encals.ANCHORS.items():
        assert encals.median_survival(lp) == pytest.approx(months, rel=0.02)


def test_the_linear_predictor_is_the_published_sum():
    # Written out once more with the numbers of the public R code.
    x = 12 / 10
    expected = (
        -1.837 / math.sqrt(0.6 + 0.1)
        - 2.373 * (1 / math.sqrt(x) + math.log(x))
        - 0.267 / 0.6**2
        + 0.477 * (1 / 0.85 + 1 / math.sqrt(0.85))
    )
    assert encals.linear_predictor(**PATIENT) == pytest.approx(expected)
    worst = dict.fromkeys(["bulbar_onset", "definite_ee", "ftd", "c9orf72"], True)
    assert encals.linear_predictor(**PATIENT | worst) == pytest.approx(
        expected + 0.269 + 0.233 + 0.388 + 0.256
    )


def test_without_c9orf72_the_coefficients_fitted_without_it_are_taken():
    x = 12 / 10
    expected = (
        -1.839 / math.sqrt(0.6 + 0.1)
        - 2.376 * (1 / math.sqrt(x) + math.log(x))
        - 0.264 / 0.6**2
        + 0.474 * (1 / 0.85 + 1 / math.sqrt(0.85))
        + 0.271
    )
    unknown = PATIENT | {"c9orf72": None, "bulbar_onset": True}
    assert encals.linear_predictor(**unknown) == pytest.approx(expected)


def test_the_curve_is_that_of_the_public_r_code():
    # s(t) at LP 0 written out for t = 30 months, between the two inner knots.
    t = math.log(30)
    first = (t - 3.108) ** 3 - 0.481323 * (t - 0.081) ** 3
    second = -0.390507 * (t - 0.081) ** 3
    odds = math.exp(-6.409 + 2.643 * t - 0.546 * first + 0.585 * second - 4)
    assert encals.survival(-4.0, 30) == pytest.approx(1 / (1 + odds), rel=1e-4)


def test_the_log_odds_are_straight_in_log_time_beyond_the_last_knot():
    # What makes the spline natural, and where the public R code leaves out a cube.
    months = np.exp([6.0, 6.5, 7.0, 7.5])
    free = encals.survival(-8.0, months)
    steps = np.diff(np.log((1 - free) / free))
    assert steps == pytest.approx(np.full(3, steps[0]))
    assert steps[0] > 0


@pytest.mark.parametrize(
    ("name", "better", "worse"),
    [
        ("age_at_onset", 40, 75),
        ("diagnostic_delay", 30, 4),
        ("progression_rate", 0.2, 1.5),
        ("fvc", 110, 50),
        ("bulbar_onset", False, True),
        ("definite_ee", False, True),
        ("ftd", False, True),
        ("c9orf72", False, True),
    ],
)
def test_each_predictor_works_in_the_published_direction(name, better, worse):
    medians = [
        encals.median_survival(encals.linear_predictor(**PATIENT | {name: value}))
        for value in (better, worse)
    ]
    assert medians[0] > medians[1]


@settings(deadline=None)
@given(LP, st.floats(0, 300), st.floats(0, 300))
def test_survival_falls_with_time_and_with_the_linear_predictor(lp, one, other):
    early, late = sorted((one, other))
    assert 0 <= encals.survival(lp, late) <= encals.survival(lp, early) <= 1
    assert encals.survival(lp + 1, early) <= encals.survival(lp, early)
    assert encals.survival(lp, 0.0) == 1


@settings(deadline=None)
@given(LP, LEVEL, st.floats(0, 120))
def test_a_draw_is_the_inverse_of_survival(lp, level, alive_at):
    months = encals.draw_survival(lp, level, alive_at)
    assert months >= alive_at
    assert encals.survival(lp, months, alive_at) == pytest.approx(level, rel=1e-6)


def test_many_draws_have_the_survival_of_the_curve():
    uniform = np.random.default_rng(0).uniform(size=4000)
    drawn = encals.draw_survival(np.full(4000, -4.0), uniform)
    for months in (12, 31.5, 60):
        assert np.mean(drawn > months) == pytest.approx(encals.survival(-4.0, months), abs=0.025)


def test_who_is_alive_now_has_survived_until_now():
    assert encals.survival(-4.0, [10.0, 20.0], alive_at=20.0) == pytest.approx([1, 1])
    assert encals.median_survival(-4.0, alive_at=40.0) > 40


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        ({"age_at_onset": 12}, "age at onset 12 years is outside 18-95"),
        ({"diagnostic_delay": 0}, "diagnostic delay"),
        ({"progression_rate": -0.5}, "progression rate"),
        ({"progression_rate": 40}, "progression rate"),
        ({"fvc": 3.2}, "fvc"),
        ({"fvc": None}, "fvc is missing"),
        ({"ftd": None}, "ftd is missing"),
        ({"ftd": 2}, "neither yes nor no"),
        ({"age_at_onset": [50, 60, 10]}, "age at onset 10"),
    ],
)
def test_what_it_was_not_made_for_is_refused(change, problem):
    with pytest.raises(BrainstemALSError, match=problem):
        encals.linear_predictor(**PATIENT | change)


def test_a_table_may_abstain_row_by_row_or_be_clipped():
    ages = {"age_at_onset": [60, 12, np.nan]}
    found = encals.linear_predictor(**PATIENT | ages, outside="nan")
    assert np.isnan(found).tolist() == [False, True, True]
    assert np.isnan(encals.median_survival(found)).tolist() == [False, True, True]
    assert np.isnan(encals.survival(found, 12.0)).tolist() == [False, True, True]
    clipped = encals.linear_predictor(**PATIENT | ages, outside="clip")
    assert clipped[1] == encals.linear_predictor(**PATIENT | {"age_at_onset": 18})


@pytest.mark.parametrize(
    "call", [lambda: encals.draw_survival(-4, 1), lambda: encals.survival(-4, -1)]
)
def test_impossible_probabilities_and_times_are_refused(call):
    with pytest.raises(BrainstemALSError, match="ENCALS"):
        call()


def test_the_groups_are_in_order_and_hold_their_published_medians():
    medians = [number.value for number in encals.PROVENANCE if number.name.startswith("median ")]
    grid = np.linspace(-9, 0, 901)
    groups = [encals.risk_group(lp) for lp in grid]
    assert list(dict.fromkeys(groups)) == list(reversed(encals.GROUPS))
    at = encals.median_survival(grid)
    for name, months in zip(encals.GROUPS, medians, strict=True):
        assert groups[int(np.argmin(np.abs(at - months)))] == name
    assert encals.risk_group(float("nan")) is None


def test_the_contributions_add_up():
    parts = encals.contributions(**PATIENT)
    assert len(parts) == 8
    assert sum(parts.values()) == pytest.approx(encals.linear_predictor(**PATIENT))


def test_every_number_says_where_it_comes_from():
    names = [number.name for number in encals.PROVENANCE]
    assert len(names) == len(set(names))
    for number in encals.PROVENANCE:
        assert number.status in {"verified(code)", "memory", "own"}
        assert number.unit
        assert number.source
