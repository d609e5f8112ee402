"""The command that starts a worker."""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path

IDLE_SECONDS = 900.0
"""A worker that nobody asked for so long ends, and gives its memory back."""


def worker_command(
    python: str | None = None,
    idle_seconds: float = IDLE_SECONDS,
    log_dir: str | Path | None = None,
) -> tuple[str, list[str]]:
    """Return program and arguments that start a worker, whatever PYTHONPATH says.

    Its stdin and stdout carry the protocol. Its stderr carries what libraries print, which may name
    files: send it to the null device, and never leave it to a pipe that nobody empties.

    Parameters
    ----------
    python : str, optional
        Interpreter. Left out: PythonSlicer inside Slicer, whose own executable is no interpreter;
        elsewhere this one.
    idle_seconds : float
        The worker ends after so long without a request.
    log_dir : str or Path, optional
        Folder of its log; a cache folder of the user where left out.
    """
    script = Path(__file__).resolve().with_name("__main__.py")
    arguments = [str(script), "--idle-seconds", f"{idle_seconds:g}"]
    if log_dir is not None:
        arguments += ["--log-dir", str(Path(log_dir).resolve())]
    return python or _interpreter(), arguments


def _interpreter() -> str:
    name = "PythonSlicer.exe" if os.name == "nt" else "PythonSlicer"
    beside = Path(sys.executable or "").with_name(name)
    if beside.is_file():
        return str(beside)
    # Slicer's launcher sets SLICER_HOME and puts PythonSlicer on the path of its own processes.
    # Outside of them, a Slicer that happens to be on the path is not the Python that was meant.
    inside_slicer = "SLICER_HOME" in os.environ
    return (shutil.which("PythonSlicer") if inside_slicer else None) or sys.executable
