"""Bad input ends in one sentence in the panel; nothing runs, nothing is written."""

from __future__ import annotations

import os
import sys

import numpy as np
import pytest

from BrainstemALSLib.annotation.store import CaseStore
from BrainstemALSLib.imaging.volume import Volume

WAIT_S = 120


def refused(host, panel):
    """Press Segment and return what the panel says once nothing runs any more."""
    panel.ui.segmentButton.click()
    host.wait_until(lambda: not panel.run.running, WAIT_S)
    assert panel.visit.result is None
    assert panel.ui.segmentButton.enabled is True
    return panel.messages.text


def test_images_of_two_patients(host, panel, exam):
    import slicer

    hierarchy = slicer.vtkMRMLSubjectHierarchyNode.GetSubjectHierarchyNode(slicer.mrmlScene)
    for role, patient in (("t1", "Doe^Jane"), ("fa", "Roe^Richard")):
        item = hierarchy.CreateSubjectItem(hierarchy.GetSceneItemID(), patient)
        hierarchy.SetItemParent(_item(hierarchy, exam[role]), item)
    said = refused(host, panel)
    assert "FA: it belongs to another patient than the T1" in said
    assert "Doe" not in said
    assert "Roe" not in said


def _item(hierarchy, node):
    return hierarchy.GetItemByDataNode(node) or hierarchy.CreateItem(
        hierarchy.GetSceneItemID(), node
    )


def test_a_dti_without_tensors(host, panel, exam):
    import slicer

    dti = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLDiffusionTensorVolumeNode")
    host.choose(panel.ui.faSelector, None)
    host.choose(panel.ui.dtiSelector, dti)
    assert "DTI" in refused(host, panel)


def test_fa_and_md_swapped(host, panel, exam):
    host.choose(panel.ui.faSelector, exam["md"])
    host.choose(panel.ui.mdSelector, exam["fa"])
    said = refused(host, panel)
    assert "FA: fractional anisotropy lies between 0 and 1" in said
    assert "swapped" in said


def test_a_t1_without_voxels(host, panel):
    import slicer

    host.choose(
        panel.ui.t1Selector, slicer.mrmlScene.AddNewNodeByClass("vtkMRMLScalarVolumeNode", "Doe")
    )
    said = refused(host, panel)
    assert said.startswith("T1:")
    assert "Doe" not in said


def test_a_t1_under_a_non_linear_transform(host, panel, exam):
    import slicer

    grid = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLBSplineTransformNode")
    exam["t1"].SetAndObserveTransformNodeID(grid.GetID())
    assert "Harden" in refused(host, panel)


def test_an_image_without_a_brainstem(host, panel, add_volume):
    noise = np.random.default_rng(0).normal(100, 20, (96, 96, 96)).astype(np.float32)
    node = add_volume(Volume(noise, np.diag([2.0, 2.0, 2.0, 1.0])))
    host.choose(panel.ui.t1Selector, node)
    assert "no brainstem was found" in refused(host, panel)


def test_a_full_disk_for_temporary_files(host, panel, exam, monkeypatch):
    import tempfile

    monkeypatch.setattr(tempfile, "tempdir", "/dev/full")
    assert "Temporary folder" in refused(host, panel)


@pytest.mark.parametrize("code", ["", "Jane Doe", "Ada_Lovelace"])
def test_an_approval_needs_codes(host, panel, spheres, tmp_path, code):
    panel.ui.storeEdit.currentPath = str(tmp_path / "store")
    panel.ui.subjectEdit.text = code
    panel.ui.annotatorEdit.text = "R-01"
    panel.ui.approveButton.click()
    assert panel.messages.text.startswith("Subject code:")
    assert code == "" or code not in panel.messages.text
    assert not (tmp_path / "store").exists()
    assert panel.ui.approveButton.enabled is True


def approve(host, panel, store):
    panel.ui.storeEdit.currentPath = str(store)
    panel.ui.subjectEdit.text = "P-07"
    panel.ui.annotatorEdit.text = "R-01"
    panel.ui.approveButton.click()
    host.wait_until(lambda: panel.messages.text != "" and not panel._approval.storing, 30)
    return panel.messages.text


def test_an_approval_needs_a_store(host, panel, spheres):
    assert "no folder for approved cases is chosen" in approve(host, panel, "")


def test_a_store_that_is_a_folder_of_other_things(host, panel, spheres, tmp_path):
    (tmp_path / "letter.txt").write_text("x")
    assert "no annotation store" in approve(host, panel, tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["letter.txt"]


@pytest.mark.skipif(sys.platform == "win32", reason="POSIX devices")
def test_a_store_that_cannot_be_written_to(host, panel, spheres):
    said = approve(host, panel, "/proc/BrainstemALS")
    assert "written" in said
    assert panel.ui.approveButton.enabled is True


def test_a_store_below_a_long_path_with_other_letters(host, panel, spheres, tmp_path):
    store = tmp_path / ("Ärztezimmer 日本 " + "x" * 100) / ("y" * 60)
    assert "Approved as case" in approve(host, panel, store)
    (record,) = CaseStore(store).cases()
    assert CaseStore(store).verify(record.case_id) == ()


def test_an_export_without_a_folder_or_a_code(host, panel, spheres, tmp_path):
    panel.ui.exportButton.click()
    assert "no folder is chosen" in panel.messages.text
    panel.ui.exportFolderEdit.currentPath = str(tmp_path / "out")
    panel.ui.exportButton.click()
    assert "Subject code" in panel.messages.text
    panel.ui.subjectEdit.text, panel.ui.visitDateEdit.text = "P-07", "31.03.2026"
    panel.ui.exportButton.click()
    assert "Visit date" in panel.messages.text
    assert not (tmp_path / "out").exists()


def test_an_export_never_overwrites_unasked(host, panel, spheres, tmp_path):
    import qt

    panel.ui.subjectEdit.text = "P-07"
    panel.ui.exportFolderEdit.currentPath = str(tmp_path / "out")
    panel.ui.exportButton.click()
    (table,) = (tmp_path / "out").glob("*_volumes.tsv")
    table.write_text("mine")
    host.answer(qt.QMessageBox.Cancel)
    panel.ui.exportButton.click()
    assert table.read_text() == "mine"
    host.answer(qt.QMessageBox.Ok)
    panel.ui.exportButton.click()
    assert table.read_text() != "mine"


def test_what_nobody_foresaw_is_a_sentence_too(host, panel, caplog):
    secret = os.sep + "Doe_Jane"
    with panel.messages.refusals():
        raise KeyError(secret)
    assert "KeyError" in panel.messages.text
    assert secret not in panel.messages.text + caplog.text
    assert "test_refusals.py" in caplog.text


@pytest.mark.skipif(sys.platform == "win32", reason="POSIX devices")
def test_a_draft_that_cannot_be_saved_is_said_and_saved_later(
    host, panel, spheres, stroke, local, monkeypatch
):
    stroke("pyramid_left", (4, 4, 4))
    monkeypatch.setenv("XDG_DATA_HOME", "/proc/BrainstemALS")
    panel._approval.autosave()
    assert "written" in panel.messages.text
    monkeypatch.setenv("XDG_DATA_HOME", str(local))
    panel._approval.autosave()
    assert "Draft saved" in panel.ui.approvalLabel.text
