"""What only a real 3D Slicer can prove; see docs/decisions/0005-a-qt-host-for-tests.md.

Run it inside Slicer 5.10 or newer, with the module in its module paths:

    Slicer --testing --additional-module-paths BrainstemALS \
      --python-script Testing/slicer/BrainstemALSInSlicer.py

With CTest it runs through ``slicer_add_python_unittest``. It needs a main window: slice views, the
Segment Editor's effects and the layout are part of what is proven. What no code can see is in
``manual.md``.
"""

import os
import sys
import tempfile
import time
import unittest
from pathlib import Path

import numpy as np
import qt
import slicer
import vtk

RUN_S, SHORT_S = 300, 60
EDITED = "pyramid_left"
TORCH_BEFORE = "torch" in sys.modules  # of another extension


def wait_until(condition, seconds):
    """Run the event loop until a condition holds; returns whether it does."""
    end = time.monotonic() + seconds
    while not condition() and time.monotonic() < end:
        slicer.app.processEvents()
        time.sleep(0.005)
    return bool(condition())


def press(text, tries=200):
    """Press a button of the modal dialog to come; a dialog without it is dismissed."""
    dialog = qt.QApplication.activeModalWidget()
    if dialog is None:
        if tries:
            qt.QTimer.singleShot(50, lambda: press(text, tries - 1))
        return
    buttons = {one.text.replace("&", ""): one for one in dialog.findChildren(qt.QPushButton)}
    if text in buttons:
        buttons[text].click()
    else:
        dialog.reject()


def stroke():
    """Drag the mouse over the middle of the red view."""
    view = slicer.app.layoutManager().sliceWidget("Red")
    width, height = view.interactorStyle().GetInteractor().GetRenderWindow().GetSize()
    x, y = width // 2, height // 2
    slicer.util.clickAndDrag(view, start=(x, y), end=(x + 12, y + 12), steps=5)
    slicer.app.processEvents()


