"""The page of the tuning study."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from BrainstemALSLib.anatomy import load_structures

from ..evaluation.summary import bootstrap_mean
from ..evaluation.tables import Page, Table
from .profiles import PROFILES
from .study_page import MAX_LOSS
from .tuning_cases import NOISE, SLICES

if TYPE_CHECKING:
    from .tuning_study import Outcome, Study

MINUTES = 20.0
WORDS = {"site": "the hospital's scanner", "elsewhere": "any scanner"}


def page_of(outcomes: Sequence[Outcome], study: Study) -> Page:
    """Return the page of finished runs."""
    setting, size = study.setting, len(study.learned)
    return Page(
        stem="tuning",
        title="Fine-tuning the bundled model on a few corrected exams",
        kind="simulated",
        data=f"exams of {size} training anatomies, corrected by a simulated {study.profile} "
        f"expert, and of {len(study.judged)} held-out anatomies, two of each, to judge by.",
        seed=study.seed,
        model={"in use": study.model},
        tables=[_runs(outcomes), _changes(outcomes), _worst(outcomes)],
        marks=_marks(outcomes, size),
        notes=[
            f"The hospital's T1s: {SLICES} slices run into each other, noise of {NOISE:.0%} of the "
            "99th percentile; FA and MD as everywhere; no V1. The others are drawn as in training.",
            f"{setting.mode}, {setting.steps} steps, {setting.replay:.0%} of them on replayed "
            "training anatomies. Where one region is corrected, only what the expert changed is "
            "vouched for. Neighbours that lost or gained voxels by it count as not corrected.",
            "Exams in which no brainstem is found count 0 for both models.",
            "Low and high are the ends of 95 % intervals over subjects; those of the gain are "
            "one-sided, as in the gate. The gate here judges by all exams of this page.",
            "The seconds are those of learning alone; segmenting, correcting and judging come on "
            f"top. Minutes are the simulated expert's ({PROFILES[study.profile].name}).",
            "One simulated hospital and one seed: nothing here tells what tuning does for "
            "patients' images.",
        ],
    )


def _runs(outcomes: Sequence[Outcome]) -> Table:
    rows = [
        (
            one.arm, len(one.targets), one.minutes, one.steps, one.seconds / 60,
            one.outcome.replace("_", " "), *one.gain, one.reason,
        )
        for one in outcomes
    ]  # fmt: skip
    columns = (
        "corrected", "structures changed", "expert's minutes", "steps", "minutes of learning",
        "gate", "gain of those (Dice)", "low", "high", "first reason",
    )  # fmt: skip
    return Table("runs", "What was done, and what the gate says", columns, rows, 4)


def _changes(outcomes: Sequence[Outcome]) -> Table:
    rows = []
    for one in outcomes:
        for where in one.before:
            for who, keep in (("corrected", _of(one)), ("nobody corrected", ~_of(one))):
                if keep.any():
                    before, after = _means(one, where, keep)
                    found = bootstrap_mean(after - before)
                    rows.append(
                        (
                            one.arm, WORDS[where], who, int(keep.sum()), float(before.mean()),
                            float(after.mean()), found.mean, found.low, found.high,
                        )
                    )  # fmt: skip
    columns = (
        "corrected", "exams of", "structures", "count", "Dice before", "after", "change", "low",
        "high",
    )  # fmt: skip
    return Table("changes", "Dice of held-out subjects before and after", columns, rows, 4)


def _worst(outcomes: Sequence[Outcome]) -> Table:
    rows = []
    for one in outcomes:
        change = _change(one)
        for number in np.argsort(change):
            structure = load_structures()[number]
            who = "yes" if _of(one)[number] else "no"
            rows.append((one.arm, structure.key, structure.tier, who, float(change[number])))
    columns = ("run", "structure", "tier", "corrected", "change (Dice)")
    return Table("structures", "Change of each structure, all exams, worst first", columns, rows, 4)


def _marks(outcomes: Sequence[Outcome], size: int) -> list[tuple[str, bool | None]]:
    marks: list[tuple[str, bool | None]] = []
    for one in outcomes:
        took = one.seconds / 60
        text = f"{size} corrected exams learned in under {MINUTES:.0f} minutes ({one.arm})"
        marks.append((f"{text}: {took:.1f}", took < MINUTES))
        others = ~_of(one)
        if others.any():
            change = _change(one)[others]
            keys = np.array([s.key for s in load_structures()])[others]
            text = f"structures nobody corrected lose at most {MAX_LOSS} Dice ({one.arm})"
            mean, worst = float(change.mean()), int(change.argmin())
            marks.append((f"{text}, on average: {mean:+.4f}", mean >= -MAX_LOSS))
            told = f"the worst is {keys[worst]}, {change[worst]:+.4f}"
            marks.append((f"{text}, each: {told}", bool(change[worst] >= -MAX_LOSS)))
    return marks


def _of(one: Outcome) -> np.ndarray:
    """bool (structures,): which the expert looked at."""
    return np.array([structure.key in one.asked for structure in load_structures()])


def _means(one: Outcome, where: str, keep: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Mean Dice of each exam before and after, each (exams,)."""
    before, after = (np.array(table[where], float)[:, keep] for table in (one.before, one.after))
    return np.nanmean(before, axis=1), np.nanmean(after, axis=1)


def _change(one: Outcome) -> np.ndarray:
    """Mean change of each structure over all exams, (structures,)."""
    tables = [
        np.concatenate([np.array(rows, float) for rows in table.values()])
        for table in (one.before, one.after)
    ]
    return np.nanmean(tables[1] - tables[0], axis=0)
