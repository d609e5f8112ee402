"""BrainstemALS: the module that 3D Slicer finds. It registers and delegates; the work is in
BrainstemALSLib."""

import slicer
from slicer.i18n import tr as _
from slicer.i18n import translate
from slicer.ScriptedLoadableModule import (
    ScriptedLoadableModule,
    ScriptedLoadableModuleLogic,
    ScriptedLoadableModuleTest,
    ScriptedLoadableModuleWidget,
)


class BrainstemALS(ScriptedLoadableModule):
    """What Slicer shows of the module before it is opened."""

    def __init__(self, parent):
        super().__init__(parent)
        parent.title = _("Brainstem ALS")
        parent.categories = [translate("qSlicerAbstractCoreModule", "Segmentation")]
        parent.dependencies = ["SegmentEditor"]
        parent.contributors = ["The BrainstemALS contributors"]
        parent.helpText = _(
            "Segments and measures the brainstem in T1-weighted MRI, with diffusion images or "
            "maps where there are any, for research on amyotrophic lateral sclerosis. "
            "Research use only; not a medical device. The model has learned from simulated images."
        )
        parent.acknowledgementText = _(
            "Model weights: CC BY-SA 4.0; the atlases and label maps they were learned from are "
            "named in docs/attribution.md."
        )
        slicer.app.startupCompleted.connect(register_sample_data)


def register_sample_data():
    """Offer the simulated patient in Sample Data; it is computed here, never downloaded."""
    from BrainstemALSLib.gui.sample_data import register

    register()


class BrainstemALSWidget(ScriptedLoadableModuleWidget):
    """The panel; everything in it is ``BrainstemALSLib.gui.panel.Panel``."""

    def __init__(self, parent=None):
        super().__init__(parent)
        self.logic = None
        self.panel = None

    def setup(self):
        """Build the panel; called once, when the module is opened for the first time."""
        super().setup()
        from BrainstemALSLib.gui.panel import Panel

        self.logic = BrainstemALSLogic()
        self.panel = Panel(self.layout, self.logic.getParameterNode)

    def enter(self):
        """The module comes into view."""
        self.panel.enter()

    def exit(self):
        """Another module comes into view."""
        self.panel.exit()

    def cleanup(self):
        """Slicer closes, or the module is loaded again."""
        if self.panel is not None:
            self.panel.close()
            self.panel = None


class BrainstemALSLogic(ScriptedLoadableModuleLogic):
    """The same path without a panel, for scripts."""

    def process(
        self,
        t1,
        fa=None,
        md=None,
        dti=None,
        device="auto",
        corrected="keep",
        progress=None,
        dwi=None,
    ):
        """Segment and measure one exam; returns when it is done.

        Parameters
        ----------
        t1 : vtkMRMLScalarVolumeNode
        fa, md : vtkMRMLScalarVolumeNode, optional
            Of the same visit; they are aligned with the T1.
        dti : vtkMRMLDiffusionTensorVolumeNode, optional
            FA and MD are computed from it where they are not given.
        device : str
            ``auto``, ``cpu`` or ``cuda``.
        corrected : str
            What becomes of segments that were corrected since an earlier run on this T1: ``keep``,
            ``replace``, or ``new`` for a segmentation beside the old one. An approved segmentation
            is never written to.
        progress : callable, optional
            Called with stage, fraction 0-1 and text.
        dwi : vtkMRMLDiffusionWeightedVolumeNode, optional
            Fitted where no map is given.

        Returns
        -------
        BrainstemALSLib.scene.results.ResultNodes

        Raises
        ------
        BrainstemALSLib.errors.BrainstemALSError
            A sentence that says what is wrong and what to do.
        """
        from BrainstemALSLib.module_logic import process

        return process(t1, fa, md, dti, dwi, device=device, corrected=corrected, progress=progress)


class BrainstemALSTest(ScriptedLoadableModuleTest):
    """Self test of the module inside Slicer; Testing/slicer has more."""

    def setUp(self):
        """Start from an empty scene."""
        slicer.mrmlScene.Clear(0)

    def runTest(self):
        """Run what is here."""
        self.setUp()
        self.test_the_panel_opens()
        self.setUp()
        self.test_the_simulated_patient_is_segmented()

    def test_the_panel_opens(self):
        """The panel is there, with nothing installed too, and says what it needs."""
        slicer.util.selectModule("BrainstemALS")
        widget = slicer.util.getModuleWidget("BrainstemALS")
        assert "Research use only" in widget.panel.ui.researchLabel.text

    def test_the_simulated_patient_is_segmented(self):
        """The whole path, if torch is installed: sample, worker, scene."""
        from BrainstemALSLib.gui.sample_data import load_simulated_patient
        from BrainstemALSLib.installation.requirements import missing

        if missing():
            self.delayDisplay("Skipped: packages are missing; open the module to install them.")
            return
        t1, fa, md = load_simulated_patient()
        result = BrainstemALSLogic().process(t1, fa, md)
        segmentation = result.segmentation.GetSegmentation()
        assert segmentation.GetNumberOfSegments() >= 40
        assert segmentation.GetSegment("pyramid_left") is not None
