"""The process that a panel starts: one line for each step, one sentence where it refuses."""

import subprocess
from pathlib import Path

import pytest

from BrainstemALSLib.installation.command import CHECK, INSTALL, install_command, read_line
from BrainstemALSLib.installation.plan import Route
from BrainstemALSLib.installation.process import run


def steps(command, cwd):
    program, arguments = command
    outcome = subprocess.run(
        [program, *arguments], cwd=cwd, capture_output=True, text=True, timeout=120
    )
    assert outcome.stderr == ""
    return outcome.returncode, [read_line(line) for line in outcome.stdout.splitlines()]


@pytest.fixture
def wheels(tmp_path, make_wheel):
    """All that the extension needs, tiny; numpy is there already."""
    folder = tmp_path / "wheels"
    make_wheel(folder, "scipy", "1.15.0", ["numpy>=1.20"])
    make_wheel(folder, "SimpleITK", "2.5.0")
    make_wheel(folder, "torch", "2.5.0+cpu", ["sympy"])
    make_wheel(folder, "sympy", "1.14.0")
    make_wheel(folder, "dipy", "1.12.1")
    return folder


def test_check_then_install_from_a_folder(slicer_python, wheels, folder, tmp_path):
    def command(action):
        return install_command(action, Route.OFFLINE, folder, wheels, slicer_python)

    try:
        code, told = steps(command(CHECK), tmp_path)
        assert code == 0
        kinds = [step.kind for step in told]
        assert kinds[0] == "plan"
        assert kinds[-2:] == ["changes", "done"]
        assert "torch" in told[0].data["text"]
        assert "--no-index" in told[0].data["command"]
        assert "torch 2.5.0+cpu" in told[-2].data["text"]
        assert "line" in kinds
        code, told = steps(command(INSTALL), tmp_path)
        assert code == 0
        assert told[-1].kind == "done"
        code, told = steps(command(CHECK), tmp_path)
        assert "Everything" in told[0].data["text"]
    finally:
        names = ["scipy", "SimpleITK", "torch", "sympy", "dipy"]
        run(slicer_python, ["-m", "pip", "uninstall", "--yes", *names])


def test_a_refusal_is_a_line_and_an_exit_code(slicer_python, folder, tmp_path):
    command = install_command(CHECK, Route.OFFLINE, folder, tmp_path, slicer_python)
    code, told = steps(command, tmp_path)
    assert code == 32
    assert told[-1].kind == "error"
    assert "no wheel" in told[-1].data["problem"]
    assert told[-1].data["remedy"]


def test_lines_of_others_are_left_alone():
    for line in ("", "Collecting torch", "[1]", '{"no": "kind"}', "3"):
        assert read_line(line) is None


def test_it_is_started_by_its_path(tmp_path):
    program, arguments = install_command(CHECK, Route.ONLINE, tmp_path)
    assert Path(arguments[0]).is_file()
    assert arguments[-2:] == ["--python", program]
