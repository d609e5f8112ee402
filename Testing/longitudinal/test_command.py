from __future__ import annotations

import typer
from typer.testing import CliRunner

from BrainstemALSLib.cli.longitudinal import longitudinal
from BrainstemALSLib.errors import ExitCode

app = typer.Typer()
app.command()(longitudinal)


def run(*arguments):
    return CliRunner().invoke(app, [str(a) for a in arguments])


def test_as_many_times_as_visits(tmp_path):
    ended = run("a.nii", "b.nii", "--months", "0,6,12", "--out", tmp_path / "out")
    assert ended.exit_code == ExitCode.USAGE
    assert "2 visits were given and 3 times" in ended.output
    assert not (tmp_path / "out").exists()


def test_as_many_maps_as_visits(tmp_path):
    ended = run("a.nii", "b.nii", "--months", "0,6", "--fa", "f.nii", "--out", tmp_path / "out")
    assert ended.exit_code == ExitCode.USAGE
    assert "2 visits were given and 1 maps" in ended.output


def test_files_that_are_not_there_are_named_without_a_model(tmp_path):
    files = [tmp_path / "a.nii", tmp_path / "b.nii"]
    ended = run(*files, "--months", "0,6", "--out", tmp_path / "out")
    assert ended.exit_code == ExitCode.UNSUITABLE_IMAGE
    assert "Visit 1 was left out" in ended.output
    assert not (tmp_path / "out").exists()
