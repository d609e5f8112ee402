"""Models as JSON: whole, checked, and saying whom they were learned from."""

from __future__ import annotations

import json

import numpy as np
import pytest

from BrainstemALSLib.errors import BrainstemALSError, ExitCode
from BrainstemALSLib.prediction.model_files import Training, _checksum, read_model, write_model

SIMULATED = Training(
    "simulated", {"ALS": 500, "HC": 300}, 3, 7, "python -m training.prediction.x", "2026-11-29", "1"
)
CONTENT = {"weights": np.array([[0.1, 2.0]]), "names": ("a", "b"), "count": np.int64(3)}


@pytest.fixture
def path(tmp_path):
    path = tmp_path / "deeper" / "x.json"
    write_model(path, "test", SIMULATED, CONTENT)
    return path


def test_it_comes_back_as_it_was(path):
    training, content = read_model(path, "test")
    assert training == SIMULATED
    assert content["weights"] == [[0.1, 2.0]]
    assert content["count"] == 3


def test_simulation_is_said(path):
    assert json.loads(path.read_text())["statement"].startswith("trained on simulated cohort v1")
    real = Training("real", {"ALS": 53}, 1, None, "c", "2026-11-29", "1")
    assert "simulated" not in real.statement


def test_norms_sites_and_missing_predictors_are_said():
    real = Training("real", {"ALS": 53}, 0, None, "c", "2026-11-29", "1", "simulated", "fvc, ftd")
    assert "simulated norms" in real.statement
    assert "sites not known" in real.statement
    assert "without 2 predictors" in real.statement


def test_a_file_of_before_that_does_not_say_its_norms_is_read(path):
    record = json.loads(path.read_text())
    for name in ("norms", "without"):
        del record["training"][name]
    del record["sha256"]
    path.write_text(json.dumps(record | {"sha256": _checksum(record)}))
    assert read_model(path, "test")[0] == SIMULATED


def damaged(path, **changed):
    record = json.loads(path.read_text()) | changed
    path.write_text(json.dumps(record))


@pytest.mark.parametrize(
    ("harm", "said"),
    [
        (lambda p: p.unlink(), "missing"),
        (lambda p: p.write_text("{"), "no JSON"),
        (lambda p: damaged(p, count=4), "altered"),
        (lambda p: damaged(p, format=9), "format 9"),
        (lambda p: damaged(p, kind="BrainstemALS norms"), "no model for test"),
    ],
)
def test_what_is_not_whole_is_refused(path, harm, said):
    harm(path)
    with pytest.raises(BrainstemALSError, match=said) as refusal:
        read_model(path, "test")
    assert refusal.value.code == ExitCode.MODEL_UNAVAILABLE


def test_a_number_that_is_none_is_never_written(tmp_path):
    with pytest.raises(ValueError, match="JSON"):
        write_model(tmp_path / "x.json", "test", SIMULATED, {"weight": float("nan")})
    assert not list(tmp_path.iterdir())
