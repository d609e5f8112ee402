"""The columns in which scores are shown, the same on every page."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from .metrics import Score
from .summary import Interval, Line
from .tables import Table

COLUMNS = (
    "structure or group",
    "kind",
    "tier",
    "cases",
    "Dice",
    "Dice, 95 % interval",
    "ASSD (mm)",
    "HD95 (mm)",
    "volume bias (%)",
    "volume error (%)",
    "missed",
    "spurious",
)
CONVENTIONS = (
    "Dice and distances by MONAI. ASSD: average symmetric surface distance; HD95: 95th percentile "
    "of the Hausdorff distance; volume error: absolute, volume bias: signed, both as a percentage "
    "of the true volume, from labels.",
    "A structure missing from the prediction counts as Dice 0 and volume error 100 %, has no "
    "distance and is counted under missed; one missing from both is left out. Group means are "
    "taken within a case first. Tiers hold brainstem structures only, without aqueduct and "
    "fourth ventricle.",
)


def interval_text(interval: Interval) -> str:
    """Return the bootstrap interval as text."""
    if interval.low != interval.low:
        return "n/a"
    return f"{interval.low:.3f} to {interval.high:.3f}"


def summary_table(name: str, caption: str, lines: Sequence[Line]) -> Table:
    """Return summarised scores as a table."""
    rows = [
        (
            line.key, line.kind, line.tier, line.cases, line.dice.mean, interval_text(line.dice),
            line.assd_mm, line.hd95_mm, line.volume_bias_percent, line.volume_error_percent,
            line.missed, line.spurious,
        )
        for line in lines
    ]  # fmt: skip
    return Table(name, caption, COLUMNS, rows)


def beside_table(name: str, caption: str, columns: Mapping[str, Sequence[Line]]) -> Table:
    """Return the mean Dice of several methods side by side, one row per structure or group."""
    methods = list(columns.values())
    rows = [
        (row[0].key, row[0].kind, row[0].tier, *(line.dice.mean for line in row))
        for row in zip(*methods, strict=True)
    ]
    names = [f"Dice, {name}" for name in columns]
    return Table(name, caption, ("structure or group", "kind", "tier", *names), rows)


def case_table(name: str, caption: str, cases: Mapping[str, Mapping[str, Score]]) -> Table:
    """Return the scores of every case, one row per case and structure."""
    columns = ("case", "structure", "Dice", "ASSD (mm)", "HD95 (mm)", "truth (mm3)", "found (mm3)")
    rows = [
        (case, s.key, s.dice, s.assd_mm, s.hd95_mm, s.truth_mm3, s.predicted_mm3)
        for case, sheet in cases.items()
        for s in sheet.values()
    ]
    return Table(name, caption, columns, rows)


def mark_at_least(what: str, value: float, bound: float) -> tuple[str, bool | None]:
    """Return one line of the marks: a figure that has to reach a bound."""
    if value != value:
        return f"{what} at least {bound:g}", None
    return f"{what} at least {bound:g}: {value:.3f}", value >= bound
