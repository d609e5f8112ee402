"""Labels in and out of a segmentation, as a user sees and corrects them."""

from __future__ import annotations

import numpy as np
import pytest
import slicer
import vtk
from vtk.util.numpy_support import vtk_to_numpy

from BrainstemALSLib.anatomy import by_key, load_structures
from BrainstemALSLib.errors import BrainstemALSError, ExitCode
from BrainstemALSLib.scene.labelmap import LABELMAP, placed
from BrainstemALSLib.scene.nodes import hierarchy_of, item_of, matrix_of
from BrainstemALSLib.scene.segmentation import (
    approved_case,
    corrected_keys,
    edited_extent,
    mark_approved,
    new_segmentation,
    read_labels,
    segmentations_of,
    write_labels,
)

SHAPE, OFFSET = (20, 24, 28), (5, 6, 7)
KEYS = tuple(structure.key for structure in load_structures())
RED, NIGRA = "red_nucleus_left", "substantia_nigra_left"


@pytest.fixture
def t1_node(add_volume):
    affine = np.diag([-1.0, 1.1, 1.2, 1])
    affine[:3, 3] = 40, -50, 30
    return add_volume(np.ones((40, 50, 60), np.int16), affine)


@pytest.fixture
def labels():
    """A box with every structure in it: slabs along k, and background around."""
    array = np.zeros(SHAPE, np.uint8)
    indices = [structure.index for structure in load_structures()]
    array[2:-2, 2:-2, 3:25] = np.reshape(indices, (2, 1, 22)).repeat(8, axis=0).repeat(20, axis=1)
    return array


@pytest.fixture
def node(t1_node, labels):
    made = new_segmentation(t1_node, "Brainstem")
    write_labels(made, labels, OFFSET, t1_node, KEYS)
    return made


def test_segments_say_what_they_are(node):
    segmentation = node.GetSegmentation()
    assert tuple(segmentation.GetSegmentIDs()) == KEYS
    assert segmentation.GetNumberOfLayers(LABELMAP) == 1
    segment = segmentation.GetSegment(NIGRA)
    structure = by_key()[NIGRA]
    assert segment.GetName() == structure.name
    assert segment.GetLabelValue() == structure.index
    assert "#" + "".join(f"{round(c * 255):02x}" for c in segment.GetColor()) == structure.color
    entry = slicer.vtkSlicerTerminologyEntry()
    logic = slicer.vtkSlicerTerminologiesModuleLogic()
    assert logic.DeserializeTerminologyEntry(segment.GetTerminology(), entry)
    assert entry.GetCategoryObject().GetCodeValue() == "123037004"
    assert entry.GetTypeObject().GetCodeValue() == "70007007"
    assert entry.GetTypeModifierObject().GetCodeMeaning() == "Left"
    tags = {}
    for name in ("Tier", "Side", "Parent"):
        value = vtk.reference("")
        assert segment.GetTag(f"BrainstemALS.{name}", value)
        tags[name] = str(value)
    assert tags == {"Tier": "B", "Side": "left", "Parent": "midbrain"}


def test_every_structure_has_a_term_and_only_codes_of_the_table_or_its_region(node):
    allowed = {s.snomed for s in load_structures()} - {None} | {"61962009", "119238007"}
    logic = slicer.vtkSlicerTerminologiesModuleLogic()
    for key in KEYS:
        entry = slicer.vtkSlicerTerminologyEntry()
        segment = node.GetSegmentation().GetSegment(key)
        assert logic.DeserializeTerminologyEntry(segment.GetTerminology(), entry)
        assert entry.GetTypeObject().GetCodeValue() in allowed
        side = by_key()[key].side
        modifier = entry.GetTypeModifierObject()
        assert (modifier.GetCodeMeaning() or "") == {"midline": ""}.get(side, side.capitalize())


def test_what_was_written_is_read(node, t1_node, labels):
    np.testing.assert_array_equal(read_labels(node, t1_node, OFFSET, SHAPE), labels)
    assert edited_extent(node, t1_node, OFFSET, SHAPE) == (OFFSET, SHAPE)
    assert corrected_keys(node, labels, OFFSET, t1_node) == ()


def test_a_larger_box_has_background_around(node, t1_node, labels):
    whole = read_labels(node, t1_node, (0, 0, 0), (40, 50, 60))
    np.testing.assert_array_equal(whole, placed(labels, OFFSET, ((0, 0, 0), (40, 50, 60))))


def test_painting_over_a_neighbour_corrects_both(node, t1_node, labels, paint, index_of):
    i, j, k = np.argwhere(labels == index_of(NIGRA))[0] + OFFSET
    window = (slice(i, i + 3), slice(j, j + 3), slice(k, k + 1))
    paint(node, t1_node, RED, window)

    assert set(corrected_keys(node, labels, OFFSET, t1_node)) == {RED, NIGRA}
    box = tuple(slice(w.start - o, w.stop - o) for w, o in zip(window, OFFSET, strict=True))
    expected = labels.copy()
    expected[box] = index_of(RED)
    np.testing.assert_array_equal(read_labels(node, t1_node, OFFSET, SHAPE), expected)


