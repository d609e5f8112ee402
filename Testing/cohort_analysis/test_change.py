"""Change over time, correlation with scores, sensitivity."""

import warnings
from dataclasses import replace

import numpy as np
import pytest
from scipy import stats

from BrainstemALSLib.cohort_analysis.correlation import clinical_correlations, partial_spearman
from BrainstemALSLib.cohort_analysis.design import build_design
from BrainstemALSLib.cohort_analysis.mixed import change_over_time, fit_trajectory
from BrainstemALSLib.cohort_analysis.options import Notes
from BrainstemALSLib.cohort_analysis.reml import fit_reml
from BrainstemALSLib.cohort_analysis.sensitivity import residual_method, sensitivity

from .conftest import QUICK
from .small_cohort import small_cohort


def longitudinal(seed, persons=40, slope_sd=0.5):
    rng = np.random.default_rng(seed)
    ids = np.repeat(np.arange(persons), rng.integers(1, 5, persons))
    times = rng.uniform(0, 2, len(ids))
    group = (ids % 2).astype(float)
    X = np.column_stack([np.ones(len(ids)), group, times, group * times])
    b = np.column_stack([rng.normal(size=persons), slope_sd * rng.normal(size=persons)])
    y = X @ [0.0, 0.3, -0.1, -0.4] + b[ids, 0] + b[ids, 1] * times + 0.4 * rng.normal(size=len(ids))
    return y, X, np.column_stack([np.ones(len(ids)), times]), ids


def covariance(X, Z, ids, other):
    """Generalised least squares, written out with the variances that statsmodels found."""
    information = np.zeros((X.shape[1],) * 2)
    for one in np.unique(ids):
        x, z = X[ids == one], Z[ids == one]
        V = z @ other.cov_re @ z.T + other.scale * np.eye(len(x))
        information += x.T @ np.linalg.solve(V, x)
    return np.linalg.inv(information)


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_restricted_likelihood_finds_what_statsmodels_finds(seed):
    from statsmodels.regression.mixed_linear_model import MixedLM

    y, X, Z, ids = longitudinal(seed, 100)
    own = fit_reml(y, X, Z, ids)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # its search passes places where the covariance is singular
        other = MixedLM(y, X, groups=ids, exog_re=Z).fit(reml=True)
    assert other.converged
    assert own.converged
    assert not own.degenerate
    np.testing.assert_allclose(own.beta, other.fe_params, atol=2e-3)
    np.testing.assert_allclose(own.covariance, covariance(X, Z, ids, other), rtol=0.02, atol=1e-4)
    np.testing.assert_allclose(own.random, other.cov_re, atol=0.01)
    assert own.residual == pytest.approx(other.scale, rel=0.02)


def test_a_random_slope_without_variance_is_seen():
    found = [fit_reml(*longitudinal(seed, 60, slope_sd=0.0)).degenerate for seed in range(8)]
    assert sum(found) >= 1
    assert not fit_reml(*longitudinal(1, 60, slope_sd=1.0)).degenerate


def test_slopes_are_recovered_and_differ_by_group(designed):
    cohort = small_cohort(
        1, {"HC": 80, "ALS": 120}, visits=4, slopes={"ALS": -1.0, "HC": -0.1}, measures=("volume",)
    )
    design, notes = designed(cohort)
    table = change_over_time(design, QUICK, notes, [("volume", "medulla")])
    table = table[table.analysis == "change"].set_index("contrast")
    assert table.loc["ALS"].low < -500 < table.loc["ALS"].high
    assert table.loc["HC"].low < -50 < table.loc["HC"].high
    difference = table.loc["ALS - HC"]
    assert difference.low < -450 < difference.high
    assert difference.q < 0.001
    assert difference.random_effects == "intercept and slope"
    assert difference.visits == 480
    assert table.loc["ALS"].percent_per_year == pytest.approx(100 * -500 / 6000, rel=0.2)


def test_two_visits_have_no_random_slope_and_say_so(designed):
    design, notes = designed(small_cohort(2, visits=2, measures=("fa",)))
    table = change_over_time(design, QUICK, notes, [("fa", "medulla")])
    assert set(table.analysis) == {"change", "change, all patients"}
    assert set(table.random_effects) == {"intercept"}
    assert "three visits" in table.remark.iloc[0]
    assert ("mixed model", table.remark.iloc[0]) in notes.found


def test_one_visit_gives_a_reason_instead_of_a_slope(designed):
    design, notes = designed(small_cohort(3))
    table = change_over_time(design, QUICK, notes, [("fa", "medulla")])
    assert table.p.isna().all()
    assert table.remark.iloc[0]
    assert any(about == "change of ALS" for about, _ in notes.found)


