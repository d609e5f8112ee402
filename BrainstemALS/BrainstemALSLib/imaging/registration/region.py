"""The part of the head that registration is judged by: the brainstem and its surroundings."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from ..geometry import box_around, resample, shrunk
from ..volume import Volume

REGION_MM = (64.0, 80.0, 96.0)
"""Right-left, back-front, bottom-top: the box that the structure network sees."""
WHOLE_HEAD_MM = (160.0, 190.0, 160.0)
"""Box in place of it where nobody knows where the brainstem is; an adult head's size."""
CONTEXT_MM = (90.0, 110.0, 110.0)
"""Box around the brainstem by which maps are moved: with cerebellum and temporal lobes the movement
is less at the mercy of the fluid around the brainstem. Measured on simulated heads, as the mean
error by b0: 0.3-0.6 mm with it, 0.3-0.9 mm with ``REGION_MM`` alone."""
BRAINSTEM_GRID_MM, HEAD_GRID_MM = 2.0, 3.0
"""Grid on which the one or the other is compared, some 150 000 voxels. Our own choice."""
# Half axes of an ellipsoid inside an adult brainstem: about 30 mm wide and 70 mm long (our own
# choice, smaller than the brainstem, so that fluid outside a brain mask does not count as missing).
STEM_HALF_MM = (11.0, 11.0, 28.0)


@dataclass(frozen=True, eq=False)
class Region:
    """Box in the T1's space.

    Attributes
    ----------
    centre : numpy.ndarray, shape (3,)
        RAS mm.
    size_mm : tuple of float
        Along right-left, back-front, bottom-top.
    is_brainstem : bool
        False where the whole head stands in for it.
    """

    centre: np.ndarray
    size_mm: tuple[float, float, float]
    is_brainstem: bool

    @property
    def grid_mm(self) -> float:
        """Voxel size at which it is compared."""
        return BRAINSTEM_GRID_MM if self.is_brainstem else HEAD_GRID_MM

    @property
    def context(self) -> Region:
        """The larger box by which maps are moved."""
        return replace(self, size_mm=CONTEXT_MM) if self.is_brainstem else self

    def grid(self, spacing: float, margin_mm: float = 0.0) -> tuple[tuple[int, ...], np.ndarray]:
        """Shape and affine of a RAS grid over the box, wider by a margin on every side."""
        # The margin in whole voxels, so that the grids with and without it share theirs.
        margin = round(margin_mm / spacing)
        shape = tuple(round(size / spacing) + 2 * margin for size in self.size_mm)
        return shape, box_around(self.centre, shape, spacing)

    def sample(self, volume: Volume, spacing: float, margin_mm: float = 0.0) -> Volume:
        """Resample a volume to ``grid``; 0 where it does not reach."""
        return resample(shrunk(volume, spacing), *self.grid(spacing, margin_mm))


def region_around(centre: np.ndarray | None, t1: Volume) -> Region:
    """Return the region around the brainstem's centre, or the head where that is None."""
    if centre is not None:
        return Region(np.asarray(centre, float), REGION_MM, True)
    return Region(middle_of(t1), WHOLE_HEAD_MM, False)


def middle_of(volume: Volume) -> np.ndarray:
    """RAS mm of the middle of a field of view."""
    return (volume.affine @ [*((np.array(volume.shape[:3]) - 1) / 2), 1.0])[:3]


def stem_points(centre: np.ndarray, step: float = 2.0) -> np.ndarray:
    """Points of an ellipsoid within the brainstem, RAS mm, shape (n, 3)."""
    axes = [np.arange(-half, half + step / 2, step) for half in STEM_HALF_MM]
    offsets = np.stack(np.meshgrid(*axes, indexing="ij"), -1).reshape(-1, 3)
    return offsets[((offsets / STEM_HALF_MM) ** 2).sum(1) <= 1.0] + centre


def covered_share(mask: Volume, points: np.ndarray) -> float:
    """Share, 0-1, of points (RAS mm) whose nearest voxel lies in a mask and its field of view."""
    inverse = np.linalg.inv(mask.affine)
    index = np.rint(points @ inverse[:3, :3].T + inverse[:3, 3]).astype(int)
    inside = ((index >= 0) & (index < np.array(mask.shape))).all(1)
    return float(np.count_nonzero(mask.array[tuple(index[inside].T)])) / len(points)
