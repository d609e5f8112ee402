"""Views jump and segments stand out, and the user's settings come back."""

from __future__ import annotations

import numpy as np
import pytest
import slicer

from BrainstemALSLib.scene import views
from BrainstemALSLib.scene.results import show_outcome

PYRAMID, PONS = "pyramid_left", "basis_pontis_right"


@pytest.fixture
def node(outcome, t1_node):
    return show_outcome(outcome, t1_node).segmentation


def test_all_slice_views_and_the_crosshair_jump(scene):
    slices = []
    for name in ("Red", "Green", "Yellow"):
        view = slicer.vtkMRMLSliceNode()
        view.SetLayoutName(name)
        view.SetOrientation({"Red": "Axial", "Green": "Coronal", "Yellow": "Sagittal"}[name])
        slices.append(scene.AddNode(view))
    crosshair = scene.AddNewNodeByClass("vtkMRMLCrosshairNode")

    views.jump_to(scene, np.array([10.0, -20.0, 30.0]))

    origins = [[view.GetSliceToRAS().GetElement(row, 3) for row in range(3)] for view in slices]
    np.testing.assert_allclose(origins, [[10, -20, 30]] * 3)
    assert list(crosshair.GetCrosshairRAS()) == [10, -20, 30]


def test_nothing_to_jump_is_no_problem(scene):
    views.jump_to(scene, (0, 0, 0))


def test_the_middle_of_a_segment_is_in_world_coordinates(scene, node, t1_node, outcome, index_of):
    voxels = np.argwhere(outcome.labels.array == index_of(PYRAMID))
    middle = voxels.mean(axis=0) @ outcome.labels.affine[:3, :3].T + outcome.labels.affine[:3, 3]

    np.testing.assert_allclose(views.centre_of(node, PYRAMID), middle, atol=2)
    transform = scene.AddNewNodeByClass("vtkMRMLLinearTransformNode")
    matrix = transform.GetMatrixTransformToParent().NewInstance()
    matrix.SetElement(0, 3, 100)
    transform.SetMatrixTransformToParent(matrix)
    node.SetAndObserveTransformNodeID(transform.GetID())
    moved = middle + np.array([100, 0, 0])
    np.testing.assert_allclose(views.centre_of(node, PYRAMID), moved, atol=2)
    assert views.centre_of(node, "no such segment") is None
    node.GetSegmentation().AddEmptySegment("empty")
    assert views.centre_of(node, "empty") is None


def test_highlighting_ends_as_the_user_had_it(node):
    display = node.GetDisplayNode()
    display.SetSegmentOpacity2DFill(PYRAMID, 0.6)
    display.SetSegmentOpacity3D(PONS, 0.5)

    def seen():
        return [
            (
                display.GetSegmentOpacity2DFill(key),
                display.GetSegmentOpacity2DOutline(key),
                display.GetSegmentOpacity3D(key),
            )
            for key in node.GetSegmentation().GetSegmentIDs()
        ]

    before = seen()
    views.highlight(node, [PYRAMID])
    assert display.GetSegmentOpacity2DFill(PYRAMID) == 1.0
    assert display.GetSegmentOpacity3D(PONS) == pytest.approx(0.1)
    views.highlight(node, [PONS])
    assert display.GetSegmentOpacity2DFill(PYRAMID) == pytest.approx(0.12)
    assert display.GetSegmentOpacity3D(PONS) == 1.0
    views.highlight(node, None)
    assert np.allclose(seen(), before)
    views.highlight(node, None)
    assert np.allclose(seen(), before)


def test_a_highlight_that_was_saved_can_still_be_ended(node, reload):
    views.highlight(node, [PYRAMID])

    loaded = reload(node.GetScene()).GetFirstNodeByClass("vtkMRMLSegmentationNode")

    assert loaded.GetDisplayNode().GetSegmentOpacity2DFill(PONS) == pytest.approx(0.2)
    views.highlight(loaded, None)
    assert loaded.GetDisplayNode().GetSegmentOpacity2DFill(PONS) == pytest.approx(1.0)


def test_fill_opacity_and_visibility_leave_the_outline_alone(node):
    display = node.GetDisplayNode()
    views.set_fill(node, False)
    views.set_opacity(node, 0.3)
    assert views.drawn(node) == (False, pytest.approx(0.3))
    assert not display.GetVisibility2DFill()
    assert display.GetVisibility2DOutline()
    assert display.GetOpacity2DFill() == pytest.approx(0.3)
    views.set_opacity(node, 7)
    views.set_visible(node, False)
    assert not display.GetVisibility()
    assert display.GetVisibility2DOutline()
    assert display.GetOpacity2DFill() == 1.0


def test_a_removed_segmentation_is_passed_over(scene, node):
    scene.RemoveNode(node)
    views.highlight(node, [PYRAMID])
    views.highlight(None, None)
    views.set_fill(node, True)
    views.set_visible(node, True)
    views.set_opacity(node, 0.5)
    assert views.drawn(node) is None
    assert views.centre_of(node, PYRAMID) is None
