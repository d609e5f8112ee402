"""The command that starts a worker, outside Slicer and in it."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from BrainstemALSLib.worker.launch import worker_command

SLICER_PYTHON = "PythonSlicer.exe" if os.name == "nt" else "PythonSlicer"


@pytest.fixture
def slicer_python(tmp_path) -> Path:
    program = tmp_path / "bin" / SLICER_PYTHON
    program.parent.mkdir()
    program.write_text("")
    program.chmod(0o755)
    return program


def test_this_python_outside_slicer(monkeypatch, slicer_python):
    """A Slicer that happens to be on the path is not the Python that was meant."""
    monkeypatch.delenv("SLICER_HOME", raising=False)
    monkeypatch.setenv("PATH", str(slicer_python.parent))
    assert worker_command()[0] == sys.executable


def test_pythonslicer_inside_slicer(monkeypatch, slicer_python):
    monkeypatch.setenv("SLICER_HOME", str(slicer_python.parents[1]))
    monkeypatch.setenv("PATH", str(slicer_python.parent))
    assert worker_command()[0] == str(slicer_python)


def test_pythonslicer_beside_the_executable(monkeypatch, slicer_python):
    monkeypatch.setattr(sys, "executable", str(slicer_python.with_name("SlicerApp-real")))
    assert worker_command()[0] == str(slicer_python)


def test_an_interpreter_of_the_callers_choice(tmp_path):
    program, arguments = worker_command("/other/python", idle_seconds=7, log_dir=tmp_path / "ä")
    assert program == "/other/python"
    assert Path(arguments[0]).is_file()
    assert arguments[1:] == ["--idle-seconds", "7", "--log-dir", str(tmp_path / "ä")]
