"""Relative rates: loss in a year against loss so far, and what that says on the order."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from scipy.stats import ttest_ind

from BrainstemALSLib.cohort.tables import Cohort
from BrainstemALSLib.cohort_analysis.event_model import best_order
from BrainstemALSLib.cohort_analysis.options import GroupOptions, Notes
from BrainstemALSLib.cohort_analysis.spread import _hotelling, spread_order
from BrainstemALSLib.cohort_analysis.spread_rates import gather, misfit, relative_rates
from BrainstemALSLib.cohort_analysis.spread_section import (
    draw_spread,
    estimate_spread,
    spread_table,
    spread_warning,
)

BEGAN = np.array([4.0, 2.0, 1.0])
"""Years before the first visit that three structures began to change in."""
SIZES = np.array([1.0, 3.0, 2.0])


def people(noise: float, seed: int = 0, count: int = 60, shared: float = 0.0):
    """Straight losses since ``BEGAN``, the patients first; two visits each, a year apart."""
    rng = np.random.default_rng(seed)
    person = np.repeat(np.arange(2 * count), 2)
    years = np.tile([0.0, 1.0], 2 * count)
    sick = person < count
    own = noise * rng.standard_normal((2 * count, 3))[person]
    common = shared * rng.standard_normal((2 * count, 1))[person]
    loss = SIZES * (BEGAN + years[:, None]) / BEGAN
    values = np.where(sick[:, None], loss, 0.0) + own + common
    values += 0.1 * noise * rng.standard_normal(values.shape)
    spared = common + 0.1 * rng.standard_normal(common.shape)
    return {
        "values": values, "spared": spared, "event": np.arange(3), "person": person,
        "years": years, "sick": sick, "well": ~sick,
    }  # fmt: skip


def test_the_relative_rate_of_a_straight_loss_is_one_by_its_duration():
    made = people(noise=1e-6)
    values, _ = relative_rates(gather(**made | {"spared": np.zeros((len(made["values"]), 0))}))
    assert values == pytest.approx(1 / BEGAN, rel=1e-3)


def test_the_stated_variance_is_that_between_samples():
    found = [relative_rates(gather(**people(1.0, seed))) for seed in range(120)]
    values, stated = (np.array(part) for part in zip(*found, strict=True))
    ratio = stated.mean(axis=0) / values.var(axis=0, ddof=1)
    assert ((ratio > 0.6) & (ratio < 1.6)).all()


def test_what_healthy_people_share_is_taken_off_with_the_spared_structures():
    made = people(0.3, shared=2.0)
    nothing = np.zeros((len(made["values"]), 0))
    _, helped = relative_rates(gather(**made))
    _, alone = relative_rates(gather(**made | {"spared": nothing}))
    assert (helped < 0.8 * alone).all()


def test_a_gap_leaves_out_its_measure_alone_and_persons_come_as_often_as_drawn():
    made = people(0.5)
    made["values"][0, 1] = np.nan
    gathered = gather(**made)
    assert gathered.spread[0].tolist() == [0.5, 0.0, 0.5]
    assert (gathered.spread[1:] == 0.5).all()
    made["values"][1, 1] = np.nan
    gathered = gather(**made)
    assert np.isnan(gathered.mean[0]).tolist() == [False, True, False]
    made["values"][:2] = np.nan
    gathered = gather(**made)
    assert 0 not in gathered.patients
    again = gathered.drawn(np.array([0, 5, 5, 7]), np.array([60, 60, 61]))
    assert again.patients.tolist() == [5, 5, 7]
    assert again.healthy.shape == (3, 3)
    assert np.array_equal(again.mean[0], again.mean[1])


def test_gaps_in_one_measure_leave_the_rates_of_the_others_as_they_were():
    made = people(0.5)
    whole, variance = relative_rates(gather(**made))
    person = made["person"]
    made["values"][(person % 60) < 35, 2] = np.nan  # of patients and of controls
    gathered = gather(**made)
    values, wider = relative_rates(gathered)
    assert gathered.again() == 60
    assert values[:2] == pytest.approx(whole[:2], rel=1e-9)
    assert wider[2] > 1.4 * variance[2]
    assert abs(values[2] - 1 / BEGAN[2]) < 4 * np.sqrt(wider[2])
    made["values"][:, 2] = np.nan
    values, wider = relative_rates(gather(**made))
    assert np.isnan(values[2])
    assert np.isinf(wider[2])
    assert values[:2] == pytest.approx(whole[:2], rel=1e-9)


def test_the_misfit_is_the_distance_to_rates_that_never_fall():
    values, variance = np.array([1.0, 2.0, np.nan]), np.array([1.0, 1.0, np.inf])
    assert misfit(np.array([0, 1, 2]), values, variance) == 0
    assert misfit(np.array([1, 2, 0]), values, variance) == pytest.approx(0.25)
    assert misfit(np.array([2, 0, 1]), values, variance) == 0


def test_the_search_climbs_the_score_that_it_is_given():
    rng = np.random.default_rng(1)
    ratios, wanted = rng.standard_normal((30, 5)), np.array([4, 2, 0, 1, 3])
    order, value = best_order(ratios, 0, score=lambda one: -float(np.abs(one - wanted).sum()))
    assert order.tolist() == wanted.tolist()
    assert value == 0


def test_one_measure_is_tested_as_by_the_t_test():
    rng = np.random.default_rng(2)
    a, b = pd.DataFrame(rng.normal(0.5, 1, (30, 1))), pd.DataFrame(rng.normal(0, 1, (20, 1)))
    assert _hotelling(a, b) == pytest.approx(ttest_ind(a[0], b[0]).pvalue)


STEMS = ("red_nucleus", "pyramid", "cst_crus", "medial_lemniscus_pons", "crus_pontine")


def followed(seed: int, visits: int = 2, count: int = 60, difference: float = 1.5) -> Cohort:
    """All three structures have lost as much, but the first began last; the others are spared."""
    rng = np.random.default_rng(seed)
    groups, measures, looks = [], [], []
    for number in range(2 * count):
        sick = number < count
        name = f"sub-{number:03d}"
        age, sex = rng.uniform(50, 70), "MF"[number % 2]
        groups.append((name, "ALS" if sick else "HC", age, sex, "A", "spinal"))
        own = rng.standard_normal(len(STEMS))
        for visit in range(visits):
            looks.append((name, f"ses-{visit + 1:02d}", 12.0 * visit))
            for place, stem in enumerate(STEMS):
                began = (1.0, 2.0, 5.0, np.inf, np.inf)[place]
                lost = difference * (1 + visit / began) if sick and np.isfinite(began) else 0.0
                value = 0.5 - 0.02 * (own[place] + lost + 0.2 * rng.standard_normal())
                measures.append((name, looks[-1][1], f"{stem}_left", "fa", value, "1", 0, "good"))
    return Cohort(
        pd.DataFrame(groups, columns=["participant_id", "group", "age", "sex", "site", "onset"]),
        pd.DataFrame(looks, columns=["participant_id", "session_id", "months"]),
        pd.DataFrame(measures, columns=["participant_id", "session_id", "structure", "measure",
                                        "value", "unit", "uncertainty", "quality"]),
    )  # fmt: skip


def test_what_loses_little_for_what_it_has_lost_began_first():
    found = spread_order(followed(1), bootstraps=5)
    assert found.events == ("cst_crus", "pyramid", "red_nucleus")
    assert found.repeated == 60
    assert set(found.reasons) == {"medial_lemniscus_pons", "crus_pontine"} == set(found.left_out)
    assert all("differs too little" in reason for reason in found.reasons.values())


def test_without_repeated_visits_the_report_says_that_the_model_stands_alone():
    notes = Notes()
    found = estimate_spread(followed(2, visits=1), GroupOptions(bootstraps=4), notes)
    assert found.repeated == 0
    said = [(row["problem"], row["concerns"]) for row in notes.rows()]
    assert any("event-based model alone" in problem for problem, _ in said)
    assert ("left out: differs too little", "crus_pontine, medial_lemniscus_pons") in said


def test_the_table_names_what_was_left_out_and_why():
    found = spread_order(followed(3), bootstraps=4)
    table = spread_table(found)
    assert table.place.dropna().tolist() == [1, 2, 3]
    rest = table[table.place.isna()]
    assert dict(zip(rest.structure, rest.left_out_because, strict=True)) == found.reasons
    assert draw_spread(found, "simulated").startswith(b"\x89PNG")


def test_an_order_without_a_bootstrap_is_warned_of():
    found = spread_order(followed(4), bootstraps=0)
    assert "without a bootstrap" in spread_warning(found)
