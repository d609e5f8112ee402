"""Diffusion maps of a run lie beside the T1, and come back with the scene."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import slicer
import vtk
from scipy.spatial.transform import Rotation

from BrainstemALSLib.imaging.geometry import resample
from BrainstemALSLib.imaging.volume import Volume
from BrainstemALSLib.scene.history import RunUndo
from BrainstemALSLib.scene.map_nodes import fibre_colours, maps_in_scene
from BrainstemALSLib.scene.nodes import hierarchy_of, item_of, matrix_of
from BrainstemALSLib.scene.results import ResultNodes, show_maps, show_outcome
from BrainstemALSLib.scene.volumes import directions_from_node, volume_from_node

from .conftest import add_image

SHAPE = (6, 7, 8)
TURN = Rotation.from_euler("xyz", (20, -10, 30), degrees=True).as_matrix()


@pytest.fixture(params=[1.0, -1.0], ids=["right-handed", "left-handed"])
def maps(outcome, request):
    """Maps of 2 mm around the middle of the box, turned against the T1."""
    random = np.random.default_rng(1)
    affine = np.eye(4)
    affine[:3, :3] = 2.0 * TURN @ np.diag([request.param, 1.0, 1.0])
    affine[:3, 3] = outcome.labels.affine[:3, 3]
    v1 = random.normal(size=(*SHAPE, 3))
    v1 /= np.linalg.norm(v1, axis=-1, keepdims=True)
    made = {role: random.uniform(0, 1, SHAPE) for role in ("fa", "md", "ad", "rd")}
    made["v1"] = v1
    return {role: Volume(array.astype(np.float32), affine) for role, array in made.items()}


@pytest.fixture
def shown(outcome, maps, t1_node):
    """Give a function that shows an outcome with these maps."""

    def show(inputs=None, previous=None, **changes):
        made = replace(outcome, maps=maps, **changes)
        result = show_outcome(made, t1_node, corrected="keep", previous=previous, maps=inputs or {})
        fractions = list(show_maps(result, made, inputs or {}))
        assert fractions == sorted(fractions)
        return ResultNodes.from_segmentation(result.segmentation)

    return show


def turned(node, matrix=None) -> None:
    transform = node.GetScene().AddNewNodeByClass("vtkMRMLLinearTransformNode")
    whole = np.eye(4)
    whole[:3, :3] = TURN if matrix is None else matrix
    whole[:3, 3] = (3, 4, 5)
    transform.SetMatrixTransformToParent(matrix_of(whole))
    node.SetAndObserveTransformNodeID(transform.GetID())


def test_fa_md_and_colours_lie_beside_the_t1_for_the_eye(scene, shown, maps, t1_node):
    result = shown()
    names = {role: node.GetName() for role, node in result.maps.items()}
    assert (names["fa"], names["md"]) == ("FA from DWI", "MD from DWI")
    assert result.colours.GetName() == "Colour FA from DWI"
    hidden = {role: bool(node.GetHideFromEditors()) for role, node in result.maps.items()}
    assert hidden == {"fa": False, "md": False, "ad": True, "rd": True, "v1": True}
    hierarchy = hierarchy_of(scene)
    parent = hierarchy.GetItemParent(item_of(result.segmentation))
    for node in (*result.maps.values(), result.colours):
        assert hierarchy.GetItemParent(item_of(node)) == parent
    for role in ("fa", "md", "ad", "rd"):
        found = volume_from_node(result.maps[role])
        np.testing.assert_array_equal(found.array, maps[role].array)
        np.testing.assert_allclose(found.affine, maps[role].affine, atol=1e-9)
    display = result.maps["fa"].GetDisplayNode()
    assert (display.GetWindowLevelMin(), display.GetWindowLevelMax()) == (0.0, 1.0)


def test_all_maps_come_back_with_the_scene(scene, shown, maps, reload, t1_node):
    turned(t1_node)
    before = shown(affine=volume_from_node(t1_node).affine)
    name = before.segmentation.GetName()

    after = ResultNodes.from_segmentation(reload(scene).GetFirstNodeByName(name))

    found = maps_in_scene(after)
    assert set(found) == {"fa", "md", "ad", "rd"}
    found["v1"] = directions_from_node(after.maps["v1"])
    for role, volume in found.items():
        there = maps[role]
        # A left-handed grid comes back with its voxels in another order, each in its place.
        back = resample(volume, SHAPE, there.affine, antialias=False).array
        inner = (slice(1, -1),) * 3  # at the rim, rounding may put a place outside
        np.testing.assert_allclose(back[inner], there.array[inner], atol=1e-3)
    assert after.colours.GetImageData().GetScalarType() == vtk.VTK_UNSIGNED_CHAR


def test_maps_follow_a_t1_that_is_moved(shown, maps, t1_node):
    result = shown()
    turned(t1_node)
    for node in result.maps.values():  # as the subject hierarchy moves what lies under one study
        node.SetAndObserveTransformNodeID(t1_node.GetTransformNodeID())
    np.testing.assert_allclose(
        directions_from_node(result.maps["v1"]).array, maps["v1"].array @ TURN.T, atol=1e-5
    )


def test_colours_are_those_of_the_patients_axes():
    v1 = np.zeros((2, 2, 2, 3), np.float32)
    v1[0, 0, 0], v1[1, 0, 0], v1[0, 1, 0] = (1, 0, 0), (0, -1, 0), (0, 0, 1)
    fa = Volume(np.full((2, 2, 2), 0.5, np.float32), np.eye(4))
    colours = fibre_colours(Volume(v1, np.eye(4)), fa)
    assert colours.dtype == np.uint8
    assert [tuple(colours[place]) for place in ((0, 0, 0), (1, 0, 0), (0, 1, 0), (1, 1, 1))] == [
        (128, 0, 0),
        (0, 128, 0),
        (0, 0, 128),
        (0, 0, 0),
    ]
    coarse = Volume(np.full((4, 4, 4), 0.5, np.float32), np.diag([0.5, 0.5, 0.5, 1.0]))
    np.testing.assert_array_equal(
        fibre_colours(Volume(v1, np.eye(4)), coarse)[0, 0, 0], [128, 0, 0]
    )


def test_a_given_map_that_was_not_moved_stays_the_users(scene, shown, maps):
    fa = add_image(scene, maps["fa"].array, maps["fa"].affine, "vtkMRMLScalarVolumeNode")
    md = add_image(scene, maps["md"].array, np.eye(4), "vtkMRMLScalarVolumeNode")
    result = shown({"fa": fa, "md": md})
    assert result.maps["fa"] is fa
    assert result.maps["md"] is not md, "where it was used, it lies elsewhere"
    assert result.maps["md"].GetName() == "MD aligned with the T1"


def test_a_run_without_diffusion_measures_no_older_maps_until_it_is_undone(outcome, shown, t1_node):
    result = shown()
    fa, image = result.maps["fa"], result.maps["fa"].GetImageData()
    undo = RunUndo(result)
    show_outcome(outcome, t1_node, previous=result)
    assert maps_in_scene(result) == {}
    assert result.colours is None
    assert fa.GetScene() is not None, "what the user may look at stays"
    undo.undo()
    assert result.maps["fa"] is fa
    undo.redo()
    assert result.maps == {}
    undo.undo()
    undo = RunUndo(result)
    shown(previous=result)
    assert fa.GetImageData() is not image
    undo.undo()
    assert fa.GetImageData() is image


def test_a_deleted_map_is_left_out(scene, shown):
    result = shown()
    scene.RemoveNode(result.maps["ad"])
    assert set(maps_in_scene(result)) == {"fa", "md", "rd"}
    assert isinstance(result.colours, slicer.vtkMRMLVectorVolumeNode)
