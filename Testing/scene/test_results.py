"""A finished run in the scene, run again, saved and loaded."""

from __future__ import annotations

import json
import math
from dataclasses import replace

import numpy as np
import pytest
from vtk.util.numpy_support import numpy_to_vtk

from BrainstemALSLib.anatomy import by_key
from BrainstemALSLib.errors import BrainstemALSError, ExitCode
from BrainstemALSLib.imaging.volume import Volume
from BrainstemALSLib.scene.labelmap import placed
from BrainstemALSLib.scene.nodes import hierarchy_of, item_of, matrix_of
from BrainstemALSLib.scene.results import (
    ResultNodes,
    approved_case,
    mark_approved,
    show_measures,
    show_outcome,
)
from BrainstemALSLib.scene.uncertain import places_to_check
from BrainstemALSLib.scene.volumes import volume_from_node
from BrainstemALSLib.worker.outcome import Outcome

PYRAMID = "pyramid_left"


@pytest.fixture
def result(outcome, t1_node):
    return show_outcome(outcome, t1_node)


@pytest.fixture
def corrected(result, t1_node, paint):
    """The result with the left pyramid corrected: a bar painted along j, beyond the box."""
    (i, j, k), _shape = result.box
    window = (slice(i, i + 2), slice(j - 2, j + 6), slice(k + 3, k + 5))
    paint(result.segmentation, t1_node, PYRAMID, window)
    return result


def test_everything_is_there_and_nothing_carries_the_patients_name(scene, result, outcome, t1_node):
    np.testing.assert_array_equal(result.labels()[0], outcome.labels.array)
    assert result.labels()[1] == outcome.offset
    assert result.corrected() == ()
    assert result.notice == ""
    assert result.t1 is t1_node
    entropy = volume_from_node(result.entropy, "entropy")
    np.testing.assert_array_equal(entropy.array, outcome.entropy.array)
    np.testing.assert_allclose(entropy.affine, outcome.entropy.affine, atol=1e-9)
    display = result.entropy.GetDisplayNode()
    assert (display.GetWindowLevelMin(), display.GetWindowLevelMax()) == (0.0, 1.0)
    assert display.GetApplyThreshold()
    assert 0 < display.GetLowerThreshold() < 0.1
    assert display.GetColorNode().GetName() == "BrainstemALS entropy"
    assert result.prediction.GetHideFromEditors()
    names = [scene.GetNthNode(n).GetName() or "" for n in range(scene.GetNumberOfNodes())]
    assert sum("Doe" in name for name in names) == 1, "the T1 itself"


def test_the_table_has_units_and_no_volume_for_tier_c(result, outcome, t1_node):
    table = result.table
    assert table.GetColumnUnitLabel("Volume") == "mm3"
    assert table.GetNumberOfRows() == len(outcome.measures.volumes)
    first = outcome.measures.volumes[0]
    assert table.GetTable().GetValueByName(0, "Volume").ToDouble() == first.volume_soft_mm3
    hidden = replace(first, tier="C", volume_soft_mm3=None, volume_label_mm3=None)
    volumes = (hidden, *outcome.measures.volumes[1:])

    again = show_measures(result, replace(outcome.measures, volumes=volumes))

    assert again.table is table
    assert math.isnan(table.GetTable().GetValueByName(0, "Volume").ToDouble())


def test_charts_draw_left_beside_right_and_asymmetry(result, outcome):
    sides, asymmetry = result.plots
    left, right = (sides.GetNthPlotSeriesNode(n) for n in range(2))
    assert (left.GetYColumnName(), right.GetYColumnName()) == ("Left", "Right")
    assert asymmetry.GetNthPlotSeriesNode(0).GetYColumnName() == "Asymmetry"
    pairs = [pair for pair in outcome.measures.asymmetries if pair.index_percent is not None]
    table = left.GetTableNode()
    assert table.GetNumberOfRows() == len(pairs) > 0
    assert table.GetTable().GetValueByName(0, "Left").ToDouble() == pairs[0].left_mm3


