"""The data-driven stage: events past in their order, unsure where images say little."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from BrainstemALSLib.cohort_analysis.event_model import Mixtures
from BrainstemALSLib.errors import BrainstemALSError
from BrainstemALSLib.prediction.disease_stage import (
    KIND,
    WIDEST,
    Margin,
    content_of,
    estimate_of,
    evidence,
    predict_disease_stage,
    read_disease_stage,
    staged,
    tails_of,
    too_wide,
)
from BrainstemALSLib.prediction.model_files import write_model
from BrainstemALSLib.prediction.records import records_of
from BrainstemALSLib.prediction.stage_model import LEVELS
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
        means[group] = np.mean([f.stage.value for f in found if f.stage])
    assert means["ALS"] > means["HC"] + 0.4


def test_events_and_stages_agree(people, norms, model):
    found = predict_disease_stage(*answering(people, norms, model), norms, model)
    assert sum(found.probabilities) == pytest.approx(1.0)
    # The mean number of events past is the sum of the probabilities that each is.
    stage = found.stage
    assert stage.value == pytest.approx(sum(p for _, _, p in found.events))
    assert stage.low95 <= stage.low80 <= stage.value <= stage.high80 <= stage.high95
    assert all(end == int(end) for end in (stage.low80, stage.high80, stage.low95, stage.high95))
    assert [name for name, _, _ in found.events] == [model.events[k] for k in model.usual_order]
    assert found.simulated


def test_the_usual_order_is_that_of_most_fits(model):
    chance = replace(model, orders=(model.orders[0][::-1], *[model.orders[0]] * 4))
    assert chance.usual_order.tolist() == model.orders[0].tolist()


def test_a_number_leaves_the_interval_by_its_smaller_tail():
    tails = tails_of(np.array([[0.1, 0.6, 0.2, 0.06, 0.04]]))[0]
    assert tails == pytest.approx([0.1, 0.5, 0.5, 0.1, 0.04])
    # What lies between median and mean never leaves: the shown mean is inside.
    split = tails_of(np.array([[0.6, 0.0, 0.0, 0.0, 0.4]]))[0]
    assert split == pytest.approx([0.5, 0.5, 0.5, 0.4, 0.4])


def test_intervals_are_as_wide_as_was_learned_and_say_where_nothing_was(people, norms, model):
    patient, visit = answering(people, norms, model)
    last = len(model.events)
    found = {
        by: predict_disease_stage(
            patient, visit, norms, replace(model, margins=dict.fromkeys(LEVELS, Margin(0.5, *by)))
        )
        for by in ((0, 0), (1, 2))
    }
    narrow, wide = (one.stage for one in found.values())
    assert (wide.low80, wide.high80) == (max(narrow.low80 - 1, 0), min(narrow.high80 + 2, last))
    code = "disease-stage-unchecked"
    assert code not in [f.code for f in found[0, 0].findings]
    bare = predict_disease_stage(patient, visit, norms, model)
    assert code in [f.code for f in bare.findings]


def test_the_interval_of_the_higher_level_holds_the_other(model):
    crossed = replace(model, margins={0.8: Margin(0.5, 2, 0), 0.95: Margin(0.5, 0, 3)})
    share = np.eye(len(model.events) + 1)[3]
    found = estimate_of(share, crossed)
    assert (found.low80, found.high80) == (1, 3)
    assert (found.low95, found.high95) == (1, min(6, len(model.events)))


def test_an_interval_that_tells_nothing_is_no_answer(people, norms, model):
    patient, visit = answering(people, norms, model)
    last = len(model.events)
    for fewer in range(last + 1):
        margins = {0.8: Margin(0.5, fewer, last), 0.95: Margin(0.5, last, last)}
        found = predict_disease_stage(patient, visit, norms, replace(model, margins=margins))
        if found.stage is None:
            assert (found.probabilities, found.events) == ((), ())
            (why,) = found.findings
            assert (why.code, why.severity) == ("disease-stage-wide", "error")
            assert f"to {last} of {last} events would be in its 80 % interval" in why.message
        else:
            assert found.stage.high80 - found.stage.low80 < WIDEST * last
    assert found.stage is None


def test_six_of_seven_events_is_too_wide_and_five_is_not():
    assert too_wide(np.array([0, 1, 0, 2]), np.array([7, 7, 5, 7]), 7).tolist() == [
        True, True, False, False,
    ]  # fmt: skip


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
    pair = answering(people, norms, model)
    one, two = (predict_disease_stage(*pair, norms, m) for m in (model, again))
    assert one.stage.value == pytest.approx(two.stage.value, abs=0.01)
    assert again.margins is None
    learned = replace(model, margins={0.8: Margin(0.12, 0, 2), 0.95: Margin(0.03, 1, 3)})
    write_model(path, KIND, model.training, content_of(learned))
    assert read_disease_stage(path).margins == learned.margins
    assert read_disease_stage().training.source == "simulated"
    assert read_disease_stage().margins is not None


def test_where_nobody_differs_there_is_no_order(norms):
    from training.cohort.config import load_config
    from training.cohort.scenario import Scenario
    from training.cohort.simulate import simulate

    cohort, _ = simulate(load_config(), 120, 120, 0, 9, Scenario(disease=0.0))
    with pytest.raises(BrainstemALSError, match="larger cohort"):
        fit_disease_stage(cohort, norms, training_of(cohort, 9), 9, refits=1)