def test_what_is_painted_outside_the_box_is_seen(node, t1_node, labels, paint, index_of):
    paint(node, t1_node, RED, (slice(2, 4), slice(7, 9), slice(40, 42)))

    offset, shape = edited_extent(node, t1_node, OFFSET, SHAPE)

    assert offset == (2, 6, 7)
    assert shape == (23, 24, 35)
    assert read_labels(node, t1_node, offset, shape)[0:2, 1:3, 33:35].min() == index_of(RED)
    assert corrected_keys(node, labels, OFFSET, t1_node) == (RED,)
    with pytest.raises(ValueError, match="outside the box"):
        read_labels(node, t1_node, OFFSET, SHAPE)


def test_where_segments_overlap_the_painted_one_has_the_voxel(
    node, t1_node, labels, paint, index_of
):
    i, j, k = np.argwhere(labels == index_of(NIGRA))[0] + OFFSET
    window = (slice(i, i + 3), slice(j, j + 3), slice(k, k + 1))
    box = tuple(slice(w.start - o, w.stop - o) for w, o in zip(window, OFFSET, strict=True))
    paint(node, t1_node, RED, window, overwrite=False)
    assert node.GetSegmentation().GetNumberOfLayers(LABELMAP) == 2

    assert corrected_keys(node, labels, OFFSET, t1_node) == (RED,)
    expected = labels.copy()
    expected[box] = index_of(RED)
    now = read_labels(node, t1_node, OFFSET, SHAPE, labels)
    np.testing.assert_array_equal(now, expected)
    # Without a prediction nobody can tell, and the higher index has it.
    assert index_of(NIGRA) > index_of(RED)
    np.testing.assert_array_equal(read_labels(node, t1_node, OFFSET, SHAPE), labels)


def test_kept_segments_stay_and_the_rest_is_new(node, t1_node, labels, paint, index_of):
    k = np.argwhere(labels == index_of(RED))[0, 2] + OFFSET[2]
    paint(node, t1_node, RED, (slice(1, 30), slice(20, 22), slice(k, k + 2)))
    box = edited_extent(node, t1_node, OFFSET, SHAPE)
    before = read_labels(node, t1_node, *box)
    new = np.roll(labels, 2, axis=2)

    write_labels(node, new, OFFSET, t1_node, KEYS, keep=(RED,))

    now = read_labels(node, t1_node, *box)
    kept = before == index_of(RED)
    np.testing.assert_array_equal(now == index_of(RED), kept)
    expected = placed(new, OFFSET, box)
    expected[expected == index_of(RED)] = 0
    np.testing.assert_array_equal(now[~kept], expected[~kept])
    assert node.GetSegmentation().GetNumberOfLayers(LABELMAP) == 1


def test_kept_segments_that_overlap_both_stay_whole(node, t1_node, labels, paint, index_of):
    i, j, k = np.argwhere(labels == index_of(NIGRA))[0] + OFFSET
    window = (slice(i, i + 3), slice(j, j + 3), slice(k, k + 1))
    paint(node, t1_node, RED, window, overwrite=False)

    def voxels(key):
        image = slicer.vtkOrientedImageData()
        node.GetBinaryLabelmapRepresentation(key, image)
        return _count(image)

    before = voxels(RED), voxels(NIGRA)
    write_labels(node, np.zeros_like(labels), OFFSET, t1_node, KEYS, keep=(RED, NIGRA))

    assert (voxels(RED), voxels(NIGRA)) == before
    assert voxels(KEYS[0]) == 0
    assert node.GetSegmentation().GetNumberOfLayers(LABELMAP) == 2


def _count(image):
    return (
        0 if image.IsEmpty() else int((vtk_to_numpy(image.GetPointData().GetScalars()) > 0).sum())
    )


def test_a_segment_that_the_user_deleted_comes_back_empty_when_kept(
    node, t1_node, labels, index_of
):
    node.GetSegmentation().RemoveSegment(RED)
    assert corrected_keys(node, labels, OFFSET, t1_node) == (RED,)

    write_labels(node, labels, OFFSET, t1_node, KEYS, keep=(RED,))

    assert node.GetSegmentation().GetSegment(RED) is not None
    assert not (read_labels(node, t1_node, OFFSET, SHAPE) == index_of(RED)).any()


