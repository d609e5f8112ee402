"""The worker's log: what was asked, how long it took, how it ended, and nothing of any patient.

No name, path, message of an exception or value of an image is ever written: each of them may carry
an identity. An exception is told by its type and the lines of code that it passed through.
"""

from __future__ import annotations

import logging
import os
import sys
import traceback
from contextlib import suppress
from logging.handlers import RotatingFileHandler
from pathlib import Path

FILE_NAME = "worker.log"
MAX_BYTES = 1 << 19
BACKUPS = 2


def default_log_dir() -> Path:
    """Return the folder of logs in the user's cache; not made here."""
    if os.name == "nt":
        root = Path(os.environ.get("LOCALAPPDATA") or Path.home() / "AppData" / "Local")
    elif sys.platform == "darwin":
        root = Path.home() / "Library" / "Caches"
    else:
        root = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    return root / "BrainstemALS"


def open_log(folder: Path | None = None) -> logging.Logger:
    """Return a logger that writes ``worker.log`` in a folder, or nothing where it may not.

    A worker without a log still works.
    """
    log = logging.Logger("BrainstemALS worker")  # no parent: libraries do not write here
    with suppress(OSError, RuntimeError):  # RuntimeError: a user without a home
        folder = default_log_dir() if folder is None else folder
        folder.mkdir(parents=True, exist_ok=True)
        handler = _SharedFile(folder / FILE_NAME, maxBytes=MAX_BYTES, backupCount=BACKUPS)
        handler.setFormatter(logging.Formatter("%(asctime)s %(process)d %(message)s"))
        log.addHandler(handler)
    logging.raiseExceptions = False  # a full disk is no reason to print, or to stop
    return log


def where(problem: BaseException) -> str:
    """Return type and code location of an exception: ``ValueError at a.py:3 < b.py:9``.

    The innermost line comes first; files go without their folders.
    """
    frames = traceback.extract_tb(problem.__traceback__)
    places = [f"{Path(frame.filename).name}:{frame.lineno}" for frame in reversed(frames)]
    return f"{type(problem).__name__} at {' < '.join(places[:8])}"


class _SharedFile(RotatingFileHandler):
    """A log that other workers may have open too, which keeps Windows from renaming it."""

    def rotate(self, source: str, dest: str) -> None:
        with suppress(OSError):
            super().rotate(source, dest)
