"""Compares a segmentation with the truth of the simulated patient."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..anatomy import by_key, composites
from ..errors import BrainstemALSError, ExitCode
from ..imaging.geometry import same_grid
from ..imaging.volume import Volume

COMPARED = ("midbrain", "pons", "medulla", "brainstem")


@dataclass(frozen=True)
class Agreement:
    """Agreement in one composite.

    Attributes
    ----------
    name : str
        Name of the composite.
    dice : float
        2 |A and B| / (|A| + |B|), 0-1; NaN where both are empty.
    truth_mm3, found_mm3 : float
        Volumes of the labels.
    """

    name: str
    dice: float
    truth_mm3: float
    found_mm3: float

    @property
    def volume_error_percent(self) -> float:
        """Signed error of the volume relative to the truth; NaN where there is no truth."""
        if self.truth_mm3 == 0:
            return float("nan")
        return 100 * (self.found_mm3 - self.truth_mm3) / self.truth_mm3


def compare(found: Volume, truth: Volume) -> tuple[Agreement, ...]:
    """Return the agreement of two label maps in each region and in the whole brainstem.

    Raises
    ------
    BrainstemALSError
        MISMATCHED_IMAGES: they do not lie on one grid.
    """
    if not same_grid(found, truth):
        raise BrainstemALSError(
            "segmentation",
            "it does not lie on the grid of the truth",
            "Compare label maps of the same image.",
            ExitCode.MISMATCHED_IMAGES,
        )
    known = by_key()
    rows = []
    for name in COMPARED:
        indices = [known[key].index for key in composites()[name]]
        a, b = np.isin(found.array, indices), np.isin(truth.array, indices)
        total = int(a.sum()) + int(b.sum())
        dice = 2 * int((a & b).sum()) / total if total else float("nan")
        unit = truth.voxel_volume
        rows.append(Agreement(name, dice, float(b.sum() * unit), float(a.sum() * unit)))
    return tuple(rows)
