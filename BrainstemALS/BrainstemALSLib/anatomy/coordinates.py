"""Nuclei too small to draw: where they are expected, how sure that is, and where it comes from.

Tier C nuclei have no outline a 1 mm image could show. They are points of the ICBM 152 space with an
extent and an axis; nothing here is patient-specific, and none of them has a volume of its own.
"""

from __future__ import annotations

import csv
from dataclasses import dataclass
from functools import lru_cache

from ..assets import asset_path

ROLES = ("motor", "respiratory", "noradrenergic", "control")
STATUSES = ("atlas", "derived")
CONFIDENCES = ("low", "moderate", "high")


@dataclass(frozen=True)
class Coordinate:
    """One nucleus of one side.

    Attributes
    ----------
    key, name : str
        Machine name and English name, with the side.
    side : str
        ``left`` or ``right``, the patient's own.
    parent : str
        ``midbrain``, ``pons`` or ``medulla``.
    complex : str
        Key of the drawn structure around it: what may be measured in its stead.
    role : str
        ``motor`` (lower motor neurones that ALS takes), ``respiratory``, ``noradrenergic``, or
        ``control`` (eye movement nuclei, spared in ALS).
    tier : str
        Always ``C``: prior only.
    center_mm : tuple of float
        Centre (x, y, z) in RAS millimetres of ICBM 152 space.
    extents_mm : tuple of float
        Full lengths along the long axis and the two axes across it, millimetres.
    axis : tuple of float
        Direction of the long axis in RAS, unit length to two decimals.
    status : str
        ``atlas``: measured in a published atlas. ``derived``: from landmarks and textbooks.
    confidence : str
        ``low``, ``moderate`` or ``high``: how well the place is known.
    uberon : str or None
        Code, only where it is sure.
    source : str
        Provenance in words.
    """

    key: str
    name: str
    side: str
    parent: str
    complex: str
    role: str
    tier: str
    center_mm: tuple[float, float, float]
    extents_mm: tuple[float, float, float]
    axis: tuple[float, float, float]
    status: str
    confidence: str
    uberon: str | None
    source: str


@lru_cache(maxsize=1)
def load_coordinates() -> tuple[Coordinate, ...]:
    """Return the tier C nuclei, in the order of Resources/Anatomy/coordinates.tsv."""
    with asset_path("Anatomy/coordinates.tsv").open(encoding="utf-8", newline="") as handle:
        return tuple(_coordinate(row) for row in csv.DictReader(handle, delimiter="\t"))


def _coordinate(row: dict[str, str]) -> Coordinate:
    def triple(*names: str) -> tuple[float, float, float]:
        x, y, z = (float(row[name]) for name in names)
        return x, y, z

    return Coordinate(
        key=row["key"],
        name=row["name"],
        side=row["side"],
        parent=row["parent"],
        complex=row["complex"],
        role=row["role"],
        tier=row["tier"],
        center_mm=triple("x_mm", "y_mm", "z_mm"),
        extents_mm=triple("extent1_mm", "extent2_mm", "extent3_mm"),
        axis=triple("axis_x", "axis_y", "axis_z"),
        status=row["status"],
        confidence=row["confidence"],
        uberon=None if row["uberon"] == "n/a" else row["uberon"],
        source=row["source"],
    )
