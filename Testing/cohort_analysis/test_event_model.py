"""The event-based model: known orders come back, and missing or useless markers do no harm."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from scipy.stats import kendalltau

from BrainstemALSLib.cohort.tables import Cohort
from BrainstemALSLib.cohort_analysis.event_model import (
    best_order,
    fit_mixtures,
    log_likelihood,
    stage_probabilities,
)
from BrainstemALSLib.cohort_analysis.spread import spread_order
from BrainstemALSLib.cohort_analysis.spread_markers import deviations, marker_scores
from BrainstemALSLib.errors import BrainstemALSError

ORDER = np.array([3, 0, 4, 1, 2])


def staged(seed: int, count: int = 200, shift: float = 3.0) -> tuple[np.ndarray, np.ndarray]:
    """Patients with the first k events of ``ORDER`` behind them, and controls."""
    rng = np.random.default_rng(seed)
    stage = rng.integers(0, len(ORDER) + 1, count)
    place = np.argsort(ORDER)
    patients = rng.standard_normal((count, len(ORDER)))
    patients += shift * (place[None] < stage[:, None])
    return patients, rng.standard_normal((count, len(ORDER)))


def test_a_known_order_comes_back():
    patients, controls = staged(1)
    ratios = fit_mixtures(patients, controls).log_ratios(patients)
    order, value = best_order(ratios, 0)
    assert order.tolist() == ORDER.tolist()
    assert value == log_likelihood(ratios, order)
    assert all(log_likelihood(ratios, np.roll(order, n)) < value for n in range(1, 5))


def test_missing_values_say_nothing():
    patients, controls = staged(2)
    rng = np.random.default_rng(0)
    patients[rng.random(patients.shape) < 0.2] = np.nan
    ratios = fit_mixtures(patients, controls).log_ratios(patients)
    assert (ratios[np.isnan(patients)] == 0).all()
    assert best_order(ratios, 0)[0].tolist() == ORDER.tolist()


def test_stages_are_those_of_the_persons():
    patients, controls = staged(3, shift=6.0)
    ratios = fit_mixtures(patients, controls).log_ratios(patients)
    likely = stage_probabilities(ratios, ORDER)
    assert likely.shape == (200, 6)
    assert np.allclose(likely.sum(1), 1)
    true = (patients > 3).sum(1)
    assert (likely.argmax(1) == true).mean() > 0.95


def test_the_same_seed_gives_the_same_order():
    rng = np.random.default_rng(4)
    ratios = rng.standard_normal((40, 6))
    assert np.array_equal(best_order(ratios, 5)[0], best_order(ratios, 5)[0])


def test_the_healthy_side_is_never_abnormal():
    patients, controls = staged(5)
    mixtures = fit_mixtures(patients, controls)
    far = np.full((1, 5), -9.0)
    assert np.allclose(mixtures.log_ratios(far), mixtures.log_ratios(np.full((1, 5), -1.0)), atol=1)
    assert (mixtures.log_ratios(far) < 0).all()


STRUCTURES = ("cst_crus", "pyramid", "red_nucleus", "medial_lemniscus_pons")


def cohort(seed: int, patients: int = 120, controls: int = 80, shift: float = 3.0) -> Cohort:
    """FA of four structures, of which the first three change in their order; age and sex matter."""
    rng = np.random.default_rng(seed)
    people, rows, visits = [], [], []
    for number in range(patients + controls):
        sick = number < patients
        code, age, male = f"sub-{number:03d}", rng.uniform(40, 75), rng.random() < 0.5
        people.append(
            (
                code,
                "ALS" if sick else "HC",
                age,
                "M" if male else "F",
                f"site{number % 2}",
                "spinal",
            )
        )
        visits.append((code, "ses-01", 0.0))
        stage = rng.integers(0, 4) if sick else 0
        base = 0.6 - 0.002 * (age - 55) + 0.01 * male + 0.02 * (number % 2)
        for place, stem in enumerate(STRUCTURES):
            value = base - 0.02 * (rng.standard_normal() + shift * (place < min(stage, 3)))
            rows += [
                (code, "ses-01", f"{stem}_{side}", "fa", value, "1", 0.0, "good")
                for side in ("left", "right")
            ]
    names = ["participant_id", "group", "age", "sex", "site", "onset"]
    columns = ["participant_id", "session_id", "structure", "measure", "value", "unit",
               "uncertainty", "quality"]  # fmt: skip
    return Cohort(
        pd.DataFrame(people, columns=names),
        pd.DataFrame(visits, columns=["participant_id", "session_id", "months"]),
        pd.DataFrame(rows, columns=columns),
    )


def test_the_order_of_a_cohort_comes_back_and_what_is_spared_is_left_out():
    found = spread_order(cohort(1), seed=1, bootstraps=8)
    assert found.events == STRUCTURES[:3]
    assert "medial_lemniscus_pons" in found.left_out
    assert found.positions.shape == (3, 3)
    assert np.allclose(found.positions.sum(1), 1)
    assert found.agreement > 0.8
    assert (found.patients, found.controls) == (120, 80)
    assert len(found.stages) == 120


def test_age_sex_and_site_do_not_show_in_markers_of_controls():
    table, info = deviations(cohort(2))
    scores = marker_scores(table, info["group"])
    who = scores.index.get_level_values("participant_id")
    people = cohort(2).participants.set_index("participant_id").loc[who]
    healthy = (people["group"] == "HC").to_numpy()
    own = scores.loc[healthy, "red_nucleus"].to_numpy()
    assert abs(own.mean()) < 0.01
    assert abs(np.corrcoef(own, people["age"][healthy])[0, 1]) < 0.01


@pytest.mark.parametrize(("patients", "controls"), [(5, 40), (40, 5), (0, 40)])
def test_too_few_people_are_refused(patients, controls):
    with pytest.raises(BrainstemALSError, match="at least 10"):
        spread_order(cohort(3, patients, controls), bootstraps=1)


def test_without_a_difference_there_is_no_order():
    with pytest.raises(BrainstemALSError, match="fewer than two structures"):
        spread_order(cohort(4, shift=0.0), bootstraps=1)


def test_chance_alone_agrees_with_nothing():
    rng = np.random.default_rng(6)
    taus = []
    for seed in range(20):
        order, _ = best_order(rng.standard_normal((50, 6)), seed)
        taus.append(kendalltau(order, range(6)).statistic)
    assert abs(np.mean(taus)) < 0.35


def test_an_order_that_the_bootstrap_does_not_bear_out_says_so():
    from BrainstemALSLib.cohort_analysis.options import GroupOptions, Notes
    from BrainstemALSLib.cohort_analysis.spread_section import estimate_spread

    for shift, warned in ((1.0, True), (4.0, False)):
        notes = Notes()
        found = estimate_spread(cohort(7, shift=shift), GroupOptions(bootstraps=8, seed=1), notes)
        assert found is not None
        assert ("agree too little" in str(vars(notes))) is warned
