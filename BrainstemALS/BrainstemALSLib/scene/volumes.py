"""Volume nodes to arrays with their place in the patient."""

from __future__ import annotations

import numpy as np
import vtk
from vtk.util.numpy_support import vtk_to_numpy

from ..errors import BrainstemALSError, ExitCode
from ..imaging.checks import LARGEST_AXIS_COSINE
from ..imaging.dwi import B0_LIMIT, Dwi
from ..imaging.volume import Volume
from .nodes import array_of, grid_shape, parent_to_world, scene_of, voxel_to_world


def volume_from_node(node: object | None, what: str = "T1") -> Volume:
    """Return the image of a scalar volume node.

    Parameters
    ----------
    node : vtkMRMLScalarVolumeNode or None
        Its parent transforms, nested ones included, are part of the affine.
    what : str
        Name of the image for the reader, ``"T1"``; never the node's own, which may be a patient's.

    Returns
    -------
    Volume
        Array (i, j, k), a view of the node's voxels in their own type; affine to world RAS mm.
        Whether the voxels are numbers is for the worker to check.

    Raises
    ------
    BrainstemALSError
        UNSUITABLE_IMAGE: no node, a removed one, no image data, no scalar 3D image, a parent
        transform that is not linear or shears.
    """
    scene_of(node, what)
    if not node.IsA("vtkMRMLScalarVolumeNode") or node.IsA("vtkMRMLDiffusionTensorVolumeNode"):
        raise _unsuitable(what, "it is not a scalar image", "Choose a scalar volume.")
    if node.IsA("vtkMRMLLabelMapVolumeNode"):
        raise _unsuitable(what, "it is a label map", "Choose the image itself.")
    shape = grid_shape(node, what)
    scalars = node.GetImageData().GetPointData().GetScalars()
    if scalars is None:
        raise _unsuitable(what, "it has no voxel values", "Load the image again.")
    if scalars.GetNumberOfComponents() != 1:
        raise _unsuitable(
            what,
            f"it has {scalars.GetNumberOfComponents()} values per voxel (a series, a colour image "
            "or a vector map)",
            "Choose a single scalar volume.",
        )
    if min(shape) < 2:
        raise _unsuitable(what, "it is a single slice", "Load the whole 3D volume.")
    return Volume(vtk_to_numpy(scalars).reshape(shape, order="F"), voxel_to_world(node, what))


def directions_from_node(node: object | None) -> Volume:
    """Return the directions of a vector volume node that ``map_nodes.show_maps`` made.

    Parameters
    ----------
    node : vtkMRMLVectorVolumeNode or None
        Three values per voxel, in the axes of the node; its parent transforms turn them.

    Returns
    -------
    Volume
        Array (i, j, k, 3), float32, in world RAS; affine to world RAS mm.

    Raises
    ------
    BrainstemALSError
        UNSUITABLE_DIFFUSION: not three values per voxel, or a transform that stretches.
        UNSUITABLE_IMAGE as for ``volume_from_node``.
    """
    what = "V1"
    scene_of(node, what)
    shape = grid_shape(node, what)
    scalars = node.GetImageData().GetPointData().GetScalars()
    if scalars is None or scalars.GetNumberOfComponents() != 3:
        raise _no_diffusion(what, "it has no directions", "Segment the exam again.")
    affine, turn = voxel_to_world(node, what), _rotation_to_world(node, what)
    array = vtk_to_numpy(scalars).reshape((*reversed(shape), 3))
    directions = np.transpose(array, (2, 1, 0, 3)).astype(np.float32) @ turn.T.astype(np.float32)
    return Volume(directions, affine)


def tensors_from_node(node: object | None) -> Volume:
    """Return the tensors of a diffusion tensor volume node.

    Parameters
    ----------
    node : vtkMRMLDiffusionTensorVolumeNode or None
        Its measurement frame and parent transforms are applied: to the place of the voxels and to
        the axes of the tensors.

    Returns
    -------
    Volume
        Array (i, j, k, 3, 3) with axes in world RAS; affine to world RAS mm. A view where the axes
        of the node are those of the world.

    Raises
    ------
    BrainstemALSError
        UNSUITABLE_DIFFUSION: not such a node, without tensors, or its axes are not perpendicular.
        UNSUITABLE_IMAGE as for ``volume_from_node``.
    """
    what = "DTI"
    scene_of(node, what)
    if not node.IsA("vtkMRMLDiffusionTensorVolumeNode"):
        raise _no_diffusion(
            what,
            "it is not a diffusion tensor volume",
            "Choose a tensor volume, or give FA and MD maps.",
        )
    image = node.GetImageData()
    tensors = None if image is None else image.GetPointData().GetTensors()
    if tensors is None or tensors.GetNumberOfComponents() != 9:
        raise _no_diffusion(
            what,
            "it is a DTI without tensor data",
            "Load the tensors again, or give FA and MD maps.",
        )
    shape = grid_shape(node, what)
    affine, axes = voxel_to_world(node, what), _axes_to_world(node, what)
    flat = vtk_to_numpy(tensors)
    if not np.allclose(axes, np.eye(3), atol=1e-9):
        # (A T A') of all voxels as one product: row by row, it is T times the square of A.
        flat = flat @ np.kron(axes, axes).T.astype(flat.dtype)
    array = flat.reshape((*reversed(shape), 3, 3))
    return Volume(np.transpose(array, (2, 1, 0, 3, 4)), affine)


