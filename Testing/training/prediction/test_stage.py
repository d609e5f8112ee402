"""Fitting King's stage: against statsmodels, by gradients, and what held-out people say."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.optimize import check_grad

from BrainstemALSLib.prediction.stage_model import joined, stage_probabilities
from training.prediction.stage import StagedVisits
from training.prediction.stage_fit import (
    chosen_penalty,
    fit,
    fit_model,
    folds,
    negative_log_likelihood,
    ranked_probability_score,
    reach_of,
)


def drawn(n=900, seed=1):
    rng = np.random.default_rng(seed)
    x = rng.standard_normal((n, 3))
    score = x @ np.array([1.0, -0.5, 0.0]) + rng.logistic(size=n)
    return x, np.searchsorted([-1.0, 0.4, 1.5], score)


def test_without_a_penalty_it_is_the_proportional_odds_model():
    from statsmodels.miscmodels.ordinal_model import OrderedModel

    x, stage = drawn()
    theta, beta, _ = fit(x, stage, 0.0)
    other = OrderedModel(stage, x, distr="logit")
    found = other.fit(method="bfgs", disp=False, maxiter=300)
    assert np.allclose(beta, found.params[:3], atol=0.01)
    assert np.allclose(theta, other.transform_threshold_params(found.params)[1:-1], atol=0.01)


def test_the_gradient_is_right():
    x, stage = drawn(200)

    def value(p):
        return negative_log_likelihood(p, x, stage, 2.0)[0]

    def slope(p):
        return negative_log_likelihood(p, x, stage, 2.0)[1]

    rng = np.random.default_rng(0)
    for _ in range(5):
        point = rng.normal(0, 0.5, 6)
        assert check_grad(value, slope, point) < 1e-3 * np.abs(slope(point)).max()


def test_a_perfect_forecast_scores_nothing_and_a_far_one_most():
    stage = np.array([0, 0, 0])
    forecasts = np.eye(4)[[0, 1, 3]]
    assert ranked_probability_score(forecasts, stage).tolist() == pytest.approx([0.0, 1 / 3, 1.0])


def test_noise_gets_a_strong_penalty():
    rng = np.random.default_rng(3)
    stage = rng.integers(4, size=150)
    person = np.arange(150) // 2
    fold = folds(person, rng)
    assert all(len(set(fold[person == one])) == 1 for one in np.unique(person))
    penalty, forecasts = chosen_penalty(rng.standard_normal((150, 12)), stage, fold)
    assert penalty >= 30.0
    assert np.allclose(forecasts.sum(axis=1), 1.0)


@pytest.mark.parametrize("bold", [0.5, 1.0, 2.5])
def test_runs_of_new_people_hold_their_level_whatever_the_forecast(bold):
    """Forecasts too flat or too bold are made up for; a right one needs no less than its level."""
    x, stage = drawn(6000, seed=4)
    score = x @ np.array([1.0, -0.5, 0.0])
    forecasts = stage_probabilities(bold * score, bold * np.array([-1.0, 0.4, 1.5]))
    reach = reach_of(forecasts[:3000], stage[:3000])
    own = joined(forecasts)[np.arange(6000), stage][3000:]
    for level, least in reach.items():
        assert abs((own <= least).mean() - level) < 0.025
    bare = (own <= 0.8).mean()
    assert (bare < 0.85) == (bold == 2.5)


def test_refits_scatter_as_the_coefficients_do():
    x, stage = drawn()
    model = fit_model(("a", "b", "c"), 2 * x + 5, stage, np.arange(len(stage)), 2, replicates=25)
    assert np.allclose(model.mean, 5, atol=0.3)
    spread = model.replicates[:, 3:].std(axis=0)
    assert (np.abs(model.beta - [1.0, -0.5, 0.0]) < 4 * spread).all()
    assert (spread < 0.15).all()
    thresholds = model.replicates[:, :3]
    assert (np.diff(thresholds, axis=1) > 0).all()


def test_whole_sites_are_held_out_where_there_are_many():
    names = np.array([f"p{k}" for k in range(30)])
    many, few = np.array([f"s{k % 12}" for k in range(30)]), np.array(["a", "b"] * 15)
    empty = np.zeros((30, 0)), (), np.zeros(30, int), names
    assert StagedVisits(*empty, many).held is many
    assert StagedVisits(*empty, few).held is names
