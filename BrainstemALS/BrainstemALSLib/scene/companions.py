"""Nodes that hang on a segmentation: found by their reference, made where there is none."""

from __future__ import annotations

import numpy as np
import vtk
from vtk.util.numpy_support import numpy_to_vtk

from .nodes import ROLE, follow, hierarchy_of, item_of, matrix_of, move_to_item


def companion(segmentation: object, role: str, class_name: str, name: str) -> object:
    """Return the node of a role that hangs on a segmentation; made where there is none.

    Parameters
    ----------
    segmentation : vtkMRMLSegmentationNode
    role : str
        Name of the node reference; its last part becomes the role attribute.
    class_name, name : str
        Of a node that has to be made.
    """
    node = segmentation.GetNodeReference(role)
    if node is None:
        scene = segmentation.GetScene()
        node = scene.CreateNodeByClass(class_name)
        node.UnRegister(scene)
        node.SetName(scene.GenerateUniqueName(name))
        node.SetAttribute(ROLE, role.rpartition(".")[2].lower())
        node = scene.AddNode(node)
        segmentation.SetNodeReferenceID(role, node.GetID())
        put_beside(node, segmentation)
    return node


def put_beside(node: object, segmentation: object) -> None:
    """Put a node beside a segmentation in the subject hierarchy."""
    hierarchy = hierarchy_of(segmentation.GetScene())
    move_to_item(node, hierarchy.GetItemParent(item_of(segmentation)))


def put_array(node: object, array: np.ndarray, affine: np.ndarray, t1_node: object) -> None:
    """Give a volume node voxels and a place beside the T1.

    A new image each time: what was there before stays whole for whoever still holds it, such as
    ``RunUndo``.

    Parameters
    ----------
    node : vtkMRMLVolumeNode
    array : numpy.ndarray, shape (i, j, k) or (i, j, k, n)
    affine : numpy.ndarray, shape (4, 4)
        Voxel index to RAS mm, before the parent transforms of the T1, under which the node is put.
    t1_node : vtkMRMLScalarVolumeNode
    """
    image = vtk.vtkImageData()
    image.SetDimensions(*array.shape[:3])
    # VTK runs through i fastest, and keeps the values of a voxel together.
    if array.ndim == 3:
        flat = array.ravel(order="F")
    else:
        flat = np.ascontiguousarray(array.transpose(2, 1, 0, 3)).reshape(-1, array.shape[3])
    image.GetPointData().SetScalars(numpy_to_vtk(flat, deep=True))
    follow(node, t1_node)
    node.SetIJKToRASMatrix(matrix_of(affine))
    node.SetAndObserveImageData(image)
