"""Neighbours that no anatomy has are found, and cost something."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from BrainstemALSLib.anatomy import load_structures
from BrainstemALSLib.imaging.volume import Volume
from training.adjacency import adjacency_penalty, forbidden_pairs
from training.synthesis import Anatomy

A, B, C = 1, 2, 3  # network classes


@pytest.fixture(scope="module")
def anatomy() -> Anatomy:
    """Three slabs in a row: A touches B, B touches C, A never C."""
    labels = np.zeros((2 * len(load_structures()), 10, 10), np.uint8)
    for n, structure in enumerate(load_structures()):
        labels[2 * n, 0, 0] = structure.index  # every structure has a place, and touches none
    for first, number in ((0, A), (4, B), (8, C)):
        labels[first : first + 4, 4:8, 4:8] = load_structures()[number - 1].index
    return Anatomy.from_volume(Volume(labels, np.eye(4)))


def certain(classes: np.ndarray, count: int) -> torch.Tensor:
    one_hot = torch.nn.functional.one_hot(torch.from_numpy(classes), count)
    return 50.0 * one_hot.movedim(-1, 0)[None].float()


def test_only_pairs_that_never_touch_are_forbidden(anatomy):
    forbidden = forbidden_pairs([anatomy])
    assert forbidden[A, C] == forbidden[C, A] == 1
    assert forbidden[A, B] == forbidden[B, C] == forbidden[A, 0] == 0
    assert not forbidden.diagonal().any()


def test_what_touches_wrongly_costs_and_can_be_unlearned(anatomy):
    forbidden = forbidden_pairs([anatomy])
    count = len(forbidden)
    right, wrong = np.full((8, 8, 8), B), np.full((8, 8, 8), A)
    right[:4], wrong[:4] = A, C
    assert float(adjacency_penalty(certain(right, count), forbidden)) < 1e-6
    penalty = float(adjacency_penalty(certain(wrong, count), forbidden))
    # One plane of 64 pairs of the 448 along one of three axes.
    assert penalty == pytest.approx(64 / 448 / 3, rel=1e-4)
    unsure = torch.zeros(1, count, 6, 6, 6, requires_grad=True)
    adjacency_penalty(unsure, forbidden).backward()
    assert unsure.grad[0, A].mean() > unsure.grad[0, B].mean()