class BrainstemALSInSlicer(unittest.TestCase):
    """Real PythonQt, real qMRML widgets, real views."""

    patient = ()  # arrays, matrices and names of T1, FA and MD: computed once, loaded by each test

    @classmethod
    def setUpClass(cls):
        # Drafts and logs of the tests lie elsewhere than those of whoever runs them.
        qt.QStandardPaths.setTestModeEnabled(True)

    @classmethod
    def tearDownClass(cls):
        qt.QStandardPaths.setTestModeEnabled(False)

    def setUp(self):
        from BrainstemALSLib.gui import settings

        for name in ("annotator", "store", "export"):
            self.addCleanup(settings.remember, name, settings.remembered(name))
        folder = tempfile.TemporaryDirectory(ignore_cleanup_errors=True)
        self.addCleanup(folder.cleanup)
        self.folder = Path(folder.name)
        self.watch_slots()
        slicer.mrmlScene.Clear(0)
        slicer.app.layoutManager().setLayout(slicer.vtkMRMLLayoutNode.SlicerLayoutFourUpView)
        slicer.util.selectModule("BrainstemALS")
        self.panel = slicer.util.getModuleWidget("BrainstemALS").panel
        self.ui = self.panel.ui
        self.panel.messages.clear()

    def tearDown(self):
        assert "unexpected" not in self.panel.messages.text, self.panel.messages.text
        assert self.raised == []

    def watch_slots(self):
        """Note what is raised in slots and observers, which Slicer prints and forgets."""
        self.raised, hook = [], sys.excepthook
        self.addCleanup(setattr, sys, "excepthook", hook)

        def note(kind, problem, trace):
            self.raised.append(repr(problem))
            hook(kind, problem, trace)

        sys.excepthook = note

    def load(self):
        """Load the simulated patient and choose its images; returns the T1."""
        from BrainstemALSLib.gui.sample_data import load_simulated_patient
        from BrainstemALSLib.installation.requirements import missing

        if missing():
            self.skipTest("packages are missing: open the module and install them")
        if not self.patient:
            nodes = load_simulated_patient()
            matrices = [vtk.vtkMatrix4x4() for _ in nodes]
            for node, matrix in zip(nodes, matrices, strict=True):
                node.GetIJKToRASMatrix(matrix)
            arrays = [slicer.util.arrayFromVolume(node).copy() for node in nodes]
            names = [node.GetName() for node in nodes]
            type(self).patient = tuple(zip(arrays, matrices, names, strict=True))
        else:
            nodes = [slicer.util.addVolumeFromArray(*volume) for volume in self.patient]
        for role, node in zip(("t1", "fa", "md"), nodes, strict=True):
            getattr(self.ui, f"{role}Selector").setCurrentNode(node)
        assert self.ui.segmentButton.enabled
        return nodes[0]

    def segment(self):
        """Press the button, wait for the end, return the result."""
        self.ui.segmentButton.click()
        assert wait_until(lambda: not self.panel.run.running, RUN_S)
        assert self.panel.visit.result is not None
        return self.panel.visit.result

    def brush(self):
        """Take the Paint effect and a structure into the hand."""
        editor = self.ui.segmentEditor
        editor.setActiveEffectByName("Paint")
        assert editor.activeEffect() is not None
        editor.setCurrentSegmentID(EDITED)
        return editor

    def labels(self):
        return self.panel.visit.result.labels_now().labels

    def test_every_widget_of_the_panel_was_made(self):
        for name in ("t1Selector", "volumeTree", "segmentEditor", "storeEdit", "messageLabel"):
            assert hasattr(self.ui, name), name
        assert self.ui.segmentEditor.className() == "qMRMLSegmentEditorWidget"
        assert self.ui.t1Selector.className() == "qMRMLNodeComboBox"

    def test_selectors_and_parameter_node_are_bound_both_ways(self):
        t1 = slicer.util.addVolumeFromArray(np.arange(120, dtype=np.int16).reshape(4, 5, 6))
        self.ui.t1Selector.setCurrentNode(t1)
        parameters = self.panel.visit.parameters
        assert parameters.t1 is t1
        self.ui.subjectEdit.text = "S-01"
        self.ui.ageSpin.value = 61
        assert (parameters.subject_code, parameters.age) == ("S-01", 61)
        parameters.subject_code = "S-02"
        assert self.ui.subjectEdit.text == "S-02"
        parameters.t1 = None
        assert self.ui.t1Selector.currentNode() is None

    def test_the_sample_is_offered_and_loads(self):
        import SampleData

        from BrainstemALSLib.gui.sample_data import CATEGORY, SAMPLE

        logic = SampleData.SampleDataLogic()
        assert wait_until(lambda: logic.sourceForSampleName(SAMPLE) is not None, SHORT_S)
        source = logic.sourceForSampleName(SAMPLE)
        assert slicer.modules.sampleDataSources[CATEGORY] == [source]
        slicer.util.selectModule("SampleData")  # which makes a button of every source
        nodes = source.customDownloader(source)
        assert len(nodes) == 3
        for node in nodes:
            assert node.IsA("vtkMRMLScalarVolumeNode")
            assert node.GetScene() is slicer.mrmlScene
            assert slicer.util.arrayFromVolume(node).max() > 0

    def test_a_visit(self):
        """From the images to the loaded scene, with the buttons that a clinician presses."""
        from BrainstemALSLib.anatomy import by_key
        from BrainstemALSLib.annotation.store import CaseStore
        from BrainstemALSLib.scene.export import export_names, export_stem

        ui, visit = self.ui, self.panel.visit
        t1 = self.load()
        ui.subjectEdit.text, ui.visitDateEdit.text = "S-01", "2026-03-31"
        layout = slicer.app.layoutManager().layout
        segmentation = self.segment().segmentation
        assert slicer.app.layoutManager().layout == layout
        assert segmentation.GetSegmentation().GetNumberOfSegments() >= 40
        assert ui.volumeTree.topLevelItemCount > 0
        ui.uncertainButton.click()
        assert ui.uncertainLabel.text
        ui.volumeTree.itemClicked.emit(ui.volumeTree.topLevelItem(0), 0)
        ui.showAllButton.click()

        # Paint with the mouse, undo, redo.
        before = self.labels()
        editor = self.brush()
        assert editor.segmentationNode() is segmentation
        assert editor.sourceVolumeNode() is t1
        stroke()
        painted = self.labels()
        assert not np.array_equal(painted, before)
        editor.undo()
        assert np.array_equal(self.labels(), before)
        editor.redo()
        assert np.array_equal(self.labels(), painted)
        assert wait_until(lambda: visit.measures is not None, SHORT_S)

        ui.show3DButton.checked = True
        surfaces = segmentation.GetSegmentation().ContainsRepresentation
        assert wait_until(lambda: surfaces("Closed surface"), SHORT_S)
        ui.entropyButton.checked = True
        composite = slicer.mrmlScene.GetNodeByID("vtkMRMLSliceCompositeNodeRed")
        assert composite.GetForegroundVolumeID() == visit.result.entropy.GetID()
        ui.entropyButton.checked = False
        assert np.array_equal(self.labels(), painted)

        ui.annotatorEdit.text = "R-01"
        ui.storeEdit.currentPath = str(self.folder / "store ä")
        ui.approveButton.click()
        assert wait_until(lambda: "Approved as case" in self.panel.messages.text, SHORT_S)
        store = CaseStore(self.folder / "store ä", read_only=True)
        (record,) = store.cases()
        assert store.verify(record.case_id) == ()
        assert (record.subject, record.annotator) == ("S-01", "R-01")
        assert record.modalities == ("t1", "fa", "md")
        now, index = visit.result.labels_now(), by_key()[EDITED].index
        added = np.count_nonzero((now.labels == index) & (now.prediction != index))
        assert added > 0
        assert record.changes[EDITED].added == added

        ui.exportFolderEdit.currentPath = str(self.folder / "out")
        ui.exportButton.click()
        names = export_names(export_stem("S-01", "2026-03-31"))
        assert sorted(os.listdir(self.folder / "out")) == sorted(names)
        (exported,) = (name for name in names if name.endswith(".seg.nrrd"))
        again = slicer.util.loadSegmentation(str(self.folder / "out" / exported))
        ids = segmentation.GetSegmentation().GetSegmentIDs()
        assert again.GetSegmentation().GetSegmentIDs() == ids

        # Another module and back: the mouse and the keys of the views are given back.
        slicer.util.selectModule("Data")
        assert editor.activeEffect() is None
        slicer.util.selectModule("BrainstemALS")
        assert visit.parameters.t1 is t1

        # Another day.
        scene = str(self.folder / "visit.mrb")
        slicer.util.saveScene(scene)
        slicer.mrmlScene.Clear(0)
        assert visit.result is None
        slicer.util.loadScene(scene)
        assert wait_until(lambda: visit.result is not None, SHORT_S)
        assert np.array_equal(self.labels(), painted)
        assert (ui.subjectEdit.text, ui.visitDateEdit.text) == ("S-01", "2026-03-31")
        assert record.case_id in ui.approvalLabel.text
        assert editor.segmentationNode() is visit.result.segmentation
        assert wait_until(lambda: visit.measures is not None, SHORT_S)

    def test_corrections_are_asked_about_kept_and_brought_back(self):
        self.load()
        segmentation = self.segment().segmentation
        self.brush()
        stroke()
        painted = self.labels()
        press("Keep corrections")
        assert self.segment().segmentation is segmentation
        assert EDITED in self.panel.visit.result.corrected()
        self.ui.undoRunButton.click()
        assert np.array_equal(self.labels(), painted)

    def test_cancel_leaves_the_scene_as_it_was_and_the_next_run_works(self):
        self.load()
        nodes = slicer.mrmlScene.GetNumberOfNodes()
        self.ui.segmentButton.click()
        assert wait_until(lambda: self.ui.progressBar.value >= 6, RUN_S)
        self.ui.cancelButton.click()
        assert wait_until(lambda: not self.panel.run.running, 10)
        assert "Cancelled" in self.ui.progressLabel.text
        assert self.panel.visit.result is None
        assert slicer.mrmlScene.GetNumberOfNodes() == nodes
        self.segment()

    def test_torch_stays_in_the_worker(self):
        if TORCH_BEFORE:
            self.skipTest("another extension has loaded torch into Slicer")
        self.load()
        self.segment()
        assert "torch" not in sys.modules

    def test_closing_the_scene_during_a_run_leaves_an_empty_panel(self):
        self.load()
        self.ui.segmentButton.click()
        assert wait_until(lambda: self.ui.progressBar.value >= 6, RUN_S)
        slicer.mrmlScene.Clear(0)
        assert wait_until(lambda: not self.panel.run.running, 10)
        assert "scene was closed" in self.panel.messages.text
        assert self.panel.visit.parameters.t1 is None
        assert self.panel.visit.result is None


if __name__ == "__main__":
    outcome = unittest.TextTestRunner(verbosity=2).run(
        unittest.defaultTestLoader.loadTestsFromTestCase(BrainstemALSInSlicer)
    )
    slicer.util.exit(0 if outcome.wasSuccessful() else 1)
