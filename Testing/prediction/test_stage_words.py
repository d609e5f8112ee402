"""The words beside King's stage: they say of the clinical stage what the runs of stages say."""

from __future__ import annotations

import re
from types import SimpleNamespace

import numpy as np
import pytest

from BrainstemALSLib.norms import bundled_norms
from BrainstemALSLib.prediction.records import records_of
from BrainstemALSLib.prediction.report_html_words import agreement, headline, stage_sets
from BrainstemALSLib.prediction.stage import agreement_of, predict_stage
from BrainstemALSLib.prediction.stage_model import LEVELS, STAGES, read_stage_models
from training.prediction.stage import simulated_patients

WORDS = {
    "agrees": "is among them: inside the stages that hold 80 %",
    "hardly agrees": "at the edge: outside the stages that hold 80 %, inside those of 95 %",
    "disagrees": "does not fit the images, look at both again",
}


@pytest.fixture(scope="module")
def answers():
    """What new patients of the simulation are told."""
    norms, models = bundled_norms(), read_stage_models()
    cohort, _ = simulated_patients(771_203, 110)
    found = [
        predict_stage(person, visit, norms, models, use_clinic=False)
        for person in records_of(cohort)
        for visit in person.visits
        if visit.has_images
    ]
    found = [one for one in found if one.probabilities is not None]
    assert len(found) > 100
    return found


def told(stage):
    """As much of a prediction as the words read."""
    return SimpleNamespace(stage=stage, simulated={"stage": True}, answers=lambda part: True)


def stages_in(said):
    first, last = re.match(r"[Ss]tages? (\d)(?: to (\d))?", said).groups()
    return range(int(first), int(last or first) + 1)


def test_block_and_word_never_contradict_each_other(answers):
    """The stages are read from what is printed, the word too; every visit, every stage."""
    seen = set()
    for one in answers:
        for clinical in STAGES:
            word = agreement_of(clinical, one.sets)
            fields = {"clinical": clinical, "clinical_probability": 0.1, "agreement": word}
            answer = told(SimpleNamespace(**{**vars(one), **fields}))
            shown, runs = stages_in(headline(answer, "stage")), stage_sets(answer)
            inner, outer = (stages_in(run) for run in re.findall(r"\(here (.*?)\)", runs))
            assert inner == shown
            level = "agrees" if int(clinical) in inner else "hardly agrees"
            level = level if int(clinical) in outer else "disagrees"
            said = agreement(answer)
            assert [name for name, text in WORDS.items() if text in said] == [level]
            assert "fits" not in said
            seen.add(level)
    assert seen == set(WORDS)


def test_the_word_of_a_visit_is_that_of_its_own_stage(answers):
    known = [one for one in answers if one.clinical in STAGES]
    assert {one.agreement for one in known} >= {"agrees", "hardly agrees"}
    for one in known:
        assert one.agreement == agreement_of(one.clinical, one.sets)
        assert WORDS[one.agreement] in agreement(told(one))


def test_words_hold_as_often_as_their_runs(answers):
    """A stage is among them for about 80 % of visits, at the edge for about 15 %."""
    known = [one.agreement for one in answers if one.clinical in STAGES]
    inside = np.mean([word == "agrees" for word in known])
    outside = np.mean([word == "disagrees" for word in known])
    assert inside == pytest.approx(LEVELS[0], abs=0.1)
    assert outside < 0.12


@pytest.mark.parametrize("clinical", [None, "0", "5"])
def test_a_stage_that_is_not_modelled_is_not_compared(answers, clinical):
    assert agreement_of(clinical, answers[0].sets) == ""
    fields = {"clinical": clinical, "clinical_probability": None, "agreement": ""}
    said = agreement(told(SimpleNamespace(**{**vars(answers[0]), **fields})))
    assert not any(text in said for text in WORDS.values())


def test_the_level_is_of_all_people_and_said_to_be_so(answers):
    said = stage_sets(told(answers[0]))
    assert "of all new simulated patients" in said
    assert "with such an answer" not in said
    assert "fewer in late stages" in said
    real = SimpleNamespace(stage=answers[0], simulated={"stage": False})
    assert "simulated" not in stage_sets(real)
