"""Dark and bright spots inside the found brainstem, as lesions and bleeds are on a T1."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from scipy import ndimage
from scipy.signal import fftconvolve

from ..anatomy import load_structures
from .familiarity_window import Window

# Our own choice: a spot of 6 mm is a ball of this radius, and what lies nearer to the surface than
# DEPTH_MM may be fluid that an outline 1 to 2 mm off has let in.
RADIUS_MM = 3.0
DEPTH_MM = 3.0
FLUID_MM = 2.0
FILLED = 0.6
"""Share of a ball that must lie in the searched tissue."""
KINDS = ("dark", "bright")


@dataclass(frozen=True)
class Spot:
    """The most conspicuous ball of one kind.

    Attributes
    ----------
    size : float
        How far its mean lies from the brainstem's trend, in units of ``Window.scale``.
    structure : str or None
        Key of the structure nearest to its middle.
    """

    size: float
    structure: str | None


@lru_cache(maxsize=1)
def _ball() -> np.ndarray:
    reach = int(np.ceil(RADIUS_MM))
    grid = np.indices((2 * reach + 1,) * 3) - reach
    return ((grid**2).sum(0) <= RADIUS_MM**2).astype(np.float32)


def searched(window: Window) -> np.ndarray:
    """Tissue in which spots are looked for, bool.

    The brainstem with its holes filled, since a lesion may be labelled as nothing, but without
    closing it: that would bridge the fluid between the peduncles. The ventricle and the aqueduct
    are left out with a margin, the rest is eroded.
    """
    solid = ndimage.binary_fill_holes(window.stem)
    fluid = window.stems(("fourth_ventricle", "cerebral_aqueduct"))
    pieces, count = ndimage.label(fluid)
    if count > 1:  # a lesion may be called ventricle: only the piece that is one is left out
        fluid = pieces == 1 + np.argmax(ndimage.sum_labels(fluid, pieces, range(1, count + 1)))
    solid &= ~fluid
    inside = ndimage.distance_transform_edt(solid) > DEPTH_MM
    if fluid.any():
        inside &= ndimage.distance_transform_edt(~fluid) > FLUID_MM
    return inside & np.isfinite(window.t1)


def spots(window: Window) -> dict[str, Spot]:
    """Return the most conspicuous spot of each of ``KINDS``; size NaN where none can be seen."""
    region = searched(window)
    if region.sum() < 500:
        return {kind: Spot(float("nan"), None) for kind in KINDS}
    away = window.t1 - window.usual_intensity(region)
    away = np.where(region, away - _trend(away, region), 0.0).astype(np.float32)
    box = tuple(slice(a, b) for a, b in zip(*_extent(region), strict=True))
    ball = _ball()
    total = fftconvolve(away[box], ball, mode="same")
    count = fftconvolve(region[box].astype(np.float32), ball, mode="same")
    enough = region[box] & (count >= FILLED * ball.sum())
    if not enough.any():
        return {kind: Spot(float("nan"), None) for kind in KINDS}
    mean = np.where(enough, total / np.maximum(count, 1), np.nan) / window.scale
    corner = np.array([part.start for part in box])
    out = {}
    for kind, sign in (("dark", -1.0), ("bright", 1.0)):
        place = np.unravel_index(np.nanargmax(sign * mean), mean.shape)
        out[kind] = Spot(float(sign * mean[place]), _nearest(window, np.array(place) + corner))
    return out


def _extent(region: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    found = np.argwhere(region)
    return found.min(0), found.max(0) + 1


def _trend(image: np.ndarray, region: np.ndarray) -> np.ndarray:
    """Plane through the intensities of a region, spots clipped: what coil and bias leave."""
    points = np.argwhere(region)
    values = image[region].astype(float)
    low, high = np.percentile(values, (10, 90))
    values = np.clip(values, low, high)
    terms = np.column_stack([np.ones(len(points)), points])
    weights = np.linalg.lstsq(terms, values, rcond=None)[0]
    i, j, k = (np.arange(n) for n in image.shape)
    return (
        weights[0]
        + weights[1] * i[:, None, None]
        + weights[2] * j[None, :, None]
        + weights[3] * k[None, None, :]
    )


def _nearest(window: Window, place: np.ndarray) -> str | None:
    points = np.argwhere(window.stem)
    if not len(points):
        return None
    index = window.labels[tuple(points[((points - place) ** 2).sum(1).argmin()])]
    return next(s.key for s in load_structures() if s.index == index)
