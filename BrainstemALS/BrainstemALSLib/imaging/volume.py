"""A volume: an array and where it lies in the patient."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True, eq=False)
class Volume:
    """Image in the patient's space.

    Attributes
    ----------
    array : numpy.ndarray, shape (i, j, k)
        Voxel values; float32 for images, unsigned integers for label maps.
    affine : numpy.ndarray, shape (4, 4)
        Voxel index (i, j, k, 1) to RAS millimetres.
    """

    array: np.ndarray
    affine: np.ndarray

    @property
    def spacing(self) -> np.ndarray:
        """Voxel size in millimetres along (i, j, k)."""
        return np.linalg.norm(self.affine[:3, :3], axis=0)

    @property
    def voxel_volume(self) -> float:
        """Volume of a voxel in cubic millimetres."""
        return float(abs(np.linalg.det(self.affine[:3, :3])))

    @property
    def shape(self) -> tuple[int, int, int]:
        """Number of voxels along (i, j, k)."""
        return self.array.shape
