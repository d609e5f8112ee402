"""What the structure network is trained on: Dice + cross-entropy, and the priors beside them."""

from __future__ import annotations

from collections.abc import Callable, Iterable

import torch

from .adjacency import WEIGHT, adjacency_penalty, forbidden_pairs
from .hierarchy import levels
from .loss import dice_cross_entropy
from .synthesis import Anatomy

Objective = Callable[[torch.Tensor, torch.Tensor, torch.Tensor | None], torch.Tensor]
"""Logits (n, c, i, j, k), truth (n, 1, i, j, k) and class weights (c,) or None to a scalar."""
PRIORS = ("hierarchy", "adjacency")


def objective(priors: Iterable[str] = PRIORS, anatomies: Iterable[Anatomy] = ()) -> Objective:
    """Return the loss of a run.

    Parameters
    ----------
    priors : iterable of str
        ``hierarchy``: regions and tissues are scored beside structures (``training.hierarchy``);
        ``adjacency``: neighbours that no anatomy has cost (``training.adjacency``).
    anatomies : iterable of Anatomy
        What ``adjacency`` learns which neighbours there are from; training anatomies only.

    Raises
    ------
    ValueError
        A prior of another name.
    """
    chosen = set(priors)
    if not chosen <= set(PRIORS):
        raise ValueError(f"no such prior: {', '.join(sorted(chosen - set(PRIORS)))}")
    coarser = levels() if "hierarchy" in chosen else ()
    forbidden = forbidden_pairs(anatomies) if "adjacency" in chosen else None

    def loss(
        logits: torch.Tensor, truth: torch.Tensor, weight: torch.Tensor | None = None
    ) -> torch.Tensor:
        total = dice_cross_entropy(logits, truth, weight, coarser)
        if forbidden is not None:
            total = total + WEIGHT * adjacency_penalty(logits, forbidden.to(logits.device))
        return total

    return loss
