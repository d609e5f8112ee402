"""Simulated cohorts of the tests, each simulated once."""

from __future__ import annotations

import pytest

from training.cohort.config import load_config
from training.cohort.scenario import Scenario
from training.cohort.simulate import simulate


@pytest.fixture(scope="session")
def config():
    return load_config()


@pytest.fixture(scope="session")
def simulated(config):
    """200 controls, 500 patients, 30 mimics, as configured."""
    return simulate(config, 200, 500, 30, seed=3)


@pytest.fixture(scope="session")
def many(config):
    """Enough people to see an effect; one scanner effect less to adjust for."""
    return simulate(config, 1200, 1200, 0, seed=4, scenario=Scenario(site_effect=0.0))
