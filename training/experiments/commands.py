"""What the commands of the study share: their arguments, and how they end."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path

import torch

from ..commands import finish
from .settings import DEFAULT, read_settings
from .study import Run, Study


def arguments(description: str) -> argparse.ArgumentParser:
    """Return a parser with the arguments of every command of the study."""
    parser = argparse.ArgumentParser(description=description.splitlines()[0])
    parser.add_argument(
        "--config", type=Path, default=DEFAULT, help="TOML; study.toml unless given"
    )
    parser.add_argument(
        "--scans",
        type=Path,
        metavar="FOLDER",
        help="T1s of your own (NIfTI), without labels; name it every time, or runs are done again",
    )
    return parser


def study_of(options: argparse.Namespace) -> Study:
    """Return the study that the arguments name."""
    torch.set_num_threads(1)
    return Study(read_settings(options.config), options.scans)


def one_method(description: str, runs: Callable[[Study], list[Run]]) -> None:
    """Be the command that does the runs of one method."""

    def command() -> None:
        study = study_of(arguments(description).parse_args())
        study.perform_all(runs(study))

    finish(command)
