"""A window is drawn once and seen twice, the second time as another person's mirror image."""

from __future__ import annotations

import torch

from BrainstemALSLib.anatomy import by_key, load_structures
from training.samples import CaseSampler, MirroredTwice, mirrored
from training.smoke import phantom_anatomy

KEYS = tuple(structure.key for structure in load_structures())


def test_left_becomes_right_and_back_again():
    channels, classes = CaseSampler(["1"], phantom_anatomy)(3)
    turned, other = mirrored(channels, classes)
    left = 1 + KEYS.index("red_nucleus_left")
    right = 1 + KEYS.index(by_key()["red_nucleus_left"].mirror_key)
    assert torch.equal(other == right, (classes == left).flip(0)), "left is called right"
    assert torch.equal(turned[0], channels[0].flip(0)), "the T1 is turned with it"
    again, classes_again = mirrored(turned, other)
    assert torch.equal(again, channels)
    assert torch.equal(classes_again, classes)


def test_a_window_is_drawn_once_for_two_numbers():
    drawn = []

    def draw(number: int) -> tuple[torch.Tensor, torch.Tensor]:
        drawn.append(number)
        return torch.full((1, 2, 2, 2), float(number)), torch.zeros(2, 2, 2, dtype=torch.long)

    twice = MirroredTwice(draw)
    values = [float(twice(number)[0].mean()) for number in range(6)]
    assert values == [0, 0, 1, 1, 2, 2]
    assert drawn == [0, 1, 2]


def test_a_resumed_run_sees_the_same_second_half():
    sampler = CaseSampler(["1", "2"], phantom_anatomy)
    whole, resumed = MirroredTwice(sampler), MirroredTwice(sampler)
    whole(4)
    assert torch.equal(whole(5)[0], resumed(5)[0])
