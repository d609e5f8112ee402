"""The annotation store: what experts approved, in folders that any program can read.

    store.json                       says that this is a store, and of which format
    cases/<UTC>-<random>/            one approved case, see ``case_files``; never changed again
    index.sqlite                     the records of all cases, a cache, see ``index``
    store.lock                       held while a case is written

Images are cut to the box around the brainstem, so that no face is stored; names of files and
folders tell nothing of a patient. A case appears under its name when every file of it is on the
disk and was read back, never before, and nothing ever takes its place: correcting an exam again
makes another case that names the one it supersedes.
"""

from __future__ import annotations

import os
import secrets
import shutil
import sqlite3
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from .. import __version__
from ..errors import BrainstemALSError, ExitCode
from ..file_lock import FileLock, LockUnsupportedError
from . import layout, refusals
from .approval import Approval, checked
from .case_files import Case, find_problems, read_case, read_record, write_case
from .durability import PARTIAL, move_folder
from .index import INDEX, CaseIndex
from .records import CaseRecord, count_changes, is_case_id

# An approval takes about a second, on a slow network drive ten.
_LOCK_WAIT_S, _LOCK_POLL_S = 60.0, 0.02


class CaseStore:
    """Opens a store, or makes one of an empty folder.

    Several processes may use one store at a time. No method but the constructor keeps anything
    open between calls, so that one object may serve several threads.

    Parameters
    ----------
    root : str or Path
        Folder of the store.
    read_only : bool
        Never write, not even the index: for training on a store that somebody else keeps.

    Raises
    ------
    BrainstemALSError
        OUTPUT_REFUSED: not a store, of a newer version, or a folder that cannot be written to.
    """

    def __init__(self, root: str | Path, read_only: bool = False):
        self.root = Path(root)
        self.read_only = read_only
        self._cases = self.root / layout.CASES
        self._index = CaseIndex(self.root / INDEX)
        if read_only:
            layout.check_store(self.root)
            return
        layout.make_store(self.root)
        with self._alone() as alone:
            if alone:
                self._sweep()
        self.cases()

    def approve(self, approval: Approval) -> CaseRecord:
        """Store a case for good.

        It is on the disk and can be read when this returns, whatever happens then; when it raises
        or the process dies before, nothing of it can be seen. Takes about a second: call it from a
        thread where a window must stay alive.

        Raises
        ------
        BrainstemALSError
            As ``approval.checked``; OUTPUT_REFUSED where the disk is full or cannot be written to,
            or another program has been writing for a minute.
        """
        if self.read_only:
            raise refusals.unwritable()
        approval = checked(approval)
        try:
            with self._writing():
                record = self._write(approval)
                # The case is safe; an index that cannot follow is mended by the next look at it.
                with suppress(sqlite3.Error, OSError):
                    self._index.update([record])
        except OSError:
            raise refusals.unwritable() from None
        return record

    def cases(self) -> tuple[CaseRecord, ...]:
        """Return all cases that say what they are, the first approved first.

        A case whose ``case.json`` is damaged is left out; ``verify_all`` names it.
        """
        # The index before the folders: a case approved in between is then missing in the index,
        # and not a case too many.
        indexed = self._index.read()
        ids = self.ids()
        records = {case_id: indexed[case_id] for case_id in ids if case_id in (indexed or {})}
        fresh = []
        for case_id in ids:
            if case_id not in records:
                with suppress(BrainstemALSError):
                    records[case_id] = read_record(self._cases / case_id)
                    fresh.append(records[case_id])
        gone = set(indexed or {}) - set(ids)
        if not self.read_only and (indexed is None or fresh or gone):
            self._mend(indexed is None, fresh, gone)
        return tuple(sorted(records.values(), key=lambda r: (r.approved_utc, r.age)))

    def ids(self) -> list[str]:
        """Return the names of all case folders, damaged ones too."""
        try:
            return sorted(name for name in os.listdir(self._cases) if is_case_id(name))
        except OSError:
            raise refusals.unreadable() from None

    def latest(self, exam_key: str, annotator: str | None = None) -> CaseRecord | None:
        """Return the latest case of an exam (by one annotator, where named); None for none."""
        found = [
            record
            for record in self.cases()
            if record.exam_key == exam_key and annotator in (None, record.annotator)
        ]
        return max(found, key=lambda record: record.age, default=None)

    def read(self, case_id: str) -> Case:
        """Read a case with its images, every file checked.

        Raises
        ------
        BrainstemALSError
            UNREADABLE_IMAGE: no such case, or a file of it is missing, altered or contradicts
            another one.
        """
        return read_case(self._folder(case_id))

    def verify(self, case_id: str) -> tuple[str, ...]:
        """Return what is missing or altered in a case, a clause each; empty where all is whole."""
        return find_problems(self._folder(case_id))

    def verify_all(self) -> dict[str, tuple[str, ...]]:
        """Return the problems of all cases that have some, by case id."""
        found = {case_id: find_problems(self._cases / case_id) for case_id in self.ids()}
        return {case_id: problems for case_id, problems in found.items() if problems}

    def _folder(self, case_id: str) -> Path:
        folder = self._cases / case_id
        if not is_case_id(case_id) or not folder.is_dir():
            raise refusals.damaged_case("case", "there is no such case in the annotation store")
        return folder

    def _write(self, approval: Approval) -> CaseRecord:
        moment = layout.utc_now()
        previous = self.latest(approval.exam_key)
        record = CaseRecord(
            case_id=layout.new_id(moment),
            approved_utc=layout.utc_text(moment),
            exam_key=approval.exam_key,
            subject=approval.subject,
            annotator=approval.annotator,
            visit_date=approval.visit_date,
            model=approval.model,
            keys=approval.keys,
            modalities=tuple(approval.modalities),
            seconds_spent=float(approval.seconds_spent),
            approved_all=approval.approved_all,
            from_simulation=approval.from_simulation,
            grid=approval.grid,
            box_shape=approval.prediction.shape,
            images=tuple(approval.images),
            changes=count_changes(approval),
            revision=previous.revision + 1 if previous else 1,
            supersedes=previous.case_id if previous else None,
            software=__version__,
            checksums={},
        )
        partial = self._cases / f"{PARTIAL}{record.case_id}"
        partial.mkdir()
        try:
            record = write_case(partial, approval, record)
            move_folder(partial, self._cases / record.case_id)
        except BaseException:
            shutil.rmtree(partial, ignore_errors=True)
            raise
        return record

    def _mend(self, lost: bool, fresh: list[CaseRecord], gone: set[str]) -> None:
        with suppress(sqlite3.Error, OSError), self._alone() as alone:
            if alone and lost:
                self._index.rebuild(fresh)
            elif alone:
                self._index.update(fresh, gone)

    def _sweep(self) -> None:
        """Remove what approvals left that died: nobody holds the lock, so they all did."""
        with suppress(OSError):
            for name in os.listdir(self._cases):
                if name.startswith(PARTIAL):
                    # Under another name first. Where a network drive's locks lie, its live owner
                    # then fails and says so, and does not put its name on half a folder.
                    doomed = self._cases / f"{PARTIAL}swept-{secrets.token_hex(6)}"
                    with suppress(OSError):
                        os.rename(self._cases / name, doomed)
                        shutil.rmtree(doomed, ignore_errors=True)

    @contextmanager
    def _alone(self) -> Iterator[bool]:
        """Give whether nobody else is writing, and keep it so for the block."""
        lock = FileLock(self.root / layout.LOCK)
        try:
            taken = lock.acquire()
        except OSError:  # without locks nobody can know
            taken = False
        try:
            yield taken
        finally:
            lock.release()

    @contextmanager
    def _writing(self) -> Iterator[None]:
        """Wait until nobody else writes. Without locks go on: approvals do not meet in any file."""
        lock = FileLock(self.root / layout.LOCK)
        until = time.monotonic() + _LOCK_WAIT_S
        with suppress(LockUnsupportedError):
            while not lock.acquire():
                if time.monotonic() > until:
                    raise BrainstemALSError(
                        refusals.STORE,
                        "another program has been writing to this store for a minute",
                        "Wait until it is done, or close it, and approve again.",
                        ExitCode.OUTPUT_REFUSED,
                    )
                time.sleep(_LOCK_POLL_S)
        try:
            yield
        finally:
            lock.release()
