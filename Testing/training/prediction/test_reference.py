"""Choosing reference patients: only patients with images and outcome, none of them by name."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from BrainstemALSLib.cohort.tables import Cohort
from BrainstemALSLib.errors import BrainstemALSError, ExitCode
from BrainstemALSLib.norms import bundled_norms
from BrainstemALSLib.prediction.explain_reference import COLUMNS, content_of
from BrainstemALSLib.prediction.model_files import Training
from training.prediction.reference import choose_references
from training.prediction.source import simulated_cohort

TRAINING = Training("simulated", {"ALS": 40}, 3, 5, "test", "2026-01-01", "0")


@pytest.fixture(scope="module")
def cohort():
    return simulated_cohort(5, 40, 10)


@pytest.fixture(scope="module")
def chosen(cohort):
    return choose_references(cohort, bundled_norms(), TRAINING)


def test_patients_with_images_and_an_outcome_are_chosen(cohort, chosen):
    patients = cohort.participants[cohort.participants.group == "ALS"]
    imaged = patients[patients.participant_id.isin(cohort.measures.participant_id)]
    assert 25 <= len(chosen.names) <= len(imaged) <= 40
    assert chosen.values.shape == (len(chosen.names), len(COLUMNS))
    assert np.isfinite(chosen.months_to_end).all()
    # In the order of the cohort, some left out.
    remaining = iter(imaged.event)
    assert all(event in remaining for event in chosen.events)
    assert len(set(chosen.months_to_end)) > 10


def test_only_those_in_the_file_are_counted(chosen):
    assert chosen.training.people == {"ALS": len(chosen.names)}
    assert f"({len(chosen.names)} ALS; seed 5)" in chosen.training.statement


def test_patients_have_no_names(cohort, chosen):
    real = Cohort(cohort.participants, cohort.visits, cohort.measures, simulated=False)
    found = choose_references(real, bundled_norms(), replace(TRAINING, source="real"))
    for one in (found, chosen):
        text = " ".join(content_of(one)["patients"])
        assert "sub-" not in text
        assert one.names[0] == "R001"


def test_too_few_are_refused(cohort):
    few = cohort.participants.head(12)
    small = Cohort(few, cohort.visits, cohort.measures, simulated=True)
    with pytest.raises(BrainstemALSError, match="fewer than 20") as refusal:
        choose_references(small, bundled_norms(), TRAINING)
    assert refusal.value.code == ExitCode.USAGE
