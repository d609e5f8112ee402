"""Volumes between which a segmentation is believable, from Resources/Norms/plausible_volumes.tsv.

These are not norms: they catch failures, not disease. Published volumes use FreeSurfer's outlines,
while ours follow the Allen atlas, whose midbrain and pons take in more (the crus up to the
diencephalon; the peduncles as far as the atlas draws them). Each range therefore spans both
definitions, from four standard deviations below FreeSurfer's mean to four above the atlas' volume.
"""

from __future__ import annotations

import csv
from dataclasses import dataclass
from functools import lru_cache

from ..assets import asset_path


@dataclass(frozen=True)
class PlausibleRange:
    """Range of believable volumes of one region.

    Attributes
    ----------
    region : str
        Key of a composite, or ``intracranial``.
    low_mm3, high_mm3 : float
        Bounds, both included.
    source : str
        Where the figures come from.
    status : str
        ``verified`` (read in the source) or ``memory`` (recalled, to be checked).
    """

    region: str
    low_mm3: float
    high_mm3: float
    source: str
    status: str

    def holds(self, volume_mm3: float) -> bool:
        """Say whether a volume in mm3 is believable."""
        return self.low_mm3 <= volume_mm3 <= self.high_mm3


@lru_cache(maxsize=1)
def plausible_ranges() -> dict[str, PlausibleRange]:
    """Return the ranges by region."""
    with asset_path("Norms/plausible_volumes.tsv").open(encoding="utf-8", newline="") as handle:
        rows = list(csv.DictReader(handle, delimiter="\t"))
    return {
        row["region"]: PlausibleRange(
            region=row["region"],
            low_mm3=float(row["low_mm3"]),
            high_mm3=float(row["high_mm3"]),
            source=row["source"],
            status=row["status"],
        )
        for row in rows
    }
