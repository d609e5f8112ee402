"""Corrections are kept, replaced or set beside as the user says, and undone; nothing is lost."""

from __future__ import annotations

import numpy as np
import pytest

from BrainstemALSLib.anatomy import by_key

RUN_S = 120
pytestmark = pytest.mark.usefixtures("remembered")
CUBE = (4, 4, 4)


def segmented(host, panel, *answers):
    host.answer(*answers)
    panel.ui.segmentButton.click()
    host.wait_until(lambda: not panel.run.running, RUN_S)


def labels(result, shape):
    now = result.labels_now()
    whole = np.zeros(shape, np.uint8)
    whole[tuple(slice(a, a + n) for a, n in zip(now.offset, now.labels.shape, strict=True))] = (
        now.labels
    )
    return whole


@pytest.fixture
def corrected(host, panel, exam, patient, stroke):
    """A run, and then a cube of pyramid painted where nothing was labelled."""
    segmented(host, panel)
    first = labels(panel.visit.result, patient.t1.shape)
    corner = tuple(int(n) for n in np.argwhere(first == by_key()["pyramid_left"].index).max(0) + 3)
    stroke("pyramid_left", corner, 4)
    cube = tuple(slice(a, a + n) for a, n in zip(corner, CUBE, strict=True))
    return first, labels(panel.visit.result, patient.t1.shape), cube


def test_a_new_run_asks_and_does_as_it_is_told(host, panel, exam, patient, corrected):
    import qt

    first, painted, cube = corrected
    pyramid = by_key()["pyramid_left"].index
    node = panel.visit.result.segmentation
    shape = patient.t1.shape
    assert (painted[cube] == pyramid).all()

    # The user thinks again: nothing runs, nothing changes.
    segmented(host, panel, qt.QMessageBox.Cancel)
    assert panel.visit.result.segmentation is node
    np.testing.assert_array_equal(labels(panel.visit.result, shape), painted)
    assert "structures were corrected by hand" in host.person.seen[-1]

    segmented(host, panel, "Keep corrections")
    assert panel.visit.result.segmentation is node
    kept = labels(panel.visit.result, shape)
    np.testing.assert_array_equal(kept == pyramid, painted == pyramid)

    segmented(host, panel, "Make a new segmentation")
    beside = panel.visit.result.segmentation
    assert beside is not node
    np.testing.assert_array_equal(labels(panel.visit.result, shape), first)

    # Undo what was replaced, in two ways.
    panel.visit.parameters.segmentation = node
    panel.visit.open()
    segmented(host, panel, "Replace everything")
    assert panel.visit.result.segmentation is node
    np.testing.assert_array_equal(labels(panel.visit.result, shape), first)
    panel.ui.undoRunButton.click()
    np.testing.assert_array_equal(labels(panel.visit.result, shape), kept)
    assert panel.ui.undoRunButton.enabled is False
    panel.ui.messageActionButton.click()  # Redo
    np.testing.assert_array_equal(labels(panel.visit.result, shape), first)
    panel.ui.undoRunButton.click()
    segmented(host, panel, "Replace everything")
    panel.ui.segmentEditor.undo()
    np.testing.assert_array_equal(labels(panel.visit.result, shape), kept)


@pytest.mark.usefixtures("unhurried")
def test_what_is_painted_while_a_run_goes_on_is_kept(host, panel, exam, patient, stroke):
    segmented(host, panel)
    pyramid = by_key()["pyramid_left"].index
    panel.ui.segmentButton.click()
    host.wait_until(lambda: panel.ui.progressBar.value >= 20, RUN_S)
    stroke("pyramid_left", (4, 4, 4))
    assert panel.run.running
    host.wait_until(lambda: not panel.run.running, RUN_S)
    assert (labels(panel.visit.result, patient.t1.shape)[4:7, 4:7, 4:7] == pyramid).all()
    assert panel.visit.result.corrected() == ("pyramid_left",)


