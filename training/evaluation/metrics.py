"""How well two label maps agree: Dice, surface measures and volume error per structure.

When a structure is empty in a map, by definition:

=============  ==========  ======================  ================  ==================
truth          prediction  Dice, surface Dice      surface distance  volume error
=============  ==========  ======================  ================  ==================
empty          empty       NaN, left out of means  NaN               NaN
present        empty       0, counted as missed    NaN               -100 %
empty          present     0, counted as spurious  NaN               NaN (no reference)
=============  ==========  ======================  ================  ==================

A missed structure has no distance; a table that gives mean distances therefore gives the number of
missed structures beside them.
"""

from __future__ import annotations

import math
import warnings
from dataclasses import dataclass

import numpy as np

from BrainstemALSLib.anatomy import by_key, composites, load_structures
from BrainstemALSLib.errors import BrainstemALSError, ExitCode
from BrainstemALSLib.imaging.geometry import same_grid
from BrainstemALSLib.imaging.volume import Volume

HD_PERCENTILE = 95  # the usual robust Hausdorff distance (Maier-Hein et al. 2024, Metrics Reloaded)
NSD_TOLERANCE_MM = 1.0
"""A surface this close counts as right: a voxel of a usual T1, and what the project asks for. The
measure is that of Nikolov et al. 2021 (J Med Internet Res 23:e26151, doi:10.2196/26151), by MONAI
in border voxels, which weigh the same whatever surface they stand for."""


@dataclass(frozen=True)
class Score:
    """Agreement of one structure in one case.

    Attributes
    ----------
    key : str
        Structure or composite.
    dice : float
        0-1; NaN when both maps lack the structure.
    assd_mm, hd95_mm : float
        Average symmetric surface distance and 95th percentile of the Hausdorff distance in mm; NaN
        when either map lacks the structure.
    truth_mm3, predicted_mm3 : float
        Volumes in mm3, of labels.
    nsd : float
        Normalised surface distance (surface Dice) at ``NSD_TOLERANCE_MM``, 0-1; empty maps as for
        Dice.
    soft_mm3 : float or None
        Volume in mm3 from probabilities, which is what users are shown; None where there are none.
    """

    key: str
    dice: float
    assd_mm: float
    hd95_mm: float
    truth_mm3: float
    predicted_mm3: float
    nsd: float = math.nan
    soft_mm3: float | None = None

    @property
    def measured_mm3(self) -> float:
        """The volume users see: from probabilities, or from labels where there is no other."""
        return self.predicted_mm3 if self.soft_mm3 is None else self.soft_mm3

    @property
    def volume_bias_percent(self) -> float:
        """Signed volume error as a percentage of the true volume; NaN when that is 0."""
        if self.truth_mm3 == 0:
            return math.nan
        return 100 * (self.measured_mm3 - self.truth_mm3) / self.truth_mm3

    @property
    def volume_error_percent(self) -> float:
        """Absolute volume error as a percentage of the true volume; NaN when that is 0."""
        return abs(self.volume_bias_percent)

    @property
    def missed(self) -> bool:
        """Whether the prediction lacks a structure that is there."""
        return self.truth_mm3 > 0 and self.predicted_mm3 == 0

    @property
    def spurious(self) -> bool:
        """Whether the prediction has a structure that is not there."""
        return self.truth_mm3 == 0 and self.predicted_mm3 > 0


def score_labels(prediction: Volume, truth: Volume) -> dict[str, Score]:
    """Score every structure of the table and every composite.

    Parameters
    ----------
    prediction, truth : Volume
        Integer label maps (i, j, k) on one grid; values are ``Structure.index``. Any other value
        counts as background.

    Returns
    -------
    dict
        Key of a structure or composite to its score; structures first, in the table's order.

    Raises
    ------
    BrainstemALSError
        The maps lie on different grids.
    """
    _require_one_grid(prediction, truth)
    structures = {s.key: (s.index,) for s in load_structures()}
    indices = {key: s.index for key, s in by_key().items()}
    united = {name: tuple(indices[k] for k in members) for name, members in composites().items()}
    box = _box_of(prediction.array, truth.array)
    predicted, true = prediction.array[box], truth.array[box]
    spacing, voxel = truth.spacing, truth.voxel_volume
    return {
        key: score_masks(np.isin(predicted, values), np.isin(true, values), spacing, voxel, key)
        for key, values in (structures | united).items()
    }


def score_masks(
    predicted: np.ndarray,
    true: np.ndarray,
    spacing: np.ndarray,
    voxel_mm3: float,
    key: str = "",
) -> Score:
    """Score one binary mask against another.

    Parameters
    ----------
    predicted, true : numpy.ndarray
        bool, shape (i, j, k), on one grid.
    spacing : numpy.ndarray, shape (3,)
        Voxel size in mm along (i, j, k).
    voxel_mm3 : float
        Volume of a voxel in mm3.
    key : str
        Name the score carries.
    """
    volumes = float(true.sum()) * voxel_mm3, float(predicted.sum()) * voxel_mm3
    if not (predicted.any() and true.any()):
        dice = 0.0 if predicted.any() or true.any() else math.nan
        return Score(key, dice, math.nan, math.nan, *volumes, nsd=dice)
    import torch
    from monai.metrics import (
        compute_average_surface_distance,
        compute_dice,
        compute_hausdorff_distance,
        compute_surface_dice,
    )

    box = _box_of(predicted, true)
    # One voxel of background all round: a mask that touches the crop has a surface there as well.
    pair = [torch.from_numpy(np.pad(mask[box], 1))[None, None] for mask in (predicted, true)]
    steps = [float(step) for step in spacing]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)  # MONAI calls what MONAI has deprecated
        dice = compute_dice(*pair)
        assd = compute_average_surface_distance(
            *pair, include_background=True, symmetric=True, spacing=steps
        )
        hd95 = compute_hausdorff_distance(
            *pair, include_background=True, percentile=HD_PERCENTILE, spacing=steps
        )
        nsd = compute_surface_dice(
            *pair, [NSD_TOLERANCE_MM], include_background=True, spacing=steps
        )
    return Score(key, float(dice), float(assd), float(hd95), *volumes, nsd=float(nsd))


def _require_one_grid(prediction: Volume, truth: Volume) -> None:
    if same_grid(prediction, truth):
        return
    raise BrainstemALSError(
        "label maps",
        f"they lie on different grids ({prediction.shape} and {truth.shape})",
        "Resample one of them to the grid of the other before scoring.",
        ExitCode.MISMATCHED_IMAGES,
    )


def _box_of(first: np.ndarray, second: np.ndarray) -> tuple[slice, ...]:
    """Smallest box that holds everything that is not 0 in either array."""
    box = []
    for axis in range(3):
        others = tuple(a for a in range(3) if a != axis)
        used = np.flatnonzero(np.any(first, axis=others) | np.any(second, axis=others))
        box.append(slice(used[0], used[-1] + 1) if used.size else slice(0, 0))
    return tuple(box)
