"""Which structures touch in any training anatomy, and a penalty for neighbours that never do.

A prior on topology that costs little: of every pair of face neighbours in a random block the
probability is taken that their classes are a pair seen in no anatomy (an adjacency prior in the
manner of Ganaye et al. 2019, "Removing segmentation inconsistencies with semi-supervised
non-adjacency constraint", doi:10.1016/j.media.2019.101551).
"""

from __future__ import annotations

from collections.abc import Iterable

import torch

from .synthesis import Anatomy, channel_table

BLOCK = 32
"""Voxels along each side of the block that is looked at in a step (our own choice)."""
WEIGHT = 1.0
"""Of the penalty, a probability, beside the loss (our own choice)."""


def forbidden_pairs(anatomies: Iterable[Anatomy]) -> torch.Tensor:
    """Return which network classes are face neighbours in none of the anatomies.

    Returns
    -------
    torch.Tensor, shape (classes, classes)
        float32, 1 for a pair that is never seen; symmetric, 0 on the diagonal. A class that is in
        no anatomy has no forbidden neighbour.
    """
    table = channel_table()
    count = int(table.max()) + 1
    seen = torch.zeros(count * count, dtype=torch.bool)
    for anatomy in anatomies:
        classes = table[anatomy.labels.long()]
        for axis in range(3):
            length = classes.shape[axis] - 1
            pairs = classes.narrow(axis, 0, length) * count + classes.narrow(axis, 1, length)
            seen[pairs.unique()] = True
    seen = seen.reshape(count, count)
    seen |= seen.T.clone()
    present = seen.diagonal()
    return (~seen & present[:, None] & present).float()


def adjacency_penalty(
    logits: torch.Tensor, forbidden: torch.Tensor, generator: torch.Generator | None = None
) -> torch.Tensor:
    """Return the mean probability of forbidden neighbours in a random block.

    Parameters
    ----------
    logits : torch.Tensor, shape (n, c, i, j, k)
    forbidden : torch.Tensor, shape (c, c)
        As ``forbidden_pairs`` returns it.
    generator : torch.Generator, optional
        Of the place of the block.

    Returns
    -------
    torch.Tensor
        float32 scalar, 0-1.
    """
    block = logits
    for axis in (2, 3, 4):
        size = min(BLOCK, logits.shape[axis])
        first = int(torch.randint(logits.shape[axis] - size + 1, (), generator=generator))
        block = block.narrow(axis, first, size)
    probability = block.float().softmax(1)
    against = torch.einsum("cd,ndijk->ncijk", forbidden, probability)
    total = probability.new_zeros(())
    for axis in (2, 3, 4):
        length = block.shape[axis] - 1
        ahead, behind = against.narrow(axis, 1, length), probability.narrow(axis, 0, length)
        total = total + (ahead * behind).sum(1).mean()
    return total / 3
