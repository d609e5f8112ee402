"""Whether probabilities mean what they say, and whether uncertainty finds the errors.

Calibration is the expected calibration error in 15 bins of equal width (Naeini et al. 2015, AAAI
29:2901, doi:10.1609/aaai.v29i1.9602), the mean over voxels of the gap between what was said and how
often it was so. Which voxels count is decided by the probabilities alone, never by the truth:
looking only at voxels that the truth calls brainstem would make the best of models seem unsure of
itself. What is lost by that, true voxels that the model gave hardly any probability, is counted
apart as overlooked.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from BrainstemALSLib.anatomy import by_key, composites
from BrainstemALSLib.imaging.volume import Volume
from BrainstemALSLib.measurement.volumes import SUPPORT_PROBABILITY
from BrainstemALSLib.segmentation.result import Segmentation

BINS = 15
ANY = "any"
"""Name of the calibration of the label given, over all voxels where any structure is likely."""
NEIGHBOURHOOD_MM = 3.0
"""Errors are looked for this far around the labels, true and found (our choice): wide enough for
all of the blurred border, narrow enough that easy background doesn't flatter the figure."""


@dataclass(frozen=True, eq=False)
class Bins:
    """A reliability diagram in numbers; every array has shape (``BINS``,).

    Attributes
    ----------
    voxels : numpy.ndarray
        Voxels whose probability falls into the bin.
    said, right : numpy.ndarray
        Sum of their probabilities, and how many of them are what the probability was for.
    true, overlooked : int
        True voxels, and how many of those are in no bin.
    """

    voxels: np.ndarray
    said: np.ndarray
    right: np.ndarray
    true: int = 0
    overlooked: int = 0

    @property
    def error(self) -> float:
        """Expected calibration error, 0-1; NaN without voxels."""
        whole = self.voxels.sum()
        return float(np.abs(self.said - self.right).sum() / whole) if whole else math.nan

    @property
    def overlooked_percent(self) -> float:
        """Share of the true voxels that are in no bin; NaN without true voxels."""
        return 100 * self.overlooked / self.true if self.true else math.nan


def pooled(many: Iterable[Bins]) -> Bins:
    """Return the bins of several cases as one."""
    many = list(many)
    if not many:
        return Bins(*(np.zeros(BINS) for _ in range(3)))
    return Bins(
        *(np.sum([getattr(one, name) for one in many], 0) for name in ("voxels", "said", "right")),
        true=sum(one.true for one in many),
        overlooked=sum(one.overlooked for one in many),
    )


def bins_of(probability: np.ndarray, right: np.ndarray, true: int = 0) -> Bins:
    """Sort voxels into bins.

    Parameters
    ----------
    probability : numpy.ndarray, shape (n,)
        What was said, 0-1.
    right : numpy.ndarray of bool, shape (n,)
        Whether it was so.
    true : int
        True voxels in the whole image, in a bin or not; 0 where that isn't asked.
    """
    place = np.clip(np.ceil(probability * BINS).astype(int) - 1, 0, BINS - 1)

    def add(weights: np.ndarray | None) -> np.ndarray:
        return np.bincount(place, weights, BINS).astype(float)

    overlooked = max(true - int(right.sum()), 0)
    return Bins(add(None), add(probability), add(right.astype(float)), true, overlooked)


