"""The rigid movement that lays a diffusion image on the T1, found by mutual information.

Mattes et al. 2003 (doi:10.1109/TMI.2003.809072), as SimpleITK has it. Every voxel of a coarse grid
is used, so nothing is drawn at random, and one thread sums: the same images give the same movement,
to the last bit, on any number of cores.
"""

from __future__ import annotations

import numpy as np
import SimpleITK as sitk

from ..geometry import box_around, resample, shrunk, to_sitk
from ..itk_output import silenced_itk
from ..volume import Volume
from .region import Region, middle_of

# RAS to LPS and back.
_FLIP = np.diag([-1.0, -1.0, 1.0, 1.0])
BINS = 32
# Several threads sum in the order in which they finish: measured, 1e-8 from one run to the next.
WORK_UNITS = 1
HEAD_GRID_MM, HEAD_SIGMAS_MM = 4.0, (4.0, 0.0)
REGION_SIGMAS_MM = (2.0, 0.0)
# First step and the step at which to stop, in mm of voxel movement.
HEAD_STEPS_MM, REGION_STEPS_MM = (4.0, 0.02), (1.0, 0.005)
ITERATIONS = 80
RELAXATION = 0.6
"""Our own choices, by the time and the error on simulated starts."""


def head_movement(
    contrast: Volume, t1: Volume, start: np.ndarray, centre: np.ndarray
) -> np.ndarray | None:
    """Rigid movement by the whole head, at 4 mm.

    Parameters
    ----------
    contrast : Volume
        b0, FA or MD, shape (i, j, k).
    t1 : Volume
    start : numpy.ndarray, shape (4, 4)
        RAS mm of the contrast to RAS mm of the T1, where to begin.
    centre : numpy.ndarray, shape (3,)
        About which to turn, RAS mm of the T1.

    Returns
    -------
    numpy.ndarray, shape (4, 4), or None
        Like ``start``; None where the images do not meet.
    """
    extent = np.abs(t1.affine[:3, :3] @ np.diag(t1.shape)).sum(1)
    shape = tuple(int(n) for n in np.ceil(extent / HEAD_GRID_MM))
    fixed = resample(
        shrunk(t1, HEAD_GRID_MM), shape, box_around(middle_of(t1), shape, HEAD_GRID_MM)
    )
    moving = shrunk(contrast, HEAD_GRID_MM)
    return _optimise(fixed, moving, start, centre, HEAD_SIGMAS_MM, HEAD_STEPS_MM)


def region_movement(
    contrast: Volume, t1: Volume, start: np.ndarray, region: Region
) -> np.ndarray | None:
    """Rigid movement by the region and its context; parameters and result as ``head_movement``."""
    fixed = region.context.sample(t1, region.grid_mm)
    return _optimise(fixed, contrast, start, region.centre, REGION_SIGMAS_MM, REGION_STEPS_MM)


def centred_start(contrast: Volume, t1: Volume) -> np.ndarray:
    """Movement that lays the centre of mass of one image on that of the other."""
    shift = np.eye(4)
    shift[:3, 3] = _centre_of_mass(t1) - _centre_of_mass(contrast)
    return shift


def _centre_of_mass(volume: Volume) -> np.ndarray:
    small = shrunk(volume, 2 * HEAD_GRID_MM)
    weight = np.clip(small.array, 0, np.percentile(small.array, 99))
    if not weight.any():
        return middle_of(volume)
    index = [
        np.average(np.arange(n), weights=weight.sum(tuple(a for a in range(3) if a != axis)))
        for axis, n in enumerate(small.shape)
    ]
    return small.affine[:3, :3] @ index + small.affine[:3, 3]


def _optimise(
    fixed: Volume,
    moving: Volume,
    start: np.ndarray,
    centre: np.ndarray,
    sigmas: tuple[float, ...],
    steps: tuple[float, float],
) -> np.ndarray | None:
    transform = sitk.Euler3DTransform()
    transform.SetCenter((_FLIP[:3, :3] @ centre).tolist())
    # ITK maps points of the fixed image to the moving one: the other way round.
    _set_matrix(transform, _FLIP @ np.linalg.inv(start) @ _FLIP)
    method = sitk.ImageRegistrationMethod()
    method.SetMetricAsMattesMutualInformation(BINS)
    method.SetMetricSamplingStrategy(method.NONE)
    method.SetInterpolator(sitk.sitkLinear)
    method.SetOptimizerAsRegularStepGradientDescent(
        steps[0], steps[1], ITERATIONS, RELAXATION, 1e-6
    )
    method.SetOptimizerScalesFromPhysicalShift()
    method.SetShrinkFactorsPerLevel([1] * len(sigmas))
    method.SetSmoothingSigmasPerLevel(sigmas)
    method.SmoothingSigmasAreSpecifiedInPhysicalUnitsOn()
    method.SetNumberOfWorkUnits(WORK_UNITS)
    method.SetInitialTransform(transform, inPlace=True)
    try:
        with silenced_itk():
            method.Execute(_image(fixed), _image(moving))
    except RuntimeError:  # ITK's word for images that do not meet, or that hold a single value
        return None
    found = np.eye(4)
    found[:3, :3] = np.array(transform.GetMatrix()).reshape(3, 3)
    pivot = np.array(transform.GetCenter())
    found[:3, 3] = pivot + transform.GetTranslation() - found[:3, :3] @ pivot
    return np.linalg.inv(_FLIP @ found @ _FLIP)


def _image(volume: Volume) -> sitk.Image:
    return to_sitk(Volume(volume.array.astype(np.float32, copy=False), volume.affine))


def _set_matrix(transform: sitk.Euler3DTransform, matrix: np.ndarray) -> None:
    pivot = np.array(transform.GetCenter())
    transform.SetMatrix(matrix[:3, :3].ravel().tolist(), 1e-6)
    transform.SetTranslation((matrix[:3, :3] @ pivot + matrix[:3, 3] - pivot).tolist())
