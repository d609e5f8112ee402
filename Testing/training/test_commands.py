"""How the training commands end."""

from __future__ import annotations

import pytest

from BrainstemALSLib.errors import BrainstemALSError, ExitCode
from training import commands
from training.loop import RunEndedError


def test_a_run_that_has_ended_is_no_failure(capsys, tmp_path):
    """So that `make train`, interrupted in its second run, does not stop at the first."""

    def ended() -> None:
        raise RunEndedError(tmp_path, "this run has ended", "Give more steps.", ExitCode.USAGE)

    commands.finish(ended)
    assert "has ended" in capsys.readouterr().out


def test_a_refusal_is_one_sentence_and_its_code(capsys, tmp_path):
    def refused() -> None:
        raise BrainstemALSError(tmp_path, "other data", "Name another run.", ExitCode.USAGE)

    with pytest.raises(SystemExit) as ended:
        commands.finish(refused)
    assert ended.value.code == ExitCode.USAGE
    assert capsys.readouterr().err.count("\n") == 1


def test_training_without_anatomies_says_how_to_get_them(monkeypatch):
    monkeypatch.setattr(commands, "built_cases", lambda held_out: [])
    with pytest.raises(BrainstemALSError, match="make atlas"):
        commands.training_cases()
