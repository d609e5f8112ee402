"""Marks that this library leaves on nodes, and what every function asks of a node first."""

from __future__ import annotations

import numpy as np
import slicer
import vtk

from ..errors import BrainstemALSError, ExitCode
from ..imaging.checks import LARGEST_AXIS_COSINE

PREFIX = "BrainstemALS."
ROLE = PREFIX + "Role"
"""Attribute: what a node is to the library, ``segmentation``, ``entropy``, ``prediction`` ..."""
T1 = PREFIX + "T1"
"""Node reference from a segmentation to its T1. Not Slicer's reference geometry: the Segment Editor
changes that one whenever the user picks another source volume."""


def scene_of(node: object | None, what: str) -> object:
    """Return the scene of a node.

    Raises
    ------
    BrainstemALSError
        UNSUITABLE_IMAGE: there is no node, or it was removed from its scene.
    """
    if node is None:
        raise BrainstemALSError(
            what,
            "no image is chosen",
            "Choose one, or load it first.",
            ExitCode.UNSUITABLE_IMAGE,
        )
    scene = node.GetScene()
    if scene is None:
        raise BrainstemALSError(
            what,
            "it is no longer in the scene",
            "Load it again and choose it.",
            ExitCode.UNSUITABLE_IMAGE,
        )
    return scene


def in_scene(node: object | None) -> bool:
    """Return whether there is a node and it still belongs to a scene."""
    return node is not None and node.GetScene() is not None


def nodes_of_class(scene: object, name: str) -> list[object]:
    """Return all nodes of a class, in the order of the scene."""
    return [scene.GetNthNodeByClass(n, name) for n in range(scene.GetNumberOfNodesByClass(name))]


def parent_to_world(node: object, what: str) -> np.ndarray:
    """Return the matrix (4, 4) of a node's parent transforms, nested ones included, in RAS mm.

    Raises
    ------
    BrainstemALSError
        UNSUITABLE_IMAGE: one of them is not linear.
    """
    parent = node.GetParentTransformNode()
    if parent is None:
        return np.eye(4)
    matrix = vtk.vtkMatrix4x4()
    if not parent.IsTransformToWorldLinear() or not parent.GetMatrixTransformToWorld(matrix):
        raise BrainstemALSError(
            what,
            "it lies under a transform that is not linear",
            "Harden it first: Data module, right click, Harden transform.",
            ExitCode.UNSUITABLE_IMAGE,
        )
    return array_of(matrix)


def voxel_to_local(node: object) -> np.ndarray:
    """Return the affine (4, 4) of a volume node without its parent transforms, RAS mm."""
    matrix = vtk.vtkMatrix4x4()
    node.GetIJKToRASMatrix(matrix)
    return array_of(matrix)


def voxel_to_world(node: object, what: str) -> np.ndarray:
    """Return the affine (4, 4) of a volume node, voxel index to world RAS mm.

    Raises
    ------
    BrainstemALSError
        UNSUITABLE_IMAGE: a parent transform is not linear, or the voxel axes are not perpendicular
        once it is applied.
    """
    affine = parent_to_world(node, what) @ voxel_to_local(node)
    lengths = np.linalg.norm(affine[:3, :3], axis=0)
    if not np.isfinite(affine).all() or (lengths < 1e-6).any():
        raise BrainstemALSError(
            what,
            "its geometry is not valid",
            "Load the image again from its files.",
            ExitCode.UNSUITABLE_IMAGE,
        )
    axes = affine[:3, :3] / lengths
    if np.abs(axes.T @ axes - np.eye(3)).max() > LARGEST_AXIS_COSINE:
        raise BrainstemALSError(
            what,
            "its voxel axes are not perpendicular to each other, or the transform above it shears",
            "Resample it to a rectangular grid first, for example with Crop Volume.",
            ExitCode.UNSUITABLE_IMAGE,
        )
    return affine


def grid_shape(node: object, what: str) -> tuple[int, int, int]:
    """Return the voxels of a volume node along (i, j, k).

    Raises
    ------
    BrainstemALSError
        UNSUITABLE_IMAGE: the node has no image data.
    """
    image = node.GetImageData()
    if image is None or min(image.GetDimensions()) < 1:
        raise BrainstemALSError(
            what,
            "it has no image data",
            "Load the image again; a scene may have been saved without its files.",
            ExitCode.UNSUITABLE_IMAGE,
        )
    return tuple(image.GetDimensions())


def matrix_of(array: np.ndarray) -> vtk.vtkMatrix4x4:
    """Return a VTK matrix of an array (4, 4)."""
    matrix = vtk.vtkMatrix4x4()
    matrix.DeepCopy(np.asarray(array, dtype=float).ravel().tolist())
    return matrix


def array_of(matrix: vtk.vtkMatrix4x4) -> np.ndarray:
    """Return an array (4, 4) of a VTK matrix."""
    return np.array([[matrix.GetElement(r, c) for c in range(4)] for r in range(4)])


def follow(node: object, other: object) -> None:
    """Put a node under the parent transform of another."""
    node.SetAndObserveTransformNodeID(other.GetTransformNodeID())


def hierarchy_of(scene: object) -> object:
    """Return the subject hierarchy of a scene."""
    return slicer.vtkMRMLSubjectHierarchyNode.ResolveSubjectHierarchy(scene)


def move_to_item(node: object, parent: int) -> None:
    """Put a node below an item of the subject hierarchy."""
    hierarchy = hierarchy_of(node.GetScene())
    item = hierarchy.GetItemByDataNode(node)
    if item:
        hierarchy.SetItemParent(item, parent)
    else:
        hierarchy.CreateItem(parent, node)


def item_of(node: object) -> int:
    """Return a node's item in the subject hierarchy, made at its root where there is none."""
    hierarchy = hierarchy_of(node.GetScene())
    item = hierarchy.GetItemByDataNode(node)
    return item or hierarchy.CreateItem(hierarchy.GetSceneItemID(), node)
