"""Segmentation by comparison with prototypes: ALPNet in three dimensions and many classes.

After Ouyang et al. 2022, "Self-supervised learning for few-shot medical image segmentation",
doi:10.1109/TMI.2022.3150682: features of the support pooled on a grid where one class fills a cell
(local prototypes), and over each whole foreground class (its global prototype); a voxel of the
query takes the class whose prototypes its features are most like.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch.nn import functional as F

SCALE = 20.0
"""Of the cosine similarity before softmax (Ouyang et al. 2022, section III-C; so in PANet)."""
FILLED = 0.95
"""Share of a cell that a class must fill to give a local prototype (Ouyang et al. 2022)."""
CHUNK = 4096  # voxels of a query that are compared at once, for memory


@dataclass(frozen=True)
class Prototypes:
    """Unit vectors (n, width) and the class of each (n,), int64, in rising order."""

    vectors: torch.Tensor
    classes: torch.Tensor


def prototypes_of(
    features: torch.Tensor, classes: torch.Tensor, count: int, grid: int
) -> Prototypes:
    """Pool the features of one support image.

    Parameters
    ----------
    features : torch.Tensor, shape (width, i, j, k)
        float32.
    classes : torch.Tensor, shape (i, j, k)
        int64, 0 the background.
    count : int
        Classes in all, the background among them.
    grid : int
        Voxels along each side of a cell.

    Returns
    -------
    Prototypes
        Local ones of every class, global ones of the foreground; and a global one of the background
        where it fills no cell.
    """
    masks = F.one_hot(classes, count).movedim(-1, 0).to(features)
    cells = F.avg_pool3d(features[None], grid)[0].flatten(1)
    share = F.avg_pool3d(masks[None], grid)[0].flatten(1)
    owner, cell = torch.nonzero(share >= FILLED, as_tuple=True)
    voxels = masks.flatten(1).sum(1)
    whole = (masks.flatten(1) @ features.flatten(1).T) / voxels.clamp_min(1)[:, None]
    local = torch.bincount(owner, minlength=count)
    there = torch.nonzero((voxels > 0) & ((local == 0) | (torch.arange(count) > 0)))[:, 0]
    vectors = torch.cat([cells[:, cell].T, whole[there]])
    return _sorted(vectors, torch.cat([owner, there]))


def together(parts: list[Prototypes]) -> Prototypes:
    """Return the prototypes of several support images as one set."""
    vectors = torch.cat([part.vectors for part in parts])
    return _sorted(vectors, torch.cat([part.classes for part in parts]))


def _sorted(vectors: torch.Tensor, classes: torch.Tensor) -> Prototypes:
    order = classes.argsort(stable=True)
    return Prototypes(F.normalize(vectors[order].float(), dim=1), classes[order])


def scores(features: torch.Tensor, prototypes: Prototypes, count: int) -> torch.Tensor:
    """Score every class at some voxels.

    A class's score is the mean similarity to its prototypes, weighted by the softmax of the same
    similarities, so that the nearest count.

    Parameters
    ----------
    features : torch.Tensor, shape (width, voxels)
    prototypes : Prototypes
    count : int
        Classes in all.

    Returns
    -------
    torch.Tensor, shape (count, voxels)
        Logits; -``SCALE`` for a class without prototypes.
    """
    similarity = SCALE * (prototypes.vectors @ F.normalize(features.float(), dim=0))
    sizes = torch.bincount(prototypes.classes, minlength=count).tolist()
    rows = [
        (part.softmax(0) * part).sum(0) if len(part) else torch.full_like(similarity[0], -SCALE)
        for part in similarity.split(sizes)
    ]
    return torch.stack(rows)


def segment(features: torch.Tensor, prototypes: Prototypes, count: int) -> torch.Tensor:
    """Return the best class of every voxel, int64 (i, j, k), of features (width, i, j, k)."""
    flat = features.flatten(1)
    best = [scores(part, prototypes, count).argmax(0) for part in flat.split(CHUNK, 1)]
    return torch.cat(best).reshape(features.shape[1:])
