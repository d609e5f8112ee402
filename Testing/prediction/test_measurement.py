"""Errors of measurement: shared as learned, sizes stay above 0, and a file gives back the same."""

from __future__ import annotations

import numpy as np
import pytest

from BrainstemALSLib.errors import BrainstemALSError
from BrainstemALSLib.prediction.features import NAMES, FeatureValues
from BrainstemALSLib.prediction.measurement import (
    AS_STATED,
    KIND,
    MeasurementError,
    content_of,
    read_measurement,
)
from BrainstemALSLib.prediction.model_files import Training, write_model

TRAINING = Training("simulated", {"HC": 9}, 3, 1, "python", "2026-01-01", "0")
P = len(NAMES)
ASYMMETRY = NAMES.index("cst_fa_asymmetry")


def learned():
    shared = np.full((P, P), 0.1) + np.diag(np.linspace(0.1, 0.4, P))
    return MeasurementError(shared, TRAINING)


def values(z=5.0):
    return FeatureValues(np.full((1, P), z), np.linspace(0.2, 0.6, P)[None], ({},))


def test_draws_err_together_as_learned():
    error, given = learned(), values()
    again = error.drawn(given, 20000, np.random.default_rng(0))[:, 0]
    wanted = error.relative * np.outer(given.sd[0], given.sd[0])
    np.testing.assert_allclose(np.cov(again.T), wanted, atol=0.004)
    np.testing.assert_allclose(again.mean(axis=0), 5.0, atol=0.02)


def test_a_size_measured_again_is_never_below_0():
    again = learned().drawn(values(0.0), 500, np.random.default_rng(0))[:, 0]
    assert again[:, ASYMMETRY].min() >= 0.0 > again[:, 0].min()


def test_a_missing_predictor_stays_missing_and_spoils_no_other():
    given = values()
    given.z[0, 2] = given.sd[0, 2] = np.nan
    again = learned().drawn(given, 50, np.random.default_rng(0))[:, 0]
    assert np.isnan(again[:, 2]).all()
    assert np.isfinite(np.delete(again, 2, axis=1)).all()


def test_without_a_file_errors_are_as_stated_and_apart():
    again = AS_STATED.drawn(values(), 20000, np.random.default_rng(0))[:, 0]
    np.testing.assert_allclose(np.corrcoef(again.T), np.eye(P), atol=0.05)
    np.testing.assert_allclose(again.std(axis=0), values().sd[0], rtol=0.05)


def test_an_entered_head_size_errs_once_for_all():
    given, head = values(), np.linspace(0.0, 0.15, P)[None]
    given = FeatureValues(given.z, given.sd, given.reasons, head)
    error = learned()
    again = error.drawn(given, 40000, np.random.default_rng(0))[:, 0]
    own = np.sqrt(given.sd[0] ** 2 - head[0] ** 2)
    wanted = error.relative * np.outer(own, own) + np.outer(head[0], head[0])
    np.testing.assert_allclose(np.cov(again.T), wanted, atol=0.004)
    np.testing.assert_allclose(error.spread(given)[0], again.std(axis=0), rtol=0.03)


def test_a_file_gives_back_what_was_written(tmp_path):
    write_model(tmp_path / "m.json", KIND, TRAINING, content_of(learned()))
    found = read_measurement(tmp_path / "m.json")
    np.testing.assert_allclose(found.relative, learned().relative, rtol=1e-5)
    assert found.training == TRAINING


def test_errors_of_other_predictors_are_refused(tmp_path):
    content = content_of(learned()) | {"features": ["medulla_volume"]}
    write_model(tmp_path / "m.json", KIND, TRAINING, content)
    with pytest.raises(BrainstemALSError, match="other predictors"):
        read_measurement(tmp_path / "m.json")


def test_those_that_come_along_are_a_covariance_smaller_than_stated():
    found = read_measurement()
    assert found.relative.shape == (P, P)
    assert np.linalg.eigvalsh(found.relative).min() > 0
    assert (np.diag(found.relative) < 1).all()
    assert found.training.source == "simulated"
