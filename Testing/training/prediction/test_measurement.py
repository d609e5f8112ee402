"""Errors of measurement are learned from people who were measured twice, and shared by features."""

from __future__ import annotations

import sys

import numpy as np
import pytest

from BrainstemALSLib.prediction.measurement import read_measurement
from training.prediction import measurement
from training.prediction.classification import CLEAN, norms_in_use, simulated_cohort
from training.prediction.classification_data import people_of
from training.prediction.measurement import error_of

SIZES = (120, 90, 60)


@pytest.fixture(scope="module")
def norms():
    return norms_in_use(3, 200)


@pytest.fixture(scope="module")
def measured():
    return people_of(simulated_cohort(8990, SIZES, 4), 1)


@pytest.fixture(scope="module")
def clean():
    return people_of(simulated_cohort(8990, SIZES, 4, CLEAN), 1)


def test_errors_of_scanners_are_shared_by_features(measured, clean, norms):
    error = error_of(measured, clean, norms)
    assert np.linalg.eigvalsh(error).min() > 0
    size = np.sqrt(np.diag(error))
    correlation = error / np.outer(size, size)
    assert correlation[0, 1] > 0.15
    nothing = error_of(clean, clean, norms)
    np.testing.assert_array_equal(nothing, 0.0)


def test_the_command_writes_a_file_that_is_read_back(tmp_path, monkeypatch, measured, norms):
    monkeypatch.setattr(measurement, "norms_in_use", lambda: norms)
    monkeypatch.setattr(
        measurement, "simulated_cohort",
        lambda seed, scenario=None: simulated_cohort(seed, SIZES, 4, scenario),
    )  # fmt: skip
    out = tmp_path / "measurement.json"
    monkeypatch.setattr(sys, "argv", ["measurement", "--seed", "8990", "--out", str(out)])
    measurement.main()
    found = read_measurement(out)
    assert found.training.people == {"HC": 120, "ALS": 90, "MIMIC": 60}
    np.testing.assert_allclose(
        found.relative,
        error_of(measured, people_of(simulated_cohort(8990, SIZES, 4, CLEAN), 8990), norms),
        rtol=1e-4,
    )
