"""The locator sees exams with a brainstem, parts of a head without one, and no head at all."""

from __future__ import annotations

import torch

from training.locator import LocatorSampler
from training.networks import LOCATOR_CLASSES
from training.smoke import phantom_anatomy


def test_most_samples_hold_a_brainstem_and_some_do_not():
    sampler = LocatorSampler(["1", "2"], phantom_anatomy)
    samples = [sampler(number) for number in range(80)]
    assert all(bool(image.isfinite().all()) for image, _ in samples)
    stem = LOCATOR_CLASSES.index("brainstem")
    with_stem = [bool((target == stem).any()) for _, target in samples]
    assert 0.6 < sum(with_stem) / len(with_stem) < 1.0
    assert any(not bool(target.any()) for _, target in samples)


def test_the_same_number_is_the_same_sample():
    sampler = LocatorSampler(["1", "2"], phantom_anatomy)
    for number in range(6):
        first, again = sampler(number), sampler(number)
        assert torch.equal(first[0], again[0])
        assert torch.equal(first[1], again[1])
