"""The whole training chain, as `make train SMOKE=1` runs it."""

from __future__ import annotations

import subprocess
import sys
import time

from training.data import repository


def test_smoke_training_resumes_exports_and_loads():
    started = time.monotonic()
    done = subprocess.run(
        [sys.executable, "-m", "training.smoke", "--steps", "4"],
        cwd=repository(),
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    assert "smoke training passed" in done.stdout
    assert time.monotonic() - started < 180
