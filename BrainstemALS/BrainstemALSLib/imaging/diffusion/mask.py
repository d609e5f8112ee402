"""The brain in an unweighted diffusion image."""

from __future__ import annotations

import numpy as np
from scipy import ndimage

from ..volume import Volume

SMOOTHING_MM = 5.0
"""Width of the median that evens out noise before the threshold; our own choice."""
CLOSING_MM = 6.0
"""Gaps narrower than this are closed: sulci, and the cisterns about the brainstem. Our own choice;
a mask that is too large costs time only, one that is too small loses the brainstem."""
SMALLEST_SHARE = 0.02
"""Pieces that are kept, of the whole: a slab may show brain in pieces. Our own choice."""


def brain_mask(b0: Volume) -> np.ndarray:
    """Return where there is brain, with the fluid in and about it.

    Otsu's threshold (IEEE Trans Syst Man Cybern 1979;9:62, doi:10.1109/TSMC.1979.4310076) of a
    median-filtered image, as DIPY's ``median_otsu``. That keeps the largest piece, which in a slab
    need not hold the brainstem; here every large piece stays, and gaps are closed.

    Parameters
    ----------
    b0 : Volume
        Mean unweighted image, shape (i, j, k).

    Returns
    -------
    numpy.ndarray of bool, shape (i, j, k)
    """
    from dipy.segment.threshold import otsu

    size = [2 * max(1, round(SMOOTHING_MM / 2 / step)) + 1 for step in b0.spacing]
    # A slab may have fewer slices than the filter is wide.
    size = [min(width, n) for width, n in zip(size, b0.array.shape, strict=True)]
    smooth = ndimage.median_filter(b0.array, size, mode="nearest")
    if smooth.max() <= smooth.min():
        return np.zeros(b0.array.shape, bool)
    # Fluid is far brighter than tissue; left so, the threshold would part these two.
    bright = np.median(smooth[smooth > otsu(smooth)])
    clipped = np.minimum(smooth, bright)
    for _ in range(2):
        threshold = otsu(clipped)
        tissue = float(np.median(smooth[smooth > threshold]))
        clipped = np.minimum(smooth, tissue)
    mask = _large_pieces(smooth > threshold)
    mask = _closed(mask, b0.spacing)
    return np.stack([ndimage.binary_fill_holes(mask[:, :, k]) for k in range(mask.shape[2])], -1)


def _large_pieces(mask: np.ndarray) -> np.ndarray:
    labels, count = ndimage.label(mask)
    if count < 2:
        return mask
    sizes = np.bincount(labels.ravel())
    sizes[0] = 0
    return np.isin(labels, np.flatnonzero(sizes >= SMALLEST_SHARE * sizes.sum()))


def _closed(mask: np.ndarray, spacing: np.ndarray) -> np.ndarray:
    """Closing by a ball, without losing what touches the edge of the image."""
    reach = CLOSING_MM / 2
    pad = [int(np.ceil(reach / step)) + 1 for step in spacing]
    padded = np.pad(mask, [(p, p) for p in pad], mode="edge")
    near = ndimage.distance_transform_edt(~padded, sampling=spacing) <= reach
    closed = ndimage.distance_transform_edt(near, sampling=spacing) > reach
    inside = tuple(slice(p, p + n) for p, n in zip(pad, mask.shape, strict=True))
    return closed[inside] | mask
