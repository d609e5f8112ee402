"""How each visit differs in shape from the mean of all, and what that does to volumes.

Symmetric demons (Thirion 1998, doi:10.1016/S1361-8415(98)80022-4; with the mean of both gradients,
Vercauteren et al. 2009, doi:10.1016/j.neuroimage.2008.10.040), smoothed as an elastic body. The
force has a floor that keeps it from following noise where there is no edge. SimpleITK's demons have
none; on simulated visits of one brainstem small structures came out less steady with them. Volumes
come from the Jacobian determinant under the template's probabilities (Freeborough & Fox 1998, J
Comput Assist Tomogr 22:838): every visit has the same labels, so that what the network would draw
anew for each does not count as change.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

STEPS = 20
"""Twice as many changed the volumes of simulated visits by little (our choice)."""
SMOOTHING_VOXELS = 2.0
"""Standard deviation of the smoothing of the displacement after every step. Wider makes repeats
agree better and true loss look smaller (our choice, see docs/results/longitudinal_error.md)."""
_FLOOR_PERCENTILE, _FLOOR_SHARE = 70.0, 0.3
"""Floor of the force: this share of a percentile of the squared gradient (our choice)."""


def displacements(
    images: Sequence[np.ndarray], smoothing: float = SMOOTHING_VOXELS
) -> list[np.ndarray]:
    """Return where each point of the mean shape lies in every visit.

    Parameters
    ----------
    images : sequence of numpy.ndarray, shape (i, j, k)
        Visits on one grid, evened (``template.evened``).
    smoothing : float
        Standard deviation in voxels, see ``SMOOTHING_VOXELS``.

    Returns
    -------
    list of numpy.ndarray, shape (3, i, j, k)
        Voxels; they sum to 0 over visits at every point, so that none is the reference.
    """
    mean = np.mean(np.stack(images), axis=0)
    found = [_demons(image, mean, smoothing) for image in images]
    common = np.mean(np.stack(found), axis=0)
    return [field - common for field in found]


def jacobian(displacement: np.ndarray) -> np.ndarray:
    """Return the volume factor of a displacement (3, i, j, k) in voxels; shape (i, j, k)."""
    gradient = np.stack([np.stack(np.gradient(part)) for part in displacement])
    return np.linalg.det(np.moveaxis(gradient, (0, 1), (-2, -1)) + np.eye(3))


def warped_to_visit(probabilities: np.ndarray, displacement: np.ndarray) -> np.ndarray:
    """Return probabilities (i, j, k, n) of the template where a visit has them.

    Parameters
    ----------
    probabilities : numpy.ndarray, shape (i, j, k, n)
    displacement : numpy.ndarray, shape (3, i, j, k)
        As ``displacements`` returns it; inverted by fixed-point steps, which converge because the
        field is smooth (Chen et al. 2008, doi:10.1118/1.2816107).
    """
    from scipy.ndimage import map_coordinates

    index = np.indices(displacement.shape[1:], dtype=np.float32)
    back = np.zeros_like(index)
    for _ in range(3):
        back = -np.stack(
            [map_coordinates(p, index + back, order=1, mode="nearest") for p in displacement]
        )
    out = np.empty_like(probabilities, dtype=np.float32)
    for n in range(probabilities.shape[-1]):
        column = probabilities[..., n].astype(np.float32)
        out[..., n] = map_coordinates(column, index + back, order=1, mode="constant")
    return out


def _demons(image: np.ndarray, mean: np.ndarray, smoothing: float) -> np.ndarray:
    from scipy.ndimage import gaussian_filter, map_coordinates

    index = np.indices(mean.shape, dtype=np.float32)
    slope = np.stack(np.gradient(mean))
    strength = (slope**2).sum(0)
    floor = _FLOOR_SHARE * float(np.percentile(strength, _FLOOR_PERCENTILE)) + 1e-9
    field = np.zeros_like(index)
    for _ in range(STEPS):
        looked = map_coordinates(image, index + field, order=1, mode="nearest")
        both = (slope + np.stack(np.gradient(looked))) / 2
        force = (mean - looked) * both / (strength + floor)
        field = np.stack([gaussian_filter(part, smoothing, truncate=3.0) for part in field + force])
    return field
