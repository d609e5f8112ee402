"""Kills fine-tunings at random moments, and looks at what is left: STORE MODELS RUNS KILLS.

A process of its own, run by ``test_finetune_kills``: what its children need is imported, and no
thread runs that a fork would tear away. Prints a line of JSON for each kill.
"""

from __future__ import annotations

import json
import os
import random
import signal
import sys
import warnings
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import torch
from safetensors.torch import load_file

from BrainstemALSLib.segmentation.models import STRUCTURES, find_model, load_network
from BrainstemALSLib.segmentation.registry import ModelRegistry, read_lineage
from Testing.training.active.corrected_exams import SMALL, small_network, small_replay
from training.active.finetune_run import fine_tune, make_plan

STEPS = 24
SETTING = replace(SMALL, steps=STEPS, checkpoint_every=1)  # a checkpoint is always being written


def tune(store: Path, registry: ModelRegistry, run: Path) -> None:
    """One run from reading to the candidate; notes its stages beside."""
    stages = run.with_suffix(".stages")

    def progress(stage: str, _fraction: float, _text: str) -> None:
        with stages.open("a") as file:
            file.write(f"{stage}\n")

    plan = make_plan(store, SETTING, progress, registry, small_replay())
    fine_tune(plan, run, SETTING, progress, small_network)


def child(work: Callable[[], None], dies_after: float = 0.0) -> tuple[bool, float]:
    """Do the work in a child, which may die of a signal; returns whether it did, and its seconds.

    Seconds of processor time: on a busy computer those of the clock say little of how far it is.
    """
    one = os.fork()
    if one == 0:
        try:
            # What the timer sends kills a process at once, as SIGKILL would: nobody handles it.
            signal.setitimer(signal.ITIMER_PROF, dies_after)
            work()
            os._exit(0)
        finally:
            os._exit(1)
    _, status, used = os.wait4(one, 0)
    killed = os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGPROF
    assert killed or status == 0, f"a run that nobody stopped ended with {status}"
    return killed, used.ru_utime + used.ru_stime


def left(run: Path, registry: ModelRegistry) -> dict:
    """What a kill left; whatever is not whole raises."""
    used = registry.in_use()
    load_network(find_model(STRUCTURES, used.folder), "cpu")
    step = 0
    if (run / "latest.json").exists():
        pointer = json.loads((run / "latest.json").read_bytes())
        step = pointer["step"]
        load_file(run / pointer["file"])
    candidate = run / "candidate"
    if candidate.exists():
        find_model(STRUCTURES, candidate)
        read_lineage(candidate)
    return {
        "used": used.version,
        "findings": [finding.message for finding in used.findings],
        "step": step,
        "candidate": candidate.exists(),
    }


def weights(run: Path) -> list[torch.Tensor]:
    """Of the candidate."""
    network = load_network(find_model(STRUCTURES, run / "candidate"), "cpu")
    return list(network.state_dict().values())


def main(store: Path, models: Path, runs: Path, kills: int) -> None:
    """Kill, look, and let the run end; every second time a run that had ended already."""
    registry, moments = ModelRegistry(models), random.Random(6)
    _, usual = child(lambda: tune(store, registry, runs / "usual"))
    _, again = child(lambda: tune(store, registry, runs / "usual"))
    wanted = weights(runs / "usual")
    for number in range(kills):
        ended = number % 4 == 3  # only reading and writing are left to be killed
        run = runs / ("usual" if ended else f"run-{number}")
        run.with_suffix(".stages").unlink(missing_ok=True)

        def work(run: Path = run) -> None:
            tune(store, registry, run)

        # One kill in each part of the run, so that few of them reach its end too.
        part = moments.random() if ended else (number + moments.random()) / kills
        killed, _ = child(work, max(part * (again if ended else usual), 0.001))
        stages = run.with_suffix(".stages")
        stage = stages.read_text().split()[-1] if stages.exists() else ""
        found = left(run, registry)
        child(work)
        same = all(torch.equal(a, b) for a, b in zip(weights(run), wanted, strict=True))
        half = (".tmp", ".candidate", ".partial")
        hidden = [p.name for p in run.iterdir() if any(part in p.name for part in half)]
        steps = read_lineage(run / "candidate").training["steps"]
        told = {"stage": stage, "ended": ended, "killed": killed, "same": same}
        print(json.dumps(found | told | {"hidden": hidden, "steps": steps}), flush=True)


if __name__ == "__main__":
    warnings.simplefilter("ignore")  # tracing a small network warns of its shapes
    torch.set_num_threads(1)
    torch.optim.AdamW(small_network().parameters())  # imports much, once and not in each child
    main(*(Path(name) for name in sys.argv[1:4]), int(sys.argv[4]))
