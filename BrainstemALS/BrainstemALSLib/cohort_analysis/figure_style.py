"""Look of the figures of a group report: on paper, legible in print and to all kinds of eyes."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

from .options import SIMULATED

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

PAPER, INK, DIM, RULE = "#ffffff", "#1a1d21", "#5a6270", "#dde1e6"
# Okabe and Ito's colours (doi:10.1038/nmeth.1618), those that hold on white.
COLOURS = {
    "HC": "#0072b2",
    "MIMIC": "#009e73",
    "ALS": "#d55e00",
    "spinal": "#d55e00",
    "bulbar": "#a2286e",
    "respiratory": "#7a5c00",
}
WIDTH_INCH, DPI = 8.4, 130
NAMES = {"volume": "Volume", "fa": "FA", "md": "MD"}
AXES = {
    "volume": "Volume, cm\u00b3",
    "fa": "FA",
    "md": "MD, 10\u207b\u00b3 mm\u00b2/s",
}
MEASURES = {
    "volume": "Volume, mm\u00b3",
    "fa": "FA",
    "md": "MD, 10\u207b\u00b3\u00a0mm\u00b2/s",
}
"""Measure with its unit, for tables; no line breaks within a unit."""
LONGEST = 44
_LONG_PART = "frontopontine and temporo-parieto-occipito-pontine part"


def new_figure(height: float, width: float = WIDTH_INCH) -> Figure:
    """Return a figure for the Agg canvas; size in inches."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height), dpi=DPI, facecolor=PAPER)
    FigureCanvasAgg(figure)
    return figure


def png(figure: Figure, source: str) -> bytes:
    """Return a figure as PNG; a simulated one says so inside the picture."""
    if source == SIMULATED:
        height = figure.get_size_inches()[1]
        figure.text(
            0.985, 1 - 0.08 / height, "SIMULATED DATA", color="#9a6700", fontsize=7,
            fontweight="bold", ha="right", va="top",
        )  # fmt: skip
    out = io.BytesIO()
    figure.savefig(out, format="png", facecolor=PAPER, metadata={"Software": "BrainstemALS"})
    return out.getvalue()


def plain_axes(axes: Axes) -> None:
    """Take away what carries nothing."""
    axes.set_facecolor(PAPER)
    for side, spine in axes.spines.items():
        spine.set_visible(side in ("left", "bottom"))
        spine.set_color(DIM)
    axes.tick_params(colors=INK, labelsize=7.5)


def shown_scale(measure: str) -> float:
    """Return what values are multiplied with to be drawn: volumes in cm3."""
    return 1e-3 if measure == "volume" else 1.0


def structure_name(key: str) -> str:
    """Return a readable name; unknown keys are their own."""
    from ..anatomy import by_key, load_structures

    found = by_key().get(key)
    if found is not None:
        return found.name
    for structure in load_structures():
        if structure.stem == key:
            return structure.name.removesuffix(f", {structure.side}")
    side = next((s for s in ("left", "right") if key.endswith(f"_{s}")), "")
    text = key.removesuffix(f"_{side}").replace("_", " ").capitalize() if side else key
    return f"{text}, {side}" if side else text.replace("_", " ").capitalize()


def short_name(key: str, longest: int = LONGEST) -> str:
    """Return a name that fits beside a chart; its side is kept."""
    name = structure_name(key).replace("Corticospinal tract", "CST")
    name = name.replace(_LONG_PART, "corticopontine part")
    text, colon, rest = name.partition(":")
    if colon:  # what follows lists the parts; the side comes last
        side = rest.rpartition(", ")[2]
        name = f"{text}, {side}" if side in ("left", "right") else text
    if len(name) <= longest:
        return name
    text, comma, side = name.rpartition(", ")
    if side not in ("left", "right"):
        return name[: longest - 3].rstrip(" ,:") + "..."
    return text[: longest - len(side) - 5].rstrip(" ,:") + f"...{comma}{side}"
