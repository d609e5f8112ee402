"""Intensities as the networks expect them; training and inference share these functions."""

from __future__ import annotations

import numpy as np
import torch

from ..imaging.volume import Volume

WINDOW_MM = (64, 80, 96)
"""Box (left-right, back-front, bottom-top) that the structure network sees, at 1 mm."""
SPACING_MM = 1.0
LOCATOR_SPACING_MM = 4.0

CLIP_PERCENTILES = (0.5, 99.5)
FA_CENTRE, FA_SCALE = 0.35, 0.2
COLOUR_CENTRE, COLOUR_SCALE = 0.15, 0.2
MD_CENTRE, MD_SCALE, MD_LIMIT = 0.8, 0.5, 3.2  # 1e-3 mm2/s; free water at 37 C is about 3.0


# Share of exact zeros beside negative values that means: standardised inside a mask, 0 outside it.
MASKED_ZERO_SHARE = 0.2
GROUND_PERCENTILE = 0.1


def grounded(t1: Volume) -> Volume:
    """Shift intensities so that air is 0, whatever the offset or sign of the scale.

    What lies outside the field of view is 0 after resampling; in an image with an offset, or one
    that was standardised, that would be a bright or a middle grey.

    Parameters
    ----------
    t1 : Volume
        Any intensity scale.

    Returns
    -------
    Volume
        float32, 0 or more; the same object when there is nothing to shift.
    """
    array = t1.array
    sample = array.reshape(-1)[:: max(1, array.size // 1_000_000)]
    low = np.float32(np.percentile(sample, GROUND_PERCENTILE))
    if low == 0 and array.min() >= 0:
        return t1
    if low < 0 and np.mean(sample == 0) > MASKED_ZERO_SHARE:
        array = np.where(array == 0, low, array)
    return Volume(np.clip(array - low, 0, None, dtype=np.float32), t1.affine)


def normalise_t1(image: torch.Tensor) -> torch.Tensor:
    """Clip to robust percentiles and standardise over what is not empty.

    Parameters
    ----------
    image : torch.Tensor
        T1 of any shape and any positive scale; 0 means outside the head or the field of view.

    Returns
    -------
    torch.Tensor
        float32, the same shape; empty voxels stay at the value of the darkest tissue.
    """
    image = image.float()
    inside = image > image.min()
    if int(inside.sum()) < 2:
        return torch.zeros_like(image)
    values = image[inside]
    step = max(1, values.numel() // 100_000)  # percentiles of a sample: sorting all is slow
    ordered = values[::step].sort().values
    low, high = (ordered[int(p / 100 * (ordered.numel() - 1))] for p in CLIP_PERCENTILES)
    clipped = image.clamp(min(0.0, float(low)), float(high))
    values = clipped[inside]
    return (clipped - values.mean()) / values.std().clamp_min(1e-6)


def normalise_fa(image: torch.Tensor) -> torch.Tensor:
    """Centre and scale fractional anisotropy (0-1); the same shape."""
    return (image.float().clamp(0, 1) - FA_CENTRE) / FA_SCALE


def normalise_md(image: torch.Tensor) -> torch.Tensor:
    """Centre and scale mean diffusivity (1e-3 mm2/s); the same shape."""
    return (image.float().clamp(0, MD_LIMIT) - MD_CENTRE) / MD_SCALE


def colour_fa(v1: np.ndarray, fa: np.ndarray) -> np.ndarray:
    """Return the directions weighted by anisotropy, as red, green and blue show them.

    The sign of a direction means nothing, its absolute components do (Pajevic & Pierpaoli, Magn
    Reson Med 1999;42:526, doi:10.1002/(SICI)1522-2594(199909)42:3<526::AID-MRM15>3.0.CO;2-J).

    Parameters
    ----------
    v1 : numpy.ndarray, shape (i, j, k, 3)
        Principal directions in RAS, unit length or 0.
    fa : numpy.ndarray, shape (i, j, k)
        Fractional anisotropy, 0-1, on the same grid.

    Returns
    -------
    numpy.ndarray, shape (i, j, k, 3)
        float32, 0-1: left-right, back-front, bottom-top.
    """
    return np.abs(v1, dtype=np.float32) * np.clip(fa, 0, 1, dtype=np.float32)[..., None]


def normalise_colour(image: torch.Tensor) -> torch.Tensor:
    """Centre and scale colour FA (0-1); the same shape."""
    return (image.float().clamp(0, 1) - COLOUR_CENTRE) / COLOUR_SCALE


NORMALISE = {
    "t1": normalise_t1,
    "fa": normalise_fa,
    "md": normalise_md,
    "v1": normalise_colour,
}
"""A channel that is missing is all zeros *after* normalisation."""
