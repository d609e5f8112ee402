"""Sends jobs to a Dask cluster that is there already (dask.distributed, an optional package)."""

from __future__ import annotations

import logging
import time
import uuid
from collections.abc import Callable, Iterable, Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from .. import __version__
from ..errors import BrainstemALSError, ExitCode
from .job import FAILED, Job, Outcome, run_job, sweep
from .warm import cores, limit_threads

_CONNECT_S, _POLL_S, _LOOK_S = 15.0, 0.1, 30.0
_NOBODY_S = 3600.0
"""A cluster without workers for so long gets none: batch jobs may wait for a while (own choice)."""
_LOGGERS = ("distributed", "distributed.client", "distributed.core", "distributed.utils",
            "distributed.worker", "asyncio")  # fmt: skip


class DaskCluster:
    """A cluster that somebody else started; its workers stay when this ends.

    Parameters
    ----------
    address : str
        Of the scheduler, ``tcp://host:8786``; or the path of its ``--scheduler-file``.
    threads : int, optional
        CPU threads of each job; else the worker's cores shared out among its own threads.
    """

    def __init__(self, address: str, threads: int | None = None):
        self._address, self._threads = address, threads

    def run(
        self, jobs: Iterable[Job], then: Callable[[Outcome], Iterable[Job]] | None = None
    ) -> Iterator[Outcome]:
        """Yield how each job ended, as they end; ``then`` returns the jobs that one makes ready.

        Raises
        ------
        BrainstemALSError
            MISSING_PACKAGE: no dask.distributed here. USAGE: no scheduler at the address, no
            worker, or workers that see other folders or have another version. UNEXPECTED: the
            scheduler is gone, or no worker came back; what is done stays.
        """
        jobs = list(jobs)
        client = self._connected()
        try:
            _check_workers(client, jobs)
            yield from self._results(client, jobs, then or (lambda outcome: ()))
        finally:
            # What is still waiting is forgotten with the client; what runs ends and is found done.
            client.close(timeout=_CONNECT_S)

    def _connected(self) -> Any:
        if find_spec("distributed") is None:
            raise BrainstemALSError(
                "--scheduler", "dask.distributed is not installed",
                "Install it: pip install 'brainstem-als[cohort]'; without --scheduler it is not "
                "needed.", ExitCode.MISSING_PACKAGE,
            )  # fmt: skip
        from distributed import Client

        # What it writes about lost connections are pages of code lines; ours is a sentence.
        for name in _LOGGERS:
            logging.getLogger(name).setLevel(logging.CRITICAL)
        kind = "scheduler_file" if Path(self._address).is_file() else "address"
        try:
            return Client(**{kind: self._address}, timeout=_CONNECT_S, set_as_default=False)
        except (OSError, ValueError, TypeError) as error:
            raise _refused(
                "no Dask scheduler answers there",
                "Check the address, as the scheduler prints it, and that it runs.",
            ) from error

    def _results(
        self, client: Any, jobs: list[Job], then: Callable[[Outcome], Iterable[Job]]
    ) -> Iterator[Outcome]:
        from distributed import as_completed

        token = uuid.uuid4().hex[:8]

        def submitted(job: Job) -> Any:
            key = f"{job.visit.key}-{token}"
            return client.submit(run_there, job, self._threads, key=key, pure=False)

        futures = {submitted(job): job for job in jobs}
        completed = as_completed(list(futures), loop=client.loop)
        while futures:
            _wait_for(completed, client)
            future = next(completed)
            job = futures.pop(future)
            if future.cancelled() or client.status != "running":
                # We cancel nothing: the scheduler has lost its work, and with it every visit.
                raise _gone("the Dask scheduler is gone", "Start it and its workers")
            try:
                outcome = future.result()
            except Exception as problem:
                sweep(job)
                # ``run_job`` does not raise: the worker died, or could not read what was sent.
                outcome = Outcome(
                    job.visit.key, FAILED, f"its Dask worker failed ({type(problem).__name__})",
                    "Look at the worker's log; give it more memory (2.5 GiB each thread).",
                    int(ExitCode.UNEXPECTED),
                )  # fmt: skip
            future.release()
            more = {submitted(job): job for job in then(outcome)}
            futures |= more
            completed.update(list(more))
            yield outcome


def run_there(job: Job, threads: int | None = None) -> Outcome:
    """Run a job in a Dask worker; its segmenter stays warm for the next, shared by its threads."""
    from distributed import get_worker

    lanes = max(1, int(get_worker().state.nthreads))
    limit_threads(threads or max(1, cores() // lanes))
    return run_job(job)


def _wait_for(completed: Any, client: Any) -> None:
    """Return when a job has ended; refuse to wait for workers that do not come back."""
    alone_since, looked = None, time.monotonic()
    while not completed.has_ready():
        time.sleep(_POLL_S)
        now = time.monotonic()
        if now - looked < _LOOK_S:
            continue
        looked = now
        if client.scheduler_info().get("workers"):
            alone_since = None
        elif alone_since is None:
            alone_since = now
        elif now - alone_since > _NOBODY_S:
            raise _gone("its cluster has no workers any more", "Start workers")


def _gone(problem: str, remedy: str) -> BrainstemALSError:
    return BrainstemALSError(
        "--scheduler", problem, f"{remedy}, then run the same command again: what is done stays.",
        ExitCode.UNEXPECTED,
    )  # fmt: skip


def _check_workers(client: Any, jobs: list[Job]) -> None:
    """Refuse workers that could not do the work, before a thousand visits fail on them."""
    if not client.scheduler_info().get("workers"):
        raise _refused("its cluster has no worker", "Start workers, then run it again.")
    if not jobs:
        return
    try:
        found = client.run(look_around, str(jobs[0].root), str(jobs[0].out))
    except Exception as error:
        raise _refused(
            f"a worker cannot run BrainstemALS ({type(error).__name__})",
            "Install the same version of brainstem-als in the environment of the workers.",
        ) from error
    for version, sees_data, sees_results in found.values():
        if version != __version__:
            raise _refused(
                f"a worker has BrainstemALS {version}, here is {__version__}",
                "Install the same version everywhere.",
            )
        if not (sees_data and sees_results):
            raise _refused(
                "a worker does not see the folders of the run",
                "Use folders that all machines share under the same path.",
            )


def look_around(root: str, out: str) -> tuple[str, bool, bool]:
    """Return a worker's version, and whether it sees the dataset and the folder of the results."""
    return __version__, Path(root).is_dir(), Path(out).is_dir()


def _refused(problem: str, remedy: str) -> BrainstemALSError:
    return BrainstemALSError("--scheduler", problem, remedy, ExitCode.USAGE)
