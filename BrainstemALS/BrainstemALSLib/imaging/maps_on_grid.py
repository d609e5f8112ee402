"""Diffusion maps on the grid of another image, directions included."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from .geometry import resample
from .volume import Volume

# Elements of a symmetric 3 x 3 matrix that say it all.
_ROWS, _COLUMNS = np.triu_indices(3)


def scalars_on_grid(
    maps: Mapping[str, Volume], shape: Sequence[int], affine: np.ndarray
) -> dict[str, Volume]:
    """Return scalar maps on a grid, interpolated linearly; 0 outside of what they show."""
    return {name: resample(volume, shape, affine) for name, volume in maps.items()}


def directions_on_grid(v1: Volume, shape: Sequence[int], affine: np.ndarray) -> Volume:
    """Return principal directions on a grid.

    Directions have no sign, so that neighbours may cancel when they are averaged as vectors. Their
    dyads ``v v^T`` have none either, and are what is interpolated; the main axis of the result is
    the direction (Basser & Pajevic, Magn Reson Med 2000;44:41,
    doi:10.1002/1522-2594(200007)44:1<41::AID-MRM8>3.0.CO;2-O).

    Parameters
    ----------
    v1 : Volume
        Shape (i, j, k, 3), RAS, unit length or 0.
    shape : sequence of 3 int
    affine : array_like, shape (4, 4)
        Voxel index to RAS mm of the grid.

    Returns
    -------
    Volume
        float32, unit length, RAS, of either sign; 0 where ``v1`` shows nothing.
    """
    dyads = (v1.array[..., _ROWS] * v1.array[..., _COLUMNS]).astype(np.float32)
    # Smoothing for a coarser grid is right for dyads as it is for a scalar.
    placed = resample(Volume(dyads, v1.affine), shape, affine).array
    # The trace of a dyad of a unit vector is 1: what is below a half lies mostly outside.
    there = placed[..., _ROWS == _COLUMNS].sum(axis=-1) > 0.5
    directions = np.zeros((*placed.shape[:3], 3), np.float32)
    directions[there] = np.linalg.eigh(_full(placed[there]))[1][..., 2]
    return Volume(directions, np.asarray(affine, dtype=float))


def _full(elements: np.ndarray) -> np.ndarray:
    matrix = np.empty((*elements.shape[:-1], 3, 3), elements.dtype)
    matrix[..., _ROWS, _COLUMNS] = elements
    matrix[..., _COLUMNS, _ROWS] = elements
    return matrix
