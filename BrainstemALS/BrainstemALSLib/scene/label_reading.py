"""Labels as they are in the scene now, and what was changed since the prediction."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ..anatomy import by_key, load_structures
from .labelmap import Box, clipped, extent_of, layers_of, only, placed, recoded, united
from .nodes import grid_shape, scene_of


def read_labels(
    node: object,
    t1_node: object,
    offset: Sequence[int],
    shape: Sequence[int],
    prediction: np.ndarray | None = None,
) -> np.ndarray:
    """Return the labels of a box of the T1's grid, as they are in the scene now.

    The exact inverse of ``write_labels``. Segments that are no structure of the table are not part
    of it, and neither is what lies outside the T1's grid.

    Where segments overlap, one that was not predicted there has the voxel before one that was,
    because somebody painted it; then the one with the higher index.

    Parameters
    ----------
    node : vtkMRMLSegmentationNode
    t1_node : vtkMRMLScalarVolumeNode
    offset, shape : sequence of 3 int
        First voxel and size of the box. Take ``edited_extent`` for a box that misses nothing.
    prediction : numpy.ndarray, shape (i, j, k), optional
        What was predicted in this box; without it overlaps go to the higher index.

    Returns
    -------
    numpy.ndarray, shape (i, j, k)
        uint8, values ``Structure.index``.

    Raises
    ------
    ValueError
        There are labels outside the box.
    BrainstemALSError
        MISMATCHED_IMAGES: the segmentation does not lie on the grid of the T1.
    """
    box = (tuple(int(n) for n in offset), tuple(int(n) for n in shape))
    if edited_extent(node, t1_node, *box) != box:
        raise ValueError("labels lie outside the box; ask edited_extent for one that has them")
    indices = {structure.key: structure.index for structure in load_structures()}
    labels = np.zeros(box[1], np.uint8, order="F")
    painted = np.zeros_like(labels)
    layers = layers_of(node, t1_node, indices)
    for layer in layers:
        part = placed(recoded(layer, indices), layer.offset, box)
        np.maximum(labels, part, out=labels)
        if prediction is not None and len(layers) > 1:
            np.maximum(painted, np.where(part == prediction, 0, part), out=painted)
    return np.where(painted > 0, painted, labels)


def edited_extent(
    node: object, t1_node: object, offset: Sequence[int], shape: Sequence[int]
) -> Box:
    """Return a box of the T1's grid, grown so that it has every labelled voxel in it.

    Returns
    -------
    offset, shape : tuple of 3 int
        Those given, unless somebody painted outside.
    """
    scene_of(node, "segmentation")
    scene_of(t1_node, "T1")
    boxes = [(tuple(int(n) for n in offset), tuple(int(n) for n in shape))]
    for layer in layers_of(node, t1_node, by_key()):
        extent = extent_of(layer)
        inside = extent and clipped(extent, grid_shape(t1_node, "T1"))
        if inside:
            boxes.append(inside)
    return united(boxes)


def corrected_keys(
    node: object, prediction: np.ndarray, offset: Sequence[int], t1_node: object
) -> tuple[str, ...]:
    """Return the structures that gained or lost a voxel since the prediction, by index.

    Parameters
    ----------
    node : vtkMRMLSegmentationNode
    prediction : numpy.ndarray, shape (i, j, k)
        uint8, values ``Structure.index``; a box of the T1's grid.
    offset : sequence of 3 int
        First voxel of the box.
    t1_node : vtkMRMLScalarVolumeNode
    """
    box = edited_extent(node, t1_node, offset, prediction.shape)
    predicted = placed(prediction, offset, box)
    indices = {structure.key: structure.index for structure in load_structures()}
    unseen = set(indices)
    changed: set[int] = set()
    for layer in layers_of(node, t1_node, indices):
        now = placed(recoded(layer, indices), layer.offset, box)
        before = only(predicted, [indices[key] for key in layer.values])
        differs = now != before
        changed.update(np.unique(now[differs]).tolist(), np.unique(before[differs]).tolist())
        unseen -= set(layer.values)
    if unseen:
        changed.update(np.unique(only(predicted, [indices[key] for key in unseen])).tolist())
    return tuple(structure.key for structure in load_structures() if structure.index in changed)
