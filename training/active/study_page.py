"""The page of the label-efficiency study."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, fields

import numpy as np

from ..evaluation.summary import Interval
from ..evaluation.tables import Page, Table
from .coarse import KEYS
from .curves import (
    Loops,
    common_end,
    corrected,
    difference,
    exam_dice,
    pigeonhole,
    spent,
    structure_change,
)
from .effort import RATES
from .loop import CASES, CORRECTED_REGION, NOTHING, PLACES, REGION, Arm, Round, Setting, region_keys
from .profiles import PROFILES
from .queries import BASELINE

FIGURE = "_curves.png"
UNIT_NAMES = {CASES: "whole exams", PLACES: "three places of each exam"}
SEEDS = 3
MAX_LOSS = 0.005
"""Dice that a structure nobody corrected may lose (our own choice)."""


def page_of(
    done: Mapping[Arm, list[Round]], setting: Setting, counts: tuple[int, int, int], stem: str
) -> tuple[Page, dict[tuple[str, str], Loops]]:
    """Return the page, and the loops by unit and strategy.

    Parameters
    ----------
    done : mapping
        Every loop of the study.
    setting : Setting
    counts : tuple of 3 int
        Start, pool and held-out exams.
    stem : str
        Of the page's file.
    """
    loops: dict[tuple[str, str], dict[int, list[Round]]] = {}
    for arm, rounds in done.items():
        loops.setdefault((arm.unit, arm.strategy), {})[arm.seed] = rounds
    seeds = len({arm.seed for arm in done})
    differences = _differences(loops)
    start, pool, held_out = counts
    page = Page(
        stem=stem,
        title="How many corrections each query strategy needs",
        kind="simulated",
        data=f"exams of the built anatomies at 2 mm, drawn by training.synthesis: {start} that the "
        f"start model knows, a pool of {pool}, {held_out} of held-out subjects that are scored; "
        f"corrected by a simulated {setting.expert} expert.",
        seed=1,
        tables=[
            Table(
                "difference",
                "Area under the curve less that of foreground-aware random",
                ("asked for", "strategy", "over", "upto", "difference (Dice)", "low", "high"),
                differences,
                4,
            ),
            Table(
                "curves",
                "Mean Dice of the held-out exams after each round",
                ("asked for", "strategy", "corrected", "minutes", "Dice", "low", "high"),
                _curve_rows(loops),
            ),
            Table(
                "uncorrected",
                f"Change of structures when only those of the {CORRECTED_REGION} are corrected",
                ("structure", "change (Dice)"),
                _uncorrected_rows(loops[REGION, BASELINE]),
                4,
            ),
            Table(
                "effort",
                "What the simulated minutes are made of",
                ("rate", "value", "unit", "provenance"),
                [(name, r.value, r.unit, r.provenance) for name, r in RATES.items()],
                2,
            ),
            Table(
                "experts",
                "Simulated experts (own choices)",
                [field.name for field in fields(PROFILES[setting.expert])],
                [tuple(asdict(profile).values()) for profile in PROFILES.values()],
            ),
        ],
        marks=_marks(loops, differences, seeds),
        notes=[
            "low and high are the ends of 95 % intervals: a bootstrap over seeds and held-out "
            f"exams, each resampled by itself (Owen 2007, doi:10.1214/07-AOAS122). With {seeds} "
            "seeds they are rough.",
            "Where places or one region are asked for, the simulated expert vouches for all that "
            "was looked at there; the annotation store can hold changed voxels, or whole exams.",
            "No interval is corrected for the number of comparisons: with four strategies, two "
            "ways of asking and two axes, one of sixteen would pass by luck more often than in one "
            "case of twenty.",
            "The area is divided by its width, so it is the mean Dice on the way from 0 to upto: "
            "corrected exams, or the minutes that every loop of the same kind reached.",
            f"{setting.rounds} rounds of {setting.per_round} exams. Each round fine-tunes the "
            f"start model anew for {setting.steps} steps, half of them on replayed start exams; "
            "without corrections all of them are. Where nobody "
            "looked, the network is held to what the start model says.",
            "bald asks an ensemble of test-time changes (mirror, contrast, noise); the other "
            "strategies ask the plain prediction. coreset compares features of the bottleneck.",
            "Every exam shows the brainstem, so for whole exams foreground-aware random is plain "
            "random.",
            "A small network on a coarse grid, simulated images and simulated experts: the order "
            "of the strategies may differ for patients. Minutes rest on rates that nobody has "
            "measured.",
        ],
        pictures=[("Dice over corrected exams and over minutes, simulated.", f"{stem}{FIGURE}")],
        threads=1,
    )
    return page, loops


def _differences(loops: Mapping[tuple[str, str], Loops]) -> list[tuple]:
    rows = []
    for unit, name in UNIT_NAMES.items():
        of_unit = {strategy: one for (u, strategy), one in loops.items() if u == unit}
        for over, axis in (("corrected", corrected), ("minutes", spent)):
            end = common_end([axis(one) for one in of_unit.values()])
            for strategy, one in of_unit.items():
                if strategy != BASELINE:
                    found = difference(one, of_unit[BASELINE], over, end)
                    rows.append((name, strategy, over, end, found.mean, found.low, found.high))
    return rows


def _curve_rows(loops: Mapping[tuple[str, str], Loops]) -> list[tuple]:
    names = {**UNIT_NAMES, REGION: f"structures of the {CORRECTED_REGION}", NOTHING: "nothing"}
    rows = []
    for (unit, strategy), one in loops.items():
        values = exam_dice(one)
        for n in range(values.shape[-1] if unit != NOTHING else 2):
            found = pigeonhole(values[..., n])
            count, minutes = (int(corrected(one)[0, n]), float(spent(one)[:, n].mean()))
            label = strategy if unit != NOTHING else "replay alone"
            rows.append((names[unit], label, count, minutes, found.mean, found.low, found.high))
    return rows


def _others() -> np.ndarray:
    return ~np.isin(KEYS, region_keys())


def _uncorrected_rows(loops: Loops) -> list[tuple]:
    others = _others()
    changes = structure_change(loops, others)
    rows = list(zip(np.array(KEYS)[others].tolist(), changes.tolist(), strict=True))
    rows.sort(key=lambda row: (np.nan_to_num(row[1], nan=np.inf), row[0]))
    return [("mean of all", float(np.nanmean(changes))), *rows]


def _marks(
    loops: Mapping[tuple[str, str], Loops], differences: list[tuple], seeds: int
) -> list[tuple[str, bool | None]]:
    marks: list[tuple[str, bool | None]] = [(f"at least {SEEDS} seeds: {seeds}", seeds >= SEEDS)]
    for name in UNIT_NAMES.values():
        for over in ("corrected", "minutes"):
            mine = [row for row in differences if row[0] == name and row[2] == over]
            better = [row[1] for row in mine if row[5] > 0]
            worse = [row[1] for row in mine if row[6] < 0]
            best = max(mine, key=lambda row: row[4])
            text = (
                f"a strategy beats foreground-aware random ({name}, over {over}): "
                f"{', '.join(better) or 'none'}; the highest is {best[1]}, {best[4]:+.4f} "
                f"({best[5]:+.4f} to {best[6]:+.4f})"
            )
            if worse:
                text += f"; {', '.join(worse)} is worse" if len(worse) == 1 else (
                    f"; {', '.join(worse)} are worse"
                )  # fmt: skip
            marks.append((text, bool(better)))
    of_region = loops[REGION, BASELINE]
    others = _others()
    values = exam_dice(of_region, others)
    mean: Interval = pigeonhole(values[..., -1] - values[..., 0])
    changes = structure_change(of_region, others)
    worst = int(np.nanargmin(changes))
    start = "structures nobody corrected lose at most"
    marks.append(
        (
            f"{start} {MAX_LOSS} Dice, on average: {mean.mean:+.4f} "
            f"({mean.low:+.4f} to {mean.high:+.4f})",
            mean.mean >= -MAX_LOSS,
        )
    )
    marks.append(
        (
            f"{start} {MAX_LOSS} Dice, each: the worst is {np.array(KEYS)[others][worst]}, "
            f"{changes[worst]:+.4f}",
            bool(changes[worst] >= -MAX_LOSS),
        )
    )
    return marks
