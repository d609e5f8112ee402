"""Contrasts of linear models: known effects, nulls, permutation, false discoveries."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from scipy import stats
from statsmodels.stats.multitest import multipletests

from BrainstemALSLib.cohort_analysis.comparisons import (
    cross_sectional,
    group_question,
    onset_question,
    trend_question,
)
from BrainstemALSLib.cohort_analysis.design import build_design
from BrainstemALSLib.cohort_analysis.linear import answer, false_discovery, hedges_g
from BrainstemALSLib.cohort_analysis.options import Notes
from BrainstemALSLib.cohort_analysis.permutation import freedman_lane

from .conftest import QUICK
from .small_cohort import small_cohort

STRUCTURES = ("medulla", "pons", "midbrain", "pyramid_left", "pyramid_right", "brainstem")


def row(table, measure, structure, contrast="ALS - HC", analysis="group"):
    found = table[
        (table.measure == measure) & (table.structure == structure)
        & (table.contrast == contrast) & (table.analysis == analysis)
    ]  # fmt: skip
    assert len(found) == 1
    return found.iloc[0]


def test_known_effects_are_recovered_with_their_units(designed):
    cohort = small_cohort(1, {"HC": 400, "ALS": 400}, {"ALS": -0.8})
    design, notes = designed(cohort)
    table = cross_sectional(design, QUICK, notes)
    medulla = row(table, "volume", "medulla")
    assert medulla.low < -0.8 * 500 < medulla.high
    assert medulla.adjusted_d == pytest.approx(-0.8, abs=0.2)
    assert medulla.percent_low < 100 * -0.8 * 500 / 6000 < medulla.percent_high
    assert medulla.p < 1e-6
    assert medulla.q < 1e-6
    assert medulla.adjusted_for == "age, sex, intracranial volume, site"
    fa = row(table, "fa", "medulla")
    assert fa.difference == pytest.approx(-0.8 * 0.04, rel=0.25)
    assert fa.adjusted_for == "age, sex, site"


def test_the_model_is_that_of_statsmodels(designed):
    from statsmodels.formula.api import ols

    design, notes = designed(small_cohort(2, {"HC": 30, "ALS": 50}, {"ALS": -0.5}))
    found = answer(group_question(design), design, QUICK, notes, [("volume", "medulla")]).iloc[0]
    data = design.people.assign(y=design.first["volume", "medulla"])
    fit = ols("y ~ C(group, Treatment('HC')) + age + male + icv + C(site)", data).fit(
        cov_type="HC2", use_t=True
    )
    name = next(n for n in fit.params.index if "ALS" in n)
    assert found.difference == pytest.approx(fit.params[name])
    assert found.standard_error == pytest.approx(fit.bse[name])
    t = fit.params[name] / fit.bse[name]
    assert found.p == pytest.approx(2 * stats.t.sf(abs(t), found.df))
    assert 40 < found.df < fit.df_resid


def test_intervals_hold_the_truth_and_null_p_values_are_uniform():
    held, p = [], []
    many = {"structures": STRUCTURES, "measures": ("fa",)}
    for seed in range(40):
        cohort = small_cohort(seed, {"HC": 30, "ALS": 50}, {"ALS": -0.4}, **many)
        design = build_design(cohort, Notes())
        table = answer(group_question(design), design, QUICK, Notes())
        held += list((table.low < -0.4 * 0.04) & (table.high > -0.4 * 0.04))
        null = small_cohort(1000 + seed, {"HC": 30, "ALS": 50}, **many)
        design = build_design(null, Notes())
        p += list(answer(group_question(design), design, QUICK, Notes()).p)
    # 240 intervals: 0.95 with three binomial standard deviations either side.
    assert len(held) == 240
    assert 0.908 < np.mean(held) < 0.992
    assert stats.kstest(p, "uniform").pvalue > 0.01
    assert np.mean(np.array(p) < 0.05) < 0.1


def test_the_interval_of_d_knows_that_its_standard_deviation_is_an_estimate(designed):
    design, notes = designed(small_cohort(9, {"HC": 15, "ALS": 15}, {"ALS": -3.0}))
    line = answer(group_question(design), design, QUICK, notes).iloc[0]
    sd = line.difference / line.adjusted_d
    assert line.adjusted_d_high - line.adjusted_d_low > 1.2 * (line.high - line.low) / sd


def test_onset_contrasts_and_the_difference_between_onsets(designed):
    cohort = small_cohort(3, {"HC": 300, "ALS": 500}, {"bulbar": -1.0, "spinal": -0.4})
    design, notes = designed(cohort)
    table = answer(onset_question(design), design, QUICK, notes, [("fa", "medulla")])
    table = table.set_index("contrast")
    assert table.loc["bulbar - HC"].adjusted_d == pytest.approx(-1.0, abs=0.25)
    assert table.loc["spinal - HC"].adjusted_d == pytest.approx(-0.4, abs=0.25)
    assert table.loc["bulbar - spinal"].high < 0
    assert "respiratory has 0" in table.loc["respiratory - HC"].remark
    assert np.isnan(table.loc["respiratory - HC"].p)


def test_a_trend_over_stages_is_the_change_per_stage(designed):
    cohort = small_cohort(4, {"HC": 20, "ALS": 300}, measures=("fa",))
    stage = cohort.visits.set_index("participant_id").kings.astype(float)
    value = cohort.measures.value - 0.01 * cohort.measures.participant_id.map(stage).fillna(0)
    cohort.measures["value"] = value.where(cohort.measures.measure == "fa", cohort.measures.value)
    design, notes = designed(cohort)
    found = answer(trend_question(design), design, QUICK, notes, [("fa", "medulla")]).iloc[0]
    assert found.low < -0.01 < found.high
    assert found.high < 0
    assert found.n == 300


def test_permutation_agrees_with_t_where_t_is_right():
    rng = np.random.default_rng(0)
    n = 300
    X = np.column_stack([np.ones(n), rng.random(n) < 0.5, rng.normal(size=(n, 2))]).astype(float)
    Y = rng.normal(size=(n, 4)) + np.outer(X[:, 1], [0.0, 0.15, 0.3, 0.6]) + 2 * X[:, 2:3]
    contrast = np.array([0.0, 1, 0, 0])
    p = freedman_lane(X, contrast, Y, 4000, 1)
    beta, rest, *_ = np.linalg.lstsq(X, Y, rcond=None)
    error = np.sqrt(rest / (n - 4) * np.linalg.inv(X.T @ X)[1, 1])
    expected = 2 * stats.t.sf(np.abs(beta[1] / error), n - 4)
    np.testing.assert_allclose(p, expected, atol=4 * 0.5 / np.sqrt(4000))
    assert 1 / 4001 - 1e-12 <= p[3] < 0.002


def test_permutation_is_freedman_lane_refitted_by_hand():
    # Few people and many covariates: the variants of the method differ here.
    rng = np.random.default_rng(5)
    n, draws = 12, 4000
    X = np.column_stack([np.ones(n), rng.normal(size=(n, 6))])
    y = rng.normal(size=n) + 1.2 * X[:, 1]

    def t(values):
        beta, rest, *_ = np.linalg.lstsq(X, values, rcond=None)
        return abs(beta[1]) / np.sqrt(rest[0] / (n - 7) * np.linalg.inv(X.T @ X)[1, 1])

    Z = np.delete(X, 1, axis=1)
    fitted = Z @ np.linalg.lstsq(Z, y, rcond=None)[0]
    again = [t(fitted + rng.permutation(y - fitted)) for _ in range(draws)]
    expected = np.mean(np.array(again) >= t(y))
    found = freedman_lane(X, np.eye(7)[1], y[:, None], draws, 0)[0]
    assert 0.01 < expected < 0.5
    assert found == pytest.approx(expected, abs=4 * np.sqrt(2 * expected / draws))


def test_permutation_tests_combinations_of_effects_and_repeats_with_its_seed():
    rng = np.random.default_rng(1)
    n = 90
    levels = np.repeat([0, 1, 2], 30)
    X = np.column_stack([np.ones(n), levels == 1, levels == 2, rng.normal(size=n)]).astype(float)
    y = rng.normal(size=n) + 1.5 * (levels > 0)
    alike = freedman_lane(X, np.array([0.0, 1, -1, 0]), y[:, None], 500, 3)
    assert alike[0] > 0.01
    assert freedman_lane(X, np.array([0.0, 1, 0, 0]), y[:, None], 500, 3)[0] < 0.01
    assert freedman_lane(X, np.array([0.0, 1, -1, 0]), y[:, None], 500, 3) == alike
    constant = freedman_lane(X, np.array([0.0, 1, 0, 0]), np.ones((n, 1)), 50, 3)
    assert np.isnan(constant[0])


def test_permutation_is_right_under_the_null_with_an_unequal_covariate():
    rng = np.random.default_rng(2)
    n, p = 40, []
    for seed in range(40):
        group = (rng.random(n) < 0.4).astype(float)
        age = rng.normal(size=n) + group
        X = np.column_stack([np.ones(n), group, age])
        Y = rng.normal(size=(n, 10)) + age[:, None]
        p += list(freedman_lane(X, np.array([0.0, 1, 0]), Y, 199, seed))
    assert stats.kstest(p, "uniform").pvalue > 0.001
    assert 0.02 < np.mean(np.array(p) <= 0.05) < 0.085


def test_false_discovery_rates_are_those_of_benjamini_and_hochberg():
    p = pd.Series([0.001, np.nan, 0.01, 0.03, 0.04, 0.5])
    q = false_discovery(p)
    np.testing.assert_allclose(q.dropna(), multipletests(p.dropna(), method="fdr_bh")[1])
    assert np.isnan(q[1])
    assert false_discovery(pd.Series([np.nan])).isna().all()


def test_families_are_corrected_apart(designed):
    cohort = small_cohort(5, {"HC": 40, "ALS": 60}, structures=("medulla", "pons", "midbrain"))
    design, notes = designed(cohort)
    table = cross_sectional(design, QUICK, notes)
    part = table[(table.contrast == "ALS - HC") & (table.measure == "fa")]
    np.testing.assert_allclose(part.q, false_discovery(part.p))


def test_hedges_g_is_a_corrected_mean_difference():
    one, other = np.array([1.0, 2, 3, 4]), np.array([3.0, 4, 5, 6, 7])
    found = hedges_g(one, other, 0.05)
    pooled = np.sqrt((3 * one.var(ddof=1) + 4 * other.var(ddof=1)) / 7)
    assert found["hedges_g"] == pytest.approx((1 - 3 / 27) * -2.5 / pooled)
    assert found["hedges_g_low"] < found["hedges_g"] < found["hedges_g_high"]


def test_permutation_p_values_stand_beside_the_others(designed):
    design, notes = designed(small_cohort(6, effects={"ALS": -1.5}))
    table = cross_sectional(design, replace(QUICK, permutations=200), notes)
    found = row(table, "volume", "medulla")
    assert found.p_permutation == pytest.approx(1 / 201)
    assert found.q_permutation == pytest.approx(1 / 201)
