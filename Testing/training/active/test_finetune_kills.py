"""A fine-tuning that is killed at any moment leaves a working model and nothing half.

More kills, for example a thousand:

    BRAINSTEM_ALS_KILLS=1000 python -m pytest Testing/training/active/test_finetune_kills.py
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from training.active.frozen_set import is_set_aside

from .corrected_exams import make_store, small_models

KILLS = int(os.environ.get("BRAINSTEM_ALS_KILLS", "4"))
SCRIPT = Path(__file__).with_name("finetune_kills.py")
STEPS = 24  # as the script's
LEARNS = next(f"ALS-{n}" for n in range(99) if not is_set_aside(f"ALS-{n}"))

pytestmark = [
    pytest.mark.filterwarnings("ignore::torch.jit.TracerWarning"),  # the small model's
    pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork on this system"),
]


def test_kills_at_random_moments_leave_everything_whole(tmp_path):
    store = make_store(tmp_path / "store", count=1, subject=LEARNS)
    registry = small_models(tmp_path / "models", tmp_path / "source")
    used = registry.in_use().version
    (tmp_path / "runs").mkdir()
    root = SCRIPT.parents[3]
    environment = os.environ | {
        "PYTHONPATH": os.pathsep.join([str(root / "BrainstemALS"), str(root)]),
        "OMP_NUM_THREADS": "1",
    }
    folders = (store.root, registry.root, tmp_path / "runs")
    ended = subprocess.run(
        [sys.executable, SCRIPT, *folders, str(KILLS)],
        capture_output=True,
        text=True,
        env=environment,
    )
    assert ended.returncode == 0, ended.stderr
    found = [json.loads(line) for line in ended.stdout.splitlines()]
    assert len(found) == KILLS
    for one in found:
        assert (one["used"], one["findings"]) == (used, []), one
        assert 0 <= one["step"] <= STEPS
        # What a run that ended had made may be on its way to be replaced; else it comes last.
        assert one["ended"] or not one["candidate"] or one["stage"] in ("export", "done")
        # It went on to what it would have come to without the kill.
        assert one["steps"] == STEPS, one
        assert one["same"], one
        assert one["hidden"] == [], one
    assert sum(one["killed"] for one in found) > KILLS / 2, "most kills came after the end"
