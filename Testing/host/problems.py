"""Exceptions that nobody sees, because they were raised in a function that Qt or VTK called."""

from __future__ import annotations

import sys
import traceback
from types import TracebackType

from PySide6 import QtCore

# The offscreen platform has no window manager, and says so.
_EXPECTED = ("This plugin does not support", "Populating font family aliases")


class Problems:
    """Collects exceptions from slots and warnings from Qt.

    Slicer prints them to its console and goes on; a test must fail.
    """

    def __init__(self):
        self.found: list[str] = []

    def watch(self) -> None:
        """Begin to collect."""
        sys.excepthook = self._exception
        QtCore.qInstallMessageHandler(self._message)

    def _exception(
        self, kind: type[BaseException], problem: BaseException, trace: TracebackType | None
    ) -> None:
        sys.__excepthook__(kind, problem, trace)
        self.found.append("".join(traceback.format_exception(kind, problem, trace)))

    def _message(self, level: QtCore.QtMsgType, _context: object, text: str) -> None:
        harmless = level in (QtCore.QtMsgType.QtDebugMsg, QtCore.QtMsgType.QtInfoMsg)
        if not harmless and not text.startswith(_EXPECTED):
            self.found.append(f"Qt: {text}")

    def add(self, problem: str) -> None:
        """Note one more."""
        self.found.append(problem)

    def take(self) -> list[str]:
        """Return what was found since the last call."""
        found, self.found = self.found, []
        return found
