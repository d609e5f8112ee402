"""Fitting the progression model."""

from __future__ import annotations

import numpy as np
import pytest

from BrainstemALSLib.errors import BrainstemALSError
from BrainstemALSLib.prediction import progression_curve as curve
from BrainstemALSLib.prediction.progression import HORIZONS, load_progression
from BrainstemALSLib.prediction.progression_parameters import COVARIATES, Rows, names_of, unpack
from BrainstemALSLib.prediction.records import PersonRecord, VisitRecord
from training.prediction.progression import (
    ASIDE_SEED,
    SHARE_ASIDE,
    describe,
    fit_people,
    mean_slope,
    simulated_aside,
)
from training.prediction.progression_fit import fit, start_of
from training.prediction.progression_widening import cells, of_visits, smoothed


def simulated(flat, patients, seed):
    """Rows drawn from the model itself, three visits each, without imaging."""
    rng = np.random.default_rng(seed)
    parameters = unpack(flat, ())
    months = rng.uniform(6, 20, (patients, 1)) + np.array([0.0, 5.0, 10.0])
    covariates = np.zeros((patients, len(COVARIATES)))
    covariates[:, 0] = 1.0
    empty = np.zeros((patients, 3, 2))
    rows = Rows(months, empty, empty, covariates, np.zeros_like(covariates))
    mean, covariance = curve.prior(parameters, rows)
    r = mean + rng.standard_normal(mean.shape) @ np.linalg.cholesky(covariance[0]).T
    expected, variance = curve.expectation(parameters, rows, r)
    values = expected + np.sqrt(variance) * rng.standard_normal(expected.shape)
    return Rows(months, values, empty, covariates, rows.unsure)


def test_a_fit_finds_the_rate_and_the_noise_that_data_were_drawn_with():
    names = names_of(())
    true = start_of(())
    chosen = [names.index(n) for n in ("log_rate on one", "log_fvc_sd")]
    true[chosen] += (0.4, -0.4)
    found = fit(simulated(true, 100, 1), (), steps=4)
    error = np.sqrt(np.diag(found.covariance))[chosen]
    assert np.all(np.abs(found.flat[chosen] - true[chosen]) < 4 * error)
    assert np.all(error < 0.15)
    assert np.linalg.eigvalsh(found.covariance).min() > 0


def test_a_fit_raises_the_likelihood():
    rows = simulated(start_of(()), 60, 2)
    begun = start_of(()) + np.where(np.array(names_of(())) == "log_rate on one", 0.5, 0.0)
    before = curve.posterior(unpack(begun, ()), rows).log_evidence.sum()
    assert fit(rows, (), start=begun, steps=2).log_likelihood > before + 10


def people(count, seed=3):
    rows = simulated(start_of(()), count, seed)
    return [
        PersonRecord(
            f"p{k}", group="ALS", age=60.0, onset="spinal", site="A", simulated=True,
            months_since_onset=float(months[0]), diagnostic_delay=8.0,
            visits=tuple(
                VisitRecord(f"s{v}", float(months[v] - months[0]), fvc=float(values[v, 1]),
                            total=float(np.clip(np.round(values[v, 0]), 0, 48)))
                for v in range(3)
            ),
        )
        for k, (months, values) in enumerate(
            zip(rows.months, np.clip(rows.values, 5, 150), strict=True)
        )
    ]  # fmt: skip


def test_a_cohort_without_images_is_fitted_and_forecasts(tmp_path):
    cohort = people(60)
    training = describe(cohort, "simulated", 3, "test")
    model, _ = fit_people(cohort, None, training, imaging=(), steps=1, aside={})
    assert all(np.all(factors == 1) for factors in model.widening.values())
    one = cohort[0].until(1)
    found = model.forecast(one)
    assert found.horizons
    assert found.statement == training.statement
    assert training.people == {"ALS": 60}
    assert training.sites == 1
    assert model.domain["age"] == pytest.approx((60, 60), abs=0.1)


def test_a_quarter_of_a_cohort_is_set_aside_from_the_fit():
    cohort = people(100)
    training = describe(cohort, "simulated", 3, "test")
    model, found = fit_people(cohort, None, training, imaging=(), steps=1)
    apart = np.random.default_rng(ASIDE_SEED).random(100) < SHARE_ASIDE
    assert model.set_aside["1"] == apart.sum()
    kept = [p for p, away in zip(cohort, apart, strict=True) if not away]
    alone, same = fit_people(kept, None, training, imaging=(), steps=1, aside={})
    assert np.array_equal(found.flat, same.flat)
    assert model.domain == alone.domain


