"""What a segmentation returns."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from ..imaging.volume import Volume


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

    @property
    def offset(self) -> tuple[int, int, int]:
        """First voxel of the box of ``probabilities`` in the grid of the T1."""
        first = np.linalg.solve(self.labels.affine, self.probabilities.affine[:, 3])[:3]
        return tuple(int(n) for n in np.rint(first))

    def probability(self, key: str) -> np.ndarray:
        """Return the probability of one structure, shape (i, j, k), on the box."""
        return self.probabilities.array[..., self.keys.index(key)]
