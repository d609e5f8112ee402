"""Scores of censored predictions against sums over people, and against scikit-survival."""

from __future__ import annotations

import numpy as np
import pytest

from training.evaluation import prediction_survival_scores as scores

N = 80


@pytest.fixture(scope="module")
def data():
    """Follow-up with ties among times and among risks, and what would have predicted it."""
    rng = np.random.default_rng(0)
    end, censored = np.ceil(rng.exponential(20, N)), np.ceil(rng.uniform(5, 40, N))
    event = end <= censored
    risk = np.round(1 / (1 + np.exp(end / 20 - 1 + rng.standard_normal(N))), 1)
    return scores.Censored(np.minimum(end, censored), event), risk


def free_of_censoring(data, at: float, before: bool) -> float:
    """The censoring curve by its definition; at a tie events come first."""
    curve = 1.0
    for t in sorted(set(data.time[~data.event])):
        if t < at or (t == at and not before):
            at_risk = sum((data.time > t) | ((data.time == t) & ~data.event))
            curve *= 1 - sum((data.time == t) & ~data.event) / at_risk
    return curve


def pairs(data, risk, weight, comparable) -> float:
    """Concordance by two loops."""
    right = whole = 0.0
    for i in range(N):
        for j in range(N):
            if i != j and comparable(i, j):
                whole += weight(i)
                right += weight(i) * ((risk[i] > risk[j]) + 0.5 * (risk[i] == risk[j]))
    return right / whole


def later(data, i, j) -> bool:
    same = data.time[j] == data.time[i] and not data.event[j]
    return bool(data.event[i]) and (data.time[j] > data.time[i] or same)


def test_concordances_are_the_sums_over_pairs(data):
    follow, risk = data
    once = scores.bootstrap(N, 0, np.random.default_rng(0))
    expected = pairs(follow, risk, lambda i: 1.0, lambda i, j: later(follow, i, j))
    assert scores.harrell(follow, risk, once)[0] == pytest.approx(expected, rel=1e-5)
    expected = pairs(
        follow, risk, lambda i: free_of_censoring(follow, follow.time[i], True) ** -2.0,
        lambda i, j: later(follow, i, j) and follow.time[i] < 24,
    )  # fmt: skip
    assert scores.uno(follow, risk, once, 24.0)[0] == pytest.approx(expected, rel=1e-5)
    expected = pairs(
        follow, risk, lambda i: 1 / free_of_censoring(follow, follow.time[i], True),
        lambda i, j: follow.event[i] and follow.time[i] <= 12 and follow.time[j] > 12,
    )  # fmt: skip
    assert scores.auc(follow, risk, once, 12.0)[0] == pytest.approx(expected, rel=1e-5)


def test_a_replicate_is_the_score_of_the_people_drawn(data):
    follow, risk = data
    m = scores.bootstrap(N, 1, np.random.default_rng(1))
    rows = np.repeat(np.arange(N), m[1].astype(int))
    drawn = scores.Censored(follow.time[rows], follow.event[rows])
    once = np.ones((1, N), np.float32)
    # A person drawn twice is no pair with himself: his times are one, and he had an event in both.
    alone = scores.harrell(drawn, risk[rows], once)[0]
    assert scores.harrell(follow, risk, m)[1] == pytest.approx(alone, rel=1e-5)


def test_brier_score_is_the_weighted_mean_square(data):
    follow, risk = data
    expected = 0.0
    for i in range(N):
        if follow.event[i] and follow.time[i] <= 12:
            expected += (1 - risk[i]) ** 2 / free_of_censoring(follow, follow.time[i], True)
        elif follow.time[i] > 12:
            expected += risk[i] ** 2 / free_of_censoring(follow, 12.0, False)
    assert scores.brier(follow, risk, 12.0).mean() == pytest.approx(expected / N)
    times = np.array([6.0, 12.0, 18.0])
    curves = np.stack([risk, risk, risk], axis=1)
    parts = [scores.brier(follow, risk, t).mean() for t in times]
    mean = (parts[0] / 2 + parts[1] + parts[2] / 2) / 2
    assert scores.integrated_brier(follow, curves, times).mean() == pytest.approx(mean)


