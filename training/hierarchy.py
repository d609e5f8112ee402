"""Coarser classes above the structures: tissues of a region, and regions.

A voxel of the red nucleus that is called substantia nigra is less wrong than one that is called
pons. The loss says so when every level is scored: region, tissue within a region, structure
(hierarchical loss over a label tree, in the manner of Bertinetto et al. 2020, "Making better
mistakes", doi:10.1109/CVPR42600.2020.01252).
"""

from __future__ import annotations

from functools import lru_cache

import torch

from BrainstemALSLib.anatomy import load_structures

REGION_WEIGHT, TISSUE_WEIGHT = 0.25, 0.25
"""Of the coarser levels beside 1 of the structures (our own choice)."""


@lru_cache(maxsize=1)
def levels() -> tuple[tuple[torch.Tensor, float], ...]:
    """Return the coarser levels, the finer first.

    Returns
    -------
    tuple of (torch.Tensor, float)
        int64 (classes,), network class to group, 0 for the background; and the level's weight.
    """
    structures = load_structures()
    tissues = [(s.parent, s.tissue) for s in structures]
    regions = [s.parent for s in structures]
    return (_grouped(tissues), TISSUE_WEIGHT), (_grouped(regions), REGION_WEIGHT)


def _grouped(names: list) -> torch.Tensor:
    numbers = {name: n for n, name in enumerate(dict.fromkeys(names), start=1)}
    return torch.tensor([0, *(numbers[name] for name in names)])
