"""The picture by which a reader judges whether the diffusion maps lie on the T1."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from .. import __version__
from ..imaging.dwi import TensorMaps
from ..imaging.registration import Alignment, Registration
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
from .planes import Plane, sample
from .statements import RESEARCH_USE

HALF_MM = {"axial": (48.0, 48.0), "coronal": (48.0, 48.0), "sagittal": (48.0, 48.0)}
PIXEL_MM, DPI = 0.5, 130
WINDOW_PERCENTILES = (1.0, 99.0)
FA_LEVEL, FA_COLOUR = 0.3, "#ffb703"
"""White matter begins about here in every brain; the outline is for the eye alone."""
FLUID_LEVEL, FLUID_COLOUR = 1.8, "#4cc9f0"
"""1e-3 mm2/s: half way between brain (0.8) and fluid (3.0), so it follows the brain's surface."""
_PANEL_INCH, _GAP, _HEADER, _FOOTER, _LABEL = 3.0, 0.08, 0.75, 0.4, 0.28


def registration_figure(
    t1: Volume,
    alignment: Alignment,
    path: Path,
    title: str = "",
    note: str = "",
) -> None:
    """Draw three planes of the T1 with the outlines of the maps, before and after.

    Radiological convention: the patient's right is on the left of axial and coronal planes. Where
    registration failed only the upper row is drawn.

    Parameters
    ----------
    t1 : Volume
        The T1, any orientation and spacing.
    alignment : Alignment
        The maps as they came and what became of them. The planes meet at its centre.
    path : pathlib.Path
        PNG to write.
    title : str
        Shown at the top, for example ``sub-01``.
    note : str
        What a reader has to know of the images, for example that they are simulated.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    maps, registration = alignment.came, alignment.found
    rows = [("As they came", maps)]
    if registration.maps is not None:
        rows.append(("After registration", registration.maps))
    step = _PANEL_INCH + _GAP
    width = 2 * MARGIN_INCH + _LABEL + 3 * step - _GAP
    height = _HEADER + len(rows) * step + _FOOTER
    figure = Figure(figsize=(width, height), dpi=DPI, facecolor=BACKGROUND)
    FigureCanvasAgg(figure)
    planes = [Plane(kind, tuple(float(c) for c in alignment.centre)) for kind in HALF_MM]
    window = _window(t1, planes)
    for row, (name, shown) in enumerate(rows):
        bottom = height - _HEADER - (row + 1) * step + _GAP
        figure.text(
            (MARGIN_INCH + 0.1) / width,
            (bottom + _PANEL_INCH / 2) / height,
            name,
            color=INK,
            fontsize=10,
            rotation=90,
            va="center",
            ha="center",
        )
        for column, plane in enumerate(planes):
            corner = (MARGIN_INCH + _LABEL + column * step, bottom)
            axes = inch_axes(figure, corner, (_PANEL_INCH, _PANEL_INCH))
            _draw(axes, t1, shown, plane, window)
    _texts(figure, registration, title, note)
    _legend(figure, maps)
    figure.savefig(path, format="png", facecolor=BACKGROUND, metadata={"Software": "BrainstemALS"})


def _draw(axes, t1: Volume, maps: TensorMaps, plane: Plane, window: tuple[float, float]) -> None:
    half = HALF_MM[plane.kind]
    points = plane.grid(*half, PIXEL_MM)
    box = [-half[0], half[0], -half[1], half[1]]
    look = {"extent": box, "origin": "lower", "interpolation": "bilinear"}
    axes.imshow(
        np.nan_to_num(sample(t1, points)), cmap="gray", vmin=window[0], vmax=window[1], **look
    )
    for volume, level, colour in (
        (maps.md, FLUID_LEVEL, FLUID_COLOUR),
        (maps.fa, FA_LEVEL, FA_COLOUR),
    ):
        if volume is None:
            continue
        image = np.nan_to_num(sample(volume, points))
        # matplotlib warns of a level that no pixel reaches.
        if image.min() < level < image.max():
            u = np.linspace(*box[:2], image.shape[1])
            v = np.linspace(*box[2:], image.shape[0])
            axes.contour(u, v, image, levels=[level], colors=[colour], linewidths=0.9)
    axes.set(xlim=box[:2], ylim=box[2:])
    inset = 0.035 * half[0]
    bold, dim = {"fontweight": "bold", "fontsize": 9}, {"color": DIM, "fontsize": 8}
    edge_letters(axes, plane.letters, half, inset, bold, dim)
    outlined_text(axes, -half[0] + inset, half[1] - inset, plane.kind, ha="left", va="top")


def _window(t1: Volume, planes: list[Plane]) -> tuple[float, float]:
    """Black and white from the intensities that are shown."""
    values = np.concatenate([sample(t1, p.grid(*HALF_MM[p.kind], 2.0)).ravel() for p in planes])
    values = values[np.isfinite(values) & (values != 0)]  # 0 is outside, or stripped
    if not len(values):
        return 0.0, 1.0
    low, high = np.percentile(values, WINDOW_PERCENTILES)
    return float(low), float(low + max(high - low, 1e-6))


def _texts(figure, registration: Registration, title: str, note: str) -> None:
    width, height = figure.get_size_inches()
    x, right = MARGIN_INCH / width, 1 - MARGIN_INCH / width
    first, second, last = 1 - 0.24 / height, 1 - 0.53 / height, 0.2 / height
    heading = f"Diffusion on the T1: quality {registration.quality:.2f} of 1"
    if not registration.ok:
        heading = f"Diffusion not used: quality {registration.quality:.2f} of 1"
    figure.text(
        x,
        first,
        f"{title}  {heading}".strip(),
        color=INK,
        fontsize=13,
        fontweight="bold",
        va="center",
    )
    figure.text(x, second, _movement(registration), color=DIM, fontsize=9, va="center")
    at_right = {"ha": "right", "va": "center", "fontsize": 9, "color": NOTICE}
    figure.text(right, second, note, fontweight="bold", **at_right)
    figure.text(right, last, RESEARCH_USE, **at_right)


def _legend(figure, maps: TensorMaps) -> None:
    width, height = figure.get_size_inches()
    x, y = MARGIN_INCH / width, 0.2 / height
    parts = [(f"BrainstemALS {__version__}", DIM, 1.6)]
    if maps.fa is not None:
        parts.append((f"orange: FA {FA_LEVEL:g}", FA_COLOUR, 1.3))
    if maps.md is not None:
        parts.append(("blue: brain to fluid, by MD", FLUID_COLOUR, 2.0))
    for text, colour, inches in parts:
        figure.text(x, y, text, color=colour, va="center", fontsize=9)
        x += inches / width


def _movement(registration: Registration) -> str:
    facts = registration.facts
    if not registration.ok:
        codes = ", ".join(finding.code for finding in registration.findings)
        return f"{codes}; only the T1 is used"
    if facts.get("left_alone"):
        return "already on the T1, left as they were"
    text = (
        f"moved by {facts['translation_mm']:.1f} mm and {facts['rotation_degrees']:.1f} degrees, "
        f"by the {facts['contrast']}"
    )
    if facts.get("straightened"):
        text += "; distortion straightened along the phase encoding"
    return text
