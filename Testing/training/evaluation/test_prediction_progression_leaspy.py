"""What leaspy is asked and what is read from its answer; leaspy itself is not needed here."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np
import pytest

from BrainstemALSLib.errors import BrainstemALSError, ExitCode
from BrainstemALSLib.prediction.progression import HORIZONS
from BrainstemALSLib.prediction.records import PersonRecord, VisitRecord
from training.evaluation import prediction_progression
from training.evaluation.prediction_progression_leaspy import (
    ITERATIONS,
    leaspy_forecasts,
    question,
    read_answer,
)
from training.evaluation.prediction_progression_page import _leaspy

VISITS = (
    VisitRecord("s0", 0.0, total=42.0),
    VisitRecord("s1", 3.0),
    VisitRecord("s2", 6.0, total=36.0),
)
RATED = PersonRecord("a", months_since_onset=12.0, visits=VISITS)
UNRATED = PersonRecord("b", months_since_onset=9.0, visits=VISITS[1:2])


def test_a_question_has_losses_against_years_since_onset():
    asked = json.loads(json.dumps(question([RATED], [[RATED, UNRATED], []], 7), allow_nan=False))
    assert asked["learn"] == [["a", 1.0, 0.125], ["a", 1.5, 0.25]]
    assert (asked["seed"], asked["iterations"]) == (7, ITERATIONS)
    first, second = asked["ask"]
    assert first["seen"] == asked["learn"]
    assert second == {"seen": [], "at": {}}


def test_horizons_are_asked_from_the_last_visit_of_those_with_a_total():
    (group,) = question([], [[RATED, UNRATED]], 7)["ask"]
    assert list(group["at"]) == ["a"]
    assert np.allclose(group["at"]["a"], (12 + 6 + np.array(HORIZONS)) / 12)


def test_an_answer_is_read_as_totals_in_the_order_of_people(tmp_path):
    lost = {"a": [0.25, 0.5, 0.5, 0.75, 0.75, 1.0]}
    path = tmp_path / "answer.json"
    path.write_text(json.dumps({"versions": {"leaspy": "2.1.0"}, "answers": [lost, {}]}))
    found = read_answer(path, [[UNRATED, RATED], [UNRATED]])
    assert found.versions == {"leaspy": "2.1.0"}
    assert np.isnan(found.forecasts[0][0]).all()
    assert found.forecasts[0][1].tolist() == [36, 24, 24, 12, 12, 0]
    assert found.forecasts[1].shape == (1, len(HORIZONS))


def test_an_answer_for_other_groups_is_not_read(tmp_path):
    path = tmp_path / "answer.json"
    path.write_text(json.dumps({"versions": {}, "answers": [{}]}))
    with pytest.raises(ValueError, match="shorter"):
        read_answer(path, [[RATED], [RATED]])


def test_a_folder_without_python_is_refused(tmp_path):
    with pytest.raises(BrainstemALSError, match="is no Python environment") as refused:
        leaspy_forecasts(tmp_path / "none", [RATED], [[RATED]], 1)
    assert refused.value.code == ExitCode.MISSING_PACKAGE


def test_an_environment_without_leaspy_is_refused_in_one_sentence():
    """The runner really starts: in this project's environment, which has no leaspy."""
    with pytest.raises(BrainstemALSError, match="leaspy is not installed") as refused:
        leaspy_forecasts(Path(sys.prefix), [RATED], [[RATED]], 1)
    assert refused.value.code == ExitCode.MISSING_PACKAGE
    assert "Traceback" not in str(refused.value)


def test_the_command_says_so_and_writes_no_page(tmp_path, capsys):
    words = ["--patients", "8", "--leaspy", str(tmp_path / "none"), "--out", str(tmp_path)]
    assert prediction_progression.main(words) == ExitCode.MISSING_PACKAGE
    assert capsys.readouterr().err.startswith("none: is no Python environment.")
    assert not list(tmp_path.iterdir())


def test_a_page_says_what_leaspy_ran_on_or_that_it_did_not():
    assert _leaspy({}) == "leaspy was left out."
    assert "(leaspy 2.1.0, torch 2.13.0)" in _leaspy({"leaspy": "2.1.0", "torch": "2.13.0"})
