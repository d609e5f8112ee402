"""The worker behind the panel: whose runs it removes, and a run that was torn."""

from __future__ import annotations

import json

import pytest

from BrainstemALSLib.file_lock import FileLock
from training.active.finetune_run import LOCK
from training.active.finetune_worker import LearningCommands, _tidy

from .corrected_exams import make_store


def run_folder(root, name: str):
    folder = root / (name * 16)
    folder.mkdir(parents=True)
    return folder


def test_only_runs_that_nobody_needs_are_removed(tmp_path, monkeypatch):
    monkeypatch.setenv("BRAINSTEM_ALS_MODELS", str(tmp_path / "models"))
    own, old, busy, passed = (run_folder(tmp_path / "runs", name) for name in "abcd")
    other = run_folder(tmp_path / "runs", "letters")
    (passed / "gate").mkdir()
    record = {"outcome": "promote", "about": {"candidate": {"sha256": "f" * 64}}}
    (passed / "gate" / "gate.json").write_text(json.dumps(record))
    lock = FileLock(busy / LOCK)
    assert lock.acquire()
    _tidy(own)
    lock.release()
    assert [folder.exists() for folder in (own, old, busy, passed, other)] == [
        True, False, True, True, True,
    ]  # fmt: skip


@pytest.mark.filterwarnings("ignore::torch.jit.TracerWarning")
def test_a_torn_checkpoint_does_not_block_the_panel(tmp_path, monkeypatch):
    monkeypatch.setenv("BRAINSTEM_ALS_MODELS", str(tmp_path / "models"))
    store = make_store(tmp_path / "store", 1, subject="ALS-1")
    params = {
        "store": str(store.root), "runs": str(tmp_path / "runs"), "steps": 1, "replay": 0.0,
        "device": "cpu", "judge": False,
    }  # fmt: skip
    commands = LearningCommands()
    first = commands.run("improve", params, lambda *_: None)
    (torn,) = (tmp_path / "runs").rglob("checkpoint-*.safetensors")
    torn.write_bytes(torn.read_bytes()[:100])
    again = commands.run("improve", params, lambda *_: None)
    assert first["warnings"] == []
    assert "began anew" in again["warnings"][0]
    assert again["candidate"] == first["candidate"]
