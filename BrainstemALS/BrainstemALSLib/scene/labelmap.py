"""The voxels of a segmentation's label maps, as arrays on the grid of its T1.

Slicer keeps segments in layers: label maps that several segments share, each with a label value.
The Segment Editor moves a segment that comes to overlap another one into a layer of its own, and
shrinks or grows layers to their labels.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass

import numpy as np
import slicer
from vtk.util.numpy_support import numpy_to_vtk, vtk_to_numpy

from ..errors import BrainstemALSError, ExitCode
from .nodes import array_of, matrix_of, parent_to_world, voxel_to_local, voxel_to_world

LABELMAP = slicer.vtkSegmentationConverter.GetSegmentationBinaryLabelmapRepresentationName()
SURFACE = slicer.vtkSegmentationConverter.GetSegmentationClosedSurfaceRepresentationName()
# Part of a voxel that a corner may lie off the T1's grid: far above the rounding of any file
# format, and no label moves.
_GRID_TOLERANCE = 0.1

Box = tuple[tuple[int, int, int], tuple[int, int, int]]
"""First voxel of a box in the T1's grid, and its number of voxels, along (i, j, k)."""


@dataclass(frozen=True, eq=False)
class Layer:
    """One label map of a segmentation.

    Attributes
    ----------
    array : numpy.ndarray, shape (i, j, k)
        Label values; a view of the voxels in the scene.
    offset : tuple of 3 int
        Its first voxel in the T1's grid.
    values : dict
        Segment ID to label value.
    """

    array: np.ndarray
    offset: tuple[int, int, int]
    values: dict[str, int]


def layers_of(node: object, t1_node: object, ids: Collection[str]) -> list[Layer]:
    """Return the layers of a segmentation that hold some of the segments ``ids``.

    Raises
    ------
    BrainstemALSError
        MISMATCHED_IMAGES: the segmentation is no longer kept as label maps on the grid of the T1.
    """
    segmentation = node.GetSegmentation()
    if segmentation.GetSourceRepresentationName() != LABELMAP:
        raise BrainstemALSError(
            "segmentation",
            "it is kept as surfaces, no longer as label maps",
            "Make the binary labelmap its source again: Segmentations module, Representations.",
            ExitCode.MISMATCHED_IMAGES,
        )
    to_t1 = np.linalg.inv(voxel_to_world(t1_node, "T1")) @ parent_to_world(node, "segmentation")
    layers = []
    for number in range(segmentation.GetNumberOfLayers(LABELMAP)):
        found = [key for key in segmentation.GetSegmentIDsForLayer(number, LABELMAP) if key in ids]
        image = segmentation.GetLayerDataObject(number, LABELMAP)
        if not found or image is None or image.IsEmpty():
            continue
        array = vtk_to_numpy(image.GetPointData().GetScalars())
        array = array.reshape(image.GetDimensions(), order="F")
        on_grid = on_grid_of_t1(array, image.GetExtent()[::2], to_t1 @ _image_to_world(image))
        if on_grid is None:
            raise BrainstemALSError(
                "segmentation",
                "it no longer lies on the grid of the T1",
                "Give T1 and segmentation the same transform, and edit with the T1 as source "
                "volume; or segment again.",
                ExitCode.MISMATCHED_IMAGES,
            )
        values = {key: segmentation.GetSegment(key).GetLabelValue() for key in found}
        layers.append(Layer(*on_grid, values))
    return layers


def on_grid_of_t1(
    array: np.ndarray, first: Sequence[int], to_t1: np.ndarray
) -> tuple[np.ndarray, tuple[int, int, int]] | None:
    """Return an array in the T1's voxel order, and its first voxel there.

    An axis may run the other way: when Slicer reads an image whose axes are left-handed, it turns
    one round, and the T1 with it.

    Parameters
    ----------
    array : numpy.ndarray, shape (i, j, k)
    first : sequence of 3 int
        Index of its first voxel.
    to_t1 : numpy.ndarray, shape (4, 4)
        Its indices to voxel indices of the T1.

    Returns
    -------
    tuple of numpy.ndarray and offset, or None
        The array is a view. None where its voxels are not those of the T1.
    """
    exact = np.eye(4)
    exact[:3, :3] = np.rint(to_t1[:3, :3])
    exact[:3, 3] = np.rint(to_t1[:3, 3])
    signs = np.diag(exact)[:3].astype(int)
    if (np.abs(signs) != 1).any() or np.count_nonzero(exact[:3, :3]) != 3:
        return None
    ends = np.array([first, np.add(first, array.shape) - 1])
    corners = np.array(np.meshgrid(*ends.T, [1])).reshape(4, -1)
    if np.abs((to_t1 - exact) @ corners).max() > _GRID_TOLERANCE:
        return None
    offset = (signs * ends + exact[:3, 3].astype(int)).min(axis=0)
    return array[tuple(slice(None, None, sign) for sign in signs)], tuple(offset.tolist())


