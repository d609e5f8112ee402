"""Simulated experts: they know the truth, and err on their way to it as people do.

An expert draws the truth with a boundary that is off by a smooth random displacement, partly the
same in all of his exams, rounds outlines, overlooks small structures, leaves small errors of the
model alone, and looks only at what he was asked to. What nobody looked at stays as the model drew
it and is not vouched for.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass

import numpy as np

from BrainstemALSLib.anatomy import by_key
from BrainstemALSLib.imaging.volume import Volume

from .effort import Work, added_path, minutes
from .profiles import PROFILES, Profile
from .regions import Place, box_mask

MARGIN_MM = 6.0
"""Around what either map labels: no error reaches further (own choice)."""


@dataclass(frozen=True, eq=False)
class Opinion:
    """What an expert approves; the fields mean what they mean in ``training.corrections``.

    With one difference: in places and structures that were looked at, unchanged voxels are vouched
    for too. The annotation store keeps no such areas: it holds whole exams, or changed voxels.

    Attributes
    ----------
    correction : Volume
        uint8 labels, ``Structure.index``.
    changed : Volume
        bool, where they differ from the prediction.
    weights : Volume
        float32, 1 where the expert vouches for the label, 0 where nobody looked.
    keys : tuple of str
        Structures that were looked at; all that either map has unless some were named.
    minutes : float
    """

    correction: Volume
    changed: Volume
    weights: Volume
    keys: tuple[str, ...]
    minutes: float


class Expert:
    """One simulated person: a profile, and errors of his own.

    Parameters
    ----------
    profile : str or Profile
        ``careful``, ``quick``, ``novice`` or figures of one's own.
    seed : int
        The same seed is the same person.
    """

    def __init__(self, profile: str | Profile = "careful", seed: int = 0):
        self.profile = PROFILES[profile] if isinstance(profile, str) else profile
        self.seed = seed
        self.scale = self.profile.scale * np.random.default_rng([seed, 1]).standard_normal()

    def correct(
        self,
        prediction: Volume,
        truth: Volume,
        exam: int,
        places: Sequence[Place] = (),
        keys: Collection[str] | None = None,
    ) -> Opinion:
        """Correct a prediction.

        Parameters
        ----------
        prediction, truth : Volume
            uint8 labels (i, j, k) on one grid, parallel to RAS.
        exam : int
            Number of the exam: the errors of the day are drawn from it and the expert's seed.
        places : sequence of Place
            Only these are looked at; everything is where none are given.
        keys : collection of str, optional
            Only these structures are looked at.

        Raises
        ------
        ValueError
            The two maps are of different shapes.
        """
        if prediction.shape != truth.shape:
            raise ValueError(f"{prediction.shape} and {truth.shape} are not one grid")
        rng = np.random.default_rng([self.seed, 2, exam])
        before = np.asarray(prediction.array, np.uint8)
        box = _box(before, truth.array, truth.spacing)
        cut = before[box]
        drawn = self._draw(np.asarray(truth.array[box], np.uint8), truth, box, rng)
        asked = self._asked(cut, drawn, truth, box, places, keys)
        drawn = np.where(asked, drawn, cut)
        drawn = self._overlooking(cut, drawn, truth.array[box], truth.voxel_volume, rng)
        drawn = self._ignoring(cut, drawn, truth.voxel_volume)
        after = before.copy()
        after[box] = drawn
        weights = np.ones(before.shape, np.float32)
        if places or keys is not None:
            weights[:] = 0
            weights[box] = asked
        seen = set(np.unique(cut[asked])) | set(np.unique(drawn[asked]))
        looked = tuple(key for key, structure in by_key().items() if structure.index in seen)
        if keys is not None:
            looked = tuple(key for key in looked if key in keys)
        path, slices = added_path(cut, drawn, truth.spacing)
        work = Work(len(places), 0 if places else len(looked), path, slices)
        return Opinion(
            correction=Volume(after, truth.affine),
            changed=Volume(after != before, truth.affine),
            weights=Volume(weights, truth.affine),
            keys=looked,
            minutes=minutes(work, self.profile.pace),
        )

    def _draw(
        self, labels: np.ndarray, truth: Volume, box: tuple[slice, ...], rng: np.random.Generator
    ) -> np.ndarray:
        """The truth as this hand draws it: displaced and rounded."""
        from scipy.ndimage import map_coordinates

        profile, spacing = self.profile, truth.spacing
        whole = np.array(truth.shape)
        shift = _waves(rng, labels.shape, spacing, profile.wave_mm) * profile.jitter_mm
        # The lasting error belongs to the grid's middle, so that it is alike in every exam.
        own = np.random.default_rng([self.seed, 3])
        lasting = _waves(own, truth.shape, spacing, 2 * profile.wave_mm) * profile.bias_mm
        shift += lasting[(slice(None), *box)]
        index = np.indices(labels.shape, dtype=np.float32)
        start = np.array([part.start for part in box])
        middle = ((whole - 1) / 2 - start)[:, None, None, None]
        index += shift / spacing[:, None, None, None] + (index - middle) * self.scale
        moved = map_coordinates(labels, index, order=0, mode="nearest")
        return rounded(moved, profile.smooth_mm / spacing)

    @staticmethod
    def _asked(
        before: np.ndarray,
        drawn: np.ndarray,
        truth: Volume,
        box: tuple[slice, ...],
        places: Sequence[Place],
        keys: Collection[str] | None,
    ) -> np.ndarray:
        """Voxels of the box that the expert looks at."""
        asked = np.ones(before.shape, bool)
        if places:
            masks = [
                box_mask(truth.shape, truth.affine, place.centre_ras, place.size_mm)[box]
                for place in places
            ]
            asked &= np.any(masks, axis=0)
        if keys is not None:
            values = [by_key()[key].index for key in keys]
            asked &= np.isin(before, values) | np.isin(drawn, values)
        return asked

    def _overlooking(
        self,
        before: np.ndarray,
        drawn: np.ndarray,
        truth: np.ndarray,
        voxel_mm3: float,
        rng: np.random.Generator,
    ) -> np.ndarray:
        """Small structures that the eye passes over stay as the model has them."""
        count = np.bincount(truth.ravel(), minlength=256)[:256] * voxel_mm3
        # One number for each label value, so that one structure does not change another's luck.
        luck = rng.random(256)
        small = (count > 0) & (count < self.profile.small_mm3)
        missed = small & (luck < self.profile.overlook)
        missed[0] = False
        return np.where(missed[drawn] | missed[before], before, drawn)

    def _ignoring(self, before: np.ndarray, drawn: np.ndarray, voxel_mm3: float) -> np.ndarray:
        """Small errors are left as they are."""
        from scipy.ndimage import label

        pieces, _ = label(before != drawn)
        size = np.bincount(pieces.ravel()) * voxel_mm3
        return np.where((size < self.profile.ignore_mm3)[pieces], before, drawn)


def rounded(labels: np.ndarray, sigma: np.ndarray) -> np.ndarray:
    """Return a label map with rounded outlines: each label is smoothed, the strongest wins.

    Parameters
    ----------
    labels : numpy.ndarray, shape (i, j, k)
    sigma : numpy.ndarray, shape (3,)
        Of the Gaussian, in voxels.
    """
    from scipy.ndimage import find_objects, gaussian_filter

    if not (np.asarray(sigma) > 0).any():
        return labels
    reach = np.ceil(3 * sigma).astype(int)
    best = gaussian_filter((labels == 0).astype(np.float32), sigma, mode="nearest", truncate=3)
    out = np.zeros_like(labels)
    for number, part in enumerate(find_objects(labels.astype(np.int32)), start=1):
        if part is None:
            continue
        near = tuple(
            slice(max(0, one.start - margin), one.stop + margin)
            for one, margin in zip(part, reach, strict=True)
        )
        mask = (labels[near] == number).astype(np.float32)
        share = gaussian_filter(mask, sigma, mode="nearest", truncate=3)
        stronger = share > best[near]
        out[near][stronger] = number
        best[near][stronger] = share[stronger]
    return out


def _waves(
    rng: np.random.Generator, shape: tuple[int, ...], spacing: np.ndarray, wave_mm: float
) -> np.ndarray:
    """Smooth displacement (3, i, j, k), standard deviation 1 at its control points."""
    # Coarse nodes at every ``wave_mm``, and linear between them.
    extent = np.asarray(shape) * spacing
    nodes = [max(2, int(np.ceil(mm / wave_mm)) + 1) for mm in extent]
    coarse = rng.standard_normal((3, *nodes)).astype(np.float32)
    for axis, (n, size) in enumerate(zip(nodes, shape, strict=True), start=1):
        places = np.linspace(0, n - 1, size, dtype=np.float32)
        low = np.minimum(places.astype(int), coarse.shape[axis] - 2)
        part = (places - low).reshape([-1 if a == axis else 1 for a in range(4)])
        coarse = np.take(coarse, low, axis) * (1 - part) + np.take(coarse, low + 1, axis) * part
    return coarse


def _box(first: np.ndarray, second: np.ndarray, spacing: np.ndarray) -> tuple[slice, ...]:
    """The box of voxels around everything that either map labels."""
    used = (first > 0) | (second > 0)
    if not used.any():
        return tuple(slice(0, n) for n in used.shape)
    box = []
    for axis in range(3):
        others = tuple(a for a in range(3) if a != axis)
        there = np.flatnonzero(used.any(others))
        margin = int(np.ceil(MARGIN_MM / spacing[axis]))
        box.append(slice(max(0, there[0] - margin), there[-1] + 1 + margin))
    return tuple(slice(b.start, min(b.stop, n)) for b, n in zip(box, used.shape, strict=True))
