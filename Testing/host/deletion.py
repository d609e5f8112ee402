"""``deleteLater`` as in a running application.

A test calls the panel outside any event loop, and there Qt would delete such an object as soon as
a message box begins to wait, the box itself included. In Slicer everything is called from the
application's event loop, and the object stays until that gets control again. For a test that is
when it lets the host run events.
"""

from __future__ import annotations

import shiboken6
from PySide6 import QtCore

_waiting: list[QtCore.QObject] = []
_delete_later = QtCore.QObject.deleteLater


def wait() -> None:
    """Let ``deleteLater`` outside an event loop wait for ``carry_out``."""

    def delete_later(self: QtCore.QObject) -> None:
        if QtCore.QThread.currentThread().loopLevel() > 0:
            _delete_later(self)
        else:
            _waiting.append(self)

    QtCore.QObject.deleteLater = delete_later


def carry_out() -> None:
    """Delete what is waiting to be deleted."""
    while _waiting:
        gone = _waiting.pop()
        if shiboken6.isValid(gone):
            _delete_later(gone)
    QtCore.QCoreApplication.sendPostedEvents(None, QtCore.QEvent.DeferredDelete)
