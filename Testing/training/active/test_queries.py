"""Query strategies: each goes by what it says, and a seed gives one order."""

from __future__ import annotations

import numpy as np
import pytest

from training.active.queries import (
    STRATEGIES,
    Candidates,
    CoreSet,
    Disagreement,
    Entropy,
    ForegroundRandom,
    StratifiedPowerEntropy,
    of_cases,
    ranked,
    strategies,
)
from training.active.queries.noise import KINDS, noised
from training.active.summary import pooled_features, summarise, winning_classes

KEYS = ("pyramid_left", "pyramid_right", "red_nucleus_left")


def table(count: int = 8, seed: int = 0, **columns: np.ndarray) -> Candidates:
    """Candidates with random scores, and columns of one's own."""
    rng = np.random.default_rng(seed)
    values = {
        "entropy": rng.random(count),
        "disagreement": rng.random(count),
        "by_class": rng.random((count, 1 + len(KEYS))),
        "foreground": np.full(count, 0.2),
        "features": rng.random((count, 5)),
    }
    return Candidates(**{**values, **columns}, keys=KEYS)


def rows(choices) -> list[int]:
    return [choice.index for choice in choices]


@pytest.mark.parametrize("name", STRATEGIES)
def test_a_seed_is_an_order_and_nothing_comes_twice(name):
    first, again = (ranked(strategies()[name], table(), 8, seed=3) for _ in range(2))
    assert first == again
    assert sorted(rows(first)) == list(range(8))
    assert all(choice.reason for choice in first)
    assert len(ranked(strategies()[name], table(), 20, seed=3)) == 8


@pytest.mark.parametrize("name", STRATEGIES)
def test_ties_are_broken_by_the_seed(name):
    equal = table(
        40,
        entropy=np.full(40, 0.1),
        disagreement=np.full(40, 0.1),
        by_class=np.full((40, 4), 0.1),
        features=np.ones((40, 5)),
    )
    orders = {tuple(rows(ranked(strategies()[name], equal, 5, seed))) for seed in range(5)}
    assert len(orders) == 5


def test_entropy_and_disagreement_rank_by_their_score():
    candidates = table()
    assert rows(ranked(Entropy(), candidates, 8, 1)) == np.argsort(-candidates.entropy).tolist()
    by_members = np.argsort(-candidates.disagreement).tolist()
    assert rows(ranked(Disagreement(), candidates, 8, 1)) == by_members


def test_random_is_even_and_takes_what_shows_structures_first():
    foreground = np.array([0.0, 0.1, 0.0, 0.3, 0.2])
    candidates = table(5, foreground=foreground)
    firsts = [rows(ranked(ForegroundRandom(), candidates, 5, seed)) for seed in range(300)]
    assert all(set(order[:3]) == {1, 3, 4} for order in firsts)
    counts = np.bincount([order[0] for order in firsts], minlength=5)
    assert counts[[1, 3, 4]].min() > 70, "100 each are expected"


def test_every_other_pick_of_the_stratified_strategy_is_for_a_structure():
    by_class = np.full((6, 4), np.nan)
    by_class[:3, 1] = (0.2, 0.9, 0.3)  # the left pyramid is only in these
    by_class[3, 2], by_class[4, 3] = 0.5, 0.6
    entropy = np.array([0.4, 0.01, 0.01, 0.01, 0.01, 0.8])
    candidates = table(6, by_class=by_class, entropy=entropy)
    late = StratifiedPowerEntropy(late=1.0)
    orders = [rows(ranked(late, candidates, 3, seed)) for seed in range(150)]
    firsts = np.bincount([order[0] for order in orders], minlength=6)
    assert set(np.flatnonzero(firsts)) == {1, 3, 4}, "the least sure of each structure"
    assert firsts[[1, 3, 4]].min() > 30, "each as likely as another"
    assert all(order[1] == 5 for order in orders), "then the most unsure as a whole"


def test_early_rounds_are_noisier_than_late_ones():
    one_structure = np.full((20, 4), np.nan)
    one_structure[:, 1] = np.linspace(0.05, 0.9, 20)
    candidates = table(20, by_class=one_structure)
    first = {rows(ranked(StratifiedPowerEntropy(0.0), candidates, 2, s))[0] for s in range(30)}
    last = {rows(ranked(StratifiedPowerEntropy(1.0), candidates, 2, s))[0] for s in range(30)}
    assert len(first) > 5 > len(last)


