"""Runs jobs in a few processes of this computer, each with its own warm segmenter.

Own, small pool instead of ``concurrent.futures``: a worker that dies (out of memory, a broken file
that crashes a reader) costs its visit and not the pool, and none outlives its parent.
"""

from __future__ import annotations

import math
import multiprocessing
import os
import signal
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from multiprocessing.connection import Connection, wait
from multiprocessing.context import SpawnProcess
from typing import Any

from ..errors import ExitCode
from .job import FAILED, Job, Outcome, run_job, sweep, write_failure
from .warm import limit_threads

_TRIES = 2
"""Starts of a job whose process dies: another program may have taken the memory (own choice)."""
_END_S = 5.0
LIMIT_MINUTES = 180.0
"""A job that takes longer hangs: many times what the slowest exam takes (own choice)."""
_THREADS = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS")


@dataclass(eq=False)
class _Worker:
    process: SpawnProcess
    pipe: Connection
    gpu: str | None
    job: Job | None = None
    until: float = math.inf


class LocalPool:
    """A few processes of this computer.

    Parameters
    ----------
    processes : int
    threads : int
        CPU threads of each.
    gpus : sequence of str
        What ``CUDA_VISIBLE_DEVICES`` shall name, given to the processes in turn; empty for none.
    limit_minutes : float
        A job that takes longer is ended and fails, without a second try; its process is replaced.
        0 for no limit.
    """

    def __init__(
        self,
        processes: int,
        threads: int,
        gpus: Sequence[str] = (),
        limit_minutes: float = LIMIT_MINUTES,
    ):
        self._processes, self._threads, self._gpus = processes, threads, tuple(gpus)
        self._limit_s = 60 * limit_minutes or math.inf
        self._workers: list[_Worker] = []

    def run(
        self, jobs: Iterable[Job], then: Callable[[Outcome], Iterable[Job]] | None = None
    ) -> Iterator[Outcome]:
        """Yield how each job ended, as they end; ``then`` returns the jobs that one makes ready.

        Whatever stops the iteration ends the processes at once; what they left half-written is
        removed.
        """
        waiting = deque((job, 1) for job in jobs)
        tries: dict[str, int] = {}
        try:
            for number in range(min(self._processes, len(waiting))):
                self._workers.append(self._start(number))
            while True:
                for worker in self._workers:
                    if worker.job is None and waiting:
                        self._give(worker, *waiting.popleft(), tries)
                busy = {worker.pipe: worker for worker in self._workers if worker.job is not None}
                if not busy:
                    return
                for pipe in wait(list(busy), self._time_left()):
                    for outcome in self._answer(busy[pipe], waiting, tries):
                        waiting.extend((job, 1) for job in (then(outcome) if then else ()))
                        yield outcome
                for outcome in self._overdue():
                    waiting.extend((job, 1) for job in (then(outcome) if then else ()))
                    yield outcome
        finally:
            self._end()

    def _start(self, number: int) -> _Worker:
        context = multiprocessing.get_context("spawn")
        ours, theirs = context.Pipe()
        gpu = self._gpus[number % len(self._gpus)] if self._gpus else None
        process = context.Process(
            target=_work, args=(theirs, self._threads), name=f"cohort-{number}", daemon=True
        )
        wanted = dict.fromkeys(_THREADS, str(self._threads))
        if gpu is not None:
            wanted["CUDA_VISIBLE_DEVICES"] = gpu
        # Numeric libraries read these when they are imported, which is before any of our code runs.
        before = {name: os.environ.get(name) for name in wanted}
        os.environ.update(wanted)
        try:
            process.start()
        finally:
            for name, value in before.items():
                os.environ.pop(name) if value is None else os.environ.update({name: value})
        theirs.close()  # or the end of the process would not show
        return _Worker(process, ours, gpu)

    def _give(self, worker: _Worker, job: Job, attempt: int, tries: dict[str, int]) -> None:
        worker.job, tries[job.visit.key] = job, attempt
        worker.until = time.monotonic() + self._limit_s
        with suppress(OSError):  # it died meanwhile: its pipe says so when it is asked
            worker.pipe.send(job)

    def _answer(
        self, worker: _Worker, waiting: deque[tuple[Job, int]], tries: dict[str, int]
    ) -> Iterator[Outcome]:
        job = worker.job
        try:
            outcome = worker.pipe.recv()
        except (EOFError, OSError):
            self._replace(worker)
            sweep(job)
            if tries[job.visit.key] < _TRIES:
                waiting.append((job, tries[job.visit.key] + 1))
                return
            outcome = _lost(job)
        worker.job = None
        yield outcome

    def _time_left(self) -> float | None:
        first = min(worker.until for worker in self._workers if worker.job is not None)
        return None if math.isinf(first) else max(0.0, first - time.monotonic())

    def _overdue(self) -> Iterator[Outcome]:
        """End what takes too long."""
        for worker in list(self._workers):
            if worker.job is None or time.monotonic() < worker.until or worker.pipe.poll():
                continue
            worker.process.kill()
            self._replace(worker)
            sweep(worker.job)
            outcome = _too_long(worker.job, self._limit_s / 60)
            worker.job = None
            yield outcome

    def _replace(self, worker: _Worker) -> None:
        worker.process.join(_END_S)
        worker.pipe.close()
        place = self._workers.index(worker)
        self._workers[place] = self._start(place)

    def _end(self) -> None:
        for worker in self._workers:
            if worker.job is not None:
                worker.process.kill()
            worker.pipe.close()  # who waits for a job ends by itself
        for worker in self._workers:
            worker.process.join(_END_S)
            if worker.process.is_alive():
                worker.process.kill()
                worker.process.join()
            if worker.job is not None:
                sweep(worker.job)
                _remove_empty(worker.job)
        self._workers = []


def _lost(job: Job) -> Outcome:
    outcome = Outcome(
        job.visit.key, FAILED, "the process that worked on it died, twice",
        "Run it again with fewer --n-procs: memory may have run out; else look at its images.",
        int(ExitCode.UNEXPECTED),
    )  # fmt: skip
    write_failure(job, outcome)
    return outcome


def _too_long(job: Job, minutes: float) -> Outcome:
    outcome = Outcome(
        job.visit.key, FAILED, f"it took longer than {minutes:g} minutes",
        "Look at its images; give it more time (--limit-minutes) if they are right.",
        int(ExitCode.UNEXPECTED),
    )  # fmt: skip
    write_failure(job, outcome)
    return outcome


def _remove_empty(job: Job) -> None:
    """Remove the folders that were made for results that never came."""
    with suppress(OSError):
        for folder in (job.out / job.visit.place, *(job.out / job.visit.place).parents):
            if folder == job.out:
                return
            folder.rmdir()


def _work(pipe: Connection, threads: int) -> None:
    """What a worker process does: jobs, until nobody sends any more."""
    # Ctrl+C reaches the whole group of processes: the parent decides.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_end_with_parent, daemon=True).start()
    limit_threads(threads)
    while True:
        try:
            job: Any = pipe.recv()
        except (EOFError, OSError):
            return
        outcome = run_job(job)
        try:
            pipe.send(outcome)
        except OSError:
            return


def _end_with_parent() -> None:
    """End at once when the parent dies, however it dies; staged results make that safe."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)
