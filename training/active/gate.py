"""Judges a candidate model beside the model in use: promote, reject, or needs more cases.

    python -m training.active.gate CANDIDATE_DIR [--store STORE] [--cases N] [--out DIR] [--promote]

On a frozen validation set (``frozen_set``) the candidate has to pass hard checks (``gate_checks``),
to be not worse in any structure by more than its margin (``gate_rules``), and to be better in the
mean of the structures that the corrections were about. The outcome with its reasons is written as a
page, JSON and TSV; with ``--promote`` a candidate that passes is put into use.

Where no held-out anatomies are built, simulated patients of the one installed anatomy take their
place. However many they are, they are no sample of subjects: they count for the checks alone, and
margins and gain are shown by approved cases that are set aside.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from BrainstemALSLib.anatomy import CONTEXT, by_key, load_structures
from BrainstemALSLib.errors import BrainstemALSError, ExitCode

from . import gate_checks as checks
from .gate_rules import NEEDS_MORE, PROMOTE, REJECT, Flagged, Judgement, Line, Rules, names_of
from .gate_scores import PATIENT, Overlap, Predictor, ValidationCase, dice_table, overlap
from .gate_statistics import Bounds, bootstrap_bounds, by_subject, mean_of, paired_differences

NOT_WORSE, WORSE, NOT_SHOWN, NOT_THERE = "not worse", "worse", "not shown", "not there"


def judge(
    cases: Iterable[ValidationCase],
    current: Predictor,
    candidate: Predictor,
    targets: Sequence[str] | None = None,
    rules: Rules | None = None,
    seed: int = 0,
    progress: Callable[[ValidationCase], None] | None = None,
) -> Judgement:
    """Judge a candidate.

    Parameters
    ----------
    cases : iterable of ValidationCase
        The frozen set; each case is asked for once, and its images are not kept.
    current, candidate : Predictor
        The model in use and the one that wants its place.
    targets : sequence of str, optional
        Structures that should get better; all of the brainstem where left out.
    rules : Rules, optional
    seed : int
        Of the bootstrap.
    progress : callable, optional
        Called with each case once it is scored.
    """
    wrong = checks.check_outputs(current.keys, candidate.keys)
    if wrong:
        return refused("outputs", wrong, rules)
    known, old, new = [], [], []
    for case in cases:
        old.append(overlap(current.predict(case), case))
        new.append(overlap(candidate.predict(case), case))
        # What is kept of a case are names: images of many would fill the memory.
        known.append((case.name, case.subject, case.kind))
        if progress is not None:
            progress(case)
    return judge_overlaps(known, old, new, current.keys, targets, rules, seed)


def judge_overlaps(
    cases: Sequence[tuple[str, str, str]],
    current: Sequence[Overlap],
    candidate: Sequence[Overlap],
    keys: Sequence[str],
    targets: Sequence[str] | None = None,
    rules: Rules | None = None,
    seed: int = 0,
) -> Judgement:
    """Judge overlaps that were counted before.

    Parameters
    ----------
    cases : sequence of (str, str, str)
        Name, subject and kind of each case.
    current, candidate : sequence of Overlap
        One for each case.
    keys : sequence of str
        Structures that both models have outputs for.
    targets, rules, seed
        See ``judge``.
    """
    rules = rules or Rules()
    if not cases:
        return Judgement(NEEDS_MORE, ("There is no exam to judge by.",), (), rules=rules)
    found = [
        ("answers", checks.check_answers([name for name, *_ in cases], current, candidate)),
        ("orientation", checks.check_orientation(candidate)),
        ("vanished structures", checks.check_vanished(current, candidate)),
        ("confused structures", checks.check_swaps(current, candidate)),
    ]
    patients = [n for n, (*_, kind) in enumerate(cases) if kind == PATIENT]
    sampled = [n for n, (*_, kind) in enumerate(cases) if kind != PATIENT]
    if patients:
        pair = [[overlaps[n] for n in patients] for overlaps in (current, candidate)]
        found.append(("simulated patients", checks.check_patients(*pair, keys, rules)))
    # Many exams of one anatomy among subjects would feign certainty; alone they show means only.
    subjects = [cases[n][1] for n in sampled or patients]
    facts: dict[str, Any] = {
        "checks": (("outputs", ""), *found),
        "cases": len(cases),
        "subjects": len(set(subjects)) if sampled else 0,
        "patients": len(patients),
        "unfamiliar": (checks.flagged(current), checks.flagged(candidate)),
        "kinds": tuple(sorted({kind for *_, kind in cases})),
        "rules": rules,
    }
    targets = _targets(keys, targets)
    tables = [
        dice_table([overlaps[n] for n in sampled or patients]) for overlaps in (current, candidate)
    ]
    differences = by_subject(paired_differences(*tables), subjects)
    bounds = bootstrap_bounds(differences, rules.confidence, rules.resamples, seed)
    means = [mean_of(by_subject(table, subjects)) for table in tables]
    lines = tuple(_lines(keys, targets, bounds, means, rules))
    aimed = [n for n, structure in enumerate(load_structures()) if structure.key in targets]
    of_targets = mean_of(differences[:, aimed].T)[:, None]
    gain = bootstrap_bounds(of_targets, rules.confidence, rules.resamples, seed)
    facts |= {"lines": lines}
    facts |= {f"gain{end}": float(value[0]) for end, value in _ends(gain).items()}
    wrong = tuple(sentence for _, sentence in found if sentence)
    judgement = Judgement("", (), **facts)
    outcome, reasons = (REJECT, wrong) if wrong else _weigh(judgement)
    return replace(judgement, outcome=outcome, reasons=(*reasons, *_blind(*judgement.unfamiliar)))


def refused(check: str, sentence: str, rules: Rules | None = None) -> Judgement:
    """Return the judgement of a candidate that could not even be asked."""
    return Judgement(REJECT, (sentence,), ((check, sentence),), rules=rules or Rules())


def _ends(bounds: Bounds) -> dict[str, np.ndarray]:
    return {"": bounds.mean, "_low": bounds.low, "_high": bounds.high}


def _targets(keys: Sequence[str], targets: Sequence[str] | None) -> tuple[str, ...]:
    if targets is None:
        structures = by_key()
        return tuple(key for key in keys if structures[key].parent != CONTEXT)
    unknown = [key for key in targets if key not in keys]
    if unknown or not targets:
        raise BrainstemALSError(
            "target structures",
            f"the models do not draw {', '.join(unknown)}" if unknown else "none is named",
            "Name structures by the keys of Resources/Anatomy/structures.tsv.",
            ExitCode.USAGE,
        )
    return tuple(targets)


def _lines(
    keys: Sequence[str],
    targets: Sequence[str],
    bounds: Bounds,
    means: Sequence[np.ndarray],
    rules: Rules,
) -> Iterator[Line]:
    for n, structure in enumerate(load_structures()):
        if structure.key not in keys:
            continue
        margin = rules.margin_of(structure.tier)
        low, worst_high = bounds.low[n], bounds.joint_high[n]
        state = NOT_SHOWN
        if not np.isfinite(bounds.mean[n]):
            state = NOT_THERE
        elif worst_high < -margin:
            state = WORSE
        elif low > -margin:
            state = NOT_WORSE
        yield Line(
            key=structure.key,
            name=structure.name,
            tier=structure.tier,
            margin=margin,
            current=float(means[0][n]),
            candidate=float(means[1][n]),
            difference=float(bounds.mean[n]),
            low=float(low),
            high=float(bounds.high[n]),
            worst_high=float(worst_high),
            target=structure.key in targets,
            state=state,
        )


def _weigh(found: Judgement) -> tuple[str, tuple[str, ...]]:
    """Outcome and reasons of a candidate that passed the checks."""
    rules = found.rules
    if found.subjects < rules.min_subjects:
        sentence = (
            f"Only {found.subjects} subjects were there to judge by; at least "
            f"{rules.min_subjects} are needed."
        )
        return NEEDS_MORE, (sentence, *_few_help(found.patients))
    worse = [line for line in found.lines if line.state == WORSE]
    reasons = [
        f"{line.name} got worse: mean Dice {line.current:.3f} before, {line.candidate:.3f} now; "
        f"it may lose {line.margin:g}."
        for line in sorted(worse, key=lambda line: line.difference)
    ]
    bound = f"{rules.confidence:.0%} bound"
    if found.gain_high < rules.smallest_gain:
        reasons.append(
            f"The structures that should get better change by {found.gain:+.4f} Dice in the mean, "
            f"{found.gain_high:+.4f} at best ({bound}); a change of model is worth it from "
            f"{rules.smallest_gain:+g} on."
        )
    if reasons:
        return REJECT, tuple(reasons)
    open_ = [line for line in found.lines if line.state == NOT_SHOWN]
    if open_:
        worst = min(open_, key=lambda line: line.low + line.margin)
        reasons.append(
            f"It is not certain yet that {names_of([line.key for line in open_])} "
            f"{'stays' if len(open_) == 1 else 'stay'} as good: {worst.name} may have lost "
            f"{max(-worst.low, 0):.3f} Dice ({bound}), and {worst.margin:g} is allowed."
        )
    if not found.gain_low > 0:
        reasons.append(
            "It is not certain yet that the structures that should get better do: they gain "
            f"{found.gain:+.4f} Dice in the mean, at least {found.gain_low:+.4f} ({bound})."
        )
    if reasons:
        return NEEDS_MORE, tuple(reasons)
    return PROMOTE, (
        f"The structures that should get better gain {found.gain:+.4f} Dice in the mean, at least "
        f"{found.gain_low:+.4f} ({bound}).",
        "No structure lost more than its margin: "
        + ", ".join(f"tier {tier} {margin:g}" for tier, margin in rules.margins.items())
        + f" Dice ({bound} of each).",
    )


def _few_help(patients: int) -> Iterator[str]:
    if patients:
        yield (
            f"The simulated patients ({patients}) are all one anatomy, which shows harm at most: "
            "approve exams of more people, of whom about one in five is set aside to judge by, and "
            "judge with a new validation set (--new-set)."
        )


def _blind(current: Flagged, candidate: Flagged) -> Iterator[str]:
    if current.compared and not candidate.compared:
        yield (
            "The candidate has no description of the exams it learned from: unlike the model in "
            "use, it cannot warn of an exam that it does not know."
        )


def main(arguments: list[str] | None = None) -> int:
    """Run the command."""
    from .gate_command import run

    return run(arguments, __doc__ or "")


if __name__ == "__main__":
    sys.exit(main())
