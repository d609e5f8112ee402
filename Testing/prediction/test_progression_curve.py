"""The joint model's curves, derivatives and posterior."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from BrainstemALSLib.prediction import progression_curve as curve
from BrainstemALSLib.prediction.progression import load_progression
from BrainstemALSLib.prediction.progression_parameters import (
    COVARIATES,
    EFFECTS,
    RATE,
    Rows,
    unpack,
)


@pytest.fixture(scope="module")
def model():
    return load_progression()


@pytest.fixture(scope="module")
def parameters(model):
    return unpack(model.flat, model.imaging)


def rows_at(months, values=np.nan):
    months = np.atleast_2d(np.asarray(months, float))
    shape = (*months.shape, 4)
    covariates = np.zeros((len(months), len(COVARIATES)))
    covariates[:, 0] = 1.0
    full = np.full(shape, values, float)
    return Rows(months, full, np.full(shape, 0.1), covariates, np.zeros_like(covariates))


def drawn(parameters, rows, seed=0):
    mean, covariance = curve.prior(parameters, rows)
    normal = np.random.default_rng(seed).standard_normal(mean.shape)
    return mean + normal @ np.linalg.cholesky(covariance[0]).T


def test_derivatives_are_those_of_the_curves(parameters):
    rows = rows_at(np.linspace(4, 50, 12).reshape(4, 3))
    r = drawn(parameters, rows)
    expected, _ = curve.expectation(parameters, rows, r)
    by = curve.derivative(parameters, rows, r, expected)
    for place in range(r.shape[1]):
        moved = r.copy()
        moved[:, place] += 1e-6
        there, _ = curve.expectation(parameters, rows, moved)
        assert np.allclose((there - expected) / 1e-6, by[..., place], atol=1e-3)


def test_onset_is_an_anchor(parameters):
    start = rows_at([0.1])
    mean, _ = curve.prior(parameters, start)
    assert curve.alsfrs(parameters, start.months, mean).item() > 47
    assert 85 < curve.fvc(parameters, start.months, mean).item() < 105


def test_the_typical_course_never_rises(parameters):
    at = rows_at([np.linspace(0.5, 80, 100)])
    mean, _ = curve.prior(parameters, at)
    assert np.all(np.diff(curve.alsfrs(parameters, at.months, mean)) < 0)
    assert np.all(np.diff(curve.fvc(parameters, at.months, mean)) <= 1e-9)


def test_nothing_seen_leaves_the_prior(parameters):
    rows = rows_at([12.0])
    mean, covariance = curve.prior(parameters, rows)
    found = curve.posterior(parameters, rows)
    assert np.allclose(found.mode, mean)
    assert np.allclose(found.root @ np.swapaxes(found.root, 1, 2), covariance)
    assert found.misfit.item() == pytest.approx(0)


def test_imaging_alone_gives_the_closed_form(parameters):
    """The model is linear in z: its posterior is that of a normal regression."""
    rows = rows_at([12.0])
    rows.values[0, 0, 2] = -2.0
    mean, covariance = curve.prior(parameters, rows)
    _, variance = curve.expectation(parameters, rows, mean)
    place = len(EFFECTS)
    gain = covariance[0][:, place] / (covariance[0][place, place] + variance[0, 0, 2])
    found = curve.posterior(parameters, rows)
    assert np.allclose(found.mode[0], mean[0] + gain * (-2.0 - mean[0, place]))


def test_a_mode_is_no_worse_than_its_neighbours(parameters):
    rows = rows_at([[10.0, 15.0, 21.0]])
    rows.values[0, :, 0] = 42, 38, 35
    rows.values[0, :, 1] = 95, np.nan, 80
    found = curve.posterior(parameters, rows, steps=40)
    at_mode, day = curve.expectation(parameters, rows, found.mode)
    fixed = curve.weights(parameters, rows, found.mode, at_mode, day)
    mean, covariance = curve.prior(parameters, rows)
    precision = np.linalg.inv(covariance[0])

    def distance(r):
        """What the mode makes least; the weights are held, as Gauss-Newton steps hold them."""
        expected, _ = curve.expectation(parameters, rows, r[None])
        left = np.where(np.isfinite(rows.values), rows.values, 0.0) - expected
        fit = (fixed.of(left) * left).sum()
        return fit + (r - mean[0]) @ precision @ (r - mean[0])

    least = distance(found.mode[0])
    for place in range(found.mode.shape[1]):
        for step in (-0.05, 0.05):
            moved = found.mode[0].copy()
            moved[place] += step
            assert distance(moved) > least


def test_weights_invert_the_covariance_of_what_lasts_and_of_the_day(parameters):
    rows = rows_at([[10.0, 12.0, 30.0]])
    rows.values[0, :, 0] = 42, np.nan, 30
    rows.values[0, :, 1] = 95, 90, np.nan
    r, _ = curve.prior(parameters, rows)
    expected, day = curve.expectation(parameters, rows, r)
    found = curve.weights(parameters, rows, r, expected, day)
    lasts = curve.lasting(parameters, rows.months, r, expected[..., 0])[0]
    assert lasts[0, 1] > lasts[0, 2] > 0
    assert np.allclose(lasts, lasts.T)
    rated = [0, 2]
    whole = lasts[np.ix_(rated, rated)] + np.diag(day[0, rated, 0])
    assert np.allclose(found.joint[0][np.ix_(rated, rated)], np.linalg.inv(whole))
    assert not found.joint[0, 1].any()
    assert found.single[0, 2, 0] == 0
    logs = np.linalg.slogdet(whole)[1] + np.log(day[0, :2, 1]).sum()
    assert found.log_variance.item() == pytest.approx(logs)


def test_visits_on_one_day_do_not_average_away_what_lasts(parameters):
    """Nine forms of one week tell the rate less surely than their day's noise would allow."""
    rows = rows_at([12.0 + np.arange(9) * 0.02])
    rows.values[0, :, 0] = 38
    found = curve.posterior(parameters, rows)
    without = {**parameters.scalars, "log_lasting": np.full((1, 1), -20.0)}
    other = curve.posterior(replace(parameters, scalars=without), rows)
    spread, less = (np.linalg.norm(p.root[0, RATE]) for p in (found, other))
    assert spread > less


def test_more_visits_leave_less_open(parameters):
    one, two = rows_at([[10.0, 15.0]]), rows_at([[10.0, 15.0]])
    one.values[0, 0, 0] = two.values[0, 0, 0] = 42
    two.values[0, 1, 0] = 38
    spread = [curve.posterior(parameters, r).root[0, RATE] for r in (one, two)]
    assert np.linalg.norm(spread[1]) < np.linalg.norm(spread[0])


def test_uncertain_covariates_widen_the_prior(parameters):
    known, unknown = rows_at([12.0]), rows_at([12.0])
    unknown.unsure[0, COVARIATES.index("log_delay")] = 0.3
    wide, narrow = (curve.prior(parameters, r)[1][0] for r in (unknown, known))
    assert wide[RATE, RATE] > narrow[RATE, RATE]
