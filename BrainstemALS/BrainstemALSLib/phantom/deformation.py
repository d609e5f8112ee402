"""Deforms an anatomy: a smooth random shape, and a local atrophy of known size.

All displacements are backward maps: where a voxel of the new image looks in the old one.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from scipy import ndimage

SHAPE_SIGMA_MM = 14.0
"""Smoothness of the random shape: wider than any structure, so that none folds."""
SHAPE_AMPLITUDE_MM = 1.5
"""Standard deviation of the random shape's displacement, per axis."""
FALLOFF_MM = 4.0
"""Over this distance around a shrinking structure, the pull on its surroundings fades."""
AXIS_SIGMA_MM = 3.0
"""Smoothing of a structure's centreline along z."""


def random_shape(
    shape: tuple[int, int, int], spacing: np.ndarray, rng: np.random.Generator
) -> np.ndarray:
    """Return a smooth random displacement.

    Parameters
    ----------
    shape : tuple of int
        Grid (i, j, k).
    spacing : numpy.ndarray, shape (3,)
        Voxel size in millimetres.
    rng : numpy.random.Generator
        Its state decides the field.

    Returns
    -------
    numpy.ndarray, shape (3, i, j, k)
        Displacement in millimetres along the voxel axes, float32, of standard deviation
        ``SHAPE_AMPLITUDE_MM``.
    """
    field = np.empty((3, *shape), dtype=np.float32)
    # Drawn on a coarse grid and enlarged: the same field for a fraction of the smoothing.
    step = SHAPE_SIGMA_MM / 2
    coarse = [int(np.ceil(n * s / step)) + 4 for n, s in zip(shape, spacing, strict=True)]
    index = np.meshgrid(
        *(np.arange(n) * s / step + 1.5 for n, s in zip(shape, spacing, strict=True)),
        indexing="ij",
        sparse=True,
    )
    index = np.broadcast_arrays(*index)
    for axis in range(3):
        noise = ndimage.gaussian_filter(rng.standard_normal(coarse), SHAPE_SIGMA_MM / step)
        field[axis] = ndimage.map_coordinates(noise, index, order=1, mode="nearest")
    return field * (SHAPE_AMPLITUDE_MM / field.std())


def shrink(mask: np.ndarray, spacing: np.ndarray, strength: float) -> np.ndarray:
    """Return the displacement that thins a structure towards its centreline.

    The centreline runs along the third axis. Inside the structure every distance from it shrinks by
    the factor ``1 / (1 + strength)``; around it the displacement fades over ``FALLOFF_MM``.

    Parameters
    ----------
    mask : numpy.ndarray of bool, shape (i, j, k)
        The structure.
    spacing : numpy.ndarray, shape (3,)
        Voxel size in millimetres.
    strength : float
        Relative enlargement of the backward map; positive shrinks.

    Returns
    -------
    numpy.ndarray, shape (3, i, j, k)
        Displacement in millimetres along the voxel axes, float32.
    """
    field = np.zeros((3, *mask.shape), dtype=np.float32)
    levels = np.flatnonzero(mask.any(axis=(0, 1)))
    if levels.size == 0 or strength == 0.0:
        return field
    centre = np.array([ndimage.center_of_mass(mask[:, :, k]) for k in levels])
    every = np.arange(mask.shape[2])
    sigma = AXIS_SIGMA_MM / spacing[2]
    distance = ndimage.distance_transform_edt(~mask, sampling=spacing)
    weight = np.exp(-0.5 * (distance / FALLOFF_MM) ** 2)
    for axis in range(2):
        line = ndimage.gaussian_filter1d(np.interp(every, levels, centre[:, axis]), sigma)
        place = [1, 1, 1]
        place[axis] = mask.shape[axis]
        offset = (np.arange(mask.shape[axis]).reshape(place) - line) * spacing[axis]
        field[axis] = strength * weight * offset
    return field


def warp(
    array: np.ndarray, displacement: np.ndarray, spacing: np.ndarray, order: int
) -> np.ndarray:
    """Return an image deformed by a backward displacement.

    Parameters
    ----------
    array : numpy.ndarray, shape (i, j, k)
    displacement : numpy.ndarray, shape (3, i, j, k)
        Millimetres along the voxel axes.
    spacing : numpy.ndarray, shape (3,)
        Voxel size in millimetres.
    order : int
        0 nearest (labels), 1 linear.
    """
    index = np.indices(array.shape, dtype=np.float32)
    index += displacement / np.asarray(spacing, dtype=np.float32).reshape(3, 1, 1, 1)
    return ndimage.map_coordinates(array, index, order=order, mode="nearest")


def strength_for(
    loss_percent: float, volume_at: Callable[[float], float], iterations: int = 3
) -> float:
    """Return the strength at which a structure loses a given share of its volume.

    Parameters
    ----------
    loss_percent : float
        Wanted loss, per cent, positive.
    volume_at : callable
        Volume of the structure, in any unit, at a strength.
    iterations : int
        Secant steps; three bring the error well under 0.1 %.
    """
    whole = volume_at(0.0)
    wanted = whole * (1 - loss_percent / 100)
    # To first order an area shrinks by twice the strength.
    low, low_volume = 0.0, whole
    high = loss_percent / 200
    for _ in range(iterations):
        volume = volume_at(high)
        if volume == low_volume:
            break
        step = (volume - wanted) * (high - low) / (volume - low_volume)
        low, low_volume, high = high, volume, high - step
    return high
