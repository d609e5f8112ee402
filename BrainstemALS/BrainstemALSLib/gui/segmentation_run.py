"""One run: from the chosen images to a result in the scene, without ever holding the window."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import slicer
from slicer.i18n import tr as _

from ..errors import BrainstemALSError, ExitCode
from ..imaging.finding import Finding
from ..measurement.unfamiliar import CODE as UNFAMILIAR
from ..scene import views
from ..scene.exam_images import exam_images
from ..scene.history import RunUndo
from ..scene.results import ResultNodes, approved_case, show_maps, show_outcome
from ..worker.outcome import Outcome
from ..worker.requests import remove_inputs, segment_params, write_exam
from .background import Background
from .messages import Messages
from .questions import what_becomes_of
from .segment_section import SegmentSection
from .steps import Steps
from .visit import Visit, outcome_in_scene
from .worker_jobs import Job, WorkerJobs


class SegmentationRun:
    """Starts, cancels and finishes runs.

    Parameters
    ----------
    visit : Visit
    jobs : WorkerJobs
    section : SegmentSection
    messages : Messages
    save_for_undo : callable
        Called before a result is written into, so that the editor's undo leads back to it.
    shown : callable
        Called once the new result is in the scene and in ``visit``.
    ended : callable
        Called whenever a run has ended, however it did.
    """

    def __init__(
        self,
        visit: Visit,
        jobs: WorkerJobs,
        section: SegmentSection,
        messages: Messages,
        save_for_undo: Callable[[], None],
        shown: Callable[[], None],
        ended: Callable[[], None],
    ):
        self._visit, self._jobs, self._section, self._messages = visit, jobs, section, messages
        self._save_for_undo, self._shown, self._ended = save_for_undo, shown, ended
        self._steps = Steps(self._done, self._broken, slice_s=0.0)
        self._cleaning = Background()
        self._undo: RunUndo | None = None
        self._outcomes: tuple[Outcome | None, Outcome | None] = (None, None)  # before, after
        self._edits = 0
        self._written: object | None = None  # segmentation that the last run wrote into
        self._folders: list[Path] = []
        self._lost = ""

    @property
    def running(self) -> bool:
        """Whether a run is under way."""
        job = self._jobs.running
        return self._steps.running or (job is not None and job.command == "segment")

    @property
    def can_undo(self) -> bool:
        """Whether the last run wrote into a result and can be taken back."""
        return self._is_shown and self._undo.can_undo and not self.running

    @property
    def _is_shown(self) -> bool:
        """Whether the result that could be taken back is the one that is shown."""
        result = self._visit.result
        return (
            self._undo is not None and result is not None and (result.segmentation is self._written)
        )

    @property
    def edited_since(self) -> bool:
        """Whether the segments were edited after the last run."""
        return self._visit.edits != self._edits

    def start(self, model_dir: str = "") -> None:
        """Begin a run on the chosen images; asks about corrections first.

        Parameters
        ----------
        model_dir : str
            Folder of models; empty for the bundled ones.

        Raises
        ------
        BrainstemALSError
            The images can't be used.
        """
        nodes = self._visit.inputs()
        t1 = nodes["t1"]
        images, findings = exam_images(nodes)
        if "dwi" not in images:
            nodes.pop("dwi", None)
        previous = self._previous(t1)
        corrected = _policy(previous)
        if corrected is None:
            return
        parameters = self._visit.parameters
        state = 0 if previous is None else self._visit.state_of(previous.segmentation)
        folder = self._jobs.new_folder()
        params = segment_params(
            folder,
            **images,
            device=parameters.device,
            flip=parameters.flip,
            model_dir=model_dir or None,
            findings=findings,
        )

        def finished(outcome: Outcome) -> None:
            # Beside the window: to free some hundred megabytes takes the system a while.
            self._cleaning.start(
                lambda: remove_inputs(folder), lambda _none: None, lambda _problem: None
            )
            self._folders.append(folder)
            self._section.progress(1.0, _("Showing the result"))
            # The user said what becomes of corrections that were there then, not of later ones.
            late = corrected == "replace" and self._visit.state_of(previous.segmentation) != state
            policy = "keep" if late else corrected
            self._steps.start(self._show(outcome, nodes, previous, policy, late))

        self._messages.clear()
        self._warn(findings)
        self._lost = ""
        self._visit.hold(t1)
        self._section.begin()
        self._jobs.start(
            Job(
                "segment",
                params,
                folder,
                write_exam(folder, **images),
                finished,
                self._failed,
                self._cancelled,
                self._section.progress,
            )
        )

    def cancel(self, lost: str = "") -> None:
        """Stop the run; the scene stays as it is.

        Parameters
        ----------
        lost : str
            Why, for the user, where it was not the user who cancelled.
        """
        if not self.running or (self._steps.running and not lost):
            return  # what is being shown is there in a moment, and can be undone
        self._lost = lost
        self._section.cancelling()
        if self._steps.running:
            self._steps.stop()
            self._cancelled()
        else:
            self._jobs.cancel()

    def undo(self) -> None:
        """Take the last run back.

        Raises
        ------
        BrainstemALSError
            The result was approved or deleted since.
        """
        with self._visit.own_writes():
            self._undo.undo()
        self._back_to(self._outcomes[0])

    def redo(self) -> None:
        """Bring back the run that was taken back, and the edits after it.

        Raises
        ------
        BrainstemALSError
            The result was edited, approved or deleted since.
        """
        if not self._is_shown:
            raise BrainstemALSError(
                "segmentation",
                "the run that was taken back is not one of the result that is shown",
                "Choose its T1, or segment again.",
                ExitCode.OUTPUT_REFUSED,
            )
        with self._visit.own_writes():
            self._undo.redo()
        self._back_to(self._outcomes[1])

    def _back_to(self, outcome: Outcome | None) -> None:
        result = ResultNodes.from_segmentation(self._visit.result.segmentation)
        self._visit.wrote(result.segmentation)
        self._visit.show(result, outcome or outcome_in_scene(result))
        self._shown()

    def close(self) -> None:
        """Wait for files that are being removed."""
        self._cleaning.close()

    def forget(self) -> None:
        """Forget what could be undone: the scene is another one."""
        self._undo = None

    def _previous(self, t1: object) -> ResultNodes | None:
        current = self._visit.result
        return current if current is not None and current.t1 is t1 else ResultNodes.find(t1)

    def _show(
        self,
        outcome: Outcome,
        inputs: dict[str, object],
        previous: ResultNodes | None,
        corrected: str,
        late: bool,
    ) -> Iterator[float]:
        """Put the result into the scene; the window gets its turn between the parts."""
        yield 0.0
        t1 = inputs["t1"]
        undo = None
        # It may have been deleted or approved while the worker was at it.
        if previous is not None and previous.segmentation.GetScene() is not slicer.mrmlScene:
            previous = None
        if previous is not None and corrected != "new":
            undo = RunUndo(previous)
            self._save_for_undo()
            yield 0.2
        with self._visit.own_writes():
            nodes = show_outcome(outcome, t1, corrected=corrected, previous=previous, maps=inputs)
        self._visit.wrote(nodes.segmentation)
        yield 0.3
        for fraction in show_maps(nodes, outcome, inputs):
            yield 0.3 + 0.2 * fraction
        self._section.ran_on(outcome.device, outcome.device_reason)
        if self._visit.parameters.t1 is not t1:
            self._messages.info(
                _("The result is in the scene; choose the T1 that was segmented to see it.")
            )
            return
        overwritten = previous is not None and nodes.segmentation is previous.segmentation
        self._undo = undo if overwritten else None
        self._written = nodes.segmentation
        current = self._visit.result
        shown = current is not None and overwritten and current.segmentation is nodes.segmentation
        self._outcomes = (self._visit.outcome if shown else None, outcome)
        self._edits = self._visit.edits
        self._tidy()
        yield 0.6
        self._visit.show(nodes, outcome, None if overwritten else ())
        if self._visit.corrected():
            self._visit.measures = None  # what was kept has to be measured with the rest
        yield 0.7
        self._visit.parameters.segmentation = nodes.segmentation
        yield 0.8
        self._shown()
        middle = views.centre_of(nodes.segmentation, "basis_pontis_left")
        if middle is not None:
            views.jump_to(slicer.mrmlScene, middle)
        if not overwritten:
            self._visit.parameters.seconds_spent = 0.0
        # That diffusion was left out, where it was; that the exam is unfamiliar, always.
        self._warn([f for f in outcome.exam_findings if not outcome.maps or f.code == UNFAMILIAR])
        if nodes.notice:
            self._messages.info(_(nodes.notice))
        elif late:
            self._messages.info(
                _("What was corrected while the segmentation ran was kept, with all corrections.")
            )

    def _warn(self, findings: Sequence[Finding]) -> None:
        """Say at once what must not be overlooked; it is among the findings of the result too."""
        told = [f"{one.message} {one.action}" for one in findings if one.severity != "info"]
        if told:
            self._messages.warning(" ".join(told))

    def _tidy(self) -> None:
        """Remove the files of outcomes that can't be shown any more."""
        used = {one.probabilities.parent for one in self._outcomes if one and one.probabilities}
        for folder in [folder for folder in self._folders if folder not in used]:
            shutil.rmtree(folder, ignore_errors=True)
            self._folders.remove(folder)

    def _done(self) -> None:
        self._end(_("Done in {seconds:.0f} s.").format(seconds=self._section.seconds))

    def _failed(self, refusal: BrainstemALSError) -> None:
        self._end(_("Not segmented."))
        self._messages.error(str(refusal))

    def _broken(self, problem: Exception) -> None:
        self._end(_("Not segmented."))
        with self._messages.refusals():
            raise problem

    def _cancelled(self) -> None:
        self._end(_("Cancelled."))
        if self._lost:
            self._messages.warning(self._lost)

    def _end(self, text: str) -> None:
        self._visit.hold(None)
        self._section.idle(text)
        self._ended()


def _policy(previous: ResultNodes | None) -> str | None:
    """What becomes of an earlier result; None when the user decides to let it be."""
    if previous is None:
        return "new"
    # Where nobody knows what was corrected, show_outcome makes a new one and says so.
    if approved_case(previous.segmentation) is not None or previous.predicted() is None:
        return "keep"
    corrected = previous.corrected()
    # Nothing to keep now, but the expert may paint while the worker is at it.
    return what_becomes_of(len(corrected)) if corrected else "keep"
