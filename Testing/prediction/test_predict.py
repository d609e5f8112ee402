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
from BrainstemALSLib.prediction.head_size import EnteredVolume
from BrainstemALSLib.prediction.measurement import AS_STATED
from BrainstemALSLib.prediction.model_files import bundled
from BrainstemALSLib.prediction.models import PARTS, read_models
from BrainstemALSLib.prediction.predict import predict
from BrainstemALSLib.prediction.prediction_json import prediction_record, prediction_text
from BrainstemALSLib.prediction.progression_data import strangeness
from BrainstemALSLib.prediction.records import INTRACRANIAL
from BrainstemALSLib.prediction.report_html import report_html
from BrainstemALSLib.prediction.report_html_words import headlines

from .person_files import patient, people

LIBRARY = Path(__file__).parents[2] / "BrainstemALS"


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


def test_a_real_person_is_told_that_simulated_norms_do_not_know_the_scanner(whole, norms, models):
    real = predict(replace(patient(), simulated=False), norms, models)
    for part in ("norms", "classification", "stage", "disease_stage"):
        assert "prediction-norms-level" in codes(real, part)
        assert "prediction-norms-level" not in codes(whole, part)


def test_no_risk_is_given_of_visits_that_the_forecast_knows_nobody_with(whole, norms, models):
    class Unlike:
        """A forecast that has never seen such visits."""

        training = models.progression.training

        def forecast(self, person, norms):
            found = models.progression.forecast(person, norms)
            return replace(found, horizons=None, findings=tuple(strangeness(1e3, 2)))

    assert whole.answers("survival")
    found = predict(patient(), norms, replace(models, progression=Unlike()))
    assert not found.answers("survival")
    assert codes(found, "survival") == {"survival-unlike-training"}


def test_an_entered_head_size_makes_the_risk_less_sure(norms, models):
    person = patient()

    def width(share):
        visits = tuple(
            replace(v, measures={
                **v.measures,
                INTRACRANIAL: EnteredVolume(
                    v.measures[INTRACRANIAL].value, share * v.measures[INTRACRANIAL].value
                ),
            })
            for v in person.visits
        )  # fmt: skip
        risk = predict(replace(person, visits=visits), norms, models).survival.risks[12]
        return risk.high95 - risk.low95

    assert width(0.15) > width(0.005)


@pytest.mark.parametrize("item", [0, 1])
def test_nobody_is_foretold_after_ventilation_day_and_night(item, norms, models):
    person = patient()
    last = person.visits[-1]
    ratings = (*(last.ratings or (3,) * 12)[:11], item)
    visits = (*person.visits[:-1], replace(last, ratings=ratings, total=None, kings=None))
    found = predict(replace(person, visits=visits), norms, models)
    assert not found.answers("progression")
    assert not found.answers("survival")
    assert "progression-end-point" in codes(found, "progression")
    # The brainstem of somebody who lives with ventilation has a stage: the fourth is theirs.
    assert found.answers("stage")


def test_the_dead_get_neither_stage_nor_forecast(norms, models):
    person = patient()
    visits = (*person.visits[:-1], replace(person.visits[-1], kings="5"))
    found = predict(replace(person, visits=visits), norms, models)
    for part in ("stage", "disease_stage", "progression", "survival"):
        assert not found.answers(part), part
    assert "stage-death" in codes(found, "stage")


def test_a_person_without_a_diagnosis_is_told_whose_numbers_these_are(whole, norms, models):
    assert "person-no-diagnosis" not in codes(whole, "person")
    found = predict(replace(patient(), group=None), norms, models)
    assert "person-no-diagnosis" in codes(found, "person")


@pytest.mark.parametrize(("niv", "item"), [(True, 4), (False, 2)])
def test_ventilation_that_contradicts_item_12_is_told(niv, item, norms, models):
    person = patient()
    last = person.visits[-1]
    ratings = (*(last.ratings or (3,) * 12)[:11], item)
    visits = (*person.visits[:-1], replace(last, ratings=ratings, niv=niv))
    found = predict(replace(person, visits=visits), norms, models)
    assert "person-niv-contradicts" in codes(found, "person")


def test_intervals_of_z_scores_are_as_wide_as_errors_were_found(whole, norms, models):
    cautious = predict(patient(), norms, replace(models, measurement=AS_STATED))
    for narrow, wide in zip(whole.normed, cautious.normed, strict=True):
        assert narrow.z == wide.z
        assert wide.low < narrow.low or narrow.low == wide.low == 0.0
        assert narrow.high < wide.high


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


def test_a_part_that_abstains_says_why_and_not_what_limits_its_numbers(norms, models):
    person = replace(patient(), group="HC", onset=None, diagnostic_delay=None)
    found = predict(person, norms, models)
    for part in ("progression", "survival", "stage"):
        assert not found.answers(part)
        said = [f.severity for where, f in found.findings if where == part]
        assert said, part
        assert set(said) == {"error"}, part


def test_steps_are_told_and_may_end_it(norms, models):
    told = []
    predict(patient(), norms, models, progress=lambda *step: told.append(step))
    shares = [share for share, _ in told]
    assert shares == sorted(shares)
    assert shares[0] == 0.0
    assert shares[-1] < 1.0
    assert [text for _, text in told][:2] == [PARTS["classification"], PARTS["stage"]]

    class StoppedError(BaseException):
        pass

    def stop(*_step):
        raise StoppedError

    with pytest.raises(StoppedError):
        predict(patient(), norms, models, progress=stop)


def real(models):
    """The models as if they had been learned from real people with norms of such."""

    def learned(model):
        return replace(model, training=replace(model.training, source="real", norms="real"))

    return replace(models, **{part: learned(getattr(models, part)) for part in PARTS})


def test_real_models_that_simulated_norms_score_for_are_marked_so(norms, models):
    found = predict(patient(), norms, real(models), strict=True)
    record = prediction_record(found, "2026-01-01")
    for part in ("classification", "stage", "disease_stage", "progression", "survival"):
        assert record[part]["simulated"] is False, part
        assert record[part]["simulated_norms"] is True, part
    assert record["explanation"]["simulated_norms"] is True
    assert record["norms"]["simulated"] is True
    for _, _, whom in headlines(found):
        assert whom.endswith(", simulated norms")
    page = report_html(found, "2026-01-01")
    assert page.count('<b class="sim">simulated norms</b>') >= 9
    assert page.count('<b class="sim">simulated</b>') == 1  # of the norms themselves
    # Where no image is read, there is nothing to mark.
    bare = replace(patient(), visits=tuple(replace(v, measures={}) for v in patient().visits))
    record = prediction_record(predict(bare, norms, real(models)), "2026-01-01")
    assert record["progression"]["answers"]
    assert record["progression"]["simulated_norms"] is False
    # Norms of real people leave no mark at all.
    own = replace(norms, population=replace(norms.population, source="real"))
    page = report_html(predict(patient(), own, real(models), strict=True), "2026-01-01")
    assert 'class="sim"' not in page


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
        "import sys; from BrainstemALSLib.prediction.models import read_models; read_models();"
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
