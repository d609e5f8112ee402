"""Scores the model on simulated images of anatomies that training never saw.

    python -m training.evaluation.synthetic --cases 16 --seed 7 [--quick]

Every anatomy is segmented three times: with V1, without it, and from the T1 alone.
"""

from __future__ import annotations

import sys

import numpy as np

from BrainstemALSLib.errors import BrainstemALSError

from . import adapter, commands
from .metrics import Score, score_labels
from .score_table import (
    CONVENTIONS,
    beside_table,
    case_table,
    mark_at_least,
    summary_table,
)
from .summary import line_of, summarise
from .tables import Page

INPUTS = {
    "T1 + FA + MD + V1": lambda exam: exam,
    "T1 + FA + MD": adapter.without_directions,
    "T1 only": adapter.t1_only,
}
STEMS = {"T1 + FA + MD + V1": "t1_fa_md_v1", "T1 + FA + MD": "t1_fa_md", "T1 only": "t1"}
TIER_A_DICE = 0.85
TIER_B_DICE = 0.65
QUICK_CASES = 2


def evaluate(
    cases: list[str], seed: int, segmenter
) -> tuple[dict[str, dict[str, dict[str, Score]]], dict]:
    """Segment and score every case with every kind of input.

    Parameters
    ----------
    cases : list of str
        Names of held-out anatomies.
    seed : int
        The seed of a case's images is drawn from it and the case's place in the list.
    segmenter : Segmenter

    Returns
    -------
    (dict, dict)
        Scores by kind of input and case; what the segmentation says of its models.
    """
    scores: dict[str, dict[str, dict[str, Score]]] = {name: {} for name in INPUTS}
    model: dict = {}
    for number, case in enumerate(cases):
        image_seed = int(np.random.SeedSequence([seed, number]).generate_state(1)[0])
        exam, truth = adapter.simulate(case, image_seed)
        for name, choose in INPUTS.items():
            try:
                segmentation = segmenter.segment(choose(exam))
            except BrainstemALSError as refusal:
                # A refusal of a good exam is a failure of the method: it scores as nothing found.
                print(f"{case}, {name}: refused, {refusal}", file=sys.stderr)
                scores[name][case] = score_labels(_empty(truth), truth)
                continue
            model = segmentation.model
            scores[name][case] = score_labels(segmentation.labels, truth)
            brainstem = scores[name][case]["brainstem"].dice
            print(f"{number + 1}/{len(cases)} {case}, {name}: brainstem Dice {brainstem:.3f}")
    return scores, model


def page_of(
    scores: dict[str, dict[str, dict[str, Score]]], model: dict, seed: int, quick: bool
) -> Page:
    """Return the page of results."""
    summaries = {name: summarise(cases, seed) for name, cases in scores.items()}
    marks = []
    for name, lines in summaries.items():
        for tier, bound in (("A", TIER_A_DICE), ("B", TIER_B_DICE)):
            found = line_of(lines, f"tier_{tier}").dice.mean
            marks.append(mark_at_least(f"tier {tier} mean Dice, {name},", found, bound))
    count = len(next(iter(scores.values())))
    marks.append((f"at least 15 held-out anatomies: {count}", count >= 15))
    return Page(
        stem="synthetic_quick" if quick else "synthetic",
        title="Segmentation of simulated exams of held-out anatomies",
        kind="simulated",
        data=f"{count} anatomies of subjects kept from training, drawn by training.synthesis: "
        "boxes of 96 x 108 x 120 mm around the brainstem, 1 mm, undeformed.",
        seed=seed,
        model=model,
        marks=marks,
        tables=[
            beside_table("beside", "Mean Dice by input", summaries),
            *(
                summary_table(STEMS[name], f"Scores, {name}", lines)
                for name, lines in summaries.items()
            ),
        ],
        notes=[
            *CONVENTIONS,
            "Simulated images are drawn from the same label atlas that training used, by the same "
            "kind of simulation: these figures say how well the model learnt its task, not how "
            "well it finds structures in patients.",
        ],
        attachments=[
            case_table(f"cases_{STEMS[name]}", f"Scores of every case, {name}", cases)
            for name, cases in scores.items()
        ],
    )


def _empty(truth):
    return type(truth)(np.zeros_like(truth.array), truth.affine)


def main(arguments: list[str] | None = None) -> int:
    """Run the command."""
    parser = commands.arguments(__doc__)
    parser.add_argument("--cases", type=int, default=16)
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument(
        "--quick", action="store_true", help=f"{QUICK_CASES} cases, a page of its own"
    )
    options = parser.parse_args(arguments)
    try:
        cases = adapter.held_out(QUICK_CASES if options.quick else options.cases)
        segmenter = adapter.segmenter(options.device, options.model_dir)
        scores, model = evaluate(cases, options.seed, segmenter)
    except BrainstemALSError as refusal:
        print(refusal, file=sys.stderr)
        return int(refusal.code)
    page = page_of(scores, model, options.seed, options.quick)
    commands.publish(page, options.out)
    return 0


if __name__ == "__main__":
    sys.exit(main())
