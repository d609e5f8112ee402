"""Each T1 has its own code, its own result and its own approval; nothing is mixed."""

from __future__ import annotations

import numpy as np
import pytest

from BrainstemALSLib.annotation.codes import exam_key
from BrainstemALSLib.annotation.store import CaseStore
from BrainstemALSLib.imaging.volume import Volume

RUN_S = 120


@pytest.fixture
def other(add_volume, t1):
    """Another T1, of somebody else."""
    return add_volume(Volume(t1.array[::-1].copy(), t1.affine), "Roe^Richard")


def approve(host, panel, store):
    panel.messages.clear()
    panel.ui.storeEdit.currentPath = str(store)
    panel.ui.annotatorEdit.text = "R-01"
    panel.ui.approveButton.click()
    host.wait_until(lambda: panel.messages.text != "" and not panel._approval.storing, 30)
    assert "Approved" in panel.messages.text
    return CaseStore(store).cases()


def test_what_is_typed_belongs_to_the_t1(host, panel, spheres, other):
    ui = panel.ui
    ui.subjectEdit.text, ui.ageSpin.value = "P-07", 61
    host.choose(ui.t1Selector, other)
    assert (ui.subjectEdit.text, ui.ageSpin.value) == ("", 0)
    assert panel.visit.result is None
    assert ui.approveButton.enabled is False
    assert ui.summaryLabel.text == "No result yet."
    ui.subjectEdit.text = "P-08"
    host.choose(ui.t1Selector, None)
    assert ui.subjectEdit.text == ""
    host.choose(ui.t1Selector, spheres)
    assert (ui.subjectEdit.text, ui.ageSpin.value) == ("P-07", 61)
    assert panel.visit.result is not None
    assert panel.visit.measures is not None
    host.choose(ui.t1Selector, other)
    assert ui.subjectEdit.text == "P-08"


def test_it_is_saved_with_the_scene(host, panel, spheres, other, tmp_path):
    panel.ui.subjectEdit.text = "P-07"
    host.choose(panel.ui.t1Selector, other)
    host.save_scene(tmp_path / "scene.mrb")
    host.load_scene(tmp_path / "scene.mrb")
    import slicer

    again = slicer.mrmlScene.GetFirstNodeByName("Doe^Jane")
    host.choose(panel.ui.t1Selector, again)
    assert panel.ui.subjectEdit.text == "P-07"
    assert panel.visit.result is not None


def test_an_approval_takes_the_t1_that_was_segmented(host, panel, spheres, other, t1, tmp_path):
    panel.ui.subjectEdit.text = "P-07"
    host.choose(panel.ui.t1Selector, other)
    host.choose(panel.ui.t1Selector, spheres)
    (record,) = approve(host, panel, tmp_path / "store")
    assert record.exam_key == exam_key(t1)
    assert record.subject == "P-07"


def test_edits_after_an_approval_are_said_and_approved_again(
    host, panel, spheres, stroke, tmp_path
):
    panel.ui.subjectEdit.text = "P-07"
    approve(host, panel, tmp_path / "store")
    assert panel.ui.approveButton.enabled is False
    stroke("pyramid_left", (4, 4, 4))
    assert "Changed since it was approved" in panel.ui.approvalLabel.text
    assert panel.ui.approveButton.enabled is True
    first, second = approve(host, panel, tmp_path / "store")
    assert second.supersedes == first.case_id
    assert second.changes["pyramid_left"].added == 27
    assert panel.ui.approveButton.enabled is False


def test_segment_may_be_pressed_while_a_correction_is_measured(host, panel, exam, stroke):
    ui = panel.ui
    ui.segmentButton.click()
    host.wait_until(lambda: not panel.run.running, RUN_S)
    stroke("pyramid_left", (4, 4, 4))
    host.wait_until(lambda: panel.jobs.running is not None, 10)
    assert panel.jobs.running.command == "measure"
    host.answer("Keep corrections")
    ui.segmentButton.click()
    assert panel.run.running
    host.wait_until(lambda: not panel.run.running, RUN_S)
    assert panel.messages.text == ""
    host.wait_until(lambda: panel.visit.measures is not None, 30)
    assert "pyramid_left" in panel.visit.result.corrected()


