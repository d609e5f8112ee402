"""Volume nodes to arrays with their place in the patient."""

from __future__ import annotations

import numpy as np
from vtk.util.numpy_support import vtk_to_numpy

from ..errors import BrainstemALSError, ExitCode
from ..imaging.volume import Volume
from .nodes import grid_shape, scene_of, voxel_to_world


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


def tensors_from_node(node: object | None) -> Volume:
    """Return the tensors of a diffusion tensor volume node.

    Parameters
    ----------
    node : vtkMRMLDiffusionTensorVolumeNode or None

    Returns
    -------
    Volume
        Array (i, j, k, 3, 3), a view; affine to world RAS mm. The axes of the tensors are those of
        the node's measurement frame: good for what does not depend on them, such as FA and MD.

    Raises
    ------
    BrainstemALSError
        UNSUITABLE_DIFFUSION: not such a node, or without tensors. UNSUITABLE_IMAGE as for
        ``volume_from_node``.
    """
    what = "DTI"
    scene_of(node, what)
    if not node.IsA("vtkMRMLDiffusionTensorVolumeNode"):
        raise BrainstemALSError(
            what,
            "it is not a diffusion tensor volume",
            "Choose a tensor volume, or give FA and MD maps.",
            ExitCode.UNSUITABLE_DIFFUSION,
        )
    image = node.GetImageData()
    tensors = None if image is None else image.GetPointData().GetTensors()
    if tensors is None or tensors.GetNumberOfComponents() != 9:
        raise BrainstemALSError(
            what,
            "it is a DTI without tensor data",
            "Load the tensors again, or give FA and MD maps.",
            ExitCode.UNSUITABLE_DIFFUSION,
        )
    shape = grid_shape(node, what)
    array = vtk_to_numpy(tensors).reshape((*reversed(shape), 3, 3))
    return Volume(np.transpose(array, (2, 1, 0, 3, 4)), voxel_to_world(node, what))


def _unsuitable(what: str, problem: str, remedy: str) -> BrainstemALSError:
    return BrainstemALSError(what, problem, remedy, ExitCode.UNSUITABLE_IMAGE)
