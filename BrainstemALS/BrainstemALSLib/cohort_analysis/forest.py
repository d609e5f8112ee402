"""Forest plots: adjusted effect sizes with their intervals."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from .figure_style import (
    COLOURS,
    DIM,
    INK,
    NAMES,
    RULE,
    new_figure,
    plain_axes,
    png,
    short_name,
)

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes

ROW_INCH, TOP_INCH, BOTTOM_INCH = 0.165, 0.62, 0.6
LEFT = 0.335
REACH = 2.5
"""Standard deviations: nothing is shown further out; what lies there ends in an arrow."""
REGIONS = ("brainstem", "midbrain", "pons", "medulla")
LEVELS = (
    ("group", "ALS - HC", "all ALS", COLOURS["ALS"]),
    ("group", "MIMIC - HC", "mimics", COLOURS["MIMIC"]),
    ("onset", "bulbar - HC", "bulbar onset", COLOURS["bulbar"]),
    ("onset", "spinal - HC", "spinal onset", "#e69f00"),
    ("onset", "respiratory - HC", "respiratory onset", COLOURS["respiratory"]),
    ("stage", "stage 1 - HC", "King's 1", "#a6bddb"),
    ("stage", "stage 2 - HC", "King's 2", "#67a9cf"),
    ("stage", "stage 3 - HC", "King's 3", "#1c7fb6"),
    ("stage", "stage 4 - HC", "King's 4", "#023858"),
)


def draw_forest(
    table: pd.DataFrame, measures: tuple[str, ...], alpha: float, source: str, title: str
) -> bytes | None:
    """Draw one row for each structure and one panel for each measure.

    Parameters
    ----------
    table : pandas.DataFrame
        One contrast of ``linear.COLUMNS``.
    measures : tuple of str
    alpha : float
        Filled points have a false discovery rate below it.
    source : str
    title : str

    Returns
    -------
    bytes or None
        PNG; None where nothing was estimated.
    """
    table = table[table.measure.isin(measures) & table.adjusted_d.notna()]
    measures = tuple(m for m in measures if (table.measure == m).any())
    if not measures:
        return None
    structures = list(dict.fromkeys(table.structure))[::-1]
    height = TOP_INCH + BOTTOM_INCH + ROW_INCH * (len(structures) + 1)
    figure = new_figure(height)
    limit = _limit(table)
    width = (0.985 - LEFT) / len(measures)
    for number, measure in enumerate(measures):
        axes = figure.add_axes(
            (LEFT + number * width, BOTTOM_INCH / height, width - 0.02,
             1 - (TOP_INCH + BOTTOM_INCH) / height)
        )  # fmt: skip
        _frame(axes, len(structures), limit)
        part = table[table.measure == measure].set_index("structure")
        for row, structure in enumerate(structures):
            if structure in part.index:
                line = part.loc[structure]
                sure = bool(line.q < alpha)
                _bar(axes, row, line, COLOURS["ALS"] if sure else DIM, sure, limit)
        name = NAMES.get(measure.removesuffix("_asymmetry"), measure)
        axes.set_title(
            f"{name} asymmetry" if measure.endswith("_asymmetry") else name, fontsize=9, color=INK
        )
        labels = [short_name(key) for key in structures] if number == 0 else []
        axes.set_yticks(range(len(structures)), labels or [""] * len(structures))
        for label, key in zip(axes.get_yticklabels(), structures, strict=True):
            label.set_fontweight("bold" if key in REGIONS else "normal")
    figure.text(
        0.01, 1 - 0.2 / height, title, fontsize=9.5, fontweight="bold", color=INK, va="center"
    )
    figure.text(
        0.985, 0.18 / height,
        f"Adjusted difference in standard deviations with {1 - alpha:.0%} interval. Filled: false "
        f"discovery rate below {alpha:g}. CST: corticospinal tract.",
        fontsize=7.5, color=DIM, ha="right", va="center",
    )  # fmt: skip
    return png(figure, source)


def draw_levels(table: pd.DataFrame, alpha: float, source: str) -> bytes | None:
    """Draw groups, onsets and stages against controls for the regions; None where nothing is."""
    table = table[table.structure.isin(REGIONS) & table.adjusted_d.notna()]
    measures = tuple(m for m in NAMES if (table.measure == m).any())
    asked = table.analysis + table.contrast
    levels = [level for level in LEVELS if (asked == level[0] + level[1]).any()]
    if not measures or not levels:
        return None
    regions = [r for r in REGIONS if (table.structure == r).any()]
    step = 1.0 / (len(levels) + 1.5)
    height = TOP_INCH + BOTTOM_INCH + 0.3 + len(regions) * 0.135 * (len(levels) + 1.5)
    figure = new_figure(height)
    limit = _limit(table)
    left = 0.11
    width = (0.985 - left) / len(measures)
    for number, measure in enumerate(measures):
        axes = figure.add_axes(
            (left + number * width, (BOTTOM_INCH + 0.3) / height, width - 0.02,
             1 - (TOP_INCH + BOTTOM_INCH + 0.3) / height)
        )  # fmt: skip
        _frame(axes, len(regions), limit)
        for row, region in enumerate(regions[::-1]):
            for place, (analysis, contrast, _, colour) in enumerate(levels):
                found = table[
                    (table.analysis == analysis) & (table.contrast == contrast)
                    & (table.measure == measure) & (table.structure == region)
                ]  # fmt: skip
                if len(found):
                    y = row + 0.5 - (place + 1.25) * step
                    line = found.iloc[0]
                    _bar(axes, y, line, colour, bool(line.q < alpha), limit)
        axes.set_title(NAMES[measure], fontsize=9, color=INK)
        names = [r.capitalize() for r in regions[::-1]]
        axes.set_yticks(range(len(regions)), names if number == 0 else [""] * len(regions))
        for edge in range(1, len(regions)):
            axes.axhline(edge - 0.5, color=RULE, linewidth=0.8)
    from matplotlib.lines import Line2D

    handles = [
        Line2D([], [], color=colour, marker="o", markersize=4, linewidth=1.5, label=name)
        for _, _, name, colour in levels
    ]
    figure.legend(
        handles=handles, loc="lower center", ncols=5, fontsize=7.5, frameon=False,
        bbox_to_anchor=(0.5, 0.0), columnspacing=1.4, handlelength=1.6,
    )  # fmt: skip
    figure.text(
        0.01, 1 - 0.2 / height, "Against controls, adjusted, in standard deviations", fontsize=9.5,
        fontweight="bold", color=INK, va="center",
    )  # fmt: skip
    return png(figure, source)


def _limit(table: pd.DataFrame) -> float:
    widest = np.nanmax(np.abs(table[["adjusted_d_low", "adjusted_d_high"]].to_numpy(float)))
    return float(min(max(0.6, 1.05 * widest), REACH))


def _frame(axes: Axes, rows: int, limit: float) -> None:
    plain_axes(axes)
    axes.spines["left"].set_visible(False)
    axes.tick_params(axis="y", length=0, labelsize=7)
    axes.axvline(0, color=DIM, linewidth=0.8)
    axes.set_xlim(-limit, limit)
    axes.set_ylim(-0.6, rows - 0.4)
    axes.grid(axis="x", color=RULE, linewidth=0.6)
    axes.set_axisbelow(True)
    axes.locator_params(axis="x", nbins=4)
    axes.xaxis.set_major_formatter("{x:g}")


def _bar(axes: Axes, y: float, line: pd.Series, colour: str, filled: bool, limit: float) -> None:
    low, high = max(line.adjusted_d_low, -limit), min(line.adjusted_d_high, limit)
    if low <= high:
        axes.plot([low, high], [y, y], color=colour, linewidth=1.4, solid_capstyle="butt")
    inside = abs(line.adjusted_d) <= limit
    marker = "o" if inside else (">" if line.adjusted_d > 0 else "<")
    axes.plot(
        np.clip(line.adjusted_d, -limit, limit), y, marker, markersize=3.8, color=colour,
        markerfacecolor=colour if filled else "#ffffff", markeredgewidth=1.0, clip_on=False,
    )  # fmt: skip
