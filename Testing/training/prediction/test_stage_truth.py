"""What the simulator says is past, and how intervals learn from it."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from scipy.stats import binom

from BrainstemALSLib.norms import bundled_norms
from BrainstemALSLib.prediction.disease_stage import (
    LEVEL,
    WORSE,
    ends_of,
    read_disease_stage,
    too_wide,
)
from training.cohort.config import load_config
from training.cohort.simulate import simulate
from training.prediction import disease_stage
from training.prediction.stage_truth import events_past, structures_of


@pytest.fixture(scope="module")
def world():
    return simulate(load_config().with_values(visits__follow_ups=1), 0, 80, 0, 12)


def sessions(truth):
    imaged = truth.values[["participant_id", "session_id"]].drop_duplicates()
    return imaged.participant_id.tolist(), imaged.session_id.tolist()


def test_a_predictor_is_made_of_its_structures():
    measure, inside = structures_of("pyramid_volume")
    assert (measure, inside.sum()) == ("volume", 2)
    assert structures_of("cst_fa")[1].sum() == 6
    assert structures_of("medulla_volume")[1].sum() > 8


def test_events_come_with_the_clock_and_never_go(world):
    _, truth = world
    names = list(WORSE)
    people, visits = sessions(truth)
    past = events_past(truth, people, visits, names)
    clock = truth.clocks.set_index(["participant_id", "session_id"]).brainstem_clock
    at = clock.loc[list(zip(people, visits, strict=True))].to_numpy()
    assert past[at > 80].all()
    assert not past[at < 5].any()
    # The tract is half way before the pons in everybody, by more than patients differ.
    assert (past[:, names.index("cst_fa")] >= past[:, names.index("pons_volume")]).all()
    late = replace(truth, clocks=truth.clocks.assign(brainstem_clock=clock.to_numpy() + 10))
    assert (events_past(late, people, visits, names) >= past).all()


def test_one_structure_is_past_when_the_clock_is_at_its_place(world):
    _, truth = world
    spread = truth.latent.spread
    _, inside = structures_of("pyramid_fa")
    people, visits = sessions(truth)
    place = {name: k for k, name in enumerate(truth.latent.ids)}
    rows = [place[name] for name in people]
    sides = spread.places[rows][:, inside]
    for side, expected in ((sides.min(axis=1) - 0.1, False), (sides.max(axis=1) + 0.1, True)):
        keys = dict(zip(zip(people, visits, strict=True), side, strict=True))
        pairs = zip(truth.clocks.participant_id, truth.clocks.session_id, strict=True)
        clock = [keys.get(pair, 0.0) for pair in pairs]
        moved = replace(truth, clocks=truth.clocks.assign(brainstem_clock=clock))
        assert (events_past(moved, people, visits, ["pyramid_fa"]) == expected).all()


def told(shares, past, margins):
    low, high = ends_of(shares, margins[LEVEL])
    kept = ~too_wide(low, high, shares.shape[1] - 1)
    return kept, (low <= past) & (past <= high), high - low


def guesses(rng, n, shift=0):
    """People whose images tell about how many of 7 events are past, and what is said of them."""
    chance = rng.beta(1, 1, size=n)
    past = rng.binomial(7, chance)
    said = np.array([binom.pmf(np.arange(8), 7, c) for c in chance])
    return np.roll(said, shift, axis=1), past


@pytest.mark.parametrize("shift", [0, -1])
def test_learned_intervals_hold_other_patients_who_get_a_stage(shift):
    """Honest answers, and ones that are an event too low throughout."""
    rng = np.random.default_rng(3)
    margins = disease_stage.margins_of(*guesses(rng, 2000, shift))
    shares, past = guesses(rng, 4000, shift)
    kept, held, width = told(shares, past, margins)
    assert kept.mean() > 0.5
    # Whole events can hold more than the level, not less.
    assert 0.77 < held[kept].mean() < 0.92
    assert width[kept].max() < 6
    low, high = ends_of(shares, margins[0.95])
    assert ((low <= past) & (past <= high))[kept].mean() > 0.92


def test_where_nothing_is_known_nobody_gets_a_stage():
    rng = np.random.default_rng(4)
    shares, _ = guesses(rng, 1500)
    past = rng.integers(8, size=1500)
    kept, _, _ = told(shares, past, disease_stage.margins_of(shares, past))
    assert kept.mean() < 0.02


def test_intervals_are_learned_from_other_patients(monkeypatch, world):
    """Those of the seed that is given, with the count of the simulator."""
    model = read_disease_stage()
    asked = []

    def patients(seed, number):
        asked.append((seed, number))
        return world

    monkeypatch.setattr(disease_stage, "simulated_patients", patients)
    norms = bundled_norms()
    found = disease_stage.with_margins(replace(model, margins=None), norms, 5, 60)
    assert asked == [(5, 60)]
    said, past, people = disease_stage.posteriors(*world, norms, model)
    assert len(said) == len(past) == len(people) > 20
    shares = np.array([one.share for one in said])
    assert found.margins == disease_stage.margins_of(shares, past)
