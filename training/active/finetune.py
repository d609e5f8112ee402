"""Fine-tunes the model in use on approved corrections, mixed with replayed exams.

    python -m training.active.finetune --store STORE --out RUN_DIR
        [--steps N] [--minutes M] [--mode frozen|low-rank|full] [--replay 0.5]

Writes RUN_DIR/candidate: the model with its description and lineage. The model in use stays; judge
the candidate with ``python -m training.active.gate RUN_DIR/candidate --store STORE --promote``. A
run that was stopped or killed goes on when the same command is given again. Where training
anatomies are built, they are replayed; elsewhere simulated patients are, from what is installed.
"""

from __future__ import annotations

import argparse
import signal
from contextlib import suppress
from pathlib import Path

from BrainstemALSLib.errors import BrainstemALSError, ExitCode

from ..commands import finish
from .finetune_loop import Setting
from .finetune_modes import MODES
from .finetune_run import fine_tune, make_plan, on_device

_EVERY = 20  # steps between two printed lines


class _StoppedError(BaseException):
    """Somebody stopped the run; not an Exception: nothing on the way may take it for one."""


def arguments_of(parser: argparse.ArgumentParser) -> None:
    """Give a parser what says how to fine-tune."""
    default = Setting()
    parser.add_argument("--steps", type=int, default=default.steps)
    parser.add_argument("--minutes", type=float, default=default.minutes, help="at most, in all")
    parser.add_argument("--mode", choices=MODES, default=default.mode, help="what may change")
    parser.add_argument("--replay", type=float, default=default.replay, help="share of steps, 0-1")
    parser.add_argument("--rate", type=float, help="peak learning rate; by mode when left out")
    parser.add_argument("--seed", type=int, default=default.seed)
    parser.add_argument("--device", default="auto", choices=("auto", "cpu", "cuda"))


def setting_of(options: argparse.Namespace) -> Setting:
    """Return the setting of parsed arguments.

    Raises
    ------
    BrainstemALSError
        USAGE: a number is out of range. DEVICE_UNAVAILABLE.
    """
    fits = options.steps >= 1 and options.minutes > 0 and 0 <= options.replay < 1
    if not fits or options.seed < 0 or (options.rate is not None and options.rate <= 0):
        raise BrainstemALSError(
            "--steps, --minutes, --replay, --rate, --seed",
            "one of these is out of range",
            "Give at least 1 step, some minutes, a replay from 0 to below 1, and a positive rate.",
            ExitCode.USAGE,
        )
    setting = Setting(
        options.steps, options.minutes, options.mode, options.replay, options.rate, options.seed
    )
    return on_device(setting, options.device)


def run(options: argparse.Namespace) -> None:
    """Carry out parsed arguments; Ctrl-C and SIGTERM stop between two steps."""
    stopped: list[int] = []
    told = {"stage": "", "calls": 0}

    def progress(stage: str, _fraction: float, text: str) -> None:
        if stopped:
            raise _StoppedError
        told["calls"] = 0 if stage != told["stage"] else told["calls"] + 1
        told["stage"] = stage
        if told["calls"] % _EVERY == 0:
            print(text, flush=True)

    kinds = (signal.SIGINT, signal.SIGTERM)
    before = {kind: signal.signal(kind, lambda number, _: stopped.append(number)) for kind in kinds}
    try:
        setting = setting_of(options)
        plan = make_plan(options.store, setting, progress)
        for warning in plan.warnings:
            print(warning)
        print(
            f"{len(plan.lessons)} exams to learn from, {plan.replay.count} replayed "
            f"({plan.replay.source})",
            flush=True,
        )
        found = fine_tune(plan, options.out, setting, progress)
    except _StoppedError:
        code = {signal.SIGINT: ExitCode.INTERRUPTED}.get(stopped[0], ExitCode.TERMINATED)
        raise BrainstemALSError(
            "fine-tuning",
            "it was stopped; what it learned so far is kept",
            "Give the same command again to go on.",
            code,
        ) from None
    finally:
        for kind, handler in before.items():
            with suppress(TypeError, ValueError):
                signal.signal(kind, handler)
    loss = found.lineage.training["loss"]
    print(f"Candidate: {found.folder.name}; loss {loss['first_tenth']} -> {loss['last_tenth']}")
    print("It is not in use: judge it with `python -m training.active.gate`.")


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--store", type=Path, required=True, help="annotation store; only read")
    parser.add_argument("--out", type=Path, required=True, help="folder of the run")
    arguments_of(parser)
    options = parser.parse_args()
    finish(lambda: run(options))


if __name__ == "__main__":
    main()
