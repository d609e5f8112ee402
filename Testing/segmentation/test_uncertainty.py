"""Entropy and confidence against closed forms."""

from __future__ import annotations

import math

import numpy as np
import pytest

from BrainstemALSLib.segmentation.uncertainty import EntropyAccumulator, confidence


@pytest.mark.parametrize("classes", [2, 5, 45])
def test_entropy_is_one_when_nothing_is_known_and_zero_when_all_is(classes):
    entropy = EntropyAccumulator((2, 1, 1), classes)
    for number in range(classes):
        sure = 1.0 if number == 0 else 0.0
        entropy.add(np.array([1 / classes, sure], np.float32).reshape(2, 1, 1))
    assert entropy.result.ravel() == pytest.approx([1.0, 0.0], abs=1e-4)


def test_entropy_of_a_coin_among_four_classes():
    entropy = EntropyAccumulator((1, 1, 1), 4)
    for p in (0.5, 0.5, 0.0, 0.0):
        entropy.add(np.full((1, 1, 1), p, np.float32))
    assert float(entropy.result[0, 0, 0]) == pytest.approx(math.log(2) / math.log(4), abs=1e-4)


def test_confidence_is_the_mean_over_the_structure_and_nan_without_one():
    labels = np.array([3, 3, 5], np.uint8)
    best = np.array([0.6, 0.8, 0.1], np.float32)
    assert confidence(best, labels, 3) == pytest.approx(0.7)
    assert math.isnan(confidence(best, labels, 4))
