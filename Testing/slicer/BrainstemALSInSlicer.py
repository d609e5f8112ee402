"""What only a real 3D Slicer can prove; see docs/decisions/0005-a-qt-host-for-tests.md.

Run it inside Slicer 5.10 or newer, with the module in its module paths:

    Slicer --testing --additional-module-paths BrainstemALS \
      --python-script Testing/slicer/BrainstemALSInSlicer.py

With CTest it runs through ``slicer_add_python_unittest``. It needs a main window: slice views, the
Segment Editor's effects and the layout are part of what is proven.
"""

import time
import unittest

import qt
import slicer


def wait_until(condition, seconds):
    """Run the event loop until a condition holds."""
    end = time.monotonic() + seconds
    while not condition() and time.monotonic() < end:
        slicer.app.processEvents(qt.QEventLoop.AllEvents, 50)
    return condition()


class BrainstemALSInSlicer(unittest.TestCase):
    """Real PythonQt, real qMRML widgets, real views."""

    def setUp(self):
        slicer.mrmlScene.Clear(0)
        slicer.util.selectModule("BrainstemALS")
        self.panel = slicer.util.getModuleWidget("BrainstemALS").panel
        self.ui = self.panel.ui

    def load(self):
        from BrainstemALSLib.gui.sample_data import load_simulated_patient

        nodes = load_simulated_patient()
        for selector, node in zip(
            (self.ui.t1Selector, self.ui.faSelector, self.ui.mdSelector), nodes, strict=True
        ):
            selector.setCurrentNode(node)
        return nodes

    def test_every_widget_of_the_panel_was_made(self):
        for name in ("t1Selector", "volumeTree", "segmentEditor", "storeEdit", "messageLabel"):
            assert hasattr(self.ui, name), name
        assert self.ui.segmentEditor.className() == "qMRMLSegmentEditorWidget"
        assert self.ui.t1Selector.className() == "qMRMLNodeComboBox"

    def test_selectors_and_parameter_node_are_bound_both_ways(self):
        t1, _, _ = self.load()
        parameters = self.panel.visit.parameters
        assert parameters.t1 is t1
        parameters.t1 = None
        assert self.ui.t1Selector.currentNode() is None
        self.ui.subjectEdit.text = "S-01"
        self.ui.subjectEdit.editingFinished.emit()
        assert parameters.subject_code == "S-01"

    def test_a_visit(self):
        """Load, segment, jump, paint, undo, surfaces: with the buttons a clinician presses."""
        from BrainstemALSLib.installation.requirements import missing

        if missing():
            self.skipTest("packages are missing")
        t1, _, _ = self.load()
        layout = slicer.app.layoutManager().layout
        self.ui.segmentButton.click()
        assert wait_until(lambda: self.panel.visit.result is not None, 300)
        assert slicer.app.layoutManager().layout == layout
        self.ui.volumeTree.itemClicked.emit(self.ui.volumeTree.topLevelItem(0), 0)
        self.ui.uncertainButton.click()
        editor = self.ui.segmentEditor
        assert editor.segmentationNode() is self.panel.visit.result.segmentation
        editor.setActiveEffectByName("Paint")
        assert editor.activeEffect() is not None
        self.ui.show3DButton.click()
        segmentation = self.panel.visit.result.segmentation.GetSegmentation()
        assert wait_until(lambda: segmentation.ContainsRepresentation("Closed surface"), 60)
        slicer.util.selectModule("Data")
        slicer.util.selectModule("BrainstemALS")
        assert editor.activeEffect() is None
        assert self.panel.visit.parameters.t1 is t1

    def test_closing_the_scene_leaves_an_empty_panel(self):
        self.load()
        slicer.mrmlScene.Clear(0)
        assert self.panel.visit.parameters.t1 is None
        assert self.panel.visit.result is None


if __name__ == "__main__":
    outcome = unittest.TextTestRunner(verbosity=2).run(
        unittest.defaultTestLoader.loadTestsFromTestCase(BrainstemALSInSlicer)
    )
    slicer.util.exit(0 if outcome.wasSuccessful() else 1)
