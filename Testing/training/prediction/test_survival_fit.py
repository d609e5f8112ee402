"""The fit with delayed entry: derivatives, what it recovers, and what it refuses."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from scipy.optimize import check_grad

from BrainstemALSLib.errors import BrainstemALSError
from BrainstemALSLib.prediction.model_files import Training
from BrainstemALSLib.prediction.survival_model import basis, basis_slope
from BrainstemALSLib.prediction.survival_predictors import PREDICTORS, PredictorValues
from BrainstemALSLib.prognosis import encals
from training.prediction.survival import fit_survival
from training.prediction.survival_fit import (
    Times,
    fit_causes,
    fit_curve,
    gaussian,
    log_likelihood,
    penalties,
    person_scores,
    place_knots,
)


def drawn(n: int, beta: np.ndarray, seed: int = 0) -> tuple[np.ndarray, Times]:
    """Patients of the ENCALS curve who were alive at entry, with censoring."""
    rng = np.random.default_rng(seed)
    x = rng.standard_normal((n, len(beta)))
    entry = rng.uniform(4.0, 30.0, n)
    end = encals.draw_survival(-4.0 + x @ beta, rng.uniform(1e-9, 1 - 1e-9, n), alive_at=entry)
    censored = entry + rng.uniform(12.0, 48.0, n)
    event = end <= censored
    cause = np.where(event, rng.choice(3, n, p=[0.7, 0.2, 0.1]), -1)
    return x, Times.once(entry, np.minimum(end, censored), event, cause)


def test_gradient_and_hessian_are_those_of_the_likelihood():
    x, times = drawn(60, np.array([0.8, -0.4]))
    knots = place_knots(times)
    theta = np.array([-9.0, 2.6, -0.05, 0.05, 0.4, -0.2])
    off = check_grad(
        lambda t: log_likelihood(t, x, times, knots)[0],
        lambda t: log_likelihood(t, x, times, knots)[1],
        theta,
    )
    _, gradient, hessian = log_likelihood(theta, x, times, knots)
    assert off < 1e-3 * np.abs(gradient).max()
    for k in range(len(theta)):
        step = np.zeros(6)
        step[k] = 1e-5
        ends = [log_likelihood(theta + s * step, x, times, knots)[1] for s in (1, -1)]
        assert (ends[0] - ends[1]) / 2e-5 == pytest.approx(hessian[k], rel=1e-3, abs=1e-2)


def twice(x: np.ndarray, times: Times) -> tuple[np.ndarray, Times]:
    """The same people with a second visit, an entry later, of those still free."""
    again = np.flatnonzero(times.exit > times.entry + 6.0)
    rows = np.concatenate([np.arange(len(x)), again])
    both = times.take(rows)
    later = np.arange(len(rows)) >= len(x)
    return x[rows], replace(both, entry=both.entry + np.where(later, 6.0, 0.0), later=later)


def test_scores_of_people_add_up_to_the_gradient_of_all_their_visits():
    x, times = twice(*drawn(60, np.array([0.8, -0.4])))
    knots = place_knots(times)
    theta = np.array([-9.0, 2.6, -0.05, 0.05, 0.4, -0.2])
    scores = person_scores(theta, x, times, knots)
    assert scores.shape == (60, 6)
    gradient = log_likelihood(theta, x, times, knots)[1]
    assert scores.sum(axis=0) == pytest.approx(gradient, rel=1e-9)


def test_visits_of_one_person_are_not_people_of_their_own():
    x, times = drawn(1500, np.array([0.8, -0.4]))
    error = [
        np.sqrt(np.diag(fit_curve(*given, np.eye(2) * 0.01).covariance)[-2:])
        for given in ((x, times), twice(x, times))
    ]
    # The same people seen again tell nothing new: as many as twice would be 0.71 times.
    assert error[1] == pytest.approx(error[0], rel=0.1)
    apart = twice(x, times)[1]
    apart = replace(apart, person=np.arange(len(apart.entry)))
    wrong = np.sqrt(np.diag(fit_curve(twice(x, times)[0], apart, np.eye(2) * 0.01).covariance)[-2:])
    assert np.all(wrong < 0.95 * error[1])


def test_the_likelihood_is_that_of_the_density_given_life_until_entry():
    # The spline without inner terms: log-logistic, whose density is known.
    x, times = drawn(40, np.array([0.5]))
    knots = np.log([5.0, 20.0, 40.0, 90.0])
    theta = np.array([-9.0, 2.5, 0.0, 0.0, 0.5])
    lp = theta[0] + theta[4] * x[:, 0]

    def free(t):
        return 1 / (1 + np.exp(lp) * t ** theta[1])

    def density(t):
        return theta[1] * np.exp(lp) * t ** (theta[1] - 1) * free(t) ** 2

    each = np.where(times.event, density(times.exit), free(times.exit)) / free(times.entry)
    expected = np.log(each).sum() + np.log(times.exit[times.event]).sum()
    assert log_likelihood(theta, x, times, knots)[0] == pytest.approx(expected)


def test_the_basis_is_natural_and_its_slope_its_derivative():
    knots = np.array([1.0, 2.5, 3.5, 5.0])
    x = np.linspace(0.5, 6.0, 23)
    step = (basis(x + 1e-6, knots) - basis(x - 1e-6, knots)) / 2e-6
    assert step == pytest.approx(basis_slope(x, knots), abs=1e-5)
    assert basis_slope(np.array([5.5]), knots) == pytest.approx(
        basis_slope(np.array([8.0]), knots)
    )  # straight beyond the last knot


def test_it_recovers_coefficients_and_curve_in_spite_of_late_entry():
    beta = np.array([0.8, -0.5, 0.0])
    x, times = drawn(3000, beta)
    found = fit_curve(x, times, np.eye(3) * 0.01)
    error = np.sqrt(np.diag(found.covariance)[-3:])
    assert np.all(np.abs(found.beta - beta) < 3 * error)
    assert error.max() < 0.06
    months = np.array([18.0, 30.0, 50.0])
    log_odds = basis(np.log(months), found.knots) @ found.gamma
    assert 1 / (1 + np.exp(log_odds)) == pytest.approx(encals.survival(-4.0, months), abs=0.03)
    # Without the entry, those who died before being seen are missed: survival looks too long.
    early = replace(times, entry=np.full_like(times.entry, 1e-3))
    naive = fit_curve(x, early, np.eye(3) * 0.01)
    gone = 1 / (1 + np.exp(basis(np.log(months), naive.knots) @ naive.gamma))
    assert np.all(gone > encals.survival(-4.0, months) + 0.03)


def test_a_strong_penalty_leaves_the_load_alone():
    names = ["progression_rate", "medulla_volume", "pyramid_volume", "scp_fa"]
    precision = penalties(names, 1, 1e6)
    x, times = drawn(800, np.array([0.5, -0.3, -0.3, 0.3]))
    beta = fit_curve(x, times, precision).beta
    assert beta[1] == pytest.approx(beta[2], abs=1e-3)
    assert beta[1] < -0.1
    assert abs(beta[3]) < 1e-2


def test_the_shares_of_causes_are_found():
    x, times = drawn(3000, np.array([0.5, 0.2]), seed=3)
    coefficients, covariance = fit_causes(x, times, place_knots(times))
    odds = np.exp(coefficients[:, 0])
    assert odds == pytest.approx([0.2 / 0.7, 0.1 / 0.7], rel=0.3)
    error = np.sqrt(np.diag(covariance)).reshape(2, 4)
    assert np.all(np.abs(coefficients[:, 2:]) < 4 * error[:, 2:])


def test_missing_values_become_what_the_others_let_expect():
    rng = np.random.default_rng(1)
    a = rng.standard_normal(4000)
    whole = np.column_stack([a, 0.8 * a + 0.6 * rng.standard_normal(4000)])
    gaps = whole.copy()
    gaps[whole[:, 0] > 0.5, 1] = np.nan  # missing where the other is high
    mean, covariance, filled = gaussian(gaps)
    assert mean == pytest.approx([0.0, 0.0], abs=0.06)
    assert covariance == pytest.approx(np.array([[1.0, 0.8], [0.8, 1.0]]), abs=0.08)
    assert not np.isnan(filled).any()


TRAINING = Training("simulated", {"ALS": 1}, 1, 1, "test", "2026-01-01", "0")


@pytest.mark.parametrize("case", ["few events", "nobody has one"])
def test_a_table_that_teaches_nothing_is_refused(case):
    x, times = drawn(40 if case == "few events" else 400, np.array([0.5]))
    raw = np.abs(np.random.default_rng(0).standard_normal((len(x), len(PREDICTORS)))) + 1.0
    if case == "nobody has one":
        raw[:, PREDICTORS.index("progression_rate")] = np.nan
    values = PredictorValues(raw, np.zeros_like(raw), ())
    with pytest.raises(BrainstemALSError, match=r"patients had an event|nobody has an ALSFRS-R"):
        fit_survival(values, times, TRAINING, 0)


def test_what_nobody_has_plays_no_part_and_is_said():
    x, times = drawn(400, np.array([0.5]))
    raw = np.abs(np.random.default_rng(0).standard_normal((len(x), len(PREDICTORS)))) + 1.0
    place = PREDICTORS.index("fvc")
    raw[:, place] = np.nan
    values = PredictorValues(raw, np.zeros_like(raw), ())
    model = fit_survival(values, times, TRAINING, 0, strength=1.0)
    assert model.training.without == "fvc"
    assert (model.beta == 0).nonzero()[0].tolist() == [place]
    assert not model.covariance[len(model.gamma) + place].any()
    assert np.isfinite(model.covariance).all()
    assert (np.delete(model.spread[place], place) == 0).all()
