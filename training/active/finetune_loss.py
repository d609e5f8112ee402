"""The loss of fine-tuning: the expert's labels where somebody vouches, the old model elsewhere."""

from __future__ import annotations

import torch
from torch.nn import functional as F

from ..loss import dice_cross_entropy
from .finetune_data import Window

TEMPERATURE = 2.0
"""Of the old model's answers (Li & Hoiem 2017, Learning without Forgetting,
doi:10.1109/TPAMI.2017.2773081, section 3)."""
DISTILLED = 0.25
"""Weight of what the old model says beside what experts vouch for; own choice. Li & Hoiem take 1,
where nothing else keeps what was learned; here replayed exams do too."""


def vouched_loss(logits: torch.Tensor, window: Window) -> torch.Tensor:
    """Dice + cross-entropy over the voxels that somebody vouches for; the others are not there.

    Parameters
    ----------
    logits : torch.Tensor, shape (1, classes, i, j, k)
    window : Window
        On the same device.

    Returns
    -------
    torch.Tensor
        float32 scalar; 0, with a gradient of 0, where nobody vouches for anything.
    """
    classes = window.classes
    if window.vouched is not None:
        if not bool(window.vouched.any()):
            return logits.float().sum() * 0.0
        logits = logits[0][:, window.vouched][None, ..., None, None]
        classes = classes[window.vouched][:, None, None]
    return dice_cross_entropy(logits, classes[None, None])


def doubtful(window: Window) -> torch.Tensor | None:
    """Where the image is known and nobody vouches: bool (i, j, k), None where that is nowhere."""
    if window.vouched is None:
        return None
    where = ~window.vouched if window.shown is None else window.shown & ~window.vouched
    return where if bool(where.any()) else None


def distillation(logits: torch.Tensor, old: torch.Tensor, where: torch.Tensor) -> torch.Tensor:
    """How far the answers are from those of the old model, mean over voxels.

    Parameters
    ----------
    logits, old : torch.Tensor, shape (1, classes, i, j, k)
        Of the network that learns and of the old one.
    where : torch.Tensor, shape (i, j, k)
        bool.

    Returns
    -------
    torch.Tensor
        Kullback-Leibler divergence at ``TEMPERATURE``, scaled by its square so that its gradient
        does not depend on it (Hinton et al. 2015, arXiv:1503.02531).
    """
    new, before = (part[0][:, where].T.float() / TEMPERATURE for part in (logits, old))
    divergence = F.kl_div(
        new.log_softmax(1), before.log_softmax(1), reduction="batchmean", log_target=True
    )
    return TEMPERATURE**2 * divergence
