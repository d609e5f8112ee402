"""How long a correction takes: minutes from what was opened, looked at and redrawn.

Time follows the length of the contour that is drawn anew better than it follows overlap (Vaassen et
al. 2020, "added path length", doi:10.1016/j.phro.2019.12.001). The speeds are our own choices;
nobody has timed experts on this task yet, and ``seconds_spent`` of the annotation store will.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

OWN = "own choice"


@dataclass(frozen=True)
class Rate:
    """One figure of the model of time, with its unit and where it comes from."""

    value: float
    unit: str
    provenance: str = OWN


RATES: dict[str, Rate] = {
    "open_case": Rate(1.0, "minutes for each exam that is opened"),
    "find_place": Rate(0.25, "minutes for each place that is gone to"),
    "look_structure": Rate(0.15, "minutes for each structure that is looked through"),
    "draw": Rate(100.0, "mm of contour drawn anew in a minute"),
    "slice": Rate(0.05, "minutes for each axial slice with a change"),
}


@dataclass(frozen=True)
class Work:
    """What an expert did.

    Attributes
    ----------
    places : int
        Gone to one by one.
    structures : int
        Looked through as a whole.
    contour_mm : float
        Added path length: contour of the correction that was not one of the prediction, in axial
        slices.
    slices : int
        Axial slices with a change.
    """

    places: int
    structures: int
    contour_mm: float
    slices: int


def minutes(work: Work, pace: float = 1.0) -> float:
    """Return how many minutes some work on one exam takes.

    Parameters
    ----------
    work : Work
    pace : float
        Factor of the expert: 2 takes twice as long.
    """
    rate = {name: one.value for name, one in RATES.items()}
    spent = (
        rate["open_case"]
        + rate["find_place"] * work.places
        + rate["look_structure"] * work.structures
        + work.contour_mm / rate["draw"]
        + rate["slice"] * work.slices
    )
    return pace * spent


def added_path(
    prediction: np.ndarray, correction: np.ndarray, spacing: np.ndarray
) -> tuple[float, int]:
    """Return the added path length (mm) and the number of axial slices with a change.

    A voxel is on a contour where a neighbour in its slice has another label. It is added where its
    label changed, or where it is on a contour of the correction and was on none of the prediction.

    Parameters
    ----------
    prediction, correction : numpy.ndarray, shape (i, j, k)
        Labels; k runs along the body.
    spacing : numpy.ndarray, shape (3,)
        Voxel size in mm.
    """
    changed = prediction != correction
    slices = np.flatnonzero(changed.any((0, 1)))
    if not len(slices):
        return 0.0, 0
    before, after = prediction[..., slices], correction[..., slices]
    edge = _contour(after)
    added = edge & (changed[..., slices] | ~_contour(before))
    return float(added.sum() * np.sqrt(spacing[0] * spacing[1])), len(slices)


def _contour(labels: np.ndarray) -> np.ndarray:
    """Voxels of structures beside another label, along i or j."""
    out = np.zeros(labels.shape, bool)
    for axis in (0, 1):
        differs = np.diff(labels, axis=axis) != 0
        ahead = [slice(None)] * 3
        behind = [slice(None)] * 3
        ahead[axis], behind[axis] = slice(1, None), slice(None, -1)
        out[tuple(ahead)] |= differs
        out[tuple(behind)] |= differs
    return out & (labels > 0)
