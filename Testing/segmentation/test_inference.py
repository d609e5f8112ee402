"""One box through a network: as it is, with its mirror image, and with a temperature."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from BrainstemALSLib.imaging.exam import Exam
from BrainstemALSLib.imaging.volume import Volume
from BrainstemALSLib.segmentation.inference import BoxRun, infer_box, mirror_channels
from BrainstemALSLib.segmentation.preprocess import WINDOW_MM

KEYS = ("pyramid_left", "pyramid_right", "dorsal_raphe")


class Sided(torch.nn.Module):
    """Sees the left pyramid where the image is bright on the left, as sure as ``gain`` says."""

    def __init__(self, gain: float = 1.0):
        super().__init__()
        self.gain = gain

    def forward(self, channels: torch.Tensor) -> torch.Tensor:
        bright = channels[:, :1]
        left = torch.linspace(1, -1, channels.shape[2]).reshape(1, 1, -1, 1, 1)
        return self.gain * torch.cat(
            [-bright, bright * left, -0.5 * bright * left + 0.1, 0 * bright + 0.3], 1
        )


class Lopsided(Sided):
    """Is surer of the left of its window than of the right, as a network may be by mistake."""

    def forward(self, channels: torch.Tensor) -> torch.Tensor:
        logits = super().forward(channels)
        logits[:, 1, : logits.shape[2] // 2] += 4
        return logits


@pytest.fixture(scope="module")
def exam() -> Exam:
    rng = np.random.default_rng(5)
    affine = np.eye(4)
    affine[:3, 3] = [-35, -42, -50]
    return Exam(t1=Volume(rng.gamma(3, 30, (70, 84, 100)).astype(np.float32), affine))


def run(exam: Exam, network: torch.nn.Module, **settings) -> np.ndarray:
    return infer_box(network, exam, np.zeros(3), ("t1",), ("t1",), KEYS, "cpu", **settings).array


def test_logits_are_averaged_then_divided_then_made_probabilities(exam):
    network = Lopsided()
    window = BoxRun(network, exam, np.zeros(3), ("t1",), ("t1",), "cpu").window
    plain = network(window)
    other = network(window.flip(2)).flip(2)[:, mirror_channels(KEYS)]
    wanted = ((plain + other) / 2 / 1.7).softmax(1)
    found = torch.from_numpy(run(exam, network, flip=True, temperature=1.7)).movedim(-1, 0)[None]
    assert found.shape == (1, 4, *WINDOW_MM)
    # bfloat16, where the processor has it, keeps three digits.
    torch.testing.assert_close(found, wanted, atol=0.02, rtol=0)
    for wrong in (
        (plain / 1.7).softmax(1),  # not mirrored
        0.5 * ((plain / 1.7).softmax(1) + (other / 1.7).softmax(1)),  # probabilities averaged
        0.5 * ((plain + other) / 2).softmax(1),  # no temperature
    ):
        assert (wrong - wanted).abs().max() > 0.05


def test_a_temperature_takes_back_what_made_logits_larger(exam):
    sharp = run(exam, Sided(gain=3.0), flip=True, temperature=3.0)
    np.testing.assert_allclose(sharp, run(exam, Sided(), flip=True), atol=0.02)


def test_the_most_likely_class_is_the_same_at_any_temperature(exam):
    once, hot = (run(exam, Sided(), flip=True, temperature=t) for t in (1.0, 5.0))
    assert np.array_equal(once.argmax(-1), hot.argmax(-1))
    assert hot.max(-1).mean() < once.max(-1).mean()
