"""The priors beside the loss: what they ask for, and that they are told apart by name."""

from __future__ import annotations

import pytest
import torch

from BrainstemALSLib.anatomy import load_structures
from training.loss import dice_cross_entropy
from training.objective import objective
from training.smoke import phantom_anatomy

KEYS = [structure.key for structure in load_structures()]


def _case(called: str, truth: str = "red_nucleus_left") -> tuple[torch.Tensor, torch.Tensor]:
    """Logits that call everything one structure, and a truth that is another."""
    logits = torch.zeros(1, 1 + len(KEYS), 4, 4, 4)
    logits[:, 1 + KEYS.index(called)] = 15.0
    return logits, torch.full((1, 1, 4, 4, 4), 1 + KEYS.index(truth))


def test_without_priors_it_is_the_plain_loss():
    logits, truth = _case("pyramid_left")
    assert torch.equal(objective(())(logits, truth, None), dice_cross_entropy(logits, truth))


def test_a_neighbour_in_the_same_region_is_the_smaller_mistake():
    with_levels = objective(["hierarchy"])
    near = with_levels(*_case("substantia_nigra_left"), None)
    far = with_levels(*_case("pyramid_left"), None)
    plain = objective(())
    assert torch.isclose(plain(*_case("substantia_nigra_left"), None),
                         plain(*_case("pyramid_left"), None), atol=1e-4)  # fmt: skip
    assert near < far - 0.1


def test_neighbours_that_no_anatomy_has_cost():
    anatomy = phantom_anatomy("1")
    with_neighbours, plain = objective(["adjacency"], [anatomy]), objective(())
    logits, truth = _case("red_nucleus_left")
    assert torch.isclose(
        with_neighbours(logits, truth, None), plain(logits, truth, None), atol=1e-2
    )
    logits[:, :, 2:] = _case("pyramid_left")[0][:, :, 2:]  # midbrain beside medulla
    extra = with_neighbours(logits, truth, None) - plain(logits, truth, None)
    assert extra > 0.05


def test_an_unknown_prior_is_named():
    with pytest.raises(ValueError, match="topology"):
        objective(["topology"])
