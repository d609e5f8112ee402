"""How many processes this computer bears."""

from __future__ import annotations

import os
import shutil
import subprocess
from importlib.util import find_spec
from pathlib import Path

from .warm import cores

MEMORY_GIB = 2.5
"""Of one process at its peak, what ``docs/results/bench.md`` holds the segmentation to."""
_GIB = 2**30
_CGROUP = (
    ("memory.max", "memory.current"),
    ("memory/memory.limit_in_bytes", "memory/memory.usage_in_bytes"),
)


def processes_for(jobs: int, wanted: int | None = None, gpus: int = 0) -> int:
    """Return how many processes to start.

    Parameters
    ----------
    jobs : int
    wanted : int, optional
        What the user asked for, which counts.
    gpus : int
        That will be used: one process for each, so that the model lies once in its memory.
    """
    if wanted is not None:
        return max(1, min(wanted, jobs))
    memory = available_memory()
    bearable = 1 if memory is None else int(memory / (MEMORY_GIB * _GIB))
    return max(1, min(jobs, cores(), bearable, *([gpus] if gpus else [])))


def available_memory() -> int | None:
    """Return the bytes that programs may still take, limits of a batch job included."""
    found = [value for value in (_of_system(), _of_group()) if value is not None]
    return min(found) if found else None


def usable_gpus(device: str) -> list[str]:
    """Return what ``CUDA_VISIBLE_DEVICES`` may name one by one; empty where the CPU computes.

    Asked of the driver and not of torch, which would take a process' worth of memory here.
    """
    if device == "cpu":
        return []
    named = os.environ.get("CUDA_VISIBLE_DEVICES")
    if named is not None:
        return [name.strip() for name in named.split(",") if name.strip() not in ("", "-1")]
    tool = shutil.which("nvidia-smi")
    if tool is None:
        return []
    try:
        asked = [tool, "--query-gpu=index", "--format=csv,noheader"]
        answer = subprocess.run(asked, capture_output=True, text=True, timeout=20, check=True)
    except (OSError, subprocess.SubprocessError):
        return []
    return [line.strip() for line in answer.stdout.splitlines() if line.strip().isdigit()]


def _of_system() -> int | None:
    try:
        for line in Path("/proc/meminfo").read_text().splitlines():
            if line.startswith("MemAvailable:"):
                return int(line.split()[1]) * 1024
    except (OSError, ValueError):
        pass
    if find_spec("psutil") is not None:
        import psutil

        return int(psutil.virtual_memory().available)
    return None


def _of_group(root: Path = Path("/sys/fs/cgroup")) -> int | None:
    for limit, used in _CGROUP:
        try:
            text = (root / limit).read_text().strip()
            if text != "max":
                return max(0, int(text) - int((root / used).read_text()))
        except (OSError, ValueError):
            continue
    return None
