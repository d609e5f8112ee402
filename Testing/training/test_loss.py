"""The one-pass loss is MONAI's Dice + cross-entropy, in value and in gradient."""

from __future__ import annotations

import pytest
import torch
from monai.losses import DiceCELoss

from training.hierarchy import levels
from training.loss import dice_cross_entropy


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("present", [2, 6])
def test_equals_monai(weighted, present):
    """Also where classes are missing from the truth."""
    generator = torch.Generator().manual_seed(5)
    logits = 3 * torch.randn(2, 6, 5, 4, 3, generator=generator)
    truth = torch.randint(0, present, (2, 1, 5, 4, 3), generator=generator)
    weight = torch.rand(6, generator=generator) + 0.5 if weighted else None
    ours, theirs = logits.clone().requires_grad_(), logits.clone().requires_grad_()
    reference = DiceCELoss(
        include_background=False, to_onehot_y=True, softmax=True, batch=True, weight=weight
    )
    found, wanted = dice_cross_entropy(ours, truth, weight), reference(theirs, truth)
    (2 * found).backward()
    (2 * wanted).backward()
    torch.testing.assert_close(found, wanted)
    torch.testing.assert_close(ours.grad, theirs.grad, rtol=1e-4, atol=1e-7)


def test_coarser_levels_are_the_same_loss_on_sums_of_probabilities():
    """Against autograd on MONAI's loss of the grouped probabilities."""
    generator = torch.Generator().manual_seed(3)
    logits = 2 * torch.randn(2, 6, 4, 3, 5, generator=generator, dtype=torch.float64)
    truth = torch.randint(0, 6, (2, 1, 4, 3, 5), generator=generator)
    group = torch.tensor([0, 1, 1, 2, 2, 3])
    ours, theirs = (logits.float().requires_grad_() for _ in range(2))
    found = dice_cross_entropy(ours, truth, levels=[(group, 0.4)])
    members = torch.nn.functional.one_hot(group, 4).T.float()
    together = torch.einsum("gc,ncijk->ngijk", members, theirs.softmax(1))
    # The softmax of the logarithm of probabilities is the probabilities.
    coarse = dice_cross_entropy(together.log(), group[truth])
    wanted = dice_cross_entropy(theirs, truth) + 0.4 * coarse
    found.backward()
    wanted.backward()
    torch.testing.assert_close(found, wanted)
    torch.testing.assert_close(ours.grad, theirs.grad, rtol=1e-3, atol=1e-6)


def test_the_levels_of_the_table_nest():
    """A tissue group lies in one region, and the background is alone."""
    (tissue, _), (region, _) = levels()
    for number in tissue.unique():
        assert len(region[tissue == number].unique()) == 1
    assert int((tissue == 0).sum()) == int((region == 0).sum()) == 1
    assert len(tissue.unique()) > len(region.unique()) > 3


def test_takes_half_precision():
    """The gradient comes back in the type of the logits."""
    logits = torch.randn(1, 3, 4, 4, 4).bfloat16().requires_grad_()
    loss = dice_cross_entropy(logits, torch.randint(0, 3, (1, 1, 4, 4, 4)))
    loss.backward()
    assert loss.dtype == torch.float32
    assert logits.grad.dtype == torch.bfloat16
    assert bool(logits.grad.isfinite().all())
