"""Offers the drafts of a Slicer that was killed, and brings one back into the scene."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import slicer
from slicer.i18n import tr as _

from ..annotation.drafts import Draft, RecoverableDraft, recoverable
from ..annotation.store import CaseStore
from ..errors import BrainstemALSError, ExitCode
from ..scene.results import show_outcome
from ..scene.segmentation import write_labels
from ..worker.outcome import Outcome
from .background import Background
from .exam_keys import ExamKeys
from .messages import Messages
from .visit import Visit


class Recovery:
    """Looks for drafts beside the window; the store may lie on a slow share.

    Parameters
    ----------
    visit : Visit
    messages : Messages
    keys : ExamKeys
    root : Path
        Folder of the drafts.
    recovered : callable
        Called with a draft after it is back in the scene and in ``visit``.
    """

    def __init__(
        self,
        visit: Visit,
        messages: Messages,
        keys: ExamKeys,
        root: Path,
        recovered: Callable[[RecoverableDraft], None],
    ):
        self._visit, self._messages, self._keys = visit, messages, keys
        self._root, self._recovered = root, recovered
        self._background = Background()

    def look(self, store: str) -> None:
        """Offer the latest draft that was not approved, one of the chosen T1 first.

        Parameters
        ----------
        store : str
            Folder of approved cases, where a draft may have ended up; empty for none.
        """
        if self._root.is_dir() and not self._background.running:
            root = self._root
            self._background.start(lambda: _drafts(root, store), self._offer, self._failed)

    def close(self) -> None:
        """Wait for what is looked for."""
        self._background.close()

    def _offer(self, found: list[RecoverableDraft]) -> None:
        if not found or self._visit.parameters is None:
            return
        with self._messages.refusals():
            fitting = [one for one in found if self._fits(one.draft)]
            chosen = (fitting or found)[0]
            text = _("A correction of {who} from {when} was saved but not approved.").format(
                who=chosen.draft.subject or "–", when=chosen.draft.saved_utc
            )
            if fitting:
                self._messages.offer(text, _("Recover"), lambda: self._recover(chosen))
            else:
                text += " " + _("Choose its T1 to get it back.")
                self._messages.offer(text, _("Discard it"), lambda: self._discard(chosen))

    def _fits(self, draft: Draft) -> bool:
        t1 = self._visit.parameters.t1
        return t1 is not None and self._keys.of(t1) == draft.exam_key

    def _recover(self, found: RecoverableDraft) -> None:
        # Another T1 may have been chosen since the offer was made.
        if not self._fits(found.draft):
            raise BrainstemALSError(
                "draft",
                "it is not of the T1 that is chosen now",
                "Choose its T1 under Exam.",
                ExitCode.MISMATCHED_IMAGES,
            )
        show_draft(found.draft, self._visit)
        self._recovered(found)

    def _discard(self, found: RecoverableDraft) -> None:
        if slicer.util.confirmOkCancelDisplay(
            _("Discard the saved correction? It can't be brought back."), _("BrainstemALS")
        ):
            found.discard()

    def _failed(self, problem: Exception) -> None:
        with self._messages.refusals():
            raise problem


def _drafts(root: Path, store: str) -> list[RecoverableDraft]:
    """Drafts of dead sessions; not those that were approved before their session died."""
    found = list(recoverable(root))
    if not found or not store:
        return found
    try:
        cases = CaseStore(Path(store), read_only=True)
        return [one for one in found if not _is_stored(one.draft, cases)]
    except BrainstemALSError:
        return found


def _is_stored(draft: Draft, cases: CaseStore) -> bool:
    """Whether the latest case that the same person approved of the exam holds the same labels."""
    latest = cases.latest(draft.exam_key, draft.annotator) if draft.annotator else None
    if latest is None or latest.grid.shape != draft.grid.shape:
        return False
    whole = []
    for array, grid in (
        (draft.labels, draft.grid),
        (cases.read(latest.case_id).correction.array, latest.grid),
    ):
        labels = np.zeros(grid.shape, np.uint8)
        window = zip(grid.offset, array.shape, strict=True)
        labels[tuple(slice(a, a + n) for a, n in window)] = array
        whole.append(labels)
    return np.array_equal(*whole)


def show_draft(draft: Draft, visit: Visit) -> None:
    """Make a new segmentation of a draft, on the chosen T1, and the current result.

    The uncertainty was not saved with it, so there is no map of it until the T1 is segmented again.

    Parameters
    ----------
    draft : Draft
        Of an exam with the key of the chosen T1.
    visit : Visit

    Raises
    ------
    BrainstemALSError
        The draft is of another version, or does not fit the T1.
    """
    offset = [int(n) for n in draft.grid.offset]
    outcome = Outcome.from_record(
        {**draft.outcome, "offset": offset},
        draft.prediction,
        np.zeros(draft.prediction.shape, np.float32),
    )
    parameters = visit.parameters
    maps = {role: getattr(parameters, role) for role in ("fa", "md", "dti", "dwi")}
    with visit.own_writes():
        nodes = show_outcome(outcome, parameters.t1, corrected="new", maps=maps)
        slicer.mrmlScene.RemoveNode(nodes.entropy)
        write_labels(nodes.segmentation, draft.labels, offset, parameters.t1, outcome.keys)
    parameters.segmentation = nodes.segmentation
    parameters.seconds_spent = draft.seconds_spent
    for name, value in (("subject_code", draft.subject), ("visit_date", draft.visit_date)):
        if value and not getattr(parameters, name):
            setattr(parameters, name, value)
    visit.show(type(nodes).from_segmentation(nodes.segmentation), outcome)
