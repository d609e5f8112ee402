"""The evaluation of forecasts: its truths, its comparators, its page."""

from __future__ import annotations

import numpy as np
import pytest

from BrainstemALSLib.prediction.model_files import bundled
from BrainstemALSLib.prediction.progression import HORIZONS, KIND, load_progression
from BrainstemALSLib.prediction.records import PersonRecord, VisitRecord
from training.evaluation import prediction_progression_cases as cases_of
from training.evaluation.prediction_progression import evaluate
from training.evaluation.prediction_progression_others import forecasts
from training.evaluation.prediction_progression_page import _coverage_marks, page_of
from training.evaluation.prediction_progression_scores import advantage, coverage, widths
from training.evaluation.tables import write_page
from training.norms import simulated_norms
from training.prediction.progression_cases import held_out

SEED = 5


@pytest.fixture(scope="module")
def held():
    return held_out(60, SEED)


def test_patients_are_known_up_to_their_visits_and_no_further(held):
    for k, cases in held.items():
        assert cases.people
        assert all(len(p.visits) == k for p in cases.people)
        assert all(p.survival_months is None and p.event is None for p in cases.people)
    assert len(held[1].people) == 60 > len(held[2].people) > len(held[3].people)


def test_truth_falls_with_time_and_the_dead_do_not_attend(held):
    cases = held[1]
    assert cases.alsfrs.shape == (60, len(HORIZONS))
    assert np.all(np.diff(cases.alsfrs.mean(axis=0)) < 0)
    assert cases.now.mean() > cases.alsfrs[:, 0].mean()
    assert np.all(cases.alive | ~cases.attending)
    assert np.all(np.diff(cases.alive.astype(int), axis=1) <= 0)


def test_the_truth_has_another_day_s_noise_than_the_visit(held):
    cases = held[1]
    seen = np.array([p.visits[0].total or np.nan for p in cases.people])
    off = (cases.now - seen)[np.isfinite(seen)]
    assert 0.5 < off.std() < 4
    assert abs(off.mean()) < 1


def test_simple_forecasts_are_what_they_say():
    visits = tuple(VisitRecord(f"s{m}", float(m), total=float(y)) for m, y in ((0, 40), (6, 37)))
    people = [PersonRecord("a", months_since_onset=10.0, visits=visits),
              PersonRecord("b", months_since_onset=16.0, visits=visits[:1])]  # fmt: skip
    found = forecasts(people, mean_slope=1.0)
    horizons = np.array(HORIZONS)
    assert np.allclose(found["last slope"][0], 37 - 0.5 * horizons)
    assert np.isnan(found["last slope"][1]).all()
    assert np.allclose(found["pre-slope"][1], 40 - 0.5 * horizons)
    assert np.allclose(found["population mean slope"][0], 37 - horizons)
    assert np.all(found["no change"][1] == 40)
    assert np.all(np.diff(found["D50 fit"], axis=1) < 0)


def test_an_advantage_has_an_interval_and_counts_shared_patients_only():
    truth, kept = np.zeros(40), np.ones(40, bool)
    other = np.full(40, 3.0)
    other[0] = np.nan
    n, mean, low, high = advantage(np.full(40, 1.0), other, truth, kept, 1)
    assert (n, mean, low, high) == (39, -2.0, -2.0, -2.0)
    assert np.isnan(advantage(other, other, truth, ~kept, 1)[1])


def test_coverage_counts_truths_inside():
    found = np.tile([5.0, 4.0, 6.0, 2.0, 8.0], (4, 1))
    n, inner, outer = coverage(found, np.array([5, 6, 7, 9]), np.ones(4, bool))
    assert (n, inner, outer) == (4, 0.5, 0.75)


def test_widths_are_means_of_those_kept():
    found = np.array([[5.0, 4.0, 6.0, 2.0, 8.0], [5.0, 3.0, 7.0, 1.0, 9.0], [np.nan] * 5])
    assert widths(found, np.array([True, True, True])) == (3.0, 7.0)
    assert widths(found, np.array([True, False, False])) == (2.0, 6.0)


def test_a_coverage_is_marked_with_its_standard_error():
    row = (2, "alive", 12.0, "ALSFRS-R", 100, 0.76, 0.94, 7.0, 11.0)
    marks = _coverage_marks([row], "ALSFRS-R", 0.8, 5)
    assert not any(reached for _, reached in marks)
    assert any("76.0 % (100 patients; standard error 4.0)" in text for text, _ in marks)
    assert all(reached for _, reached in _coverage_marks([row], "ALSFRS-R", 0.95, 6))


def test_what_is_made_missing_is_missing(held):
    people = held[2].people
    assert all(v.fvc is None for p in cases_of.without_fvc(people) for v in p.visits)
    assert not any(v.has_images for p in cases_of.without_imaging(people) for v in p.visits)
    some = cases_of.without_items(people, 1)[0].visits[0]
    assert sum(r == -1 for r in some.ratings) >= 2
    assert some.total is None
    assert cases_of.without_onset(people)[0].months_since_onset is None


def test_a_small_evaluation_makes_a_page_that_says_simulated(tmp_path):
    model, norms = load_progression(), simulated_norms(120, 1)
    found = evaluate(model, norms, 12, 0, SEED, robust=3)
    page = page_of(found, model, bundled(KIND), 12, SEED, "as configured")
    text = write_page(page, tmp_path).read_text()
    assert "(simulated data)" in text.splitlines()[0]
    assert "beats every simple comparator" in text
    assert "negative control: images" not in text
    assert (tmp_path / "prediction_progression_coverage_all.tsv").is_file()
