"""Folders for the arrays of a session, gone when it ends, however it ends."""

from __future__ import annotations

import shutil
import tempfile
import weakref
from contextlib import suppress
from pathlib import Path

from ..file_lock import FileLock
from .failures import no_room

PREFIX = "BrainstemALS-"
_LOCK_SUFFIX = ".lock"


class SessionFolder:
    """A folder for temporary files that belongs to this process.

    Only its user may read it: images of a patient pass through. A lock of the operating system,
    which ends with the process, tells the folders of living sessions from those that a crash left
    behind; the latter are removed whenever a session begins.

    Parameters
    ----------
    parent : str or Path, optional
        Where to make it; the system's folder for temporary files when left out.

    Attributes
    ----------
    path : Path

    Raises
    ------
    BrainstemALSError
        OUTPUT_REFUSED: the folder cannot be made.
    """

    def __init__(self, parent: str | Path | None = None):
        parent = Path(tempfile.gettempdir() if parent is None else parent)
        remove_stale(parent)
        self.path = _new_folder(PREFIX, parent)
        lock = FileLock(_lock_file(self.path))
        # Where the file system has no locks, no other session can take this one for a stale one
        # either: it cannot lock the file.
        with suppress(OSError):
            lock.acquire()
        self._close = weakref.finalize(self, _remove, self.path, lock)

    def job(self) -> Path:
        """Return a new empty folder; raises as the session does."""
        return _new_folder("job-", self.path)

    def close(self) -> None:
        """Remove the folder and all that is in it."""
        self._close()

    def __enter__(self) -> SessionFolder:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()


def remove_stale(parent: Path) -> None:
    """Remove the session folders in ``parent`` whose processes are dead."""
    for lock_file in parent.glob(f"{PREFIX}*{_LOCK_SUFFIX}"):
        lock = FileLock(lock_file)
        # OSError: of another user, or a file system without locks.
        with suppress(OSError):
            if lock.acquire():
                _remove(lock_file.with_suffix(""), lock)


def _new_folder(prefix: str, parent: Path) -> Path:
    try:
        return Path(tempfile.mkdtemp(prefix=prefix, dir=parent))
    except OSError:
        raise no_room() from None


def _lock_file(folder: Path) -> Path:
    # Beside the folder, not in it: the lock must hold until the folder is gone.
    return folder.with_name(folder.name + _LOCK_SUFFIX)


def _remove(folder: Path, lock: FileLock) -> None:
    shutil.rmtree(folder, ignore_errors=True)
    if folder.exists():
        lock.release()  # a file of it is still open somewhere (Windows): another session's turn
        return
    with suppress(OSError):
        lock.path.unlink()  # while locked, so that nobody takes the lock of a file without a name
    lock.release()
    with suppress(OSError):
        lock.path.unlink(missing_ok=True)  # Windows deletes no open file
