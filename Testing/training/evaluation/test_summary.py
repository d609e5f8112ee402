"""Many cases in one line."""

import math

import numpy as np
import pytest

from BrainstemALSLib.anatomy import CONTEXT, by_key, load_structures
from training.evaluation.metrics import Score
from training.evaluation.summary import bootstrap_mean, bootstrap_over, groups, line_of, summarise


def sheet(dice, **of):
    return {
        s.key: Score(s.key, of.get(s.key, dice), 1.0, 2.0, 100.0, 100.0 if dice else 0.0)
        for s in load_structures()
    }


def test_tiers_hold_brainstem_structures_of_that_tier_only():
    for tier in ("A", "B"):
        members = [by_key()[key] for key in groups()[f"tier_{tier}"]]
        assert {s.tier for s in members} == {tier}
        assert CONTEXT not in {s.parent for s in members}
    assert set(groups()[CONTEXT]) == {"cerebral_aqueduct", "fourth_ventricle"}


def test_mean_over_cases_of_the_mean_over_structures():
    lines = summarise({"a": sheet(0.6), "b": sheet(0.8)})
    tier = line_of(lines, "tier_A")
    assert tier.cases == 2
    assert tier.dice.mean == pytest.approx(0.7)
    assert tier.dice.low <= 0.7 <= tier.dice.high


def test_structures_missing_from_both_maps_are_left_out():
    lines = summarise({"a": sheet(0.6), "b": sheet(0.8, red_nucleus_left=math.nan)})
    line = line_of(lines, "red_nucleus_left")
    assert (line.cases, line.dice.mean) == (1, 0.6)
    assert line_of(lines, "tier_A").dice.mean == pytest.approx(0.7)


def test_missed_structures_are_counted_and_lower_the_mean():
    lines = summarise({"a": sheet(0.8), "b": sheet(0.0)})
    line = line_of(lines, "pyramid_left")
    assert (line.missed, line.dice.mean) == (1, 0.4)
    assert line_of(lines, "tier_B").missed == len(groups()["tier_B"])


def test_interval_covers_the_mean_narrows_with_subjects_and_repeats():
    generator = np.random.default_rng(0)
    few, many = generator.normal(0.8, 0.05, 8), generator.normal(0.8, 0.05, 200)
    wide, narrow = bootstrap_mean(few, 1), bootstrap_mean(many, 1)
    assert wide.low < wide.mean < wide.high
    assert narrow.high - narrow.low < wide.high - wide.low
    assert bootstrap_mean(few, 1) == wide
    # The normal theory interval of the mean, for comparison.
    half = 1.96 * many.std(ddof=1) / math.sqrt(many.size)
    assert narrow.high - narrow.mean == pytest.approx(half, rel=0.15)


def test_interval_of_equal_scores_is_a_point_and_of_one_is_unknown():
    same = bootstrap_mean([0.9, 0.9, 0.9])
    assert same.low == pytest.approx(0.9) == same.high
    assert math.isnan(bootstrap_mean([0.9, math.nan]).low)
    assert math.isnan(bootstrap_mean([]).mean)


def test_interval_of_a_statistic_is_that_of_the_mean_when_the_statistic_is_the_mean():
    values = np.random.default_rng(3).normal(0.8, 0.05, 30)
    of_rows = bootstrap_over(np.stack([values, values], 1), lambda rows: rows[:, 1].mean(), 1)
    of_mean = bootstrap_mean(values, 1)
    assert of_rows.mean == pytest.approx(of_mean.mean)
    assert of_rows.low == pytest.approx(of_mean.low, abs=1e-3)
    assert of_rows.high == pytest.approx(of_mean.high, abs=1e-3)
    assert math.isnan(bootstrap_over(np.zeros((0, 2)), np.mean).mean)
