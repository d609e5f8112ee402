"""Runs a command in a process of its own and measures its wall time and peak memory."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass

_THREAD_VARIABLES = (
    "OMP_NUM_THREADS",
    "MKL_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "ITK_GLOBAL_DEFAULT_NUMBER_OF_THREADS",
)
_RSS_UNIT = 1 if sys.platform == "darwin" else 1024  # getrusage: bytes on macOS, KiB on Linux
_MESSAGE_LINES = 3


@dataclass(frozen=True)
class Run:
    """What one process took.

    Attributes
    ----------
    seconds : float
        Wall time from start to end, interpreter and imports included.
    peak_bytes : int
        Largest resident set of the process, or of a child that it waited for.
    """

    seconds: float
    peak_bytes: int


def measured(command: Sequence[str], threads: int) -> Run:
    """Run a command to its end.

    The peak is the kernel's (``getrusage`` of that child). Linux starts a child's count at the size
    of the parent, so a parent has to be smaller than what it measures.

    Parameters
    ----------
    command : sequence of str
        Program and arguments.
    threads : int
        Limit for OpenMP, MKL, OpenBLAS and ITK.

    Raises
    ------
    RuntimeError
        The command failed; with the last lines it wrote.
    """
    environment = os.environ | dict.fromkeys(_THREAD_VARIABLES, str(threads))
    with tempfile.TemporaryFile() as output:
        start = time.perf_counter()
        process = subprocess.Popen(
            command, env=environment, stdout=output, stderr=subprocess.STDOUT
        )
        try:
            _, status, usage = os.wait4(process.pid, 0)
        except BaseException:
            process.kill()
            process.wait()
            raise
        seconds = time.perf_counter() - start
        process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode:
            output.seek(0)
            said = output.read().decode(errors="replace").strip().splitlines()
            raise RuntimeError("\n".join(said[-_MESSAGE_LINES:]) or f"exit {process.returncode}")
    return Run(seconds, usage.ru_maxrss * _RSS_UNIT)
