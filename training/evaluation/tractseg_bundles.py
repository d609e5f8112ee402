"""Structures of a segmentation beside bundle masks of TractSeg: what is compared, and how."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from scipy import ndimage

from BrainstemALSLib.anatomy import by_key, composites
from BrainstemALSLib.imaging.geometry import resample
from BrainstemALSLib.imaging.reading import read_volume
from BrainstemALSLib.imaging.volume import Volume

from .metrics import score_masks

SIDES = ("left", "right")
PARTS = {
    "CST": {"midbrain": "cst_crus", "pons": "cst_pons", "medulla": "pyramid"},
    "SCP": {"brainstem": "superior_cerebellar_peduncle"},
    "ICP": {"brainstem": "inferior_cerebellar_peduncle"},
}
"""Bundle: within which part of the brainstem it is compared, and with which structure."""


@dataclass(frozen=True, eq=False)
class Pair:
    """A bundle mask and what it is compared with, on the grid of the T1.

    Attributes
    ----------
    name : str
        ``CST left``.
    within : str
        Composite that both are cut to.
    structure : str
        Name of the structure or structures.
    mine, bundle : numpy.ndarray
        bool, shape (i, j, k), within the composite.
    filled : float
        Share of the composite that the bundle fills: what a structure laid anywhere in it would
        have inside the bundle by chance.
    """

    name: str
    within: str
    structure: str
    mine: np.ndarray
    bundle: np.ndarray
    filled: float


def read_bundles(folder: Path) -> dict[str, Volume]:
    """Read the masks, float32 0-1, by ``CST_left`` and so on."""
    names = [f"{bundle}_{side}" for bundle in PARTS for side in SIDES] + ["MCP"]
    return {name: read_volume(folder / f"{name}.nii.gz", name) for name in names}


def pairs_of(labels: Volume, bundles: dict[str, Volume], transform: np.ndarray) -> list[Pair]:
    """Return every structure with its bundle, both cut to a part of the segmented brainstem."""
    parts = {name: mask_of(labels, composites()[name]) for name in composites()}

    def bundle(name: str) -> np.ndarray:
        mask = bundles[name]
        moved = Volume(mask.array.astype(np.float32), transform @ mask.affine)
        return resample(moved, labels.shape, labels.affine).array >= 0.5

    def pair(name: str, within: str, structure: str, keys: list[str], mask: np.ndarray) -> Pair:
        inside = mask & parts[within]
        filled = float(inside.sum() / max(parts[within].sum(), 1))
        return Pair(name, within, structure, mask_of(labels, keys), inside, filled)

    pairs = []
    for name, structures in PARTS.items():
        for side in SIDES:
            mask = bundle(f"{name}_{side}")
            keys = [f"{stem}_{side}" for stem in structures.values()]
            if len(keys) > 1:
                pairs.append(pair(f"{name} {side}", "brainstem", "all three", keys, mask))
            for (within, stem), key in zip(structures.items(), keys, strict=True):
                pairs.append(pair(f"{name} {side}", within, stem, [key], mask))
    stem = "middle_cerebellar_peduncle"
    pairs.append(pair("MCP", "pons", stem, [f"{stem}_{side}" for side in SIDES], bundle("MCP")))
    return pairs


def row_of(pair: Pair, labels: Volume) -> tuple:
    """Return the measures of a pair."""
    score = score_masks(pair.bundle, pair.mine, labels.spacing, labels.voxel_volume)
    mine, bundle = (np.argwhere(mask) for mask in (pair.mine, pair.bundle))
    apart = outside = share = back = float("nan")
    if len(mine) and len(bundle):
        shift = (mine.mean(0) - bundle.mean(0)) @ labels.affine[:3, :3].T
        apart = float(np.linalg.norm(shift))
        distance = ndimage.distance_transform_edt(~pair.bundle, sampling=labels.spacing)
        outside = float(distance[pair.mine].mean())
        both = float((pair.mine & pair.bundle).sum())
        share, back = both / len(mine), both / len(bundle)
    volumes = score.truth_mm3 / 1000, score.predicted_mm3 / 1000
    return (*volumes, score.dice, share, pair.filled, back, apart, score.assd_mm, outside)


def mask_of(labels: Volume, keys: Iterable[str]) -> np.ndarray:
    """Return where any of these structures is."""
    return np.isin(labels.array, [by_key()[key].index for key in keys])
