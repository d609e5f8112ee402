"""The page of the stages: its figures from known forecasts, its marks from a tiny run."""

from __future__ import annotations

import numpy as np
import pytest

from BrainstemALSLib.prediction.stage_model import OrdinalModel
from training.evaluation import prediction_stage as page
from training.evaluation import prediction_stage_driven as driven
from training.evaluation import prediction_stage_page as words
from training.evaluation import prediction_stage_scores as scores
from training.evaluation.prediction_stage_cases import gain_of_images, permuted
from training.prediction import stage_fit
from training.prediction.stage import StagedVisits


def all_of(statistic, n):
    return statistic(np.ones(n))


def test_a_calibrated_forecast_has_a_small_error_and_a_bold_one_a_large_one():
    rng = np.random.default_rng(0)
    p = rng.dirichlet(np.ones(4), size=4000)
    stage = (rng.uniform(size=(4000, 1)) > np.cumsum(p, axis=1)).sum(axis=1).clip(0, 3)
    assert all_of(scores.calibration_error_of(p, stage), 4000) < 0.02
    bold = np.eye(4)[p.argmax(axis=1)] * 0.97 + 0.01 * (1 - np.eye(4)[p.argmax(axis=1)])
    assert all_of(scores.calibration_error_of(bold, stage), 4000) > 0.1


def test_kappa_is_that_of_sklearn_and_counts_far_errors_more():
    from sklearn.metrics import cohen_kappa_score

    stage = np.array([0, 1, 2, 3] * 5)
    near, far = np.eye(4)[np.minimum(stage + 1, 3)], np.eye(4)[3 - stage]
    assert all_of(scores.kappa_of(np.eye(4)[stage], stage), 20) == pytest.approx(1.0)
    assert all_of(scores.kappa_of(near, stage), 20) > 0.3
    assert all_of(scores.kappa_of(far, stage), 20) < 0
    p = np.random.default_rng(1).dirichlet(np.ones(4), size=20)
    other = cohen_kappa_score(stage, p.argmax(axis=1), weights="quadratic", labels=range(4))
    assert all_of(scores.kappa_of(p, stage), 20) == pytest.approx(other)
    assert np.isnan(all_of(scores.kappa_of(np.eye(4)[[0, 0]], np.array([0, 0])), 2))


def test_an_interval_keeps_a_persons_visits_together_and_holds_the_mean():
    rng = np.random.default_rng(1)
    person = np.repeat(np.arange(40), 25)
    own = rng.standard_normal(40)[person]
    value, low, high = scores.over_people(scores.mean_of(own), person, 2)
    _, alone, apart = scores.over_people(scores.mean_of(own), np.arange(1000), 2)
    assert value == pytest.approx(own.mean())
    assert low < value < high
    assert high - low > 3 * (apart - alone)


def test_runs_of_right_probabilities_hold_their_level():
    rng = np.random.default_rng(5)
    x = rng.standard_normal((5000, 1))
    score = 1.5 * x[:, 0] + rng.logistic(size=5000)
    stage = np.searchsorted([-1.0, 0.4, 1.5], score)
    one = np.ones(1)
    model = OrdinalModel(
        ("x",), 0 * one, one, np.array([-1.0, 0.4, 1.5]), 1.5 * one,
        np.array([[-1.0, 0.4, 1.5, 1.5]]), 9.0, np.eye(1),
    )  # fmt: skip
    rows = scores.set_rows(model, x, stage, np.arange(5000), 3)
    for level, _, held, _, _, drawn, low, high, stages, *_ in rows:
        assert held >= level - 1.5
        assert low <= level <= high
        assert abs(drawn - level) < 2
        assert 1 <= stages <= 4


def test_runs_are_counted_by_answer_and_by_stage():
    """An answer that never changes holds two stages whole, and no other."""
    one = np.ones(1)
    theta = np.array([-0.5, 2.0, 3.0])
    model = OrdinalModel(
        ("x",), 0 * one, one, theta, 0 * one, np.append(theta, 0.0)[None], 9.0, np.eye(1)
    )
    stage = np.repeat(np.arange(4), 50)
    rows = scores.set_rows_given(model, np.zeros((200, 1)), stage, np.arange(200), 1)
    at = {(level, text): (visits, held) for level, text, visits, held, _, _ in rows}
    assert at[80.0, "run 1 to 2"] == (200, 50.0)
    assert at[80.0, "clinical stage 2"] == (50, 100.0)
    assert at[80.0, "clinical stage 3"] == (50, 0.0)
    assert {text for level, text in at if level == 95.0 and "run" in text} == {"run 1 to 3"}
    assert at[95.0, "clinical stage 4"] == (50, 0.0)


def test_images_that_know_the_stage_gain_and_dealt_out_stages_lose():
    rng = np.random.default_rng(7)
    stage = rng.integers(4, size=400)
    visits = StagedVisits(
        (stage + rng.normal(0, 0.3, 400))[:, None], ("x",), stage,
        np.arange(400).astype(str), np.full(400, ""),
    )  # fmt: skip
    theta = np.array([0.5, 1.5, 2.5])
    one = np.ones(1)
    sharp = OrdinalModel(
        ("x",), 0 * one, one, 8 * theta, 8 * one, np.append(8 * theta, 8)[None], 9.0, np.eye(1)
    )
    models, shares = {("all", "images"): sharp}, np.full(4, 0.25)
    gain, person = gain_of_images(models, shares, visits, "images", None)
    assert gain.mean() > 0.1
    assert len(person) == 400
    assert gain_of_images(models, shares, permuted(visits, 1), "images", None)[0].mean() < -0.05


@pytest.mark.parametrize(
    ("low", "high", "passed"),
    [
        (-0.0005, 0.0004, True),
        (0.0001, 0.002, False),
        (-0.004, -0.001, False),
        (-0.0015, 0.0012, None),
        (-0.001, 0.02, None),
        (0.001, 0.02, False),
    ],
)
def test_a_silent_world_shows_gain_and_harm(low, high, passed):
    row = ("imaging effect 0, refit", "clinic", 9, 9, 0.0, low, high)
    text, reached = words._silent(row)
    assert reached is passed
    assert f"{low:.4f} to {high:.4f}" in text


def test_the_furthest_row_is_told():
    text, reached = words._within("Runs", [(80.0, 81.0), (95.0, 91.5)])
    assert not reached
    assert "3.5 off (91.5 of 95 %)" in text


def test_a_small_run_makes_the_whole_page(monkeypatch):
    monkeypatch.setattr(driven, "CONTROLS", 15)
    monkeypatch.setattr(driven, "TIMED", 5)
    monkeypatch.setattr(page, "LARGE_PARTS", 1)
    monkeypatch.setattr(scores, "RESAMPLES", 20)
    monkeypatch.setattr(stage_fit, "PENALTIES", (30.0,))
    found = page.evaluate(seed=77, scale=0.016)
    assert found.kind == "simulated"
    assert [t.name for t in found.tables] == [
        "kings", "sets", "sets_given", "intervals", "added", "disease", "disease_intervals",
        "disease_counts", "disease_order",
    ]  # fmt: skip
    assert sum("refit" in text for text, _ in found.marks) == 6
    assert "simulated" in found.notes[-1]
    assert found.tables[0].rows[0][:2] == ("all", "images")
