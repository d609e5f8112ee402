"""What tests do with the host: open modules, answer dialogs, paint, wait, take pictures."""

from __future__ import annotations

import time
from pathlib import Path

import numpy as np
import pytest

from Testing.host.example import MODULE, PANEL, example_panel, example_panel_file, volume  # noqa: F401


class TestModules:
    @pytest.fixture
    def module_file(self, tmp_path):
        (tmp_path / "Resources" / "UI").mkdir(parents=True)
        (tmp_path / "Resources" / "UI" / "Example.ui").write_text(PANEL, encoding="utf-8")
        path = tmp_path / "Example.py"
        path.write_text(MODULE, encoding="utf-8")
        return path

    def test_a_module_is_opened_shown_and_unloaded(self, host, module_file):
        import slicer

        module, widget = host.load_module(module_file)
        assert slicer.modules.example.title == "Example"
        assert slicer.util.getModuleWidget("Example") is widget
        assert isinstance(widget, module.ExampleWidget)
        host.enter(widget)
        assert widget.ui.section.visible
        host.exit(widget)
        events = widget.events
        host.new_scene()
        assert events == ["setup", "enter", "exit", "cleanup"]
        assert not hasattr(slicer.modules, "example")

    def test_a_picture_of_a_module_is_no_larger_than_its_panel(self, host, module_file, tmp_path):
        from PIL import Image

        _, widget = host.load_module(module_file)
        host.enter(widget)
        path = host.panel_screenshot(widget, tmp_path / "panel.png", (300, 120))
        with Image.open(path) as picture:
            assert picture.size == (300, 120)
        assert widget.ui.section.visible

    def test_a_module_registers_its_sample_when_slicer_has_started(self, host, module_file):
        import slicer

        host.load_module(module_file)
        assert slicer.modules.sampleDataSources == {}
        host.complete_startup()
        host.complete_startup()  # offers nothing twice
        (source,) = slicer.modules.sampleDataSources["Example"]
        assert source.customDownloader(source) == "One"

    @pytest.mark.parametrize(
        ("files", "problem"),
        [
            ({}, TypeError),
            ({"uris": []}, TypeError),
            ({"fileNames": [], "nodeNames": []}, TypeError),
            ({"uris": [], "fileNames": ["t1.nrrd"]}, ValueError),
            ({"uris": ["https://x"], "fileNames": ["t1.nrrd"], "nodeNames": []}, ValueError),
        ],
    )
    def test_a_sample_whose_lists_do_not_match_is_refused(self, host, files, problem):
        import SampleData

        with pytest.raises(problem):
            SampleData.SampleDataLogic.registerCustomSampleDataSource(
                category="Example", sampleName="One", customDownloader=print, **files
            )

    def test_a_sample_of_one_file_may_be_given_without_lists(self, host):
        import SampleData

        source = SampleData.SampleDataSource("One", uris="https://x", fileNames="t1.nrrd")
        assert (source.uris, source.nodeNames) == (["https://x"], [None])

    def test_the_parameter_node_is_one(self, host, module_file):
        module, _ = host.load_module(module_file)
        node = module.ExampleLogic().getParameterNode()
        assert module.ExampleLogic().getParameterNode() is node
        host.close_scene()
        assert module.ExampleLogic().getParameterNode().GetAttribute("ModuleName") == "Example"


class TestPerson:
    def test_messages_are_answered(self, host):
        import qt
        import slicer

        host.answer(qt.QMessageBox.Yes, "No", qt.QMessageBox.Ok)
        assert slicer.util.confirmYesNoDisplay("Overwrite?") is True
        assert slicer.util.confirmYesNoDisplay("Sure?") is False
        assert slicer.util.confirmOkCancelDisplay("Go?") is True
        assert host.person.seen == ["Overwrite?", "Sure?", "Go?"]

    def test_a_box_with_own_buttons(self, host):
        import qt

        box = qt.QMessageBox()
        box.text = "Keep the corrected segments?"
        keep = box.addButton("&Keep", qt.QMessageBox.AcceptRole)
        box.addButton("Replace", qt.QMessageBox.DestructiveRole)
        host.answer("Keep")
        box.exec_()
        assert box.clickedButton() is keep

    def test_file_dialogs_get_a_path(self, host, panel, tmp_path):
        import qt

        (tmp_path / "t1.nii.gz").touch()
        host.answer(tmp_path / "t1.nii.gz")
        path = qt.QFileDialog.getOpenFileName(None, "Open", str(tmp_path))
        assert Path(path) == tmp_path / "t1.nii.gz"
        host.answer(tmp_path)
        _, ui = panel
        ui.folderEdit.browse()
        assert Path(ui.folderEdit.currentPath) == tmp_path

    def test_any_dialog_is_answered_by_a_function(self, host):
        import qt

        dialog = qt.QDialog()
        dialog.windowTitle = "Install"
        button = qt.QPushButton("Go", dialog)
        button.clicked.connect(dialog.accept)
        host.answer(lambda shown: shown.findChild(qt.QPushButton).click())
        assert dialog.exec_() == qt.QDialog.Accepted
        assert host.person.seen == ["Install"]

    def test_a_wrong_answer_is_reported(self, host):
        import slicer

        host.answer("Maybe")
        assert slicer.util.confirmYesNoDisplay("Overwrite?") is False
        assert "'Maybe'" in host.problems()[0]

    def test_an_unanswered_message_is_reported(self, host, monkeypatch):
        import slicer

        monkeypatch.setattr(type(host.person), "PATIENCE_MS", 50)
        assert slicer.util.confirmYesNoDisplay("Anyone?") is False
        assert "Anyone?" in host.problems()[0]


