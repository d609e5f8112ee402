"""What the gate scores: cases with a truth, whatever predicts, and their overlaps."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Protocol

import numpy as np

from BrainstemALSLib.anatomy import load_structures
from BrainstemALSLib.imaging.geometry import same_grid
from BrainstemALSLib.imaging.volume import Volume

if TYPE_CHECKING:
    from BrainstemALSLib.imaging.exam import Exam

SIMULATED, PATIENT, APPROVED = "simulated", "simulated patient", "approved"
"""Simulated exams of held-out anatomies; simulated patients of the one anatomy that is installed,
which is no subject of its own to judge by; approved cases of a store."""


@dataclass(frozen=True, eq=False)
class ValidationCase:
    """One exam whose labels are known.

    Attributes
    ----------
    name : str
        Anatomy and seed, or case id; never a subject's code.
    subject : str
        Cases of one subject share it, and are drawn together by the bootstrap.
    kind : str
        ``SIMULATED``, ``PATIENT`` or ``APPROVED``.
    truth : Volume
        uint8 (i, j, k), values are ``Structure.index``.
    exam : Exam or None
        Images on the grid of the truth; None for predictors that need none.
    """

    name: str
    subject: str
    kind: str
    truth: Volume
    exam: Exam | None = None


@dataclass(frozen=True, eq=False)
class Prediction:
    """Labels on the grid of the case, or None and the problem, a clause, why there are none.

    ``ratio`` is ``result.Familiarity.ratio``; None where the model cannot tell.
    """

    labels: Volume | None
    problem: str = ""
    ratio: float | None = None


class Predictor(Protocol):
    """A model as the gate sees it.

    Attributes
    ----------
    name : str
        For the report.
    keys : tuple of str
        Structures it has outputs for.
    """

    name: str
    keys: tuple[str, ...]

    def predict(self, case: ValidationCase) -> Prediction:
        """Return the labels of a case."""


@dataclass(frozen=True, eq=False)
class Overlap:
    """Voxels that a prediction and a truth share.

    Attributes
    ----------
    shared : numpy.ndarray
        int, (structures, structures): voxels predicted as the first and truly the second.
    predicted, true : numpy.ndarray
        int, (structures,): voxels of each structure.
    centres : numpy.ndarray
        (structures, 3), RAS mm: middle of each predicted structure; NaN where there is none.
    true_centres : numpy.ndarray
        The same of the truth.
    problem : str
        Why nothing was predicted; empty where something was.
    ratio : float or None
        How unfamiliar the model finds the exam, see ``Prediction``.
    """

    shared: np.ndarray
    predicted: np.ndarray
    true: np.ndarray
    centres: np.ndarray
    true_centres: np.ndarray
    problem: str = ""
    ratio: float | None = None

    @property
    def pairs(self) -> np.ndarray:
        """Dice of every predicted with every true structure; 0 where both are empty."""
        total = self.predicted[:, None] + self.true[None, :]
        return np.divide(2.0 * self.shared, total, out=np.zeros(total.shape), where=total > 0)

    @property
    def dice(self) -> np.ndarray:
        """Dice of every structure, (structures,); NaN where neither has it."""
        there = (self.predicted + self.true) > 0
        return np.where(there, np.diagonal(self.pairs), np.nan)


def overlap(prediction: Prediction, case: ValidationCase) -> Overlap:
    """Compare a prediction with the truth of its case.

    Where labels lie on another grid they count as none: a segmenter answers on the grid it was
    given.
    """
    place = _places()
    labels, problem = prediction.labels, prediction.problem
    if labels is not None and not same_grid(labels, case.truth):
        labels, problem = None, "gives labels on another grid than the images"
    true = place[case.truth.array]
    found = np.zeros_like(true) if labels is None else place[labels.array]
    size = int(place.max()) + 1
    counts = np.bincount((found * size + true).ravel(), minlength=size * size).reshape(size, size)
    return Overlap(
        shared=counts[1:, 1:],
        predicted=counts.sum(1)[1:],
        true=counts.sum(0)[1:],
        centres=_centres(found, size, case.truth.affine),
        true_centres=_true_centres(case.truth),
        problem=problem,
        ratio=prediction.ratio,
    )


def dice_table(overlaps: Sequence[Overlap]) -> np.ndarray:
    """Dice, (cases, structures), structures in the table's order; NaN where neither has one."""
    return np.array([one.dice for one in overlaps])


def _places() -> np.ndarray:
    """Label value to place in the table of structures, from 1 on; 0 for none, (256,)."""
    place = np.zeros(256, np.int32)
    for number, structure in enumerate(load_structures(), 1):
        place[structure.index] = number
    return place


@lru_cache(maxsize=64)
def _true_centres(truth: Volume) -> np.ndarray:
    """Kept, for every truth is compared with several predictions."""
    place = _places()
    return _centres(place[truth.array], int(place.max()) + 1, truth.affine)


def _centres(numbered: np.ndarray, size: int, affine: np.ndarray) -> np.ndarray:
    where = np.nonzero(numbered)
    values = numbered[where]
    counts = np.bincount(values, minlength=size)[1:].astype(float)
    counts[counts == 0] = np.nan
    sums = [np.bincount(values, weights=axis, minlength=size)[1:] for axis in where]
    return np.stack(sums, -1) / counts[:, None] @ affine[:3, :3].T + affine[:3, 3]
