"""Jobs for the worker: the arrays are handed over in steps, then it is asked, then it answers."""

from __future__ import annotations

import shutil
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
    folder : Path
        Of the arrays; removed once the job has failed or was cancelled.
    arrays : iterator of float
        Writes the arrays, a few milliseconds a step.
    finished, failed, cancelled, progress : callable
        One of the first three is called, once. ``progress`` gets fraction 0-1 and text.
    """

    command: str
    params: dict
    folder: Path
    arrays: Iterator[float]
    finished: Callable[[Answer], None]
    failed: Callable[[BrainstemALSError], None]
    cancelled: Callable[[], None]
    progress: Callable[[float, str], None] = lambda _fraction, _text: None


class WorkerJobs:
    """Runs one job at a time; one more may wait, as a run does for the measures of a correction.

    Parameters
    ----------
    log_dir : Path
        Folder of the worker's log.
    python : str, optional
        Interpreter; PythonSlicer when left out.
    """

    def __init__(self, log_dir: Path, python: str | None = None):
        self._job: Job | None = None
        self._next: Job | None = None
        self._folder: SessionFolder | None = None
        self._steps = Steps(self._ask, self._broken)
        self.process = WorkerProcess(
            self._progress, self._finished, self._failed, self._cancelled, log_dir, python
        )

    @property
    def running(self) -> Job | None:
        """The job that came last and is not over; None when there is none."""
        return self._next or self._job

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
        """Begin a job, after the one that runs; RuntimeError while another waits already."""
        if self._next is not None:
            raise RuntimeError("a job is waiting")
        self._next = job
        self._begin_next()

    def cancel(self) -> None:
        """Stop the job that came last; ``cancelled`` is called when it has stopped."""
        if self._next is not None:
            job, self._next = self._next, None
            _give_up(job)
            job.cancelled()
        elif self._job is None:
            return
        elif self._steps.running:
            self._steps.stop()
            self._cancelled()
        else:
            self.process.cancel()

    def close(self) -> None:
        """Stop everything and remove the temporary files; nobody is called any more."""
        if self._steps.running:
            self._job.arrays.close()
            self._steps.stop()
        self._job = self._next = None
        self.process.close()
        if self._folder is not None:
            self._folder.close()
            self._folder = None

    def _begin_next(self) -> None:
        if self._job is None and self._next is not None:
            self._job, self._next = self._next, None
            self._steps.start(self._job.arrays)

    def _ask(self) -> None:
        self.process.ask(self._job.command, self._job.params)

    def _broken(self, problem: Exception) -> None:
        self._failed(refusal_of(problem))

    def _progress(self, _stage: str, fraction: float, text: str) -> None:
        if self._job is not None:
            self._job.progress(_HANDOVER + (1 - _HANDOVER) * fraction, text)

    # A job is over before its owner hears of it, and may start another one at once.

    def _finished(self, answer: Answer) -> None:
        job, self._job = self._job, None
        if job is not None:
            job.finished(answer)
        self._begin_next()

    def _failed(self, refusal: BrainstemALSError) -> None:
        job, self._job = self._job, None
        if job is not None:
            _give_up(job)
            job.failed(refusal)
        self._begin_next()

    def _cancelled(self) -> None:
        job, self._job = self._job, None
        if job is not None:
            _give_up(job)
            job.cancelled()
        self._begin_next()


def _give_up(job: Job) -> None:
    """Close and remove the arrays of a job: images of a patient stay no longer than needed."""
    job.arrays.close()
    shutil.rmtree(job.folder, ignore_errors=True)
