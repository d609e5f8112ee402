"""Writing that survives a power cut: whole files under their name, or none."""

from __future__ import annotations

import errno
import os
import secrets
import time
from contextlib import suppress
from pathlib import Path

PARTIAL = ".partial-"
# What file systems answer that cannot flush a folder (network shares among them).
_NO_FOLDER_SYNC = {errno.EINVAL, errno.EBADF, errno.EISDIR, errno.ENOTSUP, errno.EOPNOTSUPP}
# A virus scanner or an indexer on Windows keeps new files open for a moment.
_WINDOWS_TRIES, _WINDOWS_WAIT_S = 20, 0.05


def sync_file(path: Path) -> None:
    """Return once the disk has a file's content."""
    with path.open("r+b") as handle:
        _sync(handle.fileno())


def sync_folder(folder: Path) -> None:
    """Return once the disk has the names in a folder; Windows has no call for it."""
    if os.name == "nt":
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    except OSError as error:
        if error.errno not in _NO_FOLDER_SYNC:
            raise
    finally:
        os.close(descriptor)


def write_whole(path: Path, content: bytes) -> None:
    """Write a file that is there whole, or as it was before, whenever the power goes."""
    partial = path.with_name(f"{PARTIAL}{secrets.token_hex(6)}")
    try:
        with partial.open("xb") as handle:
            handle.write(content)
            handle.flush()
            _sync(handle.fileno())
        os.replace(partial, path)
    except BaseException:
        with suppress(OSError):
            partial.unlink(missing_ok=True)
        raise
    sync_folder(path.parent)


def move_folder(source: Path, target: Path) -> None:
    """Give a folder its name, at once and never in the place of another; then flush the name."""
    for attempt in range(_WINDOWS_TRIES):
        if target.exists():
            raise FileExistsError(errno.EEXIST, "this name is taken")
        try:
            os.rename(source, target)
            break
        except PermissionError:
            if os.name != "nt" or attempt == _WINDOWS_TRIES - 1:
                raise
            time.sleep(_WINDOWS_WAIT_S)
    sync_folder(target.parent)


def _sync(descriptor: int) -> None:
    if os.name != "nt":
        import fcntl

        if hasattr(fcntl, "F_FULLFSYNC"):  # on macOS fsync stops at the drive's own cache
            with suppress(OSError):  # which network shares do not offer
                fcntl.fcntl(descriptor, fcntl.F_FULLFSYNC)
                return
    os.fsync(descriptor)
