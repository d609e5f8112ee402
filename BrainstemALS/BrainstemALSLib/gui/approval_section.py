"""Section *Correct and approve*, its lower half: drafts, approval, recovery."""

from __future__ import annotations

from pathlib import Path

import qt
import slicer
from slicer.i18n import tr as _

from ..annotation.approval import Approval
from ..annotation.box import BoxGrid, cut_images
from ..annotation.codes import check_code, exam_key
from ..annotation.drafts import Draft, DraftFolder, RecoverableDraft, recoverable
from ..annotation.records import CaseRecord
from ..annotation.store import CaseStore
from ..errors import BrainstemALSError, ExitCode
from ..imaging.volume import Volume
from ..scene.results import approved_case, mark_approved
from ..scene.segmentation import edited_since_approval, note_edit
from ..scene.volumes import volume_from_node
from . import settings
from .background import Background
from .messages import Messages
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
        Called with a draft whose labels the user wants back.

    Attributes
    ----------
    storing : bool
        A case is on its way to the disk.
    """

    def __init__(self, ui: object, visit: Visit, messages: Messages, recovered):
        self._ui, self._visit, self._messages = ui, visit, messages
        self._recovered = recovered
        self._drafts: DraftFolder | None = None
        self._unsaved = self.storing = False
        self._background = Background()
        self._keys: dict[str, str] = {}
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
        self._background.wait()
        self.autosave()
        if self._drafts is not None:
            self._drafts.close()
            self._drafts = None

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
        approval, segmentation = self._approval(), self._visit.result.segmentation

        def finished(record: CaseRecord) -> None:
            self._approved(record, segmentation)

        def failed(problem: Exception) -> None:
            self.storing = False
            self.update()
            with self._messages.refusals():
                raise problem

        self.storing = True
        self.update()
        self._ui.approvalLabel.text = _("Storing …")
        # The store waits for the disk, about a second; on a network drive more.
        self._background.start(lambda: CaseStore(Path(path)).approve(approval), finished, failed)

    def _approved(self, record: CaseRecord, segmentation: object) -> None:
        self.storing = False
        if segmentation.GetScene() is not None:
            mark_approved(segmentation, record.case_id)
        current = self._visit.result
        if current is not None and current.segmentation is segmentation:
            self._visit.parameters.seconds_spent = 0.0
            self.forget_edits()
        if self._drafts is not None:
            self._drafts.discard(record.exam_key)
        self.update()
        self._messages.info(
            _("Approved as case {case}; structures corrected: {count}.").format(
                case=record.case_id, count=len(record.changes)
            )
        )

    def _approval(self) -> Approval:
        result = self._visit.result
        check_code("subject code", self._visit.parameters.subject_code)
        check_code("annotator code", self._ui.annotatorEdit.text)
        draft = self._draft()
        # What took part in the run, whatever is chosen under Exam by now.
        t1 = volume_from_node(result.t1, "T1")
        maps = {role: volume_from_node(node, role.upper()) for role, node in result.maps.items()}
        affine = draft.grid.box_affine
        return Approval(
            images=cut_images(draft.grid, draft.labels.shape, t1, **maps),
            prediction=Volume(draft.prediction, affine),
            correction=Volume(draft.labels, affine),
            grid=draft.grid,
            exam_key=draft.exam_key,
            subject=draft.subject,
            annotator=draft.annotator,
            visit_date=draft.visit_date,
            model=draft.outcome["model"],
            keys=tuple(draft.outcome["keys"]),
            seconds_spent=draft.seconds_spent,
        )

    def autosave(self) -> None:
        """Save the work that is not approved yet, if there is some; never disturbs the user twice.

        A draft that can't be saved is said in the panel, and tried again the next time.
        """
        if not self._unsaved or self._visit.result is None:
            return
        with self._messages.refusals():
            if self._drafts is None:
                self._drafts = DraftFolder(CaseStore(_drafts_root()))
            self._drafts.save(self._draft())
            now = qt.QTime.currentTime().toString("HH:mm")
            self._ui.approvalLabel.text = _("Draft saved at {time}.").format(time=now)
            self.forget_edits()

    def offer_recovery(self) -> None:
        """Offer the latest draft of a Slicer that was killed; of the chosen T1 first."""
        parameters = self._visit.parameters
        if parameters is None or not _drafts_root().is_dir():
            return
        with self._messages.refusals():
            found = [draft for draft in recoverable(_drafts_root()) if not self._is_approved(draft)]
            if not found:
                return
            key = None if parameters.t1 is None else self._exam_key(parameters.t1)
            fitting = [one for one in found if one.draft.exam_key == key]
            self._offer((fitting or found)[0], bool(fitting))

    def _offer(self, found: RecoverableDraft, fits: bool) -> None:
        draft = found.draft
        text = _("A correction of {who} from {when} was saved but not approved.").format(
            who=draft.subject or "–", when=draft.saved_utc
        )
        if fits:
            self._messages.offer(text, _("Recover"), lambda: self._recover(found))
        else:
            text += " " + _("Choose its T1 and open this module again to get it back.")
            self._messages.offer(text, _("Discard it"), lambda: self._discard(found))

    def _recover(self, found: RecoverableDraft) -> None:
        self._recovered(found.draft)
        # It is saved anew under this session before the old one goes.
        self._unsaved = True
        self.autosave()
        if not self._unsaved:
            found.discard()

    def _discard(self, found: RecoverableDraft) -> None:
        if slicer.util.confirmOkCancelDisplay(
            _("Discard the saved correction? It can't be brought back."), _("BrainstemALS")
        ):
            found.discard()

    def _is_approved(self, found: RecoverableDraft) -> bool:
        """Whether Slicer was killed between the approval and the end of its draft."""
        path = self._ui.storeEdit.currentPath
        if not path:
            return False
        try:
            latest = CaseStore(Path(path), read_only=True).latest(found.draft.exam_key)
        except BrainstemALSError:
            return False
        return latest is not None and latest.approved_utc >= found.draft.saved_utc

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
            exam_key=self._exam_key(result.t1),
            subject=parameters.subject_code,
            annotator=self._ui.annotatorEdit.text,
            visit_date=parameters.visit_date,
            seconds_spent=parameters.seconds_spent,
            outcome=result.record,
        )

    def _exam_key(self, node: object) -> str:
        """Key of a T1; kept as long as its voxels are the same, since it reads all of them."""
        image = node.GetImageData()
        stamp = f"{node.GetID()} {image.GetMTime() if image else 0} {node.GetMTime()}"
        if stamp not in self._keys:
            self._keys = {stamp: exam_key(volume_from_node(node, "T1"))}
        return self._keys[stamp]


def _drafts_root() -> Path:
    return settings.local_folder() / "drafts"
