"""The columns in which scores are shown, the same on every page."""

from __future__ import annotations

from collections.abc import Sequence

from .summary import Interval, Line
from .tables import Table

COLUMNS = (
    "structure or group",
    "kind",
    "tier",
    "cases",
    "Dice",
    "Dice, 95 % interval",
    "NSD at 1 mm",
    "ASSD (mm)",
    "HD95 (mm)",
    "volume bias (%)",
    "volume error (%)",
    "missed",
    "spurious",
)
CONVENTIONS = (
    "Dice and surfaces by MONAI. NSD: normalised surface distance (surface Dice), the share of "
    "both surfaces that lies within 1 mm of the other; ASSD: average symmetric surface distance; "
    "HD95: 95th percentile of the Hausdorff distance; volume error: absolute, volume bias: signed, "
    "both as a percentage of the true volume, from labels unless it is said otherwise.",
    "A structure missing from the prediction counts as Dice and NSD 0 and volume error 100 %, has "
    "no distance and is counted under missed; one missing from both is left out. Group means are "
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
            line.nsd, line.assd_mm, line.hd95_mm, line.volume_bias_percent,
            line.volume_error_percent, line.missed, line.spurious,
        )
        for line in lines
    ]  # fmt: skip
    return Table(name, caption, COLUMNS, rows)


def mark_at_least(what: str, value: float, bound: float) -> tuple[str, bool | None]:
    """Return one line of the marks: a figure that has to reach a bound."""
    if value != value:
        return f"{what} at least {bound:g}", None
    return f"{what} at least {bound:g}: {value:.3f}", value >= bound


def mark_at_most(what: str, value: float, bound: float) -> tuple[str, bool | None]:
    """Return one line of the marks: a figure that must not exceed a bound."""
    if value != value:
        return f"{what} at most {bound:g}", None
    return f"{what} at most {bound:g}: {value:.3f}", value <= bound
