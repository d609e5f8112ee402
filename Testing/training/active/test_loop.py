"""Simulated loops on phantoms: small, whole, and the same again."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from BrainstemALSLib.anatomy import load_structures
from BrainstemALSLib.imaging.volume import Volume
from training.active import study
from training.active.coarse import (
    AFFINE,
    KEYS,
    WINDOW,
    dice,
    draw_exam,
    fit,
    index_table,
    labelled,
    prior_map,
    run,
    segment,
    small_network,
)
from training.active.features import bottleneck_features
from training.active.finetune_loss import lesson_loss
from training.active.loop import (
    CASES,
    NOTHING,
    PLACES,
    REGION,
    Arm,
    Round,
    Setting,
    load_rounds,
    run_arm,
    save_rounds,
    start_model,
)
from training.active.queries import BASELINE
from training.geometry_augmentation import Draw
from training.loss import dice_cross_entropy
from training.smoke import phantom_anatomy
from training.synthesis import mirror_table

TINY = Setting(rounds=2, per_round=1, start_steps=2, steps=1, members=2)


@pytest.fixture(scope="module")
def phantoms():
    """Seven exams of two phantoms."""
    return [draw_exam(phantom_anatomy(str(1 + n % 2)), f"exam-{n}", n) for n in range(7)]


class Phantoms:
    """The exams of a loop: two to start with, three to ask for, two to score."""

    counts = (2, 3, 2)

    def __init__(self, exams):
        self.exams = exams

    def start(self, seed):
        return self.exams[:2]

    def pool(self, seed):
        return self.exams[2:5]

    def held_out(self):
        return self.exams[5:]


@pytest.fixture(scope="module")
def exams(phantoms):
    return Phantoms(phantoms)


def test_an_exam_is_drawn_on_the_coarse_window(phantoms):
    exam = phantoms[0]
    assert exam.channels.shape == (6, *WINDOW)
    assert exam.truth.shape == WINDOW
    assert exam.channels[0].std() > 0.1
    again = draw_exam(phantom_anatomy("1"), "exam-0", 0)
    assert torch.equal(again.channels, exam.channels)
    values = {0, *(s.index for s in load_structures())}
    assert set(np.unique(exam.truth.array)) <= values
    assert len(np.unique(exam.truth.array)) > 30


def test_voxels_nobody_looked_at_do_not_train(phantoms):
    exam = phantoms[0]
    weights = np.zeros(WINDOW, np.float32)
    weights[10:20, 10:20, 10:20] = 1
    sample = labelled(exam, exam.truth, Volume(weights, AFFINE))
    logits = torch.randn(1, 1 + len(KEYS), *WINDOW, requires_grad=True)
    lesson_loss(logits, sample).backward()
    touched = logits.grad[0].abs().sum(0) > 0
    assert torch.equal(touched, torch.from_numpy(weights > 0))
    other = exam.truth.array.copy()
    other[weights == 0] = 0
    same = labelled(exam, Volume(other, AFFINE), Volume(weights, AFFINE))
    assert lesson_loss(logits, same) == lesson_loss(logits, sample)
    whole = labelled(exam, exam.truth)
    assert whole.vouched is None
    expected = dice_cross_entropy(logits, whole.classes[None, None])
    assert torch.isclose(lesson_loss(logits, whole), expected)


def test_the_network_learns_an_exam_and_its_start_is_left_alone(phantoms):
    sample = labelled(phantoms[0], phantoms[0].truth)
    network = small_network(1, [sample])
    before = {name: tensor.clone() for name, tensor in network.state_dict().items()}
    learned = fit(network, lambda draw: sample, 10, 5e-3, seed=1)
    assert all(torch.equal(before[n], t) for n, t in network.state_dict().items())
    losses = [
        float(lesson_loss(run(one, sample.channels[None]), sample).detach())
        for one in (network, learned)
    ]
    assert losses[1] < losses[0] - 0.05
    again = fit(network, lambda draw: sample, 10, 5e-3, seed=1)
    assert np.array_equal(segment(again, phantoms[0]).array, segment(learned, phantoms[0]).array)


def test_the_prior_says_where_structures_lie(phantoms):
    prior = prior_map([labelled(exam, exam.truth) for exam in phantoms])
    assert prior.shape == (1, 1 + len(KEYS), *WINDOW)
    likeliest = index_table()[prior[0].argmax(0).numpy()]
    truth = phantoms[0].truth.array
    assert np.nanmean(dice(likeliest, truth)) > 0.1
    assert likeliest[0, 0, 0] == 0
    mirror = dict(enumerate(mirror_table().tolist()))
    assert np.array_equal(np.vectorize(mirror.get)(likeliest[::-1])[:10], likeliest[:10])


def test_dice_counts_what_is_there(phantoms):
    truth = phantoms[0].truth.array
    same = dice(truth, truth)
    there = np.isin([s.index for s in load_structures()], np.unique(truth))
    assert np.array_equal(np.isfinite(same), there)
    assert (same[there] == 1).all()
    assert (dice(np.zeros_like(truth), truth)[there] == 0).all()


def test_bottleneck_features_tell_exams_apart(phantoms):
    network = small_network(1, [labelled(phantoms[0], phantoms[0].truth)]).eval()
    windows = [exam.channels.float()[None] for exam in phantoms[:2]]
    first, second = (bottleneck_features(network, window) for window in windows)
    assert first.shape == (32,)
    assert np.array_equal(first, bottleneck_features(network, windows[0]))
    assert not np.allclose(first, second)
    assert not network.body.bottleneck._forward_hooks


@pytest.fixture(scope="module")
def start(exams):
    """The start model of seed 1."""
    return start_model(1, TINY, exams)


@pytest.mark.parametrize(
    ("strategy", "unit"), [("bald", CASES), ("coreset", CASES), (BASELINE, REGION)]
)
def test_a_loop_corrects_and_scores(exams, start, strategy, unit):
    rounds = run_arm(Arm(strategy, unit, 1), TINY, exams, start)
    assert [one.corrected for one in rounds] == [0, 1, 2]
    minutes = [one.minutes for one in rounds]
    assert minutes[0] == 0 < minutes[1] < minutes[2]
    assert rounds[0].table().shape == (2, len(KEYS))
    assert rounds[1].dice != rounds[0].dice


def test_a_loop_repeats_and_places_take_less_time_than_exams(exams, start):
    once = replace(TINY, rounds=1)
    first, again, whole = (
        run_arm(Arm("clasp", unit, 1), once, exams, start) for unit in (PLACES, PLACES, CASES)
    )
    assert first == again
    assert 0 < first[-1].minutes < whole[-1].minutes


def test_without_corrections_a_loop_only_replays(exams, start):
    rounds = run_arm(Arm(BASELINE, NOTHING, 1), TINY, exams, start)
    assert [one.corrected for one in rounds] == [0, 0, 0]
    assert rounds[1] == rounds[2]


def test_more_is_asked_for_than_there_is(exams, start):
    greedy = replace(TINY, rounds=2, per_round=2)
    rounds = run_arm(Arm("entropy", CASES, 1), greedy, exams, start)
    assert [one.corrected for one in rounds] == [0, 2, 3]


def test_a_stored_loop_is_the_loop_and_another_setting_is_not(tmp_path):
    rounds = [Round(0, 0.0, [[0.5, None]]), Round(1, 7.25, [[0.625, None]])]
    path = tmp_path / "loops" / "a.json"
    save_rounds(path, rounds, TINY.fingerprint("x"))
    assert load_rounds(path, TINY.fingerprint("x")) == rounds
    assert load_rounds(path, TINY.fingerprint("y")) is None
    assert load_rounds(path, replace(TINY, steps=3).fingerprint("x")) is None
    path.write_text("{")
    assert load_rounds(path, TINY.fingerprint("x")) is None


def test_a_study_goes_on_where_it_stopped(exams, tmp_path, monkeypatch):
    monkeypatch.setattr(study, "STRATEGIES", (BASELINE,))
    wanted = study.arms(1)
    assert {arm.unit for arm in wanted} == {NOTHING, REGION, CASES, PLACES}
    short = replace(TINY, rounds=1)
    loops = tmp_path / "loops"
    assert study.run_all(wanted, short, exams, "m", loops, minutes=-1.0) == {}
    part = study.run_all(wanted[:2], short, exams, "m", loops, minutes=10.0)
    assert study.run_all(wanted, short, exams, "m", loops, minutes=-1.0) == part
    assert study.run_all(wanted, short, exams, "other", loops, minutes=-1.0) == {}


def test_mixed_batches_replay_at_the_share_that_was_asked_for():
    from training.active.loop import _mixed

    choose = _mixed(["start"], ["correction"], 0.25)
    drawn = [choose(Draw(torch.Generator().manual_seed(n))) for n in range(400)]
    assert 0.18 < drawn.count("start") / 400 < 0.32
    assert _mixed(["start"], [], 0.0)(Draw(torch.Generator().manual_seed(1))) == "start"
