"""Samples: labels go with their image, and come from the named cases only."""

import pytest
import torch

from BrainstemALSLib.anatomy import by_key
from training.experiments.bank import exams
from training.experiments.batches import Labelled, channels, contrasted, window
from training.geometry_augmentation import Draw
from training.smoke import phantom_anatomy
from training.synthesis import channel_table, mirror_table

from .conftest import tiny_settings

IMAGES = tiny_settings().images


def draws(seed=1):
    return Draw(torch.Generator().manual_seed(seed))


@pytest.fixture(scope="module")
def case():
    return exams(phantom_anatomy("1"), "a", IMAGES, 1, held_out=False)


class Watched(dict):
    """A bank that remembers what was asked of it."""

    def __init__(self, *cases):
        super().__init__(*cases)
        self.asked = set()

    def __getitem__(self, name):
        self.asked.add(name)
        return super().__getitem__(name)


def test_other_anatomies_are_never_looked_at(case):
    bank = Watched({"a": case, "b": case, "c": case})
    sampler = Labelled(bank, ["a", "b"], IMAGES)
    draw = draws()
    for _ in range(20):
        sampler.pair(draw)
    sampler.weights()
    sampler.label_maps()
    assert bank.asked == {"a", "b"}


def test_a_mirrored_window_swaps_sides():
    left, right = (by_key()[f"red_nucleus_{side}"].index for side in ("left", "right"))
    shape = tuple(n + 2 for n in IMAGES.window)
    labels = torch.zeros(1, *shape, dtype=torch.uint8)
    labels[0, : shape[0] // 2] = left
    planes = torch.zeros(1, 6, *shape, dtype=torch.uint8)
    planes[0, :, : shape[0] // 2] = 200
    seen = set()
    for seed in range(12):
        exam, found = window(
            draws(seed), {"images": planes, "labels": labels}, 0, IMAGES, mirror_table()
        )
        bright = exam["t1"] > 0.5
        seen.update(found.unique().tolist())
        assert (found[bright] > 0).all()
        assert (found[~bright] == 0).all()
        assert bool(bright[0].all()) == bool((found[bright] == left).all())
    assert seen == {0, left, right}


def test_a_pair_is_what_the_network_takes(case):
    planes, classes = Labelled({"a": case}, ["a"], IMAGES).batch(draws(), 2)
    assert planes.shape == (2, 6, *IMAGES.window)
    assert classes.shape == (2, 1, *IMAGES.window)
    assert planes.dtype == torch.float32
    assert classes.dtype == torch.int64
    assert classes.max() < len(by_key()) + 1


def test_missing_modalities_are_zero_and_the_t1_never_is(case):
    exam, _ = window(None, case, 0, IMAGES, mirror_table())
    planes = channels(exam, ("t1", "md"))
    assert planes[0].any()
    assert not planes[1].any()
    assert planes[2].any()
    assert not planes[3:].any()


@pytest.mark.parametrize("strong", [False, True])
def test_another_contrast_keeps_emptiness_and_order(case, strong):
    exam, _ = window(None, case, 0, IMAGES, mirror_table())
    changed = contrasted(draws(3), exam, strong)
    assert not torch.equal(changed["t1"], exam["t1"])
    assert not changed["fa"][exam["fa"] == 0].any()
    inside = exam["t1"] > 0
    pair = torch.stack([exam["t1"][inside], changed["t1"][inside]])
    assert torch.corrcoef(pair)[0, 1] > 0.5


def test_rare_classes_weigh_more(case):
    weights = torch.tensor(Labelled({"a": case}, ["a"], IMAGES).weights())
    count = torch.bincount(channel_table()[case["labels"].long()].ravel(), minlength=len(weights))
    assert weights.mean() == pytest.approx(1)
    assert weights[0] == weights.min()
    assert weights[count.argmin()] == weights.max()
