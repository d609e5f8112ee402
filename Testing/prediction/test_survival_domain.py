"""A survival prediction abstains outside its domain, and says what limits it."""

from __future__ import annotations

import json
import re
from dataclasses import replace

import pytest

from BrainstemALSLib.prediction.records import VisitRecord
from BrainstemALSLib.prediction.survival import predict_survival
from BrainstemALSLib.prediction.survival_model import SurvivalModel, read_survival
from BrainstemALSLib.prediction.survival_predictors import PREDICTORS

from .survival_people import PERSON, clinical_model, errors, later


@pytest.fixture(scope="module")
def model() -> SurvivalModel:
    return clinical_model()


@pytest.fixture
def prediction(model):
    return predict_survival(PERSON, model, None)


DOMAIN = {"total": (4.0, 47.0), "points": (-0.6, 3.5), "fvc_points": (-3.0, 8.6),
          "quickened": (-2.1, 1.9), "since_first": (0.0, 12.0)}  # fmt: skip


@pytest.mark.parametrize(
    ("known", "said"),
    [
        ({"total": 3.0, "months": 24.0}, "ALSFRS-R total: 3; training patients had 4 to 47"),
        ({"total": 10.0}, "ALSFRS-R points lost a month since the visit before: 4.67"),
        ({"total": 46.0}, "lost a month since the visit before: -1.33"),
        ({"total": 20.0}, "since the first visit, beyond those before it: 2.29"),
        ({"total": 36.0, "fvc": 30.0}, "FVC lost a month since the visit before: 9.17"),
        ({"total": 36.0, "fvc": 5.5}, "per cent of the predicted, not litres"),
        ({"total": 30.0}, None),
        ({"total": 34.0, "months": 1.0}, None),  # two points more than foretold: noise
    ],
)
def test_a_last_visit_that_no_training_patient_had_gets_no_risk(model, known, said):
    low = model.low.copy()
    low[PREDICTORS.index("fvc")] = 12.0
    found = predict_survival(later(**known), replace(model, domain=DOMAIN, low=low), None)
    assert found.abstains == (said is not None)
    assert {f.code for f in errors(found)} == ({"survival-domain"} if said else set())
    if said:
        assert any(said in f.message for f in errors(found))


def test_findings_together_unlike_all_training_get_no_risk(model, prediction):
    for ends in ((-9.0, prediction.log_odds - 0.1), (prediction.log_odds + 0.1, 9.0)):
        found = predict_survival(PERSON, replace(model, domain={"log_odds": ends}), None)
        assert found.abstains
        assert [f.code for f in errors(found)] == ["survival-domain"]
        assert "All findings together" in errors(found)[0].message


def test_a_visit_later_than_those_of_the_training_is_warned_about(model):
    limited = replace(model, domain=DOMAIN)
    found = predict_survival(later(18.0, total=32.0), limited, None)
    (why,) = [f for f in found.findings if f.code == "survival-visit-later"]
    assert "18 months after the first; training patients had none later than 12" in why.message
    found = predict_survival(later(25.0, total=30.0), limited, None)
    assert [f.code for f in errors(found)] == ["survival-visit-late"]


def test_the_form_caps_the_risk_late_after_onset_and_says_so():
    model = read_survival()
    most = [model.most(months, 12.0) for months in (12.0, 24.0, 60.0)]
    assert most[0] > most[1] > most[2]
    assert most[2] < 0.5
    bad = replace(
        PERSON, months_since_onset=60.0, onset_age=57.0,
        visits=(VisitRecord("ses-01", 0.0, total=8.0, fvc=20.0),),
    )  # fmt: skip
    found = predict_survival(bad, model, None)
    assert found.risks[12].value <= most[2]
    (why,) = [f for f in found.findings if f.code == "survival-cap"]
    assert f"cannot give a best estimate above {100 * most[2]:.0f} %" in why.message
    assert "survival-cap" not in {f.code for f in predict_survival(PERSON, model, None).findings}