def test_simulated_patients_set_aside_are_known_to_their_visits_and_the_dead_have_no_truth():
    aside = simulated_aside(40, 8, most=30)
    assert len(aside[1].people) == 30 > len(aside[3].people) > 0
    for k, known in aside.items():
        assert all(len(p.visits) == k for p in known.people)
        assert np.isfinite(known.truths["alsfrs"][:, 0]).mean() > 0.5
        assert np.isnan(known.truths["fvc"][:, -1]).any()


def test_later_visits_near_a_horizon_are_truths():
    visits = tuple(VisitRecord(f"s{m}", float(m), total=float(y), fvc=None)
                   for m, y in ((0, 40), (2, 39), (8, 35)))  # fmt: skip
    aside = of_visits([PersonRecord("a", months_since_onset=9.0, visits=visits)])
    assert [len(known.people) for known in aside.values()] == [1, 1, 0]
    known = aside[2]
    assert len(known.people[0].visits) == 2
    assert known.truths["alsfrs"][0, 1] == 35
    assert known.ahead[0, 1] == 6
    assert np.isnan(known.truths["alsfrs"][0, 3])
    assert np.isnan(known.truths["fvc"]).all()


def test_a_cell_takes_the_quantile_that_finitely_many_patients_ask_for():
    off = np.arange(1, 100.0) / 100
    rows = np.column_stack([np.full(99, 2), np.full(99, 3), off, 2 * off])
    factors, counts = cells(rows)
    assert counts[1, 3] == 99
    assert factors[1, 0, 3] == pytest.approx(0.80)
    assert factors[1, 1, 3] == pytest.approx(1.90)
    assert np.isnan(factors[0]).all()


def test_smoothing_keeps_a_power_of_the_horizon_and_fills_what_nobody_told():
    along = (np.array(HORIZONS) / 6) ** 0.1
    factors = np.stack([np.stack([level * along, level * along]) for level in (1.0, 1.2, 1.3)])
    counts = np.full((3, len(HORIZONS)), 100)
    assert np.allclose(smoothed(factors, counts), factors)
    holes = factors.copy()
    holes[1, :, :2], holes[2] = np.nan, np.nan
    assert np.allclose(smoothed(holes, counts)[:2], factors[:2])
    assert np.allclose(smoothed(holes, counts)[2], factors[1])
    assert np.all(smoothed(np.full_like(factors, np.nan), counts) == 1)


def test_factors_bring_intervals_that_are_half_as_wide_as_they_should_be_to_their_level():
    rng = np.random.default_rng(4)
    miss = np.abs(rng.standard_normal((3, len(HORIZONS), 2000)))
    rows = np.array([
        (k + 1, h, z / (1.2816 / 2), z / (1.96 / 2))
        for k in range(3) for h in range(len(HORIZONS)) for z in miss[k, h]
    ])  # fmt: skip
    assert np.allclose(smoothed(*cells(rows)), 2.0, rtol=0.05)


def test_too_few_patients_are_refused():
    cohort = people(20)
    with pytest.raises(BrainstemALSError, match="at least"):
        fit_people(cohort, None, describe(cohort, "simulated", 3, "test"), imaging=())


def test_the_mean_slope_weighs_by_time():
    from BrainstemALSLib.prediction.progression_data import series_of

    def person(*visits):
        seen = tuple(VisitRecord(f"s{m}", float(m), total=float(y)) for m, y in visits)
        return PersonRecord("a", months_since_onset=10.0, visits=seen)

    series = series_of([person((0, 40), (10, 30)), person((0, 40), (5, 40)), person((0, 9))],
                       None, ())  # fmt: skip
    assert mean_slope(series) == pytest.approx(10 / 15)


def test_the_bundled_model_was_fitted_until_it_stood_still():
    """Its uncertainty is finite and small where every patient tells of it."""
    model = load_progression()
    names = names_of(model.imaging)
    error = np.sqrt(np.diag(model.covariance))
    assert error[names.index("log_rate on one")] < 0.1
    assert np.all(error < 15)
