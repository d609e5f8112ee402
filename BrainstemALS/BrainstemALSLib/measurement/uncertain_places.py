"""Places where a segmentation should be looked at first."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..anatomy import load_structures
from ..imaging.volume import Volume

ENTROPY_THRESHOLD = 0.20
"""Normalised entropy from which a voxel is uncertain (our choice).

With the 45 classes of the model two classes at even odds, as on any outline, give
ln 2 / ln 45 = 0.18. More than that needs three structures that are all plausible.
"""

MINIMUM_MM3 = 10.0
"""Smaller places are not listed (our choice): ten voxels at 1 mm."""

# Width of a Gaussian (sigma) that averages the entropy before the threshold (our choice), so that
# single voxels neither make a place nor split one.
_SMOOTHING_MM = 1.0


@dataclass(frozen=True)
class UncertainPlace:
    """A connected place of high entropy.

    Attributes
    ----------
    centre_ras : tuple of 3 float
        Voxel of the place nearest to its centroid, RAS mm; always inside it.
    volume_mm3 : float
        Its size.
    mean_entropy : float
        Mean normalised entropy in it, 0-1.
    key : str or None
        Structure that has most of its voxels, or most of those next to it where nothing is
        labelled in it; None where nothing is labelled there either.
    """

    centre_ras: tuple[float, float, float]
    volume_mm3: float
    mean_entropy: float
    key: str | None


def uncertain_places(
    entropy: Volume,
    labels: np.ndarray,
    threshold: float = ENTROPY_THRESHOLD,
    minimum_mm3: float = MINIMUM_MM3,
) -> tuple[UncertainPlace, ...]:
    """Return the uncertain places of a segmentation, the largest first.

    Parameters
    ----------
    entropy : Volume
        Normalised entropy 0-1, (i, j, k).
    labels : numpy.ndarray, shape (i, j, k)
        Values ``Structure.index``, 0 is background.
    threshold : float
        Smoothed entropy from which a voxel counts.
    minimum_mm3 : float
        Smaller places are left out.

    Returns
    -------
    tuple of UncertainPlace
    """
    from scipy import ndimage

    if entropy.shape != labels.shape:
        raise ValueError(f"entropy of {entropy.shape} voxels, but labels of {labels.shape}")
    array = np.asarray(entropy.array, dtype=np.float32)
    smooth = ndimage.gaussian_filter(array, _SMOOTHING_MM / entropy.spacing, mode="nearest")
    components, _count = ndimage.label(smooth >= threshold)
    keys = {structure.index: structure.key for structure in load_structures()}
    places = []
    for number, window in enumerate(ndimage.find_objects(components), start=1):
        # One voxel more on each side, for the labels next to the place.
        window = tuple(slice(max(part.start - 1, 0), part.stop + 1) for part in window)
        inside = components[window] == number
        volume = float(inside.sum()) * entropy.voxel_volume
        if volume < minimum_mm3:
            continue
        start = [part.start for part in window]
        places.append(
            UncertainPlace(
                centre_ras=_centre(inside, start, entropy.affine),
                volume_mm3=volume,
                mean_entropy=float(array[window][inside].mean()),
                key=keys.get(_commonest(labels[window], inside, ndimage.binary_dilation)),
            )
        )
    return tuple(sorted(places, key=lambda place: (-place.volume_mm3, place.centre_ras)))


def _centre(inside: np.ndarray, start: list[int], affine: np.ndarray) -> tuple[float, float, float]:
    points = (np.argwhere(inside) + start) @ affine[:3, :3].T + affine[:3, 3]
    nearest = np.linalg.norm(points - points.mean(axis=0), axis=1).argmin()
    return tuple(float(value) for value in points[nearest])


def _commonest(labels: np.ndarray, inside: np.ndarray, dilation: object) -> int:
    """Return the most frequent label of a place, else of the voxels around it; 0 for none."""
    for mask in (inside, dilation(inside)):
        counts = np.bincount(labels[mask].astype(np.intp), minlength=2)
        counts[0] = 0
        if counts.any():
            return int(counts.argmax())
    return 0
