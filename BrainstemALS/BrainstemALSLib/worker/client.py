"""A worker for scripts, tests and batches: calls that wait for their answer."""

from __future__ import annotations

import os
import queue
import subprocess
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np

from ..imaging.dwi import Dwi
from ..imaging.finding import Finding
from ..imaging.volume import Volume
from ..measurement import Measures
from .launch import IDLE_SECONDS, worker_command
from .outcome import Outcome
from .process_tree import kill_tree
from .requests import (
    measure_params,
    predict_params,
    remove_inputs,
    segment_params,
    write_correction,
    write_exam,
)
from .session import GRACE_SECONDS, START_SECONDS, Answer, State, WorkerSession
from .temporary import SessionFolder

Progress = Callable[[str, float, str], None]

_LOOK_SECONDS = 0.05  # how often it is looked whether somebody cancelled
_LEAVE_SECONDS = 2.0  # how long a worker may take to say goodbye


class WorkerCancelled(Exception):  # noqa: N818 - it is what was wished for, no error
    """The request was cancelled."""


class WorkerClient:
    """A worker process, started with the first request and again whenever it has ended.

    Not for several threads at a time. A ``with`` block, or ``close``, ends the process and removes
    the temporary files, the probabilities of all outcomes among them.

    Parameters
    ----------
    python : str, optional
        Interpreter, see ``launch.worker_command``.
    idle_seconds : float
        The process ends after so long without a request.
    log_dir : str or Path, optional
        Folder of the worker's log.
    temporary : str or Path, optional
        Where to make the folder of temporary files.
    """

    def __init__(
        self,
        python: str | None = None,
        idle_seconds: float = IDLE_SECONDS,
        log_dir: str | Path | None = None,
        temporary: str | Path | None = None,
    ):
        self._command = worker_command(python, idle_seconds, log_dir)
        self.folder = SessionFolder(temporary)
        self._process: subprocess.Popen[bytes] | None = None
        self._pieces: queue.Queue[bytes | None] = queue.Queue()
        self._progress: Progress = _silent
        self._ending: Callable[[], Answer] | None = None
        self.session = WorkerSession(
            on_progress=lambda *told: self._progress(*told),
            on_result=lambda answer: self._end_with(lambda: answer),
            on_error=lambda refusal: self._end_with(lambda: _raise(refusal)),
            on_cancelled=lambda: self._end_with(lambda: _raise(WorkerCancelled())),
        )

    def segment(
        self,
        t1: Volume,
        fa: Volume | None = None,
        md: Volume | None = None,
        tensors: Volume | None = None,
        dwi: Dwi | None = None,
        *,
        device: str = "auto",
        flip: bool = True,
        model_dir: str | Path | None = None,
        findings: Sequence[Finding] = (),
        progress: Progress | None = None,
        cancel: threading.Event | None = None,
    ) -> Outcome:
        """Segment and measure one exam.

        Parameters
        ----------
        t1, fa, md, tensors, dwi, device, flip, model_dir, findings
            See ``requests.segment_params``.
        progress : callable, optional
            Called with stage, fraction 0-1 and text.
        cancel : threading.Event, optional
            Set by another thread to cancel.

        Raises
        ------
        BrainstemALSError
            What the pipeline refuses, or what became of the process.
        WorkerCancelled
            ``cancel`` was set.
        """
        job = self.folder.job()
        images = (t1, fa, md, tensors, dwi)
        params = segment_params(
            job, *images, device=device, flip=flip, model_dir=model_dir, findings=findings
        )
        try:
            for _ in write_exam(job, *images):
                if cancel is not None and cancel.is_set():
                    raise WorkerCancelled
            return self._ask("segment", params, progress, cancel)
        finally:
            remove_inputs(job)

    def measure(
        self,
        outcome: Outcome,
        labels: np.ndarray,
        offset: tuple[int, int, int] | None = None,
        *,
        progress: Progress | None = None,
        cancel: threading.Event | None = None,
    ) -> Measures:
        """Measure again after an expert's correction.

        Parameters
        ----------
        outcome : Outcome
            What was corrected.
        labels : numpy.ndarray, shape (i, j, k)
            uint8, the expert's, on a box of the T1 grid; outside the box nothing is labelled.
        offset : tuple of 3 int, optional
            First voxel of that box; the outcome's when left out.
        progress, cancel
            As for ``segment``.

        Raises
        ------
        BrainstemALSError, WorkerCancelled
            As ``segment``.
        """
        job = self.folder.job()
        for _ in write_correction(job, outcome, labels):
            pass
        return self._ask("measure", measure_params(job, outcome, offset), progress, cancel)

    def predict(
        self, person: dict[str, Any], measures: Measures | None, prior: float | None = None
    ) -> dict[str, Any]:
        """Predict from what is known of a person; see ``requests.predict_params``.

        Returns
        -------
        dict
            As ``predicting.Predicting.run``.

        Raises
        ------
        BrainstemALSError
            A record that cannot be, or what became of the process.
        """
        params = predict_params(self.folder.job(), person, measures, prior)
        return self._ask("predict", params, None, None)

    def ping(self) -> None:
        """Return once the worker answers; starts it where it does not run.

        Raises
        ------
        BrainstemALSError
            It could not be started.
        """
        self._ask("ping", {}, None, None)

    def close(self) -> None:
        """End the process and remove the temporary files; the client can not be used again."""
        if self._process is not None:
            self._write(self.session.shutdown())
            with suppress(subprocess.TimeoutExpired):
                self._process.wait(_LEAVE_SECONDS)
            self._kill()
        self.folder.close()

    def __enter__(self) -> WorkerClient:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    def _ask(
        self,
        command: str,
        params: dict[str, Any],
        progress: Progress | None,
        cancel: threading.Event | None,
    ) -> Answer:
        self._ending, self._progress = None, progress or _silent
        self._take_what_came()
        if self.session.state is State.DEAD:
            self._start()
        self._write(self.session.request(command, params))
        kill_at = time.monotonic() + START_SECONDS
        try:
            while self._ending is None:
                if cancel is not None and cancel.is_set() and (line := self.session.cancel()):
                    self._write(line)
                    kill_at = time.monotonic() + GRACE_SECONDS
                late = self.session.state in (State.STARTING, State.CANCELLING)
                if late and time.monotonic() > kill_at:
                    self._kill()
                self._take_what_came(_LOOK_SECONDS)
        except BaseException:  # Ctrl-C, or a progress that failed: nobody waits for the answer
            self.session.cancel()
            self._kill()
            raise
        return self._ending()

    def _end_with(self, ending: Callable[[], Answer]) -> None:
        self._ending = ending

    def _start(self) -> None:
        self._pieces = queue.Queue()
        program, arguments = self._command
        self.session.process_started()
        try:
            self._process = subprocess.Popen(
                [program, *arguments],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                creationflags=subprocess.CREATE_NO_WINDOW if os.name == "nt" else 0,
            )
        except OSError:
            self._process = None
            self._pieces.put(None)
        else:
            reader = threading.Thread(
                target=_read, args=(self._process.stdout, self._pieces), daemon=True
            )
            reader.start()

    def _write(self, line: bytes) -> None:
        if self._process is not None and line:
            with suppress(OSError):  # it has ended: the end of its output will say so
                self._process.stdin.write(line)
                self._process.stdin.flush()

    def _take_what_came(self, seconds: float = 0.0) -> None:
        """Take what the worker wrote, waiting for it a while."""
        try:
            piece = self._pieces.get(timeout=seconds) if seconds else self._pieces.get_nowait()
            while True:
                if piece is None:
                    self._process_ended()
                else:
                    self.session.feed(piece)
                piece = self._pieces.get_nowait()
        except queue.Empty:
            return

    def _process_ended(self) -> None:
        process, self._process = self._process, None
        code = None
        if process is not None:
            code = process.wait()
            with suppress(OSError):
                process.stdin.close()
        if again := self.session.process_ended(code):
            self._start()
            self._write(again)

    def _kill(self) -> None:
        process = self._process
        if process is None:
            return
        if process.poll() is None:
            for pid in self.session.pids(process.pid):
                kill_tree(pid)
        while self._process is not None:  # until the end of what it had written
            self._take_what_came(_LOOK_SECONDS)


def _read(stream: Any, pieces: queue.Queue[bytes | None]) -> None:
    with stream:
        while piece := os.read(stream.fileno(), 1 << 16):
            pieces.put(piece)
    pieces.put(None)


def _raise(problem: BaseException) -> Answer:
    raise problem


def _silent(stage: str, fraction: float, text: str) -> None:
    """Progress that nobody watches."""
