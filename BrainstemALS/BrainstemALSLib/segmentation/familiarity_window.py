"""What a segmented exam looks like in the network's window: images, labels, regions, scale."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from scipy import ndimage

from ..anatomy import CONTEXT, REGIONS, by_key, load_structures
from ..imaging.exam import Exam
from ..imaging.geometry import crop, resample
from ..imaging.volume import Volume

# Distances below are our own choice.
CORE_MM = 2
"""What lies this deep in the brainstem is surely brainstem, outlines being right to 1 to 2 mm."""
RING_MM = (2, 9)
"""Surroundings of the brainstem: fluid, cerebellum, temporal lobe."""
_MARGIN = 4  # voxels of the image kept around the window, for smoothing before resampling
_FEW = 30  # voxels; fewer say nothing about a tissue
_FEW_OF_PAIR = 200  # twice a spot of 6 mm: with fewer a pair has no intensity of its own


@dataclass(frozen=True, eq=False)
class Window:
    """The part of the network's window that brainstem and surroundings take, RAS, 1 mm.

    Attributes
    ----------
    t1 : numpy.ndarray, shape (i, j, k)
        Intensities; NaN outside the field of view.
    maps : dict
        ``fa`` (0-1) and ``md`` (1e-3 mm2/s) as far as they were used, like ``t1``.
    labels : numpy.ndarray, shape (i, j, k)
        ``Structure.index``, 0 where background is likelier than all structures together.
    background : numpy.ndarray, shape (i, j, k)
        Probability of no structure.
    entropy : float
        Mean normalised entropy (0-1) of the brainstem's voxels.
    """

    t1: np.ndarray
    maps: dict[str, np.ndarray]
    labels: np.ndarray
    background: np.ndarray
    entropy: float

    @cached_property
    def stem(self) -> np.ndarray:
        """Voxels labelled as brainstem, bool."""
        return _lookup(_stem_indices())[self.labels]

    @cached_property
    def depth(self) -> np.ndarray:
        """Distance (mm) of the brainstem's voxels from its surface."""
        return ndimage.distance_transform_edt(self.stem)

    @cached_property
    def core(self) -> np.ndarray:
        """Voxels that are surely brainstem and in view, bool."""
        return (self.depth > CORE_MM) & np.isfinite(self.t1)

    @cached_property
    def ring(self) -> np.ndarray:
        """Voxels around the brainstem that hold an image, bool; what was masked out is left out."""
        away = ndimage.distance_transform_edt(~self.stem)
        inner, outer = RING_MM
        with np.errstate(invalid="ignore"):
            filled = self.t1 > np.nanmin(self.t1)
        return (away > inner) & (away <= outer) & filled

    @cached_property
    def scale(self) -> float:
        """Spread of intensities in and around the brainstem: its 10th to 90th percentile."""
        values = self.t1[self.core | self.ring]
        if values.size < _FEW:
            return float("nan")
        low, high = np.percentile(values, (10, 90))
        return float(max(high - low, 1e-6 * max(abs(high), abs(low)), 1e-12))

    def of(self, *, tissue: str | None = None, parent: str | None = None, side: str | None = None):
        """Voxels of the brainstem's structures of one tissue, region or side, bool."""
        chosen = [
            s.index
            for s in load_structures()
            if s.parent != CONTEXT
            and tissue in (None, s.tissue)
            and parent in (None, s.parent)
            and side in (None, s.side)
        ]
        return _lookup(chosen)[self.labels]

    def stems(self, names: tuple[str, ...]) -> np.ndarray:
        """Voxels of structures named without their side, bool."""
        return _lookup([s.index for s in load_structures() if s.stem in names])[self.labels]

    def usual_intensity(self, region: np.ndarray) -> np.ndarray:
        """What each voxel's structure has: the median, in a region, of left and right together.

        A lesion seldom takes more than half of a pair, and contrast between structures is no
        lesion. Small structures, and holes, take the median of the region.
        """
        values, labels = self.t1[region], self.labels[region]
        table = np.full(256, np.median(values), np.float32)
        pairs: dict[str, list[int]] = {}
        for structure in load_structures():
            if structure.parent != CONTEXT:
                pairs.setdefault(structure.stem, []).append(structure.index)
        for indices in pairs.values():
            own = values[_lookup(indices)[labels]]
            if own.size >= _FEW_OF_PAIR:
                table[indices] = np.median(own)
        return table[self.labels]