def image_of(
    array: np.ndarray, offset: Sequence[int], node: object, t1_node: object
) -> slicer.vtkOrientedImageData:
    """Return a label map for a segmentation node, of an array that begins at a voxel of the T1."""
    image = slicer.vtkOrientedImageData()
    extent = [(first, first + n - 1) for first, n in zip(offset, array.shape, strict=True)]
    image.SetExtent([int(bound) for pair in extent for bound in pair])
    if node.GetParentTransformNode() is t1_node.GetParentTransformNode():
        affine = voxel_to_local(t1_node)
    else:
        to_local = np.linalg.inv(parent_to_world(node, "segmentation"))
        affine = to_local @ voxel_to_world(t1_node, "T1")
    image.SetGeometryFromImageToWorldMatrix(matrix_of(affine))
    image.GetPointData().SetScalars(numpy_to_vtk(array.ravel(order="F"), deep=True))
    return image


def extent_of(layer: Layer) -> Box | None:
    """Return the smallest box around the segments of a layer; None when they are empty."""
    inside = recoded(layer, dict.fromkeys(layer.values, 1)).astype(bool)
    first, shape = [], []
    for axis in range(3):
        along = np.flatnonzero(inside.any(axis=tuple({0, 1, 2} - {axis})))
        if not along.size:
            return None
        first.append(int(along[0]) + layer.offset[axis])
        shape.append(int(along[-1] - along[0]) + 1)
    return tuple(first), tuple(shape)


def recoded(layer: Layer, indices: dict[str, int]) -> np.ndarray:
    """Return a layer with the label values of its segments replaced, the others 0; uint8."""
    if layer.array.dtype == np.uint8:
        table = np.zeros(256, np.uint8)
        for key, value in layer.values.items():
            table[value] = indices[key]
        return table[layer.array]
    new = np.zeros(layer.array.shape, np.uint8, order="F")
    for key, value in layer.values.items():
        new[layer.array == value] = indices[key]
    return new


def only(labels: np.ndarray, indices: Collection[int]) -> np.ndarray:
    """Return a label map, uint8, with these labels alone, the others 0."""
    table = np.zeros(256, np.uint8)
    table[list(indices)] = list(indices)
    return table[labels]


def united(boxes: Sequence[Box]) -> Box:
    """Return the smallest box around boxes."""
    first = np.min([offset for offset, _ in boxes], axis=0)
    last = np.max([np.add(offset, shape) for offset, shape in boxes], axis=0)
    return tuple(first.tolist()), tuple((last - first).tolist())


def clipped(box: Box, shape: Sequence[int]) -> Box | None:
    """Return the part of a box inside a grid; None where there is none."""
    first = np.clip(box[0], 0, shape)
    last = np.clip(np.add(box[0], box[1]), 0, shape)
    if (last <= first).any():
        return None
    return tuple(first.tolist()), tuple((last - first).tolist())


def placed(array: np.ndarray, offset: Sequence[int], box: Box) -> np.ndarray:
    """Return the part of an array in a box, 0 where the array does not reach."""
    new = np.zeros(box[1], array.dtype, order="F")
    start = np.subtract(offset, box[0])
    first = np.maximum(start, 0)
    last = np.minimum(start + array.shape, box[1])
    if (last > first).all():
        target = tuple(slice(a, b) for a, b in zip(first, last, strict=True))
        source = tuple(slice(a, b) for a, b in zip(first - start, last - start, strict=True))
        new[target] = array[source]
    return new


def _image_to_world(image: slicer.vtkOrientedImageData) -> np.ndarray:
    matrix = matrix_of(np.eye(4))
    image.GetImageToWorldMatrix(matrix)
    return array_of(matrix)
