"""The panel: puts the sections together and carries a visit through them."""

from __future__ import annotations

from collections.abc import Callable

import slicer
from slicer.i18n import tr as _

from ..measurement import Measures
from ..report.statements import RESEARCH_USE, SYNTHETIC_TRAINING
from ..scene.results import show_measures
from . import settings
from .approval_section import ApprovalSection
from .clinical_form import ClinicalForm
from .correct_section import CorrectSection
from .exam_section import ExamSection
from .export_section import ExportSection
from .install_section import InstallSection
from .learning_section import LearningSection
from .measuring import Measuring
from .messages import Messages
from .parameters import fits_a_series
from .results_section import ResultsSection
from .segment_section import SegmentSection
from .segmentation_run import SegmentationRun
from .shortcuts import Shortcuts
from .stage_section import StageSection
from .stopwatch import Stopwatch
from .ui_files import load_panel
from .views_section import ViewsSection
from .visit import Visit
from .worker_jobs import WorkerJobs


class Panel:
    """What the module shows; told by ``Visit`` what happens in the scene.

    Parameters
    ----------
    layout : QLayout
        Of the module's widget.
    parameter_node : callable
        Returns the module's parameter node of the scene.
    """

    def __init__(self, layout: object, parameter_node: Callable[[], object]):
        self.widget, self.ui = load_panel()
        layout.addWidget(self.widget)
        ui = self.ui
        ui.researchLabel.text = f"{_(RESEARCH_USE)} {_(SYNTHETIC_TRAINING)}"
        self.messages = Messages(ui)
        self.visit = Visit(parameter_node, ui, self)
        self.jobs = WorkerJobs(settings.local_folder() / "logs")
        self._stopwatch = Stopwatch()
        self._entered = False
        self._install = InstallSection(ui, self.visit_changed)
        self._exam = ExamSection(ui, lambda: self.visit.parameters)
        self._clinical = ClinicalForm(ui, lambda: self.visit.parameters, self.messages)
        self._segment = SegmentSection(ui, lambda: self.visit.parameters)
        self._correct = CorrectSection(ui, self.visit, self.messages)
        self._results = ResultsSection(ui, self._correct.pick)
        self._views = ViewsSection(ui, self.visit, self.messages)
        self._measuring = Measuring(self.visit, self.jobs, self.messages, self._measured)
        self.learning = LearningSection(ui, self.visit, self.messages)
        self._approval = ApprovalSection(
            ui, self.visit, self.messages, self._recovered, self.learning.look
        )
        self._export = ExportSection(ui, self.visit, self.messages)
        self.stage = StageSection(ui, self.visit, self.jobs, self.messages)
        self.run = SegmentationRun(
            self.visit,
            self.jobs,
            self._segment,
            self.messages,
            self._correct.editor.save_for_undo,
            self._new_result,
            self.visit_changed,
        )
        self._shortcuts = Shortcuts(ui, self.widget)
        ui.segmentButton.clicked.connect(self._start)
        ui.cancelButton.clicked.connect(lambda *_: self.run.cancel())
        ui.showAllButton.clicked.connect(self._correct.show_all)
        ui.undoRunButton.clicked.connect(self._undo_run)
        self._install.look()
        self.visit.open()

    def enter(self) -> None:
        """The module comes into view."""
        self._install.look()
        if self.visit.parameters is None:
            self.visit.open()
        self._correct.editor.enter()
        self._shortcuts.enabled(True)
        self._stopwatch.start()
        self._entered = True
        self._approval.offer_recovery()
        self.learning.look()
        self.visit_changed()

    def exit(self) -> None:
        """Another module comes into view; what runs goes on."""
        self._shortcuts.enabled(False)
        self._correct.editor.leave()
        self._stopwatch.stop()
        self._entered = False

    def close(self) -> None:
        """Slicer closes, or the module is loaded again."""
        self._measuring.stop()
        self._views.stop()
        self._approval.close()
        self.learning.close()
        self.run.close()
        self.jobs.close()
        self._install.close()
        self.visit.close()

    # What Visit tells.

    def visit_opened(self) -> None:
        """Show what was found in the scene, or belongs to another T1."""
        self.run.forget()
        self._correct.editor.renew()
        self._new_result()
        if self._entered:
            self._approval.offer_recovery()
        if self.visit.result is not None and self.visit.outcome is None:
            self.messages.warning(
                _("The record of this result can't be read: segment again to see its volumes.")
            )

    def visit_changed(self) -> None:
        """Show the state of parameters and nodes."""
        parameters = self.visit.parameters
        if parameters is None:
            return
        self._exam.update(parameters)
        self._clinical.update(parameters)
        self._install.fits = fits_a_series(parameters)
        self._segment.update(parameters, self._install.ready, self._install.problem)
        self._correct.update()
        self._approval.update()
        self._export.update()
        self.stage.update()
        self.ui.undoRunButton.enabled = self.run.can_undo

    def visit_leaves(self) -> None:
        """Save what was corrected before another result is shown."""
        self._approval.leave()
        self._measuring.stop()

    def visit_lost(self, what: str) -> None:
        """Let go of what is no longer there, and say so where something was running."""
        if what == "scene":
            self.run.cancel(_("The scene was closed, so the segmentation was cancelled."))
            self._approval.autosave()
        elif what == "T1":
            self.run.cancel(_("The T1 was removed, so the segmentation was cancelled."))
        if what != "T1":
            self._measuring.stop()
            self._views.stop()
            self._approval.forget_edits()
            self.run.forget()
            self._results.clear()
            self.stage.clear()

    def segments_edited(self) -> None:
        """An expert is at work."""
        self.visit.parameters.seconds_spent += self._stopwatch.edited()
        self._approval.edited()
        self._measuring.soon()
        self._export.update()
        self.stage.update()

    # What the user does.

    def _start(self, *_args: object) -> None:
        with self.messages.refusals():
            self.run.start(settings.remembered("model"))
            self.visit_changed()

    def _undo_run(self, *_args: object) -> None:
        question = _("Edits after the segmentation go with it. Take it back?")
        if self.run.edited_since and not slicer.util.confirmOkCancelDisplay(question):
            return
        with self.messages.refusals():
            self._approval.autosave()
            self.run.undo()
            self.messages.offer(
                _("The last segmentation was taken back."), _("Redo"), self.run.redo
            )

    def _recovered(self) -> None:
        self._new_result()
        self.messages.info(_("The correction is back. It is not approved yet."))

    # What becomes of results.

    def _new_result(self) -> None:
        """Show the result that ``visit`` has now; None too."""
        visit = self.visit
        self._correct.new_result()
        self._views.new_result()
        self._approval.new_result()
        if visit.result is None or visit.outcome is None:
            self._results.clear()
        else:
            with self.messages.refusals():
                if visit.measures is not None and visit.corrected():
                    visit.measures = None  # they are from before the corrections
            self._show_measures(visit.measures or visit.outcome.measures)
            self.ui.resultsSectionButton.collapsed = False
            if visit.measures is None:
                self._measuring.soon()
        self.visit_changed()

    def _measured(self, measures: Measures) -> None:
        with self.messages.refusals():
            with self.visit.own_writes():
                show_measures(self.visit.result, measures)
            self._show_measures(measures)
            self.visit_changed()

    def _show_measures(self, measures: Measures) -> None:
        outcome = self.visit.outcome
        names = {name: model.get("version", "") for name, model in outcome.model.items()}
        summary = _("From {images}. Model {version}, learned from simulated images.").format(
            images=", ".join(name.upper() for name in outcome.modalities),
            version=names.get("structures", ""),
        )
        with self.messages.refusals():
            self._results.show(measures, summary, self.visit.corrected())
