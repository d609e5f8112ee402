"""Where the fibres of each structure run: directions for synthesis and for the simulated patient.

A direction changes within a structure (the peduncles bend), so that each is a linear field about
the structure's centroid. It is a prior from bundles of an atlas, not a measurement of anybody.
"""

from __future__ import annotations

import csv
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from ..assets import asset_path

REACH_MM = 12.0
"""Beyond this distance along an axis the field is held: a linear field must not be carried far."""


@dataclass(frozen=True, eq=False)
class FibreDirection:
    """The direction of the fibres of one structure.

    Attributes
    ----------
    direction : numpy.ndarray, shape (3,)
        At the centroid of the structure, RAS of the ICBM 152 space, unit length; its sign means
        nothing.
    gradient : numpy.ndarray, shape (3, 3)
        Change of the direction's components (rows) per millimetre along x, y and z (columns).
    spread_deg : float
        Root mean square angle (degrees) between this field and the bundles it was fitted to; for
        ``status`` ``derived``, our own choice.
    status : str
        ``atlas``: fitted to bundles. ``derived``: the long axis of a label.
    source : str
        Provenance in words.
    """

    direction: np.ndarray
    gradient: np.ndarray
    spread_deg: float
    status: str
    source: str

    def at(self, offsets: np.ndarray) -> np.ndarray:
        """Return unit directions (n, 3), RAS, at offsets (n, 3) in mm from the centroid."""
        held = np.clip(offsets, -REACH_MM, REACH_MM)
        field = self.direction + held @ self.gradient.T
        # Where the field passes zero, it has no direction of its own: that of the middle holds.
        length = np.linalg.norm(field, axis=-1, keepdims=True)
        return np.where(length > 0.1, field / np.maximum(length, 0.1), self.direction)


@lru_cache(maxsize=1)
def load_fibre_directions() -> dict[str, FibreDirection]:
    """Return the directions by structure key; structures without one have no fibres of note."""
    with asset_path("Anatomy/fibre_directions.tsv").open(encoding="utf-8", newline="") as handle:
        return {
            row["key"]: FibreDirection(
                np.array([float(row[axis]) for axis in "xyz"]),
                np.array([[float(row[f"d{a}_d{b}"]) for b in "xyz"] for a in "xyz"]),
                float(row["spread_deg"]),
                row["status"],
                row["source"],
            )
            for row in csv.DictReader(handle, delimiter="\t")
        }
