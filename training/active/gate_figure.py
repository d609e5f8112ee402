"""Draws how much each structure gained or lost, with its bounds and its margin."""

from __future__ import annotations

import io
from collections.abc import Sequence

from .gate_rules import Line, Rules

PAPER, INK, DIM = "#ffffff", "#1a1d21", "#5a6270"  # the page is printed
GOOD, BAD, OPEN = "#2e7d32", "#c62828", "#b26a00"
COLOURS = {"not worse": GOOD, "worse": BAD, "not shown": OPEN}
WIDTH_INCH, ROW_INCH, DPI, LONGEST = 8.0, 0.19, 110, 46
REACH = 0.1
"""Dice: nothing is shown further out; what lies there ends in an arrow."""


def draw_forest(lines: Sequence[Line], rules: Rules) -> bytes:
    """Draw one row for each structure, the largest loss on top.

    Parameters
    ----------
    lines : sequence of Line
        Of a judgement.
    rules : Rules
        Their margins.

    Returns
    -------
    bytes
        PNG. Points are mean differences, bars reach from the lower to the upper one-sided bound,
        short red lines are margins; bars beyond the axis end in an arrow.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    shown = sorted(
        (line for line in lines if line.difference == line.difference),
        key=lambda line: -line.difference,
    )
    widest = max((abs(v) for line in shown for v in (line.low, line.high) if v == v), default=0.0)
    limit = min(max(2.2 * max(rules.margins.values()), 1.05 * widest), REACH)
    height = 1.3 + ROW_INCH * max(len(shown), 1)
    figure = Figure(figsize=(WIDTH_INCH, height), dpi=DPI, facecolor=PAPER)
    FigureCanvasAgg(figure)
    axes = figure.add_axes((0.36, 0.75 / height, 0.6, 1 - 1.1 / height), facecolor=PAPER)
    for row, line in enumerate(shown):
        colour = COLOURS[line.state]
        low, high = max(line.low, -limit), min(line.high, limit)
        if low == low and low <= limit and high >= -limit:
            axes.plot([low, high], [row, row], color=colour, linewidth=1.6)
        if abs(line.difference) <= limit:
            axes.plot(line.difference, row, "D" if line.target else "o", color=colour, markersize=4)
        else:
            side = 1 if line.difference > 0 else -1
            axes.plot(side * limit, row, ">" if side > 0 else "<", color=colour, markersize=6)
        axes.plot([-line.margin] * 2, [row - 0.42, row + 0.42], color=BAD, linewidth=1.0)
    axes.axvline(0, color=DIM, linewidth=0.8)
    axes.set_xlim(-1.04 * limit, 1.04 * limit)
    axes.set_ylim(-1, max(len(shown), 1))
    names = [f"{_short(line.name)} ({line.tier})" for line in shown]
    axes.set_yticks(range(len(shown)), names, fontsize=7, color=INK)
    axes.tick_params(axis="x", colors=INK, labelsize=8)
    axes.tick_params(axis="y", length=0)
    for spine in axes.spines.values():
        spine.set_visible(False)
    axes.set_xlabel(
        "Dice, candidate minus model in use (left: worse, right: better)", color=INK, fontsize=8
    )
    axes.set_title(
        f"Mean difference with its one-sided {rules.confidence:.0%} bounds; red: what may be lost; "
        "diamonds: should get better",
        color=DIM, fontsize=7, loc="right",
    )  # fmt: skip
    out = io.BytesIO()
    figure.savefig(out, format="png", facecolor=PAPER, metadata={"Software": "BrainstemALS"})
    return out.getvalue()


def _short(name: str) -> str:
    """Return a name that fits beside the chart, with its side."""
    if len(name) <= LONGEST:
        return name
    name, comma, side = name.rpartition(", ")
    return f"{name[: LONGEST - len(side) - 5].rstrip(' ,:')}...{comma}{side}"
