"""What a client knows of its worker: state, pending request, and what the events mean.

No input or output happens here, so that the same code serves a subprocess and a QProcess. The
driver owns the process and does five things::

    session = WorkerSession(on_progress=..., on_result=..., on_error=..., on_cancelled=...)

    def ask(command, params):                 # nothing may be pending: session.is_free
        if session.state is State.DEAD:
            start_the_process()               # launch.worker_command; stderr to the null device
            session.process_started()
        write(session.request(command, params))

    when the process has written:             # readyReadStandardOutput
        session.feed(bytes_it_wrote)

    when the process has ended:               # finished, errorOccurred(FailedToStart); feed the
        again = session.process_ended(code)   # rest of its output first
        if again:                             # it had fallen asleep over the request: ask anew
            start_the_process()
            session.process_started()
            write(again)

    when the user cancels:
        write(session.cancel())               # then, GRACE_SECONDS later:
        if session.state is State.CANCELLING:
            for pid in session.pids(pid_of_the_process):
                kill_tree(pid)                # the end of the process brings on_cancelled

    when the application quits:
        write(session.shutdown())             # and kill what is still there a second later

Errors of ``write`` may be passed over: a process that takes nothing has ended, or is about to, and
``process_ended`` tells what that means. A process that does not say ``ready`` within START_SECONDS
should be killed; that too is reported by ``process_ended``.

For each request exactly one of ``on_result``, ``on_error`` and ``on_cancelled`` is called. By then
the session is free, so that the callback may ask for the next thing.

========== =============================================================== ===================
state      meaning                                                         left by
========== =============================================================== ===================
DEAD       no process, never started or ended                              process_started
STARTING   the process runs and has not said ``ready``; a request may wait ready, cancel
IDLE       ready, nothing to do                                            request
BUSY       a request is pending                                            answer, cancel
CANCELLING cancellation was asked for and not yet answered                 answer
========== =============================================================== ===================

From every state the end of the process leads to DEAD.
"""

from __future__ import annotations

from collections.abc import Callable
from enum import Enum
from itertools import count
from typing import Any

from ..errors import BrainstemALSError, ExitCode
from ..measurement import Measures
from ..measurement.records import measures_from_record
from .outcome import Outcome, outcome_from_data
from .protocol import Event, LineDecoder, Request, error_from_data

GRACE_SECONDS = 1.5
"""How long a cancelled worker may take to come back by itself, before it is killed."""
START_SECONDS = 60.0
"""How long a worker may take to say ``ready``: a second usually, more under a virus scanner."""

Answer = Outcome | Measures | dict[str, Any]
"""Of ``segment``, of ``measure``, of ``ping``."""


class State(Enum):
    """What the worker is doing, as far as its client knows."""

    DEAD = "dead"
    STARTING = "starting"
    IDLE = "idle"
    BUSY = "busy"
    CANCELLING = "cancelling"


