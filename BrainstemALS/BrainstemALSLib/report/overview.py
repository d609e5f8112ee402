"""The overview: one picture by which a reader judges a segmentation at a glance."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from .. import __version__
from ..anatomy import load_structures
from ..imaging.volume import Volume
from ..measurement import Measures
from ..segmentation.result import Segmentation
from .canvas import (
    BACKGROUND,
    DIM,
    INK,
    MARGIN_INCH,
    NOTICE,
    edge_letters,
    inch_axes,
    is_dark,
    outlined_text,
)
from .legend import LINE_INCH, draw_legend, legend_columns
from .planes import (
    SAGITTAL_OFFSET_MM,
    Plane,
    Views,
    choose_views,
    crop_to_labels,
    label_masks,
    sample,
)
from .statements import RESEARCH_USE, SYNTHETIC_TRAINING

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

WINDOW_PERCENTILES = (1.0, 99.5)
"""Of the intensities around the brainstem; black ends at the first."""
WINDOW_HEADROOM = 1.25
"""White lies this much above the second, so that pale outlines stay visible on white matter."""
AXIAL_MM, UPRIGHT_MM = (72.0, 60.0), (72.0, 90.0)
"""Width and height of the panels; both grow together when the brainstem needs more room."""
PIXEL_MM = 0.4
DPI = 150
_PANEL_INCH, _GAP, _HEADER, _FOOTER = 3.4, 0.08, 0.75, 0.42


def draw_overview(
    t1: Volume,
    segmentation: Segmentation,
    path: Path,
    title: str = "",
    measures: Measures | None = None,
) -> None:
    """Draw six axial levels, a sagittal and a coronal plane of the T1 with the outlines.

    Radiological convention: the patient's right is on the left of axial and coronal planes.

    Parameters
    ----------
    t1 : Volume
        The T1, any orientation and spacing.
    segmentation : Segmentation
        Its labels are outlined in the colours of the table of structures.
    path : pathlib.Path
        PNG to write.
    title : str
        Shown at the top, for example ``sub-01``.
    measures : Measures, optional
        Adds the volume of each region to the legend.

    Raises
    ------
    BrainstemALSError
        Nothing is labelled.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    views = choose_views(segmentation.labels)
    labels = crop_to_labels(segmentation.labels)
    x, y, z = views.extent_mm
    grow = max(
        1.0,
        x / AXIAL_MM[0],
        y / AXIAL_MM[1],
        y / UPRIGHT_MM[0],
        x / UPRIGHT_MM[0],
        z / UPRIGHT_MM[1],
    )
    legend = legend_columns(labels)
    lines = max((len(column) for _, column in legend), default=0) + 1
    unit = _PANEL_INCH / AXIAL_MM[0]  # inches per millimetre before growing
    body = 3 * AXIAL_MM[1] * unit + 2 * _GAP
    width = 2 * MARGIN_INCH + 3 * _PANEL_INCH + 2 * _GAP
    height = _HEADER + body + 0.3 + lines * LINE_INCH + _FOOTER
    figure = Figure(figsize=(width, height), dpi=DPI, facecolor=BACKGROUND)
    FigureCanvasAgg(figure)

    panel = _panel_drawer(figure, t1, labels, _window(t1, views))
    step = _PANEL_INCH + _GAP
    for position, (region, plane) in enumerate(views.axial):
        row, column = divmod(position, 2)
        bottom = height - _HEADER - (row + 1) * AXIAL_MM[1] * unit - row * _GAP
        axes = panel(plane, (MARGIN_INCH + column * step, bottom), AXIAL_MM, grow)
        _corner(axes, f"{position + 1}  {region}", AXIAL_MM, grow)
        if position == 0:
            _scale_bar(axes, AXIAL_MM, grow)
    upright = (body - _GAP) / 2
    for row, plane in enumerate((views.sagittal, views.coronal)):
        size = (UPRIGHT_MM[0], upright / unit)
        bottom = height - _HEADER - (row + 1) * upright - row * _GAP
        axes = panel(plane, (MARGIN_INCH + 2 * step, bottom), size, grow)
        side = (
            f", {SAGITTAL_OFFSET_MM:g} mm left of the midline" if plane.kind == "sagittal" else ""
        )
        _corner(axes, plane.kind + side, size, grow)
        _mark_levels(axes, [p for _, p in views.axial], plane, size, grow)
    _header(figure, title, t1, segmentation)
    draw_legend(figure, legend, _FOOTER + lines * LINE_INCH, measures)
    figure.savefig(path, format="png", facecolor=BACKGROUND, metadata={"Software": "BrainstemALS"})


