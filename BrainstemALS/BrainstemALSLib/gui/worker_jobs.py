"""Jobs for the worker: the arrays are handed over in steps, then it is asked, then it answers."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from ..errors import BrainstemALSError
from ..worker.failures import refusal_of
from ..worker.session import Answer
from ..worker.temporary import SessionFolder
from .steps import Steps
from .worker_process import WorkerProcess

_HANDOVER = 0.05
"""Fraction of a job that its arrays take on their way (from timings at 1 mm)."""


@dataclass(frozen=True)
class Job:
    """Something for the worker to do.

    Attributes
    ----------
    command, params
        As ``worker.requests`` makes them.
    arrays : iterator of float
        Writes the arrays, a few milliseconds a step.
    finished, failed, cancelled, progress : callable
        One of the first three is called, once. ``progress`` gets fraction 0-1 and text.
    """

    command: str
    params: dict
    arrays: Iterator[float]
    finished: Callable[[Answer], None]
    failed: Callable[[BrainstemALSError], None]
    cancelled: Callable[[], None]
    progress: Callable[[float, str], None] = lambda _fraction, _text: None


class WorkerJobs:
    """Runs one job at a time.

    Parameters
    ----------
    log_dir : Path
        Folder of the worker's log.
    python : str, optional
        Interpreter; PythonSlicer when left out.
    """

    def __init__(self, log_dir: Path, python: str | None = None):
        self._job: Job | None = None
        self._folder: SessionFolder | None = None
        self._steps = Steps(self._ask, self._broken)
        self.process = WorkerProcess(
            self._progress, self._finished, self._failed, self._cancelled, log_dir, python
        )

    @property
    def running(self) -> Job | None:
        """The job that runs; None when there is none."""
        return self._job

    def new_folder(self) -> Path:
        """Return a new empty folder for the arrays of a job; it goes with the session.

        Raises
        ------
        BrainstemALSError
            OUTPUT_REFUSED: the disk of the temporary files takes no more.
        """
        if self._folder is None:
            self._folder = SessionFolder()
        return self._folder.job()

    def start(self, job: Job) -> None:
        """Begin a job; RuntimeError while another runs."""
        if self._job is not None:
            raise RuntimeError("a job is running")
        self._job = job
        self._steps.start(job.arrays)

    def cancel(self) -> None:
        """Stop the job; ``cancelled`` is called when it has stopped."""
        if self._job is None:
            return
        if self._steps.running:
            self._job.arrays.close()
            self._steps.stop()
            self._cancelled()
        else:
            self.process.cancel()

    def close(self) -> None:
        """Stop everything and remove the temporary files; nobody is called any more."""
        if self._steps.running:
            self._job.arrays.close()
            self._steps.stop()
        self._job = None
        self.process.close()
        if self._folder is not None:
            self._folder.close()
            self._folder = None

    def _ask(self) -> None:
        self.process.ask(self._job.command, self._job.params)

    def _broken(self, problem: Exception) -> None:
        self._failed(refusal_of(problem))

    def _progress(self, _stage: str, fraction: float, text: str) -> None:
        if self._job is not None:
            self._job.progress(_HANDOVER + (1 - _HANDOVER) * fraction, text)

    # The job is over before its owner hears of it, and may start the next one at once.

    def _finished(self, answer: Answer) -> None:
        job, self._job = self._job, None
        if job is not None:
            job.finished(answer)

    def _failed(self, refusal: BrainstemALSError) -> None:
        job, self._job = self._job, None
        if job is not None:
            job.failed(refusal)

    def _cancelled(self) -> None:
        job, self._job = self._job, None
        if job is not None:
            job.cancelled()