def test_segments_and_names_of_the_user_are_left_alone(node, t1_node, labels, paint):
    node.GetSegmentation().GetSegment(RED).SetName("nucleus ruber")
    node.GetSegmentation().AddEmptySegment("mine", "lesion")
    paint(node, t1_node, "mine", (slice(12, 15), slice(12, 15), slice(12, 15)))
    image = slicer.vtkOrientedImageData()

    write_labels(node, labels, OFFSET, t1_node, KEYS)

    node.GetBinaryLabelmapRepresentation("mine", image)
    assert _count(image) == 27
    assert node.GetSegmentation().GetSegment(RED).GetName() == "nucleus ruber"
    np.testing.assert_array_equal(read_labels(node, t1_node, OFFSET, SHAPE), labels)


def test_structures_that_a_model_does_not_have_any_more_become_empty(node, t1_node, labels):
    write_labels(node, np.where(labels == 1, labels, 0), OFFSET, t1_node, KEYS[:1])

    now = read_labels(node, t1_node, OFFSET, SHAPE)
    assert set(np.unique(now)) == {0, 1}
    assert tuple(node.GetSegmentation().GetSegmentIDs()) == KEYS


def test_an_approved_segmentation_is_not_written_to(node, t1_node, labels):
    assert approved_case(node) is None
    mark_approved(node, "case-7")
    assert approved_case(node) == "case-7"

    with pytest.raises(BrainstemALSError, match="approved") as refusal:
        write_labels(node, np.zeros_like(labels), OFFSET, t1_node, KEYS)

    assert refusal.value.code == ExitCode.OUTPUT_REFUSED
    np.testing.assert_array_equal(read_labels(node, t1_node, OFFSET, SHAPE), labels)


def test_the_segmentation_has_the_geometry_and_the_transform_of_the_t1(scene, t1_node):
    transform = scene.AddNewNodeByClass("vtkMRMLLinearTransformNode")
    t1_node.SetAndObserveTransformNodeID(transform.GetID())

    node = new_segmentation(t1_node, "Brainstem")

    assert node.GetParentTransformNode() is transform
    reference = node.GetNodeReference(node.GetReferenceImageGeometryReferenceRole())
    assert reference is t1_node
    geometry = node.GetSegmentation().GetConversionParameter(
        slicer.vtkSegmentationConverter.GetReferenceImageGeometryParameterName()
    )
    assert geometry.rstrip(";").endswith("0;39;0;49;0;59")


def test_hardening_both_changes_nothing_and_moving_one_is_refused(scene, node, t1_node, labels):
    transform = scene.AddNewNodeByClass("vtkMRMLLinearTransformNode")
    matrix = np.eye(4)
    matrix[:3, 3] = 10, 0.3, -2
    transform.SetMatrixTransformToParent(matrix_of(matrix))
    t1_node.SetAndObserveTransformNodeID(transform.GetID())
    with pytest.raises(BrainstemALSError, match="no longer lies on the grid") as refusal:
        read_labels(node, t1_node, OFFSET, SHAPE)
    assert refusal.value.code == ExitCode.MISMATCHED_IMAGES

    node.SetAndObserveTransformNodeID(transform.GetID())
    node.HardenTransform()
    np.testing.assert_array_equal(read_labels(node, t1_node, OFFSET, SHAPE), labels)
    write_labels(node, labels[::-1], OFFSET, t1_node, KEYS)
    np.testing.assert_array_equal(read_labels(node, t1_node, OFFSET, SHAPE), labels[::-1])
    t1_node.HardenTransform()
    np.testing.assert_array_equal(read_labels(node, t1_node, OFFSET, SHAPE), labels[::-1])


def test_surfaces_as_source_are_refused(node, t1_node):
    node.GetSegmentation().CreateRepresentation("Closed surface")
    node.SetSourceRepresentationToClosedSurface()
    with pytest.raises(BrainstemALSError, match="kept as surfaces"):
        read_labels(node, t1_node, OFFSET, SHAPE)


def test_results_lie_in_one_folder_beside_a_t1_without_a_study(scene, t1_node, add_volume):
    hierarchy = hierarchy_of(scene)
    first, second = (new_segmentation(t1_node, "Brainstem") for _ in range(2))
    other = new_segmentation(add_volume(np.ones((4, 4, 4), np.int16)), "Brainstem")

    folder = hierarchy.GetItemParent(item_of(first))
    assert hierarchy.GetItemParent(folder) == hierarchy.GetItemParent(item_of(t1_node))
    assert hierarchy.GetItemParent(item_of(second)) == folder
    assert hierarchy.GetItemParent(item_of(other)) != folder
    assert first.GetName() != second.GetName()
    assert segmentations_of(t1_node) == [first, second]


def test_results_lie_in_the_study_of_the_t1(scene, t1_node):
    hierarchy = hierarchy_of(scene)
    patient = hierarchy.CreateSubjectItem(hierarchy.GetSceneItemID(), "Doe^Jane")
    study = hierarchy.CreateStudyItem(patient, "MR")
    hierarchy.SetItemParent(item_of(t1_node), study)

    node = new_segmentation(t1_node, "Brainstem")

    assert hierarchy.GetItemParent(item_of(node)) == study
