"""One function that waits for a disk, beside the window."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from typing import Any

from .steps import Steps

_LEND_S = 0.01


class Background:
    """Runs a function in a thread while the window stays alive.

    Slicer's Python rests while Qt waits for events, and its threads with it; so the interpreter is
    lent to the thread for some milliseconds between events. The function must not touch Qt, MRML
    or VTK.
    """

    def __init__(self) -> None:
        self._thread: threading.Thread | None = None
        self._steps: Steps | None = None
        self._done: Callable[[], None] | None = None

    @property
    def running(self) -> bool:
        """Whether the function has not returned yet."""
        return self._steps is not None and self._steps.running

    def start(
        self,
        function: Callable[[], Any],
        finished: Callable[[Any], None],
        failed: Callable[[Exception], None],
    ) -> None:
        """Begin.

        Parameters
        ----------
        function : callable
            Runs in the thread.
        finished : callable
            Gets what it returned, in the GUI thread.
        failed : callable
            Gets the exception that it raised, in the GUI thread.
        """
        outcome: list[Any] = []
        problem: list[Exception] = []

        def work() -> None:
            try:
                outcome.append(function())
            except Exception as raised:
                problem.append(raised)

        def done() -> None:
            if problem:
                failed(problem[0])
            else:
                finished(outcome[0])

        self._done = done
        self._thread = threading.Thread(target=work, name="BrainstemALS", daemon=False)
        self._steps = Steps(done, failed, slice_s=0.0)
        self._thread.start()
        self._steps.start(_lend(self._thread))

    def close(self) -> None:
        """Block until the function has returned, and tell its outcome if nobody was told yet."""
        if self.running:
            self._steps.stop()
            self._thread.join()
            self._done()


def _lend(thread: threading.Thread) -> Iterator[float]:
    while thread.is_alive():
        thread.join(_LEND_S)
        yield 0.0
