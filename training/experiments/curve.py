"""The whole study of learning from few labels, and its page.

    python -m training.experiments.curve [--config FILE] [--only METHOD ...] [--page-only]

Does every run that has no result yet, one after another; a study that was stopped goes on with the
run it was at. Then writes docs/results/few_labels.md.
"""

from __future__ import annotations

from pathlib import Path

from BrainstemALSLib.errors import BrainstemALSError, ExitCode

from ..commands import finish
from ..evaluation.commands import publish
from ..evaluation.tables import results_dir
from . import commands, few_shot, ingredients, mean_teacher, page, pretrain, supervised, transfer
from .study import Run, Study

METHODS = {
    "scratch": supervised.runs,
    "self_supervised": pretrain.runs,
    "transfer": transfer.runs,
    "few_shot": few_shot.runs,
    "mean_teacher": mean_teacher.runs,
    "ingredients": ingredients.runs,
}


def all_runs(study: Study, only: list[str] | None = None) -> list[Run]:
    """Return the runs of a study, or of some methods, each once."""
    chosen = [run for name in (only or METHODS) for run in METHODS[name](study)]
    return list({run.name: run for run in chosen}.values())


def write(study: Study, folder: Path) -> None:
    """Write the page of what is done.

    Raises
    ------
    BrainstemALSError
        No run has a result.
    """
    results = [result for run in all_runs(study) if (result := study.finished(run))]
    if not any(result.scores for result in results):
        raise BrainstemALSError(
            study.settings.name,
            "no run of this study has a result yet",
            "Run `python -m training.experiments.curve` without --page-only.",
            ExitCode.USAGE,
        )
    lacking = len(all_runs(study)) - len(results)
    publish(page.page_of(study, results, lacking, folder), folder)


def main() -> None:
    """Command line."""
    parser = commands.arguments(__doc__)
    parser.add_argument("--only", nargs="+", choices=METHODS, metavar="METHOD")
    parser.add_argument("--page-only", action="store_true", help="write the page of what is done")
    parser.add_argument("--out", type=Path, help="folder instead of docs/results")
    options = parser.parse_args()
    study = commands.study_of(options)
    if not options.page_only:
        study.perform_all(all_runs(study, options.only))
    write(study, options.out or results_dir())


if __name__ == "__main__":
    finish(main)
