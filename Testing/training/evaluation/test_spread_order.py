"""The page of the spread order: its truth, its ceilings, its marks."""

from __future__ import annotations

import numpy as np
import pytest

from training.cohort.config import load_config
from training.cohort.scenario import Scenario
from training.cohort.simulate import simulate
from training.evaluation.spread_order import Found, one_repeat, tau_of, true_order
from training.evaluation.spread_order_ceiling import oracle_places, pure_places
from training.evaluation.spread_order_page import interval, page_of

TRACT = ("cst_crus", "cst_pons", "pyramid", "medullary_tegmentum", "basis_pontis")


@pytest.fixture(scope="module")
def simulated():
    return simulate(load_config(), 60, 120, 0, 3, Scenario(disease=3.0))


def test_the_true_order_lies_between_those_of_the_onsets(simulated):
    cohort, truth = simulated
    places = true_order(cohort, truth)
    of_onset = truth.order.groupby("structure")["place_months"]
    assert all(of_onset.min()[k] - 1e-9 <= places[k] <= of_onset.max()[k] + 1e-9 for k in places)
    assert "middle_cerebellar_peduncle" not in places


def test_the_oracle_finds_large_effects_and_is_better_without_error(simulated):
    cohort, truth = simulated
    places = true_order(cohort, truth)
    off = {}
    for error in (True, False):
        found = oracle_places(cohort, truth, TRACT, error)
        assert tau_of(sorted(found, key=found.get), places) >= 0.8
        off[error] = np.mean([abs(found[stem] - places[stem]) for stem in TRACT])
    assert off[False] < off[True]


def test_change_alone_holds_the_order(simulated):
    cohort, truth = simulated
    places = true_order(cohort, truth)
    found = pure_places(truth, tuple(places))
    assert tau_of(sorted(found, key=found.get), places) > 0.85


def test_tau_counts_only_what_has_a_true_place():
    places = {"a": 1.0, "b": 2.0, "c": 3.0}
    assert tau_of(["a", "x", "b", "c"], places) == 1
    assert tau_of(["c", "b", "x", "a"], places) == -1
    assert np.isnan(tau_of(["x", "a"], places))


def test_without_disease_an_order_is_an_exception():
    found = [one_repeat(60, Scenario(disease=0.0), seed) for seed in range(4, 8)]
    assert sum(one is not None for one in found) <= 1


def test_the_interval_is_that_of_the_t_distribution():
    mean, low, high = interval([0.4, 0.6, np.nan])
    assert (mean, low, high) == pytest.approx((0.5, 0.5 - 1.2706205, 0.5 + 1.2706205))
    assert np.isnan(interval([0.4])[1])


def test_marks_tell_what_is_short_and_how_many_orders_there_were_without_disease():
    nothing = float("nan")
    one = Found(0.5, 8, 1, 0.6, 0.4, 0.7, 0.9, 0.98)
    other = Found(0.6, 9, 0, 0.8, 0.4, 0.7, 0.9, 0.98)
    cells = {(1.0, 200, 1.0): [one, other, None], (2.0, 200, 1.0): [other, other]}
    null = [None, Found(nothing, 2, 2, *[nothing] * 5)]
    page = page_of(cells, null, {"b": 20.0, "a": 14.0}, 200, 1, (0.7, 0.05, 10, 4.0), [other, None])
    said = dict(page.marks)
    assert [passed for text, passed in said.items() if "short by 0.25" in text] == [False]
    assert [passed for text, passed in said.items() if "1 of 2 cohorts got" in text] == [False]
    assert [passed for text, passed in said.items() if "1 of 2 cohorts with" in text] == [False]
    assert page.tables[0].rows[-1][2] == "errors of the real segmentation"
    assert page.kind == "simulated"
    assert [row[1] for row in page.tables[2].rows] == ["a", "b"]
    assert page.tables[0].rows[0][3:5] == (3, 2)
    assert [row[1] for row in page.tables[3].rows] == [1, 3]
