"""Colours and small helpers that the parts of the overview share."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

BACKGROUND, INK, DIM, NOTICE = "#0a0c10", "#e6e9ee", "#8b95a3", "#ffb703"
MARGIN_INCH = 0.3


def inch_axes(figure: Figure, corner: tuple[float, float], size: tuple[float, float]) -> Axes:
    """Return axes without frame; corner and size in inches."""
    width, height = figure.get_size_inches()
    axes = figure.add_axes(
        (corner[0] / width, corner[1] / height, size[0] / width, size[1] / height)
    )
    axes.set_axis_off()
    return axes


def outlined_text(axes: Axes, x: float, y: float, text: str, **style: object) -> None:
    """Write text that stays legible on any grey."""
    from matplotlib import patheffects

    outline = [patheffects.withStroke(linewidth=2.2, foreground=BACKGROUND)]
    axes.text(x, y, text, path_effects=outline, **{"color": INK, "fontsize": 9, **style})


def edge_letters(
    axes: Axes,
    letters: tuple[str, str, str, str],
    half: tuple[float, float],
    inset: float,
    sides: Mapping[str, object] | None = None,
    ends: Mapping[str, object] | None = None,
) -> None:
    """Write where the four edges of a plane lie: left, right, top, bottom.

    Parameters
    ----------
    axes : Axes
        Its middle is (0, 0).
    letters : tuple of 4 str
        As ``Plane.letters``.
    half : tuple of 2 float
        Half of its width and height, mm.
    inset : float
        Distance from the edge, mm.
    sides, ends : mapping, optional
        Style of left and right, and of top and bottom.
    """
    left, right, top, bottom = letters
    x, y = half[0] - inset, half[1] - inset
    outlined_text(axes, -x, 0, left, ha="left", va="center", **(sides or {}))
    outlined_text(axes, x, 0, right, ha="right", va="center", **(sides or {}))
    outlined_text(axes, 0, y, top, ha="center", va="top", **(ends or {}))
    outlined_text(axes, 0, -y, bottom, ha="center", va="bottom", **(ends or {}))


def is_dark(colour: str) -> bool:
    """Say whether a colour ``#rrggbb`` is too dark to be seen on a dark picture."""
    red, green, blue = (int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5))
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue < 0.30
