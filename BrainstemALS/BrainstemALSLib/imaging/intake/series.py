"""What every diffusion series has to pass, whatever file it comes from."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from .. import checks
from ..dwi import B0_LIMIT
from ..volume import Volume

WHAT = "DWI"
"""What a series is called in messages."""
# Largest difference from 1 of a direction's length that is rounding: three decimals, as some
# programs write them, give 0.001. Longer or shorter ones are left for the check of the gradients.
_ROUNDED_LENGTH = 0.01


def check_series(subject: Path | str, volume: Volume) -> None:
    """Refuse a series whose grid or voxels cannot be used."""
    checks.check_dimensions(subject, WHAT, volume.array.shape[:3], 1)
    checks.check_axes(subject, WHAT, volume.affine[:3, :3])
    checks.check_spacing(subject, WHAT, volume.spacing)
    checks.check_values(subject, WHAT, volume.array)


def tidy(bvecs: np.ndarray, bvals: np.ndarray) -> np.ndarray:
    """Return directions with zeros where there is no weighting, and rounding taken out of lengths.

    Parameters
    ----------
    bvecs : numpy.ndarray, shape (n, 3)
    bvals : numpy.ndarray, shape (n,)
    """
    lengths = np.linalg.norm(bvecs, axis=1, keepdims=True)
    rounded = np.abs(lengths - 1.0) <= _ROUNDED_LENGTH
    bvecs = np.divide(bvecs, lengths, out=np.array(bvecs, dtype=float), where=rounded)
    bvecs[bvals <= B0_LIMIT] = 0.0
    return bvecs