def test_all_of_it_lies_in_one_folder(scene, result, t1_node):
    hierarchy = hierarchy_of(scene)
    folder = hierarchy.GetItemParent(item_of(result.segmentation))
    tables = (result.table, result.plots[0].GetNthPlotSeriesNode(0).GetTableNode())
    for node in (result.entropy, result.prediction, *tables, *result.plots):
        assert hierarchy.GetItemParent(hierarchy.GetItemByDataNode(node)) == folder
    assert folder != hierarchy.GetItemParent(item_of(t1_node))


def test_a_second_run_writes_into_the_same_nodes(scene, result, other_outcome, t1_node):
    count = scene.GetNumberOfNodes()

    again = show_outcome(other_outcome, t1_node, corrected="replace", previous=result)

    assert scene.GetNumberOfNodes() == count
    assert again.segmentation is result.segmentation
    np.testing.assert_array_equal(again.labels()[0], other_outcome.labels.array)
    assert again.record["device"] == "cuda"
    assert again.corrected() == ()


def test_keep_keeps_corrected_segments_only(corrected, other_outcome, t1_node):
    assert corrected.corrected() == (PYRAMID,)
    before, offset = corrected.labels()
    mine = before == by_key()[PYRAMID].index

    again = show_outcome(other_outcome, t1_node, corrected="keep", previous=corrected)

    now, same_offset = again.labels()
    assert same_offset == offset
    np.testing.assert_array_equal(now == by_key()[PYRAMID].index, mine)
    new = again.labels_now().prediction
    others = ~mine & (new != by_key()[PYRAMID].index)
    np.testing.assert_array_equal(now[others], new[others])
    assert PYRAMID in again.corrected()


def test_replace_takes_corrections_away_and_new_leaves_them(corrected, other_outcome, t1_node):
    before = corrected.labels()[0]
    fresh = show_outcome(other_outcome, t1_node, corrected="new", previous=corrected)

    assert fresh.segmentation is not corrected.segmentation
    assert fresh.entropy is not corrected.entropy
    np.testing.assert_array_equal(corrected.labels()[0], before)
    np.testing.assert_array_equal(fresh.labels()[0], other_outcome.labels.array)
    assert ResultNodes.find(t1_node).segmentation is fresh.segmentation

    replaced = show_outcome(other_outcome, t1_node, corrected="replace", previous=corrected)
    assert replaced.segmentation is corrected.segmentation
    np.testing.assert_array_equal(replaced.labels()[0], other_outcome.labels.array)


@pytest.mark.parametrize("choice", ["keep", "replace", "new"])
def test_an_approved_segmentation_is_never_written_to(corrected, other_outcome, t1_node, choice):
    mark_approved(corrected.segmentation, "case-1")
    before = corrected.labels()[0]

    fresh = show_outcome(other_outcome, t1_node, corrected=choice, previous=corrected)

    assert fresh.segmentation is not corrected.segmentation
    assert ("approved" in fresh.notice) == (choice != "new")
    assert approved_case(fresh.segmentation) is None
    np.testing.assert_array_equal(corrected.labels()[0], before)
    assert corrected.record["device"] == "cpu"


def test_without_the_prediction_nothing_is_overwritten(scene, corrected, other_outcome, t1_node):
    scene.RemoveNode(corrected.prediction)
    found = ResultNodes.find(t1_node)
    assert found.prediction is None
    with pytest.raises(BrainstemALSError, match="no longer in the scene"):
        found.labels_now()
    before = found.labels()[0]

    fresh = show_outcome(other_outcome, t1_node, corrected="keep", previous=found)

    assert fresh.segmentation is not found.segmentation
    assert "corrections could not be told" in fresh.notice
    np.testing.assert_array_equal(found.labels()[0], before)


def test_deleted_companions_come_back_with_the_next_run(scene, result, other_outcome, t1_node):
    for node in (result.entropy, result.table, *result.plots):
        scene.RemoveNode(node)
    found = ResultNodes.find(t1_node)
    assert (found.entropy, found.table, found.plots) == (None, None, ())
    with pytest.raises(BrainstemALSError, match="uncertainty"):
        places_to_check(found)

    again = show_outcome(other_outcome, t1_node, corrected="replace", previous=found)

    assert again.entropy is not None
    assert again.table.GetNumberOfRows() > 0
    assert len(again.plots) == 2


