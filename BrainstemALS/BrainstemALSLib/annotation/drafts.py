"""Work that is not approved yet, kept so that a killed application loses minutes and not hours.

A folder of drafts belongs to one computer, apart from the store where exams are approved. Each
running session has a folder of its own under ``drafts`` in it and holds a lock there, which the
operating system frees when the session dies; drafts whose lock is free can be recovered. Of each
segmentation the two last drafts are kept and replaced in turn: nothing is flushed to the disk,
because the window waits for the save, so that a power cut may damage the newer one; a checksum
tells, and then the older one counts.
"""

from __future__ import annotations

import os
import re
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from ..file_lock import FileLock, LockUnsupportedError, is_held
from . import layout, refusals
from .draft_files import Draft, encode_draft, read_draft
from .durability import PARTIAL

_DRAFTS, _LOCK = "drafts", "session.lock"
_FILE = re.compile(r"([0-9a-f]{64}-[0-9a-f]{8})-[01]\.npz")


class DraftFolder:
    """Drafts of this session.

    Parameters
    ----------
    root : str or Path
        Folder that holds ``drafts``; both are made where they are missing.

    Raises
    ------
    BrainstemALSError
        OUTPUT_REFUSED: the folder cannot be written to.
    """

    def __init__(self, root: str | Path):
        self._saves: dict[str, int] = {}
        drafts = Path(root) / _DRAFTS
        try:
            drafts.mkdir(parents=True, exist_ok=True)
            for folder in drafts.iterdir():
                _remove_if_done(folder)
            while True:
                self._folder = drafts / layout.new_id(layout.utc_now())
                self._folder.mkdir()
                self._lock = FileLock(self._folder / _LOCK)
                with suppress(LockUnsupportedError, FileNotFoundError):
                    if self._lock.acquire():
                        break
                    continue
                if self._folder.is_dir():  # a file system without locks; else it was tidied away
                    break
        except OSError:
            raise refusals.unwritable() from None

    def save(self, draft: Draft) -> None:
        """Save a segmentation in work in the place of its draft before last.

        Raises
        ------
        BrainstemALSError
            OUTPUT_REFUSED: the disk is full or cannot be written to; earlier drafts stay.
        ValueError
            Labels and prediction are not uint8 on one box within the T1, or the exam key or the
            time cannot be.
        """
        count = self._saves.get(draft.key, 0)
        content = encode_draft(draft, count)
        partial = self._folder / f"{PARTIAL}draft"
        try:
            partial.write_bytes(content)
            os.replace(partial, self._folder / f"{draft.key}-{count % 2}.npz")
        except OSError:
            with suppress(OSError):
                partial.unlink(missing_ok=True)
            raise refusals.unwritable() from None
        self._saves[draft.key] = count + 1

    def discard(self, key: str | None = None) -> None:
        """Delete the drafts of one ``Draft.key``, once it is approved or given up; all without."""
        for one in list(self._saves) if key is None else [key]:
            _delete(self._folder, one)
            self._saves.pop(one, None)

    def close(self) -> None:
        """End the session; what was not discarded can be recovered from now on."""
        self._lock.release()
        _remove_if_done(self._folder)


@dataclass(frozen=True, eq=False)
class RecoverableDraft:
    """A draft of a session that died.

    Attributes
    ----------
    draft : Draft
        What it holds.
    """

    draft: Draft
    _folder: Path

    def discard(self) -> None:
        """Delete it, once the work goes on elsewhere (and was saved there) or is given up."""
        _delete(self._folder, self.draft.key)
        _remove_if_done(self._folder)


def recoverable(root: str | Path) -> tuple[RecoverableDraft, ...]:
    """Return the drafts of sessions that are no longer alive, the last saved first.

    Parameters
    ----------
    root : str or Path
        As ``DraftFolder`` takes it; need not exist.

    Raises
    ------
    BrainstemALSError
        OUTPUT_REFUSED: the folder cannot be read.
    """
    found = []
    try:
        drafts = Path(root) / _DRAFTS
        folders = list(drafts.iterdir()) if drafts.is_dir() else []
        for folder in folders:
            if not _is_alive(folder):
                keys = {match[1] for path in folder.glob("*.npz") if (match := _match(path))}
                newest = [_newest(folder, key) for key in sorted(keys)]
                found += [RecoverableDraft(draft, folder) for draft in newest if draft is not None]
    except OSError:
        raise refusals.unreadable() from None
    return tuple(sorted(found, key=lambda item: item.draft.saved_utc, reverse=True))


def _newest(folder: Path, key: str) -> Draft | None:
    saves = [save for turn in (0, 1) if (save := read_draft(folder / f"{key}-{turn}.npz"))]
    return max(saves, key=lambda save: save[0])[1] if saves else None


def _match(path: Path) -> re.Match[str] | None:
    return _FILE.fullmatch(path.name)


def _is_alive(folder: Path) -> bool:
    try:
        return is_held(folder / _LOCK)
    except OSError:  # no locks, or no right to write: better offered twice than never
        return False


def _delete(folder: Path, key: str) -> None:
    for turn in (0, 1):
        with suppress(OSError):
            (folder / f"{key}-{turn}.npz").unlink(missing_ok=True)


def _remove_if_done(folder: Path) -> None:
    """Remove the folder of a session that is over and left no draft."""
    lock = FileLock(folder / _LOCK)
    try:
        if not lock.path.exists() or any(_match(path) for path in folder.iterdir()):
            return
        if lock.acquire():
            if os.name == "nt":  # which deletes no open file, and so none that is locked again
                lock.release()
            (folder / f"{PARTIAL}draft").unlink(missing_ok=True)
            lock.path.unlink(missing_ok=True)
            folder.rmdir()
    except OSError:
        return
    finally:
        lock.release()
