"""Properties by which an exam is compared with those that the network learned from.

Every property is a number that neither the scanner's intensity scale nor the head's place changes.
Our own choice throughout; what is small by nature enters as a logarithm, so that a Gaussian fits.
"""

from __future__ import annotations

import numpy as np
from scipy import ndimage

from ..anatomy import load_structures
from .familiarity_window import Window, median

PARTS: dict[str, dict[str, int]] = {
    "contrast": {
        "fluid_contrast": 0, "fluid_around": 0, "bright_around": 0, "rank": 0, "white_grey": 0,
        "spread": 1,
    },
    "texture": {"noise": 1, "mottle": 1, "blur": 1, "stripes": 1, "streaks": 1},
    "shape": {
        "volume": 0, "midbrain_share": 0, "medulla_share": 0, "elongation": 0, "flatness": 0,
        "roughness": 1, "sides": 0, "missing": 1,
    },
    "pose": {"nodding": 0, "tilt": 0, "turn": 0},
    "certainty": {"entropy": 1, "doubt": 1, "soft_outline": 1},
    "fa": {"fa_tissue": 0, "fa_white_grey": 0, "fa_around": 0},
    "md": {"md_tissue": 0, "md_spread": 1, "md_around": 0},
}  # fmt: skip
"""Parts of the descriptor and their properties: 1 where only a larger value is worse, 0 where both
directions are. What is sharper, less noisy or more certain than a simulation is no worse for it."""

_PROFILE_MM = 3.0  # standard deviation of what is taken off a profile before stripes are looked for
_VENTRAL = ("crus_pontine", "cst_crus", "basis_pontis", "cst_pons", "pyramid")


def describe(window: Window) -> dict[str, np.ndarray]:
    """Return the properties by part, float64, in the order of ``PARTS``; NaN where unknown."""
    found = {
        "contrast": _contrast(window),
        "texture": _texture(window),
        "shape": _shape(window),
        "pose": _pose(window),
        "certainty": _certainty(window),
    }
    if "fa" in window.maps:
        found["fa"] = _fa(window)
    if "md" in window.maps:
        found["md"] = _md(window)
    return {
        part: np.array([values[name] for name in PARTS[part]], float)
        for part, values in found.items()
    }


def _contrast(w: Window) -> dict[str, float]:
    core, ring = w.t1[w.core], w.t1[w.ring]
    middle = median(core)
    dark, bright = _percentiles(ring, (10, 90))
    low, high = _percentiles(core, (10, 90))
    return {
        "fluid_contrast": (middle - median(w.t1[w.stems(("fourth_ventricle",))])) / w.scale,
        "fluid_around": (middle - dark) / w.scale,
        "bright_around": (bright - middle) / w.scale,
        "rank": float((ring < middle).mean()) if ring.size else np.nan,
        "white_grey": (
            median(w.t1[w.of(tissue="white") & w.core])
            - median(w.t1[w.of(tissue="grey") & (w.depth > 1)])
        )
        / w.scale,
        "spread": _log((high - low) / w.scale),
    }


def _percentiles(values: np.ndarray, which: tuple[float, float]) -> tuple[float, float]:
    if values.size < 30:
        return np.nan, np.nan
    low, high = np.percentile(values, which)
    return float(low), float(high)


def _log(value: float, floor: float = 1e-3) -> float:
    return float(np.log(max(value, floor))) if np.isfinite(value) else np.nan


def _texture(w: Window) -> dict[str, float]:
    image = np.where(np.isfinite(w.t1), w.t1, np.nanmedian(w.t1[w.core]))
    fine = image - ndimage.gaussian_filter(image, 1.0)
    noise = _spread(fine[w.core])
    rest = np.where(w.core, image - w.usual_intensity(w.core), 0.0)
    band = ndimage.gaussian_filter(rest, 1.0) - ndimage.gaussian_filter(rest, 3.0)
    shell = (w.depth > 0) & (w.depth <= 2) & np.isfinite(w.t1)
    slope = np.sqrt(sum(ndimage.sobel(image, axis) ** 2 for axis in range(3))) / 32
    edge = np.percentile(slope[shell], 90) if shell.any() else np.nan
    second = [_spread(np.diff(image, 2, axis)[_inner(w.core, axis)]) for axis in range(3)]
    profiles = [_profile(image, w.core, axis) for axis in range(3)]
    return {
        "noise": _log(noise / w.scale),
        "mottle": _log(_spread(band[w.core]) / w.scale),
        "blur": -_log(edge / w.scale),
        "stripes": _log(max(profiles) / w.scale),
        "streaks": _log(max(second) / max(min(second), 1e-12)),
    }


