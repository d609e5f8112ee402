"""Where the drawn structures lie in ICBM 152 space: what places of that space are carried by."""

from __future__ import annotations

import csv
from functools import lru_cache

from ..assets import asset_path

COLUMNS = ("key", "x_mm", "y_mm", "z_mm", "volume_mm3", "source")


@lru_cache(maxsize=1)
def load_centroids() -> dict[str, tuple[float, float, float]]:
    """Return the centroid of each structure of the average anatomy, RAS mm of ICBM 152 space.

    From Resources/Anatomy/centroids.tsv; ``training.centroids`` writes it.
    """
    with asset_path("Anatomy/centroids.tsv").open(encoding="utf-8", newline="") as handle:
        return {
            row["key"]: (float(row["x_mm"]), float(row["y_mm"]), float(row["z_mm"]))
            for row in csv.DictReader(handle, delimiter="\t")
        }
