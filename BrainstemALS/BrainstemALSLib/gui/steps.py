"""Long work in short steps between the events of the window."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator

import qt

SLICE_S = 0.02
"""After so long the window gets its turn (our choice: half of what the eye notices)."""


class Steps:
    """Runs an iterator step by step from a timer; Python threads would not run in Slicer, where
    the interpreter rests while Qt waits for events.

    Parameters
    ----------
    finished : callable
        Called after the last step.
    failed : callable
        Gets the exception that a step raised; there are no more steps then.
    progress : callable, optional
        Gets what a step yields.
    slice_s : float
        Seconds after which the window gets its turn; 0 for after each step.
    """

    def __init__(
        self,
        finished: Callable[[], None],
        failed: Callable[[Exception], None],
        progress: Callable[[float], None] | None = None,
        slice_s: float = SLICE_S,
    ):
        self._slice_s = slice_s
        self._finished, self._failed, self._progress = finished, failed, progress
        self._iterator: Iterator[float] | None = None
        self._timer = qt.QTimer()
        self._timer.setInterval(0)
        self._timer.timeout.connect(self._turn)

    @property
    def running(self) -> bool:
        """Whether steps are left."""
        return self._iterator is not None

    def start(self, iterator: Iterator[float]) -> None:
        """Begin; what ran before is dropped."""
        self._iterator = iterator
        self._timer.start()

    def stop(self) -> None:
        """Drop the steps that are left."""
        self._timer.stop()
        self._iterator = None

    def _turn(self) -> None:
        end = time.perf_counter() + self._slice_s
        iterator = self._iterator
        try:
            while self._iterator is iterator and iterator is not None:
                fraction = next(iterator)
                if self._progress is not None:
                    self._progress(fraction)
                if time.perf_counter() >= end:
                    return
        except StopIteration:
            self.stop()
            self._finished()
        except Exception as problem:
            self.stop()
            self._failed(problem)
