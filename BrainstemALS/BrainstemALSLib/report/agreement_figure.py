"""Picture of where annotators disagree, to look at together."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from ..imaging.volume import Volume
from .canvas import (
    BACKGROUND,
    DIM,
    INK,
    MARGIN_INCH,
    NOTICE,
    edge_letters,
    inch_axes,
    outlined_text,
)
from .overview import PIXEL_MM, WINDOW_HEADROOM, WINDOW_PERCENTILES
from .planes import Plane, choose_views, crop_to_labels, label_masks, sample
from .statements import RESEARCH_USE

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

# Okabe and Ito's colours for people who see colours differently (doi:10.1038/nmeth.1618), those
# that show on grey; a tenth annotator begins again.
COLOURS = ("#56b4e9", "#e69f00", "#009e73", "#f0e442", "#cc79a7", "#d55e00")
HEAT = "#ff2d55"
_PANEL_INCH, _GAP, _HEADER, _FOOTER, _DPI = 3.4, 0.08, 0.75, 0.45, 150


def draw_agreement(
    t1: Volume,
    annotators: Mapping[str, Volume],
    disagreement: Volume,
    path: Path,
    title: str,
    places: Sequence[tuple[float, float, float]] = (),
) -> None:
    """Draw six axial levels, a sagittal and a coronal plane with everybody's outlines.

    Radiological convention, as the overview. Red is where annotators disagree, the stronger the
    more of them; numbers are places of the list that lie in the plane, to a millimetre.

    Parameters
    ----------
    t1 : Volume
        The box around the brainstem.
    annotators : mapping of str to Volume
        Code to label map; values are ``Structure.index``.
    disagreement : Volume
        Share of annotators who disagree, 0-1.
    path : pathlib.Path
        PNG to write.
    title : str
        Shown at the top.
    places : sequence of (float, float, float)
        RAS mm, in the order of the list.

    Raises
    ------
    BrainstemALSError
        NO_BRAINSTEM: nobody labelled anything of the brainstem.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    labels = np.max([volume.array for volume in annotators.values()], axis=0)
    views = choose_views(Volume(labels, t1.affine))
    x, y, z = views.extent_mm
    # Axial planes need less room than upright ones: each kind fills its panels.
    halves = {"axial": max(x, y) / 2, "sagittal": max(y, z) / 2, "coronal": max(x, z) / 2}
    planes = [(f"{n}  {region}", plane) for n, (region, plane) in enumerate(views.axial, start=1)]
    planes += [("sagittal", views.sagittal), ("coronal", views.coronal)]
    columns = 4
    rows = -(-len(planes) // columns)
    figure_size = (
        2 * MARGIN_INCH + columns * _PANEL_INCH + (columns - 1) * _GAP,
        _HEADER + rows * (_PANEL_INCH + _GAP) + _FOOTER,
    )
    figure = Figure(figsize=figure_size, dpi=_DPI, facecolor=BACKGROUND)
    FigureCanvasAgg(figure)
    shown = [crop_to_labels(volume) for volume in annotators.values() if volume.array.any()]
    seen = t1.array[t1.array != 0]
    low, high = np.percentile(seen, WINDOW_PERCENTILES) if seen.size else (0.0, 1.0)
    window = float(low), float(low + WINDOW_HEADROOM * max(high - low, 1e-6))
    for number, (text, plane) in enumerate(planes):
        row, column = divmod(number, columns)
        corner = (
            MARGIN_INCH + column * (_PANEL_INCH + _GAP),
            figure_size[1] - _HEADER - (row + 1) * _PANEL_INCH - row * _GAP,
        )
        axes = inch_axes(figure, corner, (_PANEL_INCH, _PANEL_INCH))
        half = halves[plane.kind]
        _draw_plane(axes, plane, half, t1, shown, disagreement, window)
        _mark_places(axes, plane, half, places)
        outlined_text(axes, -0.96 * half, 0.96 * half, text, ha="left", va="top")
    _write_header(figure, title, list(annotators))
    figure.savefig(path, format="png", facecolor=BACKGROUND, metadata={"Software": "BrainstemALS"})


def _draw_plane(
    axes: Axes,
    plane: Plane,
    half: float,
    t1: Volume,
    annotators: Sequence[Volume],
    disagreement: Volume,
    window: tuple[float, float],
) -> None:
    from matplotlib.colors import to_rgb

    points = plane.grid(half, half, PIXEL_MM)
    extent = (-half, half, -half, half)
    axes.imshow(
        sample(t1, points),
        cmap="gray",
        vmin=window[0],
        vmax=window[1],
        extent=extent,
        origin="lower",
        interpolation="bilinear",
    )
    share = sample(disagreement, points)
    heat = np.zeros((*share.shape, 4))
    heat[..., :3] = to_rgb(HEAT)
    # Half of the annotators is as many as two who differ can be: opaque enough to be seen.
    heat[..., 3] = np.clip(1.5 * share, 0, 0.85)
    axes.imshow(heat, extent=extent, origin="lower", interpolation="nearest")
    u, v = (np.linspace(-half, half, n) for n in share.shape[::-1])
    for number, labels in enumerate(annotators):
        colour = COLOURS[number % len(COLOURS)]
        for _index, mask in label_masks(labels, points):
            axes.contour(u, v, mask, levels=[0.5], colors=[colour], linewidths=0.7, alpha=0.9)
    edge_letters(axes, plane.letters, (half, half), 0.03 * half)
    axes.set(xlim=extent[:2], ylim=extent[2:])


def _mark_places(
    axes: Axes, plane: Plane, half: float, places: Sequence[tuple[float, float, float]]
) -> None:
    across = np.cross(plane.right, plane.up)
    for number, place in enumerate(places, start=1):
        offset = np.subtract(place, plane.centre)
        u, v = float(offset @ plane.right), float(offset @ plane.up)
        if abs(float(offset @ across)) <= 1.0 and max(abs(u), abs(v)) < half:
            outlined_text(axes, u, v, str(number), ha="center", va="center", color=NOTICE)


def _write_header(figure: Figure, title: str, annotators: Sequence[str]) -> None:
    width, height = figure.get_size_inches()
    x = MARGIN_INCH / width
    top = 1 - 0.24 / height
    figure.text(x, top, title, color=INK, fontsize=15, fontweight="bold", va="center")
    figure.text(
        1 - x, top, RESEARCH_USE, color=NOTICE, fontsize=9, fontweight="bold", ha="right",
        va="center",
    )  # fmt: skip
    for number, code in enumerate(annotators):
        figure.text(
            x + number * 1.8 / width,
            1 - 0.53 / height,
            code,
            color=COLOURS[number % len(COLOURS)],
            fontsize=10,
            fontweight="bold",
            va="center",
        )
    figure.text(
        x,
        0.2 / height,
        "Outlines: one colour for each annotator. Red: where annotators disagree. Numbers: places "
        "of the list. Patient's right is on the left of axial and coronal planes.",
        color=DIM,
        fontsize=8,
        va="center",
    )
