"""Straightens echo-planar images along the phase-encoding axis, by what the T1 shows.

Differences of the magnetic field displace an echo-planar image along one axis only (Jezzard &
Balaban 1995, doi:10.1002/mrm.1910340111). A cubic B-spline field along that axis is fitted to the
T1 by mutual information (Rueckert et al. 1999, doi:10.1109/42.796284); everything across the axis
is fixed at zero. A field measured with reversed phase encoding (FSL topup) is better wherever there
is one: it knows of distortion where the T1 and the maps show no edge.

Directions keep theirs: the gradients of the scanner are not distorted, so every voxel's tensor is
right for the tissue in it and only lies in the wrong place. Topup turns none either.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import SimpleITK as sitk
from scipy import ndimage

from ..dwi import TensorMaps
from ..geometry import box_around, crop, from_sitk, resample, shrunk, to_sitk
from ..itk_output import silenced_itk
from ..volume import Volume
from .region import Region
from .rigid import BINS, WORK_UNITS

KNOT_MM, GRID_MM = 36.0, 4.0
"""Distance of the B-spline's knots, and the voxel at which it is fitted. The field of the skull
base varies over some 20-40 mm; with finer grids the time of ITK's B-splines runs into minutes."""
SIGMA_MM = 2.0
STEPS_MM, ITERATIONS, RELAXATION = (2.0, 0.02), 15, 0.5
"""More iterations make a simulated field no more accurate, and rough."""
MARGIN_MM = 24.0
"""How far beyond the region the field is fitted; it fades to nothing there. Our own choices."""
SMALLEST_VOXELS = 8
SMALLEST_JACOBIAN = 0.2
"""Of the distance between neighbours along the axis: 0 is a fold. Below, the field is refused."""
MASK_SHARE = 0.5


@dataclass(frozen=True, eq=False)
class Straightened:
    """Maps on their own grid, and what was done to them.

    Attributes
    ----------
    maps : TensorMaps
    contrast : Volume
        The image that was compared with the T1, straightened alike.
    displacement_mm : numpy.ndarray, shape (i, j, k)
        Where along the axis each voxel's value was taken from.
    smallest_jacobian : float
        Least local stretch along the axis.
    """

    maps: TensorMaps
    contrast: Volume
    displacement_mm: np.ndarray
    smallest_jacobian: float


def axis_of(phase_encoding: str | None) -> int | None:
    """Return the axis (0-2) of ``i``, ``j-`` and so on; None for anything else."""
    letter = (phase_encoding or "").rstrip("-+")
    return "ijk".index(letter) if letter in ("i", "j", "k") else None


def straighten(
    maps: TensorMaps, contrast: Volume, t1: Volume, region: Region, axis: int
) -> Straightened | None:
    """Straighten maps that already lie on the T1 rigidly.

    Parameters
    ----------
    maps : TensorMaps
    contrast : Volume
        One of them, compared with the T1.
    t1 : Volume
    region : Region
        Around it the field is fitted; far from it nothing moves.
    axis : int
        Of the maps' grid, along which the images are distorted.

    Returns
    -------
    Straightened or None
        None where no field was found, or the one found folds.
    """
    displacement = _fit(contrast, t1, region, axis)
    if displacement is None:
        return None
    step = contrast.spacing[axis]
    # Pulling value(x) from x + d(x): neighbours are 1 + d' apart where they came from.
    jacobian = float((1.0 + np.gradient(displacement, axis=axis) / step).min())
    if jacobian < SMALLEST_JACOBIAN:
        return None
    moved = pull(maps, displacement, axis)
    mask = contrast.array != 0
    image = _pull_scalar(contrast.array, mask, displacement / step, axis)
    return Straightened(moved, Volume(image, contrast.affine), displacement, jacobian)


def pull(maps: TensorMaps, displacement_mm: np.ndarray, axis: int) -> TensorMaps:
    """Return maps whose values come from elsewhere along one axis of their grid.

    Scalars are interpolated linearly within the mask, V1 through its dyadic product, which has no
    sign. The signal of b0 is not scaled by the local stretch: FA, MD and directions are ratios of
    signals and need no scaling, and b0 serves as a picture only.

    Parameters
    ----------
    maps : TensorMaps
        All on one grid; FA or MD, whose zeros are the mask, among them.
    displacement_mm : numpy.ndarray, shape (i, j, k)
        From a voxel to where its value is.
    axis : int
    """
    given = {name: getattr(maps, name) for name in ("fa", "md", "ad", "rd", "residual", "b0")}
    given = {name: volume for name, volume in given.items() if volume is not None}
    grid = next(iter(given.values()))
    shift = displacement_mm / grid.spacing[axis]
    mask = np.zeros(grid.shape, bool)
    for name in {"fa", "md"} & set(given):
        mask |= given[name].array != 0
    everywhere = np.ones(grid.shape, bool)
    moved = {
        name: Volume(
            _pull_scalar(volume.array, everywhere if name == "b0" else mask, shift, axis),
            volume.affine,
        )
        for name, volume in given.items()
    }
    if maps.v1 is not None:
        moved["v1"] = Volume(_pull_directions(maps.v1.array, shift, axis), maps.v1.affine)
    return replace(maps, **moved)


def _pull_scalar(array: np.ndarray, mask: np.ndarray, shift: np.ndarray, axis: int) -> np.ndarray:
    """Linear within the mask: the zeros outside it must not thin its rim."""
    weight = _along(mask.astype(np.float32), shift, axis)
    value = _along(np.where(mask, array, 0).astype(np.float32), shift, axis)
    inside = weight >= MASK_SHARE
    return np.divide(value, weight, out=np.zeros_like(value), where=inside)


