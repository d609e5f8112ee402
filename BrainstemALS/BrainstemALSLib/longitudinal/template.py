"""The visits on one grid, each resampled once, and their median: the template of the person."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ..imaging.geometry import box_around, resample
from ..imaging.registration.region import covered_share, stem_points
from ..imaging.volume import Volume

GRID_MM = 1.0
GRID_SHAPE = (80, 96, 112)
"""Voxels of the common grid: the window that the network sees (64 x 80 x 96 mm) and 8 mm around it,
so that a window that is laid anew still finds an image everywhere."""
CONTRAST_MM = 8.0
"""Standard deviation of the surroundings by which contrast is evened out: wider than a boundary and
narrower than a bias field (our choice)."""
_FLOOR = 1e-4
NEAR_MM = 4.0
"""Distance around the brainstem within which visits are compared (our choice): its surface and the
fluid around it."""


@dataclass(frozen=True, eq=False)
class Template:
    """Visits of one person on a common grid.

    Attributes
    ----------
    t1 : Volume
        Median of the visits, 1 in the middle of the brainstem, shape ``GRID_SHAPE``, RAS, 1 mm.
    even : tuple of numpy.ndarray, shape (i, j, k)
        T1 of each visit with its local mean taken off and its local spread made 1: of one contrast
        and without bias field.
    covered : tuple of float
        Share, 0-1, of the middle of the brainstem that each visit's T1 shows.
    """

    t1: Volume
    even: tuple[np.ndarray, ...]
    covered: tuple[float, ...]


def grid_around(centre: np.ndarray) -> np.ndarray:
    """Return the affine of the common grid, shape (4, 4), its middle at a point (RAS mm)."""
    return box_around(centre, GRID_SHAPE, GRID_MM)


def build_template(t1s: Sequence[Volume], centre: np.ndarray) -> Template:
    """Resample visits to a common grid and take their median.

    Parameters
    ----------
    t1s : sequence of Volume
        Affines to RAS mm of the common space, see ``alignment``; any intensity scales.
    centre : numpy.ndarray, shape (3,)
        Middle of the brainstem there.
    """
    affine = grid_around(centre)
    points = stem_points(centre)
    inner = _voxels_at(points, affine)
    scaled, covered = [], []
    for t1 in t1s:
        array = resample(t1, GRID_SHAPE, affine, "bspline", antialias=True).array
        # A cubic interpolation overshoots at edges; no scanner measured such values.
        array = np.clip(array, float(t1.array.min()), float(t1.array.max()))
        field_of_view = Volume(np.ones(t1.shape[:3], bool), t1.affine)
        covered.append(covered_share(field_of_view, points))
        level = float(np.median(array[inner]))
        scaled.append(array / level if level > 0 else array)
    middle = np.median(np.stack(scaled), axis=0).astype(np.float32)
    return Template(Volume(middle, affine), tuple(evened(a) for a in scaled), tuple(covered))


def evened(image: np.ndarray) -> np.ndarray:
    """Return an image (i, j, k) with local mean 0 and local spread 1, float32."""
    from scipy.ndimage import gaussian_filter

    def around(array: np.ndarray) -> np.ndarray:
        return gaussian_filter(array, CONTRAST_MM / GRID_MM, truncate=3.0, mode="nearest")

    image = image.astype(np.float64)
    mean = around(image)
    variance = np.maximum(around(image**2) - mean**2, 0.0)
    floor = _FLOOR * float(image.var()) or 1.0
    return ((image - mean) / np.sqrt(variance + floor)).astype(np.float32)


def likeness(first: np.ndarray, second: np.ndarray, stem: np.ndarray) -> float:
    """Return the correlation of two evened images in and around the brainstem, -1 to 1.

    Parameters
    ----------
    first, second : numpy.ndarray, shape (i, j, k)
    stem : numpy.ndarray of bool, shape (i, j, k)
        The brainstem; ``NEAR_MM`` around it count too.
    """
    from scipy.ndimage import binary_dilation

    near = binary_dilation(stem, iterations=round(NEAR_MM / GRID_MM))
    if first[near].std() == 0 or second[near].std() == 0:
        return 0.0
    return float(np.corrcoef(first[near], second[near])[0, 1])


def _voxels_at(points: np.ndarray, affine: np.ndarray) -> tuple[np.ndarray, ...]:
    inverse = np.linalg.inv(affine)
    index = np.rint(points @ inverse[:3, :3].T + inverse[:3, 3]).astype(int)
    return tuple(np.clip(index, 0, np.array(GRID_SHAPE) - 1).T)
