"""The figures of the page, on numbers whose answers are known and on tiny cohorts."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.special import expit

from BrainstemALSLib.prediction.classification_model import read_classifiers
from training.evaluation.prediction_classification import permuted, subgroup_table
from training.evaluation.prediction_classification_metrics import (
    areas,
    calibration_error,
    calibration_line,
    chance_calibration_error,
    mean_interval,
    sensitivity,
    sensitivity_interval,
)
from training.evaluation.prediction_classification_nested import (
    LOGISTIC,
    METHODS,
    WHO,
    HeldOut,
    elsewhere,
    nested,
)
from training.evaluation.prediction_classification_new import (
    adds_up,
    coverage,
    milliseconds,
    new_people,
    outside,
    without_diffusion,
)
from training.prediction.classification import norms_in_use, simulated_cohort
from training.prediction.classification_data import people_of


@pytest.fixture(scope="module")
def scores():
    rng = np.random.default_rng(1)
    y = rng.random(300) < 0.4
    return np.stack([y + rng.standard_normal(300), 0.5 * y + rng.standard_normal(300)]), y


@pytest.fixture(scope="module")
def norms():
    return norms_in_use(8991, 300)


@pytest.fixture(scope="module")
def models():
    return read_classifiers()


def test_areas_are_scikit_learns_and_their_errors_the_bootstraps(scores):
    from sklearn.metrics import roc_auc_score

    eta, y = scores
    found = areas(eta, y)
    np.testing.assert_allclose(found.auc, [roc_auc_score(y, row) for row in eta])
    rng = np.random.default_rng(2)
    again = []
    for _ in range(400):
        rows = np.concatenate([rng.choice(np.flatnonzero(part), part.sum()) for part in (y, ~y)])
        again.append(areas(eta[:, rows], y[rows]).auc)
    np.testing.assert_allclose(np.sqrt(np.diag(found.covariance)), np.std(again, axis=0), rtol=0.15)
    gain, half = found.difference(0, 1)
    assert gain == pytest.approx(found.auc[0] - found.auc[1])
    assert half == pytest.approx(1.96 * np.std(np.diff(again, axis=1)), rel=0.2)


def test_ties_count_half():
    y = np.array([True, False, True, False])
    assert areas(np.zeros(4), y).auc[0] == 0.5


def test_calibration_error_is_0_where_shares_are_right_and_the_shift_where_not():
    y = np.tile(np.arange(10) < 3, 100)
    assert calibration_error(np.full(1000, 0.3), y) == pytest.approx(0.0, abs=1e-12)
    assert calibration_error(np.full(1000, 0.5), y) == pytest.approx(0.2)


def test_calibration_error_of_right_probabilities_is_that_of_chance():
    rng = np.random.default_rng(3)
    p = expit(rng.standard_normal(500))
    found = [calibration_error(p, rng.random(500) < p) for _ in range(50)]
    assert chance_calibration_error(p, 0) == pytest.approx(np.mean(found), rel=0.15)


def test_the_calibration_line_of_log_odds_twice_too_large_has_half_a_slope():
    rng = np.random.default_rng(4)
    eta = rng.standard_normal(20000)
    y = rng.random(20000) < expit(eta)
    intercept, slope = calibration_line(2.0 * eta, y)
    assert (intercept, slope) == (pytest.approx(0.0, abs=0.05), pytest.approx(0.5, abs=0.03))


def test_sensitivity_is_the_share_above_the_quantile_of_the_others():
    scores = np.concatenate([np.arange(100.0), np.array([50.0, 95.0, 99.5, 200.0])])
    y = np.arange(104) >= 100
    assert sensitivity(scores, y, 0.90) == 0.75
    low, high = sensitivity_interval(scores, y, 0.90, 0)
    assert low <= 0.75 <= high


def test_the_interval_of_a_mean_is_students():
    mean, half = mean_interval(np.array([0.4, 0.5, 0.6]))
    assert (mean, half) == (pytest.approx(0.5), pytest.approx(4.3027 * 0.1 / 3**0.5, rel=1e-4))


def test_nested_holds_everybody_out_once_and_imaging_beats_age_and_sex():
    found = nested(simulated_cohort(8981, (150, 150, 0), 4), 1, methods=(LOGISTIC, WHO))
    assert all(np.isfinite(eta).all() for eta in found.eta.values())
    auc = areas(np.stack([found.eta[LOGISTIC], found.eta[WHO]]), found.y).auc
    assert auc[0] > 0.6 > auc[1] > 0.4


def test_pairs_within_folds_do_not_see_what_sets_folds_apart():
    y = np.array([True, False, True, False] * 2)
    eta = np.array([1.0, 0.0, 1.0, 0.0, 11.0, 10.0, 11.0, 10.0])
    found = HeldOut({"x": eta}, y, np.repeat([0, 1], 4))
    assert (found.within("x"), areas(eta, y).auc[0]) == (1.0, 0.75)


def test_what_was_learned_in_one_cohort_finds_patients_of_another_and_none_where_none_are():
    learned, asked = (simulated_cohort(s, (110, 110, 0), 4) for s in (8979, 8980))
    assert elsewhere(learned, asked, 1) > 0.6
    assert abs(elsewhere(permuted(learned, 1), permuted(asked, 1), 1) - 0.5) < 0.12


def test_every_comparator_predicts_people_of_sites_held_out():
    found = nested(simulated_cohort(8982, (120, 60, 0), 4), 1)
    assert tuple(found.eta) == METHODS
    for eta in found.eta.values():
        assert eta.shape == found.y.shape
        assert np.isfinite(eta).all()
        assert np.abs(eta).max() < 20


def test_permuted_people_keep_all_but_their_group():
    cohort = simulated_cohort(8983, (40, 40, 0), 3)
    other = permuted(cohort, 1)
    assert (other.participants["group"] != cohort.participants["group"]).mean() > 0.3
    assert sorted(other.participants["group"]) == sorted(cohort.participants["group"])
    same = ["participant_id", "age", "site"]
    assert other.participants[same].equals(cohort.participants[same])
    assert other.measures is cohort.measures


def test_new_people_are_asked_with_and_without_diffusion(models, norms):
    new = new_people(models, norms, (8984,), (30, 30, 20), 3)
    assert set(new.group) == {"HC", "ALS", "MIMIC"}
    both = np.isfinite(new.evidence) & np.isfinite(new.volumes)
    assert both.mean() > 0.8
    assert (new.evidence[both] != new.volumes[both]).all()
    shift = np.log(new.prevalence["mimics"] / (1 - new.prevalence["mimics"]))
    np.testing.assert_allclose(new.log_odds(new.mimics, "mimics"), new.mimics + shift)
    table, sites = subgroup_table(new)
    names = [row[0] for row in table.rows]
    assert {"everybody", "sex F", "sex M", "onset spinal"} <= set(names)
    assert len(sites.rows) == 3
    assert sum(row[1] for row in sites.rows) == next(r[1] for r in table.rows)


def test_without_diffusion_only_volumes_are_left(norms):
    record = people_of(simulated_cohort(8985, (3, 3, 0), 3), 1).records[0]
    (visit,) = without_diffusion(record).visits
    assert {measure for _, measure in visit.measures} == {"volume"}


def test_intervals_that_say_all_hold_everything_and_those_that_say_nothing_hold_nothing(
    models, norms
):
    found = coverage(models, models, norms, (8986, 8987), (8, 8, 0), 3)
    assert found.held.shape == found.width.shape == (2, 2)
    assert (found.held[1] >= found.held[0]).all()
    assert (found.width[1] > found.width[0]).all()


def test_wrong_exams_are_refused_and_answers_are_quick_and_whole(models, norms):
    people = people_of(simulated_cohort(8988, (8, 8, 0), 3), 1)
    refused = {name: share for name, _, share in outside(models, norms, people)}
    assert refused["age 12"] == refused["volumes in ml"] == refused["no images"] == 100.0
    assert refused["as they are"] < 50.0
    assert milliseconds(models, norms, people) < 100.0
    assert adds_up(models, norms, people) < 1e-9
