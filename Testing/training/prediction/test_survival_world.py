"""Outcomes drawn anew follow the findings of each day, and their true risk is known."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from BrainstemALSLib.prediction.model_files import Training
from BrainstemALSLib.prediction.survival import predict_survival
from BrainstemALSLib.prediction.survival_predictors import PREDICTORS
from BrainstemALSLib.prognosis import encals
from training.cohort.config import load_config
from training.cohort.simulate import simulate
from training.prediction.survival import fit_survival
from training.prediction.survival_recalibration import recalibrated, with_domain
from training.prediction.survival_truth import (
    filled,
    simulated_people,
    true_risks_of,
    widening,
)
from training.prediction.survival_world import Outcomes, draw_outcomes, risk, with_outcomes

TRAINING = Training("simulated", {"ALS": 1}, 1, 1, "test", "2026-01-01", "0")


@pytest.fixture(scope="module")
def simulated():
    return simulate(load_config(), 0, 400, 0, 51)


def test_without_news_the_outcomes_are_the_simulators(simulated):
    cohort, truth = simulated
    own = draw_outcomes(load_config(), truth.latent, 51, follow=0.0)
    same = with_outcomes(cohort, truth.latent, own)
    assert same.participants["event"].equals(cohort.participants["event"])
    assert same.participants["survival_months"].equals(cohort.participants["survival_months"])
    assert len(same.visits) == len(cohort.visits)


def test_a_later_visit_says_something_and_the_first_no_more_than_before(simulated):
    _, truth = simulated
    drawn = draw_outcomes(load_config(), truth.latent, 51)
    lp = truth.latent.survival.lp
    assert drawn.predictor[:, 0] == pytest.approx(lp, abs=1e-6)
    said = drawn.predictor[:, 1:] - lp[:, None]
    assert said.mean(axis=0) == pytest.approx(0.0, abs=1e-9)
    assert (said.std(axis=0) > 0.3).all()
    assert (drawn.end > drawn.start[:, 0]).all()


def test_visits_after_the_event_are_left_out(simulated):
    cohort, truth = simulated
    drawn = draw_outcomes(load_config(), truth.latent, 51)
    found = with_outcomes(cohort, truth.latent, drawn)
    people = found.participants.set_index("participant_id")
    lived = people["survival_months"] - people["months_since_onset"]
    later = found.visits[found.visits["months"] > 0]
    assert (later["months"] < later["participant_id"].map(lived)).all()
    assert 0 < len(later) < (cohort.visits["months"] > 0).sum()
    assert set(found.visits["participant_id"]) == set(people.index)
    kept = set(zip(found.visits["participant_id"], found.visits["session_id"], strict=True))
    measured = zip(found.measures["participant_id"], found.measures["session_id"], strict=True)
    assert set(measured) <= kept


def test_the_risk_is_that_of_the_published_curve_piece_by_piece():
    start = np.array([[10.0, 15.0, 20.0]])
    drawn = Outcomes(start, np.array([[-4.0, -3.0, -2.0]]), np.array([30.0]), np.array(["death"]))
    free = 1.0
    for lp, early, late in ((-4.0, 12.0, 15.0), (-3.0, 15.0, 20.0), (-2.0, 20.0, 24.0)):
        free *= encals.survival(lp, late, early)
    assert risk(drawn, np.array([12.0]), 12.0) == pytest.approx([1 - free])
    same = replace(drawn, predictor=np.full((1, 3), -4.0))
    assert risk(same, np.array([12.0]), 12.0) == pytest.approx(
        [1 - encals.survival(-4.0, 24.0, 12.0)]
    )


@pytest.fixture(scope="module")
def people():
    return simulated_people(160, 120, 52, true_z=True)


def test_events_happen_as_often_as_the_true_risk_says(people):
    first = people.take(people.rows(1))
    model = fit_survival(people.patients.values, people.times, TRAINING, 0, strength=1000.0)
    known, whole = true_risks_of(first, model, 1)
    happened = first.outcomes.end - first.times.entry <= 12.0
    # Three standard errors of the mean of so many.
    assert abs(happened.mean() - whole.mean()) < 3 * 0.5 / np.sqrt(len(happened))
    assert abs(known.mean() - whole.mean()) < 0.05
    # What nobody can know at the visit spreads the risk.
    assert known.std() < whole.std()
    assert np.corrcoef(known, whole)[0, 1] > 0.5


def test_intervals_that_miss_the_truth_are_widened(people):
    model = fit_survival(people.patients.values, people.times, TRAINING, 0, strength=1000.0)
    narrow = replace(model, covariance=model.covariance / 100.0)
    few = people.take(np.arange(80))
    wider = [widening(m, [few], 1) for m in (model, narrow)]
    assert np.shape(wider) == (2, 3, 3, 2)
    assert wider[1][0, 1, 0] > wider[0][0, 1, 0] > 0.3


def test_too_sure_from_later_visits_is_recalibrated(people):
    """Twice the coefficients: the tails are wrong by as much, and the slope says so."""
    model = fit_survival(people.patients.values, people.times, TRAINING, 0, strength=1000.0)
    sure = replace(model, beta=2 * model.beta)
    second = people.take(people.rows(2))
    x, entry = filled(model, second.raw), second.times.entry
    truth = risk(second.outcomes, entry, 12.0)
    off = []
    for one in (sure, recalibrated(sure, people)):
        found = one.conditional_risk(x, entry, np.array([12.0]), 2)[:, 0]
        outer = np.argsort(np.argsort(found)) * 5 // len(found)
        off.append([truth[outer == k].mean() - found[outer == k].mean() for k in (0, 4)])
    assert off[0][0] > 0.05  # the lowest fifth: too low
    assert off[0][1] < -0.05
    assert np.abs(off[1]).max() < 0.5 * np.abs(off[0]).max()
    both = [recalibrated(one, people).recalibration for one in (model, sure)]
    assert both[1][1, 1] == pytest.approx(both[0][1, 1] / 2, rel=0.01)
    assert both[0][0].tolist() == [0.0, 1.0]


def test_the_domain_is_that_of_the_training_visits(people):
    model = fit_survival(people.patients.values, people.times, TRAINING, 0, strength=1000.0)
    found = with_domain(model, people.patients)
    assert {"log_odds", "total", "since_first", "points", "quickened"} <= set(found.domain)
    assert found.domain["since_first"][1] == 12.0
    low, high = found.domain["total"]
    assert 0 <= low < 30 < high <= 48
    assert found.low[PREDICTORS.index("fvc")] >= 12.0
    answered = [
        not predict_survival(record, found, None).abstains for record in people.patients.records
    ]
    assert np.mean(answered) > 0.9