def test_power_noise_draws_in_proportion_to_a_power_of_the_score():
    scores = np.array([0.1, 0.2, 0.7])
    rng = np.random.default_rng(0)
    for beta, wanted in ((1.0, scores), (2.0, scores**2)):
        drawn = np.bincount([noised(scores, beta, rng).argmax() for _ in range(20000)])
        assert drawn / 20000 == pytest.approx(wanted / wanted.sum(), abs=0.015)


@pytest.mark.parametrize("kind", KINDS)
def test_without_noise_the_order_stays(kind):
    scores = np.array([0.3, 0.0, 0.9, 0.5])
    order = np.argsort(-noised(scores, 1e6, np.random.default_rng(1), kind))
    assert order.tolist() == [2, 3, 0, 1]


def test_noise_refuses_what_it_does_not_know():
    with pytest.raises(ValueError, match="noise"):
        noised(np.ones(2), 1.0, np.random.default_rng(0), "other")
    with pytest.raises(ValueError, match="noise"):
        noised(np.ones(2), 0.0, np.random.default_rng(0))


def test_core_set_goes_where_nothing_is():
    features = np.array([[0.0, 0], [0.1, 0], [5.0, 0], [5.1, 0], [0, 9.0]])
    order = rows(ranked(CoreSet(), table(5, features=features), 3, 1, known=features[:1]))
    assert order[0] == 4
    assert order[1] in (2, 3)
    assert order[2] == 1 or {order[1], order[2]} == {2, 3}
    typical = rows(ranked(CoreSet(), table(5, features=features), 1, 1))
    assert typical[0] in (0, 1), "nothing is corrected: the medoid"


def test_rows_that_clash_are_never_together():
    near = lambda index: np.abs(np.arange(8) - index) <= 1  # noqa: E731
    order = rows(ranked(Entropy(), table(), 8, 1, clashes=near))
    assert np.diff(sorted(order)).min() > 1


def test_a_score_that_is_no_number_is_refused():
    with pytest.raises(ValueError, match="no number"):
        ranked(Entropy(), table(3, entropy=np.array([0.1, np.nan, 0.2])), 1, 1)


def certain(where: slice, sure: float) -> np.ndarray:
    """Probabilities (6, 6, 6, 4): class 1 in a slab, as sure as asked, background elsewhere."""
    out = np.full((6, 6, 6, 4), (1 - sure) / 3)
    out[..., 0] = sure
    out[where, ..., 0], out[where, ..., 1] = (1 - sure) / 3, sure
    return out


def test_a_summary_tells_doubt_from_disagreement():
    same = summarise("a", [certain(slice(0, 3), 0.7)] * 2, np.eye(4), KEYS)
    assert same.disagreement.max() < 1e-3
    assert same.entropy.min() > 0.4
    apart = [certain(slice(0, 3), 0.99), certain(slice(1, 4), 0.99)]
    differ = summarise("b", apart, np.eye(4), KEYS)
    assert differ.disagreement[0].min() > 0.3
    assert differ.disagreement[1].max() < 0.05
    one = summarise("c", apart[:1], np.eye(4), KEYS)
    assert one.members == 1
    assert not one.disagreement.any()
    assert one.features == pytest.approx(pooled_features(apart[0], 1.0), rel=1e-5)
    with pytest.raises(ValueError, match="at least one"):
        summarise("d", [], np.eye(4), KEYS)
    with pytest.raises(ValueError, match="hold"):
        summarise("e", apart, np.eye(4), KEYS[:2])


def test_brainstem_or_not_is_decided_before_which_structure():
    shared = np.array([[[[0.4, 0.25, 0.2, 0.15], [0.5, 0.5, 0, 0]]]])
    assert winning_classes(shared).ravel().tolist() == [1, 0]


def test_an_exam_is_scored_over_its_brainstem():
    big = summarise("a", [certain(slice(0, 4), 0.8)], np.eye(4), KEYS)
    small = summarise("b", [certain(slice(0, 1), 0.8)], np.eye(4), KEYS)
    candidates = of_cases([big, small])
    assert candidates.entropy[0] == pytest.approx(candidates.entropy[1], abs=1e-3)
    assert candidates.foreground[0] == pytest.approx(4 / 6)
    assert np.isfinite(candidates.by_class[0]).tolist() == [True, True, False, False]
    assert candidates.doubtful(0) == ("pyramid_left",)
    with pytest.raises(ValueError, match="one set"):
        of_cases([])
