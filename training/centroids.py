"""Writes where the structures of the average anatomy lie: Resources/Anatomy/centroids.tsv.

    python -m training.centroids

The anatomy is Resources/Phantom (``training.phantom_anatomy``): ICBM 2009a, labelled by the model
of this version. Run it after the labels have changed.
"""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np

from BrainstemALSLib.anatomy import load_structures
from BrainstemALSLib.anatomy.centroids import COLUMNS
from BrainstemALSLib.assets import asset_path
from BrainstemALSLib.imaging.reading import read_label_map
from BrainstemALSLib.imaging.volume import Volume

from .commands import finish
from .data import repository

TARGET = "Anatomy/centroids.tsv"
SOURCE = (
    "labels of Resources/Phantom, ICBM 2009a labelled by the model (python -m training.centroids)"
)


def centroid_rows(labels: Volume) -> list[dict[str, object]]:
    """Return one row per structure that is labelled.

    Parameters
    ----------
    labels : Volume
        ``Structure.index`` in ICBM 152 space, RAS mm.
    """
    rows = []
    for structure in load_structures():
        voxels = np.argwhere(labels.array == structure.index)
        if len(voxels):
            centre = labels.affine[:3, :3] @ voxels.mean(axis=0) + labels.affine[:3, 3]
            x, y, z = (f"{value:.2f}" for value in centre)
            volume = f"{len(voxels) * labels.voxel_volume:.0f}"
            row = (structure.key, x, y, z, volume, SOURCE)
            rows.append(dict(zip(COLUMNS, row, strict=True)))
    return rows


def main() -> None:
    """Command line."""

    def build() -> None:
        path = Path(repository() / "Resources" / TARGET)
        rows = centroid_rows(read_label_map(asset_path("Phantom/labels.nii.gz")))
        with path.open("w", encoding="utf-8", newline="") as handle:
            writer = csv.DictWriter(handle, COLUMNS, delimiter="\t", lineterminator="\n")
            writer.writeheader()
            writer.writerows(rows)
        print(f"{len(rows)} rows in {path.name}")

    finish(build)


if __name__ == "__main__":
    main()
