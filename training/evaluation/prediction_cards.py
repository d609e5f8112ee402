"""Write the cards of the prediction models: ``python -m training.evaluation.prediction_cards``.

One card a model in docs/model-cards, with the headings of TRIPOD+AI (Collins et al. 2024,
doi:10.1136/bmj-2023-078378): prose from prediction_cards.toml, whom it was learned from out of the
model file, performance out of the page of results. ``--check`` writes nothing and says which cards
are not what they would be now.
"""

from __future__ import annotations

import argparse
import sys
import tomllib
from pathlib import Path
from typing import Any

from BrainstemALSLib.errors import BrainstemALSError
from BrainstemALSLib.prediction.model_files import Training, bundled, read_model

from ..data import repository
from .tables import results_dir
from .written_pages import PASSED, WrittenPage, read_page

COMMAND = "python -m training.evaluation.prediction_cards"
NOT_FOR = (
    "Research use only. Not a medical device, not for diagnosis, not for decisions on treatment or "
    "ventilation."
)
SIMULATED = (
    "Nobody was examined for it: people, courses and measurements were simulated "
    "(training/cohort), with the errors that the real segmentation made on simulated images. How "
    "well it does on patients is not known. What images add is a property of the simulator's "
    "settings and no evidence."
)
FIT_AGAIN = " Fit it again on a real cohort before anything is read from it."
_WORDS = {passed: word for word, passed in PASSED.items()}


def cards_dir() -> Path:
    """Folder of the cards."""
    return repository() / "docs" / "model-cards"


def prose() -> dict[str, dict[str, Any]]:
    """Return the prose of every model, by kind."""
    path = Path(__file__).with_suffix(".toml")
    return tomllib.loads(path.read_text(encoding="utf-8"))


def card(kind: str, text: dict[str, Any], training: Training, page: WrittenPage) -> str:
    """Return one card as Markdown.

    Parameters
    ----------
    kind : str
        Of the model file.
    text : dict
        Its section of prediction_cards.toml.
    training : Training
    page : WrittenPage
    """
    groups = ", ".join(f"{count} {name}" for name, count in training.people.items())
    source = "simulated people" if training.source == "simulated" else "real people"
    # What only a simulation knows cannot be learned from a real cohort.
    real = text.get("real_cohort", True)
    again = f"; on a real cohort: `{text['fit']} --cohort DIR`" if real else ""
    warning = SIMULATED + FIT_AGAIN * real
    lines = [
        f"# {text['title']} ({training.source} training data)",
        "",
        f"> {NOT_FOR}",
        "",
        f"Written by `{COMMAND}`; headings after TRIPOD+AI (doi:10.1136/bmj-2023-078378).",
        "",
        "## Use",
        "",
        text["question"],
        "",
        "For research, and to see how the software works, by people who know ALS and its imaging.",
        "",
        "## Source of data and participants",
        "",
        f"- Learned from {source}: {groups}, {training.sites} sites; seed {training.seed}, "
        f"{training.date}, version {training.version}.",
        f"- Again: `{training.command}`{again}.",
        *([f"- {warning}"] if training.source == "simulated" else []),
        "",
        "## Outcome, predictors, missing data",
        "",
        f"- Outcome: {text['outcome']}",
        f"- Predictors: {text['predictors']}",
        f"- Missing: {text['missing']}",
        f"- Uncertainty: {text['uncertainty']}",
        "",
        "## Performance",
        "",
        f"[{page.title}](../results/{page.stem}.md), {page.kind} data: {page.facts['Data']} "
        f"Seed {page.facts.get('Seed', 'none')}, {page.facts['Date']}.",
        "",
        "| asked for, and found | |",
        "|---|---|",
        *(f"| {mark} | {_WORDS[passed]} |" for mark, passed in page.marks),
        "",
        "## Model and code",
        "",
        f"`Resources/Prediction/{kind}.json` holds every number; the form of the model is in "
        f"`BrainstemALSLib/prediction`, the fit in `training/prediction`. No pickles.",
        "",
    ]
    return "\n".join(lines)


def cards(results: Path) -> dict[Path, str]:
    """Return the text of every card by its file.

    Raises
    ------
    BrainstemALSError
        A model or a page is missing or damaged.
    """
    found = {}
    for kind, text in prose().items():
        training, _ = read_model(bundled(kind), kind)
        page = read_page(results, text["page"], f"python -m training.evaluation.{text['page']}")
        found[cards_dir() / f"{kind}.md"] = card(kind, text, training, page)
    return found


def main(arguments: list[str] | None = None) -> int:
    """Run the command."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--check", action="store_true", help="write nothing, say what is old")
    parser.add_argument("--out", type=Path, help="folder instead of docs/model-cards")
    given = parser.parse_args(arguments)
    try:
        made = cards(results_dir())
    except BrainstemALSError as refusal:
        print(refusal, file=sys.stderr)
        return int(refusal.code)
    stale = 0
    for path, text in made.items():
        path = (given.out or path.parent) / path.name
        if given.check:
            current = path.is_file() and path.read_text(encoding="utf-8") == text
            stale += not current
            print(f"{path.name}: {'up to date' if current else f'not up to date: {COMMAND}'}")
            continue
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
        print(f"Written: {path.name}")
    return int(stale > 0)


if __name__ == "__main__":
    sys.exit(main())
