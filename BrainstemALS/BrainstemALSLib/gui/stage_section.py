"""Section *Stage and risk*: asks the worker what can be said of this person, and shows it."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from math import exp
from pathlib import Path
from typing import Any

import slicer
from slicer.i18n import tr as _

from ..errors import BrainstemALSError, ExitCode
from ..imaging.staging import staged_output, unwritable
from ..scene.evidence import (
    evidence_by_structure,
    evidence_is_shown,
    hide_evidence,
    show_evidence,
)
from ..worker.requests import predict_params
from . import settings
from .clinical_record import earlier_visits, person_json
from .messages import Messages
from .prediction_view import PredictionView
from .visit import Visit
from .worker_jobs import Job, WorkerJobs

REPORT = ("prediction.html", "prediction.json")
MOST_EVIDENCE = 3
"""Structures whose evidence is also given in words."""


class StageSection:
    """Predicts when asked to, and never shows what belongs to other inputs.

    Parameters
    ----------
    ui : object
        Widgets of the panel.
    visit : Visit
    jobs : WorkerJobs
    messages : Messages

    Attributes
    ----------
    answer : dict or None
        What is shown, as ``worker.predicting`` gives it.
    """

    def __init__(self, ui: object, visit: Visit, jobs: WorkerJobs, messages: Messages):
        self._ui, self._visit, self._jobs, self._messages = ui, visit, jobs, messages
        self._view = PredictionView(ui)
        self._of: tuple[str, object] | None = None  # the inputs of the answer
        self._asked: tuple[str, object] | None = None  # those of the job that runs
        self._job: Job | None = None
        self._said = self._step = ""
        self._coloured: object | None = None
        self.answer: dict[str, Any] | None = None
        ui.reportFolderEdit.currentPath = settings.remembered("report")
        ui.reportFolderEdit.currentPathChanged.connect(
            lambda *_: settings.remember("report", ui.reportFolderEdit.currentPath)
        )
        ui.predictButton.clicked.connect(self._predict)
        ui.predictCancelButton.clicked.connect(self._cancel)
        ui.evidenceButton.toggled.connect(self._show_evidence)
        ui.exportReportButton.clicked.connect(self._export)
        ui.evidenceLabel.visible = False

    def update(self) -> None:
        """Let go of an answer whose inputs have changed, and say whether there can be one."""
        if self.answer is not None and self._of != self._inputs():
            self.clear(_("Something that the prediction rests on has changed: predict again."))
        result = self._visit.result
        if self.answer is None and result is not None and evidence_is_shown(result.segmentation):
            hide_evidence(result.segmentation)  # of a scene that was saved with it
        reason = self._reason()
        self._ui.predictButton.enabled = not reason
        self._ui.stageLabel.text = reason or self._said
        self._ui.stageLabel.visible = bool(self._ui.stageLabel.text)
        running = self._asked is not None
        self._ui.predictProgressBar.visible = running
        self._ui.predictCancelButton.enabled = running and self._jobs.running is self._job

    def clear(self, said: str = "") -> None:
        """Show no prediction, and stop one that runs; the structures have their own colours."""
        self._cancel()
        self._ui.evidenceButton.checked = False
        self._hide_evidence()
        self.answer = self._of = None
        self._said = said
        self._view.clear()

    # Asking.

    def _inputs(self) -> tuple[str, object] | None:
        """What a prediction rests on; None while the scene is being closed."""
        parameters, measures = self._visit.parameters, self._visit.measures
        if parameters is None or measures is None:
            return None
        return json.dumps([person_json(parameters), parameters.prior]), measures

    def _reason(self) -> str:
        """Why there can be no prediction; empty where there can."""
        visit = self._visit
        if self._asked is not None:
            return self._step
        if visit.result is None or visit.parameters is None:
            return _("Segment the T1 first: a prediction starts from a measured exam.")
        if visit.outcome is None:
            return _("The record of this result can't be read: segment again.")
        if visit.measures is None:
            return _("The volumes have to be measured again after a correction.")
        lacking = []
        if not visit.parameters.age:
            lacking.append(_("age"))
        if not visit.parameters.sex:
            lacking.append(_("sex"))
        if lacking:
            return _("Enter {what} under Exam: norms depend on it.").format(
                what=_(" and ").join(lacking)
            )
        if any(not earlier.months_before for earlier in earlier_visits(visit.parameters)):
            return _("Enter under Disease history how many months ago each earlier visit was.")
        return ""

    def _predict(self, *_args: object) -> None:
        with self._messages.refusals():
            self._visit.check_one_exam()
            if self._jobs.running is not None:
                raise BrainstemALSError(
                    "prediction", "something else is being computed", "Ask again after it.",
                    ExitCode.USAGE,
                )  # fmt: skip
            self.clear()
            inputs = self._inputs()
            folder = self._jobs.new_folder()
            parameters = self._visit.parameters
            params = predict_params(
                folder, person_json(parameters), self._visit.measures, parameters.prior / 100
            )

            def finished(answer: dict[str, Any]) -> None:
                shutil.rmtree(folder, ignore_errors=True)
                self._asked = None
                if inputs == self._inputs():
                    self.answer, self._of = answer, inputs
                    self._view.show(answer)
                    self._ui.stageSectionButton.collapsed = False
                else:
                    self._said = _("An input changed meanwhile: predict again.")
                self.update()

            self._asked, self._step = inputs, _("Predicting ...")
            self._ui.predictProgressBar.value = 0
            self._job = Job(
                "predict", params, folder, _no_arrays(), finished, self._failed, self._stopped,
                self._progress,
            )  # fmt: skip
            self._jobs.start(self._job)
            self.update()

    def _progress(self, fraction: float, text: str) -> None:
        if self._asked is not None and text:
            self._step = _("Predicting: {what} ...").format(what=text)
            self._ui.stageLabel.text = self._step
        self._ui.predictProgressBar.value = round(100 * fraction)

    def _cancel(self, *_args: object) -> None:
        """Stop the prediction as a segmentation is stopped; one that another job waits for ends."""
        if self._asked is None or self._jobs.running is not self._job:
            return
        self._ui.predictCancelButton.enabled = False
        self._step = self._ui.stageLabel.text = _("Cancelling")
        self._jobs.cancel()

    def _failed(self, refusal: BrainstemALSError) -> None:
        self._asked = None
        text = str(refusal)
        self._messages.error(text[:1].upper() + text[1:])
        self.update()

    def _stopped(self) -> None:
        self._asked = None
        self._said = _("The prediction was cancelled.")
        self.update()

    # Where the evidence sits.

    def _show_evidence(self, *_args: object) -> None:
        shown = bool(self._ui.evidenceButton.checked) and self.answer is not None
        self._hide_evidence()
        if not shown:
            return
        with self._messages.refusals():
            evidence = self.answer["prediction"]["explanation"].get("evidence") or []
            if not evidence:
                self._ui.evidenceButton.checked = False
                raise BrainstemALSError(
                    "evidence",
                    "the images give none, because the consistency with ALS could not be computed",
                    "See why under What limits these numbers.",
                    ExitCode.USAGE,
                )
            self._coloured = self._visit.result.segmentation
            show_evidence(self._coloured, evidence_by_structure(evidence))
            self._ui.evidenceLabel.text = _evidence_text(self.answer)
            self._ui.evidenceLabel.visible = True

    def _hide_evidence(self) -> None:
        if self._coloured is not None:
            hide_evidence(self._coloured)
            self._coloured = None
        self._ui.evidenceLabel.text = ""
        self._ui.evidenceLabel.visible = False

    # The report.

    def _export(self, *_args: object) -> None:
        with self._messages.refusals():
            if self.answer is None:
                return
            folder = self._ui.reportFolderEdit.currentPath
            if not folder:
                raise BrainstemALSError(
                    "report", "no folder is chosen", "Choose one under Folder.",
                    ExitCode.OUTPUT_REFUSED,
                )  # fmt: skip
            existing = [name for name in REPORT if (Path(folder) / name).exists()]
            if existing and not slicer.util.confirmOkCancelDisplay(
                _("The folder already holds a report. Replace it?"), _("Export report")
            ):
                return
            write_report(Path(folder), self.answer, overwrite=bool(existing))
            self._messages.info(_("Wrote {names}.").format(names=_(" and ").join(REPORT)))


def write_report(folder: Path, answer: dict[str, Any], overwrite: bool = False) -> None:
    """Write the page and the JSON of an answer, both or none.

    Raises
    ------
    BrainstemALSError
        OUTPUT_REFUSED: the folder takes no files, or has these already.
    """
    texts = (answer["report"], json.dumps(answer["prediction"], indent=1) + "\n")
    with staged_output(folder, REPORT, overwrite) as staging:
        try:
            for name, text in zip(REPORT, texts, strict=True):
                (staging / name).write_text(text, encoding="utf-8")
        except OSError:
            raise unwritable(folder) from None


def _evidence_text(answer: dict[str, Any]) -> str:
    evidence = answer["prediction"]["explanation"]["evidence"]
    largest = sorted(evidence, key=lambda one: -abs(one["log_odds"]))[:MOST_EVIDENCE]
    named = "; ".join(
        f"{one['label']}: {exp(one['low']):.2f}–{exp(one['high']):.2f} ({exp(one['log_odds']):.2f})"
        for one in largest
    )
    said = [
        _(
            "Orange speaks for ALS, blue against, the fuller the more; grey is not used. It is "
            "what the model reads, not where tissue is damaged."
        ),
        _("Factors of the odds of ALS, 95 % interval (best estimate): {named}.").format(
            named=named
        ),
        _("Not for diagnosis."),
    ]
    if answer["simulated"]:
        said.append(_("Trained on simulated cohort."))
    elif answer["simulated_norms"]:
        said.append(_("Images are scored by simulated norms."))
    return " ".join(said)


def _no_arrays() -> Iterator[float]:
    yield 1.0
