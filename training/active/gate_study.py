"""How often the gate is right: simulated models that are harmed, better, the same, or worse.

    python -m training.active.gate_study [--runs 40] [--seed 3] [--out DIR]

No network takes part: models are ``gate_simulated``, the anatomies are real shapes. Every run draws
its own model in use, candidates and exams; the same exams are judged by, first few, then more.
"""

from __future__ import annotations

import argparse
import sys
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from BrainstemALSLib.anatomy import REGIONS, by_key, load_structures
from BrainstemALSLib.errors import BrainstemALSError, ExitCode
from BrainstemALSLib.imaging.volume import Volume

from .. import anatomies
from ..commands import finish
from ..evaluation import commands
from ..evaluation.tables import Page, Table
from .gate import judge_overlaps
from .gate_rules import MARGINS, NEEDS_MORE, OUTCOMES, PROMOTE, REJECT, Rules
from .gate_scores import Overlap, dice_table, overlap
from .gate_simulated import (
    HARMS,
    SHARED,
    SimulatedCase,
    SimulatedModel,
    harmed,
    shape_of,
    simulated_case,
)
from .gate_statistics import paired_differences

SUBJECTS = 16
"""About as many as there are held-out anatomies."""
LOOKS = (1, 3, 6)
"""Exams of each subject; a candidate that needs more cases is judged again with the next."""
LEVEL_MM, LEVEL_SPREAD = 0.45, 0.15
"""Errors of the model in use, mm, and how much they differ between structures; own choice."""
BETTER = (0.85, 0.95)
"""Factor on the errors of a better model, drawn uniformly; own choice."""
WORSE = 1.5
"""Factor on the errors of one structure of a candidate that is better elsewhere; own choice."""
EVERYWHERE, CORRECTED = "better everywhere", "better where corrected, the same elsewhere"
SAME, ONE_WORSE = "the same", "better, but one structure worse"
BETTER_KINDS = (EVERYWHERE, CORRECTED)
KINDS = (*HARMS, *BETTER_KINDS, SAME, ONE_WORSE)
REJECTED_MARK, PROMOTED_MARK = 1.0, 0.9


@dataclass(frozen=True)
class Verdict:
    """One judgement of the study.

    Attributes
    ----------
    run : int
    kind : str
        One of ``KINDS``.
    exams : int
        Of each subject.
    outcome : str
    gain : float
        Mean Dice gained over the target structures, as the gate saw it.
    reason : str
        The first.
    spread : float
        Mean over structures of the standard deviation between exams of the paired differences.
    """

    run: int
    kind: str
    exams: int
    outcome: str
    gain: float
    reason: str
    spread: float


