"""The form of the classifier: curves, covariance, domain, and the file."""

from __future__ import annotations

import json

import numpy as np
import pytest

from BrainstemALSLib.errors import BrainstemALSError, ExitCode
from BrainstemALSLib.prediction.classification_model import (
    KIND,
    QUESTIONS,
    SETS,
    Classifier,
    Domain,
    content_of,
    curve_values,
    read_classifiers,
)
from BrainstemALSLib.prediction.model_files import Training, bundled, write_model

KNOTS = (np.array([-4.0, -1.0, 3.0]), np.array([0.0, 5.0]))
SLOPES = np.array([-2.0, -0.5, 0.25])
REFERENCE = np.array([0.5, 0.8])


def classifier(**changes):
    domain = Domain(np.array([[0.0, 1.0], [-1.0, 1.0]]), np.diag([1.0, 4.0]), 3.0, 4.0)
    fields = {
        "features": ("pyramid_volume", "cst_fa_asymmetry"),
        "reference": REFERENCE,
        "knots": KNOTS,
        "values": (
            curve_values(KNOTS[0], SLOPES[:2], 0.5),
            curve_values(KNOTS[1], SLOPES[2:], 0.8),
        ),
        "intercept": -0.4,
        "covariance": np.diag([0.04, 0.01, 0.02, 0.03]),
        "offset": 0.1,
        "slope": 0.9,
        "prevalence": 0.4,
        "domain": domain,
    }
    return Classifier(**{**fields, **changes})


def test_contributions_are_the_curves_times_the_calibration_and_0_at_the_reference():
    model = classifier()
    z = np.array([[0.5, 0.8], [-2.0, 2.0], [1.0, 0.0]])
    by_hand = [[0.0, 0.0], [-0.5 * -1.5 + -2.0 * -1.0, 0.25 * 1.2], [-0.25, 0.25 * -0.8]]
    np.testing.assert_allclose(model.contributions(z), 0.9 * np.array(by_hand))
    curves = [
        np.interp(z[:, k], knots, values)
        for k, (knots, values) in enumerate(zip(model.knots, model.values, strict=True))
    ]
    np.testing.assert_allclose(model.contributions(z), 0.9 * np.transpose(curves))


def test_curves_do_not_go_on_beyond_their_outer_knots():
    model = classifier()
    inside, beyond = model.contributions(np.array([[-4.0, 5.0], [-40.0, 50.0]]))
    np.testing.assert_array_equal(inside, beyond)


def test_log_odds_at_the_reference_are_the_baseline_and_follow_the_prior():
    model = classifier()
    assert model.log_odds(REFERENCE) == pytest.approx(0.1 + 0.9 * -0.4)
    assert model.log_odds(REFERENCE, prior=0.4) == pytest.approx(model.log_odds(REFERENCE))
    moved = model.log_odds(REFERENCE, prior=0.5) - model.log_odds(REFERENCE)
    assert moved == pytest.approx(np.log(0.6 / 0.4))


def test_drawn_coefficients_have_the_covariance():
    model = classifier()
    intercepts, slopes = model.drawn(20000, np.random.default_rng(0))
    found = np.cov(np.column_stack([intercepts, slopes]).T)
    np.testing.assert_allclose(found, model.covariance, atol=0.002)
    np.testing.assert_allclose(slopes.mean(axis=0), SLOPES, atol=0.01)


def test_distance_is_to_the_nearer_group():
    found = classifier().domain.distance(np.array([[0.0, 1.0], [-3.0, 1.0], [0.0, 2.0]]))
    np.testing.assert_allclose(found, [0.0, 2.0, 2.0])


def test_a_file_gives_back_what_was_written(tmp_path):
    training = Training("simulated", {"HC": 9}, 3, 1, "python", "2026-01-01", "0")
    model = classifier()
    known = {"source": "simulated", "controls": 5, "seed": 2}
    content = content_of("additive", {("healthy", "all"): model}, (20.0, 90.0), known)
    write_model(tmp_path / "m.json", KIND, training, content)
    found = read_classifiers(tmp_path / "m.json")
    assert (found.form, found.ages, found.norms) == ("additive", (20.0, 90.0), known)
    again = found.models["healthy", "all"]
    z = np.random.default_rng(1).normal(size=(20, 2))
    np.testing.assert_allclose(again.log_odds(z), model.log_odds(z), rtol=1e-5, atol=1e-5)
    for name in ("covariance", "slopes"):
        np.testing.assert_allclose(getattr(again, name), getattr(model, name), rtol=1e-4)
    np.testing.assert_allclose(again.domain.distance(z), model.domain.distance(z), rtol=1e-5)


def test_an_altered_file_is_refused(tmp_path):
    record = json.loads(bundled(KIND).read_text())
    record["models"][0]["intercept"] += 0.5
    (tmp_path / "m.json").write_text(json.dumps(record))
    with pytest.raises(BrainstemALSError, match="altered or damaged") as refusal:
        read_classifiers(tmp_path / "m.json")
    assert refusal.value.code is ExitCode.MODEL_UNAVAILABLE


def test_the_bundled_file_answers_all_questions_says_simulated_and_is_small():
    found = read_classifiers()
    assert set(found.models) == {(question, which) for question in QUESTIONS for which in SETS}
    assert "simulated" in found.training.statement
    assert bundled(KIND).stat().st_size < 60_000
    for model in found.models.values():
        assert np.linalg.eigvalsh(model.covariance).min() > 0
        assert 0 < model.domain.unusual < model.domain.outside
