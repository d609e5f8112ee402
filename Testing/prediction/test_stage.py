"""King's stage from images: probabilities that add up, widen with what is unsure, and abstain."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from BrainstemALSLib.prediction.model_files import bundled, write_model
from BrainstemALSLib.prediction.records import Measure, records_of
from BrainstemALSLib.prediction.stage import clinical_predictors, predict_stage
from BrainstemALSLib.prediction.stage_model import (
    KIND,
    LEVELS,
    SETS,
    STAGES,
    content_of,
    joined,
    read_stage_models,
    stage_probabilities,
)
from training.norms import simulated_norms
from training.prediction import stage_fit
from training.prediction.source import simulated_cohort, training_of
from training.prediction.stage import fit_stages


@pytest.fixture(scope="module")
def norms():
    return simulated_norms(300, 3)


@pytest.fixture(scope="module")
def cohort():
    return simulated_cohort(5, 250, 60)


@pytest.fixture(scope="module")
def models(cohort, norms):
    with pytest.MonkeyPatch.context() as few:
        few.setattr(stage_fit, "PENALTIES", (10.0, 100.0))
        return fit_stages(cohort, norms, training_of(cohort, 5), 5, replicates=8)


@pytest.fixture(scope="module")
def patient(cohort):
    """A patient whose first visit has everything, good throughout."""
    for person in records_of(cohort):
        visit = person.visits[0]
        good = visit.has_images and all(m.quality == "good" for m in visit.measures.values())
        if person.group == "ALS" and good and visit.fvc and visit.kings in STAGES:
            return replace(person, site=None)
    raise AssertionError("no such patient")


def stage_of(person, norms, models, **options):
    return predict_stage(person, person.visits[0], norms, models, **options)


def changed(person, **fields):
    return replace(person, visits=(replace(person.visits[0], **fields),))


def test_probabilities_add_up_and_lie_in_their_intervals(patient, norms, models):
    found = stage_of(patient, norms, models)
    assert list(found.probabilities) == list(STAGES)
    assert sum(p for p, _, _ in found.probabilities.values()) == pytest.approx(1.0)
    assert all(low <= p <= high for p, low, high in found.probabilities.values())
    mean = found.expected
    assert 1 <= mean.low95 <= mean.low80 <= mean.value <= mean.high80 <= mean.high95 <= 4
    parts = [int(stage) * p for stage, (p, _, _) in found.probabilities.items()]
    assert mean.value == pytest.approx(sum(parts))
    assert found.simulated
    assert "simulated" in found.statement


def test_the_same_exam_gives_the_same_stage(patient, norms, models):
    assert stage_of(patient, norms, models) == stage_of(patient, norms, models)


def test_the_clinical_stage_is_beside_it_and_never_in_it(patient, norms, models):
    found = stage_of(patient, norms, models)
    other = stage_of(changed(patient, kings="4", ratings=None, total=None), norms, models)
    assert other.probabilities == found.probabilities
    assert other.clinical == "4"
    assert other.clinical_probability == pytest.approx(found.probabilities["4"][0])
    unknown = stage_of(changed(patient, kings=None), norms, models)
    assert (unknown.clinical_probability, unknown.agreement) == (None, "")


def test_contributions_are_the_distance_from_the_average_patient(patient, norms, models):
    found = stage_of(patient, norms, models)
    model = models.models[found.images, found.clinic]
    assert len(found.contributions) == len(model.predictors)
    sizes = [abs(one.log_odds) for one in found.contributions]
    assert sizes == sorted(sizes, reverse=True)
    average = model.contributions(model.mean)
    assert np.allclose(average, 0.0)


def test_contributions_add_up_to_the_answer(patient, norms, models):
    found = stage_of(patient, norms, models)
    model = models.models[found.images, found.clinic]
    score = sum(one.log_odds for one in found.contributions)
    expected = stage_probabilities(np.array(score), model.theta)
    assert np.allclose([p for p, _, _ in found.probabilities.values()], expected)


def test_a_run_of_stages_holds_the_most_probable_one_and_grows_with_the_level(
    patient, norms, models
):
    found = stage_of(patient, norms, models)
    best = max(found.probabilities, key=lambda stage: found.probabilities[stage][0])
    (first, last), (wide_first, wide_last) = (found.sets[level] for level in LEVELS)
    assert wide_first <= first <= best <= last <= wide_last


def test_runs_of_a_level_hold_what_the_model_has_learned(patient, norms, models):
    """A model that must reach everything names all stages, one that needs nothing names one."""
    key = ("all", "images")
    for reach, length in ((1.0, 4), (0.0, 1)):
        one = replace(models.models[key], reach=dict.fromkeys(LEVELS, reach))
        other = replace(models, models={**models.models, key: one})
        first, last = stage_of(patient, norms, other, use_clinic=False).sets[0.8]
        assert int(last) - int(first) + 1 == length


def test_a_run_grows_to_the_likelier_neighbour():
    assert np.allclose(joined(np.array([[0.1, 0.5, 0.25, 0.15]])), [[0.9, 0.0, 0.5, 0.75]])
    at_the_end = joined(np.array([[0.7, 0.0, 0.2, 0.1]]))
    assert np.allclose(at_the_end, [[0.0, 0.7, 0.7, 0.9]])


def test_a_worse_tract_is_a_later_stage(patient, norms, models):
    """Against the direction the model has learned of the FA of the tract, images alone."""
    visit = patient.visits[0]
    measures = dict(visit.measures)
    for side in ("left", "right"):
        key = (f"corticospinal_tract_{side}", "fa")
        measures[key] = Measure(measures[key].value - 0.03, measures[key].sd)
    before = stage_of(patient, norms, models, use_clinic=False)
    after = stage_of(changed(patient, measures=measures), norms, models, use_clinic=False)
    model = models.models["all", "images"]
    weight = model.beta[model.predictors.index("cst_fa")]
    assert weight < 0
    assert after.expected.value > before.expected.value


def test_without_diffusion_volumes_are_used_and_said(patient, norms, models):
    volumes = {k: m for k, m in patient.visits[0].measures.items() if k[1] == "volume"}
    found = stage_of(changed(patient, measures=volumes), norms, models)
    assert found.images == "volumes"
    assert "stage-volumes-only" in [f.code for f in found.findings]


def test_what_the_clinic_does_not_know_is_left_out_and_said(patient, norms, models):
    found = stage_of(changed(patient, fvc=None), norms, models)
    assert found.clinic == "clinic"
    assert "stage-clinic-missing" in [f.code for f in found.findings]
    bare = replace(patient, onset=None)
    assert stage_of(bare, norms, models).clinic == "images"
    assert "bulbar_onset" not in clinical_predictors(bare, bare.visits[0])


@pytest.mark.parametrize(
    "spoil",
    [
        lambda p: changed(p, measures={}),
        lambda p: replace(p, age=12.0),
        lambda p: changed(
            p, measures={k: replace(m, quality="bad") for k, m in p.visits[0].measures.items()}
        ),
    ],
)
def test_without_usable_images_there_is_no_stage(patient, norms, models, spoil):
    found = stage_of(spoil(patient), norms, models)
    assert found.probabilities is None
    assert [f.severity for f in found.findings] == ["error"]


def test_far_from_everybody_there_is_no_stage(patient, norms, models):
    measures = {
        key: replace(m, value=m.value * 0.55) if key[1] == "volume" and "medulla" in key[0] else m
        for key, m in patient.visits[0].measures.items()
    }
    found = stage_of(changed(patient, measures=measures), norms, models)
    assert (found.probabilities, found.expected, found.sets) == (None, None, None)
    assert found.findings[0].code == "stage-outside"


def test_a_file_gives_the_same_models(tmp_path, patient, norms, models):
    path = tmp_path / "stage.json"
    write_model(path, KIND, models.training, content_of(models.models, models.shares))
    again = read_stage_models(path)
    assert set(again.models) == set(SETS)
    one, two = (stage_of(patient, norms, m) for m in (models, again))
    for stage in STAGES:
        assert one.probabilities[stage] == pytest.approx(two.probabilities[stage], abs=1e-3)
    assert one.sets == two.sets
    for key, model in models.models.items():
        assert again.models[key].reach == pytest.approx(model.reach, abs=1e-4)


def test_the_bundled_models_are_there_and_say_that_they_are_simulated():
    models = read_stage_models()
    assert models.training.source == "simulated"
    assert set(models.models) == set(SETS)
    assert all(0 <= m.reach[0.8] < m.reach[0.95] < 1 for m in models.models.values())
    assert bundled(KIND).stat().st_size < 60_000


def test_thresholds_split_the_probability():
    p = stage_probabilities(np.array([0.3, -2.0]), np.array([-1.0, 0.5, 2.0]))
    assert p.shape == (2, 4)
    assert np.allclose(p.sum(axis=1), 1.0)
    assert (p > 0).all()


def test_a_person_without_als_gets_no_stage(patient, norms, models):
    for group in ("HC", "MIMIC"):
        found = stage_of(replace(patient, group=group), norms, models)
        assert found.probabilities is None
        assert [f.code for f in found.findings] == ["stage-not-als"]


def test_images_alone_are_not_told_that_the_clinic_is_missing(patient, norms, models):
    found = stage_of(patient, norms, models, use_clinic=False)
    assert found.clinic == "images"
    assert "stage-clinic-missing" not in [f.code for f in found.findings]
    assert all(one.name not in ("fvc", "log_months") for one in found.contributions)
