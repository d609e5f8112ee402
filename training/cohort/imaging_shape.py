"""Gives an anatomy the volumes of a simulated person: a deformation with asked-for changes.

The displacement is the gradient of a potential whose Laplacian is minus the logarithm of the ratio
asked for, structure by structure, as simulators of atrophy prescribe it (Khanal et al. 2017,
doi:10.3389/fnins.2017.00132, who solve a stiffer model). Neighbours that are asked for opposite
changes share them; what came out is measured, and that is the truth of the images.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import fft, ndimage

from BrainstemALSLib.imaging.volume import Volume
from BrainstemALSLib.phantom import deformation

from .spread import STRUCTURES

SMOOTHING_MM = 0.8
"""Of the wanted changes, so that outlines stay smooth; our own choice."""
ROUNDS, LATER_ROUNDS = 5, 2
MARGIN_MM = 14.0
"""Around the structures, over which the deformation fades out."""
SHARES = (1.0, 0.8, 0.6, 0.35)
"""Of the changes asked for, that are tried in turn until nothing folds."""
LARGEST_LOG = 0.8
"""Largest change asked for, as a logarithm: neighbours would fold before."""
SMALLEST_JACOBIAN = 0.15
VALUES = np.array([s.index for s in STRUCTURES])


@dataclass(frozen=True, eq=False)
class Shape:
    """An anatomy in another shape.

    Attributes
    ----------
    anatomy : Volume
        uint8 labels of ``training.labels``.
    displacement : numpy.ndarray, shape (3, i, j, k)
        Backward: where a voxel of the new shape looks in the anatomy, mm along the voxel axes.
    volumes : numpy.ndarray, shape (K,)
        mm3 of ``spread.STRUCTURES`` in the new shape; NaN for what the anatomy lacks.
    jacobian : float
        Smallest determinant of the backward map; above 0 nothing folds.
    asked, reached : numpy.ndarray, shape (K,)
        Logarithms of the ratios that the last round asked for and got, for a later visit.
    """

    anatomy: Volume
    displacement: np.ndarray
    volumes: np.ndarray
    jacobian: float
    asked: np.ndarray
    reached: np.ndarray


def volumes_of(anatomy: Volume) -> np.ndarray:
    """Return the volumes (K,) of an anatomy's structures, mm3; NaN where it has none."""
    counts = np.bincount(anatomy.array.ravel(), minlength=256)[VALUES]
    return np.where(counts > 0, counts * float(np.prod(anatomy.spacing)), np.nan)


def shaped(
    anatomy: Volume, wanted: np.ndarray, own: np.ndarray, before: Shape | None = None
) -> Shape:
    """Return an anatomy with the wanted volumes and a shape of its own.

    Parameters
    ----------
    anatomy : Volume
        uint8 labels of ``training.labels``.
    wanted : numpy.ndarray, shape (K,)
        mm3, of ``spread.STRUCTURES``.
    own : numpy.ndarray, shape (3, i, j, k)
        The person's random shape, backward, mm (``phantom.deformation.random_shape``).
    before : Shape, optional
        Of an earlier visit, to start from.

    Returns
    -------
    Shape

    Raises
    ------
    ValueError
        The changes asked for fold the anatomy even when a third of them is left.
    """
    spacing, here = anatomy.spacing, volumes_of(anatomy)
    there = np.isfinite(here)
    box = _around(anatomy)
    labels, outline = anatomy.array[box], own[(slice(None), *box)]
    parts = ndimage.find_objects(labels)
    taper = _taper(labels.shape, spacing)
    whole = np.where(there, np.log(wanted / np.where(there, here, 1.0)), 0.0)
    for share in SHARES:
        goal = share * whole
        asked, reached, field, rounds = goal.copy(), goal, outline, ROUNDS
        if before is not None and share == 1.0:
            asked = before.asked + goal - before.reached
            field, rounds = before.displacement[(slice(None), *box)], LATER_ROUNDS
        for turn in range(rounds):
            if turn:
                asked = np.clip(asked + 0.9 * (goal - reached), -LARGEST_LOG, LARGEST_LOG)
            field = _displacement(labels, asked, field, outline, spacing, taper)
            found = _measured(labels, field, parts, spacing)
            reached = np.where(there, np.log(found / np.where(there, here, 1.0)), 0.0)
        jacobian = float(_determinant(field, spacing).min())
        if jacobian > SMALLEST_JACOBIAN:
            displacement = own.copy()
            displacement[(slice(None), *box)] = field
            volumes = np.where(there, found, np.nan)
            return Shape(anatomy, displacement, volumes, jacobian, asked, reached)
    raise ValueError("the changes that were asked for fold the anatomy")


