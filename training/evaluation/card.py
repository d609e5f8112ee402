"""Builds the model card: prose from a template, every figure from the pages of docs/results.

    python -m training.evaluation.card [--check]

The template is a Jinja2 template in docs/model-cards; what it may call is in ``Figures``. A card is
only built from whole and current pages: a missing one, and one that was measured with another
model than the bundled one, is refused with the command that makes it. ``--check`` writes nothing
and says whether the card is what the pages and the template give now.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from BrainstemALSLib.errors import BrainstemALSError

from ..data import repository
from .card_figures import Figures, template_error
from .tables import results_dir

NAME = "segmentation"
COMMAND = "python -m training.evaluation.card"


def cards_dir() -> Path:
    """Folder of the model cards and of the template."""
    return repository() / "docs" / "model-cards"


def template_path() -> Path:
    """Return the file of the template."""
    return cards_dir() / f"{NAME}.template.md"


def render(figures: Figures, template: str) -> str:
    """Return the card.

    Raises
    ------
    BrainstemALSError
        A page is missing or of another model, or the template asks for what is not there.
    """
    import jinja2

    environment = jinja2.Environment(
        undefined=jinja2.StrictUndefined, trim_blocks=True, lstrip_blocks=True,
        keep_trailing_newline=True, autoescape=False,
    )  # fmt: skip
    try:
        return environment.from_string(template).render(figures.names())
    except (jinja2.TemplateError, TypeError) as error:
        raise template_error(str(error)) from error


def card_path() -> Path:
    """Return the file of the card."""
    return cards_dir() / f"{NAME}.md"


def main(arguments: list[str] | None = None) -> int:
    """Run the command."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--check", action="store_true", help="write nothing, say if it is current")
    parser.add_argument("--results", type=Path, help="folder of pages instead of docs/results")
    parser.add_argument("--model-dir", type=Path)
    parser.add_argument("--out", type=Path, help="file instead of docs/model-cards")
    options = parser.parse_args(arguments)
    path = options.out or card_path()
    try:
        figures = Figures(options.results or results_dir(), options.model_dir)
        text = render(figures, template_path().read_text(encoding="utf-8"))
    except BrainstemALSError as refusal:
        print(refusal, file=sys.stderr)
        return int(refusal.code)
    if options.check:
        current = path.is_file() and path.read_text(encoding="utf-8") == text
        print(f"{path.name}: {'up to date' if current else f'not up to date, run `{COMMAND}`'}")
        return 0 if current else 1
    path.write_text(text, encoding="utf-8")
    print(f"Written: {path.name}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
