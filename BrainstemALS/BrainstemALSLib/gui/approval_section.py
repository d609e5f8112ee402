"""Section *Correct and approve*, its lower half: drafts, approval, recovery."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import qt
from slicer.i18n import tr as _

from ..annotation.approval import DIRECTIONS, IMAGES, Approval
from ..annotation.box import BoxGrid, cut_images
from ..annotation.codes import check_code
from ..annotation.drafts import Draft, DraftFolder, RecoverableDraft
from ..annotation.records import CaseRecord
from ..annotation.store import CaseStore
from ..errors import BrainstemALSError, ExitCode
from ..imaging.tensor import fa_and_md
from ..imaging.volume import Volume
from ..scene.results import approved_case, mark_approved
from ..scene.segmentation import edited_since_approval, note_edit, work_of
from ..scene.volumes import directions_from_node, tensors_from_node, volume_from_node
from . import settings
from .background import Background
from .exam_keys import ExamKeys
from .messages import Messages
from .recovery import Recovery
from .visit import Visit

AUTOSAVE_MINUTES = 2.0
"""A killed application loses at most this much (our choice)."""


class ApprovalSection:
    """Stores what the expert approves, and saves what is not approved yet.

    Parameters
    ----------
    ui : object
        Widgets of the panel.
    visit : Visit
    messages : Messages
    recovered : callable
        Called after a draft came back into the scene.
    stored : callable
        Called after a case was stored.

    Attributes
    ----------
    storing : bool
        A case is on its way to the disk.
    """

    def __init__(self, ui: object, visit: Visit, messages: Messages, recovered, stored):
        self._ui, self._visit, self._messages = ui, visit, messages
        self._recovered, self._stored = recovered, stored
        self._exam_keys = ExamKeys()
        self._recovery = Recovery(
            visit, messages, self._exam_keys, _drafts_root(), self._draft_recovered
        )
        self._drafts: DraftFolder | None = None
        self._waiting: dict[str, Draft] = {}  # not on the disk yet, by Draft.key
        self._unsaved = self.storing = False
        self._background = Background()
        ui.annotatorEdit.text = settings.remembered("annotator")
        ui.storeEdit.currentPath = settings.remembered("store")
        ui.annotatorEdit.editingFinished.connect(
            lambda: settings.remember("annotator", ui.annotatorEdit.text)
        )
        ui.storeEdit.currentPathChanged.connect(
            lambda *_: settings.remember("store", ui.storeEdit.currentPath)
        )
        ui.approveButton.clicked.connect(self._approve_clicked)
        self._timer = qt.QTimer()
        self._timer.setInterval(int(AUTOSAVE_MINUTES * 60_000))
        self._timer.timeout.connect(self.autosave)

    def close(self) -> None:
        """Save what is not saved and end the session; its drafts are offered next time."""
        self._timer.stop()
        for waiting in (self._background, self._exam_keys, self._recovery):
            waiting.close()
        self.autosave()
        if self._drafts is not None:
            self._drafts.close()
            self._drafts = None

    def new_result(self) -> None:
        """Get ready to save what will be corrected."""
        if self._visit.result is not None:
            self._exam_keys.prepare(self._visit.result.t1)

    def edited(self) -> None:
        """Note that there is work to save."""
        self._unsaved = True
        note_edit(self._visit.result.segmentation)
        self.update()
        if not self._timer.active:
            self._timer.start()

    def forget_edits(self) -> None:
        """Note that there is none: the scene or the segmentation is gone, or has been saved."""
        self._unsaved = False
        self._rest()

    def _rest(self) -> None:
        """Stop the clock of the autosave when there is nothing to save."""
        if not self._unsaved and not self._waiting:
            self._timer.stop()

    def update(self) -> None:
        """Show whether the current result can be, or was, approved."""
        result = self._visit.result
        case = approved_case(result.segmentation) if result is not None else None
        edited = result is not None and edited_since_approval(result.segmentation)
        self._ui.approveButton.enabled = (
            result is not None and (case is None or edited) and not self.storing
        )
        if edited:
            self._ui.approvalLabel.text = _(
                "Changed since it was approved as case {case}; approve it again to store that."
            ).format(case=case)
        elif case is not None:
            self._ui.approvalLabel.text = _(
                "Approved as case {case}. A new run makes a new segmentation."
            ).format(case=case)
        elif result is None:
            self._ui.approvalLabel.text = ""

    def _approve_clicked(self, *_args: object) -> None:
        with self._messages.refusals():
            self.approve()

    def approve(self) -> None:
        """Store the current result as an approved case; a message says when it is on the disk.

        Raises
        ------
        BrainstemALSError
            No result or store chosen, or something that is no code. What the store refuses comes
            as a message later.
        """
        path = self._ui.storeEdit.currentPath
        if not path:
            raise BrainstemALSError(
                "store",
                "no folder for approved cases is chosen",
                "Choose one under Store in; an empty folder will do.",
                ExitCode.OUTPUT_REFUSED,
            )
        make, key = self._approval()
        segmentation = self._visit.result.segmentation
        state = self._visit.state_of(segmentation)

        def finished(record: CaseRecord) -> None:
            # Changes while the case was on its way to the disk are not in it.
            changed = self._visit.state_of(segmentation) != state
            self._approved(record, segmentation, None if changed else key)

        def failed(problem: Exception) -> None:
            self.storing = False
            self.update()
            with self._messages.refusals():
                raise problem

        self.storing = True
        self.update()
        self._ui.approvalLabel.text = _("Storing …")
        # The store waits for the disk, about a second; on a network drive more.
        self._background.start(lambda: CaseStore(Path(path)).approve(make()), finished, failed)

    def _approved(self, record: CaseRecord, segmentation: object, key: str | None) -> None:
        """A case is on the disk; ``key`` names the draft that it makes needless."""
        self.storing = False
        if segmentation.GetScene() is not None:
            mark_approved(segmentation, record.case_id)
            if key is None:
                note_edit(segmentation)
        current = self._visit.result
        if key is not None:
            self._waiting.pop(key, None)
            if current is not None and current.segmentation is segmentation:
                self._visit.parameters.seconds_spent = 0.0
                self.forget_edits()
            if self._drafts is not None:
                self._drafts.discard(key)
        self.update()
        self._messages.info(
            _("Approved as case {case}; structures corrected: {count}.").format(
                case=record.case_id, count=len(record.changes)
            )
        )
        self._stored()

    def _approval(self) -> tuple[Callable[[], Approval], str]:
        """Return what makes the approval of the result as it is now, away from the scene.

        Second, the key of its draft.
        """
        self._visit.check_one_exam()
        result = self._visit.result
        check_code("subject code", self._visit.parameters.subject_code)
        check_code("annotator code", self._ui.annotatorEdit.text)
        draft = self._draft()
        whole = bool(self._ui.wholeExamCheck.checked)
        # What took part in the run, whatever is chosen under Exam by now; maps and no series.
        maps = result.maps
        images = {
            role: volume_from_node(node, role.upper())
            for role, node in maps.items()
            if role in IMAGES and role != DIRECTIONS
        }
        if DIRECTIONS in maps:
            # No direction survives a transform that stretches; the rest may be approved as it is.
            with suppress(BrainstemALSError):
                images[DIRECTIONS] = directions_from_node(maps[DIRECTIONS])
        images["t1"] = volume_from_node(result.t1, "T1")
        # The scenes of earlier versions have the tensors alone.
        tensors = tensors_from_node(maps["dti"]) if "dti" in maps and "fa" not in maps else None

        def make() -> Approval:
            if tensors is not None:
                for role, volume in zip(("fa", "md"), fa_and_md(tensors), strict=True):
                    images.setdefault(role, volume)
            affine = draft.grid.box_affine
            return Approval(
                images=cut_images(draft.grid, draft.labels.shape, **images),
                prediction=Volume(draft.prediction, affine),
                correction=Volume(draft.labels, affine),
                grid=draft.grid,
                exam_key=draft.exam_key,
                subject=draft.subject,
                annotator=draft.annotator,
                visit_date=draft.visit_date,
                model=draft.outcome["model"],
                modalities=tuple(name for name in draft.outcome["modalities"] if name in IMAGES),
                keys=tuple(draft.outcome["keys"]),
                seconds_spent=draft.seconds_spent,
                approved_all=whole,
            )

        return make, draft.key

    def leave(self) -> None:
        """Save the current work before another result is shown; it can't be reached then."""
        if self._unsaved:
            self.autosave()

    def autosave(self) -> None:
        """Save the work that is not approved yet, if there is some.

        A draft that can't be saved is said in the panel, and tried again the next time.
        """
        with self._messages.refusals():
            if self._unsaved and self._visit.result is not None:
                self._unsaved = False
                draft = self._draft()
                self._waiting[draft.key] = draft
            if self._waiting and self._drafts is None:
                self._drafts = DraftFolder(_drafts_root())
            for key, draft in list(self._waiting.items()):
                self._drafts.save(draft)
                del self._waiting[key]
                now = qt.QTime.currentTime().toString("HH:mm")
                self._ui.approvalLabel.text = _("Draft saved at {time}.").format(time=now)
        self._rest()

    def offer_recovery(self) -> None:
        """Offer the latest draft of a Slicer that was killed."""
        self._recovery.look(self._ui.storeEdit.currentPath)

    def _draft_recovered(self, found: RecoverableDraft) -> None:
        self._recovered()
        # It is saved anew under this session before the old one goes.
        self._unsaved = True
        self.autosave()
        if not self._unsaved:
            found.discard()

    def _draft(self) -> Draft:
        """Return the current work; raises BrainstemALSError where nodes are missing."""
        parameters, result = self._visit.parameters, self._visit.result
        if result is None or result.t1 is None:
            raise BrainstemALSError(
                "segmentation",
                "there is none to save, or its T1 is gone",
                "Load the T1 and segment it first.",
                ExitCode.USAGE,
            )
        t1 = volume_from_node(result.t1, "T1")
        now = result.labels_now()
        return Draft(
            labels=now.labels,
            prediction=now.prediction,
            grid=BoxGrid(t1.shape, t1.affine, now.offset),
            exam_key=self._exam_keys.of(result.t1),
            subject=parameters.subject_code,
            annotator=self._ui.annotatorEdit.text,
            visit_date=parameters.visit_date,
            seconds_spent=parameters.seconds_spent,
            outcome=result.record,
            work=work_of(result.segmentation),
        )


def _drafts_root() -> Path:
    return settings.local_folder() / "drafts"
