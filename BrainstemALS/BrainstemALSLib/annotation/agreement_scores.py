"""How well two annotators agree: Dice, surface distances, volumes and kappa of every structure.

Neither annotator is the truth, so that every number here is symmetric, but for the sign of the
volume difference (the second minus the first).
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from ..anatomy import by_key, composites, load_structures

TOLERANCE_MM = 1.0
"""Tolerance of the normalised surface distance: one voxel of a 1 mm T1 (our own choice; the measure
is that of Nikolov et al. 2021, doi:10.2196/26151)."""
HD_PERCENTILE = 95
"""The usual robust Hausdorff distance (Maier-Hein et al. 2024, Metrics Reloaded,
doi:10.1038/s41592-023-02151-z)."""


@dataclass(frozen=True)
class StructureAgreement:
    """Agreement of two annotators on one structure.

    Attributes
    ----------
    key, name, kind : str
        Kind is ``structure`` or ``composite``.
    dice : float
        0-1; 0 where only one of them drew it.
    nsd : float
        Share of both surfaces that lies within the tolerance of the other one, 0-1 (normalised
        surface distance); 0 where only one drew it.
    assd_mm, hd95_mm : float
        Average symmetric surface distance and 95th percentile of the Hausdorff distance; NaN where
        only one drew it.
    volume_a_mm3, volume_b_mm3 : float
        Volumes in the compared voxels.
    """

    key: str
    name: str
    kind: str
    dice: float
    nsd: float
    assd_mm: float
    hd95_mm: float
    volume_a_mm3: float
    volume_b_mm3: float

    @property
    def difference_mm3(self) -> float:
        """Second minus first, mm3."""
        return self.volume_b_mm3 - self.volume_a_mm3

    @property
    def difference_percent(self) -> float:
        """Second minus first, in per cent of the mean of both."""
        return 200 * self.difference_mm3 / (self.volume_a_mm3 + self.volume_b_mm3)


@dataclass(frozen=True)
class PairScores:
    """Agreement of two annotators on one exam.

    Attributes
    ----------
    annotators : tuple of str
        Codes of the first and the second.
    kappa : float
        Cohen's kappa over the brainstem, see ``cohens_kappa``; NaN where it is not defined.
    compared_mm3 : float
        Size of what was compared.
    compared_share : float
        Share of what either drew in the brainstem that was compared, 0-1; below 1 where a case was
        reviewed in part. NaN where neither drew anything.
    tolerance_mm : float
        Of the normalised surface distance.
    structures : tuple of StructureAgreement
        Those that one of them drew in the compared voxels: structures in the order of the table,
        then composites.
    """

    annotators: tuple[str, str]
    kappa: float
    compared_mm3: float
    compared_share: float
    tolerance_mm: float
    structures: tuple[StructureAgreement, ...]

    def of(self, key: str) -> StructureAgreement | None:
        """Return the agreement on one structure or composite; None where neither drew it."""
        return next((row for row in self.structures if row.key == key), None)

    @property
    def mean_dice(self) -> float:
        """Mean Dice of the structures (no composites); NaN without any."""
        values = [row.dice for row in self.structures if row.kind == "structure"]
        return float(np.mean(values)) if values else math.nan


def score_pair(
    annotators: tuple[str, str],
    a: np.ndarray,
    b: np.ndarray,
    compared: np.ndarray,
    affine: np.ndarray,
    tolerance_mm: float = TOLERANCE_MM,
) -> PairScores:
    """Compare two label maps in some of their voxels.

    Volumes, Dice and kappa count compared voxels. Distances run from the surface voxels of one
    that are compared to the nearest surface voxel of the other, compared or not: what is not
    compared must not look like a surface.

    Parameters
    ----------
    annotators : tuple of str
        Codes.
    a, b : numpy.ndarray, shape (i, j, k)
        Values ``Structure.index``.
    compared : numpy.ndarray, shape (i, j, k)
        bool.
    affine : numpy.ndarray, shape (4, 4)
        Voxel index to RAS millimetres.
    tolerance_mm : float
        Of the normalised surface distance.
    """
    spacing = np.linalg.norm(affine[:3, :3], axis=0)
    voxel = float(abs(np.linalg.det(affine[:3, :3])))
    rows = []
    for key, name, kind, values in _regions():
        masks = np.isin(a, values), np.isin(b, values)
        sizes = [float((mask & compared).sum()) for mask in masks]
        if not any(sizes):
            continue
        both = float((masks[0] & masks[1] & compared).sum())
        nsd, assd, hd95 = _surfaces(*masks, compared, spacing, tolerance_mm)
        volumes = [size * voxel for size in sizes]
        rows.append(
            StructureAgreement(
                key, name, kind, 2 * both / sum(sizes), nsd, assd, hd95, volumes[0], volumes[1]
            )
        )
    brainstem = _brainstem()
    drawn = np.isin(a, brainstem) | np.isin(b, brainstem)
    n_drawn = int(drawn.sum())
    return PairScores(
        annotators,
        cohens_kappa(a[drawn & compared], b[drawn & compared], brainstem),
        float(compared.sum()) * voxel,
        float((drawn & compared).sum()) / n_drawn if n_drawn else math.nan,
        tolerance_mm,
        tuple(rows),
    )


def cohens_kappa(a: np.ndarray, b: np.ndarray, values: tuple[int, ...]) -> float:
    """Return Cohen's kappa of two labellings of the same voxels.

    Given the voxels that at least one annotator drew in the brainstem, all others left out: the
    large background that both leave empty would bring kappa close to 1 whatever they draw. What
    is not among ``values`` counts as one category, "not brainstem".

    Source: Cohen 1960, doi:10.1177/001316446002000104.

    Parameters
    ----------
    a, b : numpy.ndarray, shape (n,)
        Labels of the same voxels.
    values : tuple of int
        The categories.

    Returns
    -------
    float
        -1 to 1; NaN without voxels, or where both used one and the same category throughout.
    """
    if not len(a):
        return math.nan
    place = np.zeros(256, dtype=np.intp)
    place[list(values)] = np.arange(1, len(values) + 1)
    n = len(values) + 1
    table = np.bincount(place[a] * n + place[b], minlength=n * n).reshape(n, n) / len(a)
    expected = float(table.sum(axis=1) @ table.sum(axis=0))
    return (float(np.trace(table)) - expected) / (1 - expected) if expected < 1 else math.nan


def surface_distances(
    a: np.ndarray,
    b: np.ndarray,
    spacing: np.ndarray,
    compared: np.ndarray | None = None,
) -> tuple[np.ndarray, np.ndarray]:
    """Return the distances of each surface's voxels to the other surface, in millimetres.

    A surface voxel is one of a mask that shares a face with a voxel outside it.

    Parameters
    ----------
    a, b : numpy.ndarray, shape (i, j, k)
        bool, neither empty.
    spacing : numpy.ndarray, shape (3,)
        Voxel size in millimetres.
    compared : numpy.ndarray, optional
        bool: surface voxels elsewhere are left out.
    """
    from scipy import ndimage

    box = ndimage.find_objects((a | b).astype(np.uint8))[0]
    a, b = (np.pad(mask[box], 1) for mask in (a, b))
    edges = [mask & ~ndimage.binary_erosion(mask) for mask in (a, b)]
    inside = np.ones(a.shape, bool) if compared is None else np.pad(compared[box], 1)
    to = [ndimage.distance_transform_edt(~edge, sampling=spacing) for edge in edges]
    return to[1][edges[0] & inside], to[0][edges[1] & inside]


def _surfaces(
    a: np.ndarray, b: np.ndarray, compared: np.ndarray, spacing: np.ndarray, tolerance_mm: float
) -> tuple[float, float, float]:
    """Return normalised surface distance, average and 95 % Hausdorff distance."""
    if not (a.any() and b.any()):
        return 0.0, math.nan, math.nan
    pair = surface_distances(a, b, spacing, compared)
    both = np.concatenate(pair)
    if not len(both):  # only inner voxels were compared
        return math.nan, math.nan, math.nan
    hd95 = max(float(np.percentile(one, HD_PERCENTILE)) for one in pair if len(one))
    return float((both <= tolerance_mm).mean()), float(both.mean()), hd95


def _regions() -> Iterator[tuple[str, str, str, tuple[int, ...]]]:
    """Yield key, name, kind and label values of structures and composites."""
    for structure in load_structures():
        yield structure.key, structure.name, "structure", (structure.index,)
    indices = {key: structure.index for key, structure in by_key().items()}
    for key, members in composites().items():
        name = key.replace("_", " ").capitalize()
        yield key, name, "composite", tuple(indices[member] for member in members)


def _brainstem() -> tuple[int, ...]:
    indices = {key: structure.index for key, structure in by_key().items()}
    return tuple(indices[key] for key in composites()["brainstem"])
