"""All parts of a prediction together: each answers or abstains on its own."""

from __future__ import annotations

import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest

from BrainstemALSLib.errors import BrainstemALSError, ExitCode
from BrainstemALSLib.norms import bundled_norms
from BrainstemALSLib.prediction.model_files import bundled
from BrainstemALSLib.prediction.predict import PARTS, predict, read_models
from BrainstemALSLib.prediction.prediction_json import prediction_text

from .person_files import patient, people

LIBRARY = Path(__file__).parents[2] / "BrainstemALS"


@pytest.fixture(scope="module")
def models():
    return read_models()


@pytest.fixture(scope="module")
def norms():
    return bundled_norms()


@pytest.fixture(scope="module")
def whole(norms, models):
    return predict(patient(), norms, models, strict=True)


def codes(found, part):
    return {finding.code for where, finding in found.findings if where == part}


def test_all_parts_answer_and_say_whom_they_come_from(whole, models):
    assert not models.absent
    for part in PARTS:
        assert whole.answers(part), part
        assert whole.simulated[part]
    for part in ("classification", "stage", "disease_stage", "progression", "survival"):
        assert "simulated" in getattr(whole, part).statement
    assert len(whole.normed) == 10
    assert all(one.low <= one.z <= one.high for one in whole.normed if one.z is not None)


def test_the_same_person_gets_the_same_numbers(whole, norms, models):
    again = predict(patient(), norms, models)
    assert prediction_text(again, "2026-01-01") == prediction_text(whole, "2026-01-01")


def test_a_part_that_breaks_leaves_the_others(norms, models):
    broken = replace(models, survival=SimpleNamespace(training=models.survival.training))
    found = predict(patient(), norms, broken)
    assert found.survival is None
    assert codes(found, "survival") == {"survival-failed"}
    # What explains it breaks with it, and nothing else.
    for part in ("classification", "stage", "disease_stage", "progression"):
        assert found.answers(part)
    with pytest.raises(AttributeError):
        predict(patient(), norms, broken, strict=True)


def test_without_models_every_part_says_so(norms, tmp_path):
    models = read_models(tmp_path)
    assert set(models.absent) == set(PARTS)
    found = predict(patient(), norms, models, strict=True)
    for part in PARTS:
        assert not found.answers(part)
        assert codes(found, part) == {f"{part}-no-model"}


@pytest.mark.parametrize("content", ["{}", '{"kind": "BrainstemALS stage", "format": 1}', ""])
def test_one_damaged_model_costs_one_part(norms, tmp_path, content):
    for part in PARTS:
        (tmp_path / f"{part}.json").write_bytes(bundled(part).read_bytes())
    (tmp_path / "stage.json").write_text(content)
    models = read_models(tmp_path)
    assert set(models.absent) == {"stage"}
    found = predict(patient(), norms, models, strict=True)
    assert [part for part in PARTS if not found.answers(part)] == ["stage"]


def test_without_norms_or_images_the_clinical_parts_answer(norms, models):
    blind = replace(patient(), visits=tuple(replace(v, measures={}) for v in patient().visits))
    for found in (predict(patient(), None, models, strict=True),
                  predict(blind, norms, models, strict=True)):  # fmt: skip
        answers = [part for part in PARTS if found.answers(part)]
        assert answers == ["progression", "survival", "reference"]
        assert not found.progression.with_imaging
        assert any(finding.severity == "error" for _, finding in found.findings)


def test_the_prior_moves_the_probability_and_not_the_evidence(norms, models):
    low, high = (predict(patient(), norms, models, prior=p).classification for p in (0.1, 0.9))
    assert low.probability < high.probability
    assert low.evidence == pytest.approx(high.evidence)


@pytest.mark.parametrize("prior", [0.0, 1.0, -1, 30])
def test_a_prior_that_is_no_share_is_refused(norms, models, prior):
    with pytest.raises(BrainstemALSError) as refusal:
        predict(patient(), norms, models, prior=prior)
    assert refusal.value.code == ExitCode.USAGE


def test_nobody_is_predicted_without_a_visit(norms, models):
    with pytest.raises(BrainstemALSError, match="no visit"):
        predict(replace(patient(), visits=()), norms, models)


def test_a_child_gets_no_number_from_images(norms, models):
    child = replace(patient(), age=12.0, onset_age=11.0)
    found = predict(child, norms, models, strict=True)
    for part in ("classification", "stage", "disease_stage", "progression", "survival"):
        assert not found.answers(part), part
        assert any(
            where == part and finding.severity == "error" for where, finding in found.findings
        )


def test_healthy_people_get_no_prognosis(norms, models):
    healthy = next(p for p in people() if p.group == "HC" and p.visits[0].has_images)
    found = predict(healthy, norms, models, strict=True)
    assert found.answers("classification")
    assert not found.answers("progression")
    assert not found.answers("survival")


def test_values_far_outside_the_training_give_no_number(norms, models):
    visit = patient(1).visits[0]
    measures = {
        key: replace(measure, value=measure.value * 3) if key[1] == "volume" else measure
        for key, measure in visit.measures.items()
        if key[0] != "intracranial"
    }
    measures |= {k: m for k, m in visit.measures.items() if k[0] == "intracranial"}
    strange = replace(patient(1), visits=(replace(visit, measures=measures),))
    found = predict(strange, norms, models, strict=True)
    assert not found.answers("classification")
    assert not found.answers("stage")


def test_a_rising_scale_is_said(norms, models):
    first, last = patient().visits
    risen = replace(patient(), visits=(replace(first, ratings=None, total=30.0),
                                       replace(last, ratings=None, total=47.0)))  # fmt: skip
    found = predict(risen, norms, models, strict=True)
    assert "person-alsfrs-rises" in codes(found, "person")


def test_predicting_loads_nothing_heavy():
    heavy = ["torch", "pandas", "sklearn", "statsmodels", "matplotlib", "jinja2", "SimpleITK"]
    code = (
        "import sys; from BrainstemALSLib.prediction.predict import read_models; read_models();"
        "import BrainstemALSLib.prediction.report_html;"
        f"print([m for m in {heavy} if m in sys.modules])"
    )
    outcome = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=120,
        env={"PYTHONPATH": str(LIBRARY)},
    )  # fmt: skip
    assert outcome.stdout.strip() == "[]", outcome.stderr


@pytest.mark.alone
def test_one_person_takes_less_than_100_ms(norms, models):
    person = patient(3)
    predict(person, norms, models)
    seconds = []
    for _ in range(7):
        # Of the processor: what a machine does beside it is not the prediction's.
        started = time.process_time()
        predict(person, norms, models)
        seconds.append(time.process_time() - started)
    assert min(seconds) < 0.1, seconds


def test_norms_of_others_than_the_model_knows_are_named(norms, models):
    stage = models.stage
    real = replace(stage, training=replace(stage.training, source="real", norms="real"))
    found = predict(patient(), norms, replace(models, stage=real), strict=True)
    assert "prediction-other-norms" in codes(found, "stage")
    assert "prediction-other-norms" not in codes(found, "survival")
