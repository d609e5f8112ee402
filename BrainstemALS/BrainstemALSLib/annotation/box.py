"""The part of an exam that is stored: a box around the brainstem, which shows no face.

A face can be recognised in a head MR, so that a whole T1 is never anonymous. The store keeps what
lies within ``MARGIN_MM`` of the labels and no more: the pons is a hand's breadth from the skin.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..imaging.geometry import crop, resample
from ..imaging.maps_on_grid import directions_on_grid
from ..imaging.volume import Volume

# Enough for the network's window of 64 x 80 x 96 mm around a brainstem of 45 x 45 x 75 mm.
MARGIN_MM = 16.0


@dataclass(frozen=True, eq=False)
class BoxGrid:
    """Where a box of voxels lies in the whole T1.

    Attributes
    ----------
    shape : tuple of 3 int
        Voxels of the whole T1.
    affine : numpy.ndarray, shape (4, 4)
        Voxel index of the whole T1 to RAS millimetres, in double precision.
    offset : tuple of 3 int
        Voxel of the whole T1 that is the first one of the box.
    """

    shape: tuple[int, int, int]
    affine: np.ndarray
    offset: tuple[int, int, int]

    def __post_init__(self) -> None:
        """Take sequences and numpy numbers, keep plain ones; ValueError for what is no grid."""
        shape, offset = (tuple(int(n) for n in values) for values in (self.shape, self.offset))
        affine = np.array(self.affine, dtype=float)
        if len(shape) != 3 or len(offset) != 3 or affine.shape != (4, 4):
            raise ValueError("a grid has three axes and a 4 x 4 affine")
        if not np.isfinite(affine).all() or min(shape) < 1 or min(offset) < 0:
            raise ValueError("a grid has voxels, and its affine is finite")
        for name, value in (("shape", shape), ("offset", offset), ("affine", affine)):
            object.__setattr__(self, name, value)

    @property
    def box_affine(self) -> np.ndarray:
        """Voxel index of the box to RAS millimetres, shape (4, 4)."""
        affine = self.affine.copy()
        affine[:3, 3] += affine[:3, :3] @ self.offset
        return affine

    def holds(self, box_shape: tuple[int, ...]) -> bool:
        """Return whether a box of this shape lies wholly in the T1."""
        return len(box_shape) == 3 and all(
            start + size <= whole
            for start, size, whole in zip(self.offset, box_shape, self.shape, strict=True)
        )

    def record(self) -> dict[str, object]:
        """Return the grid as JSON; a double survives the way through its digits exactly."""
        return {
            "shape": list(self.shape),
            "affine": self.affine.tolist(),
            "offset": list(self.offset),
        }


def cut_images(
    grid: BoxGrid,
    box_shape: tuple[int, int, int],
    t1: Volume,
    fa: Volume | None = None,
    md: Volume | None = None,
    v1: Volume | None = None,
) -> dict[str, Volume]:
    """Cut an exam's images to a box, as ``Approval.images`` wants them.

    Parameters
    ----------
    grid : BoxGrid
        Where the box lies in ``t1``.
    box_shape : tuple of 3 int
        Voxels of the box.
    t1 : Volume
        The whole T1.
    fa, md : Volume, optional
        On grids of their own; brought to the T1's, linearly.
    v1 : Volume, optional
        Principal directions (i, j, k, 3) in RAS, on a grid of its own; brought to the T1's by its
        dyads (``maps_on_grid.directions_on_grid``).
    """
    start = np.array(grid.offset)
    images = {"t1": Volume(crop(t1, start, start + box_shape).array, grid.box_affine)}
    for name, volume in (("fa", fa), ("md", md)):
        if volume is not None:
            images[name] = resample(volume, box_shape, grid.box_affine)
    if v1 is not None:
        images["v1"] = directions_on_grid(v1, box_shape, grid.box_affine)
    return images


def brainstem_box(labels: np.ndarray, spacing: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return first voxel and end (excluded) of the box within ``MARGIN_MM`` of the labels.

    Parameters
    ----------
    labels : numpy.ndarray, shape (i, j, k)
        Not all 0.
    spacing : numpy.ndarray, shape (3,)
        Voxel size in millimetres.
    """
    margin = np.ceil(MARGIN_MM / spacing).astype(int)
    start, stop = np.zeros(3, dtype=int), np.array(labels.shape)
    for axis in range(3):
        others = tuple(other for other in range(3) if other != axis)
        found = np.flatnonzero((labels > 0).any(axis=others))
        start[axis] = max(found[0] - margin[axis], 0)
        stop[axis] = min(found[-1] + 1 + margin[axis], labels.shape[axis])
    return start, stop
