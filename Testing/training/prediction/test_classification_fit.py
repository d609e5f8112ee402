"""Does the fit find what made the data, and does it use only what it may?"""

from __future__ import annotations

import numpy as np
import pytest
from scipy.special import expit

from BrainstemALSLib.prediction.classification_model import curve_values
from training.prediction.classification_data import folds
from training.prediction.classification_fit import (
    classifier,
    domain,
    fit,
    fit_calibration,
    fit_curves,
    knots_of,
    log_loss,
)

SLOPES = np.array([-1.2, 0.6, 0.0])


def people(n, seed, curve=None):
    """Return features, who is a patient, and the log-odds that made them so."""
    rng = np.random.default_rng(seed)
    z = rng.standard_normal((n, 3))
    eta = 0.3 + z @ SLOPES if curve is None else curve(z)
    return z, rng.random(n) < expit(eta), eta


def sites(n, count=6):
    return np.array([f"s{k % count}" for k in range(n)], dtype=object)


def test_the_logistic_form_is_scikit_learns_ridge():
    from sklearn.linear_model import LogisticRegression

    z, y, _ = people(400, 1)
    wide = tuple(np.array([-50.0, 50.0]) for _ in range(3))
    ours = fit_curves(z, y, wide, np.zeros(3), (4.0, 0.0))
    theirs = LogisticRegression(C=0.25, tol=1e-10, max_iter=1000).fit(z, y)
    np.testing.assert_allclose(ours.slopes, theirs.coef_[0], atol=1e-5)
    assert ours.intercept == pytest.approx(theirs.intercept_[0], abs=1e-5)


def test_the_covariance_is_how_coefficients_vary_between_samples():
    fits = []
    for seed in range(150):
        z, y, _ = people(500, seed)
        fits.append(fit_curves(z, y, knots_of(z, "logistic"), np.zeros(3), (1.0, 0.0)))
    spread = np.std([[f.intercept, *f.slopes] for f in fits], axis=0)
    stated = np.sqrt(np.mean([np.diag(f.covariance) for f in fits], axis=0))
    np.testing.assert_allclose(stated, spread, rtol=0.2)


def test_curves_find_a_bend_and_a_heavy_penalty_makes_them_straight():
    z, y, _ = people(6000, 2, lambda z: 2.0 * np.minimum(z[:, 0], 0.0))
    knots = knots_of(z, "additive")
    free = fit_curves(z, y, knots, np.zeros(3), (1.0, 1.0))
    first = free.slopes[:4]
    assert first[0] > 1.3
    assert abs(first[-1]) < 0.4
    stiff = fit_curves(z, y, knots, np.zeros(3), (1.0, 1e7)).slopes[:4]
    np.testing.assert_allclose(stiff, stiff.mean(), atol=1e-3)
    values = curve_values(knots[0], first, 0.0)
    assert np.interp(0.0, knots[0], values) == pytest.approx(0.0, abs=1e-12)


def test_calibration_undoes_log_odds_that_are_too_sure():
    _, y, eta = people(20000, 3)
    offset, slope = fit_calibration(2.0 * eta + 1.0, y)
    assert slope == pytest.approx(0.5, abs=0.03)
    assert offset == pytest.approx(-0.5, abs=0.06)


def test_calibration_moves_log_odds_that_are_all_above_0():
    _, y, eta = people(20000, 3)
    offset, slope = fit_calibration(0.1 * eta + 5.0, y)
    assert (offset, slope) == (pytest.approx(-50.0, abs=3.0), pytest.approx(10.0, abs=0.6))


@pytest.mark.parametrize("form", ["logistic", "additive"])
def test_a_fit_is_calibrated_on_new_people(form):
    z, y, _ = people(1500, 4)
    fitted = fit(z, y, ~y, sites(1500), form)
    new, outcome, truth = people(4000, 5)
    assert log_loss(fitted.log_odds(new), outcome).mean() < log_loss(truth, outcome).mean() + 0.01
    assert fit_calibration(fitted.log_odds(new), outcome)[1] == pytest.approx(1.0, abs=0.12)


def test_the_model_in_the_file_says_what_the_fit_says():
    z, y, _ = people(600, 6)
    for form in ("logistic", "additive"):
        fitted = fit(z, y, ~y, sites(600), form)
        model = classifier(fitted, ("a", "b", "c"), z, y)
        np.testing.assert_allclose(model.log_odds(z), fitted.log_odds(z), atol=1e-9)
        assert model.prevalence == pytest.approx(y.mean())
        average = z[~y].mean(axis=0)
        np.testing.assert_allclose(model.contributions(average), 0.0, atol=1e-12)


def test_nothing_to_be_found_leaves_probabilities_near_the_prevalence():
    rng = np.random.default_rng(7)
    z, y = rng.standard_normal((600, 3)), rng.random(600) < 0.3
    p = expit(fit(z, y, ~y, sites(600), "logistic").log_odds(rng.standard_normal((500, 3))))
    assert abs(p.mean() - 0.3) < 0.06
    assert p.std() < 0.08


def test_the_domain_leaves_out_one_in_a_thousand():
    z, y, _ = people(5000, 8)
    found = domain(z, y)
    away = found.distance(z)
    assert np.mean(away > found.outside) == pytest.approx(0.001, abs=0.0005)
    assert np.mean(away > found.unusual) == pytest.approx(0.01, abs=0.002)
    assert found.distance(np.full((1, 3), 8.0))[0] > found.outside


def test_folds_hold_out_whole_sites_and_everybody_once():
    names = np.repeat(["a", "b", "c", "d", "e"], [50, 30, 30, 10, 5]).astype(object)
    parts = folds(names, 3, 0)
    assert len(parts) == 3
    np.testing.assert_array_equal(np.sum(parts, axis=0), 1)
    for name in set(names.tolist()):
        assert sum(part[names == name].any() for part in parts) == 1
    assert max(part.sum() for part in parts) <= 50
    assert len(folds(names[:80], 4, 0)) == 2
