"""Section *Learning*: the next cases, a better model from corrections, and the way back."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import slicer
from slicer.i18n import tr as _

from ..errors import BrainstemALSError
from ..worker.learning import lacking, learning_command
from . import settings
from .background import Background
from .learning_models import PROMOTE, Standing, look, use_candidate, verdict
from .messages import Messages
from .next_cases_list import NextCasesList
from .visit import Visit
from .worker_process import WorkerProcess

GRACE_S = 20.0
"""How long fine-tuning may take to stop: a step, an exam that is judged, and its checkpoint."""


class LearningSection:
    """Starts fine-tuning in a process of its own, shows the verdict, and changes models.

    Parameters
    ----------
    ui : object
        Widgets of the panel.
    visit : Visit
    messages : Messages
    """

    def __init__(self, ui: object, visit: Visit, messages: Messages):
        self._ui, self._messages = ui, messages
        self._cases = NextCasesList(ui, visit, messages)
        self._looking, self._changing = Background(), Background()
        self._look_again = False
        self._standing: Standing | None = None
        self._process: WorkerProcess | None = None
        self._run: Path | None = None  # whose candidate may be used
        self._ending = ""  # how the last run ended
        self.running = False
        self.params: dict[str, Any] = {}  # of ``improve``, beside store and runs
        ui.improveBar.visible = False
        ui.verdictLabel.visible = ui.improveLabel.visible = False
        ui.improveButton.clicked.connect(self._improve)
        ui.stopImprovingButton.clicked.connect(self._stop)
        ui.useCandidateButton.clicked.connect(self._use)
        ui.previousModelButton.clicked.connect(self._go_back)
        ui.learningSectionButton.contentsCollapsed.connect(self.look)
        ui.storeEdit.currentPathChanged.connect(self.look)

    @property
    def busy(self) -> bool:
        """Whether the disk is being asked, or a model is being changed."""
        return self._looking.running or self._changing.running

    def look(self, *_args: object) -> None:
        """Look at store and models beside the window; only while the section is open."""
        if self._ui.learningSectionButton.collapsed:
            return
        if self._looking.running:
            self._look_again = True
            return
        store, own = self._ui.storeEdit.currentPath, settings.remembered("model")
        self._looking.start(lambda: look(store, own), self._looked, self._failed_to_look)

    def close(self) -> None:
        """End the process; its run can go on another day."""
        self._look_again = False
        self._looking.close()
        self._changing.close()
        if self._process is not None:
            self._process.close()
            self._process = None

    def _looked(self, standing: Standing) -> None:
        self._standing = standing
        self._ui.modelInUseLabel.text = standing.model
        self._cases.stand(standing.approved, standing.models)
        self._update()
        if self._look_again:
            self._look_again = False
            self.look()

    def _failed_to_look(self, problem: Exception) -> None:
        self._ui.improveButton.enabled = False
        with self._messages.refusals():
            raise problem

    def _update(self) -> None:
        ui, standing = self._ui, self._standing
        count = 0 if standing is None else len(standing.approved)
        problem = lacking() or ("" if standing is None else standing.problem)
        idle = not self.running and not self._changing.running
        one, more = (
            _("Improve the model with 1 approved case"),
            _("Improve the model with {count} approved cases"),
        )
        ui.improveButton.text = one if count == 1 else more.format(count=count)
        ui.improveButton.enabled = idle and count > 0 and not problem
        ui.stopImprovingButton.enabled = self.running
        ui.useCandidateButton.enabled = idle and self._run is not None
        ui.previousModelButton.enabled = idle and standing is not None and standing.can_go_back
        if not self.running:
            hint = _("About one patient in five is kept to judge by. Nothing leaves this computer.")
            self._say(problem or self._ending or hint)

    def _say(self, text: str) -> None:
        self._ui.improveLabel.text = text
        self._ui.improveLabel.visible = bool(text)

    # Improve.

    def _improve(self, *_args: object) -> None:
        with self._messages.refusals():
            if self._process is None:
                folder = settings.local_folder() / "logs"
                self._process = WorkerProcess(
                    self._progress,
                    self._improved,
                    self._failed,
                    self._stopped,
                    folder,
                    command=learning_command(log_dir=folder),
                    grace_s=GRACE_S,
                )
            self._run, self.running = None, True
            self._ui.verdictLabel.visible = False
            self._ui.improveBar.value = 0
            self._ui.improveBar.visible = True
            self._say(_("Starting"))
            self._update()
            runs = settings.local_folder() / "learning"
            params = {"store": str(Path(self._ui.storeEdit.currentPath).resolve())}
            self._process.ask("improve", {**params, "runs": str(runs), **self.params})

    def _stop(self, *_args: object) -> None:
        self._ui.stopImprovingButton.enabled = False
        self._say(_("Stopping"))
        self._process.cancel()

    def _progress(self, _stage: str, fraction: float, text: str) -> None:
        self._ui.improveBar.value = round(100 * fraction)
        self._say(text)

    def _improved(self, answer: dict[str, Any]) -> None:
        text = _("Learned from {count} cases, with {replay} against forgetting.").format(
            count=answer["corrections"], replay=answer["replay"]
        )
        self._end(" ".join([text, *answer["warnings"]]))
        self._ui.verdictLabel.text = verdict(answer)
        self._ui.verdictLabel.visible = True
        if answer.get("outcome") == PROMOTE:
            self._run = Path(answer["run"])
        self._update()

    def _failed(self, refusal: BrainstemALSError) -> None:
        self._end(_("Not improved; the model in use is as it was."))
        self._messages.error(str(refusal))

    def _stopped(self) -> None:
        self._end(_("Stopped; the next start goes on from here."))

    def _end(self, text: str) -> None:
        self.running = False
        self._ending = text
        self._ui.improveBar.visible = False
        self._update()

    # Change models.

    def _use(self, *_args: object) -> None:
        run = self._run
        self._change(lambda: use_candidate(run), _("The new model is in use."))

    def _go_back(self, *_args: object) -> None:
        question = _("Segment with the previous model from now on? No model is deleted.")
        if not slicer.util.confirmOkCancelDisplay(question, _("Learning")):
            return
        from ..segmentation.registry import ModelRegistry

        self._change(lambda: ModelRegistry().rollback(), _("The previous model is in use."))

    def _change(self, change: Any, said: str) -> None:
        """Change the model in use beside the window: another program may be changing it."""

        def changed(_outcome: object) -> None:
            self._run = None
            self._messages.info(
                " ".join([said, _("Results in the scene stay; segment again to see the change.")])
            )
            self.look()

        def failed(problem: Exception) -> None:
            self._update()
            with self._messages.refusals():
                raise problem

        self._changing.start(change, changed, failed)
        self._update()
