"""How long the GUI was blocked, measured by a timer that wants to beat."""

from __future__ import annotations

import time

from PySide6 import QtCore


class Heartbeat:
    """Beats on the GUI's event loop.

    Attributes
    ----------
    longest : float
        Longest time between two beats, in seconds. Time in which a test itself doesn't run the
        event loop counts as blocked: keep within ``Host.wait_until``.
    beats : int
    """

    def __init__(self, interval_ms: int):
        self.longest = 0.0
        self.beats = 0
        self._last = time.perf_counter()
        self._timer = QtCore.QTimer()
        self._timer.setTimerType(QtCore.Qt.PreciseTimer)
        self._timer.timeout.connect(self._beat)
        self._timer.start(interval_ms)

    def _beat(self) -> None:
        now = time.perf_counter()
        self.longest = max(self.longest, now - self._last)
        self._last = now
        self.beats += 1

    def stop(self) -> None:
        """Count the time since the last beat, and beat no more."""
        self._beat()
        self._timer.stop()
