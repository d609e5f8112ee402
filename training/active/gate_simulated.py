"""Models that are only simulated: they know the truth, and err on their way to it.

A prediction is the truth seen through a smooth random displacement, larger for a model with larger
errors. What two models share of it stands for a hard exam, which is hard for both. Harm is done to
label maps as exchanged or missing outputs would do it. All figures here are own choices.
"""

from __future__ import annotations

import zlib
from dataclasses import dataclass, replace
from functools import cached_property, lru_cache

import numpy as np

from BrainstemALSLib.anatomy import by_key, load_structures
from BrainstemALSLib.imaging.volume import Volume

from .gate_scores import SIMULATED, Prediction, ValidationCase

SMOOTH_MM = 3.0
"""Standard deviation of the Gaussian by which displacements are smoothed."""
SHARED = 0.99
"""Part of the variance of the displacement that two models share."""
REACH_MM = 3.0
"""No error reaches further from the true outline."""
MARGIN_VOXELS = 4
HARMS = ("label swap", "wrong orientation", "forgotten structure")
_STEP = 2  # displacements are drawn for cubes of so many voxels


@dataclass(frozen=True, eq=False)
class Near:
    """Voxels that structures may reach: three index arrays, and the nearest structure of each."""

    voxels: tuple[np.ndarray, ...]
    label: np.ndarray


@dataclass(frozen=True, eq=False)
class SimulatedCase:
    """An anatomy cut to its structures, and what every model finds hard about it.

    Attributes
    ----------
    case : ValidationCase
    seed : int
        Of what is hard about this exam.
    near : Near
        Voxels that a model may label.
    """

    case: ValidationCase
    seed: int
    near: Near

    @cached_property
    def shared(self) -> np.ndarray:
        """Displacement that all models share, as ``_field`` returns it."""
        return _field(self.case.truth, self.seed)