def _panel_drawer(
    figure: Figure, t1: Volume, labels: Volume, window: tuple[float, float]
) -> Callable[[Plane, tuple[float, float], tuple[float, float], float], Axes]:
    from matplotlib import patheffects

    structures = {structure.index: structure for structure in load_structures()}
    halo = [patheffects.withStroke(linewidth=2.0, foreground=(1.0, 1.0, 1.0, 0.45))]

    def draw(plane, corner, size, grow):
        half = (size[0] * grow / 2, size[1] * grow / 2)
        points = plane.grid(*half, PIXEL_MM)
        image = np.nan_to_num(sample(t1, points))
        box = [-half[0], half[0], -half[1], half[1]]
        unit = _PANEL_INCH / AXIAL_MM[0]
        axes = inch_axes(figure, corner, (size[0] * unit, size[1] * unit))
        axes.imshow(
            image,
            cmap="gray",
            vmin=window[0],
            vmax=window[1],
            extent=box,
            origin="lower",
            interpolation="bilinear",
        )
        u = np.linspace(-half[0], half[0], image.shape[1])
        v = np.linspace(-half[1], half[1], image.shape[0])
        for index, mask in label_masks(labels, points):
            colour = structures[index].color
            lines = axes.contour(u, v, mask, levels=[0.5], colors=[colour], linewidths=0.95)
            if is_dark(colour):
                lines.set_path_effects(halo)
        axes.set(xlim=box[:2], ylim=box[2:])
        _edge_letters(axes, plane, half)
        return axes

    return draw


def _window(t1: Volume, views: Views) -> tuple[float, float]:
    """Return the black and white points from the intensities of a box around the brainstem."""
    x, y, z = (extent / 2 for extent in views.extent_mm)
    middle = Plane("axial", views.centre)
    heights = np.linspace(-z, z, 9)
    values = np.stack(
        [sample(t1, middle.grid(x, y, 1.5) + np.array([0.0, 0.0, height])) for height in heights]
    )
    values = values[np.isfinite(values) & (values != 0)]  # 0 is outside, or stripped
    if not len(values):
        return 0.0, 1.0
    low, high = np.percentile(values, WINDOW_PERCENTILES)
    return float(low), float(low + WINDOW_HEADROOM * max(high - low, 1e-6))


def _edge_letters(axes: Axes, plane: Plane, half: tuple[float, float]) -> None:
    inset = 0.035 * half[0]
    bold, dim = {"fontweight": "bold", "fontsize": 10}, {"color": DIM, "fontsize": 8}
    edge_letters(axes, plane.letters, half, inset, bold, dim)


def _corner(axes: Axes, text: str, size: tuple[float, float], grow: float) -> None:
    inset = 0.0175 * size[0] * grow
    outlined_text(
        axes, -size[0] * grow / 2 + inset, size[1] * grow / 2 - inset, text, ha="left", va="top"
    )


def _scale_bar(axes: Axes, size: tuple[float, float], grow: float) -> None:
    right, low = size[0] * grow / 2 - 3, -size[1] * grow / 2 + 3
    axes.plot([right - 10, right], [low, low], color=INK, linewidth=2, solid_capstyle="butt")
    outlined_text(axes, right - 5, low + 1, "10 mm", ha="center", va="bottom", fontsize=8)


def _mark_levels(
    axes: Axes, levels: list[Plane], plane: Plane, size: tuple[float, float], grow: float
) -> None:
    edge = size[0] * grow / 2
    for number, level in enumerate(levels, start=1):
        v = level.centre[2] - plane.centre[2]
        for start in (-edge, edge - 5):
            axes.plot([start, start + 5], [v, v], color=DIM, linewidth=0.7)
        outlined_text(
            axes, edge - 6, v, str(number), ha="right", va="center", color=DIM, fontsize=7.5
        )


def _header(figure: Figure, title: str, t1: Volume, segmentation: Segmentation) -> None:
    width, height = figure.get_size_inches()
    x, top = MARGIN_INCH / width, 1 - 0.24 / height
    voxel = " × ".join(f"{value:.3g}" for value in t1.spacing)
    channels = " + ".join(name.upper() for name in segmentation.modalities)
    figure.text(
        x, top, title or "Brainstem", color=INK, fontsize=15, fontweight="bold", va="center"
    )
    figure.text(
        x,
        1 - 0.53 / height,
        f"T1 with outlines, voxel {voxel} mm; segmented from {channels}; "
        f"BrainstemALS {__version__}",
        color=DIM,
        fontsize=9,
        va="center",
    )
    notice = {"ha": "right", "va": "center", "fontsize": 9}
    figure.text(1 - x, top, RESEARCH_USE, color=NOTICE, fontweight="bold", **notice)
    figure.text(1 - x, 1 - 0.53 / height, SYNTHETIC_TRAINING, color=NOTICE, **notice)
