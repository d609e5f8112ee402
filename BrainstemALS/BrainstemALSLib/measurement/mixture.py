"""What each diffusion voxel holds: structures, cerebrospinal fluid and the rest.

The diffusion voxels are the independent data, so the probabilities go to them and no map is
interpolated: a voxel's share of a structure is the mean probability over points spread evenly in
the voxel. Interpolating a map to the T1 would smear fluid into tissue, and would make many voxels
out of few. A voxel also sees what is beside it (``NEIGHBOUR_SHARE``), and its share counts that.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property
from itertools import product

import numpy as np

from ..anatomy import by_key
from ..imaging.volume import Volume
from ..segmentation.result import Segmentation
from .volumes import SUPPORT_PROBABILITY

MAXIMUM_POINTS = 6
"""Points along each axis of a diffusion voxel at most, else two per T1 voxel (our choice): 0.4 mm
apart in a voxel of 2.5 mm, where the share of a voxel that an outline cuts is right to 2 %."""

NEIGHBOUR_SHARE = 1 / 8
"""Part of a voxel's signal that comes from each neighbour along each axis. With it the variance of
the point spread is 1/12 + 2/8 = 1/3 of a squared voxel, a full width at half maximum of 1.36
voxels: between a voxel as acquired, whose point spread is a sinc of 1.2 voxels, and one that was
interpolated linearly once, as motion correction does (variance 1/6 more). Our choice."""

TISSUE_MD, FLUID_MD = 1.0, 3.0
"""1e-3 mm2/s. Brainstem tissue has up to 0.92 (planning values, Anatomy/intensity_priors.tsv), free
water at 37 degrees 3.0 (Holz et al. 2000, Phys Chem Chem Phys 2:4740, doi:10.1039/b005319h)."""

OUTSIDE_SHARE = 0.9
"""A voxel with so much background tells what the background is made of (our choice)."""


class VoxelIndex:
    """Finds voxels of a list by their place.

    Parameters
    ----------
    voxels : numpy.ndarray, shape (n, 3)
        Indices in a grid, at least one.
    """

    def __init__(self, voxels: np.ndarray):
        self._first = voxels.min(axis=0)
        self._rows = np.full(voxels.max(axis=0) - self._first + 1, -1, np.int32)
        self._rows[tuple((voxels - self._first).T)] = np.arange(len(voxels))

    def nearest(self, index: np.ndarray) -> np.ndarray:
        """Return the position in the list of the voxel at each index (n, 3), rounded; -1: none."""
        place = np.rint(index).astype(np.intp) - self._first
        inside = ((place >= 0) & (place < self._rows.shape)).all(axis=1)
        found = np.full(len(index), -1, np.int32)
        found[inside] = self._rows[tuple(place[inside].T)]
        return found


@dataclass(frozen=True, eq=False)
class Support:
    """The voxels of a T1 that hold any structure.

    Attributes
    ----------
    keys : tuple of str
        Structures, in the order of the rows.
    probabilities : numpy.ndarray, shape (n_structures, n)
        float32; 0 or 1 where only labels are known.
    voxels : numpy.ndarray, shape (n, 3)
        Indices in the grid of the T1.
    labels : Volume
        The T1's grid and labels.
    """

    keys: tuple[str, ...]
    probabilities: np.ndarray
    voxels: np.ndarray
    labels: Volume

    @cached_property
    def _index(self) -> VoxelIndex:
        return VoxelIndex(self.voxels)

    def rows_at(self, index: np.ndarray) -> np.ndarray:
        """Return the row of the voxel nearest to each index (n, 3) of the T1's grid; -1 for none.

        Indices are those of the whole T1, with fractions.
        """
        return self._index.nearest(index)

    def together(self, keys: tuple[str, ...]) -> np.ndarray:
        """Return the probability, shape (n,), of several structures as one."""
        positions = [n for n, key in enumerate(self.keys) if key in keys]
        return np.minimum(self.probabilities[positions].sum(axis=0), 1.0)

    def volume_mm3(self, keys: tuple[str, ...]) -> float:
        """Return the soft volume of several structures as one."""
        return float(self.together(keys).sum(dtype=np.float64)) * self.labels.voxel_volume


def support_of(segmentation: Segmentation) -> Support | None:
    """Return the voxels that hold structures; None where nothing is segmented."""
    labels, keys = segmentation.labels, segmentation.keys
    if segmentation.probabilities is not None:
        box = segmentation.probabilities.array
        inside = box.sum(axis=-1, dtype=np.float32) >= SUPPORT_PROBABILITY
        rows = np.ascontiguousarray(box[inside].T, dtype=np.float32)
        voxels = np.argwhere(inside) + segmentation.offset
    else:
        index = np.array([by_key()[key].index for key in keys])
        inside = np.isin(labels.array, index)
        rows = (labels.array[inside][None] == index[:, None]).astype(np.float32)
        voxels = np.argwhere(inside)
    return Support(keys, rows, voxels, labels) if len(voxels) else None


@dataclass(frozen=True, eq=False)
class Mixture:
    """Shares of the diffusion voxels at and around the brainstem.

    Attributes
    ----------
    voxels : numpy.ndarray, shape (n, 3)
        Indices in the grid of the maps.
    shares : numpy.ndarray, shape (n_structures, n)
        Part of each voxel that each structure takes, float32, 0-1.
    fluid : numpy.ndarray, shape (n,)
        Part that is cerebrospinal fluid, as far as the geometry and the neighbours tell, 0-1.
    voxel_volume : float
        mm3.
    """

    keys: tuple[str, ...]
    voxels: np.ndarray
    shares: np.ndarray
    fluid: np.ndarray
    voxel_volume: float

    @cached_property
    def _index(self) -> VoxelIndex:
        return VoxelIndex(self.voxels)

    def places_of(self, index: np.ndarray) -> np.ndarray:
        """Return the position of the voxel at each index (n, 3) of the grid of the maps; -1: none.

        Indices are rounded.
        """
        if not len(self.voxels):
            return np.full(len(index), -1, np.int32)
        return self._index.nearest(index)

    def together(self, keys: tuple[str, ...]) -> np.ndarray:
        """Return the share, shape (n,), of several structures as one."""
        positions = [n for n, key in enumerate(self.keys) if key in keys]
        return np.minimum(self.shares[positions].sum(axis=0), 1.0)


def mixture_of(
    support: Support, shape: tuple[int, ...], affine: np.ndarray, md: Volume | None
) -> Mixture:
    """Return what the voxels of a grid hold.

    The background is not only fluid: beside the peduncles it is cerebellum. What it is made of is
    told by the MD of the voxels next to a voxel that hold background alone. A voxel's own MD is
    not asked: choosing voxels by the value that is measured in them would bias it.

    Parameters
    ----------
    support : Support
    shape, affine
        The grid of the maps; affine to RAS mm of the T1.
    md : Volume or None
        Mean diffusivity, 1e-3 mm2/s, on any grid; without it all background counts as fluid.
    """
    voxels = _near(support, shape, affine)
    shares = _shares(support, voxels, affine)
    background = np.clip(1.0 - shares.sum(axis=0), 0.0, 1.0)
    fluid_keys = [n for n, key in enumerate(support.keys) if by_key()[key].tissue == "csf"]
    fluid = shares[fluid_keys].sum(axis=0)
    if len(voxels):
        fluid = fluid + background * _fluid_around(voxels, shape, affine, background, md)
    volume = float(abs(np.linalg.det(affine[:3, :3])))
    return Mixture(support.keys, voxels, shares, np.clip(fluid, 0.0, 1.0), volume)


def values_at(volume: Volume, points_ras: np.ndarray) -> np.ndarray:
    """Return the value of the voxel around each point (n, 3); NaN outside the volume."""
    to_index = np.linalg.inv(volume.affine)
    nearest = np.rint(points_ras @ to_index[:3, :3].T + to_index[:3, 3]).astype(np.intp)
    inside = ((nearest >= 0) & (nearest < volume.array.shape[:3])).all(axis=1)
    values = np.full(len(points_ras), np.nan)
    values[inside] = volume.array[tuple(nearest[inside].T)]
    return values


def _near(support: Support, shape: tuple[int, ...], affine: np.ndarray) -> np.ndarray:
    """Indices (n, 3) of the voxels that structures reach, and of those around them."""
    to_grid = np.linalg.inv(affine) @ support.labels.affine
    centres = np.rint(support.voxels @ to_grid[:3, :3].T + to_grid[:3, 3]).astype(np.intp)
    # Half a T1 voxel reaches beyond its centre; one voxel more tells what is around.
    reach = 0.5 * np.abs(to_grid[:3, :3]).sum(axis=1)
    margin = math.ceil(float(reach.max())) + 1
    low = np.maximum(centres.min(axis=0) - margin, 0)
    high = np.minimum(centres.max(axis=0) + margin + 1, shape[:3])
    if (high <= low).any():
        return np.empty((0, 3), np.intp)
    # Padded by the margin, so that what lies just outside the grid still reaches into it.
    marked = np.zeros(high - low + 2 * margin, bool)
    places = centres - low + margin
    places = places[((places >= 0) & (places < marked.shape)).all(axis=1)]
    marked[tuple(places.T)] = True
    for axis in range(3):
        marked = _spread(marked, axis, margin)
    inner = tuple(slice(margin, margin + n) for n in high - low)
    return np.argwhere(marked[inner]) + low


def _spread(array: np.ndarray, axis: int, reach: int) -> np.ndarray:
    """Return the sum over ``reach`` voxels to both sides (of booleans: whether any is true)."""
    total = array.copy()
    for step in range(1, reach + 1):
        ahead = (slice(None),) * axis + (slice(step, None),)
        behind = (slice(None),) * axis + (slice(None, -step),)
        total[ahead] += array[behind]
        total[behind] += array[ahead]
    return total


def _shares(support: Support, voxels: np.ndarray, affine: np.ndarray) -> np.ndarray:
    spacing = np.linalg.norm(affine[:3, :3], axis=0)
    wanted = np.ceil(2.0 * spacing / support.labels.spacing.min() - 1e-3)
    counts = np.clip(wanted, 2, MAXIMUM_POINTS).astype(int)
    steps = [(np.arange(n) + 0.5) / n - 0.5 for n in counts]
    to_t1 = np.linalg.inv(support.labels.affine) @ affine
    centres = voxels @ to_t1[:3, :3].T + to_t1[:3, 3]
    if not len(voxels):
        return np.empty((len(support.keys), 0), np.float32)
    rows, places = [], []
    for offset in product(*steps):
        found = support.rows_at(centres + to_t1[:3, :3] @ np.array(offset))
        hit = np.flatnonzero(found >= 0)
        rows.append(found[hit])
        places.append(hit)
    row, place = np.concatenate(rows), np.concatenate(places)
    first = voxels.min(axis=0) - 1
    box = voxels.max(axis=0) + 2 - first
    inner = tuple((voxels - first).T)
    shares = np.empty((len(support.keys), len(voxels)), np.float32)
    for n, probability in enumerate(support.probabilities):
        dense = np.zeros(box, np.float32)
        dense[inner] = np.bincount(place, probability[row], minlength=len(voxels))
        for axis in range(3):
            beside = _spread(dense, axis, 1) - dense
            dense = (1 - 2 * NEIGHBOUR_SHARE) * dense + NEIGHBOUR_SHARE * beside
        shares[n] = dense[inner]
    return shares / np.float32(counts.prod())


def _fluid_around(
    voxels: np.ndarray,
    shape: tuple[int, ...],
    affine: np.ndarray,
    background: np.ndarray,
    md: Volume | None,
) -> np.ndarray:
    """Part of the background next to each voxel that is fluid, 0-1; 1 where nothing tells."""
    if md is None:
        return np.ones(len(voxels))
    value = values_at(md, voxels @ affine[:3, :3].T + affine[:3, 3])
    tells = (background >= OUTSIDE_SHARE) & np.isfinite(value) & (value > 0)
    first = voxels.min(axis=0)
    box = np.zeros((2, *(voxels.max(axis=0) - first + 1)))
    place = tuple((voxels - first).T)
    scaled = np.clip((value - TISSUE_MD) / (FLUID_MD - TISSUE_MD), 0.0, 1.0)
    box[0][place] = np.where(tells, scaled, 0.0)
    box[1][place] = tells
    for axis in (1, 2, 3):
        box = _spread(box, axis, 1)
    total, count = box[0][place], box[1][place]
    return np.divide(total, count, out=np.ones(len(voxels)), where=count > 0)
