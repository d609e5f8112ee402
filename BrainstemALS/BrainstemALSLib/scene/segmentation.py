"""One segmentation node per result: segment IDs are the structures' keys and never change."""

from __future__ import annotations

import secrets
from collections.abc import Collection, Iterable, Sequence

import numpy as np
import slicer

from ..anatomy import by_key, load_structures
from ..errors import BrainstemALSError, ExitCode
from .label_reading import corrected_keys, edited_extent, read_labels
from .labelmap import (
    SURFACE,
    Box,
    clipped,
    extent_of,
    image_of,
    layers_of,
    only,
    placed,
    recoded,
    united,
)
from .nodes import (
    PREFIX,
    ROLE,
    T1,
    follow,
    grid_shape,
    hierarchy_of,
    in_scene,
    item_of,
    move_to_item,
    nodes_of_class,
    scene_of,
)
from .segments import put_segment, separate_others

__all__ = [
    "approved_case",
    "corrected_keys",
    "edited_extent",
    "edited_since_approval",
    "mark_approved",
    "new_segmentation",
    "note_edit",
    "read_labels",
    "segmentations_of",
    "write_labels",
]

APPROVED = PREFIX + "Approved"
EDITED = PREFIX + "EditedSinceApproval"
WORK = PREFIX + "Work"
_FOLDER = "BrainstemALS"


def new_segmentation(t1_node: object, name: str) -> object:
    """Add an empty segmentation to the scene of a T1.

    Its reference geometry is the whole T1, its parent transform the T1's. In the subject hierarchy
    it lies in the T1's study; without a study, in one folder per T1 beside it.

    Parameters
    ----------
    t1_node : vtkMRMLScalarVolumeNode
    name : str
        A number is added where the scene has the name already.

    Returns
    -------
    vtkMRMLSegmentationNode
    """
    scene = scene_of(t1_node, "T1")
    grid_shape(t1_node, "T1")
    parent = _home(t1_node)
    node = scene.AddNewNodeByClass("vtkMRMLSegmentationNode", scene.GenerateUniqueName(name))
    node.CreateDefaultDisplayNodes()
    follow(node, t1_node)
    node.SetReferenceImageGeometryParameterFromVolumeNode(t1_node)
    node.SetNodeReferenceID(T1, t1_node.GetID())
    node.SetAttribute(ROLE, "segmentation")
    move_to_item(node, parent)
    return node


def segmentations_of(t1_node: object) -> list[object]:
    """Return the segmentations that were made from a T1, the oldest first."""
    if not in_scene(t1_node):
        return []
    return [
        node
        for node in nodes_of_class(t1_node.GetScene(), "vtkMRMLSegmentationNode")
        if node.GetAttribute(ROLE) == "segmentation" and node.GetNodeReference(T1) is t1_node
    ]


