"""Imaging predictors: z-scores in the right places, missing where they must be, drawn as unsure."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from BrainstemALSLib.prediction.features import FEATURES, NAMES, features_of
from BrainstemALSLib.prediction.measurement import AS_STATED
from BrainstemALSLib.prediction.records import Measure, records_of
from training.cohort.config import load_config
from training.cohort.errors import measured_errors
from training.cohort.simulate import simulate
from training.norms import simulated_norms

MEDULLA, FA = NAMES.index("medulla_volume"), NAMES.index("cst_fa")
ASYMMETRY = NAMES.index("cst_fa_asymmetry")


@pytest.fixture(scope="module")
def norms():
    return simulated_norms(300, 3)


@pytest.fixture(scope="module")
def people():
    # With the errors that the norms were fitted with.
    errors = measured_errors()
    return records_of(simulate(load_config(), 150, 150, 0, seed=13, errors=errors)[0])


@pytest.fixture(scope="module")
def values(people, norms):
    return features_of(people, [p.visits[0] for p in people], norms)


def with_measures(visit, **changed):
    """A visit in which measures of a structure are replaced; None removes them."""
    measures = dict(visit.measures)
    for name, measure in changed.items():
        key = tuple(name.split("__"))
        measures.pop(key, None)
        if measure is not None:
            measures[key] = measure
    return replace(visit, measures=measures)


def test_healthy_people_are_normal_and_patients_are_not(people, values):
    healthy = np.array([p.group == "HC" for p in people])
    for place, feature in enumerate(FEATURES):
        z = values.z[healthy, place]
        z = z[np.isfinite(z)]
        assert len(z) > 100
        if not feature.size:
            # The mean of two sides spreads less than one.
            assert abs(z.mean()) < 0.35
            assert 0.6 < z.std() < 1.4
    assert np.nanmean(values.z[~healthy, FA]) < np.nanmean(values.z[healthy, FA]) - 0.2


def test_an_asymmetry_counts_to_either_side(values):
    assert np.nanmin(values.z[:, ASYMMETRY]) >= 0


def test_what_is_missing_bad_or_of_a_child_has_no_score_and_says_why(people, norms):
    person = people[0]
    visit = person.visits[0]
    volume = visit.measures["medulla", "volume"]
    cases = [
        (person, with_measures(visit, medulla__volume=None)),
        (person, with_measures(visit, medulla__volume=Measure(volume.value, volume.sd, "bad"))),
        (replace(person, age=12.0), visit),
        (replace(person, sex=None), visit),
    ]
    found = features_of([c[0] for c in cases], [c[1] for c in cases], norms)
    assert np.isnan(found.z[:, MEDULLA]).all()
    codes = [reasons["medulla_volume"] for reasons in found.reasons]
    assert codes[1] == "norms-quality"
    assert len(set(codes)) >= 3
    assert np.isfinite(found.z[1, FA])


def test_a_real_persons_site_is_none_of_simulated_norms(people, norms):
    person = people[0]
    visit = person.visits[0]
    real = replace(person, simulated=False)
    unknown = replace(person, site=None)
    found = features_of([person, real, unknown], [visit] * 3, norms)
    assert np.allclose(found.z[1], found.z[2])
    assert (found.sd[1] > found.sd[0]).all()


def test_draws_scatter_as_much_as_is_unsure(values):
    draws = AS_STATED.drawn(values, 4000, np.random.default_rng(1))
    assert draws.shape == (4000, *values.z.shape)
    assert np.allclose(draws[:, 0, MEDULLA].std(), values.sd[0, MEDULLA], rtol=0.1)
    assert np.allclose(draws[:, 0, MEDULLA].mean(), values.z[0, MEDULLA], atol=0.1)
    assert np.nanmin(draws[..., ASYMMETRY]) >= 0