def test_undo_asks_before_it_takes_later_edits_along(host, panel, exam, patient, stroke):
    import qt

    segmented(host, panel)
    stroke("pyramid_left", (4, 4, 4))
    segmented(host, panel, "Replace everything")
    stroke("pyramid_left", (9, 4, 4))
    edited = labels(panel.visit.result, patient.t1.shape)
    host.answer(qt.QMessageBox.Cancel)
    panel.ui.undoRunButton.click()
    np.testing.assert_array_equal(labels(panel.visit.result, patient.t1.shape), edited)
    host.answer(qt.QMessageBox.Ok)
    panel.ui.undoRunButton.click()
    assert labels(panel.visit.result, patient.t1.shape)[4:7, 4:7, 4:7].all()
    panel.ui.messageActionButton.click()
    np.testing.assert_array_equal(labels(panel.visit.result, patient.t1.shape), edited)


def test_fa_and_md_come_from_a_tensor_volume(host, panel, exam, patient, tmp_path):
    import slicer
    import vtk
    from vtk.util.numpy_support import numpy_to_vtk

    # Tensors with the patient's MD whose axial symmetry gives about its FA.
    md, fa = patient.md.array.astype(float), patient.fa.array.clip(0, 0.95).astype(float)
    split = md * fa / np.sqrt(3 - 2 * fa**2)
    tensors = np.zeros((*md.shape, 3, 3), np.float32)
    for axis, value in enumerate((md - split, md - split, md + 2 * split)):
        tensors[..., axis, axis] = value
    image = vtk.vtkImageData()
    image.SetDimensions(*md.shape)
    flat = numpy_to_vtk(tensors.transpose(2, 1, 0, 3, 4).reshape(-1, 9), deep=True)
    image.GetPointData().SetTensors(flat)
    dti = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLDiffusionTensorVolumeNode")
    dti.SetAndObserveImageData(image)
    dti.SetIJKToRASMatrix(slicer.util.vtkMatrixFromArray(patient.md.affine))
    for role in ("fa", "md"):
        host.choose(getattr(panel.ui, f"{role}Selector"), None)
    host.choose(panel.ui.dtiSelector, dti)
    segmented(host, panel)
    assert panel.messages.text == ""
    assert panel.visit.outcome.modalities == ("t1", "fa", "md", "v1")

    # An approved case keeps the maps that the prediction was made with, directions among them.
    from BrainstemALSLib.annotation.store import CaseStore

    panel.ui.subjectEdit.text, panel.ui.annotatorEdit.text = "P-07", "R-01"
    panel.ui.storeEdit.currentPath = str(tmp_path / "store")
    # Somebody who looked at some places only does not vouch for the rest.
    assert panel.ui.wholeExamCheck.checked is True
    panel.ui.wholeExamCheck.checked = False
    panel.ui.approveButton.click()
    host.wait_until(lambda: "Approved" in panel.messages.text, 30)
    store = CaseStore(tmp_path / "store")
    (record,) = store.cases()
    assert record.images == record.modalities == ("t1", "fa", "md", "v1")
    images = store.read(record.case_id).images
    inside = images["fa"].array > 0.2  # elsewhere a tensor has no direction to speak of
    assert inside.sum() > 1000
    along = np.abs(images["v1"].array[inside])
    assert np.median(along[:, 2]) > 0.99
    assert np.median(along[:, :2]) < 0.1
    assert record.approved_all is False


def test_uncertain_places_come_in_a_row_and_begin_again(host, panel, spheres):
    import slicer

    seen = []
    for _ in range(3):
        panel.ui.uncertainButton.click()
        seen.append(panel.ui.uncertainLabel.text)
    assert seen[0].startswith("1 of 1:")
    assert seen[1] == seen[0] == seen[2]
    entropy = panel.visit.result.entropy
    height = slicer.mrmlScene.GetNodeByID("vtkMRMLSliceNodeRed").GetSliceToRAS().GetElement(2, 3)
    bounds = np.zeros(6)
    entropy.GetRASBounds(bounds)
    assert bounds[4] <= height <= bounds[5]