def study_run(
    run: int,
    seed: int,
    shapes: list[tuple[str, Volume]],
    subjects: int = SUBJECTS,
    looks: tuple[int, ...] = LOOKS,
    rules: Rules | None = None,
) -> list[Verdict]:
    """Judge one candidate of each kind.

    Parameters
    ----------
    run, seed : int
        Together they seed everything that is drawn.
    shapes : list of (str, Volume)
        Names of anatomies and their labels, as ``shape_of`` returns them; more than ``subjects``.
    subjects : int
    looks : tuple of int
        Numbers of exams of each subject.
    rules : Rules, optional
    """
    draw = np.random.default_rng([seed, run])
    chosen = [shapes[n] for n in draw.permutation(len(shapes))[:subjects]]
    seeds = draw.integers(2**31, size=(max(looks), len(chosen)))
    structures = load_structures()
    levels = LEVEL_MM * draw.uniform(1 - LEVEL_SPREAD, 1 + LEVEL_SPREAD, len(structures))
    current = SimulatedModel("in use", levels, 1)
    factor = float(draw.uniform(*BETTER))
    region = REGIONS[run % len(REGIONS)]
    corrected = tuple(s.key for s in structures if s.parent == region)
    spoilt = structures[int(draw.integers(len(structures)))].key
    better = current.better(factor, 2)
    models = {
        EVERYWHERE: better,
        CORRECTED: current.better(factor, 3, corrected),
        SAME: current.better(1.0, 4),
        ONE_WORSE: better.better(WORSE / factor, 5, (spoilt,)),
    }
    harm_seed = int(draw.integers(2**31))
    known, before = [], []
    after: dict[str, list[Overlap]] = {kind: [] for kind in KINDS}
    verdicts: list[Verdict] = []
    asked = set(KINDS)
    for look in looks:
        # Only who needs more cases is looked at again.
        for numbers in seeds[len(known) // len(chosen) : look]:
            for (name, truth), number in zip(chosen, numbers, strict=True):
                case = simulated_case(truth, name, int(number))
                known.append((case.case.name, case.case.subject, case.case.kind))
                before.append(_overlap(current, case))
                for kind, found in _answers(case, models, asked, harm_seed):
                    after[kind].append(found)
        for kind in KINDS:
            if kind in asked:
                targets = corrected if kind == CORRECTED else None
                verdicts.append(
                    _verdict(run, kind, look, known, before, after[kind], targets, rules)
                )
        asked = {v.kind for v in verdicts if v.exams == look and v.outcome == NEEDS_MORE}
    return verdicts


def _answers(
    case: SimulatedCase, models: dict[str, SimulatedModel], asked: set[str], harm_seed: int
) -> Iterator[tuple[str, Overlap]]:
    """Overlaps of the candidates that are asked for, in one exam."""
    for kind, model in models.items():
        harms = [harm for harm in HARMS if harm in asked] if kind == EVERYWHERE else []
        if kind in asked or harms:
            prediction = model.predict(case.case, case)
            if kind in asked:
                yield kind, overlap(prediction, case.case)
            for harm in harms:  # to the best, in which it is the hardest to see
                yield harm, overlap(harmed(prediction, harm, harm_seed), case.case)


def final(verdicts: list[Verdict]) -> list[Verdict]:
    """Return the last judgement of each candidate: the first that is not for more cases."""
    last: dict[tuple[int, str], Verdict] = {}
    for verdict in sorted(verdicts, key=lambda verdict: verdict.exams):
        before = last.get((verdict.run, verdict.kind))
        if before is None or before.outcome == NEEDS_MORE:
            last[verdict.run, verdict.kind] = verdict
    return list(last.values())


def page_of(verdicts: list[Verdict], runs: int, seed: int, count: int) -> Page:
    """Return the page of results."""
    ended = final(verdicts)
    marks = []
    for kinds, outcome, bound, text in (
        *(((kind,), REJECT, REJECTED_MARK, "rejected 100 %") for kind in HARMS),
        *(((kind,), PROMOTE, PROMOTED_MARK, "promoted at least 90 %") for kind in BETTER_KINDS),
    ):
        found = [v for v in ended if v.kind in kinds]
        hits = sum(v.outcome == outcome for v in found)
        marks.append((f"{kinds[0]}: {text}: {hits} of {len(found)}", hits >= bound * len(found)))
    looks = sorted({v.exams for v in verdicts})
    return Page(
        stem="gate",
        title="How often the gate is right",
        kind="simulated",
        data=f"label maps of {count} anatomies, {SUBJECTS} in each run; predictions are the truth, "
        "displaced by smooth random fields. No network and no image takes part.",
        seed=seed,
        tables=[_outcomes(verdicts, ended, looks), _why(ended)],
        marks=marks,
        notes=[
            f"Each of {runs} runs draws a model in use, one candidate of each kind, and the exams. "
            f"Of the displacement's variance {SHARED:.0%} is shared between models.",
            f"Margins (own choice): tier A {MARGINS['A']:g}, tier B {MARGINS['B']:g} Dice. Harm is "
            "done to the predictions of the candidate that is better everywhere.",
            f"Better: errors {BETTER[0]:g} to {BETTER[1]:g} times those of the model in use. "
            "Better where corrected: in one region only; elsewhere they are as large, but its own. "
            f"One structure worse: errors {WORSE:g} times as large there.",
            "A candidate that needs more cases is judged again with more exams of the same "
            "subjects, as the command does with a larger --cases; the marks are set on what comes "
            "of it in the end. What looking again costs shows in the rows of candidates that are "
            "not better.",
            "How alike two networks err is a guess here (see the spread). Where they are less "
            "alike, more exams are needed.",
            "The size and likeness of the errors, how much better a better model is, and the last "
            "look were chosen after trial runs of this study (seed 3), in some of which too few of "
            "the better candidates were promoted. The rows of fewer exams tell what comes of it "
            "without the last look.",
        ],
        attachments=[_every(verdicts)],
    )


def _outcomes(verdicts: list[Verdict], ended: list[Verdict], looks: list[int]) -> Table:
    rows: list[tuple] = []
    for kind in KINDS:
        for look in (*looks, None):
            found = [
                v for v in (ended if look is None else verdicts)
                if v.kind == kind and look in (None, v.exams)
            ]  # fmt: skip
            if not found:
                continue
            counts = Counter(v.outcome for v in found)
            means = [float(np.mean([getattr(v, n) for v in found])) for n in ("gain", "spread")]
            exams = "in the end" if look is None else str(look * SUBJECTS)
            rows.append((kind, exams, len(found), *(counts[o] for o in OUTCOMES), *means))
    columns = (
        "candidate", "exams", "runs", "promoted", "rejected", "needs more", "mean gain (Dice)",
        "spread between exams (Dice)",
    )  # fmt: skip
    return Table("outcomes", "Outcomes by kind of candidate", columns, rows, digits=4)


def _why(ended: list[Verdict]) -> Table:
    """Kinds of first reasons: their beginnings, without figures and names."""
    found = Counter((v.kind, v.outcome, _kind_of_reason(v.reason)) for v in ended)
    rows = [(*what, count) for what, count in sorted(found.items(), key=lambda i: _order(i[0]))]
    columns = ("candidate", "outcome in the end", "first reason", "runs")
    return Table("reasons", "First reasons", columns, rows)


def _order(what: tuple[str, str, str]) -> tuple[int, int, str]:
    return KINDS.index(what[0]), OUTCOMES.index(what[1]), what[2]


def _kind_of_reason(reason: str) -> str:
    for start, kind in (
        ("The candidate has a wrong orientation", "wrong orientation"),
        ("The candidate confuses", "confused structures"),
        ("The candidate no longer draws", "vanished structures"),
        ("It is not certain yet that the structures", "gain not certain"),
        ("It is not certain yet", "a structure not certain"),
    ):
        if reason.startswith(start):
            return kind
    return "a structure worse" if "got worse" in reason else "gain"


def _every(verdicts: list[Verdict]) -> Table:
    columns = ("run", "candidate", "exams", "outcome", "gain", "first reason")
    rows = [(v.run, v.kind, v.exams * SUBJECTS, v.outcome, v.gain, v.reason) for v in verdicts]
    return Table("runs", "Every judgement", columns, rows)


def _overlap(model: SimulatedModel, case: SimulatedCase) -> Overlap:
    return overlap(model.predict(case.case, case), case.case)


def _verdict(
    run: int,
    kind: str,
    look: int,
    known: list[tuple[str, str, str]],
    before: list[Overlap],
    after: list[Overlap],
    targets: tuple[str, ...] | None,
    rules: Rules | None,
) -> Verdict:
    found = judge_overlaps(known, before, after, tuple(by_key()), targets, rules, run)
    differences = paired_differences(dice_table(before), dice_table(after))
    spread = float(np.nanmean(np.nanstd(differences, axis=0, ddof=1)))
    return Verdict(run, kind, look, found.outcome, found.gain, found.reasons[0], spread)


def main(arguments: list[str] | None = None) -> int:
    """Run the command."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--runs", type=int, default=40)
    parser.add_argument("--seed", type=int, default=3)
    parser.add_argument("--out", type=Path, help="folder instead of docs/results")
    options = parser.parse_args(arguments)
    finish(lambda: _main(options))
    return 0


def _main(options: argparse.Namespace) -> None:
    names = [*anatomies.built_cases(held_out=True), *anatomies.built_cases(held_out=False)]
    if not names:
        raise BrainstemALSError(
            "anatomies",
            "none is built",
            "Run `make atlas` first; it needs ../shared/data.",
            ExitCode.USAGE,
        )
    shapes = [(name, shape_of(anatomies.load_anatomy(name))) for name in names]
    verdicts = []
    for run in range(options.runs):
        found = study_run(run, options.seed, shapes)
        verdicts += found
        told = {v.kind: v.outcome for v in final(found)}
        print(f"{run + 1}/{options.runs} {told}", flush=True)
    commands.publish(page_of(verdicts, options.runs, options.seed, len(names)), options.out)


if __name__ == "__main__":
    sys.exit(main())
