"""Legend of the overview: a column per region, with its volume and its structures."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from ..anatomy import CONTEXT, REGIONS, Structure, load_structures
from ..imaging.volume import Volume
from ..measurement import Measures
from ..measurement.volumes import volume_by_key
from .canvas import DIM, INK, MARGIN_INCH, inch_axes
from .wording import short_name

if TYPE_CHECKING:
    from matplotlib.figure import Figure

LINE_INCH = 0.205

LegendColumn = tuple[str, list[tuple[list[str], str, str]]]
"""Region, and of each labelled pair its colours (left, right), abbreviation and name."""


def legend_columns(labels: Volume) -> list[LegendColumn]:
    """Return per region: colours (left, right), abbreviation and name of every labelled pair."""
    present = set(np.unique(labels.array).tolist())
    columns = []
    for region in (*REGIONS, CONTEXT):
        pairs: dict[str, list[Structure]] = {}
        for structure in load_structures():
            if structure.parent == region and structure.index in present:
                pairs.setdefault(structure.stem, []).append(structure)
        entries = [
            (
                [structure.color for structure in pair],
                pair[0].abbreviation.removesuffix("-L").removesuffix("-R"),
                short_name(pair[0].name),
            )
            for pair in pairs.values()
        ]
        if entries:
            columns.append((region, entries))
    return columns


def draw_legend(
    figure: Figure,
    columns: list[LegendColumn],
    top: float,
    measures: Measures | None,
) -> None:
    """Draw the columns and the reading aid below them.

    Parameters
    ----------
    figure : matplotlib.figure.Figure
        Its bottom is given to the legend.
    columns : list of LegendColumn
        As ``legend_columns`` returns them.
    top : float
        Upper edge of the legend, inches from the bottom of the figure.
    measures : Measures, optional
        Adds the volume of each region to its heading.
    """
    from matplotlib.patches import Rectangle

    width, _ = figure.get_size_inches()
    axes = inch_axes(figure, (0, 0), (width, top))
    axes.set(xlim=(0, width), ylim=(0, top))
    volumes = volume_by_key(measures.volumes) if measures else {}
    shares = (0.27, 0.27, 0.27, 0.19)
    left = MARGIN_INCH
    for (region, entries), share in zip(columns, shares, strict=False):
        row = volumes.get(region)
        known = row is not None and row.volume_soft_mm3 is not None
        size = f"   {row.volume_soft_mm3 / 1000:.1f} cm³" if known else ""
        y = top - LINE_INCH / 2
        axes.text(
            left,
            y,
            region.capitalize() + size,
            color=INK,
            fontsize=9.5,
            fontweight="bold",
            va="center",
        )
        for number, (colours, abbreviation, name) in enumerate(entries, start=1):
            y = top - LINE_INCH * (number + 0.6)
            swatch = 0.26 / len(colours)
            for side, colour in enumerate(reversed(colours)):  # right first, as in the pictures
                place = (left + swatch * side, y - 0.05)
                axes.add_patch(Rectangle(place, swatch - 0.01, 0.1, facecolor=colour))
            axes.text(left + 0.32, y, abbreviation, color=INK, fontsize=8, va="center")
            axes.text(left + 0.80, y, name, color=DIM, fontsize=8, va="center")
        left += share * (width - 2 * MARGIN_INCH)
    axes.text(
        MARGIN_INCH,
        0.16,
        "Patient's right is on the left of axial and coronal planes. Colour pairs: right, left. "
        "Ticks on the upright planes mark the axial levels.",
        color=DIM,
        fontsize=8,
        va="center",
    )
