"""The worker: reads requests on stdin, computes, writes events on stdout.

Two threads share the work. The main one computes, a request at a time. The other one reads stdin
and never computes, so that a cancellation, a ping and the death of the parent (the end of stdin)
are noticed in the middle of a computation.
"""

from __future__ import annotations

import argparse
import os
import queue
import sys
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from logging import Logger
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

from .. import __version__
from .failures import refusal_of
from .launch import IDLE_SECONDS
from .log import open_log, where
from .protocol import Event, LineSplitter, Request, RequestError, decode_request, error_data

if TYPE_CHECKING:
    from .commands import Commands

_PIECE_BYTES = 1 << 16
_NICENESS = 5  # the window of the program that asked comes first


class _CancelledError(BaseException):
    """The request was cancelled. Not an Exception: nothing on the way may take it for one."""


@dataclass
class _Job:
    """A request that waits or runs."""

    request: Request
    cancelled: threading.Event = field(default_factory=threading.Event)


class Server:
    """Answers requests until it is told to stop, has nothing to do, or its parent dies.

    Parameters
    ----------
    requests, events : int
        File descriptors to read requests from and to write events to.
    log : logging.Logger
    idle_seconds : float
        Time without a request after which it ends.
    commands : callable, optional
        Makes what carries out requests; ``commands.Commands`` where left out.
    """

    def __init__(
        self,
        requests: int,
        events: int,
        log: Logger,
        idle_seconds: float,
        commands: Callable[[], Any] | None = None,
    ):
        self._requests, self._events = requests, events
        self._log, self._idle_seconds = log, idle_seconds
        self._make_commands = commands
        self._writing = threading.Lock()
        self._waiting: queue.Queue[_Job | None] = queue.Queue()  # None: somebody is there
        self._jobs: dict[str, _Job] = {}
        self._commands: Commands | None = None

    def serve(self) -> NoReturn:
        """Serve until the end of the process."""
        self._emit(Event(None, "ready", {"version": __version__, "pid": os.getpid()}))
        self._log.info("ready, version %s", __version__)
        threading.Thread(target=self._listen, daemon=True).start()  # no answer before "ready"
        while True:
            try:
                job = self._waiting.get(timeout=self._idle_seconds)
            except queue.Empty:
                self._end("idle")
            if job is not None:
                self._answer(job)
                self._jobs.pop(job.request.id, None)

    def _listen(self) -> None:
        lines = LineSplitter()
        # os.read and not a buffered file: its lock would be held when the process ends.
        while piece := os.read(self._requests, _PIECE_BYTES):
            for line in lines.feed(piece):
                try:
                    self._take(decode_request(line))
                except RequestError as refusal:
                    self._log.info("request not understood")
                    self._emit(Event(refusal.id, "error", error_data(refusal)))
        self._log.info("the parent is gone")
        _exit()

    def _take(self, request: Request) -> None:
        if request.command == "shutdown":
            self._end("shutdown")
        elif request.command == "cancel":
            job = self._jobs.get(request.id)
            if job is not None:  # else it was faster
                job.cancelled.set()
        elif request.command == "ping":
            self._waiting.put(None)
            self._emit(Event(request.id, "result"))
        else:
            job = self._jobs[request.id] = _Job(request)
            self._waiting.put(job)

    def _answer(self, job: _Job) -> None:
        request, started = job.request, time.monotonic()
        self._log.info("%s: started", request.command)
        try:
            data = self._run(job)
        except _CancelledError:
            event, ending = Event(request.id, "cancelled"), "cancelled"
        except BaseException as problem:
            refusal = refusal_of(problem)
            event = Event(request.id, "error", error_data(refusal))
            ending = f"exit code {int(refusal.code)}, {where(problem)}"
        else:
            event, ending = Event(request.id, "result", data), "done"
        self._emit(event)
        seconds = time.monotonic() - started
        self._log.info("%s: %s after %.2f s", request.command, ending, seconds)

    def _run(self, job: _Job) -> dict[str, Any]:
        if self._commands is None and self._make_commands is not None:
            self._commands = self._make_commands()
        if self._commands is None:
            from .commands import Commands  # needs packages that may be missing

            self._commands = Commands()
        furthest = 0.0

        def progress(stage: str, fraction: float, text: str) -> None:
            nonlocal furthest
            if job.cancelled.is_set():
                raise _CancelledError
            furthest = max(furthest, min(fraction, 1.0))  # a second try begins anew
            data = {"stage": stage, "fraction": round(furthest, 4), "text": text}
            self._log.info("%s: %s", job.request.command, stage)
            self._emit(Event(job.request.id, "progress", data))

        return self._commands.run(job.request.command, job.request.params, progress)

    def _emit(self, event: Event) -> None:
        line = event.encode()
        with self._writing:
            try:
                while line:
                    line = line[os.write(self._events, line) :]
            except OSError:
                self._log.info("nobody reads any more")
                _exit()

    def _end(self, reason: str) -> NoReturn:
        self._log.info("bye: %s", reason)
        self._emit(Event(None, "bye", {"reason": reason}))
        _exit()


def main(
    arguments: Sequence[str] | None = None, commands: Callable[[], Any] | None = None
) -> NoReturn:
    """Run a worker on the stdin and stdout of this process; ``commands`` as for ``Server``."""
    parser = argparse.ArgumentParser(prog="BrainstemALS worker")
    parser.add_argument("--idle-seconds", type=float, default=IDLE_SECONDS)
    parser.add_argument("--log-dir", type=Path)
    options = parser.parse_args(arguments)
    requests, events = _private_streams()
    with suppress(AttributeError, OSError):  # no Windows; or a leader already
        os.setsid()  # so that it can be killed with all that it may start
    with suppress(AttributeError, OSError):
        os.nice(_NICENESS)
    log = open_log(options.log_dir)
    Server(requests, events, log, options.idle_seconds, commands).serve()


def _private_streams() -> tuple[int, int]:
    """Keep stdin and stdout for the protocol: whatever a library prints goes to stderr."""
    sys.stdout.flush()
    requests, events = os.dup(0), os.dup(1)
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.close(nothing)
    os.dup2(2, 1)
    sys.stdout = sys.stderr
    return requests, events


def _exit() -> NoReturn:
    # Without waiting for threads: one of them may be in the middle of a computation.
    os._exit(0)
