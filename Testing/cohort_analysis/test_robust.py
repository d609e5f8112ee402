"""Robust errors: each figure against another way to compute it."""

import numpy as np
import pytest
from scipy import stats

from BrainstemALSLib.cohort_analysis.permutation import freedman_lane
from BrainstemALSLib.cohort_analysis.robust import robust_fit


def uneven(rng, few=3, many=60):
    """Two sites: nearly all patients at one, with few controls."""
    group = np.r_[np.zeros(few), np.ones(many), np.zeros(many), np.ones(few)]
    site = np.r_[np.zeros(few + many), np.ones(few + many)]
    return np.column_stack([np.ones(len(group)), group, site, rng.normal(size=len(group))])


def test_errors_are_those_of_statsmodels():
    from statsmodels.regression.linear_model import OLS

    rng = np.random.default_rng(0)
    X, Y = uneven(rng), rng.normal(size=(126, 3))
    fit = robust_fit(Y, X)
    for number in range(3):
        other = OLS(Y[:, number], X).fit(cov_type="HC2")
        np.testing.assert_allclose(fit.beta[:, number], other.params)
        np.testing.assert_allclose(fit.covariance(number), other.cov_params())
        assert fit.variance(number) == pytest.approx(other.mse_resid)


def test_two_groups_alone_are_welch_and_satterthwaite():
    # Without covariates HC2 is the variance of Welch's test. Bell and McCaffrey's degrees are
    # Satterthwaite's with equal variances put in: written out here.
    rng = np.random.default_rng(1)
    n, m = 7, 25
    y = rng.normal(size=n + m)
    X = np.column_stack([np.ones(n + m), np.arange(n + m) < n]).astype(float)
    fit, c = robust_fit(y[:, None], X), np.array([0.0, 1.0])
    welch = stats.ttest_ind(y[:n], y[n:], equal_var=False)
    assert fit.beta[1, 0] / np.sqrt(fit.covariance(0)[1, 1]) == pytest.approx(welch.statistic)
    expected = (1 / n + 1 / m) ** 2 / (1 / (n**2 * (n - 1)) + 1 / (m**2 * (m - 1)))
    assert fit.df(c) == pytest.approx(expected)


def test_the_degrees_match_the_moments_of_the_variance_they_stand_for():
    rng = np.random.default_rng(2)
    X, c = uneven(rng), np.array([0.0, 1, 0, 0])
    Y = rng.normal(size=(len(X), 20_000))
    fit = robust_fit(Y, X)
    variances = ((c @ fit.pull) ** 2) @ fit.rest**2
    found = 2 * variances.mean() ** 2 / variances.var()
    assert found == pytest.approx(fit.df(c), rel=0.1)
    assert fit.df(c) < 15 < fit.free


def test_few_controls_at_the_patients_scanner_do_not_find_too_much():
    # HC3 on n - k, the usual choice, does: the same data show it.
    rng = np.random.default_rng(3)
    own, usual = [], []
    for _ in range(150):
        X, c = uneven(rng), np.array([0.0, 1, 0, 0])
        Y = rng.normal(size=(len(X), 40))
        fit = robust_fit(Y, X)
        effect, square = fit.beta[1], (c @ fit.pull) ** 2
        t = np.abs(effect) / np.sqrt(square @ fit.rest**2)
        own.append(2 * stats.t.sf(t, fit.df(c)) < 0.05)
        leverage = 1 - np.sqrt(np.diagonal(fit.apart))
        t = np.abs(effect) / np.sqrt((square / (1 - leverage)) @ fit.rest**2)
        usual.append(2 * stats.t.sf(t, fit.free) < 0.05)
    # 6000 tests, independent of one another: standard error 0.003.
    assert 0.035 < np.mean(own) < 0.06
    assert np.mean(usual) > np.mean(own)


def test_permutations_within_sites_are_those_of_every_order():
    # Two sites of four: all 24 x 24 orders, refitted one by one.
    from itertools import permutations

    rng = np.random.default_rng(4)
    group = np.array([0.0, 0, 1, 1, 0, 1, 1, 1])
    site = np.repeat([0.0, 1.0], 4)
    X = np.column_stack([np.ones(8), group, site])
    y = rng.normal(size=8) + 1.2 * group + 3 * site

    def t(values):
        beta, rest, *_ = np.linalg.lstsq(X, values, rcond=None)
        return abs(beta[1]) / np.sqrt(rest[0] / 5 * np.linalg.inv(X.T @ X)[1, 1])

    Z = X[:, [0, 2]]
    fitted = Z @ np.linalg.lstsq(Z, y, rcond=None)[0]
    rest = y - fitted
    orders = [list(p) for p in permutations(range(4))]
    drawn = [t(fitted + np.r_[rest[:4][a], rest[4:][b]]) for a in orders for b in orders]
    exact = np.mean(np.array(drawn) >= t(y) * (1 - 1e-9))
    found = freedman_lane(X, np.array([0.0, 1, 0]), y[:, None], 6000, 0, site)[0]
    assert 0.02 < exact < 0.98
    assert found == pytest.approx(exact, abs=4 * np.sqrt(exact * (1 - exact) / 6000))
    free = freedman_lane(X, np.array([0.0, 1, 0]), y[:, None], 6000, 0)[0]
    assert abs(free - exact) > 4 * np.sqrt(exact * (1 - exact) / 6000)
