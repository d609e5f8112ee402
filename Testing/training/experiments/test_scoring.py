"""Scores: Dice of classes, means of groups."""

import math

import pytest
import torch

from BrainstemALSLib.anatomy import load_structures
from training.evaluation.summary import groups
from training.experiments.bank import exams
from training.experiments.batches import channels, window
from training.experiments.scoring import dice, evaluate, group_means
from training.smoke import phantom_anatomy
from training.synthesis import channel_table

from .conftest import tiny_settings

IMAGES = tiny_settings().images


def test_dice_of_a_structure():
    truth, predicted = torch.zeros(2, 4, 4, 4, dtype=torch.long)
    truth[:2] = 1
    predicted[1:3] = 1
    predicted[3] = 2  # is not there
    found = dice(predicted, truth)
    assert len(found) == len(load_structures())
    assert found[0] == pytest.approx(0.5)
    assert math.isnan(found[1])


def test_a_perfect_segmentation_scores_one_and_a_blind_one_nothing():
    bank = {"a": exams(phantom_anatomy("1"), "a", IMAGES, 1, held_out=True)}
    exam, labels = window(None, bank["a"], 0, IMAGES, torch.arange(256))
    truth = channel_table()[labels.long()]

    def knowing(planes):
        assert torch.equal(planes, channels(exam))
        return truth

    sheet = evaluate(knowing, bank, ["a"], IMAGES)["a"]
    assert set(sheet.values()) == {1.0}
    assert len(sheet) == len(truth.unique()) - 1
    blind = evaluate(lambda p: torch.zeros_like(truth), bank, ["a"], IMAGES)["a"]
    assert set(blind.values()) == {0.0}


def test_groups_are_means_of_what_is_there():
    first, second, *_ = groups()["tier_A"]
    means = group_means({first: 0.5, second: 0.7, groups()["tier_B"][0]: 0.1})
    assert means["tier_A"] == pytest.approx(0.6)
    assert means["tier_B"] == pytest.approx(0.1)
    assert means["all"] == pytest.approx(1.3 / 3)
    assert math.isnan(group_means({first: 1.0})["tier_B"])
