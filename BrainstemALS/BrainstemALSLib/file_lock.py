"""A lock between processes that the operating system takes back when its holder dies."""

from __future__ import annotations

import errno
import os
from pathlib import Path
from typing import BinaryIO

if os.name == "nt":
    import msvcrt
else:
    import fcntl

# What the two systems answer when somebody else holds the lock.
_HELD = {errno.EACCES, errno.EAGAIN, errno.EDEADLK} | {getattr(errno, "EDEADLOCK", errno.EDEADLK)}


class LockUnsupportedError(OSError):
    """The file system (some network shares) knows no locks, so nobody can tell who is alive."""


class FileLock:
    """Exclusive lock on a file, never waited for.

    Held by one ``FileLock`` object at a time, in this process or another one, and freed by
    ``release``, by the end of a ``with`` block, by the end of this object, or by the death of the
    process, however it dies. The file itself stays; its content does not matter.

    Parameters
    ----------
    path : str or Path
        File in an existing folder; made where it does not exist.
    """

    def __init__(self, path: str | Path):
        self.path = Path(path)
        self._handle: BinaryIO | None = None

    def acquire(self) -> bool:
        """Take the lock; return whether that went well (False: another holder has it).

        Raises
        ------
        LockUnsupportedError
            The file system knows no locks.
        OSError
            The file cannot be opened or made.
        """
        if self._handle is not None:
            raise RuntimeError("this lock is held already")
        while True:
            handle = _opened(self.path, "a+b")
            try:
                taken = _lock(handle)
                # Between opening and locking, its last holder may have deleted the file: a lock on
                # a file without a name would keep nobody out.
                current = taken and _is_file(handle, self.path)
            except BaseException:
                handle.close()
                raise
            if taken and current:
                self._handle = handle
                return True
            handle.close()
            if not taken:
                return False

    def release(self) -> None:
        """Give the lock back; nothing happens where it is not held."""
        if self._handle is not None:
            handle, self._handle = self._handle, None
            with handle:
                _unlock(handle)

    def __enter__(self) -> FileLock:
        """Take the lock; BlockingIOError where another holder has it."""
        if not self.acquire():
            raise BlockingIOError(errno.EAGAIN, "another holder has this lock")
        return self

    def __exit__(self, *exception: object) -> None:
        self.release()


def is_held(path: str | Path) -> bool:
    """Return whether somebody holds the lock on a file; False where there is no such file.

    Raises
    ------
    LockUnsupportedError
        The file system knows no locks.
    OSError
        The file cannot be opened.
    """
    try:
        handle = _opened(Path(path), "r+b")
    except FileNotFoundError:
        return False
    with handle:
        if not _lock(handle):
            return True
        _unlock(handle)
        return False


def _opened(path: Path, mode: str) -> BinaryIO:
    try:
        return path.open(mode)
    except PermissionError:
        # Another user made it. Most file systems lock for readers as well.
        return path.open("rb")


def _lock(handle: BinaryIO) -> bool:
    try:
        if os.name == "nt":
            handle.seek(0)
            msvcrt.locking(handle.fileno(), msvcrt.LK_NBLCK, 1)
        else:
            # flock and not lockf: a lockf lock goes with any handle on the file that is closed.
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        if error.errno in _HELD:
            return False
        raise LockUnsupportedError(error.errno, "this file system knows no locks") from error
    return True


def _unlock(handle: BinaryIO) -> None:
    if os.name == "nt":
        handle.seek(0)
        msvcrt.locking(handle.fileno(), msvcrt.LK_UNLCK, 1)
    else:
        fcntl.flock(handle, fcntl.LOCK_UN)


def _is_file(handle: BinaryIO, path: Path) -> bool:
    try:
        return os.path.samestat(os.fstat(handle.fileno()), os.stat(path))
    except FileNotFoundError:
        return False