class WorkerSession:
    """The client's side of the conversation with one worker after another.

    Parameters
    ----------
    on_progress : callable
        Called with stage, fraction 0-1 and text.
    on_result : callable
        Called with an ``Outcome`` (of ``segment``), ``Measures`` (of ``measure``) or a dict.
    on_error : callable
        Called with a ``BrainstemALSError``, also when the process ends with a request pending.
    on_cancelled : callable
        Called without arguments.
    on_state : callable, optional
        Called with the new ``State`` whenever it changes, before the other callbacks.

    Attributes
    ----------
    state : State
    pid : int or None
        Process that computes, known from ``ready`` on. It may be another one than the process that
        was started, which may be a launcher.
    """

    def __init__(
        self,
        on_progress: Callable[[str, float, str], None],
        on_result: Callable[[Answer], None],
        on_error: Callable[[BrainstemALSError], None],
        on_cancelled: Callable[[], None],
        on_state: Callable[[State], None] | None = None,
    ):
        self._on_progress, self._on_result = on_progress, on_result
        self._on_error, self._on_cancelled = on_error, on_cancelled
        self._on_state = on_state or (lambda state: None)
        self._numbers = count(1)
        self._pending: Request | None = None
        self._decoder = LineDecoder()
        self._fell_asleep = False
        self.state = State.DEAD
        self.pid: int | None = None

    @property
    def is_free(self) -> bool:
        """Whether a request may be made: none is pending."""
        return self._pending is None

    def pids(self, started: int | None) -> tuple[int, ...]:
        """Return what to kill: the process that computes, and the one that was started."""
        return tuple({pid for pid in (self.pid, started) if pid})

    def process_started(self) -> None:
        """Take note of a new process; RuntimeError while there is one."""
        if self.state is not State.DEAD:
            raise RuntimeError("there is a process already")
        self._decoder, self._fell_asleep, self.pid = LineDecoder(), False, None
        self._become(State.STARTING)

    def request(self, command: str, params: dict[str, Any] | None = None) -> bytes:
        """Return what to write to ask for something; it may be written before ``ready``.

        Parameters
        ----------
        command : str
            ``segment``, ``measure`` or ``ping``.
        params : dict
            From ``requests``.

        Raises
        ------
        RuntimeError
            There is no process, or a request is pending.
        """
        if self.state is State.DEAD or not self.is_free:
            raise RuntimeError("a request needs a process with nothing to do")
        self._pending = Request(str(next(self._numbers)), command, params or {})
        if self.state is State.IDLE:
            self._become(State.BUSY)
        return self._pending.encode()

    def cancel(self) -> bytes:
        """Return what to write to cancel the pending request; nothing where none is."""
        if self._pending is None or self.state is State.CANCELLING:
            return b""
        self._become(State.CANCELLING)
        return Request(self._pending.id, "cancel").encode()

    def shutdown(self) -> bytes:
        """Return what to write to end the worker, whatever it does; nothing where there is none.

        What is pending ends as cancelled once the process is gone.
        """
        if self.state is State.DEAD:
            return b""
        if self._pending is not None:
            self._become(State.CANCELLING)
        return Request("shutdown", "shutdown").encode()

    def feed(self, piece: bytes) -> None:
        """Take what the process wrote to stdout, in pieces of any size; calls the callbacks."""
        for event in self._decoder.feed(piece):
            self._take(event)

    def process_ended(self, exit_code: int | None = None) -> bytes:
        """Take note of the end of the process.

        Parameters
        ----------
        exit_code : int, optional
            For the message; negative for a signal, as ``subprocess`` has it. None for a process
            that could not be started.

        Returns
        -------
        bytes
            Empty, but for a worker that ended for want of work while a request was on its way to
            it: then start another, call ``process_started``, and write this.
        """
        if self.state is State.DEAD:
            return b""
        cancelling, starting = self.state is State.CANCELLING, self.state is State.STARTING
        ask_anew = self._fell_asleep and not cancelling
        request = self._pending
        if not ask_anew:
            self._pending = None
        self.pid = None
        self._become(State.DEAD)
        if request is None:
            return b""
        if ask_anew:
            return request.encode()
        if cancelling:
            self._on_cancelled()
        else:
            self._on_error(_ended_early(starting, exit_code))
        return b""

    def _take(self, event: Event) -> None:
        if event.kind == "ready":
            self.pid = event.data.get("pid")
            if self.state is State.STARTING:
                self._become(State.IDLE if self.is_free else State.BUSY)
        elif event.kind == "bye":
            self._fell_asleep = event.data.get("reason") == "idle"
        elif self._pending is not None and event.id in (self._pending.id, None):
            self._take_answer(event)

    def _take_answer(self, event: Event) -> None:
        cancelling = self.state is State.CANCELLING
        if event.kind == "progress":
            if not cancelling:
                data = event.data
                self._on_progress(data["stage"], float(data["fraction"]), data["text"])
            return
        request, self._pending = self._pending, None
        self._become(State.IDLE)
        if cancelling or event.kind == "cancelled":  # what came instead is not wanted any more
            self._on_cancelled()
        elif event.kind == "error":
            self._on_error(error_from_data(event.data))
        else:
            try:
                answer = _decoded(request, event.data)
            except BrainstemALSError as refusal:
                self._on_error(refusal)
            else:
                self._on_result(answer)

    def _become(self, state: State) -> None:
        if state is not self.state:
            self.state = state
            self._on_state(state)


def _decoded(request: Request, data: dict[str, Any]) -> Answer:
    if request.command == "segment":
        return outcome_from_data(request.params["folder"], data)
    if request.command == "measure":
        return measures_from_record(data["measures"])
    return data


def _ended_early(starting: bool, exit_code: int | None) -> BrainstemALSError:
    told = "" if exit_code is None else f" (exit code {exit_code})"
    if starting:
        return BrainstemALSError(
            "worker",
            f"the process that computes could not be started{told}",
            "Install the module's packages again, and check that no security program stops "
            "Slicer's Python.",
            ExitCode.MISSING_PACKAGE,
        )
    return BrainstemALSError(
        "worker",
        f"the process that computes stopped unexpectedly{told}",
        "Try again; if it happens again, close other programs, because memory may have run out, "
        "or choose the CPU.",
        ExitCode.UNEXPECTED,
    )
