"""Statistics against another way to compute them: resampling, other packages, written-out sums."""

import numpy as np
import pytest
from scipy import stats

from BrainstemALSLib.cohort_analysis.comparisons import cross_sectional, group_question
from BrainstemALSLib.cohort_analysis.correlation import partial_spearman
from BrainstemALSLib.cohort_analysis.covariates import build_matrix, terms_for
from BrainstemALSLib.cohort_analysis.linear import answer
from BrainstemALSLib.cohort_analysis.mixed import AS_SEEN, change_over_time, fit_trajectory
from BrainstemALSLib.cohort_analysis.options import Notes
from BrainstemALSLib.cohort_analysis.results import number
from BrainstemALSLib.cohort_analysis.robust import robust_fit

from .conftest import QUICK
from .small_cohort import small_cohort


def half(line, name):
    return (line[f"{name}_high"] - line[f"{name}_low"]) / 2


def test_the_share_and_its_interval_are_those_of_drawn_coefficients(designed):
    design, notes = designed(small_cohort(1, {"HC": 40, "ALS": 60}, {"ALS": -1.0}))
    key = ("volume", "medulla")
    line = answer(group_question(design), design, QUICK, notes, [key]).iloc[0]
    people = design.people
    terms = terms_for("volume", QUICK.adjust)
    effect = (people.group == "ALS").to_numpy(float)[:, None]
    X = build_matrix(effect, people, terms, Notes(), "").X
    fit = robust_fit(design.first[[key]].to_numpy(), X)
    drawn = np.random.default_rng(0).multivariate_normal(fit.beta[:, 0], fit.covariance(0), 40_000)
    share = 100 * drawn[:, 1] / drawn[:, 0]  # covariates are centred: the intercept is the controls
    assert line.percent == pytest.approx(np.mean(share), abs=0.05)
    t = stats.t.ppf(0.975, line.df)
    assert half(line, "percent") == pytest.approx(t * share.std(), rel=0.03)


def test_the_share_of_a_change_counts_that_its_start_is_an_estimate(designed):
    cohort = small_cohort(2, {"HC": 30, "ALS": 40}, visits=3, slopes={"ALS": -3.0})
    design, notes = designed(cohort)
    table = change_over_time(design, QUICK, notes, [("volume", "medulla")])
    table = table[table.analysis == AS_SEEN].set_index("contrast")
    fit = fit_trajectory(design, ("volume", "medulla"), QUICK, Notes())
    drawn = np.random.default_rng(0).multivariate_normal(fit.beta, fit.covariance, 40_000)
    for name, weights, reference in (
        ("ALS", fit.slope("ALS"), "ALS"),
        ("ALS - HC", fit.slope("ALS") - fit.slope("HC"), "HC"),
    ):
        share = 100 * (drawn @ weights) / (drawn @ fit.start(reference))
        line = table.loc[name]
        assert line.percent_per_year == pytest.approx(share.mean(), abs=0.1)
        reach = (line.percent_high - line.percent_low) / 2
        assert reach == pytest.approx(stats.t.ppf(0.975, fit.df) * share.std(), rel=0.03)
        assert line.returned == line.n == fit.n["ALS"]


def test_the_interval_of_d_is_that_of_resampled_cohorts(designed):
    estimates, widths = [], []
    for seed in range(60):
        cohort = small_cohort(seed, {"HC": 25, "ALS": 35}, {"ALS": -1.2}, measures=("fa",))
        design, notes = designed(cohort)
        lines = answer(group_question(design), design, QUICK, notes)
        estimates += list(lines.adjusted_d)
        widths += [half(line, "adjusted_d") / stats.t.ppf(0.975, line.df) for _, line in
                   lines.iterrows()]  # fmt: skip
    # 120 estimates: their standard deviation is known to 6 %.
    assert np.mean(widths) == pytest.approx(np.std(estimates), rel=0.2)


def test_a_partial_rank_correlation_tests_what_a_regression_of_ranks_tests():
    from statsmodels.regression.linear_model import OLS

    rng = np.random.default_rng(3)
    z = rng.normal(size=(60, 2))
    x, y = z[:, 0] + rng.normal(size=60), 0.5 * z[:, 1] + rng.normal(size=60)
    Z = np.column_stack([np.ones(60), *(stats.rankdata(column) for column in z.T)])
    rho, low, high, p = partial_spearman(x, y, Z, 0.05)
    fit = OLS(stats.rankdata(y), np.column_stack([Z, stats.rankdata(x)])).fit()
    assert p == pytest.approx(fit.pvalues[-1])
    assert rho == pytest.approx(np.sign(fit.params[-1]) * np.sqrt(
        fit.tvalues[-1] ** 2 / (fit.tvalues[-1] ** 2 + fit.df_resid)
    ))  # fmt: skip
    again = []
    for _ in range(400):
        take = rng.integers(0, 60, 60)
        again.append(partial_spearman(x[take], y[take], Z[take], 0.05)[0])
    assert (high - low) / 3.92 == pytest.approx(np.std(again), rel=0.25)


def test_a_stage_that_cannot_be_read_is_named(designed):
    cohort = small_cohort(4, {"HC": 30, "ALS": 60})
    patients = cohort.visits.index[cohort.visits.kings.notna()]
    cohort.visits.loc[patients[0], "kings"] = "4A"
    cohort.visits.loc[patients[1:4], "kings"] = "0"
    design, notes = designed(cohort)
    text = " | ".join(problem for _, problem in notes.found)
    assert "'4A' is not compared: 1 patients" in text
    assert "0 in 3 patients" in text
    table = cross_sectional(design, QUICK, notes)
    trend = table[table.contrast == "trend per stage"]
    assert set(trend.n) == {56}


def test_nothing_is_written_as_less_than_nothing():
    assert number(-0.0004, 3, True) == "0.000"
    assert number(-0.0006, 3, True) == "-0.001"
    assert number(0.25, 2, True) == "+0.25"
    assert number(float("nan")) == "n/a"
