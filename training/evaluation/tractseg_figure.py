"""Draws structures as lines over bundle masks as filled areas."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from BrainstemALSLib.imaging.volume import Volume
from BrainstemALSLib.report.canvas import (
    BACKGROUND,
    DIM,
    INK,
    MARGIN_INCH,
    inch_axes,
    outlined_text,
)
from BrainstemALSLib.report.planes import Plane, sample

from .tractseg_bundles import Pair

COLOURS = {"CST": "#ff595e", "SCP": "#4cc9f0", "MCP": "#8ac926", "ICP": "#ffca3a"}
PANELS = (
    ("CST", "midbrain", "axial"),
    ("CST", "pons", "axial"),
    ("CST", "medulla", "axial"),
    ("SCP", "brainstem", "axial"),
    ("MCP", "pons", "axial"),
    ("ICP", "brainstem", "axial"),
    ("CST", "brainstem", "coronal"),
    ("SCP", "brainstem", "coronal"),
    ("ICP", "brainstem", "coronal"),
)
"""Bundle, within what, plane; each goes through the middle of its structures."""
HALF_MM, PIXEL_MM, DPI = 36.0, 0.4, 130
_PANEL_INCH, _GAP, _HEADER, _FOOTER = 2.9, 0.08, 0.75, 0.4


def draw_bundles(t1: Volume, labels: Volume, pairs: list[Pair], path: Path) -> None:
    """Draw nine planes; on each, one bundle inside the brainstem and its structures.

    Parameters
    ----------
    t1, labels : Volume
        On one grid.
    pairs : list of Pair
    path : Path
        PNG to write.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    step = _PANEL_INCH + _GAP
    width, height = 2 * MARGIN_INCH + 3 * step - _GAP, _HEADER + 3 * step + _FOOTER
    figure = Figure(figsize=(width, height), dpi=DPI, facecolor=BACKGROUND)
    FigureCanvasAgg(figure)
    stem = t1.array[labels.array > 0]
    window = float(np.percentile(stem, 1)) * 0.4, float(np.percentile(stem, 99)) * 1.15
    for number, (bundle, within, kind) in enumerate(PANELS):
        row, column = divmod(number, 3)
        corner = (MARGIN_INCH + column * step, height - _HEADER - (row + 1) * step + _GAP)
        shown = [p for p in pairs if p.name.startswith(bundle) and p.within == within]
        axes = inch_axes(figure, corner, (_PANEL_INCH, _PANEL_INCH))
        drawn = [p for p in pairs if p.name.startswith(bundle)]
        _panel(axes, t1, labels, drawn, Plane(kind, _middle(shown, labels)), window)
        where = "" if within == "brainstem" else f", {within}"
        outlined_text(axes, -HALF_MM + 1, HALF_MM - 1, f"{bundle}{where}", ha="left", va="top")
    x = MARGIN_INCH / width
    figure.text(
        x,
        1 - 0.26 / height,
        "ICBM 2009 T1: structures (lines) and TractSeg bundles of another person (filled)",
        color=INK,
        fontsize=11,
        fontweight="bold",
        va="center",
    )
    figure.text(
        x,
        1 - 0.54 / height,
        "bundles cut to the segmented brainstem; automatic masks, wider than the structures",
        color=DIM,
        fontsize=9,
        va="center",
    )
    for number, (name, colour) in enumerate(COLOURS.items()):
        figure.text(x + 0.8 * number / width, 0.2 / height, name, color=colour, va="center")
    figure.savefig(path, format="png", facecolor=BACKGROUND)


def _panel(axes, t1: Volume, labels: Volume, pairs: list[Pair], plane: Plane, window) -> None:
    from matplotlib.colors import to_rgb

    points = plane.grid(HALF_MM, HALF_MM, PIXEL_MM)
    box = [-HALF_MM, HALF_MM, -HALF_MM, HALF_MM]
    axes.imshow(
        sample(t1, points), cmap="gray", vmin=window[0], vmax=window[1], extent=box, origin="lower"
    )
    for pair in pairs:
        # CST comes whole and in three parts: the whole is enough.
        if pair.name.startswith("CST") and pair.within != "brainstem":
            continue
        colour = COLOURS[pair.name.split()[0]]
        mine, bundle = (
            sample(Volume(mask.astype(np.float32), labels.affine), points)
            for mask in (pair.mine, pair.bundle)
        )
        fill = np.zeros((*bundle.shape, 4))
        fill[..., :3], fill[..., 3] = to_rgb(colour), 0.38 * (bundle >= 0.5)
        axes.imshow(fill, extent=box, origin="lower", interpolation="nearest")
        if mine.min() < 0.5 < mine.max():
            u = np.linspace(-HALF_MM, HALF_MM, mine.shape[0])
            axes.contour(u, u, mine, levels=[0.5], colors=[colour], linewidths=1.3)
    axes.set(xlim=box[:2], ylim=box[2:])
    left, right, *_ = plane.letters
    outlined_text(axes, -HALF_MM + 1, 0, left, ha="left", va="center", fontweight="bold")
    outlined_text(axes, HALF_MM - 1, 0, right, ha="right", va="center", fontweight="bold")


def _middle(pairs: list[Pair], labels: Volume) -> tuple[float, float, float]:
    index = np.argwhere(np.any([pair.mine for pair in pairs], axis=0))
    if not len(index):
        index = np.argwhere(labels.array > 0)
    middle = labels.affine[:3, :3] @ index.mean(0) + labels.affine[:3, 3]
    return tuple(float(value) for value in middle)