def _stem_indices() -> list[int]:
    return [s.index for s in load_structures() if s.parent != CONTEXT]


def _lookup(indices: list[int]) -> np.ndarray:
    """bool (256,): which labels are meant; far quicker than ``numpy.isin`` on every voxel."""
    table = np.zeros(256, bool)
    table[indices] = True
    return table


def _mean_entropy(probabilities: np.ndarray) -> float:
    """Mean Shannon entropy over ``log(classes)`` of voxels (n, classes); NaN without any."""
    if not len(probabilities):
        return float("nan")
    p = np.clip(probabilities, 1e-7, 1.0)
    return float(-(p * np.log(p)).sum(-1).mean() / np.log(p.shape[-1]))


def median(values: np.ndarray, few: int = _FEW) -> float:
    """Median of what is known; NaN where that is less than ``few`` voxels."""
    known = values[np.isfinite(values)]
    return float(np.median(known)) if known.size >= few else float("nan")


def window_of(
    exam: Exam, box: Volume, keys: tuple[str, ...], modalities: tuple[str, ...]
) -> Window | None:
    """Lay an exam and its segmentation out in the window.

    Parameters
    ----------
    exam : Exam
        T1 and maps, each on its own grid.
    box : Volume
        Class probabilities on the window, as ``inference.infer_box`` returns them.
    keys, modalities : tuple of str
        Structures of the probabilities from the second on; channels in use.

    Returns
    -------
    Window or None
        None where a region of the brainstem was not found: other findings say so.
    """
    background = np.ascontiguousarray(box.array[..., 0])
    inside = background < 0.5
    if not inside.any():
        return None
    shown = box.array[inside]
    labels = np.zeros(inside.shape, np.uint8)
    labels[inside] = np.array([by_key()[key].index for key in keys], np.uint8)[
        shown[:, 1:].argmax(-1)
    ]
    found = np.argwhere(inside)
    start = np.maximum(found.min(0) - RING_MM[1] - 1, 0)
    stop = np.minimum(found.max(0) + RING_MM[1] + 2, labels.shape)
    part = crop(Volume(labels, box.affine), start, stop)
    window = Window(
        _seen(exam.t1, part),
        {name: _seen(getattr(exam, name), part) for name in ("fa", "md") if name in modalities},
        part.array,
        crop(Volume(background, box.affine), start, stop).array,
        _mean_entropy(shown[_lookup(_stem_indices())[labels[inside]]]),
    )
    whole = all(window.of(parent=region).sum() >= _FEW for region in REGIONS)
    return window if whole and window.core.sum() >= _FEW else None


def _seen(image: Volume, box: Volume) -> np.ndarray:
    """An image on the window; only its part there is touched, the rest would cost a second."""
    corners = np.indices((2, 2, 2)).reshape(3, -1) * (np.array(box.shape[:3])[:, None] - 1)
    matrix = np.linalg.inv(image.affine) @ box.affine
    voxels = matrix[:3, :3] @ corners + matrix[:3, 3:]
    size = np.array(image.shape[:3])
    start = np.clip(np.floor(voxels.min(1)).astype(int) - _MARGIN, 0, size - 1)
    stop = np.clip(np.ceil(voxels.max(1)).astype(int) + 1 + _MARGIN, start + 1, size)
    return resample(crop(image, start, stop), box.shape[:3], box.affine, default=float("nan")).array