def test_a_reloaded_scene_knows_its_result(corrected, outcome, reload, t1):
    labels, offset = corrected.labels()
    mark_approved(corrected.segmentation, "case-9")
    assert np.linalg.det(t1.affine) < 0, "a grid whose last axis Slicer turns round when reading"

    loaded = reload(corrected.segmentation.GetScene())

    t1_node = loaded.GetFirstNodeByName("Doe^Jane T1")
    found = ResultNodes.find(t1_node)
    image = volume_from_node(t1_node)
    np.testing.assert_array_equal(image.array[:, :, ::-1], t1.array)
    now = found.labels_now()
    whole = placed(now.labels, now.offset, ((0, 0, 0), t1.shape))[:, :, ::-1]
    np.testing.assert_array_equal(whole, placed(labels, offset, ((0, 0, 0), t1.shape)))
    whole = placed(now.prediction, now.offset, ((0, 0, 0), t1.shape))[:, :, ::-1]
    predicted = placed(outcome.labels.array, outcome.offset, ((0, 0, 0), t1.shape))
    np.testing.assert_array_equal(whole, predicted)
    assert found.corrected() == (PYRAMID,)
    assert approved_case(found.segmentation) == "case-9"
    said = json.loads(json.dumps(outcome.record()))
    assert {**found.record, "offset": 0, "affine": 0} == {**said, "offset": 0, "affine": 0}
    entropy = np.zeros(found.box[1], np.float32)
    again = Outcome.from_record(found.record, found.predicted(), entropy)
    assert again.measures.volumes == outcome.measures.volumes
    np.testing.assert_allclose(again.affine, image.affine, atol=1e-6)
    assert again.offset == found.box[0]
    assert found.table.GetColumnUnitLabel("Volume") == "mm3"
    assert len(found.plots) == 2
    assert found.prediction.GetHideFromEditors()
    assert found.entropy.GetDisplayNode().GetColorNode() is not None
    (before,), (after,) = places_to_check(corrected), places_to_check(found)
    np.testing.assert_allclose(after.centre_ras, before.centre_ras, atol=1.5 * 1.5)
    assert after.volume_mm3 == before.volume_mm3


def test_the_record_follows_the_voxel_order_of_the_t1(result, outcome, t1_node):
    field = ((0, 3), (1, 5), (2, 20))
    written = replace(outcome, field_of_view=field).record()
    result.segmentation.SetAttribute("BrainstemALS.Record", json.dumps(written))
    assert result.record == json.loads(json.dumps(written))
    k = outcome.shape[2]
    array = volume_from_node(t1_node).array[:, :, ::-1].copy()
    flip = np.diag([1.0, 1, -1, 1])
    flip[2, 3] = k - 1
    t1_node.SetIJKToRASMatrix(matrix_of(outcome.affine @ flip))
    t1_node.GetImageData().GetPointData().SetScalars(numpy_to_vtk(array.ravel("F"), deep=True))

    turned = result.record

    assert turned["field_of_view"] == [[0, 3], [1, 5], [k - 21, k - 3]]
    assert turned["offset"][2] == k - outcome.offset[2] - outcome.labels.shape[2]
    assert result.corrected() == ()
    result.segmentation.SetAttribute("BrainstemALS.Record", "{broken")
    assert result.record == {}


def test_a_run_on_a_reloaded_scene_keeps_corrections(corrected, other_outcome, reload, t1):
    loaded = reload(corrected.segmentation.GetScene())
    t1_node = loaded.GetFirstNodeByName("Doe^Jane T1")
    found = ResultNodes.find(t1_node)
    before, offset = found.labels()
    flipped = replace(
        other_outcome,
        labels=Volume(other_outcome.labels.array[:, :, ::-1], other_outcome.labels.affine),
        entropy=Volume(other_outcome.entropy.array[:, :, ::-1], other_outcome.labels.affine),
        offset=found.box[0],
    )

    again = show_outcome(flipped, t1_node, corrected="keep", previous=found)

    now, now_offset = again.labels()
    index = by_key()[PYRAMID].index
    whole = ((0, 0, 0), t1.shape)
    np.testing.assert_array_equal(
        placed(now, now_offset, whole) == index, placed(before, offset, whole) == index
    )