def test_without_censoring_they_are_the_plain_scores():
    rng = np.random.default_rng(2)
    time = rng.exponential(15, 400)
    risk = np.clip(np.exp(-time / 20) + 0.2 * rng.standard_normal(400), 0.01, 0.99)
    follow = scores.Censored(time, np.ones(400, bool))
    m = scores.bootstrap(400, 0, rng)
    from sklearn.metrics import roc_auc_score

    had = time <= 12
    assert scores.auc(follow, risk, m, 12.0)[0] == pytest.approx(roc_auc_score(had, risk), rel=1e-4)
    assert scores.brier(follow, risk, 12.0).mean() == pytest.approx(np.mean((had - risk) ** 2))
    benefit = np.mean(had & (risk >= 0.3)) - np.mean(~had & (risk >= 0.3)) * 3 / 7
    assert scores.net_benefit(follow, risk, 12.0, 0.3, m)[0] == pytest.approx(benefit, rel=1e-4)
    bins = scores.calibration(follow, risk, 12.0, m[0], bins=4)
    assert bins[:, 2] == pytest.approx(0.25)
    lowest = np.argsort(risk)[:100]
    assert bins[0, :2] == pytest.approx([risk[lowest].mean(), had[lowest].mean()])


def test_a_calibrated_prediction_has_slope_one_and_an_overconfident_one_less():
    rng = np.random.default_rng(3)
    logit = 1.5 * rng.standard_normal(20000)
    risk = 1 / (1 + np.exp(-logit))
    had = rng.uniform(size=len(risk)) < risk
    follow = scores.Censored(np.where(had, 6.0, 20.0), had)
    once = np.ones(len(risk))
    slope, offset = scores.slope_and_intercept(follow, risk, 12.0, once)
    assert (slope, offset) == pytest.approx((1.0, 0.0), abs=0.06)
    sure = 1 / (1 + np.exp(-2 * logit))
    assert scores.slope_and_intercept(follow, sure, 12.0, once)[0] == pytest.approx(0.5, abs=0.03)
    calibrated, off = (scores.calibration(follow, r, 12.0, once) for r in (risk, sure))
    assert scores.expected_error(calibrated) < 0.02 < scores.expected_error(off)


def test_the_incidence_of_a_cause_is_its_share_where_causes_are_alike():
    rng = np.random.default_rng(4)
    time = rng.exponential(20, 5000)
    cause = np.where(time < 30, rng.choice(3, 5000, p=[0.7, 0.2, 0.1]), -1)
    follow = np.minimum(time, 30.0)
    found = scores.aalen_johansen(follow, cause, (1, 2), 12.0)
    assert found == pytest.approx(0.3 * np.mean(time <= 12), abs=0.012)


def test_scikit_survival_says_the_same():
    metrics = pytest.importorskip("sksurv.metrics", reason="scikit-survival is not installed")
    from sksurv.util import Surv

    rng = np.random.default_rng(5)
    end, censored = rng.exponential(20, 300), rng.uniform(5, 48, 300)
    time, event = np.minimum(end, censored), end <= censored
    risk = 1 / (1 + np.exp(end / 20 - 1 + rng.standard_normal(300)))
    follow, m = scores.Censored(time, event), scores.bootstrap(300, 0, rng)
    y = Surv.from_arrays(event, time)
    found = (
        scores.harrell(follow, risk, m)[0],
        scores.uno(follow, risk, m, 36.0)[0],
        scores.auc(follow, risk, m, 12.0)[0],
        scores.brier(follow, risk, 12.0).mean(),
    )
    expected = (
        metrics.concordance_index_censored(event, time, risk)[0],
        metrics.concordance_index_ipcw(y, y, risk, 36.0)[0],
        metrics.cumulative_dynamic_auc(y, y, risk, [12.0])[0][0],
        metrics.brier_score(y, y, (1 - risk)[:, None], [12.0])[1][0],
    )
    assert found == pytest.approx(expected, rel=1e-5)
