"""Runs a command, hands on its lines as they come, and can be stopped with all its children."""

from __future__ import annotations

import os
import queue
import subprocess
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from ..worker.process_tree import kill_tree

NO_WINDOW = getattr(subprocess, "CREATE_NO_WINDOW", 0)
"""Keeps Windows from opening a console for every command."""
_PAUSE = 0.1  # seconds between looks at the cancel flag


@dataclass(frozen=True)
class Outcome:
    """How a command ended.

    Attributes
    ----------
    code : int
        Exit code.
    output : str
        What it wrote to stdout.
    messages : str
        What it wrote to stderr.
    cancelled : bool
        Whether it was stopped on request.
    """

    code: int
    output: str
    messages: str
    cancelled: bool = False


def run(
    program: str,
    arguments: Sequence[str],
    environment: Mapping[str, str] | None = None,
    line: Callable[[str], None] | None = None,
    cancel: threading.Event | None = None,
) -> Outcome:
    """Run a command to its end, or until it is cancelled.

    Parameters
    ----------
    program, arguments : str, sequence of str
    environment : mapping, optional
        Variables beside those of this process.
    line : callable, optional
        Called in this thread with every line of stdout and stderr, without its end.
    cancel : threading.Event, optional
        Once set, the command and its children are killed.

    Raises
    ------
    OSError
        The program cannot be started.
    """
    process = subprocess.Popen(
        [program, *arguments],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        encoding="utf-8",
        errors="replace",
        env={**os.environ, **(environment or {})},
        creationflags=NO_WINDOW,
        start_new_session=os.name == "posix",
    )
    arrived: queue.Queue[tuple[int, str | None]] = queue.Queue()
    readers = [
        threading.Thread(target=_read, args=(number, stream, arrived), daemon=True)
        for number, stream in enumerate((process.stdout, process.stderr))
    ]
    for reader in readers:
        reader.start()
    texts: tuple[list[str], list[str]] = ([], [])
    open_streams, cancelled = 2, False
    while open_streams:
        if cancel is not None and cancel.is_set() and not cancelled:
            cancelled = True
            kill_tree(process.pid)  # PythonSlicer is a launcher: what works is its child
        try:
            number, text = arrived.get(timeout=_PAUSE)
        except queue.Empty:
            continue
        if text is None:
            open_streams -= 1
            continue
        texts[number].append(text)
        if line is not None:
            line(text.rstrip("\r\n"))
    code = process.wait()
    for reader, stream in zip(readers, (process.stdout, process.stderr), strict=True):
        reader.join()
        stream.close()
    return Outcome(code, "".join(texts[0]), "".join(texts[1]), cancelled)


def _read(number: int, stream, arrived: queue.Queue) -> None:
    for text in stream:
        arrived.put((number, text))
    arrived.put((number, None))
