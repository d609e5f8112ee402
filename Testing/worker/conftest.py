"""Real heads for the worker, and a worker that is spoken to without a client."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from BrainstemALSLib.cli.icbm import icbm_path
from BrainstemALSLib.imaging.geometry import resample
from BrainstemALSLib.imaging.reading import read_volume
from BrainstemALSLib.imaging.volume import Volume
from BrainstemALSLib.worker.launch import worker_command


@pytest.fixture(scope="session")
def t1() -> Volume:
    """The ICBM T1 at 2 mm: a real brainstem in an image that is quick to work on."""
    whole = read_volume(icbm_path("t1"))
    affine = whole.affine @ np.diag([2.0, 2.0, 2.0, 1.0])
    return resample(whole, [n // 2 for n in whole.shape], affine)


@pytest.fixture(scope="session")
def tensors(t1) -> Volume:
    """Made-up diffusion tensors (mm2/s) of that head at 3 mm: FA rises with the T1, MD is 0.8."""
    shape = [2 * n // 3 for n in t1.shape]
    coarse = resample(t1, shape, t1.affine @ np.diag([1.5, 1.5, 1.5, 1.0]))
    bright = coarse.array / coarse.array.max()
    along = np.where(bright > 0.05, 0.8 + 0.8 * bright, 0.0)
    across = np.where(bright > 0.05, 0.8 - 0.4 * bright, 0.0)
    tensor = np.zeros((*shape, 3, 3), np.float32)
    for axis, value in enumerate((across, across, along)):
        tensor[..., axis, axis] = 1e-3 * value
    return Volume(tensor, coarse.affine)


@pytest.fixture(scope="session")
def lives() -> Callable[[int], bool]:
    """Say whether a process runs (POSIX)."""

    def look(pid: int) -> bool:
        try:
            os.kill(pid, 0)
        except ProcessLookupError:
            return False
        status = Path(f"/proc/{pid}/status")  # an orphan may stay a zombie in a container
        return not (status.exists() and "State:\tZ" in status.read_text())

    return look


class RawWorker:
    """A worker, its stdin and its stdout."""

    def __init__(self, *arguments: str, environment: dict[str, str] | None = None, **options: Any):
        program, own = worker_command(**options)
        self.process = subprocess.Popen(
            [program, *own, *arguments],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=environment,
        )

    def write(self, line: bytes) -> None:
        self.process.stdin.write(line)
        self.process.stdin.flush()

    def read(self) -> dict[str, Any]:
        """The next event."""
        return json.loads(self.process.stdout.readline())

    def close(self) -> None:
        self.process.stdin.close()
        self.process.wait(10)
        self.process.stdout.close()
        self.process.stderr.close()


@pytest.fixture
def raw_worker(tmp_path: Path) -> Iterator[Callable[..., RawWorker]]:
    """Start workers that end with the test."""
    workers = []

    def start(**options: Any) -> RawWorker:
        workers.append(RawWorker(**{"log_dir": tmp_path / "log", **options}))
        return workers[-1]

    yield start
    for worker in workers:
        worker.close()
