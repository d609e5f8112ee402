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
    result = panel.visit.result
    host.choose(ui.t1Selector, other)
    assert (ui.subjectEdit.text, ui.ageSpin.value) == ("", 0)
    assert panel.visit.result is None
    assert result.segmentation.GetDisplayNode().GetVisibility() == 0  # not over another's T1
    assert ui.approveButton.enabled is False
    assert ui.summaryLabel.text == "No result yet."
    ui.subjectEdit.text = "P-08"
    host.choose(ui.t1Selector, None)
    assert ui.subjectEdit.text == ""
    host.choose(ui.t1Selector, spheres)
    assert (ui.subjectEdit.text, ui.ageSpin.value) == ("P-07", 61)
    assert panel.visit.result is not None
    assert result.segmentation.GetDisplayNode().GetVisibility() == 1
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


@pytest.mark.usefixtures("remembered")
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


@pytest.mark.usefixtures("unhurried")
def test_another_t1_is_chosen_while_one_is_segmented(host, panel, exam, other):
    ui = panel.ui
    ui.segmentButton.click()
    host.wait_until(lambda: ui.progressBar.value >= 10, RUN_S)
    host.choose(ui.t1Selector, other)
    assert panel.run.running
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


def recovered_drafts():
    from BrainstemALSLib.annotation.drafts import recoverable
    from BrainstemALSLib.gui.settings import local_folder

    return [found.draft for found in recoverable(local_folder() / "drafts")]


def test_a_scene_that_is_added_mixes_nothing(host, opened, spheres, stroke, t1, other, tmp_path):
    """The parameter node of an added scene is copied over ours: T1 and code come together."""
    import slicer

    panel = opened.panel
    host.choose(panel.ui.t1Selector, other)
    panel.ui.subjectEdit.text = "P-08"
    host.save_scene(tmp_path / "other.mrb")
    host.choose(panel.ui.t1Selector, spheres)
    panel.ui.subjectEdit.text = "P-07"
    stroke("pyramid_left", (4, 4, 4))
    assert slicer.mrmlScene.ReadFromMRB(str(tmp_path / "other.mrb"), False)
    host.process_events()
    chosen = panel.visit.parameters.t1
    assert (panel.ui.subjectEdit.text == "P-08") == (chosen is not spheres)
    host.choose(panel.ui.t1Selector, spheres)
    assert panel.ui.subjectEdit.text == "P-07"
    opened.cleanup()
    (draft,) = recovered_drafts()
    assert draft.subject == "P-07"
    assert draft.exam_key == exam_key(t1)


def test_a_stroke_while_surfaces_are_made_counts(host, panel, spheres, stroke):
    panel.ui.show3DButton.click()
    host.wait_until(lambda: panel._views._steps.running, 5)
    host.process_events()
    edits = panel.visit.edits
    stroke("pyramid_left", (4, 4, 4))
    assert panel.visit.edits > edits
    assert panel.visit.measures is None


def test_edits_before_the_t1_is_changed_while_a_case_is_stored(
    host, panel, spheres, other, stroke, tmp_path
):
    panel.ui.subjectEdit.text, panel.ui.annotatorEdit.text = "P-07", "R-01"
    panel.ui.storeEdit.currentPath = str(tmp_path / "store")
    panel.ui.approveButton.click()
    stroke("pyramid_right", (4, 4, 4))
    host.choose(panel.ui.t1Selector, other)
    host.wait_until(lambda: "Approved" in panel.messages.text, 30)
    host.choose(panel.ui.t1Selector, spheres)
    assert "Changed since it was approved" in panel.ui.approvalLabel.text
    assert panel.ui.approveButton.enabled is True


def test_drafts_that_could_not_be_saved_are_saved_later_each_as_its_own(
    host, opened, spheres, other, stroke, t1, local, monkeypatch
):
    panel = opened.panel
    panel.ui.subjectEdit.text = "P-07"
    stroke("pyramid_left", (4, 4, 4))
    monkeypatch.setenv("XDG_DATA_HOME", "/proc/BrainstemALS")
    host.choose(panel.ui.t1Selector, other)
    panel.ui.subjectEdit.text = "P-08"
    assert "written" in panel.messages.text
    monkeypatch.setenv("XDG_DATA_HOME", str(local))
    panel._approval.autosave()
    opened.cleanup()
    (draft,) = recovered_drafts()
    assert (draft.subject, draft.exam_key) == ("P-07", exam_key(t1))
    assert (draft.labels != draft.prediction).sum() > 0


@pytest.mark.parametrize("text", ["no json", "[1]", '{"alsfrs1": 9, "subject_code": "P-08"}'])
def test_a_scene_with_odd_notes_mixes_nothing(host, panel, spheres, other, text):
    panel.ui.subjectEdit.text = "P-07"
    other.SetAttribute("BrainstemALS.Visit", text)
    host.choose(panel.ui.t1Selector, other)
    assert panel.visit.result is None
    assert panel.ui.subjectEdit.text in ("", "P-08")
    assert panel.visit.parameters.alsfrs1 == -1
    host.choose(panel.ui.t1Selector, spheres)
    assert panel.ui.subjectEdit.text == "P-07"


@pytest.mark.usefixtures("remembered")
def test_redo_is_refused_once_another_result_is_shown(host, panel, exam, other, stroke):
    ui = panel.ui
    ui.segmentButton.click()
    host.wait_until(lambda: not panel.run.running, RUN_S)
    ui.segmentButton.click()
    host.wait_until(lambda: not panel.run.running, RUN_S)
    ui.undoRunButton.click()
    host.choose(ui.t1Selector, other)
    ui.messageActionButton.click()
    assert "not one of the result that is shown" in panel.messages.text


def test_the_uncertainty_of_one_patient_is_not_left_over_another(host, panel, spheres, other):
    import slicer

    composite = slicer.mrmlScene.GetNodeByID("vtkMRMLSliceCompositeNodeRed")
    before = composite.GetForegroundVolumeID()
    panel.ui.entropyButton.click()
    assert composite.GetForegroundVolumeID() == panel.visit.result.entropy.GetID()
    host.choose(panel.ui.t1Selector, other)
    assert composite.GetForegroundVolumeID() == before