@dataclass(frozen=True, eq=False)
class SimulatedModel:
    """A ``gate_scores.Predictor`` that jitters the truth.

    Attributes
    ----------
    name : str
    levels : numpy.ndarray
        (structures,), mm: standard deviation of the displacement, in the table's order.
    seed : int
        Of its own errors; two models with one seed err alike.
    keys : tuple of str
    """

    name: str
    levels: np.ndarray
    seed: int
    keys: tuple[str, ...] = tuple(by_key())

    def predict(self, case: ValidationCase, hard: SimulatedCase | None = None) -> Prediction:
        """Return the labels of a case; ``hard`` is made from its name where left out."""
        hard = hard or simulated_case(case.truth, case.name, zlib.crc32(case.name.encode()))
        truth = case.truth
        own = _field(truth, hard.seed, self.seed)
        by_index = np.zeros(256, np.float32)
        by_index[[s.index for s in load_structures()]] = self.levels / truth.spacing.mean()
        # The displacement has the size that the nearest structure's errors have.
        near = hard.near
        amplitude = by_index[near.label]
        coarse = np.sqrt(SHARED) * hard.shared + np.sqrt(1 - SHARED) * own
        field = coarse[:, *(axis // _STEP for axis in near.voxels)]
        from_where = tuple(
            np.clip(np.rint(start + step * amplitude).astype(np.int32), 0, size - 1)
            for start, step, size in zip(near.voxels, field, truth.shape, strict=True)
        )
        seen = np.zeros_like(truth.array)
        seen[near.voxels] = truth.array[from_where]
        return Prediction(Volume(seen, truth.affine))

    def better(self, factor: float, seed: int, only: tuple[str, ...] | None = None):
        """Return a model with smaller errors (``factor`` below 1), everywhere or in some."""
        chosen = np.array([only is None or s.key in only for s in load_structures()])
        levels = np.where(chosen, self.levels * factor, self.levels)
        return replace(self, levels=levels, seed=seed)


def harmed(prediction: Prediction, harm: str, seed: int) -> Prediction:
    """Do to a prediction what a damaged model would do.

    Parameters
    ----------
    prediction : Prediction
        With labels.
    harm : str
        One of ``HARMS``.
    seed : int
        Which structures, which axis; the same seed does the same to every exam.
    """
    draw = np.random.default_rng(seed)
    labels = prediction.labels
    assert labels is not None
    if harm == "wrong orientation":
        array = np.flip(labels.array, int(draw.integers(3)))
        return Prediction(Volume(np.ascontiguousarray(array), labels.affine))
    table = np.arange(256, dtype=labels.array.dtype)
    structures = load_structures()
    index = {s.key: s.index for s in structures}
    if harm == "label swap":
        for first, second in _swapped(draw):
            table[index[first]], table[index[second]] = index[second], index[first]
    elif harm == "forgotten structure":
        forgotten = structures[draw.integers(len(structures))]
        tegmentum = next(
            (s for s in structures if s.parent == forgotten.parent and "tegmentum" in s.key),
            forgotten,
        )
        # Either nothing is drawn there, or what lies around it.
        around = 0 if forgotten is tegmentum or draw.random() < 0.5 else tegmentum.index
        table[forgotten.index] = around
    else:
        raise ValueError(f"harm is one of {HARMS}")
    return Prediction(Volume(table[labels.array], labels.affine))


def simulated_case(truth: Volume, name: str, seed: int) -> SimulatedCase:
    """Return labels as a case.

    Parameters
    ----------
    truth : Volume
        As ``shape_of`` returns it.
    name : str
        Its subject.
    seed : int
        Of what is hard about this exam.
    """
    case = ValidationCase(f"{name}, {seed}", name, SIMULATED, truth)
    return SimulatedCase(case, seed, near_structures(truth))


def shape_of(anatomy: Volume, voxel_mm: float = 1.0) -> Volume:
    """Return an anatomy cut to its structures and brought to cubes of one size.

    Parameters
    ----------
    anatomy : Volume
        Labels on an axis-aligned grid; values above ``STRUCTURE_MAXIMUM`` count as none.
    voxel_mm : float
    """
    from scipy import ndimage

    from ..evaluation.grids import structures_only

    labels = structures_only(anatomy)
    steps = np.full(3, voxel_mm) / labels.spacing
    shape = np.maximum((np.array(labels.shape) / steps).astype(int), 1)
    places = np.indices(tuple(shape), dtype=np.float32) * steps[:, None, None, None]
    array = ndimage.map_coordinates(labels.array, places, order=0, mode="nearest")
    used = np.argwhere(array)
    low = np.maximum(used.min(0) - MARGIN_VOXELS, 0)
    ends = used.max(0) + 1 + MARGIN_VOXELS
    array = array[tuple(slice(a, b) for a, b in zip(low, ends, strict=True))]
    affine = labels.affine.copy()
    affine[:3, :3] = labels.affine[:3, :3] * steps
    affine[:3, 3] = affine[:3, :3] @ low + labels.affine[:3, 3]
    return Volume(np.ascontiguousarray(array), affine)


@lru_cache(maxsize=64)
def near_structures(truth: Volume) -> Near:
    """Voxels within ``REACH_MM`` of a structure; kept, as many exams have one shape."""
    from scipy import ndimage

    distance, places = ndimage.distance_transform_edt(
        truth.array == 0, sampling=truth.spacing, return_indices=True
    )
    near = distance <= REACH_MM
    return Near(np.nonzero(near), truth.array[tuple(places)][near])


def _swapped(draw: np.random.Generator) -> list[tuple[str, str]]:
    """Outputs that change places: all sides, one pair of sides, or two of one region."""
    structures = load_structures()
    sides = [(s.key, s.mirror_key) for s in structures if s.side == "left"]
    kind = int(draw.integers(3))
    if kind == 0:
        return sides
    if kind == 1:
        return [sides[draw.integers(len(sides))]]
    first = structures[draw.integers(len(structures))]
    others = [s for s in structures if s.parent == first.parent and s.key != first.key]
    return [(first.key, others[draw.integers(len(others))].key)]


def _field(truth: Volume, *seeds: int) -> np.ndarray:
    """Smooth random displacement, (3, i, j, k) on every second voxel, standard deviation 1."""
    from scipy import ndimage

    draw = np.random.default_rng(seeds)
    shape = tuple(-(-n // _STEP) for n in truth.shape)
    sigma = SMOOTH_MM / _STEP / truth.spacing.mean()
    noise = draw.standard_normal((3, *shape), dtype=np.float32)
    smooth = ndimage.gaussian_filter(noise, (0, sigma, sigma, sigma), mode="wrap", truncate=3.0)
    return smooth / smooth.std()
