"""A survival prediction adds up, widens with what is not known, and abstains outside its domain."""

from __future__ import annotations

import json
import re
import time
from dataclasses import replace

import numpy as np
import pytest

from BrainstemALSLib.errors import BrainstemALSError
from BrainstemALSLib.prediction.features import NAMES
from BrainstemALSLib.prediction.model_files import Training
from BrainstemALSLib.prediction.records import PersonRecord, VisitRecord
from BrainstemALSLib.prediction.survival import predict_survival
from BrainstemALSLib.prediction.survival_model import (
    CAUSES,
    SurvivalModel,
    read_survival,
    write_survival,
)
from BrainstemALSLib.prediction.survival_predictors import CLINICAL, PREDICTORS
from BrainstemALSLib.prediction.survival_result import HORIZONS
from BrainstemALSLib.prognosis import encals

P = len(PREDICTORS)
PERSON = PersonRecord(
    "sub-1",
    age=62.0,
    sex="F",
    onset="spinal",
    onset_age=61.0,
    months_since_onset=14.0,
    diagnostic_delay=9.0,
    ftd=False,
    c9orf72=False,
    definite_ee=False,
    visits=(VisitRecord("ses-01", 0.0, total=38.0, fvc=85.0),),
)


@pytest.fixture(scope="module")
def model() -> SurvivalModel:
    """The published clinical model, near enough, with imaging that matters little."""
    rng = np.random.default_rng(0)
    load = rng.standard_normal((P, P)) * 0.2
    spread = load @ load.T + 0.5 * np.eye(P)
    beta = np.zeros(P)
    beta[: len(CLINICAL)] = [-0.6, -0.7, -0.25, 0.35, 0.1, 0.1, 0.1, 0.1, 0.1, 0.1]
    beta[len(CLINICAL) :] = -0.1
    centre, scale = np.zeros(P), np.ones(P)
    # Transformed predictors: rate, delay, age, FVC, ln months, five flags.
    centre[:10] = [1.2, 1.0, 2.7, 2.2, 2.7, 0.3, 0.03, 0.3, 0.1, 0.07]
    scale[:10] = [0.35, 0.3, 1.0, 0.4, 0.5, 0.46, 0.17, 0.46, 0.3, 0.25]
    low, high = np.full(P, -8.0), np.full(P, 8.0)
    low[:10], high[:10] = 0.0, [6, 60, 90, 150, 120, 1, 1, 1, 1, 1]
    low[2] = 25.0
    knots = np.log([6.0, 24.0, 36.0, 90.0])
    training = Training("simulated", {"ALS": 9}, 1, 1, "test", "2026-01-01", "0")
    return SurvivalModel(
        training, PREDICTORS, centre, scale, knots, np.array([-11.0, 3.2, -0.3, 0.4]), beta,
        0.002 * np.eye(4 + P) * np.r_[0.1, 0.01, 0.01, 0.01, np.ones(P)], np.zeros(P), spread,
        low, high, 45.0, np.array([[-2.0, 0.1, 0.3, 0.1], [-2.7, 0.0, 0.1, 0.2]]),
        0.01 * np.eye(8), ("fvc", "bulbar_onset"),
    )  # fmt: skip


@pytest.fixture
def prediction(model):
    return predict_survival(PERSON, model, None)


def test_contributions_add_up_to_the_log_odds_and_give_the_risk(model, prediction):
    parts = {part.name: part.log_odds.value for part in prediction.contributions}
    assert prediction.log_odds == pytest.approx(sum(parts.values()), abs=1e-12)
    # Without images the curve averages over them; with known values it is the formula itself.
    known = replace(model, beta=np.where(np.arange(P) < len(CLINICAL), model.beta, 0.0))
    found = predict_survival(PERSON, known, None)
    odds = np.exp(known.log_odds(np.array([14.0, 26.0])) + found.log_odds)
    free = 1 / (1 + odds)
    assert found.risks[12].value == pytest.approx(1 - free[1] / free[0], abs=1e-9)


def test_causes_add_up_to_the_risk_and_the_curve_falls(prediction):
    curve = prediction.curve
    together = np.sum([curve.incidence[cause] for cause in CAUSES], axis=0)
    assert together + np.array(curve.value) == pytest.approx(1.0)
    assert curve.value[0] == 1.0
    assert np.all(np.diff(curve.value) <= 0)
    assert np.all(np.array(curve.low) <= np.array(curve.low80))
    assert np.all(np.array(curve.high80) <= np.array(curve.high))
    for horizon in HORIZONS:
        risk, failure = prediction.risks[horizon], prediction.respiratory_failure[horizon]
        assert risk.low < risk.value < risk.high
        assert 0 < failure.value < risk.value
        place = curve.months.index(float(horizon))
        share = curve.incidence["niv"][place] + curve.incidence["tracheostomy"][place]
        assert failure.value == pytest.approx(share)


def test_the_same_input_gives_the_same_output_as_json(model, prediction):
    again = predict_survival(PERSON, model, None)
    assert json.dumps(again.to_dict()) == json.dumps(prediction.to_dict())
    assert "simulated" in prediction.to_dict()["statement"]


def test_missing_fvc_widens_the_interval_and_is_told(model, prediction):
    visit = replace(PERSON.visits[0], fvc=None)
    found = predict_survival(replace(PERSON, visits=(visit,)), model, None)
    width = [p.risks[12].high - p.risks[12].low for p in (prediction, found)]
    assert width[1] > width[0]
    assert "survival-missing" in {finding.code for finding in found.findings}
    assert found.encals is None
    assert "encals-abstains" in {finding.code for finding in found.findings}


