"""The loss of fine-tuning: the expert's labels where somebody vouches, the old model elsewhere.

Every known voxel counts alike. Scored by themselves, the voxels that an expert changed teach
nothing but "it is never what you say": all of them are errors of the old model. In a trial with the
real network, that spoilt corrected structures and the others (docs/results/tuning.md has what the
loss below does).
"""

from __future__ import annotations

from collections.abc import Callable

import torch

from ..loss import dice_cross_entropy
from .finetune_data import Window


def lesson_loss(
    logits: torch.Tensor, window: Window, old: Callable[[], torch.Tensor] | None = None
) -> torch.Tensor:
    """Dice + cross-entropy over the voxels that are known.

    Where nobody vouches for a label, the target are the probabilities that the old model gives
    (Li & Hoiem 2017, Learning without Forgetting, doi:10.1109/TPAMI.2017.2773081, with a
    temperature of 1): the label that lies there does not train.

    Parameters
    ----------
    logits : torch.Tensor, shape (1, classes, i, j, k)
    window : Window
        On the same device.
    old : callable, optional
        Returns the old model's logits, of the same shape; asked only where it is needed. Without
        it, voxels that nobody vouches for are not there.

    Returns
    -------
    torch.Tensor
        float32 scalar; 0, with a gradient of 0, where nothing is known.
    """
    vouched = window.vouched
    if vouched is None or bool(vouched.all()):
        return dice_cross_entropy(logits, window.classes[None, None])
    known = vouched if old is None else _shown(window)
    if not bool(known.any()):
        return logits.float().sum() * 0.0
    picked = logits[0][:, known][None, ..., None, None]
    classes, sure = window.classes[known], vouched[known]
    if bool(sure.all()):
        return dice_cross_entropy(picked, classes[None, None, :, None, None])
    assert old is not None
    target = old()[0][:, known].float().softmax(0)
    own = torch.nn.functional.one_hot(classes, len(target)).T.to(target)
    target = torch.where(sure, own, target)
    return _soft_loss()(picked.float(), target[None, ..., None, None])


def _shown(window: Window) -> torch.Tensor:
    """Where the image is known, or somebody vouches all the same: bool (i, j, k)."""
    assert window.vouched is not None
    if window.shown is None:
        return torch.ones_like(window.vouched)
    return window.shown | window.vouched


def _soft_loss() -> torch.nn.Module:
    """The loss of ``training.loss`` for targets that are probabilities."""
    from monai.losses import DiceCELoss

    return DiceCELoss(include_background=False, softmax=True, batch=True)