def calibration(segmentation: Segmentation, truth: Volume) -> dict[str, Bins]:
    """Return the bins of one case.

    Parameters
    ----------
    segmentation : Segmentation
        With or without probabilities.
    truth : Volume
        uint8 (i, j, k) on the grid of the segmentation; values are ``Structure.index``.

    Returns
    -------
    dict
        Structure or composite to the bins of its own probability, over the voxels where that is at
        least ``SUPPORT_PROBABILITY``; and ``ANY`` to those of the probability of the label given
        (background too), over the voxels where all structures together reach it. Empty without
        probabilities.
    """
    if segmentation.probabilities is None:
        return {}
    array = segmentation.probabilities.array
    window = tuple(
        slice(a, a + n) for a, n in zip(segmentation.offset, array.shape[:3], strict=True)
    )
    support = array.sum(-1, dtype=np.float32) >= SUPPORT_PROBABILITY
    said = array[support].astype(np.float32)
    true = truth.array[window][support]
    found = segmentation.labels.array[window][support]
    counts = np.bincount(truth.array.ravel(), minlength=256)
    index = {key: by_key()[key].index for key in segmentation.keys}
    column = {key: number for number, key in enumerate(segmentation.keys)}
    united = {name: [key for key in keys if key in column] for name, keys in composites().items()}
    out = {ANY: _of_label(said, found, true, index, int(counts[list(index.values())].sum()))}
    for name, keys in ({key: [key] for key in column} | united).items():
        values = [index[key] for key in keys]
        probability = said[:, [column[key] for key in keys]].sum(1)
        likely = probability >= SUPPORT_PROBABILITY
        right = np.isin(true[likely], values)
        out[name] = bins_of(probability[likely], right, int(counts[values].sum()))
    return out


def _of_label(
    said: np.ndarray, found: np.ndarray, true: np.ndarray, index: Mapping[str, int], whole: int
) -> Bins:
    """Bins of the probability of the label given; ``whole`` counts the true voxels."""
    place = np.zeros(256, int)
    for number, value in enumerate(index.values(), start=1):
        place[value] = number
    background = np.clip(1 - said.sum(1, keepdims=True), 0, 1)
    of_label = np.take_along_axis(
        np.concatenate([background, said], 1), place[found][:, None], axis=1
    )[:, 0]
    known = np.isin(true, list(index.values()))
    bins = bins_of(of_label, found == np.where(known, true, 0))
    return Bins(bins.voxels, bins.said, bins.right, whole, whole - int(known.sum()))


def error_auroc(segmentation: Segmentation, truth: Volume) -> float:
    """Return how well the entropy tells wrong voxels from right ones.

    Parameters
    ----------
    segmentation : Segmentation
    truth : Volume
        On its grid, as for ``calibration``.

    Returns
    -------
    float
        Area under the receiver operating characteristic over all voxels within
        ``NEIGHBOURHOOD_MM`` of a true or found label; 0.5 is chance. NaN without probabilities, or
        when no voxel is wrong, or all are.
    """
    if segmentation.probabilities is None:
        return math.nan
    from sklearn.metrics import roc_auc_score

    near = neighbourhood(segmentation.labels.array, truth)
    wrong = segmentation.labels.array[near] != truth.array[near]
    if wrong.all() or not wrong.any():
        return math.nan
    return float(roc_auc_score(wrong, segmentation.entropy.array[near]))


def neighbourhood(labels: np.ndarray, truth: Volume) -> np.ndarray:
    """Voxels within ``NEIGHBOURHOOD_MM`` of a label in either map, bool (i, j, k)."""
    from scipy.ndimage import distance_transform_edt

    labelled = (labels > 0) | (truth.array > 0)
    if not labelled.any():
        return labelled
    return distance_transform_edt(~labelled, sampling=truth.spacing) <= NEIGHBOURHOOD_MM


def stacked(cases: Sequence[Mapping[str, Bins]], keys: Sequence[str]) -> np.ndarray:
    """Return the bins of cases as one array, (cases, keys, 3, ``BINS``): voxels, said, right."""
    nothing = pooled([])
    return np.array(
        [
            [[one.voxels, one.said, one.right] for one in (case.get(k, nothing) for k in keys)]
            for case in cases
        ]
    ).reshape(len(cases), len(keys), 3, BINS)


def pooled_error(stack: np.ndarray) -> float:
    """Return the mean over keys of the calibration error of all cases of ``stacked`` together.

    Keys without a voxel are left out; NaN when none has any.
    """
    voxels, said, right = np.moveaxis(stack.sum(0), 1, 0)
    whole = voxels.sum(-1)
    known = whole > 0
    if not known.any():
        return math.nan
    return float((np.abs(said - right).sum(-1)[known] / whole[known]).mean())