def test_causes_drawn_by_lot_are_told_as_those_of_everybody(model):
    real = replace(model, training=replace(model.training, source="real"))
    codes = [{f.code for f in predict_survival(PERSON, m, None).findings} for m in (model, real)]
    assert ["survival-causes-average" in one for one in codes] == [True, False]


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"group": "HC"}, "survival-no-als"),
        ({"months_since_onset": None}, "survival-no-onset"),
        ({"onset_age": 12.0}, "survival-domain"),
        ({"months_since_onset": 400.0}, "survival-domain"),
        ({"visits": (*PERSON.visits, VisitRecord("ses-02", 9.0, fvc=80.0))}, "survival-no-alsfrs"),
        ({"visits": (VisitRecord("ses-01", 0.0, fvc=80.0),)}, "survival-no-alsfrs"),
    ],
)
def test_it_abstains_outside_its_domain(model, changes, code):
    found = predict_survival(replace(PERSON, **changes), model, None)
    assert found.abstains
    assert found.risks is None
    assert [f.code for f in found.findings if f.severity == "error"] == [code]
    json.dumps(found.to_dict())


@pytest.mark.parametrize(
    ("known", "said"),
    [
        ({"ratings": (3,) * 11 + (0,), "total": 33.0}, "invasive ventilation"),
        ({"ratings": (3,) * 11 + (1,), "total": 34.0}, "day and night"),
        ({"ratings": (-1,) * 11 + (0,)}, "invasive ventilation"),
        ({"total": 0.0}, "ALSFRS-R is 0"),
        ({"kings": "5"}, "death"),
        ({"total": 34.0, "mitos": 5}, "death"),
    ],
)
def test_there_is_no_risk_after_the_end_point(model, known, said):
    person = later(**known)
    again = replace(person, visits=(*person.visits, VisitRecord("ses-03", 9.0, total=36.0)))
    for one in (person, again):  # a later visit does not undo it
        found = predict_survival(one, model, None)
        assert found.abstains
        assert found.risks is None
        assert found.encals is None
        (why,) = found.findings
        assert (why.code, why.severity) == ("survival-end-point", "error")
        assert said in why.message


@pytest.mark.parametrize(
    "known",
    [
        {"ratings": (3,) * 11 + (2,), "total": 35.0, "niv": True},
        {"ratings": (3,) * 11 + (-1,)},
        {"total": 35.0, "kings": "4", "mitos": 4},
    ],
)
def test_ventilation_at_night_is_not_the_end_point(model, known):
    found = predict_survival(later(**known), model, None)
    assert not found.abstains
    assert "survival-last-visit-departs" not in {f.code for f in found.findings}


@pytest.mark.parametrize(
    ("known", "said"),
    [
        # 10 points and 15 % in 14 months before: 4.3 and 6.4 are foretold in 6 months.
        ({"total": 27.0}, "fell by 11 points in 6 months .4 at the pace before."),
        ({"total": 38.0, "months": 1.0, "fvc": 58.0}, "by 27 percentage points in 1 month .1 at"),
        ({"total": 38.0, "fvc": 58.0}, "FVC fell by 27 percentage points in 6 months .6 at"),
        ({"total": 20.0, "fvc": 35.0}, "by 18 points .* and FVC fell by 50"),
        ({"total": 28.0}, None),
        ({"total": 27.0, "months": 12.0}, None),  # hardly faster than before
        ({"total": 14.0, "months": 24.0}, None),  # 1.4 times
        ({"total": 38.0, "fvc": 59.0}, None),
        ({"fvc": None}, None),
        ({"total": 47.0, "fvc": 110.0}, None),
    ],
)
def test_a_last_visit_unlike_what_the_first_foretells_is_warned_about(model, known, said):
    found = predict_survival(later(**{"total": 38.0} | known), model, None)
    assert not found.abstains
    why = [f for f in found.findings if f.code == "survival-last-visit-departs"]
    if said is None:
        assert why == []
    else:
        assert [f.severity for f in why] == ["warning"]
        assert re.search(said, why[0].message)


def test_who_abstains_does_not_tell_what_limits_an_answer(model):
    found = predict_survival(replace(PERSON, group="HC", ftd=None), model, None)
    assert [f.code for f in found.findings] == ["survival-no-als", "encals-abstains"]
    assert "no diagnosis of ALS" in found.findings[1].message


def test_the_encals_model_names_what_it_lacks_in_words(model):
    found = predict_survival(replace(PERSON, definite_ee=None), model, None)
    (why,) = [f for f in found.findings if f.code == "encals-abstains"]
    assert "not known: Definite ALS (El Escorial)" in why.message
