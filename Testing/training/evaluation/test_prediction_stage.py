"""The page of the stages: its figures from known forecasts, its marks from a tiny run."""

from __future__ import annotations

import numpy as np
import pytest

from training.evaluation import prediction_stage as page


def test_a_calibrated_forecast_has_a_small_error_and_a_bold_one_a_large_one():
    rng = np.random.default_rng(0)
    p = rng.dirichlet(np.ones(4), size=4000)
    stage = (rng.uniform(size=(4000, 1)) > np.cumsum(p, axis=1)).sum(axis=1).clip(0, 3)
    assert page.calibration_error(p, stage) < 0.02
    bold = np.eye(4)[p.argmax(axis=1)] * 0.97 + 0.01 * (1 - np.eye(4)[p.argmax(axis=1)])
    assert page.calibration_error(bold, stage) > 0.1


def test_kappa_counts_far_errors_more():
    stage = np.array([0, 1, 2, 3] * 5)
    near, far = np.eye(4)[np.minimum(stage + 1, 3)], np.eye(4)[3 - stage]
    assert page.weighted_kappa(np.eye(4)[stage], stage) == pytest.approx(1.0)
    assert page.weighted_kappa(near, stage) > 0.3 > 0 > page.weighted_kappa(far, stage)


def test_an_interval_keeps_a_persons_visits_together():
    rng = np.random.default_rng(1)
    person = np.repeat(np.arange(40), 25)
    own = rng.standard_normal(40)[person]
    low, high = page.resampled(own, person, np.random.default_rng(2))
    alone, apart = page.resampled(own, np.arange(1000), np.random.default_rng(2))
    assert high - low > 3 * (apart - alone)


def test_a_small_run_makes_the_whole_page(monkeypatch):
    monkeypatch.setattr(page, "STAGED_PEOPLE", 20)
    monkeypatch.setattr(page, "CONTROLS", 15)
    found = page.evaluate(patients=60, seed=77)
    assert found.kind == "simulated"
    assert [t.name for t in found.tables] == ["kings", "added", "disease"]
    assert len(found.marks) == 4
    assert "simulated" in found.notes[-1]
