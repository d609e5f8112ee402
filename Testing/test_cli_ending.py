"""How a command ends: by a signal, into a closed pipe, onto a full disk."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from BrainstemALSLib.cli.app import app
from BrainstemALSLib.cli.failures import refusals
from BrainstemALSLib.errors import ExitCode

LIBRARY = Path(__file__).resolve().parents[1] / "BrainstemALS"
TALK = """
from BrainstemALSLib.cli.output import best_effort, forgiving_output
from rich.console import Console
forgiving_output()
with best_effort():
    console = Console()
    for number in range(5000):
        console.print(f"line {number} \u00b1")
"""
POSIX = pytest.mark.skipif(sys.platform == "win32", reason="POSIX signals and devices")


@POSIX
@pytest.mark.parametrize("taken", [RuntimeError, OSError, Exception])
def test_sigterm_is_never_taken_for_a_bad_image(taken):
    """The readers and writers turn exceptions into refusals; a signal is none of theirs."""

    def reader() -> None:
        with refusals():
            try:
                os.kill(os.getpid(), signal.SIGTERM)
                signal.pause()
            except taken:
                raise AssertionError("the signal was swallowed") from None

    with pytest.raises(typer.Exit) as ended:
        reader()
    assert ended.value.exit_code == ExitCode.TERMINATED == 143


def talk(stdout, **environment: str) -> subprocess.Popen:
    return subprocess.Popen(
        [sys.executable, "-c", TALK],
        stdout=stdout,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": str(LIBRARY), **environment},
    )


@POSIX
def test_a_reader_that_goes_away_does_not_fail_the_run():
    with talk(subprocess.PIPE) as process:
        process.stdout.readline()
        process.stdout.close()
        assert process.stderr.read() == ""
    assert process.returncode == 0


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="there is no /dev/full")
def test_a_full_disk_behind_the_output_does_not_fail_the_run():
    with open("/dev/full", "w") as full:
        process = talk(full)
        _, said = process.communicate(timeout=60)
    assert process.returncode == 0
    assert said == "brainstem-als: the results are complete, but could not be shown.\n"


def test_a_terminal_that_lacks_a_character():
    process = talk(subprocess.PIPE, PYTHONIOENCODING="ascii")
    shown, _ = process.communicate(timeout=60)
    assert process.returncode == 0
    assert "line 4999 ?" in shown


@pytest.mark.parametrize("words", [["-h"], ["segment", "-h"], ["demo", "-h"], ["doctor", "-h"]])
def test_help_by_its_short_name(words):
    result = CliRunner().invoke(app, words)
    assert result.exit_code == 0
    assert "Usage" in result.output
