"""A survival prediction adds up, widens with what is not known, and refuses nonsense."""

from __future__ import annotations

import json
import time
from dataclasses import replace

import numpy as np
import pytest
from scipy.special import logit

from BrainstemALSLib.errors import BrainstemALSError
from BrainstemALSLib.prediction.features import NAMES
from BrainstemALSLib.prediction.records import VisitRecord
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

from .survival_people import PERSON, P, clinical_model, later


@pytest.fixture(scope="module")
def model() -> SurvivalModel:
    return clinical_model()


@pytest.fixture
def prediction(model):
    return predict_survival(PERSON, model, None)


def test_contributions_add_up_to_the_log_odds_and_give_the_risk(model, prediction):
    parts = {part.name: part.log_odds for part in prediction.contributions}
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
    assert np.all(np.array(curve.low95) <= np.array(curve.low80))
    assert np.all(np.array(curve.high80) <= np.array(curve.high95))
    for horizon in HORIZONS:
        risk, failure = prediction.risks[horizon], prediction.respiratory_failure[horizon]
        assert risk.low95 < risk.value < risk.high95
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
    width = [p.risks[12].high95 - p.risks[12].low95 for p in (prediction, found)]
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


def test_a_later_visit_without_an_event_moves_the_clock(model):
    found = predict_survival(later(total=36.0), model, None)
    assert found.months_since_onset == 20.0
    assert 24 in found.risks
    # Where nothing depends on the person, it is the same curve, begun later.
    alike = replace(model, beta=np.zeros(P))
    first = predict_survival(PERSON, alike, None).curve.value
    second = predict_survival(later(total=36.0), alike, None).curve
    assert second.value[3] == pytest.approx(first[6] / first[3])


def test_the_last_visit_is_read(model):
    known = [
        {"total": 36.0, "fvc": 80.0},
        {"total": 26.0, "fvc": 80.0},
        {"total": 26.0, "fvc": 45.0},
    ]
    found = [predict_survival(later(**visit), model, None) for visit in known]
    risks = [one.risks[12].value for one in found]
    assert risks[0] < risks[1] < risks[2]
    values = {part.name: part.value for part in found[2].contributions}
    assert values["progression_rate"] == pytest.approx(22 / 20)
    assert (values["fvc"], values["months_since_onset"], values["months_since_first"]) == (
        45,
        20,
        6,
    )
    # The published model beside it stays with the first visit.
    assert len({one.encals.lp for one in found}) == 1


def test_what_the_last_visit_lacks_is_of_the_one_before_if_that_is_not_long_ago(model):
    found = predict_survival(later(kings="3"), model, None)
    values = {part.name: part.value for part in found.contributions}
    assert values["progression_rate"] == pytest.approx(10 / 14)
    assert values["fvc"] == 85.0
    (why,) = [f for f in found.findings if f.code == "survival-carried"]
    assert why.message == "Not of the last visit: ALSFRS-R (6 months before), FVC (6 months before)"
    old = predict_survival(later(8.0, total=36.0), model, None)
    assert {part.name: part.value for part in old.contributions}["fvc"] is None
    assert "survival-missing" in {f.code for f in old.findings}
    assert predict_survival(later(8.0, fvc=70.0), model, None).abstains


def test_an_interval_is_as_much_wider_as_the_model_says(model):
    factors = np.ones_like(model.widening)
    factors[0] = [(1.2, 1.4), (1.5, 2.0), (1.5, 2.0)]
    wide = replace(model, widening=factors)
    both = [predict_survival(PERSON, m, None) for m in (model, wide)]
    plain, found = (one.risks[12] for one in both)
    assert found.value == plain.value

    def off(one, end):
        return logit(getattr(one, end)) - logit(one.value)

    assert off(found, "high80") == pytest.approx(1.5 * off(plain, "high80"))
    assert off(found, "low95") == pytest.approx(2.0 * off(plain, "low95"))
    early = [one.risks[6] for one in both]
    assert off(early[1], "high80") == pytest.approx(1.2 * off(early[0], "high80"))
    second = [predict_survival(later(total=36.0), m, None).risks[12] for m in (model, wide)]
    assert second[0] == second[1]
    # The median time is where the widened curves cross one half.
    median, curve = both[1].median_months, both[1].curve
    assert median.low95 < both[0].median_months.low95
    for end, band in ((median.low95, curve.low95), (median.high80, curve.high80)):
        assert np.interp(end, curve.months, band) == pytest.approx(0.5, abs=0.01)


def test_a_later_visit_is_recalibrated_and_still_adds_up(model):
    flat = np.array([[0.0, 1.0], [0.2, 0.7], [0.0, 1.0]])
    tame = replace(
        model, recalibration=flat, beta=np.where(np.arange(P) < len(CLINICAL), model.beta, 0.0)
    )
    plain = replace(tame, recalibration=model.recalibration)
    sure, found = (predict_survival(later(total=36.0, fvc=80.0), m, None) for m in (plain, tame))
    assert found.log_odds == pytest.approx(0.7 * sure.log_odds)
    assert found.log_odds == pytest.approx(sum(c.log_odds for c in found.contributions))
    odds = np.exp(tame.log_odds(np.array([20.0, 32.0])) + 0.2 + found.log_odds)
    assert found.risks[12].value == pytest.approx(1 - (1 + odds[0]) / (1 + odds[1]))
    x = tame.standardised(np.zeros((1, P)))
    asked = [m.conditional_risk(x, np.array([20.0]), np.array([12.0]), 2) for m in (plain, tame)]
    assert asked[0] != pytest.approx(asked[1])
    first = [predict_survival(PERSON, m, None).log_odds for m in (plain, tame)]
    assert first[0] == first[1]


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
    assert "simulated" in found.statement
    assert "outcomes drawn anew from each visit's findings" in found.statement
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