def dwi_from_node(node: object | None) -> Dwi:
    """Return the series of a diffusion-weighted volume node.

    Slicer gives every volume its own b-value, and a gradient of unit length in the node's
    measurement frame, which leads to RAS.

    Parameters
    ----------
    node : vtkMRMLDiffusionWeightedVolumeNode or None
        Its measurement frame and parent transforms are applied: to the place of the voxels and to
        the gradients.

    Returns
    -------
    Dwi
        The array (i, j, k, n) is a view of the node's voxels in their own type. Gradients are in
        world RAS. A node says nothing of the phase encoding, nor of earlier corrections.

    Raises
    ------
    BrainstemALSError
        UNSUITABLE_DIFFUSION: not such a node, no or too few gradients or b-values, values that are
        no numbers, nothing weighted, or axes that are not perpendicular. UNSUITABLE_IMAGE as for
        ``volume_from_node``.
    """
    what = "DWI"
    scene_of(node, what)
    if not node.IsA("vtkMRMLDiffusionWeightedVolumeNode"):
        raise _no_diffusion(
            what,
            "it is not a diffusion-weighted series",
            "Choose a diffusion-weighted volume; a plain series has no gradients.",
        )
    shape = grid_shape(node, what)
    scalars = node.GetImageData().GetPointData().GetScalars()
    if scalars is None:
        raise _unsuitable(what, "it has no voxel values", "Load the series again.")
    if min(shape) < 2:
        raise _unsuitable(what, "it is a single slice", "Load the whole series.")
    bvals, gradients = _gradients(node, scalars.GetNumberOfComponents())
    affine, axes = voxel_to_world(node, what), _axes_to_world(node, what)
    array = vtk_to_numpy(scalars).reshape((*reversed(shape), len(bvals)))
    return Dwi(
        Volume(np.transpose(array, (2, 1, 0, 3)), affine), bvals, _unit(gradients @ axes.T, bvals)
    )


def _gradients(node: object, count: int) -> tuple[np.ndarray, np.ndarray]:
    """Return b-values (n,) and gradients (n, 3) as the node has them, float64 and checked."""
    what, again = "DWI", "Load or convert the series again, with its gradients."
    given = node.GetBValues(), node.GetDiffusionGradients()
    if any(one is None or one.GetNumberOfTuples() == 0 for one in given):
        raise _no_diffusion(what, "it has no gradients or no b-values", again)
    bvals, gradients = (np.array(vtk_to_numpy(one), dtype=float) for one in given)
    if bvals.shape != (count,) or gradients.shape != (count, 3):
        raise _no_diffusion(
            what,
            f"it has {count} images, but {len(bvals)} b-values and {len(gradients)} gradients",
            again,
        )
    if not (np.isfinite(bvals).all() and np.isfinite(gradients).all()) or bvals.min() < 0:
        raise _no_diffusion(what, "its gradients or b-values are no valid numbers", again)
    if bvals.max() <= B0_LIMIT or not gradients.any():
        raise _no_diffusion(
            what,
            "none of its images is diffusion-weighted: its gradients or b-values are all zero",
            again,
        )
    return bvals, gradients


def _unit(gradients: np.ndarray, bvals: np.ndarray) -> np.ndarray:
    """Gradients (n, 3) of unit length; zeros where nothing is weighted."""
    lengths = np.linalg.norm(gradients, axis=1)
    weighted = (lengths > 0) & (bvals > B0_LIMIT)
    return np.where(weighted[:, None], gradients / np.where(weighted, lengths, 1.0)[:, None], 0.0)


def _axes_to_world(node: object, what: str) -> np.ndarray:
    """Matrix (3, 3) from the node's measurement frame to world RAS: a rotation, or a mirror too.

    A node whose file names no measurement frame has the unit matrix, whatever the space of the
    file; that its axes are others can't be seen here.
    """
    matrix = vtk.vtkMatrix4x4()
    node.GetMeasurementFrameMatrix(matrix)
    frame, parent = array_of(matrix)[:3, :3], _rotation_to_world(node, what)
    if not _is_orthogonal(frame):
        raise _no_diffusion(
            what,
            "the axes of its measurement frame are not perpendicular to each other",
            "Load or convert it again from its files.",
        )
    return parent @ frame


def _rotation_to_world(node: object, what: str) -> np.ndarray:
    """Rotation (3, 3) of the transforms above a node; a mirror too."""
    parent = parent_to_world(node, what)[:3, :3]
    if not _is_orthogonal(parent):
        raise _no_diffusion(
            what,
            "the transform above it stretches or shears, which no diffusion direction survives",
            "Put it under a rigid transform, or under none: it is registered to the T1 by itself.",
        )
    return parent


def _is_orthogonal(matrix: np.ndarray) -> bool:
    product = matrix.T @ matrix
    return bool(np.abs(product - np.eye(3)).max() <= LARGEST_AXIS_COSINE)


def _no_diffusion(what: str, problem: str, remedy: str) -> BrainstemALSError:
    return BrainstemALSError(what, problem, remedy, ExitCode.UNSUITABLE_DIFFUSION)


def _unsuitable(what: str, problem: str, remedy: str) -> BrainstemALSError:
    return BrainstemALSError(what, problem, remedy, ExitCode.UNSUITABLE_IMAGE)
