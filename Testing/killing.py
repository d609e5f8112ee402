"""Kills a process at work: for the scripts that tests run as processes of their own.

Loaded by path (``runpy``), since those scripts see the library alone.
"""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable, Iterator


def killed(work: Callable[[], Iterator[str]], delay: float, wait: bool = False) -> list[str]:
    """Kill a child that does ``work`` some seconds after its start; return what it reported.

    With ``wait``, the seconds count from its first report.
    """
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            os.write(writing, b"started\n")
            for reported in work():
                os.write(writing, f"{reported}\n".encode())
        finally:
            os._exit(1)  # nothing below may happen twice
    os.close(writing)
    with os.fdopen(reading) as pipe:
        assert pipe.readline() == "started\n"
        first = pipe.readline().split() if wait else []
        time.sleep(delay)
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
        return first + pipe.read().split()
