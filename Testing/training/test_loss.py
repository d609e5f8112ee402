"""The one-pass loss is MONAI's Dice + cross-entropy, in value and in gradient."""

from __future__ import annotations

import pytest
import torch
from monai.losses import DiceCELoss

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


def test_takes_half_precision():
    """The gradient comes back in the type of the logits."""
    logits = torch.randn(1, 3, 4, 4, 4).bfloat16().requires_grad_()
    loss = dice_cross_entropy(logits, torch.randint(0, 3, (1, 1, 4, 4, 4)))
    loss.backward()
    assert loss.dtype == torch.float32
    assert logits.grad.dtype == torch.bfloat16
    assert bool(logits.grad.isfinite().all())