def write_labels(
    node: object,
    labels: np.ndarray,
    offset: Sequence[int],
    t1_node: object,
    keys: Iterable[str],
    keep: Collection[str] = (),
) -> None:
    """Write a label map into a segmentation.

    All structures share one label map, so that this takes milliseconds, except for kept segments
    that overlap each other: these stay in layers of their own. Segments that the user added are
    not touched; names and colours that the user changed stay. Surfaces are removed: they would
    show the old labels.

    Parameters
    ----------
    node : vtkMRMLSegmentationNode
    labels : numpy.ndarray, shape (i, j, k)
        uint8, values ``Structure.index``; a box of the T1's grid.
    offset : sequence of 3 int
        First voxel of the box in the T1's grid.
    t1_node : vtkMRMLScalarVolumeNode
    keys : iterable of str
        Structures that get a segment, also where they have no voxel.
    keep : collection of str
        Structures that stay as they are in the scene. Their voxels are not written to, and the
        label map adds none to them.

    Raises
    ------
    BrainstemALSError
        OUTPUT_REFUSED: the segmentation is approved. MISMATCHED_IMAGES: it does not lie on the
        grid of the T1.
    """
    scene_of(node, "segmentation")
    scene_of(t1_node, "T1")
    if approved_case(node) is not None:
        raise BrainstemALSError(
            "segmentation",
            "it is approved and is not written to any more",
            "Segment into a new segmentation.",
            ExitCode.OUTPUT_REFUSED,
        )
    segmentation = node.GetSegmentation()
    structures = by_key()
    present = [key for key in segmentation.GetSegmentIDs() if key in structures]
    kept = [key for key in present if key in set(keep)]
    box, parts = _kept(node, t1_node, kept, (tuple(offset), labels.shape))
    shared = placed(labels, offset, box)
    if keep:
        shared = only(shared, [s.index for key, s in structures.items() if key not in keep])
    alone = {}
    taken = np.zeros(box[1], bool, order="F")
    for part in parts:  # segments of one part do not overlap each other
        overlapping = np.unique(part[(part > 0) & taken]).tolist()
        for key in kept:
            if structures[key].index in overlapping:
                alone[key] = np.where(part == structures[key].index, part, 0)
        inside = part > 0
        shared[inside & ~taken] = 0
        together = only(part, [structures[key].index for key in kept if key not in alone])
        np.maximum(shared, together, out=shared)
        taken |= inside
    modifying = node.StartModify()
    try:
        separate_others(segmentation, structures)
        segmentation.RemoveRepresentation(SURFACE)
        image = image_of(shared, box[0], node, t1_node)
        for structure in load_structures():
            key = structure.key
            if key in alone:
                put_segment(segmentation, structure, image_of(alone[key], box[0], node, t1_node))
            elif key in present or key in set(keys):
                put_segment(segmentation, structure, image)
        image.Modified()
    finally:
        node.EndModify(modifying)


def approved_case(node: object) -> str | None:
    """Return the ID of the case that a segmentation was approved as; None when it is not."""
    return node.GetAttribute(APPROVED) or None


def mark_approved(node: object, case_id: str) -> None:
    """Note in a segmentation that it was approved; from now on it is never written to."""
    scene_of(node, "segmentation")
    node.SetAttribute(APPROVED, case_id)
    node.SetAttribute(EDITED, None)


def work_of(node: object) -> str:
    """Return eight hexadecimal digits that tell a segmentation from all others; made here once."""
    work = node.GetAttribute(WORK)
    if not work:
        work = secrets.token_hex(4)
        node.SetAttribute(WORK, work)
    return work


def note_edit(node: object) -> None:
    """Note that somebody has edited a segmentation; of one that was approved this is kept."""
    if approved_case(node) is not None:
        node.SetAttribute(EDITED, "1")


def edited_since_approval(node: object) -> bool:
    """Return whether an approved segmentation is no longer what was approved."""
    return approved_case(node) is not None and bool(node.GetAttribute(EDITED))


def _kept(
    node: object, t1_node: object, keys: Collection[str], box: Box
) -> tuple[Box, list[np.ndarray]]:
    """Return a box grown to have some segments in it, and their labels there, layer by layer."""
    indices = {structure.key: structure.index for structure in load_structures()}
    layers = layers_of(node, t1_node, keys)
    grid = grid_shape(t1_node, "T1")
    extents = [clipped(extent, grid) for layer in layers if (extent := extent_of(layer))]
    box = united([box, *(extent for extent in extents if extent)])
    return box, [placed(recoded(layer, indices), layer.offset, box) for layer in layers]


def _home(t1_node: object) -> int:
    """Return the item of the subject hierarchy that takes what is made from a T1."""
    hierarchy = hierarchy_of(t1_node.GetScene())
    for earlier in segmentations_of(t1_node):
        item = hierarchy.GetItemByDataNode(earlier)
        if item:
            return hierarchy.GetItemParent(item)
    parent = hierarchy.GetItemParent(item_of(t1_node))
    study = slicer.vtkMRMLSubjectHierarchyConstants.GetDICOMLevelStudy()
    if hierarchy.IsItemLevel(parent, study):
        return parent
    return hierarchy.CreateFolderItem(parent, _FOLDER)