def test_outline_opacity_and_highlight_leave_what_the_user_had(host, panel, spheres):
    display = panel.visit.result.segmentation.GetDisplayNode()
    panel.ui.outlineCheck.click()
    assert display.GetVisibility2DFill() == 0
    assert panel.visit.parameters.outline_only is True
    panel.ui.outlineCheck.click()
    panel.ui.opacitySlider.value = 30
    assert display.GetVisibility2DFill() == 1
    assert display.GetOpacity2DFill() == pytest.approx(0.3)
    before = display.GetSegmentOpacity2DFill("pyramid_right")
    panel._correct.pick(("pyramid_left",))
    assert display.GetSegmentOpacity2DFill("pyramid_right") < before
    assert panel.ui.segmentEditor.currentSegmentID() == "pyramid_left"
    panel.ui.showAllButton.click()
    assert display.GetSegmentOpacity2DFill("pyramid_right") == before


def test_surfaces_and_the_uncertainty_map_are_shown_and_hidden(host, panel, spheres):
    import slicer

    result = panel.visit.result
    edits = panel.visit.edits
    panel.ui.show3DButton.click()
    host.wait_until(
        lambda: result.segmentation.GetSegmentation().ContainsRepresentation("Closed surface"), 20
    )
    assert result.segmentation.GetDisplayNode().GetVisibility3D() == 1
    assert panel.visit.edits == edits
    composite = slicer.mrmlScene.GetNodeByID("vtkMRMLSliceCompositeNodeRed")
    composite.SetForegroundVolumeID(spheres.GetID())  # the user's own overlay
    composite.SetForegroundOpacity(0.25)
    panel.ui.entropyButton.click()
    assert composite.GetForegroundVolumeID() == result.entropy.GetID()
    panel.ui.entropyButton.click()
    assert composite.GetForegroundVolumeID() == spheres.GetID()
    assert composite.GetForegroundOpacity() == 0.25
    panel._new_result()
    assert composite.GetForegroundVolumeID() == spheres.GetID()


def test_the_time_of_work_is_counted_without_pauses(host, panel, spheres, stroke):
    clock = iter((0.0, 10.0, 1000.0))
    panel._stopwatch._clock = lambda: next(clock)
    panel._stopwatch.start()
    stroke("pyramid_left", (10, 10, 10))
    assert panel.visit.parameters.seconds_spent == pytest.approx(10.0)
    stroke("pyramid_left", (12, 10, 10))
    assert panel.visit.parameters.seconds_spent == pytest.approx(70.0)


def test_tier_c_nuclei_are_listed_and_have_no_volume(host, panel, spheres):
    import qt

    tree = panel.ui.volumeTree
    groups = {
        tree.topLevelItem(n).text(0): tree.topLevelItem(n) for n in range(tree.topLevelItemCount)
    }
    group = groups["Known only as a place (tier C)"]
    names = {}
    for number in range(group.childCount()):
        item = group.child(number)
        names[item.text(0)] = item
        assert [item.text(column) for column in (1, 2, 4, 6)] == [""] * 4
        assert item.text(3) == "no volume"
    assert "Hypoglossal nucleus" in names
    assert not any(
        "hypoglossal" in tree.topLevelItem(n).text(0).lower() for n in range(len(groups) - 1)
    )
    assert names["Hypoglossal nucleus"].data(0, qt.Qt.UserRole)


def test_a_segment_that_was_removed_is_a_correction_and_no_crash(host, panel, spheres):
    panel.visit.result.segmentation.GetSegmentation().RemoveSegment("pyramid_left")
    host.wait_until(lambda: panel.visit.measures is not None, 30)
    row = {row.key: row for row in panel.visit.measures.volumes}["pyramid_left"]
    assert row.volume_label_mm3 == 0
    assert "pyramid_left" in panel.visit.result.corrected()


def test_the_segmentation_is_deleted(host, panel, spheres):
    import slicer

    slicer.mrmlScene.RemoveNode(panel.visit.result.segmentation)
    assert panel.visit.result is None
    assert panel.ui.summaryLabel.text == "No result yet."
    assert panel.ui.approveButton.enabled is False