def _around(anatomy: Volume) -> tuple[slice, slice, slice]:
    """Box of the structures with room for the deformation to fade out."""
    found = np.argwhere(np.isin(anatomy.array, VALUES))
    margin = np.ceil(MARGIN_MM / anatomy.spacing).astype(int)
    start = np.maximum(found.min(0) - margin, 0)
    stop = np.minimum(found.max(0) + 1 + margin, anatomy.shape)
    return tuple(slice(a, b) for a, b in zip(start, stop, strict=True))


def _taper(shape: tuple[int, ...], spacing: np.ndarray) -> np.ndarray:
    """Weight (i, j, k) that falls to 0 at the edges of the box, beyond the structures."""
    weight = np.ones(shape, np.float32)
    for axis, (n, d) in enumerate(zip(shape, spacing, strict=True)):
        depth = np.minimum(np.arange(n), n - 1 - np.arange(n)) * d / MARGIN_MM
        line = np.sin(np.clip(depth, 0, 1) * np.pi / 2) ** 2
        weight *= line.reshape([-1 if k == axis else 1 for k in range(3)])
    return weight


def _displacement(
    labels: np.ndarray,
    asked: np.ndarray,
    field: np.ndarray,
    own: np.ndarray,
    spacing: np.ndarray,
    taper: np.ndarray,
) -> np.ndarray:
    """Backward displacement whose divergence is minus the change asked for, over the own shape."""
    table = np.zeros(256, np.float32)
    table[VALUES] = -asked
    rate = deformation.warp(table[labels], field, spacing, 1)
    rate = ndimage.gaussian_filter(rate, SMOOTHING_MM / spacing)
    spectrum = fft.rfftn(rate.astype(np.float32))
    waves = [
        2 * np.pi * (fft.rfftfreq if axis == 2 else fft.fftfreq)(n, d)
        for axis, (n, d) in enumerate(zip(rate.shape, spacing, strict=True))
    ]
    waves = [
        wave.reshape([-1 if k == axis else 1 for k in range(3)]) for axis, wave in enumerate(waves)
    ]
    square = sum(wave**2 for wave in waves)
    square[0, 0, 0] = 1.0
    spectrum[0, 0, 0] = 0.0
    gradient = np.stack(
        [fft.irfftn(-1j * wave * spectrum / square, s=rate.shape) for wave in waves]
    ).astype(np.float32)
    gradient *= taper
    # The change happens in the person's own shape, which is looked up through it.
    return gradient + np.stack([deformation.warp(part, gradient, spacing, 1) for part in own])


def _measured(
    labels: np.ndarray, field: np.ndarray, boxes: list, spacing: np.ndarray
) -> np.ndarray:
    """Volumes (K,) in mm3 of masks that are interpolated linearly."""
    shape = np.array(labels.shape)
    out = np.full(len(VALUES), np.nan)
    reach = int(np.ceil(np.abs(field).max() / spacing.min())) + 2
    for number, value in enumerate(VALUES):
        box = boxes[value - 1] if value <= len(boxes) else None
        if box is None:
            continue
        wide = tuple(
            slice(max(s.start - reach, 0), min(s.stop + reach, int(n)))
            for s, n in zip(box, shape, strict=True)
        )
        mask = (labels[wide] == value).astype(np.float32)
        warped = deformation.warp(mask, field[(slice(None), *wide)], spacing, 1)
        out[number] = warped.sum() * float(np.prod(spacing))
    return out


def _determinant(field: np.ndarray, spacing: np.ndarray) -> np.ndarray:
    """Determinant (i, j, k) of the backward map's derivative."""
    matrix = np.stack(
        [
            np.stack(np.gradient(part, *spacing), -1) + (np.arange(3) == axis)
            for axis, part in enumerate(field)
        ],
        -2,
    )
    return np.linalg.det(matrix)
