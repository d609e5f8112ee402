"""Volumes of structures and of their composites, from probabilities and from labels."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from ..anatomy import REGIONS, Structure, by_key, composites
from ..errors import BrainstemALSError, ExitCode
from ..segmentation.result import Segmentation

SUPPORT_PROBABILITY = 0.05
"""Voxels where all structures together reach less than this count for nothing (our choice).

A softmax never returns an exact zero, and over the million voxels far from the brainstem such tails
would add up to real cubic millimetres. The threshold is on the sum of all structures, not on each,
so that a region stays exactly the sum of its parts.
"""

HALF_RANGE_THRESHOLDS = (0.25, 0.75)
"""Probabilities between whose outlines the volume is said to lie: odds of 1:3 and 3:1."""

COMPOSITE_NAMES = {
    "brainstem": "Whole brainstem",
    "midbrain": "Whole midbrain",
    "pons": "Whole pons",
    "medulla": "Whole medulla oblongata",
    "white_matter": "Brainstem white matter",
    "grey_matter": "Brainstem grey matter",
    "corticospinal_tract_left": "Corticospinal tract, crus to pyramid, left",
    "corticospinal_tract_right": "Corticospinal tract, crus to pyramid, right",
}


@dataclass(frozen=True)
class StructureVolume:
    """Volume of one structure or composite.

    Attributes
    ----------
    key, name : str
        Of the structure or the composite.
    kind : str
        ``structure`` or ``composite``.
    side : str
        ``left``, ``right``, ``midline``; ``both`` for a composite of both sides.
    parent : str or None
        Region; ``brainstem`` for composites, None for the whole brainstem.
    tissue, tier : str
        As in the table of structures. A composite of several tissues is ``mixed``. Whole regions
        are tier A, because their outlines are visible; other composites take the tier of their
        weakest member.
    volume_soft_mm3 : float or None
        Sum of the probabilities times the voxel volume: partial volume is counted. The label volume
        where the probabilities are not known. None for tier C.
    volume_label_mm3 : float or None
        Number of labelled voxels times the voxel volume. None for tier C.
    confidence : float
        Mean probability over the voxels labelled so, 0-1; NaN where there are none, or where the
        probabilities are not known.
    half_range_mm3 : float or None
        Half the difference between the volumes inside the outlines of probability 0.25 and 0.75.
        It says how far the volume would move with the outline. It is not a standard deviation:
        summing voxel-wise variances would give a far smaller number, because errors of
        neighbouring voxels are correlated, and it would look like a precision nobody has. None
        where the probabilities are not known.
    """

    key: str
    name: str
    kind: str
    side: str
    parent: str | None
    tissue: str
    tier: str
    volume_soft_mm3: float | None
    volume_label_mm3: float | None
    confidence: float
    half_range_mm3: float | None


def structure_volumes(segmentation: Segmentation) -> tuple[StructureVolume, ...]:
    """Measure every structure of a segmentation, then every composite.

    Parameters
    ----------
    segmentation : Segmentation
        Labels on the T1 grid; probabilities of shape (i, j, k, n_structures) on a box of it, or
        None: then everything is measured on the labels.

    Returns
    -------
    tuple of StructureVolume
        Structures in the order of ``segmentation.keys``, then composites. Volumes in mm3.

    Raises
    ------
    BrainstemALSError
        The model names a structure that the table of structures does not have.
    """
    known = _known_structures(segmentation.keys)
    voxel = segmentation.labels.voxel_volume
    counts = np.bincount(segmentation.labels.array.ravel(), minlength=256)
    if segmentation.probabilities is None:
        return _volumes_of_labels(known, counts * voxel)
    probabilities, labels = _support(segmentation)
    rows = []
    for position, structure in enumerate(known):
        confidence = segmentation.confidence.get(structure.key, math.nan)
        volumes = _volumes(probabilities[position], int(counts[structure.index]), voxel)
        rows.append(_structure_row(structure, volumes, float(confidence)))
    for key, members in _composites_of(known):
        positions = [position for position, s in enumerate(known) if s in members]
        together = np.minimum(probabilities[positions].sum(axis=0), 1.0)
        indices = [structure.index for structure in members]
        inside = np.isin(labels, indices)
        confidence = float(together[inside].mean()) if inside.any() else math.nan
        volumes = _volumes(together, int(counts[indices].sum()), voxel)
        rows.append(_composite_row(key, members, volumes, confidence))
    return tuple(rows)


def _volumes_of_labels(known: list[Structure], mm3: np.ndarray) -> tuple[StructureVolume, ...]:
    """Return the rows of labels alone; ``mm3`` holds the volume of each label."""
    rows = []
    for structure in known:
        volume = float(mm3[structure.index])
        rows.append(_structure_row(structure, (volume, volume, None), math.nan))
    for key, members in _composites_of(known):
        volume = float(mm3[[structure.index for structure in members]].sum())
        rows.append(_composite_row(key, members, (volume, volume, None), math.nan))
    return tuple(rows)


def volume_by_key(volumes: tuple[StructureVolume, ...]) -> dict[str, StructureVolume]:
    """Return the rows by key."""
    return {row.key: row for row in volumes}


def _known_structures(keys: tuple[str, ...]) -> list[Structure]:
    table = by_key()
    unknown = [key for key in keys if key not in table]
    if unknown:
        raise BrainstemALSError(
            "model",
            f"it names structures that this version does not know ({', '.join(unknown[:3])})",
            "Use a model that belongs to this version of BrainstemALS.",
            ExitCode.MODEL_UNAVAILABLE,
        )
    return [table[key] for key in keys]


def _support(segmentation: Segmentation) -> tuple[np.ndarray, np.ndarray]:
    """Return probabilities (n_structures, n_voxels) and labels (n_voxels,) of the support."""
    box = segmentation.probabilities
    size = box.array.shape[:3]
    window = tuple(slice(a, a + n) for a, n in zip(segmentation.offset, size, strict=True))
    support = box.array.sum(axis=-1, dtype=np.float32) >= SUPPORT_PROBABILITY
    # One row per structure: the last axis of the box is the structures, and summing 44 strided
    # views of it would read the whole box 44 times.
    probabilities = np.ascontiguousarray(box.array[support].T, dtype=np.float32)
    return probabilities, segmentation.labels.array[window][support]


def _volumes(probability: np.ndarray, count: int, voxel: float) -> tuple[float, float, float]:
    """Return soft volume, label volume and half range in mm3."""
    soft = float(probability.sum(dtype=np.float64)) * voxel
    low, high = (int((probability >= bound).sum()) * voxel for bound in HALF_RANGE_THRESHOLDS)
    return soft, count * voxel, (low - high) / 2


def _composites_of(known: list[Structure]) -> Iterator[tuple[str, list[Structure]]]:
    present = {structure.key: structure for structure in known}
    for key, members in composites().items():
        found = [present[member] for member in members if member in present]
        if found:
            yield key, found


def _structure_row(
    structure: Structure, volumes: tuple[float, float, float | None], confidence: float
) -> StructureVolume:
    # Tier C rests on a prior alone: its volume would be the atlas', not the patient's.
    soft, label, half_range = (None, None, None) if structure.tier == "C" else volumes
    return StructureVolume(
        key=structure.key,
        name=structure.name,
        kind="structure",
        side=structure.side,
        parent=structure.parent,
        tissue=structure.tissue,
        tier=structure.tier,
        volume_soft_mm3=soft,
        volume_label_mm3=label,
        confidence=confidence,
        half_range_mm3=half_range,
    )


def _composite_row(
    key: str,
    members: list[Structure],
    volumes: tuple[float, float, float | None],
    confidence: float,
) -> StructureVolume:
    sides = {structure.side for structure in members}
    tissues = {structure.tissue for structure in members}
    whole = key == "brainstem" or key in REGIONS
    return StructureVolume(
        key=key,
        name=COMPOSITE_NAMES.get(key, key.replace("_", " ").capitalize()),
        kind="composite",
        side=sides.pop() if len(sides) == 1 else "both",
        parent=None if key == "brainstem" else "brainstem",
        tissue=tissues.pop() if len(tissues) == 1 else "mixed",
        tier="A" if whole else max(structure.tier for structure in members),
        volume_soft_mm3=volumes[0],
        volume_label_mm3=volumes[1],
        confidence=confidence,
        half_range_mm3=volumes[2],
    )
