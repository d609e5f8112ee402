"""What the training commands share: their arguments, and how they end."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable

from BrainstemALSLib.errors import BrainstemALSError, ExitCode

from .anatomies import anatomies_dir, built_cases
from .loop import RunEndedError


def run_arguments(
    description: str, name: str, steps: int, minutes: float
) -> argparse.ArgumentParser:
    """Return a parser with the arguments of every training run, and their defaults."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--name", default=name, help="of the run: its folder under data/runs")
    parser.add_argument("--steps", type=int, default=steps)
    parser.add_argument("--minutes", type=float, default=minutes, help="resumed parts included")
    parser.add_argument("--seed", type=int, help="of the samples; else one not used before")
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--rate", type=float, default=2e-3, help="peak learning rate")
    parser.add_argument("--no-export", action="store_true")
    parser.add_argument(
        "--warm-start", action="store_true", help="a new run begins with the bundled weights"
    )
    return parser


def training_cases() -> list[str]:
    """Names of the built anatomies that training may see.

    Raises
    ------
    BrainstemALSError
        None is built.
    """
    cases = built_cases(held_out=False)
    if not cases:
        raise BrainstemALSError(
            anatomies_dir(),
            "no anatomy is built",
            "Run `make atlas` first; it needs the data of ../shared/data.",
            ExitCode.USAGE,
        )
    return cases


def finish(command: Callable[[], None]) -> None:
    """Run a command; a refusal becomes one sentence and its exit code.

    A run that has ended before is no failure: ``make train`` goes on with what comes next.
    """
    try:
        command()
    except RunEndedError as ended:
        print(ended)
    except BrainstemALSError as refusal:
        print(refusal, file=sys.stderr)
        raise SystemExit(int(refusal.code)) from None
