"""The data-driven stage: events past in their order, unsure where images say little."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from BrainstemALSLib.cohort_analysis.event_model import Mixtures
from BrainstemALSLib.errors import BrainstemALSError
from BrainstemALSLib.prediction.disease_stage import (
    KIND,
    content_of,
    evidence,
    predict_disease_stage,
    read_disease_stage,
    staged,
)
from BrainstemALSLib.prediction.model_files import write_model
from BrainstemALSLib.prediction.records import records_of
from training.norms import simulated_norms
from training.prediction.disease_stage import fit_disease_stage, stage_shares
from training.prediction.source import simulated_cohort, training_of


@pytest.fixture(scope="module")
def norms():
    return simulated_norms(300, 3)


@pytest.fixture(scope="module")
def cohort():
    return simulated_cohort(6, 300, 300)


@pytest.fixture(scope="module")
def model(cohort, norms):
    return fit_disease_stage(cohort, norms, training_of(cohort, 6), 6, refits=6)


@pytest.fixture(scope="module")
def people(cohort):
    imaged = [p for p in records_of(cohort) if p.visits[0].has_images]
    return [replace(p, site=None) for p in imaged]


def mixtures(events=4, gap=4.0):
    plain = np.tile([0.0, 1.0], (events, 1))
    return Mixtures(plain, np.add(plain, [gap, 0.0]), np.full(events, 0.5))


def test_clear_values_give_their_stage():
    order = np.array([2, 0, 3, 1])
    prior = np.full(5, 0.2)
    for stage in range(5):
        values = np.zeros((1, 4))
        values[0, order[:stage]] = 4.0
        found = staged(evidence(mixtures(), values), order, prior)
        assert found[0].argmax() == stage
        assert found.sum() == pytest.approx(1.0)


def test_evidence_never_falls_as_a_value_gets_worse():
    wide = Mixtures(np.array([[0.0, 1.0]]), np.array([[1.0, 2.0]]), np.array([0.5]))
    narrow = Mixtures(np.array([[0.0, 1.0]]), np.array([[1.0, 0.5]]), np.array([0.5]))
    values = np.linspace(-8, 8, 200)[:, None]
    for kind in (wide, narrow):
        assert (np.diff(evidence(kind, values)[:, 0]) >= -1e-9).all()


def test_a_missing_value_says_nothing():
    values = np.array([[np.nan, 4.0, 0.0, 0.0]])
    assert evidence(mixtures(), values)[0, 0] == 0.0


def test_shares_of_stages_come_back():
    rng = np.random.default_rng(2)
    true = np.array([0.5, 0.0, 0.3, 0.0, 0.2])
    stage = rng.choice(5, p=true, size=600)
    order = np.arange(4)
    values = (order < stage[:, None]) * 4.0 + rng.standard_normal((600, 4))
    found = stage_shares(evidence(mixtures(), values), order)
    assert np.abs(found - true).max() < 0.06


def test_patients_are_further_than_controls(people, norms, model):
    means = {}
    for group in ("ALS", "HC"):
        found = [
            predict_disease_stage(replace(p, group=None), p.visits[0], norms, model)
            for p in [q for q in people if q.group == group][:60]
        ]
        means[group] = np.mean([f.stage[0] for f in found if f.stage])
    assert means["ALS"] > means["HC"] + 0.4


def test_events_and_stages_agree(people, norms, model):
    patient = next(p for p in people if p.group == "ALS")
    found = predict_disease_stage(patient, patient.visits[0], norms, model)
    assert sum(found.probabilities) == pytest.approx(1.0)
    # The mean number of events past is the sum of the probabilities that each is.
    assert found.stage[0] == pytest.approx(sum(p for _, _, p in found.events))
    assert found.stage[1] <= found.stage[0] <= found.stage[2]
    assert [name for name, _, _ in found.events] == [model.events[k] for k in model.orders[0]]
    assert found.simulated


def test_volumes_alone_give_a_less_certain_stage_and_no_images_none(people, norms, model):
    patient = next(p for p in people if p.group == "ALS")
    visit = patient.visits[0]
    volumes = {k: m for k, m in visit.measures.items() if k[1] == "volume"}
    found = predict_disease_stage(patient, replace(visit, measures=volumes), norms, model)
    codes = [f.code for f in found.findings]
    assert found.stage is None or "disease-stage-events-missing" in codes
    none = predict_disease_stage(patient, replace(visit, measures={}), norms, model)
    assert none.stage is None
    assert none.findings[0].severity == "error"


def answering(people, norms, model):
    """The first patient who gets a stage, and the first visit."""
    patients = (p for p in people if p.group == "ALS")
    return next(
        (p, p.visits[0])
        for p in patients
        if predict_disease_stage(p, p.visits[0], norms, model).stage is not None
    )


@pytest.mark.parametrize("group", ["HC", "MIMIC"])
def test_a_person_without_the_disease_has_no_stage(people, norms, model, group):
    patient, visit = answering(people, norms, model)
    found = predict_disease_stage(replace(patient, group=group), visit, norms, model)
    assert (found.stage, found.probabilities, found.events) == (None, (), ())
    assert [(f.code, f.severity) for f in found.findings] == [("disease-stage-not-als", "error")]


def test_a_child_has_no_stage(people, norms, model):
    patient, visit = answering(people, norms, model)
    found = predict_disease_stage(replace(patient, age=12.0), visit, norms, model)
    assert found.stage is None
    assert [f.code for f in found.findings] == ["disease-stage-age"]


@pytest.mark.parametrize(
    ("wrong", "factor", "label"),
    [
        (lambda key: key[1] == "fa", 100.0, "FA of the corticospinal tracts"),
        (lambda key: key[1] == "md", 1000.0, "MD of the corticospinal tracts"),
        (lambda key: key == ("medulla", "volume"), 0.5, "Volume of the medulla"),
    ],
)
def test_wrong_units_and_half_a_medulla_have_no_stage(people, norms, model, wrong, factor, label):
    patient, visit = answering(people, norms, model)
    measures = {
        key: replace(measure, value=measure.value * factor) if wrong(key) else measure
        for key, measure in visit.measures.items()
    }
    found = predict_disease_stage(patient, replace(visit, measures=measures), norms, model)
    assert found.stage is None
    (why,) = found.findings
    assert (why.code, why.severity) == ("disease-stage-outside", "error")
    assert label in why.message


def test_a_file_gives_the_same_model(tmp_path, people, norms, model):
    path = tmp_path / "disease_stage.json"
    write_model(path, KIND, model.training, content_of(model))
    again = read_disease_stage(path)
    patient = next(p for p in people if p.group == "ALS")
    one, two = (predict_disease_stage(patient, patient.visits[0], norms, m) for m in (model, again))
    assert one.stage[0] == pytest.approx(two.stage[0], abs=0.01)
    assert read_disease_stage().training.source == "simulated"


def test_where_nobody_differs_there_is_no_order(norms):
    from training.cohort.config import load_config
    from training.cohort.scenario import Scenario
    from training.cohort.simulate import simulate

    cohort, _ = simulate(load_config(), 120, 120, 0, 9, Scenario(disease=0.0))
    with pytest.raises(BrainstemALSError, match="larger cohort"):
        fit_disease_stage(cohort, norms, training_of(cohort, 9), 9, refits=1)