def _inner(mask: np.ndarray, axis: int) -> np.ndarray:
    return np.take(mask, range(1, mask.shape[axis] - 1), axis)


def _spread(values: np.ndarray) -> float:
    """Standard deviation of a Gaussian with the same median absolute deviation."""
    return 1.4826 * float(np.median(np.abs(values - np.median(values)))) if values.size else np.nan


def _profile(image: np.ndarray, mask: np.ndarray, axis: int) -> float:
    """How much whole slices of the brainstem differ from their neighbours, as ghosts make them."""
    others = tuple(n for n in range(3) if n != axis)
    count = mask.sum(others)
    used = count >= 40
    if used.sum() < 8:
        return 0.0
    means = (image * mask).sum(others)[used] / count[used]
    return _spread(means - ndimage.gaussian_filter1d(means, _PROFILE_MM, mode="nearest"))


def _shape(w: Window) -> dict[str, float]:
    sizes = {region: w.of(parent=region).sum() for region in ("midbrain", "pons", "medulla")}
    points = np.argwhere(w.stem)
    lengths = np.sqrt(np.maximum(np.linalg.eigvalsh(np.cov(points.T)), 1e-6))
    surface = w.stem & (w.depth <= 1)
    left, right = w.of(side="left").sum(), w.of(side="right").sum()
    absent = len(load_structures()) - len(np.unique(w.labels[w.labels > 0]))
    return {
        "volume": _log(float(w.stem.sum())),
        "midbrain_share": _log(sizes["midbrain"] / sizes["pons"]),
        "medulla_share": _log(sizes["medulla"] / sizes["pons"]),
        "elongation": _log(lengths[2] / lengths[1]),
        "flatness": _log(lengths[1] / lengths[0]),
        "roughness": _log(surface.sum() / w.stem.sum() ** (2 / 3)),
        "sides": _log((left + 1) / (right + 1)),
        "missing": float(np.sqrt(absent)),
    }


def _pose(w: Window) -> dict[str, float]:
    """Angles in degrees of the directions from medulla to midbrain and from back to front."""
    up = _middle(w.of(parent="midbrain")) - _middle(w.of(parent="medulla"))
    forward = _middle(w.stems(_VENTRAL)) - _middle(w.of(tissue="mixed"))
    return {
        "nodding": float(np.degrees(np.arctan2(up[1], up[2]))),
        "tilt": float(np.degrees(np.arctan2(up[0], up[2]))),
        "turn": float(np.degrees(np.arctan2(forward[0], forward[1]))),
    }


def _middle(mask: np.ndarray) -> np.ndarray:
    return np.argwhere(mask).mean(0) if mask.any() else np.full(3, np.nan)


def _certainty(w: Window) -> dict[str, float]:
    soft = ((w.background > 0.1) & (w.background < 0.9)).sum()
    return {
        "entropy": _log(w.entropy),
        "doubt": _log(float(w.background[w.core].mean()), 1e-4),
        "soft_outline": _log(soft / max(float(((w.depth > 0) & (w.depth <= 1)).sum()), 1.0)),
    }


def _fa(w: Window) -> dict[str, float]:
    fa = w.maps["fa"]
    return {
        "fa_tissue": median(fa[w.core]),
        "fa_white_grey": median(fa[w.of(tissue="white") & (w.depth > 1)])
        - median(fa[w.of(tissue="grey") & (w.depth > 1)]),
        "fa_around": median(fa[w.core]) - median(fa[w.ring]),
    }


def _md(w: Window) -> dict[str, float]:
    md = w.maps["md"]
    core = md[w.core & np.isfinite(md)]
    return {
        "md_tissue": _log(median(core)),
        "md_spread": _log(_spread(core)),
        "md_around": _log(median(md[w.ring])),
    }
