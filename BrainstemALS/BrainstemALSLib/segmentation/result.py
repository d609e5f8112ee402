"""What a segmentation returns."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from ..imaging.volume import Volume


@dataclass(frozen=True)
class Familiarity:
    """How far an exam lies from those that the network learned from, see ``familiarity``.

    Attributes
    ----------
    ratio : float
        The largest of ``parts``: 1 is the limit, above it the exam is unfamiliar.
    parts : dict
        Part of the description (``contrast``, ``texture``, ``shape``, ``pose``, ``certainty``,
        ``fa``, ``md``, ``dark``, ``bright``) to its distance as a multiple of its own limit.
    properties : dict
        Part beyond its limit to the property that deviates most, the worst part first. Of a spot
        it is the structure in which or next to which the spot lies.
    """

    ratio: float
    parts: dict[str, float]
    properties: dict[str, str]


@dataclass(frozen=True, eq=False)
class Segmentation:
    """Segmentation of one exam, on the grid of the patient's T1.

    Attributes
    ----------
    labels : Volume
        uint8, the whole T1 grid; values are ``Structure.index``, 0 is background.
    entropy : Volume
        float32, the whole T1 grid; Shannon entropy divided by ``log(classes)``, 0-1.
    probabilities : Volume or None
        float16 array of shape (i, j, k, n_structures) on a box cut from the T1 grid (its affine is
        shifted accordingly); outside the box every probability is 0. Last axis as ``keys``. None
        for labels whose probabilities were not kept: the segmenter always returns them.
    keys : tuple of str
        Structure keys of the last axis of ``probabilities``.
    confidence : dict
        Structure key to mean probability of the structure over the voxels labelled so, 0-1; NaN
        where no voxel is.
    intracranial_mm3 : float or None
        Intracranial volume estimated by the locator; None when the head is not wholly in view.
    modalities : tuple of str
        Channels that were really used, for example ``("t1",)`` or ``("t1", "fa", "md")``.
    unused : tuple of str
        Channels that were given but do not show the brainstem, and were left out.
    device, device_reason : str
        Where inference ran, and why there.
    model : dict
        Name, version and checksum of every model that took part.
    touches_border : dict
        Name of a face of the T1's field of view (``"inferior"``, ``"superior"``, ``"left"``,
        ``"right"``, ``"anterior"``, ``"posterior"``) to mm2 of brainstem on it; empty if none.
    timings : dict
        Seconds by stage.
    resampled : dict
        Channel in use that lies on another grid than the T1, to its voxel size (mm) along its axes.
    familiarity : Familiarity or None
        None where the model has no description of what it learned from, or it cannot be compared.
    """

    labels: Volume
    entropy: Volume
    probabilities: Volume | None
    keys: tuple[str, ...]
    confidence: dict[str, float]
    intracranial_mm3: float | None
    modalities: tuple[str, ...]
    device: str
    device_reason: str
    model: dict[str, dict[str, str]]
    unused: tuple[str, ...] = ()
    touches_border: dict[str, float] = field(default_factory=dict)
    timings: dict[str, float] = field(default_factory=dict)
    resampled: dict[str, tuple[float, float, float]] = field(default_factory=dict)
    familiarity: Familiarity | None = None

    @property
    def offset(self) -> tuple[int, int, int]:
        """First voxel of the box of ``probabilities`` in the grid of the T1."""
        first = np.linalg.solve(self.labels.affine, self.probabilities.affine[:, 3])[:3]
        return tuple(int(n) for n in np.rint(first))

    def probability(self, key: str) -> np.ndarray:
        """Return the probability of one structure, shape (i, j, k), on the box."""
        return self.probabilities.array[..., self.keys.index(key)]
