"""Whoever changes the models may be killed at any moment: what is left works.

BRAINSTEM_ALS_KILLS=1000 python -m pytest Testing/segmentation/registry/test_kills.py
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from BrainstemALSLib.segmentation.registry import ModelRegistry

KILLS = int(os.environ.get("BRAINSTEM_ALS_KILLS", "20"))


@pytest.mark.skipif(not hasattr(os, "fork"), reason="kills forked processes")
def test_kills_at_random_moments_leave_a_working_model(tmp_path, candidate):
    root = tmp_path / "models"
    script = Path(__file__).with_name("doomed.py")
    done = subprocess.run(
        [sys.executable, "-W", "error", str(script), "kill", str(root), str(KILLS)],
        capture_output=True,
        text=True,
        timeout=60 + KILLS,
    )
    assert done.returncode == 0, done.stderr
    rounds = [json.loads(line) for line in done.stdout.splitlines()]
    assert len(rounds) == KILLS
    # Not only something that works, but always the version that was meant.
    assert [one for one in rounds if one["findings"] or one["damaged"] or not one["own"]] == []
    # The moments are spread: some kills met a version half written, some changes were done.
    assert sum(one["interrupted"] for one in rounds) >= KILLS / 20
    assert sum(one["reported"] for one in rounds) >= KILLS / 2
    registry = ModelRegistry(root)
    befores = [entry.version for entry in registry.history() if entry.action != "remove"]
    assert [e.previous for e in registry.history() if e.action != "remove"][1:] == befores[:-1]
    used = registry.in_use()
    registry.use("bundled")  # the lock of the dead keeps nobody out
    assert [n.name for n in (root / "versions").iterdir() if n.name.startswith(".")] == []
    assert registry.rollback().version == used.version