def test_unknown_c9orf72_lies_between_yes_and_no(model):
    risks = [
        predict_survival(replace(PERSON, c9orf72=flag), model, None).risks[12].value
        for flag in (False, None, True)
    ]
    assert risks[0] < risks[1] < risks[2]


def test_worse_patients_have_higher_risks(model, prediction):
    worse = replace(PERSON, visits=(replace(PERSON.visits[0], total=28.0),))
    found = predict_survival(worse, model, None)
    assert found.risks[12].value > prediction.risks[12].value
    assert found.median_months.value < prediction.median_months.value
    assert found.range80[0] < found.median_months.value


def test_encals_stands_beside_given_life_until_the_visit(prediction):
    lp = encals.linear_predictor(
        age_at_onset=61.0, diagnostic_delay=9.0, progression_rate=10 / 14, fvc=85.0,
        bulbar_onset=False, definite_ee=False, ftd=False, c9orf72=False,
    )  # fmt: skip
    assert prediction.encals.lp == pytest.approx(lp)
    assert prediction.encals.group == encals.risk_group(lp)
    expected = 1 - encals.survival(lp, 26.0, 14.0)
    assert prediction.encals.risks[12] == pytest.approx(expected)


def test_a_later_visit_without_an_event_moves_the_clock(model, prediction):
    later = VisitRecord("ses-02", 6.0, total=36.0)
    found = predict_survival(replace(PERSON, visits=(*PERSON.visits, later)), model, None)
    assert found.months_since_onset == 20.0
    assert 24 in found.risks
    assert "survival-first-visit" in {finding.code for finding in found.findings}
    # Given what nothing depends on, it is the same curve, begun later.
    whole = replace(model, beta=np.where(np.arange(P) < len(CLINICAL), model.beta, 0.0))
    first = predict_survival(PERSON, whole, None).curve.value
    second = predict_survival(replace(PERSON, visits=(*PERSON.visits, later)), whole, None).curve
    assert second.value[3] == pytest.approx(first[6] / first[3])


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"group": "HC"}, "survival-no-als"),
        ({"months_since_onset": None}, "survival-no-onset"),
        ({"onset_age": 12.0}, "survival-domain"),
        ({"months_since_onset": 400.0}, "survival-domain"),
        ({"visits": (VisitRecord("ses-01", 0.0, fvc=80.0),)}, "survival-no-alsfrs"),
        ({"visits": (*PERSON.visits, VisitRecord("ses-02", 60.0))}, "survival-visit-late"),
    ],
)
def test_it_abstains_outside_its_domain(model, changes, code):
    found = predict_survival(replace(PERSON, **changes), model, None)
    assert found.abstains
    assert found.risks is None
    assert [f.code for f in found.findings if f.severity == "error"] == [code]
    json.dumps(found.to_dict())


def later(months=6.0, **known):
    """The person with another visit."""
    return replace(PERSON, visits=(*PERSON.visits, VisitRecord("ses-02", months, **known)))


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
    found = predict_survival(later(**known), model, None)
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


@pytest.mark.parametrize(
    "changes",
    [
        {"visits": ()},
        {"months_since_onset": -3.0},
        {"onset": "cervical"},
        {"sex": "X"},
        {"visits": (VisitRecord("ses-01", 0.0, total=60.0),)},
        {"visits": (VisitRecord("ses-01", 0.0, total=40.0, fvc=-5.0),)},
        {"visits": (VisitRecord("a", 0.0, total=40.0), VisitRecord("b", 0.0, total=40.0))},
        {"visits": (VisitRecord("a", 6.0, total=40.0), VisitRecord("b", 0.0, total=40.0))},
    ],
)
def test_what_cannot_be_is_refused(model, changes):
    with pytest.raises(BrainstemALSError):
        predict_survival(replace(PERSON, **changes), model, None)


def test_a_rising_alsfrs_and_ventilation_are_told(model):
    later = VisitRecord("ses-02", 6.0, total=46.0, niv=True)
    found = predict_survival(replace(PERSON, visits=(*PERSON.visits, later)), model, None)
    assert {"survival-alsfrs-rises", "survival-niv"} <= {f.code for f in found.findings}


def test_two_missing_items_are_taken_as_the_others(model, prediction):
    ratings = (3,) * 10 + (-1, -1)
    visit = VisitRecord("ses-01", 0.0, ratings=ratings, fvc=85.0)
    found = predict_survival(replace(PERSON, visits=(visit,)), model, None)
    rate = {c.name: c.value for c in found.contributions}["progression_rate"]
    assert rate == pytest.approx(12 / 14)


def test_a_model_is_read_as_it_was_written(model, tmp_path, prediction):
    path = tmp_path / "survival.json"
    write_survival(path, model)
    again = read_survival(path)
    assert predict_survival(PERSON, again, None).log_odds == pytest.approx(prediction.log_odds)
    text = path.read_text().replace('"horizon": 45.0', '"horizon": 90.0')
    path.write_text(text)
    with pytest.raises(BrainstemALSError, match="altered"):
        read_survival(path)


def test_the_bundled_model_says_that_it_was_trained_on_simulated_patients():
    found = read_survival()
    assert found.names == PREDICTORS
    assert "simulated" in found.training.statement
    assert set(NAMES) <= set(found.names)
    result = predict_survival(PERSON, found, None)
    assert 0.02 < result.risks[12].value < 0.6


@pytest.mark.alone
def test_a_prediction_takes_less_than_100_ms(model):
    predict_survival(PERSON, model, None)
    spent = []
    for _ in range(5):
        start = time.perf_counter()
        predict_survival(PERSON, model, None)
        spent.append(time.perf_counter() - start)
    assert min(spent) < 0.1
