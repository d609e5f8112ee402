"""Voxel-wise entropy and per-structure confidence."""

from __future__ import annotations

import numpy as np


class EntropyAccumulator:
    """Adds up Shannon entropy class by class, so that no array of all classes is ever needed.

    Parameters
    ----------
    shape : tuple of int
        Voxels (i, j, k).
    classes : int
        Number of classes including background; the result is divided by its logarithm.
    """

    def __init__(self, shape: tuple[int, ...], classes: int):
        self._sum = np.zeros(shape, np.float32)
        self._scale = 1.0 / np.log(classes)

    def add(self, probability: np.ndarray) -> None:
        """Add one class, float (i, j, k)."""
        p = np.clip(probability, 1e-7, 1.0, dtype=np.float32)
        self._sum -= p * np.log(p)

    @property
    def result(self) -> np.ndarray:
        """Entropy 0-1, float32 (i, j, k)."""
        return np.clip(self._sum * self._scale, 0.0, 1.0)


def confidence(best: np.ndarray, labels: np.ndarray, index: int) -> float:
    """Mean probability of a structure over the voxels labelled so.

    Parameters
    ----------
    best : numpy.ndarray
        Probability of the winning class, (i, j, k).
    labels : numpy.ndarray
        Winning label, (i, j, k).
    index : int
        Label of the structure.

    Returns
    -------
    float
        0-1; NaN where no voxel has the label.
    """
    voxels = best[labels == index]
    return float(voxels.mean()) if voxels.size else float("nan")