class TestSegmentEditor:
    def test_undo_leads_back(self, host, panel):
        import slicer

        _, ui = panel
        t1 = volume(shape=(6, 6, 6))
        node = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLSegmentationNode")
        node.CreateDefaultDisplayNodes()
        node.SetReferenceImageGeometryParameterFromVolumeNode(t1)
        node.GetSegmentation().AddEmptySegment("pons", "Pons")
        editor = slicer.vtkMRMLSegmentEditorNode()
        slicer.mrmlScene.AddNode(editor)
        ui.editor.setMRMLSegmentEditorNode(editor)
        ui.editor.setMRMLScene(slicer.mrmlScene)
        ui.editor.setSegmentationNode(node)
        ui.editor.setSourceVolumeNode(t1)
        assert ui.editor.currentSegmentID() == "pons"
        mask = np.zeros((6, 6, 6), bool)
        mask[1:3, 2:5, 3] = True

        def painted():
            return slicer.util.arrayFromSegmentBinaryLabelmap(node, "pons", t1).transpose(2, 1, 0)

        host.paint(ui.editor, mask)
        np.testing.assert_array_equal(painted(), mask)
        host.paint(ui.editor, mask & (np.arange(6)[:, None, None] == 1), "remove")
        assert painted().sum() == 3
        ui.editor.undo()
        np.testing.assert_array_equal(painted(), mask)
        ui.editor.redo()
        assert painted().sum() == 3


class TestSceneAndViews:
    def test_slice_views_take_volumes_and_jump(self, host):
        import slicer

        t1 = volume()
        slicer.util.setSliceViewerLayers(background=t1, fit=True)
        red = slicer.app.layoutManager().sliceWidget("Red")
        assert red.mrmlSliceCompositeNode().GetBackgroundVolumeID() == t1.GetID()
        slicer.vtkMRMLSliceNode.JumpAllSlices(slicer.mrmlScene, 1.0, 2.0, 3.0)
        assert red.mrmlSliceNode().GetSliceToRAS().GetElement(2, 3) == pytest.approx(3.0)

    def test_a_volume_has_its_place_in_the_subject_hierarchy(self, host):
        import slicer

        t1 = volume()
        hierarchy = slicer.vtkMRMLSubjectHierarchyNode.GetSubjectHierarchyNode(slicer.mrmlScene)
        assert hierarchy.GetItemByDataNode(t1)

    def test_the_application_knows_itself(self, host):
        import slicer

        assert (slicer.app.majorVersion, slicer.app.minorVersion) >= (5, 10)
        assert slicer.app.applicationName == "Slicer"
        assert Path(slicer.app.temporaryPath).is_dir()
        assert slicer.util.mainWindow() is None
        assert slicer.app.applicationLogic().GetMRMLScene() is slicer.mrmlScene

    def test_a_segmentation_survives_its_scene(self, host, tmp_path):
        import slicer

        t1 = volume(shape=(6, 6, 6))
        node = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLSegmentationNode", "labels")
        node.SetReferenceImageGeometryParameterFromVolumeNode(t1)
        node.GetSegmentation().AddEmptySegment("pons", "Pons")
        mask = (np.arange(216) % 5 == 0).reshape(6, 6, 6).astype(np.uint8)
        slicer.util.updateSegmentBinaryLabelmapFromArray(mask, node, "pons", t1)
        host.save_scene(tmp_path / "visit.mrb")
        host.load_scene(tmp_path / "visit.mrb")
        loaded = slicer.util.getNode("labels")
        assert loaded is not node
        t1 = slicer.util.getNode("T1")
        found = slicer.util.arrayFromSegmentBinaryLabelmap(loaded, "pons", t1)
        np.testing.assert_array_equal(found, mask)

    def test_closing_leaves_the_views(self, host):
        import slicer

        volume()
        host.close_scene()
        red = slicer.app.layoutManager().sliceWidget("Red")
        assert red.mrmlSliceNode().GetScene() is slicer.mrmlScene
        assert red.mrmlSliceCompositeNode().GetBackgroundVolumeID() is None
        assert slicer.mrmlScene.GetNumberOfNodesByClass("vtkMRMLScalarVolumeNode") == 0

    def test_nodes_are_saved_and_loaded(self, host, tmp_path):
        import slicer

        assert slicer.util.saveNode(volume(), str(tmp_path / "t1.nii.gz"))
        loaded = slicer.util.loadVolume(str(tmp_path / "t1.nii.gz"))
        assert slicer.util.arrayFromVolume(loaded).shape == (4, 5, 6)


class TestSession:
    def test_a_failing_slot_fails_the_test(self, host):
        import qt

        button = qt.QPushButton()
        button.clicked.connect(lambda: 1 / 0)
        button.click()
        with pytest.raises(AssertionError, match="ZeroDivisionError"):
            host.check()

    def test_the_heartbeat_sees_a_block(self, host):
        import qt

        with host.heartbeat() as beat:
            qt.QTimer.singleShot(10, lambda: time.sleep(0.15))
            host.wait_until(lambda: beat.beats > 20)
        assert 0.14 < beat.longest < 1.0

    def test_waiting_ends(self, host):
        with pytest.raises(AssertionError, match="not within"):
            host.wait_until(lambda: False, timeout_s=0.05)

    def test_a_screenshot_has_the_size_asked_for(self, host, panel, tmp_path):
        from PIL import Image

        widget, _ = panel
        with host.font_scale(1.5):
            path = host.screenshot(widget, tmp_path / "panel.png", (400, 600))
        with Image.open(path) as picture:
            assert picture.size == (400, 600)
            assert len(picture.convert("RGB").getcolors(100000)) > 4
