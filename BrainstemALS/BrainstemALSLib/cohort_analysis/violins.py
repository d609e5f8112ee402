"""Violin plots with every participant as a point, adjusted for the covariates."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from .covariates import build_matrix, complete, indicators, terms_for
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
from .options import MIN_GROUP, GroupOptions, Notes

if TYPE_CHECKING:
    import pandas as pd

COLUMNS_SHOWN, PANEL_INCH = 3, 2.45
PREFERRED = (("volume", "medulla"), ("volume", "pons"), ("volume", "brainstem"))
PANELS = 6
LABELS = {"spinal": "ALS\nspinal", "bulbar": "ALS\nbulbar", "respiratory": "ALS\nresp."}


def choose_keys(design: Design, table: pd.DataFrame) -> list[tuple[str, str]]:
    """Return what is drawn: the regions, then what differs most in each measure of ALS and HC.

    Parameters
    ----------
    design : Design
    table : pandas.DataFrame
        Of ``cross_sectional``.
    """
    there = set(design.measures_of())
    chosen = [key for key in PREFERRED if key in there]
    main = table[(table.analysis == "group") & (table.contrast == "ALS - HC") & table.p.notna()]
    main = main.sort_values("p")
    for measure in ("fa", "md", "volume", "fa", "md", "volume"):
        best = main[main.measure == measure]
        for structure in best.structure:
            if (measure, structure) not in chosen:
                chosen.append((measure, structure))
                break
    return chosen[:PANELS]


def draw_violins(
    design: Design, keys: list[tuple[str, str]], options: GroupOptions, source: str
) -> bytes | None:
    """Draw one panel for each measure; None where no group has enough participants."""
    panels = [(key, *_adjusted(design, key, options)) for key in keys]
    panels = [panel for panel in panels if panel[1]]
    if not panels:
        return None
    columns = min(COLUMNS_SHOWN, len(panels))
    rows = -(-len(panels) // columns)
    height = 0.42 + rows * PANEL_INCH
    figure = new_figure(height)
    generator = np.random.default_rng(options.seed)
    for number, (key, groups, values) in enumerate(panels):
        row, column = divmod(number, columns)
        width = 0.99 / columns
        axes = figure.add_axes(
            (column * width + 0.075, 1 - (0.38 + (row + 1) * PANEL_INCH - 0.62) / height,
             width - 0.085, (PANEL_INCH - 0.92) / height)
        )  # fmt: skip
        _panel(axes, groups, values, generator)
        axes.set_ylabel(AXES[key[0]], fontsize=7.5, color=INK, labelpad=2)
        axes.set_title(short_name(key[1], 34), fontsize=8, color=INK)
    figure.text(
        0.01, 0.12 / height,
        "Each point is a participant at the first visit, adjusted for the covariates; bar: median. "
        "CST: corticospinal tract.",
        fontsize=7.5, color=DIM, va="center",
    )  # fmt: skip
    return png(figure, source)


def _panel(axes, groups, values, generator) -> None:
    plain_axes(axes)
    colours = [COLOURS[name] for name in groups]
    found = axes.violinplot(values, range(len(groups)), widths=0.85, showextrema=False)
    for body, colour in zip(found["bodies"], colours, strict=True):
        body.set(facecolor=colour, edgecolor="none", alpha=0.22)
    for place, (value, colour) in enumerate(zip(values, colours, strict=True)):
        jitter = generator.uniform(-0.2, 0.2, len(value))
        size, alpha = (5, 0.55) if len(value) < 200 else (3, 0.35)
        axes.scatter(place + jitter, value, s=size, color=colour, alpha=alpha, linewidths=0)
        median = np.median(value)
        axes.plot([place - 0.28, place + 0.28], [median] * 2, color=INK, linewidth=1.5)
    labels = [
        f"{LABELS.get(name, name)}\n{len(value)}"
        for name, value in zip(groups, values, strict=True)
    ]
    axes.set_xticks(range(len(groups)), labels)
    axes.tick_params(axis="x", labelsize=6.8 if len(groups) < 5 else 6.2, length=0)
    axes.locator_params(axis="y", nbins=5)


def _adjusted(design, key, options):
    """Return groups and their values at average covariates; none where nothing can be fitted."""
    terms = terms_for(key[0], options.adjust)
    people = design.people
    rows = complete(people, terms) & design.first[key].notna().to_numpy()
    people = people[rows]
    onset = people.onset.where(people.group == "ALS", None)
    names = onset.where(onset.notna(), people.group)
    order = [
        name for name in ("HC", "MIMIC", "ALS", "spinal", "bulbar", "respiratory")
        if (names == name).sum() >= MIN_GROUP
    ]  # fmt: skip
    if not order:
        return [], []
    kept = names.isin(order).to_numpy()
    people, names = people[kept], names[kept].to_numpy()
    effects = indicators(names, tuple(order[1:]))
    matrix = build_matrix(effects, people, terms, Notes(), "")
    y = design.first.loc[people.index, key].to_numpy(float) * shown_scale(key[0])
    if matrix is not None:
        y, names = y[matrix.rows], names[matrix.rows]
        beta = np.linalg.lstsq(matrix.X, y, rcond=None)[0]
        from_covariates = 1 + matrix.effects
        y = y - matrix.X[:, from_covariates:] @ beta[from_covariates:]
    order = [name for name in order if (names == name).sum() > 1]
    return order, [y[names == name] for name in order]
