"""Forecasts of the bundled model: what widens them, what is refused, when it abstains."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest

from BrainstemALSLib.errors import BrainstemALSError, ExitCode
from BrainstemALSLib.prediction.model_files import bundled, write_model
from BrainstemALSLib.prediction.progression import (
    HORIZONS,
    KIND,
    VISITS,
    WIDENED,
    content_of,
    load_progression,
)
from BrainstemALSLib.prediction.records import PersonRecord, VisitRecord
from BrainstemALSLib.prognosis.alsfrs import NOT_RATED


@pytest.fixture(scope="module")
def model():
    return load_progression()


def visit(months, lost, fvc=85.0, missing=0):
    """A visit with points lost from the first items on."""
    ratings = []
    for _ in range(12):
        ratings.append(4 - min(lost, 4))
        lost -= min(lost, 4)
    ratings = [NOT_RATED] * missing + ratings[missing:] if missing else ratings
    total = None if missing else float(sum(ratings))
    return VisitRecord(f"ses-{months:02.0f}", months, tuple(ratings), total, fvc=fvc)


def patient(*visits, **changes) -> PersonRecord:
    known = PersonRecord(
        "somebody", group="ALS", age=63.0, sex="F", onset="spinal", onset_age=61.7,
        months_since_onset=15.0, diagnostic_delay=10.0, visits=visits,
    )  # fmt: skip
    return replace(known, **changes)


def codes(forecast) -> set[str]:
    return {f.code for f in forecast.findings}


def width(forecast, months: float) -> float:
    at = forecast.horizons[HORIZONS.index(months)].alsfrs
    return at.high80 - at.low80


def test_a_forecast_from_one_visit_has_ordered_and_growing_intervals(model):
    found = model.forecast(patient(visit(0.0, 10)))
    assert [h.months for h in found.horizons] == list(HORIZONS)
    for horizon in found.horizons:
        for scale, most in ((horizon.alsfrs, 48), (horizon.fvc, 200)):
            ordered = (scale.low95, scale.low80, scale.value, scale.high80, scale.high95)
            assert list(ordered) == sorted(ordered)
            assert ordered[0] >= 0
            assert ordered[-1] <= most
    assert width(found, 12.0) > width(found, 3.0)
    assert found.horizons[-1].alsfrs.value < found.horizons[0].alsfrs.value < 38
    assert found.slope.low80 < 10 / 15 < found.slope.high95
    assert found.d50.low95 < found.d50.value < found.d50.high95
    assert "simulated" in found.statement
    assert "if alive" in found.condition
    assert not found.with_imaging


def test_the_same_patient_has_the_same_forecast(model):
    person = patient(visit(0.0, 10), visit(5.0, 13))
    assert model.forecast(person) == model.forecasts([patient(visit(0.0, 3)), person])[1]


def test_more_visits_narrow_a_forecast_and_follow_the_decline(model):
    stable = model.forecast(patient(visit(0.0, 3), visit(5.0, 5), visit(10.0, 7),
                                    months_since_onset=5.0, diagnostic_delay=4.0))  # fmt: skip
    falling = model.forecast(patient(visit(0.0, 3), visit(5.0, 9), visit(10.0, 16),
                                     months_since_onset=5.0, diagnostic_delay=4.0))  # fmt: skip
    one = model.forecast(patient(visit(0.0, 3), months_since_onset=5.0, diagnostic_delay=4.0))
    assert falling.d50.high80 / falling.d50.low80 < one.d50.high80 / one.d50.low80
    assert falling.slope.value > stable.slope.value


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"months_since_onset": None, "onset_age": None}, "onset-unknown"),
        ({"diagnostic_delay": None}, "diagnostic-delay-unknown"),
    ],
)
def test_what_is_unknown_widens_the_slope_and_is_said(model, changes, code):
    known = model.forecast(patient(visit(0.0, 10)))
    unknown = model.forecast(patient(visit(0.0, 10), **changes))
    assert code in codes(unknown)
    assert code not in codes(known)
    assert unknown.slope.high95 - unknown.slope.low95 > known.slope.high95 - known.slope.low95


def test_intervals_are_widened_by_the_factors_of_their_number_of_visits(model):
    factors = {name: np.ones((len(VISITS), 2, len(HORIZONS))) for name in WIDENED}
    factors["alsfrs"][1] = 1.5
    plain, wide = model.with_widening(None), model.with_widening(factors)
    one = patient(visit(0.0, 14))
    two = patient(visit(0.0, 14), visit(5.0, 17))
    assert wide.forecast(one) == plain.forecast(one)
    before, after = plain.forecast(two), wide.forecast(two)
    assert width(after, 12.0) == pytest.approx(1.5 * width(before, 12.0))
    assert after.slope.high80 - after.slope.value == pytest.approx(
        1.5 * (before.slope.high80 - before.slope.value)
    )
    assert after.horizons[3].fvc == before.horizons[3].fvc


def test_a_visit_without_ratings_counts_as_none_for_the_factors(model):
    factors = {name: np.ones((len(VISITS), 2, len(HORIZONS))) for name in WIDENED}
    factors["alsfrs"][1:] = 2.0
    person = patient(visit(0.0, 14), VisitRecord("b", 5.0, fvc=80.0))
    assert model.with_widening(factors).forecast(person) == model.with_widening(None).forecast(
        person
    )


def test_the_bundled_factors_are_of_patients_set_aside(model):
    assert set(model.set_aside) == {str(k) for k in VISITS}
    assert min(model.set_aside.values()) > 500
    for factors in model.widening.values():
        assert np.all((factors > 0.8) & (factors < 1.5))
        along = np.diff(factors, axis=-1)
        assert np.all((along >= -1e-9).all(axis=-1) | (along <= 1e-9).all(axis=-1))


def test_the_time_since_onset_is_taken_from_the_ages(model):
    found = model.forecast(patient(visit(0.0, 10), months_since_onset=None))
    assert "onset-from-age" in codes(found)
    given = model.forecast(patient(visit(0.0, 10)))
    assert found.slope.value == pytest.approx(given.slope.value, rel=0.1)


def test_missing_items_are_filled_in_and_widen_the_near_forecast(model):
    whole = model.forecast(patient(visit(0.0, 0)))
    some = model.forecast(patient(visit(0.0, 0, missing=3)))
    assert "alsfrs-items-missing" in codes(some)
    assert width(some, 3.0) > width(whole, 3.0)


def test_fvc_may_be_absent(model):
    without = model.forecast(patient(visit(0.0, 10, fvc=None))).horizons[3].fvc
    known = model.forecast(patient(visit(0.0, 10))).horizons[3].fvc
    assert without.high80 - without.low80 > known.high80 - known.low80


def test_a_rise_is_accepted_and_said(model):
    found = model.forecast(patient(visit(0.0, 16), visit(5.0, 8)))
    assert "alsfrs-rise" in codes(found)
    assert found.horizons is None or found.horizons[-1].alsfrs.value < 40


@pytest.mark.parametrize(
    ("person", "problem"),
    [
        (patient(), "no visit"),
        (patient(visit(5.0, 10), visit(0.0, 8)), "out of order"),
        (patient(visit(3.0, 10), visit(3.0, 8)), "one date"),
        (patient(visit(0.0, 10), months_since_onset=-2.0), "onset"),
        (patient(visit(0.0, 10, fvc=3.1)), "litres"),
        (patient(VisitRecord("a", 0.0, total=60.0)), "60"),
        (patient(VisitRecord("a", 0.0, ratings=(7,) * 12)), "ALSFRS-R"),
    ],
)
def test_what_cannot_be_is_refused_in_one_sentence(model, person, problem):
    with pytest.raises(BrainstemALSError, match=problem) as refusal:
        model.forecast(person)
    assert refusal.value.code == ExitCode.USAGE


@pytest.mark.parametrize(
    ("person", "code"),
    [
        (patient(visit(0.0, 10), age=12.0), "age-outside"),
        (patient(visit(0.0, 10), months_since_onset=900.0), "first-outside"),
        (patient(visit(0.0, 10), group="HC"), "not-als"),
        (patient(VisitRecord("a", 0.0, fvc=80.0)), "alsfrs-absent"),
        (patient(visit(0.0, 48), visit(5.0, 0)), "unlike-training"),
    ],
)
def test_it_abstains_outside_its_training(model, person, code):
    found = model.forecast(person)
    assert found.horizons is None
    assert found.slope is None
    assert found.d50 is None
    assert code in {f.code for f in found.findings if f.severity == "error"}
    assert found.statement


def test_a_visit_without_a_date_is_left_out(model):
    dated, undated = visit(0.0, 10), replace(visit(5.0, 13), months=None)
    found = model.forecast(patient(dated, undated))
    assert "visit-without-date" in codes(found)
    assert found.horizons == model.forecast(patient(dated)).horizons


def test_a_model_reads_back_as_it_was_written(model, tmp_path):
    path = tmp_path / "progression.json"
    write_model(path, KIND, model.training, content_of(model))
    again = load_progression(path).forecast(patient(visit(0.0, 10)))
    first = model.forecast(patient(visit(0.0, 10)))
    assert np.allclose(
        [h.alsfrs.value for h in again.horizons], [h.alsfrs.value for h in first.horizons]
    )


def test_a_model_of_other_parameters_is_refused(model, tmp_path):
    content = content_of(model) | {"imaging": ["cst_md"]}
    path = tmp_path / "progression.json"
    write_model(path, KIND, model.training, content)
    with pytest.raises(BrainstemALSError, match="lacks a part"):
        load_progression(path)


def test_the_bundled_model_says_that_it_is_simulated_and_is_small(model):
    path = bundled(KIND)
    assert json.loads(path.read_text())["training"]["source"] == "simulated"
    assert path.stat().st_size < 60_000


def test_a_forecast_needs_neither_pandas_nor_sklearn_nor_torch():
    code = (
        "import sys; from BrainstemALSLib.prediction.progression import load_progression;"
        "from BrainstemALSLib.prediction.records import PersonRecord, VisitRecord;"
        "p = PersonRecord('a', age=60., onset='bulbar', months_since_onset=12.,"
        " visits=(VisitRecord('s', 0., total=40.),));"
        "assert load_progression().forecast(p).horizons;"
        "assert not {'pandas', 'sklearn', 'torch', 'statsmodels'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
