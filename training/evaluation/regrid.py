"""Changes of an image that leave the patient as he is: another grid, noise."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from BrainstemALSLib.imaging.geometry import resample
from BrainstemALSLib.imaging.volume import Volume

ROTATION_DEGREES = 7.0
SHIFT_MM = 0.3
NOISE_FRACTION = 0.03  # of the 99th percentile of the image


def rotated_grid(
    image: Volume,
    axis: Sequence[float],
    degrees: float = ROTATION_DEGREES,
    shift_mm: float = SHIFT_MM,
) -> Volume:
    """Sample an image on a rotated and shifted grid, as if the head had been scanned obliquely.

    The patient stays where he is in RAS: only the grid turns, and the affine says so.

    Parameters
    ----------
    image : Volume
        Any orientation.
    axis : sequence of three float
        Axis of rotation in RAS; also the direction of the shift.
    degrees : float
        Right-handed rotation about the middle of the image.
    shift_mm : float
        Along the axis.

    Returns
    -------
    Volume
        float32, the shape and spacing of the input, sampled by cubic B-spline; 0 outside the input
        and no values beyond its range, which a cubic spline would overshoot.
    """
    from scipy.spatial.transform import Rotation

    direction = np.asarray(axis, float) / np.linalg.norm(axis)
    turn = Rotation.from_rotvec(np.deg2rad(degrees) * direction).as_matrix()
    middle = image.affine @ [*(np.array(image.shape) - 1) / 2, 1]
    move = np.eye(4)
    move[:3, :3] = turn
    move[:3, 3] = middle[:3] - turn @ middle[:3] + shift_mm * direction
    affine = move @ image.affine
    turned = resample(image, image.shape, affine, "bspline")
    return Volume(np.clip(turned.array, image.array.min(), image.array.max()), affine)


def rician_noise(image: Volume, seed: int, fraction: float = NOISE_FRACTION) -> Volume:
    """Add Rician noise, the noise of a magnitude image.

    Parameters
    ----------
    image : Volume
        Magnitudes; negative values are taken as 0.
    seed : int
    fraction : float
        Standard deviation of each channel as a fraction of the 99th percentile of the image.
    """
    generator = np.random.default_rng(seed)
    signal = np.maximum(image.array, 0).astype(np.float32)
    sigma = np.float32(fraction * np.percentile(signal, 99))
    real = signal + sigma * generator.standard_normal(signal.shape, np.float32)
    imaginary = sigma * generator.standard_normal(signal.shape, np.float32)
    return Volume(np.hypot(real, imaginary), image.affine)
