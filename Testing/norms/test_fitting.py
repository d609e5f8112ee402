"""Does the fit find the model that made the data, and does it say how sure it is?"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from scipy.stats import t as student

from BrainstemALSLib.norms.fitting import Sample, choose_knots, fit_model, why_not
from BrainstemALSLib.norms.model import spline_basis
from Testing.norms.people import SHIFT, SITES, draw, expected, spread


def sample(people):
    return Sample(*(people[name] for name in ("value", "age", "male", "icv", "site")))


def fitted(people):
    return fit_model("medulla", "volume", "mm3", sample(people))


def scores(model, people):
    none = np.zeros(len(people["age"]))
    columns = (people[name] for name in ("value", "age", "male", "icv", "site"))
    return model.z_scores(*columns, none, none)[:2]


@pytest.fixture(scope="module")
def large():
    return fitted(draw(6000, 1))


def test_it_finds_the_model_that_made_the_data(large):
    age = np.linspace(35, 80, 10)
    for male in (False, True):
        for site in SITES:
            who = age, np.full(10, male), np.full(10, 1.45e6), np.full(10, site, dtype=object)
            mean, sd = large.predict(*who)
            found = large.centre + large.scale * mean
            assert found == pytest.approx(expected(*who), abs=0.008)
            assert large.scale * sd == pytest.approx(spread(age), rel=0.06)


def test_head_size_has_the_slope_of_the_controls(large):
    slope = large.scale * large.mean[len(large.knots) + 1] / large.icv_scale
    assert slope == pytest.approx(0.7, abs=0.05)


def test_the_means_at_the_knots_are_as_likely_as_they_can_be():
    """Against the minimum of the penalised likelihood that SciPy finds, site variances given."""
    from scipy.optimize import minimize

    people = draw(2000, 4)
    model = fitted(people)
    y = model.standardised(people["value"])
    X, W = model.designs(people["age"], people["male"], people["icv"], people["site"])
    p = X.shape[1]

    def loss(theta):
        beta, g = theta[:p], theta[p:]
        prior = (beta[-3:] ** 2).sum() / model.site_sd**2
        prior += (g[-3:] ** 2).sum() / model.site_log_sd**2 + g[1] ** 2 / 0.1**2
        return (W @ g).sum() + 0.5 * ((y - X @ beta) ** 2 * np.exp(-2 * W @ g)).sum() + prior / 2

    best = minimize(loss, np.concatenate([model.mean, model.log_sd]), method="BFGS").x
    assert X @ model.mean == pytest.approx(X @ best[:p], abs=0.02)
    assert W @ model.log_sd == pytest.approx(W @ best[p:], abs=0.02)


def inside(model, people):
    ok = (people["age"] >= model.knots[0]) & (people["age"] <= model.knots[-1])
    return {name: column[ok] for name, column in people.items()}


@pytest.mark.parametrize(("n", "widened"), [(60, 1.13), (400, 1.02)])
def test_new_controls_are_standard_normal(n, widened):
    """Scores with a fit of few are wider than 1 by the errors of mean and spread, and no more.

    The expected widths were measured with this generator over 150 other fits. At n=60 the mean was
    off by 0.37 SD and ln spread by 0.15 (bias -0.04), which together make 1.13.
    """
    models = [fitted(draw(n, seed)) for seed in range(30)]
    new = [inside(model, draw(300, 1000 + seed)) for seed, model in enumerate(models)]
    z = np.concatenate([scores(*pair)[0] for pair in zip(models, new, strict=True)])
    assert z.mean() == pytest.approx(0, abs=0.08)
    assert z.std() == pytest.approx(widened, abs=0.05)


def test_the_spread_allows_for_what_the_mean_cost():
    """Maximum likelihood would be low by p / 2n more, 0.07 here."""
    off = []
    for seed in range(80):
        model = fitted(draw(60, seed))
        people = inside(model, draw(100, 2000 + seed))
        _, sd = model.predict(*(people[name] for name in ("age", "male", "icv", "site")))
        off.append(np.log(model.scale * sd / spread(people["age"])).mean())
    assert -0.06 < np.mean(off) < 0.03


def test_errors_of_the_fit_hold_the_true_score():
    """The true score of a new person is known; the interval has the fit's error alone."""
    hits = []
    for seed in range(60):
        new = draw(100, 500 + seed)
        z, error = scores(fitted(draw(150, seed)), new)
        hits.append(np.abs(z - new["z"]) <= 1.96 * error)
    assert np.mean(hits) == pytest.approx(0.95, abs=0.025)


