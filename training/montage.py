"""Draws a label map over an image: slices in three planes as one PNG, to be looked at."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from BrainstemALSLib.anatomy import load_structures
from BrainstemALSLib.imaging.volume import Volume

PLANES = ("axial", "coronal", "sagittal")
_THROUGH = {"sagittal": 0, "coronal": 1, "axial": 2}
# Values from here on are the surroundings that training adds; drawn in dim greys of their own.
_FIRST_CONTEXT = 100


def label_colours() -> np.ndarray:
    """Colour of every label value.

    Returns
    -------
    numpy.ndarray, shape (256, 4)
        RGBA 0-1: structures as in ``structures.tsv``, values from 100 in greys, 0 transparent, any
        other value magenta so that a stray label is seen.
    """
    from matplotlib.colors import to_rgba

    table = np.tile(np.array([1.0, 0.0, 1.0, 1.0]), (256, 1))
    table[0] = 0
    for value in range(_FIRST_CONTEXT, 256):
        table[value] = (*(3 * [0.15 + 0.07 * (value * 7 % 9)]), 1.0)
    for structure in load_structures():
        table[structure.index] = to_rgba(structure.color)
    return table


def montage(
    image: Volume | None,
    labels: Volume,
    path: Path | str,
    planes: Sequence[str] = PLANES,
    title: str | None = None,
    slices: int = 6,
    alpha: float = 0.55,
    margin_mm: float = 12.0,
) -> Path:
    """Write slices of a label map, over an image if there is one, as a PNG.

    Slices are evenly spaced through the brainstem structures (label values 1-99; all labels when
    there are none). Axial and coronal slices are in the radiological convention: the patient's
    right on the left of the picture.

    Parameters
    ----------
    image : Volume or None
        Any grid; it is resampled to the grid of the labels. None draws the labels alone, opaque.
    labels : Volume
        Integer label map (i, j, k), values 0-255, any orientation.
    path : Path or str
        PNG to write; its folder is created.
    planes : sequence of str
        Of ``axial``, ``coronal``, ``sagittal``; one row each.
    title : str, optional
        Above the picture.
    slices : int
        Slices per row.
    alpha : float
        Opacity of the labels over an image.
    margin_mm : float
        Seen around the structures.

    Returns
    -------
    Path
        The file written.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    values, background, spacing = _canonical(image, labels)
    box = _structure_box(values, spacing, margin_mm)
    values = values[box]
    colours = label_colours()
    opacity = 1.0
    if background is not None:
        background = background[box]
        low, high = np.percentile(background, (1, 99.5))
        background = np.clip((background - low) / max(high - low, 1e-6), 0, 1)
        opacity = alpha

    shapes = {plane: _slice(values, plane, 0).shape for plane in planes}
    extents = {plane: _extent(shapes[plane], plane, spacing) for plane in planes}
    width = 2.2 * slices
    heights = [width / slices * extents[p][1] / extents[p][0] for p in planes]
    figure = Figure((width, sum(heights) + 0.5), facecolor="black", dpi=110)
    FigureCanvasAgg(figure)
    grid = figure.subplots(
        len(planes), slices, squeeze=False,
        gridspec_kw={"height_ratios": heights, "wspace": 0.02, "hspace": 0.02,
                     "left": 0.005, "right": 0.995, "bottom": 0.005,
                     "top": 1 - 0.45 / (sum(heights) + 0.5)},
    )  # fmt: skip
    for row, plane in zip(grid, planes, strict=True):
        for axes, position in zip(row, _positions(values, plane, slices), strict=True):
            axes.set_axis_off()
            axes.set_facecolor("black")
            extent = (0, extents[plane][0], 0, extents[plane][1])
            if background is not None:
                axes.imshow(
                    _slice(background, plane, position), cmap="gray", vmin=0, vmax=1, extent=extent
                )
            rgba = colours[_slice(values, plane, position)]
            rgba[..., 3] *= opacity
            axes.imshow(rgba, extent=extent, interpolation="nearest")
        side = "A" if plane == "sagittal" else "R"
        row[0].text(
            0.02, 0.5, side, color="white", transform=row[0].transAxes, va="center", fontsize=9
        )
    if title:
        figure.suptitle(
            title, color="white", fontsize=11, y=1 - 0.1 / (sum(heights) + 0.5), va="top"
        )
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, facecolor="black")
    return path


def _canonical(
    image: Volume | None, labels: Volume
) -> tuple[np.ndarray, np.ndarray | None, np.ndarray]:
    """Labels and image as arrays whose axes run to the right, anterior and superior."""
    import nibabel as nib
    from nibabel.processing import resample_from_to

    # float32 holds 0-255 exactly; nibabel refuses some integer types.
    seen = nib.as_closest_canonical(nib.Nifti1Image(labels.array.astype(np.float32), labels.affine))
    values = np.asarray(seen.dataobj).astype(np.uint8)
    spacing = np.linalg.norm(seen.affine[:3, :3], axis=0)
    if image is None:
        return values, None, spacing
    picture = nib.Nifti1Image(image.array.astype(np.float32), image.affine)
    picture = resample_from_to(picture, (seen.shape, seen.affine), order=1)
    return values, np.asarray(picture.dataobj), spacing


def _structure_box(values: np.ndarray, spacing: np.ndarray, margin_mm: float) -> tuple[slice, ...]:
    structures = (values > 0) & (values < _FIRST_CONTEXT)
    shown = structures if structures.any() else values > 0
    if not shown.any():
        return tuple(slice(0, n) for n in values.shape)
    box = []
    for axis in range(3):
        others = tuple(a for a in range(3) if a != axis)
        where = np.flatnonzero(shown.any(axis=others))
        margin = int(np.ceil(margin_mm / spacing[axis]))
        box.append(
            slice(max(where[0] - margin, 0), min(where[-1] + 1 + margin, values.shape[axis]))
        )
    return tuple(box)


def _positions(values: np.ndarray, plane: str, slices: int) -> np.ndarray:
    axis = _THROUGH[plane]
    structures = (values > 0) & (values < _FIRST_CONTEXT)
    shown = structures if structures.any() else np.ones_like(structures)
    where = np.flatnonzero(shown.any(axis=tuple(a for a in range(3) if a != axis)))
    # The outermost slices of a structure show next to nothing.
    inset = 0.06 * (where[-1] - where[0])
    return np.round(np.linspace(where[0] + inset, where[-1] - inset, slices)).astype(int)


def _slice(array: np.ndarray, plane: str, position: int) -> np.ndarray:
    """One slice with superior (or anterior) up; the patient's right, or anterior, on the left."""
    # Canonical axes run to the right, anterior and superior: both axes of a slice are turned round.
    return np.take(array, position, axis=_THROUGH[plane]).T[::-1, ::-1]


def _extent(shape: tuple[int, ...], plane: str, spacing: np.ndarray) -> tuple[float, float]:
    across, up = {"axial": (0, 1), "coronal": (0, 2), "sagittal": (1, 2)}[plane]
    return shape[1] * spacing[across], shape[0] * spacing[up]
