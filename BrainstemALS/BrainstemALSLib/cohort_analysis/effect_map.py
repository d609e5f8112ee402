"""Effect sizes painted on the average brainstem: as a picture and as NIfTI in atlas space."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from ..anatomy import REGIONS, load_structures
from ..imaging.volume import Volume
from ..imaging.writing import write_volume
from ..phantom.sample import sample_anatomy
from ..report.canvas import BACKGROUND, edge_letters, inch_axes, outlined_text
from ..report.planes import Plane, choose_views, crop_to_labels, label_masks, sample
from .figure_style import DIM, INK, NAMES, new_figure, png

if TYPE_CHECKING:
    import pandas as pd

COLOUR_MAP = "RdBu_r"
"""Red above controls, blue below; of ColorBrewer, safe for people who see colours differently."""
SPACE = "ICBM 2009a nonlinear symmetric, RAS mm, 1 mm"
_PANEL_INCH, _GAP_INCH, _PIXEL_MM = 2.0, 0.05, 0.4
_HEADER, _FOOTER, _BAR = 0.5, 0.5, 0.75
_GREY_LEVEL = 0.62
"""Grey matter beside white matter on the drawn T1-like background (own choice)."""


@lru_cache(maxsize=1)
def atlas() -> tuple[Volume, Volume]:
    """Return labels (uint8) and a T1-like background (0-1), cut to the brainstem's surroundings.

    Both in ``SPACE``. Raises as ``phantom.sample.sample_anatomy``.
    """
    labels, white, grey = sample_anatomy()
    found = np.argwhere(labels.array > 0)
    low = np.maximum(found.min(0) - 25, 0)
    high = np.minimum(found.max(0) + 26, labels.shape)
    window = tuple(slice(a, b) for a, b in zip(low, high, strict=True))
    affine = labels.affine.copy()
    affine[:3, 3] += affine[:3, :3] @ low
    background = white.array[window] + _GREY_LEVEL * grey.array[window]
    return Volume(labels.array[window], affine), Volume(background.astype(np.float32), affine)


def effect_volume(table: pd.DataFrame, measure: str, column: str = "adjusted_d") -> Volume | None:
    """Return a measure's effect in every voxel of its structure, NaN elsewhere.

    Parameters
    ----------
    table : pandas.DataFrame
        One contrast of ``linear.COLUMNS``.
    measure : str
    column : str
        What is painted.

    Returns
    -------
    Volume or None
        float32, in ``SPACE``; None where no structure of the atlas has an estimate.
    """
    effects = _effects(table, measure, column)
    if not effects:
        return None
    labels, _ = atlas()
    painted = np.full(256, np.nan, np.float32)
    for structure in load_structures():
        painted[structure.index] = effects.get(structure.key, np.nan)
    return Volume(painted[labels.array], labels.affine)


def write_effect_volumes(table: pd.DataFrame, folder: Path) -> list[Path]:
    """Write ``effect_MEASURE.nii.gz``: adjusted d, 0 where there is none, for viewers."""
    written = []
    for measure in NAMES:
        volume = effect_volume(table, measure)
        if volume is not None:
            path = folder / f"effect_{measure}.nii.gz"
            write_volume(Volume(np.nan_to_num(volume.array), volume.affine), path)
            written.append(path)
    return written


def draw_effect_map(
    table: pd.DataFrame, measure: str, limit: float, alpha: float, source: str
) -> bytes | None:
    """Draw six axial levels, a sagittal and a coronal plane; None where nothing is estimated.

    Parameters
    ----------
    table : pandas.DataFrame
        One contrast of ``linear.COLUMNS``.
    measure : str
    limit : float
        Ends of the colours, standard deviations; the same for all measures of a report.
    alpha : float
        Structures with a false discovery rate below it get a black outline.
    source : str
    """
    effects = _effects(table, measure, "adjusted_d")
    if not effects:
        return None
    from matplotlib import colormaps
    from matplotlib.cm import ScalarMappable
    from matplotlib.colors import Normalize

    rates = _effects(table, measure, "q")
    labels, background = atlas()
    index = {s.index: s.key for s in load_structures() if s.parent in REGIONS}
    views = choose_views(labels)
    planes = [*views.axial, ("sagittal", views.sagittal), ("coronal", views.coronal)]
    x, y, z = views.extent_mm
    halves = {"axial": max(x, y) / 2, "sagittal": max(y, z) / 2, "coronal": max(x, z) / 2}
    rows, columns = 2, 4
    size = (
        columns * _PANEL_INCH + (columns - 1) * _GAP_INCH + _BAR + 0.1,
        _HEADER + _FOOTER + rows * _PANEL_INCH + (rows - 1) * _GAP_INCH,
    )
    figure = new_figure(size[1], size[0])
    colours = ScalarMappable(Normalize(-limit, limit), colormaps[COLOUR_MAP])
    cut = crop_to_labels(labels)
    for number, (name, plane) in enumerate(planes):
        row, column = divmod(number, columns)
        corner = (
            0.05 + column * (_PANEL_INCH + _GAP_INCH),
            size[1] - _HEADER - (row + 1) * _PANEL_INCH - row * _GAP_INCH,
        )
        axes = inch_axes(figure, corner, (_PANEL_INCH, _PANEL_INCH))
        half = halves[plane.kind]
        _draw_plane(axes, plane, half, background, cut, index, effects, rates, colours, alpha)
        outlined_text(
            axes, -0.96 * half, 0.96 * half, name.capitalize(), ha="left", va="top", fontsize=8
        )
    bar = figure.add_axes(
        (1 - (_BAR - 0.12) / size[0], (_FOOTER + 0.25) / size[1], 0.13 / size[0],
         (rows * _PANEL_INCH - 0.5) / size[1])
    )  # fmt: skip
    figure.colorbar(colours, cax=bar, extend="both")
    bar.tick_params(labelsize=7, colors=INK)
    figure.text(
        0.05 / size[0], 1 - 0.22 / size[1],
        f"{NAMES[measure]}: ALS against controls, adjusted difference in standard deviations",
        fontsize=9.5, fontweight="bold", color=INK, va="center",
    )  # fmt: skip
    figure.text(
        0.05 / size[0], 0.24 / size[1],
        f"Black outline: false discovery rate below {alpha:g}. Grey: not estimated. Average "
        "anatomy, not a patient; the\npatient's right is on the left of axial and coronal planes.",
        fontsize=7.5, color=DIM, va="center",
    )  # fmt: skip
    return png(figure, source)


def map_limit(table: pd.DataFrame) -> float:
    """Return the ends of the colours: the largest effect, between 0.3 and 1.5 (own choice)."""
    values = table[table.measure.isin(NAMES)].adjusted_d.abs()
    return float(np.clip(values.max(), 0.3, 1.5)) if values.notna().any() else 0.3


def _effects(table: pd.DataFrame, measure: str, column: str) -> dict[str, float]:
    keys = {s.key for s in load_structures() if s.parent in REGIONS}
    part = table[(table.measure == measure) & table.structure.isin(keys) & table[column].notna()]
    return dict(zip(part.structure, part[column].astype(float), strict=True))


def _draw_plane(
    axes, plane: Plane, half, background, cut, index, effects, rates, colours, alpha
) -> None:
    points = plane.grid(half, half, _PIXEL_MM)
    extent = (-half, half, -half, half)
    axes.set_facecolor(BACKGROUND)
    axes.imshow(
        sample(background, points), cmap="gray", vmin=0.0, vmax=1.45, extent=extent,
        origin="lower", interpolation="bilinear",
    )  # fmt: skip
    masks = [(index[i], mask) for i, mask in label_masks(cut, points) if i in index]
    if masks:
        shares = np.stack([mask for _, mask in masks])
        rgba = np.zeros((*shares.shape[1:], 4))
        # The structure that fills most of a pixel colours it: no gaps between neighbours.
        winner = shares.argmax(0)
        for number, (key, _) in enumerate(masks):
            colour = colours.to_rgba(effects[key]) if key in effects else (0.55, 0.55, 0.55, 1)
            rgba[(winner == number) & (shares.sum(0) > 0.5)] = (*colour[:3], 0.92)
        axes.imshow(rgba, extent=extent, origin="lower", interpolation="nearest")
    u, v = (np.linspace(-half, half, n) for n in points.shape[1::-1])
    for key, mask in masks:
        sure = rates.get(key, 1.0) < alpha
        axes.contour(
            u, v, mask, levels=[0.5], colors=["#000000" if sure else "#6b7280"],
            linewidths=1.1 if sure else 0.35,
        )  # fmt: skip
    small = {"fontsize": 7}
    edge_letters(axes, plane.letters, (half, half), 0.03 * half, small, small)
    axes.set(xlim=extent[:2], ylim=extent[2:])
