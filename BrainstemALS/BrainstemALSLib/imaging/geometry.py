"""Where voxels lie: grids in RAS millimetres, resampling, and the one border to SimpleITK's LPS.

Arrays are indexed (i, j, k) and affines map voxel indices to RAS millimetres throughout the
library. ``to_sitk`` and ``from_sitk`` are the only places that transpose and change the frame.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import SimpleITK as sitk

from .volume import Volume

_RAS_TO_LPS = np.diag([-1.0, -1.0, 1.0])
_INTERPOLATORS = {
    "linear": sitk.sitkLinear,
    "nearest": sitk.sitkNearestNeighbor,
    "bspline": sitk.sitkBSpline,
}
# Variance of a Gaussian whose full width at half maximum is 1.
_VARIANCE_PER_FWHM2 = 1.0 / (8.0 * np.log(2.0))
# Below a fifth of a voxel a sampled Gaussian is the identity to five digits.
_SMALLEST_SIGMA_VOXELS = 0.2


def to_sitk(volume: Volume) -> sitk.Image:
    """Return a SimpleITK image (LPS) of a volume (RAS).

    Parameters
    ----------
    volume : Volume
        Array of shape (i, j, k), or (i, j, k, components) for a vector image. Booleans become
        uint8 and float16 becomes float32, because ITK has neither.
    """
    array = volume.array
    if array.dtype == bool:
        array = array.view(np.uint8)
    elif array.dtype == np.float16:
        array = array.astype(np.float32)
    is_vector = array.ndim == 4
    axes = (2, 1, 0, 3) if is_vector else (2, 1, 0)
    image = sitk.GetImageFromArray(array.transpose(axes), isVector=is_vector)
    origin, spacing, direction = _sitk_grid(volume.affine)
    image.SetOrigin(origin)
    image.SetSpacing(spacing)
    image.SetDirection(direction)
    return image


def from_sitk(image: sitk.Image) -> Volume:
    """Return the volume (RAS) of a three-dimensional SimpleITK image (LPS).

    Parameters
    ----------
    image : SimpleITK.Image
        Scalar or vector image; the components of a vector become the last axis of the array.
    """
    if image.GetDimension() != 3:
        raise ValueError(f"a volume has 3 dimensions, not {image.GetDimension()}")
    array = sitk.GetArrayFromImage(image)
    array = array.transpose((2, 1, 0, 3) if array.ndim == 4 else (2, 1, 0))
    direction = np.asarray(image.GetDirection()).reshape(3, 3)
    affine = np.eye(4)
    affine[:3, :3] = _RAS_TO_LPS @ direction * np.asarray(image.GetSpacing())
    affine[:3, 3] = _RAS_TO_LPS @ np.asarray(image.GetOrigin())
    return Volume(array, affine)


def resample(
    volume: Volume,
    shape: Sequence[int],
    affine: np.ndarray,
    interpolation: str = "linear",
    default: float = 0.0,
    antialias: bool = True,
) -> Volume:
    """Return a volume on another grid.

    Parameters
    ----------
    volume : Volume
        Array of shape (i, j, k) or (i, j, k, components).
    shape : sequence of 3 int
        Voxels of the new grid.
    affine : array_like, shape (4, 4)
        Voxel index to RAS millimetres of the new grid; any invertible one, sheared ones too.
    interpolation : str
        ``linear`` or ``bspline`` (cubic), which return float32, or ``nearest``, which keeps the
        type and is the one for label maps.
    default : float
        Value outside the field of view of ``volume``.
    antialias : bool
        Smooth before going to a coarser grid, so that fine detail is averaged and not dropped.
        The Gaussian is the difference of the two voxels' point spread functions (Cardoso et al.,
        MICCAI 2015, "Scale factor point spread function matching"). Never done for ``nearest``.

    Returns
    -------
    Volume
        Array of shape ``shape`` (+ components), dtype float32 or, for ``nearest``, the input's.
    """
    affine = np.asarray(affine, dtype=float)
    source = volume
    if interpolation != "nearest":
        array = volume.array.astype(np.float32, copy=False)
        if antialias:
            array = _smooth(array, _antialias_sigma(volume.affine, affine))
        source = Volume(array, volume.affine)
    origin, spacing, direction = _sitk_grid(affine)
    image = sitk.Resample(
        to_sitk(source),
        [int(n) for n in shape],
        sitk.Transform(3, sitk.sitkIdentity),
        _INTERPOLATORS[interpolation],
        origin,
        spacing,
        direction,
        float(default),
    )
    # Not the image's own affine: the caller's must come back bit for bit.
    return Volume(from_sitk(image).array, affine)


def shrunk(volume: Volume, spacing: float) -> Volume:
    """Average blocks of voxels up to about half a voxel size (mm) that is wanted.

    What is then resampled to it needs no smoothing of the fine image, which takes far longer.
    """
    factors = np.maximum(1, np.floor(spacing / 2 / volume.spacing + 1e-3)).astype(int)
    if factors.max() == 1:
        return volume
    return from_sitk(sitk.BinShrink(to_sitk(volume), [int(n) for n in factors]))


def box_around(
    center_ras: Sequence[float],
    shape: Sequence[int],
    spacing: float | Sequence[float],
    rotation: np.ndarray | None = None,
) -> np.ndarray:
    """Return the affine of a grid whose middle lies at a point.

    Parameters
    ----------
    center_ras : sequence of 3 float
        Middle of the box, RAS millimetres.
    shape : sequence of 3 int
        Voxels of the box.
    spacing : float or sequence of 3 float
        Voxel size in millimetres.
    rotation : array_like, shape (3, 3), optional
        Directions of the box's axes in RAS, as columns; RAS itself when left out.

    Returns
    -------
    numpy.ndarray, shape (4, 4)
    """
    axes = np.eye(3) if rotation is None else np.asarray(rotation, dtype=float)
    affine = np.eye(4)
    affine[:3, :3] = axes * np.broadcast_to(np.asarray(spacing, dtype=float), 3)
    middle = (np.asarray(shape, dtype=float) - 1.0) / 2.0
    affine[:3, 3] = np.asarray(center_ras, dtype=float) - affine[:3, :3] @ middle
    return affine


def crop(volume: Volume, start: Sequence[int], stop: Sequence[int]) -> Volume:
    """Return the part of a volume between two voxels (a view; ``stop`` excluded).

    Raises
    ------
    ValueError
        The part is empty or reaches beyond the volume.
    """
    start, stop = np.asarray(start, dtype=int), np.asarray(stop, dtype=int)
    if (start < 0).any() or (stop > volume.array.shape[:3]).any() or (stop <= start).any():
        raise ValueError(f"no box {start.tolist()} to {stop.tolist()} in {volume.array.shape[:3]}")
    affine = np.array(volume.affine, dtype=float)
    affine[:3, 3] += affine[:3, :3] @ start
    slices = tuple(slice(a, b) for a, b in zip(start, stop, strict=True))
    return Volume(volume.array[slices], affine)


def same_grid(a: Volume, b: Volume, tolerance: float = 1e-3) -> bool:
    """Return whether two volumes share their voxels, no corner over ``tolerance`` mm apart."""
    if a.array.shape[:3] != b.array.shape[:3]:
        return False
    corners = np.indices((2, 2, 2)).reshape(3, -1) * (np.array(a.array.shape[:3])[:, None] - 1)
    difference = np.asarray(a.affine, dtype=float) - np.asarray(b.affine, dtype=float)
    apart = difference[:3, :3] @ corners + difference[:3, 3:]
    return bool(np.linalg.norm(apart, axis=0).max() <= tolerance)


def overlap_fraction(a: Volume, b: Volume) -> float:
    """Return the fraction of ``a``'s field of view that ``b``'s covers, 0-1, to about 2 %."""
    per_axis = 24
    lattice = (np.indices((per_axis,) * 3).reshape(3, -1) + 0.5) / per_axis
    voxels = lattice * np.array(a.array.shape[:3])[:, None] - 0.5
    to_b = np.linalg.inv(b.affine) @ a.affine
    in_b = to_b[:3, :3] @ voxels + to_b[:3, 3:]
    limits = np.array(b.array.shape[:3])[:, None] - 0.5
    return float(np.mean(((in_b >= -0.5) & (in_b <= limits)).all(axis=0)))


def _sitk_grid(affine: np.ndarray) -> tuple[list[float], list[float], list[float]]:
    """Return origin, spacing and direction in LPS of a RAS affine."""
    affine = np.asarray(affine, dtype=float)
    spacing = np.linalg.norm(affine[:3, :3], axis=0)
    direction = _RAS_TO_LPS @ (affine[:3, :3] / spacing)
    origin = _RAS_TO_LPS @ affine[:3, 3]
    return origin.tolist(), spacing.tolist(), direction.ravel().tolist()


def _antialias_sigma(source: np.ndarray, target: np.ndarray) -> np.ndarray:
    """Return the smoothing along the source's voxel axes, in voxels, that a coarser grid needs."""
    source, target = np.asarray(source, dtype=float)[:3, :3], target[:3, :3]
    spacing = np.linalg.norm(source, axis=0)
    directions = source / spacing
    wider = np.einsum("xa,xy,ya->a", directions, target @ target.T, directions) - spacing**2
    return np.sqrt(np.clip(wider, 0.0, None) * _VARIANCE_PER_FWHM2) / spacing


def _smooth(array: np.ndarray, sigma: np.ndarray) -> np.ndarray:
    from scipy.ndimage import gaussian_filter

    sigma = np.where(sigma < _SMALLEST_SIGMA_VOXELS, 0.0, sigma)
    if not sigma.any():
        return array
    return gaussian_filter(array, sigma, axes=(0, 1, 2), mode="nearest", truncate=3.0)