def test_the_prediction_comes_along_when_the_t1_is_moved(scene, corrected, t1_node):
    transform = scene.AddNewNodeByClass("vtkMRMLLinearTransformNode")
    matrix = transform.GetMatrixTransformToParent().NewInstance()
    matrix.SetElement(0, 3, 33.3)
    transform.SetMatrixTransformToParent(matrix)
    for node in (t1_node, corrected.segmentation):
        node.SetAndObserveTransformNodeID(transform.GetID())

    assert corrected.corrected() == (PYRAMID,)


def test_a_result_that_is_gone_is_none(scene, result, t1_node, outcome):
    assert ResultNodes.find(None) is None
    assert ResultNodes.from_segmentation(None) is None
    assert ResultNodes.from_segmentation(scene.AddNewNodeByClass("vtkMRMLSegmentationNode")) is None
    scene.RemoveNode(result.segmentation)
    assert ResultNodes.find(t1_node) is None
    assert ResultNodes.from_segmentation(result.segmentation) is None
    assert result.t1 is None
    again = show_outcome(outcome, t1_node, corrected="keep", previous=result)
    assert again.segmentation is not result.segmentation
    scene.RemoveNode(t1_node)
    assert ResultNodes.from_segmentation(again.segmentation) is None


def test_a_removed_or_changed_t1_is_refused_and_nothing_is_added(
    scene, outcome, t1_node, add_volume
):
    other = add_volume(np.zeros((4, 5, 6), np.int16))
    count = scene.GetNumberOfNodes()
    with pytest.raises(BrainstemALSError, match="not the image that was segmented") as refusal:
        show_outcome(outcome, other)
    assert refusal.value.code == ExitCode.MISMATCHED_IMAGES
    assert scene.GetNumberOfNodes() == count
    scene.RemoveNode(t1_node)
    with pytest.raises(BrainstemALSError, match="no longer in the scene"):
        show_outcome(outcome, t1_node)
    scene.Clear(True)
    with pytest.raises(BrainstemALSError, match="no longer in the scene"):
        show_outcome(outcome, other)


def test_a_closed_scene_leaves_sentences_not_crashes(scene, result, t1_node):
    scene.Clear(True)
    assert result.t1 is None
    assert result.predicted() is None
    for ask in (result.labels, result.labels_now, result.corrected):
        with pytest.raises(BrainstemALSError):
            ask()
    with pytest.raises(BrainstemALSError):
        show_measures(result, None)
    with pytest.raises(BrainstemALSError):
        mark_approved(result.segmentation, "case-1")


def test_places_to_check_are_in_world_coordinates(scene, result, outcome, t1_node):
    transform = scene.AddNewNodeByClass("vtkMRMLLinearTransformNode")
    matrix = transform.GetMatrixTransformToParent().NewInstance()
    matrix.SetElement(0, 3, 100.0)
    for node in (t1_node, result.segmentation, result.entropy):
        node.SetAndObserveTransformNodeID(transform.GetID())
    (unmoved,) = places_to_check(result)

    transform.SetMatrixTransformToParent(matrix)
    (place,) = places_to_check(result)

    expected = Volume(outcome.entropy.array, outcome.entropy.affine)
    voxel = np.linalg.solve(expected.affine, [*unmoved.centre_ras, 1])[:3]
    assert outcome.entropy.array[tuple(np.rint(voxel).astype(int))] > 0
    assert place.centre_ras[0] == pytest.approx(unmoved.centre_ras[0] + 100)


def test_the_choice_has_three_words(outcome, t1_node):
    with pytest.raises(ValueError, match="keep, replace or new"):
        show_outcome(outcome, t1_node, corrected="merge")
