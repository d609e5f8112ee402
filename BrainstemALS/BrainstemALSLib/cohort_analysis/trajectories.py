"""Trajectories: every participant's visits, and the mixed model's mean with its band."""

from __future__ import annotations

import numpy as np

from .design import Design
from .figure_style import (
    AXES,
    COLOURS,
    DIM,
    INK,
    new_figure,
    plain_axes,
    png,
    short_name,
    shown_scale,
)
from .mixed import MONTHS_A_YEAR, fit_trajectory
from .options import GroupOptions, Notes
from .violins import COLUMNS_SHOWN, PANEL_INCH

MOST_LINES = 80
"""Participants of a group whose lines are drawn, chosen at random: more hide one another."""


def draw_trajectories(
    design: Design, keys: list[tuple[str, str]], options: GroupOptions, source: str
) -> bytes | None:
    """Draw one panel for each measure whose model was fitted; None where none was."""
    fits = [(key, fit_trajectory(design, key, options, Notes())) for key in keys]
    fits = [(key, fit) for key, fit in fits if not isinstance(fit, str)]
    if not fits:
        return None
    columns = min(COLUMNS_SHOWN, len(fits))
    rows = -(-len(fits) // columns)
    height = 0.5 + rows * PANEL_INCH
    figure = new_figure(height)
    generator = np.random.default_rng(options.seed)
    for number, (key, fit) in enumerate(fits):
        row, column = divmod(number, columns)
        width = 0.99 / columns
        axes = figure.add_axes(
            (column * width + 0.075, 1 - (0.38 + (row + 1) * PANEL_INCH - 0.68) / height,
             width - 0.085, (PANEL_INCH - 0.85) / height)
        )  # fmt: skip
        _panel(axes, design, key, fit, options.alpha, generator)
        axes.set_title(short_name(key[1], 34), fontsize=8, color=INK)
        axes.set_ylabel(AXES[key[0]], fontsize=7.5, color=INK, labelpad=2)
        if row == rows - 1 or number + columns >= len(fits):
            axes.set_xlabel("Months since the first visit", fontsize=7.5, color=INK)
    from matplotlib.lines import Line2D

    groups = sorted({g for _, fit in fits for g in fit.groups}, key=list(COLOURS).index)
    handles = [Line2D([], [], color=COLOURS[g], linewidth=2, label=g) for g in groups]
    figure.legend(
        handles=handles, loc="lower left", ncols=len(groups), fontsize=7.5, frameon=False,
        bbox_to_anchor=(0.0, 0.0), borderaxespad=0.3,
    )  # fmt: skip
    figure.text(
        0.985, 0.13 / height,
        f"Lines: participants (at most {MOST_LINES} of a group). Bands: mean with its "
        f"{1 - options.alpha:.0%} interval at average covariates.",
        fontsize=7.5, color=DIM, ha="right", va="center",
    )  # fmt: skip
    return png(figure, source)


def _panel(axes, design, key, fit, alpha, generator) -> None:
    from scipy import stats

    plain_axes(axes)
    scale = shown_scale(key[0])
    values = design.values[key] * scale
    table = design.observations.assign(value=values.to_numpy())
    table = table[table.value.notna()]
    group = table.participant_id.map(design.people.group)
    z = stats.norm.ppf(1 - alpha / 2)
    inside = []
    for name in fit.groups:
        own = table[(group == name).to_numpy()]
        ids = own.participant_id.unique()
        drawn = generator.choice(ids, min(MOST_LINES, len(ids)), replace=False)
        for _, visits in own[own.participant_id.isin(drawn)].groupby("participant_id"):
            axes.plot(
                visits.months, visits.value, color=COLOURS[name], alpha=0.16, linewidth=0.7,
                marker=".", markersize=2, markeredgewidth=0,
            )  # fmt: skip
        inside += list(own.value[own.participant_id.isin(drawn)])
        # No further than nine in ten of its visits: a line past the data would promise too much.
        months = np.linspace(0, float(own.months.quantile(0.9)), 40)
        mean, error = fit.mean(name, months / MONTHS_A_YEAR)
        mean, error = mean * scale, error * scale
        axes.fill_between(
            months, mean - z * error, mean + z * error, color=COLOURS[name], alpha=0.30, linewidth=0
        )
        axes.plot(months, mean, color=COLOURS[name], linewidth=2)
    low, high = np.quantile(inside, [0.02, 0.98])
    axes.set_ylim(low - 0.06 * (high - low), high + 0.06 * (high - low))
    axes.locator_params(axis="both", nbins=5)