def test_a_measure_without_variance_between_persons_gets_clustered_errors(designed):
    structures = ("medulla", "pons", "midbrain", "brainstem", "pyramid_left", "pyramid_right")
    cohort = small_cohort(4, visits=3, measures=("fa",), structures=structures)
    rng = np.random.default_rng(0)
    cohort.measures["value"] = np.where(
        cohort.measures.measure == "fa", 0.5 + 0.01 * rng.normal(size=len(cohort.measures)),
        cohort.measures.value,
    )  # fmt: skip
    design, notes = designed(cohort)
    kinds = {fit_trajectory(design, key, QUICK, notes).random for key in design.measures_of("fa")}
    assert "none (clustered errors)" in kinds
    assert any(about == "mixed model" for about, _ in notes.found)


def test_partial_rank_correlation_is_spearmans_without_covariates():
    rng = np.random.default_rng(0)
    x = rng.normal(size=60)
    y = x + rng.normal(size=60)
    rho, low, high, p = partial_spearman(x, y, np.ones((60, 1)), 0.05)
    expected = stats.spearmanr(x, y)
    assert rho == pytest.approx(expected.statistic)
    assert p == pytest.approx(expected.pvalue, rel=1e-6)
    assert low < rho < high


def test_partial_rank_correlation_takes_the_covariate_away():
    rng = np.random.default_rng(1)
    z = rng.normal(size=400)
    x, y = z + 0.3 * rng.normal(size=400), z + 0.3 * rng.normal(size=400)
    Z = np.column_stack([np.ones(400), stats.rankdata(z)])
    rho, low, high, _ = partial_spearman(x, y, Z, 0.05)
    assert stats.spearmanr(x, y).statistic > 0.8
    assert abs(rho) < 0.15
    assert low < 0 < high


def test_the_interval_of_a_correlation_counts_its_covariates():
    rng = np.random.default_rng(2)
    x, y, Z = rng.normal(size=20), rng.normal(size=20), rng.normal(size=(20, 6))
    Z = np.column_stack([np.ones(20), Z])
    rho, low, high, _ = partial_spearman(x, y, Z, 0.05)
    error = (np.arctanh(high) - np.arctanh(low)) / (2 * stats.norm.ppf(0.975))
    assert error == pytest.approx(np.sqrt((1 + rho**2 / 2) / (20 - 6 - 3)))


def test_correlations_find_the_score_that_follows_the_structure(designed):
    design, notes = designed(small_cohort(5, {"HC": 20, "ALS": 150}))
    table = clinical_correlations(design, QUICK, notes)
    found = table[(table.score == "alsfrs_total") & (table.structure == "medulla")]
    linked = found[found.measure == "volume"].iloc[0]
    assert linked.low > 0.3
    assert linked.n == 150
    assert (table[table.score == "fvc"].q > 0.01).all()


def test_sensitivity_names_every_variant_and_compares_with_the_reported_one(designed):
    cohort = small_cohort(6, {"HC": 60, "ALS": 90}, {"ALS": -1.0})
    cohort.measures.loc[cohort.measures.index[::9], "quality"] = "warning"
    design, notes = designed(cohort)
    table, summary = sensitivity(design, QUICK, notes)
    summary = summary.set_index("variant")
    assert list(summary.index) == [
        "as reported", "without warnings", "without site", "harmonised by ComBat",
        "with age squared",
        "without intracranial volume", "intracranial volume by residuals",
    ]  # fmt: skip
    assert summary.loc["as reported", "lost"] == 0
    assert summary.loc["without warnings", "n"] < summary.loc["as reported", "n"]
    assert (summary.found > 0).all()
    residual = table[table.variant == "intracranial volume by residuals"]
    assert "intracranial" not in " ".join(residual.adjusted_for)


def test_the_residual_method_takes_the_slope_of_controls(designed):
    design, _ = designed(small_cohort(7, {"HC": 200, "ALS": 30}))
    freed = residual_method(design)
    controls = design.people.group == "HC"
    icv = design.people.icv[controls]
    assert abs(np.corrcoef(freed["volume", "medulla"][controls], icv)[0, 1]) < 1e-9
    assert freed["fa", "medulla"].equals(design.first["fa", "medulla"])


def test_a_wider_alpha_gives_narrower_intervals():
    design = build_design(small_cohort(8, visits=3, measures=("fa",)), Notes())
    key = [("fa", "medulla")]
    wide = change_over_time(design, QUICK, Notes(), key)
    narrow = change_over_time(design, replace(QUICK, alpha=0.3), Notes(), key)
    assert ((narrow.high - narrow.low) < (wide.high - wide.low)).all()