def test_another_t1_is_chosen_while_one_is_segmented(host, panel, exam, other):
    ui = panel.ui
    ui.segmentButton.click()
    host.wait_until(lambda: ui.progressBar.value >= 10, RUN_S)
    host.choose(ui.t1Selector, other)
    host.wait_until(lambda: not panel.run.running, RUN_S)
    assert panel.visit.result is None
    assert "choose the T1 that was segmented" in panel.messages.text
    host.choose(ui.t1Selector, exam["t1"])
    assert panel.visit.result.t1 is exam["t1"]
    assert set(panel.visit.result.maps) == {"fa", "md"}
    assert np.count_nonzero(panel.visit.result.labels_now().labels) > 10_000


def test_the_maps_follow_the_t1(host, panel, exam, other):
    host.choose(panel.ui.t1Selector, other)
    assert panel.visit.parameters.fa is None
    assert panel.visit.parameters.md is None
    host.choose(panel.ui.t1Selector, exam["t1"])
    assert panel.visit.parameters.fa is exam["fa"]
    assert panel.visit.parameters.md is exam["md"]


def test_a_t1_that_cannot_be_followed_shows_no_result_and_no_other_one(
    host, panel, spheres, other, tmp_path
):
    """A non-linear transform was applied to a segmented T1 while another one was shown."""
    import slicer

    panel.ui.subjectEdit.text = "P-07"
    host.choose(panel.ui.t1Selector, other)
    panel.ui.subjectEdit.text = "P-08"
    grid = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLBSplineTransformNode")
    spheres.SetAndObserveTransformNodeID(grid.GetID())
    host.choose(panel.ui.t1Selector, spheres)
    assert panel.ui.subjectEdit.text == "P-07"
    assert panel.visit.result is None or panel.visit.result.t1 is spheres
    assert panel.ui.summaryLabel.text == "No result yet."
    panel.ui.storeEdit.currentPath = str(tmp_path / "store")
    panel.ui.annotatorEdit.text = "R-01"
    panel.ui.approveButton.click()
    assert not (tmp_path / "store").exists()
    # A scene that is loaded so opens all the same.
    panel.visit.open()
    assert panel.ui.summaryLabel.text == "No result yet."


def test_edits_while_a_case_is_stored_are_not_taken_for_stored(
    host, panel, spheres, stroke, tmp_path
):
    panel.ui.subjectEdit.text, panel.ui.annotatorEdit.text = "P-07", "R-01"
    panel.ui.storeEdit.currentPath = str(tmp_path / "store")
    panel.ui.approveButton.click()
    assert panel._approval.storing
    stroke("pyramid_right", (4, 4, 4))
    host.wait_until(lambda: "Approved" in panel.messages.text, 30)
    assert "Changed since it was approved" in panel.ui.approvalLabel.text
    assert panel.ui.approveButton.enabled is True
    (record,) = CaseStore(tmp_path / "store").cases()
    assert "pyramid_right" not in record.changes
    panel._approval.autosave()
    assert "Draft saved" in panel.ui.approvalLabel.text


def test_volumes_that_could_not_be_measured_can_be_measured_again(host, panel, spheres, stroke):
    from BrainstemALSLib.worker.process_tree import kill_tree

    def killed():
        pid = panel.jobs.process.session.pid
        if pid and panel.jobs.running is not None:
            kill_tree(pid)
        return panel.ui.messageActionButton.visible

    stroke("pyramid_left", (4, 4, 4))
    host.wait_until(killed, 60)
    assert panel.ui.messageActionButton.text == "Measure again"
    assert panel.ui.exportButton.enabled is False
    panel.ui.messageActionButton.click()
    host.wait_until(lambda: panel.visit.measures is not None, 30)
    assert panel.ui.exportButton.enabled is True
