"""What the evaluation commands share: their arguments, and how they end."""

from __future__ import annotations

import argparse
from pathlib import Path

from .tables import Page, write_page

_WORDS = {True: "reached    ", False: "not reached", None: "not measured"}


def arguments(description: str, models: bool = True) -> argparse.ArgumentParser:
    """Return a parser with the arguments of every evaluation.

    Parameters
    ----------
    description : str
        Docstring of the command; its first line is shown.
    models : bool
        Whether a segmenter takes part, whose device and models can be chosen.
    """
    parser = argparse.ArgumentParser(description=description.splitlines()[0])
    if models:
        parser.add_argument("--device", default="auto", choices=("auto", "cpu", "cuda"))
        parser.add_argument("--model-dir", type=Path)
    parser.add_argument("--out", type=Path, help="folder instead of docs/results")
    return parser


def publish(page: Page, folder: Path | None) -> None:
    """Write a page and print what was reached."""
    path = write_page(page, folder)
    for text, passed in page.marks:
        print(f"{_WORDS[passed]}  {text}")
    print(f"Written: {path.name}")