def test_measurement_error_widens_the_interval_as_stated(large):
    people = draw(1, 7)
    columns = [people[name] for name in ("value", "age", "male", "icv", "site")]
    _, fit, _ = large.z_scores(*columns, np.zeros(1), np.zeros(1))
    _, both, _ = large.z_scores(*columns, 0.03 * people["value"], np.zeros(1))
    measured = 0.03 / spread(people["age"])
    assert np.sqrt(both**2 - fit**2) == pytest.approx(measured, rel=0.06)
    _, head, degrees = large.z_scores(*columns, np.zeros(1), 0.03 * people["icv"])
    assert np.sqrt(head**2 - fit**2) == pytest.approx(0.7 * measured, rel=0.1)
    assert np.isinf(degrees).all()


def test_a_site_of_one_is_drawn_to_the_average_site():
    people = draw(200, 3)
    people["site"][:] = "A"
    people["site"][0] = "B"
    people["value"][0] *= 1.5
    model = fitted(people)
    assert model.site_counts == (199, 1)
    apart = np.log(1.5) / model.scale
    assert 0 < model.mean[-1] < 0.5 * apart


def test_scores_do_not_depend_on_the_unit():
    people = draw(150, 9)
    other = {**people, "value": people["value"] / 1000.0}
    assert scores(fitted(people), people)[0] == pytest.approx(scores(fitted(other), other)[0])


def test_the_spline_is_one_at_its_knot_and_adds_up_to_one():
    knots = np.array([20.0, 50.0, 60.0, 90.0])
    assert spline_basis(knots, knots) == pytest.approx(np.eye(4))
    assert spline_basis(knots, np.linspace(20, 90, 31)).sum(axis=1) == pytest.approx(1)


def test_equal_ages_do_not_make_equal_knots():
    knots = choose_knots(np.r_[30.0, np.full(100, 60.0), 61.0, 80.0])
    assert (np.diff(knots) > 0).all()
    assert (knots[0], knots[-1]) == (30.0, 80.0)


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (lambda p: {k: v[:19] for k, v in p.items()}, "19 controls"),
        (lambda p: {**p, "age": p["age"] / 100 + 50}, "less than 5 years"),
        (lambda p: {**p, "value": np.full(50, 5000.0)}, "same value"),
        (lambda p: p, ""),
    ],
)
def test_what_cannot_be_fitted_is_said(change, reason):
    found = why_not(sample(change(draw(50, 2))))
    assert reason in found
    assert bool(reason) == bool(found)


def test_an_unknown_site_adds_what_sites_differ_by(large):
    people = draw(1, 7)
    columns = [people[name] for name in ("value", "age", "male", "icv")]
    zero, nowhere = np.zeros(1), np.array([""], dtype=object)
    z, error, degrees = large.z_scores(*columns, nowhere, zero, zero)
    certain = replace(large, site_sd=0.0, site_log_sd=0.0)
    _, least, _ = certain.z_scores(*columns, nowhere, zero, zero)
    _, sd = large.predict(*columns[1:], nowhere)
    added = (large.site_sd / sd) ** 2 + (z * large.site_log_sd) ** 2
    assert error**2 - least**2 == pytest.approx(added)
    assert large.site_sd > 0.1
    assert large.site_df <= degrees < 1.5 * large.site_df


def test_intervals_hold_people_of_sites_that_taught_nothing():
    """Sites drawn anew each time, most as far apart as people are, which the prior does not expect.

    With three sites to learn from, a normal interval holds too few.
    """
    hits, normal = [], []
    for seed in range(150):
        people = draw(124, seed, ("A", "B", "C", "D"))
        shift = dict(zip("ABCD", 0.05 * np.random.default_rng(seed).normal(size=4), strict=True))
        moved = np.array([shift[s] - SHIFT[s] for s in people["site"]])
        people["value"] = people["value"] * np.exp(moved)
        there = people["site"] == "D"
        model = fitted({name: column[~there] for name, column in people.items()})
        new = inside(model, {name: column[there] for name, column in people.items()})
        # The true score is that at an average site; how far D lies from it is what is unsure.
        columns = [new[name] for name in ("value", "age", "male", "icv", "site")]
        z, error, degrees = model.z_scores(*columns, *np.zeros((2, len(new["age"]))))
        hits.append(np.abs(z - new["z"]) <= student.ppf(0.975, degrees) * error)
        normal.append(np.abs(z - new["z"]) <= 1.96 * error)
    assert np.mean(np.concatenate(hits)) > 0.93
    assert np.mean(np.concatenate(normal)) < np.mean(np.concatenate(hits)) - 0.02
