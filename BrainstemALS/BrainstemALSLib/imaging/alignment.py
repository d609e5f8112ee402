"""Whether a diffusion map lies where the T1 does.

Two images of one head share most information when they lie on top of each other (Maes et al. 1997,
doi:10.1109/42.563664). A map that would fit clearly better a centimetre or more away was not
aligned, or belongs to somebody else. Whether two heads that lie alike are one patient's cannot be
told this way.
"""

from __future__ import annotations

import numpy as np

from .geometry import box_around, resample, shrunk
from .volume import Volume

GRID_MM = 4.0
STEPS_MM = (-32.0, -24.0, -16.0, -8.0, 0.0, 8.0, 16.0, 24.0, 32.0)
BINS = 24
# How much better, in normalised mutual information above 1, another place has to be.
CLEARLY_BETTER = 1.25
_HEAD_MM = 240.0  # side of the cube that is compared


def offset_of(moving: Volume, fixed: Volume) -> float:
    """Distance (mm) at which a map would fit the T1 clearly better than where it lies.

    Parameters
    ----------
    moving : Volume
        FA or MD, its own grid, RAS mm.
    fixed : Volume
        T1.

    Returns
    -------
    float
        0 where no other place within 32 mm along each axis is clearly better; else the length of
        the best shift, known to 8 mm.
    """
    shape = (int(_HEAD_MM / GRID_MM),) * 3
    middle = fixed.affine @ [*((np.array(fixed.shape[:3]) - 1) / 2), 1.0]
    affine = box_around(middle[:3], shape, GRID_MM)
    first, second = (
        _ranks(resample(shrunk(image, GRID_MM), shape, affine).array) for image in (fixed, moving)
    )
    here = _shared_information(first, second, (0, 0, 0))
    best, shift = here, (0.0, 0.0, 0.0)
    # One axis after the other from the best so far, twice: enough for a smooth measure.
    for axis in (*range(3), *range(3)):
        for step in STEPS_MM:
            trial = (*shift[:axis], step, *shift[axis + 1 :])
            found = _shared_information(first, second, tuple(round(t / GRID_MM) for t in trial))
            if found > best:
                best, shift = found, trial
    return float(np.linalg.norm(shift)) if best > CLEARLY_BETTER * here else 0.0


def _ranks(image: np.ndarray) -> np.ndarray:
    """Bin numbers (int64): 0 the empty voxels, the others in bins of equal size."""
    filled = image > image.min()
    edges = np.quantile(image[filled], np.linspace(0, 1, BINS)[1:-1]) if filled.any() else [0.0]
    return np.where(filled, 1 + np.searchsorted(edges, image), 0)


def _shared_information(first: np.ndarray, second: np.ndarray, shift: tuple[int, ...]) -> float:
    """Normalised mutual information above 1, of two binned images, one shifted by voxels."""
    here = tuple(slice(max(0, s), n + min(0, s)) for s, n in zip(shift, first.shape, strict=True))
    there = tuple(
        slice(max(0, -s), n + min(0, -s)) for s, n in zip(shift, first.shape, strict=True)
    )
    pairs = first[here].ravel() * (BINS + 1) + second[there].ravel()
    joint = np.bincount(pairs, minlength=(BINS + 1) ** 2).reshape(BINS + 1, BINS + 1)
    joint = joint / joint.sum()

    def entropy(p: np.ndarray) -> float:
        p = p[p > 0]
        return float(-(p * np.log(p)).sum())

    return (entropy(joint.sum(0)) + entropy(joint.sum(1))) / max(entropy(joint), 1e-9) - 1.0