def _pull_directions(v1: np.ndarray, shift: np.ndarray, axis: int) -> np.ndarray:
    dyadic = np.zeros((*v1.shape[:3], 3, 3), np.float32)
    for row in range(3):
        for column in range(row + 1):
            part = _along(v1[..., row] * v1[..., column], shift, axis)
            dyadic[..., row, column] = dyadic[..., column, row] = part
    inside = np.trace(dyadic, axis1=-2, axis2=-1) >= MASK_SHARE
    out = np.zeros_like(v1, dtype=np.float32)
    out[inside] = np.linalg.eigh(dyadic[inside])[1][..., -1]
    return out


def _along(array: np.ndarray, shift: np.ndarray, axis: int) -> np.ndarray:
    """Values at ``shift`` voxels further along an axis, linear; the edge goes on outside."""
    index = list(np.indices(array.shape, dtype=np.float32))
    index[axis] = index[axis] + shift
    return ndimage.map_coordinates(array, index, order=1, mode="nearest", output=np.float32)


def _fit(contrast: Volume, t1: Volume, region: Region, axis: int) -> np.ndarray | None:
    """Displacement (mm) along the axis, shape of the contrast; None where ITK finds none."""
    start, stop = _reach(contrast, region)
    if (stop - start < SMALLEST_VOXELS).any():
        return None
    part = crop(contrast, start, stop)
    grid = _coarse(part)
    # The B-spline's components run along the axes of physical space. In a space whose axes are
    # those of the grid, all but one of them can be held at zero.
    own = np.diag([*grid.spacing, 1.0])
    fixed = to_sitk(Volume(resample(shrunk(t1, GRID_MM), grid.shape, grid.affine).array, own))
    moving = to_sitk(Volume(np.ascontiguousarray(grid.array, np.float32), own))
    extent = np.array(grid.shape) * grid.spacing
    mesh = [max(1, round(length / KNOT_MM)) for length in extent]
    transform = sitk.BSplineTransformInitializer(fixed, mesh, 3)
    weights = np.zeros((3, transform.GetNumberOfParameters() // 3))
    weights[axis] = 1.0
    method = sitk.ImageRegistrationMethod()
    method.SetMetricAsMattesMutualInformation(BINS)
    method.SetMetricSamplingStrategy(method.NONE)
    method.SetInterpolator(sitk.sitkLinear)
    method.SetOptimizerAsRegularStepGradientDescent(*STEPS_MM, ITERATIONS, RELAXATION, 1e-6)
    method.SetOptimizerWeights(weights.ravel().tolist())
    method.SetShrinkFactorsPerLevel([1])
    method.SetSmoothingSigmasPerLevel([SIGMA_MM])
    method.SmoothingSigmasAreSpecifiedInPhysicalUnitsOn()
    method.SetNumberOfWorkUnits(WORK_UNITS)
    method.SetInitialTransform(transform, inPlace=True)
    try:
        with silenced_itk():
            method.Execute(fixed, moving)
    except RuntimeError:  # nothing to compare, see rigid.py
        return None
    field = sitk.TransformToDisplacementField(
        transform,
        sitk.sitkVectorFloat64,
        fixed.GetSize(),
        fixed.GetOrigin(),
        fixed.GetSpacing(),
        fixed.GetDirection(),
    )
    # from_sitk leaves components in LPS, where the first two axes run the other way.
    coarse = (-1.0 if axis < 2 else 1.0) * from_sitk(field).array[..., axis]
    fine = resample(Volume(coarse, grid.affine), part.shape, part.affine).array
    displacement = np.zeros(contrast.shape, np.float32)
    box = tuple(slice(a, b) for a, b in zip(start, stop, strict=True))
    displacement[box] = fine * _fading(part, region)
    return displacement


def _reach(contrast: Volume, region: Region) -> tuple[np.ndarray, np.ndarray]:
    """First and past-the-last voxel of the region with its margin, within the grid."""
    half = np.array(region.size_mm) / 2 + MARGIN_MM
    corners = region.centre + (np.indices((2, 2, 2)).reshape(3, -1).T * 2 - 1) * half
    inverse = np.linalg.inv(contrast.affine)
    index = corners @ inverse[:3, :3].T + inverse[:3, 3]
    size = np.array(contrast.shape)
    return (
        np.clip(np.floor(index.min(0)).astype(int), 0, size),
        np.clip(np.ceil(index.max(0)).astype(int) + 1, 0, size),
    )


def _coarse(part: Volume) -> Volume:
    """The part on a grid of about ``GRID_MM`` with the same axes."""
    extent = np.array(part.shape) * part.spacing
    shape = np.maximum(np.rint(extent / GRID_MM).astype(int), 2)
    spacing = extent / shape
    middle = part.affine[:3, :3] @ ((np.array(part.shape) - 1) / 2) + part.affine[:3, 3]
    affine = box_around(middle, shape, spacing, part.affine[:3, :3] / part.spacing)
    return resample(part, shape, affine)


def _fading(part: Volume, region: Region) -> np.ndarray:
    """1 in the region, falling to 0 over its margin, so that the field ends without a step."""
    index = np.moveaxis(np.indices(part.shape, dtype=np.float32), 0, -1)
    offset = index @ part.affine[:3, :3].T + part.affine[:3, 3] - region.centre
    beyond = np.maximum(np.abs(offset) - np.array(region.size_mm) / 2, 0).max(-1)
    return np.clip(1.0 - beyond / MARGIN_MM, 0.0, 1.0)
