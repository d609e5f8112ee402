"""The worker of this Slicer, behind a QProcess: nothing here waits."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import qt

from ..errors import BrainstemALSError
from ..worker.launch import worker_command
from ..worker.process_tree import kill_tree
from ..worker.session import GRACE_SECONDS, START_SECONDS, Answer, State, WorkerSession

_GOODBYE_MS = 1000


class WorkerProcess:
    """Sends one request at a time to a worker that is started when it is needed.

    Parameters
    ----------
    on_progress, on_result, on_error, on_cancelled : callable
        See ``worker.session.WorkerSession``.
    log_dir : Path
        Folder of the worker's log.
    python : str, optional
        Interpreter; PythonSlicer when left out.
    command : (str, list of str), optional
        Program and arguments of another worker than the one that segments.
    grace_s : float
        How long it may take to stop after a cancellation before it is killed.
    """

    def __init__(
        self,
        on_progress: Callable[[str, float, str], None],
        on_result: Callable[[Answer], None],
        on_error: Callable[[BrainstemALSError], None],
        on_cancelled: Callable[[], None],
        log_dir: Path,
        python: str | None = None,
        command: tuple[str, list[str]] | None = None,
        grace_s: float = GRACE_SECONDS,
    ):
        self._command = command or worker_command(python, log_dir=log_dir)
        self._grace_s = grace_s
        self._process: object | None = None
        self.session = WorkerSession(on_progress, on_result, on_error, on_cancelled, self._state)
        self._killer = qt.QTimer()
        self._killer.setSingleShot(True)
        self._killer.timeout.connect(self.kill)

    def ask(self, command: str, params: dict) -> None:
        """Send a request; RuntimeError while another is pending."""
        if self.session.state is State.DEAD:
            self._start()
        self._write(self.session.request(command, params))

    def cancel(self) -> None:
        """Ask the worker to stop what it does, and kill it if it does not within the grace time."""
        self._write(self.session.cancel())
        if self.session.state is State.CANCELLING:
            self._killer.start(int(self._grace_s * 1000))

    def kill(self) -> None:
        """End the process with all it has started, now."""
        if self._process is not None:
            for pid in self.session.pids(int(self._process.processId())):
                kill_tree(pid)

    def close(self) -> None:
        """End the process when Slicer ends or the module is reloaded; waits a second at most."""
        process = self._process
        if process is None:
            return
        self._write(self.session.shutdown())
        if not process.waitForFinished(_GOODBYE_MS):
            self.kill()
            process.waitForFinished(_GOODBYE_MS)
        self._ended(process)

    def _start(self) -> None:
        program, arguments = self._command
        process = qt.QProcess()
        process.setStandardErrorFile(qt.QProcess.nullDevice())
        process.readyReadStandardOutput.connect(lambda: self._read(process))
        process.finished.connect(lambda *_: self._ended(process))
        process.errorOccurred.connect(lambda error: self._failed(process, error))
        self._process = process
        self.session.process_started()
        self._killer.start(int(START_SECONDS * 1000))
        process.start(program, arguments)

    def _state(self, state: State) -> None:
        # Only a start and a cancellation have a time limit.
        if state not in (State.STARTING, State.CANCELLING):
            self._killer.stop()

    def _write(self, line: bytes) -> None:
        if line and self._process is not None:
            self._process.write(line)

    def _read(self, process: object) -> None:
        self.session.feed(bytes(process.readAllStandardOutput().data()))

    def _failed(self, process: object, error: int) -> None:
        # Any other failure is followed by finished.
        if error == qt.QProcess.FailedToStart:
            self._ended(process, started=False)

    def _ended(self, process: object, started: bool = True) -> None:
        if process is not self._process:
            return  # of an earlier process, or told already
        if started:
            self._read(process)
        self._process = None
        again = self.session.process_ended(int(process.exitCode()) if started else None)
        process.deleteLater()
        if again:
            self._start()
            self._write(again)
