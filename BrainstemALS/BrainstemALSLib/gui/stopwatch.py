"""Time that an expert spends on a segmentation, told by the edits."""

from __future__ import annotations

import time
from collections.abc import Callable

LONGEST_PAUSE_S = 60.0
"""Between two edits longer pauses count as this much (our choice): looking at the images is work,
lunch is not."""


class Stopwatch:
    """Adds up the time between edits.

    Parameters
    ----------
    clock : callable
        Seconds that never run backwards.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic):
        self._clock = clock
        self._last: float | None = None

    def start(self) -> None:
        """Begin to count now: a result is shown, or the panel comes into view."""
        self._last = self._clock()

    def stop(self) -> None:
        """Count no more until ``start``."""
        self._last = None

    def edited(self) -> float:
        """Return the seconds (0-60) that an edit adds; 0 while stopped."""
        if self._last is None:
            return 0.0
        now = self._clock()
        spent, self._last = min(now - self._last, LONGEST_PAUSE_S), now
        return spent
