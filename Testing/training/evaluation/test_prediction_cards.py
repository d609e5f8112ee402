"""Cards of the prediction models: whom they were learned from, what the page found."""

from __future__ import annotations

import pytest

from BrainstemALSLib.prediction.model_files import FOLDER, Training
from training.data import repository
from training.evaluation.prediction_cards import NOT_FOR, SIMULATED, card, main, prose
from training.evaluation.written_pages import WrittenPage

SIMULATION = Training("simulated", {"ALS": 7, "HC": 5}, 3, 11, "python -m x", "2026-11-29", "9.9")
PAGE = WrittenPage(
    "prediction_x", "A page", "simulated",
    {"Data": "40 people.", "Seed": "5", "Date": "2026-11-30"},
    {}, {}, (("AUC at least 0.9: 0.71", False), ("ECE at most 0.04: 0.02", True)),
)  # fmt: skip


@pytest.fixture
def text():
    return card("stage", prose()["stage"], SIMULATION, PAGE)


def test_it_says_whom_the_model_was_learned_from(text):
    assert text.startswith("# King's stage that goes with a brainstem (simulated training data)")
    assert "7 ALS, 5 HC, 3 sites; seed 11, 2026-11-29, version 9.9" in text
    assert SIMULATED in text
    assert NOT_FOR in text


def test_what_was_not_reached_stands_there(text):
    assert "| AUC at least 0.9: 0.71 | **not reached** |" in text
    assert "| ECE at most 0.04: 0.02 | reached |" in text
    assert "(../results/prediction_x.md)" in text


def test_a_model_of_real_people_is_not_called_simulated():
    real = Training("real", {"ALS": 53}, 1, None, "python -m x", "2026-11-29", "9.9")
    text = card("stage", prose()["stage"], real, PAGE)
    assert SIMULATED not in text
    assert "real people" in text


def test_every_model_has_all_of_the_prose():
    names = {"title", "question", "outcome", "predictors", "missing", "uncertainty", "page", "fit"}
    sections = prose()
    models = repository() / "Resources" / FOLDER
    assert set(sections) == {path.stem for path in models.glob("*.json")}
    assert all(set(section) - {"real_cohort"} == names for section in sections.values())


def test_what_only_a_simulation_knows_is_not_offered_for_a_real_cohort():
    text = card("measurement", prose()["measurement"], SIMULATION, PAGE)
    assert SIMULATED in text
    assert "--cohort" not in text


def test_the_cards_in_docs_are_those_of_the_models_and_pages():
    assert main(["--check"]) == 0
