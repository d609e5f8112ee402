"""The optimiser: a seed is a seed, it learns, and it stops when it cannot."""

import pytest
import torch

from BrainstemALSLib.errors import BrainstemALSError
from training.experiments.fitting import Plan, faded, fit


def line(draw):
    x = draw.normal(8, 1)
    return x, 3 * x + 1


def squared(network, _, draw, __):
    x, y = line(draw)
    return ((network(x) - y) ** 2).mean()


def fitted(steps, seed=1):
    torch.manual_seed(0)
    return fit("a line", torch.nn.Linear(1, 1), squared, Plan(steps, 0.2, seed, 0.9, 1))


def test_it_learns_and_its_average_too():
    result = fitted(150)
    for network in (result.last, result.average):
        assert float(network.weight.detach()) == pytest.approx(3, abs=0.2)
        assert float(network.bias.detach()) == pytest.approx(1, abs=0.2)
    assert not torch.equal(result.last.weight, result.average.weight)


def test_the_same_seed_gives_the_same_weights_and_another_does_not():
    first, again, other = fitted(5).last, fitted(5).last, fitted(5, 2).last
    assert torch.equal(first.weight, again.weight)
    assert not torch.equal(first.weight, other.weight)


def test_a_loss_that_is_no_number_is_refused():
    with pytest.raises(BrainstemALSError, match="step 1"):
        fit(
            "broken", torch.nn.Linear(1, 1), lambda n, *_: n.weight.sum() * torch.nan,
            Plan(2, 0.1, 1),
        )  # fmt: skip


def test_class_weights_fade():
    assert faded((0.25, 4.0), 0.0).tolist() == pytest.approx([0.25, 4.0])
    assert faded((0.25, 4.0), 0.9).tolist() == [1.0, 1.0]
