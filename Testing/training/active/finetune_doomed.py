"""A fine-tuning in a process of its own, to be killed: STORE MODELS RUN STAGE."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path

from BrainstemALSLib.segmentation.registry import ModelRegistry
from Testing.training.active.corrected_exams import SMALL, small_network, small_replay
from training.active.finetune_run import fine_tune, make_plan

STEPS = 12


def main(store: str, models: str, run: str, stage: str) -> None:
    setting = replace(SMALL, steps=STEPS)
    calls = 0

    def progress(now: str, _fraction: float, _text: str) -> None:
        nonlocal calls
        calls += now == stage
        if calls == (8 if stage == "learn" else 1):
            print("here", flush=True)
            if stage == "learn":
                return  # it goes on: the kill comes in the middle of whatever it does then
            calls = -1

    plan = make_plan(Path(store), setting, progress, ModelRegistry(Path(models)), small_replay())
    fine_tune(plan, Path(run), setting, progress, small_network)


if __name__ == "__main__":
    main(*sys.argv[1:])
