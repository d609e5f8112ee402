"""What may be asked for, exams or places, as one table that every strategy reads."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ..summary import CaseSummary

RIM_VOXELS = 1
"""Voxels around the labelled brainstem that count to an exam's score (own choice): the outline's
outer half is as doubtful as its inner one."""


@dataclass(frozen=True, eq=False)
class Candidates:
    """Exams or places, one row each.

    Attributes
    ----------
    entropy, disagreement : numpy.ndarray, shape (n,)
        Means over the exam's brainstem, or over the place.
    by_class : numpy.ndarray, shape (n, classes)
        Doubt about a class; NaN where no voxel is given it. Of an exam the mean entropy of the
        class's voxels, of a place their entropy summed and divided by all its voxels. Column 0,
        the background, is not looked at.
    foreground : numpy.ndarray, shape (n,)
        Share of voxels that are given a structure, 0-1.
    features : numpy.ndarray, shape (n, f)
        What tells one from another.
    keys : tuple of str
        Structures of the classes 1, 2 ...
    """

    entropy: np.ndarray
    disagreement: np.ndarray
    by_class: np.ndarray
    foreground: np.ndarray
    features: np.ndarray
    keys: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.entropy)

    def doubtful(self, index: int, count: int = 3) -> tuple[str, ...]:
        """Return the structures of a row that the model is least sure of, the worst first."""
        scores = np.nan_to_num(self.by_class[index, 1:], nan=-1.0)
        order = np.argsort(-scores, kind="stable")[:count]
        return tuple(self.keys[n] for n in order if scores[n] > 0)


def of_cases(summaries: Sequence[CaseSummary]) -> Candidates:
    """Return one row for each exam.

    An exam's score is the mean over the voxels that are labelled and a rim around them, so that it
    does not depend on how much of the box is background. Where nothing is labelled it is the mean
    over the whole box.

    Raises
    ------
    ValueError
        The summaries are of different structures, or there are none.
    """
    if not summaries or len({summary.keys for summary in summaries}) != 1:
        raise ValueError("candidates need summaries of one set of structures")
    rows = [_row(summary) for summary in summaries]
    entropy, disagreement, by_class, foreground = (
        np.stack([row[n] for row in rows]) for n in range(4)
    )
    return Candidates(
        entropy,
        disagreement,
        by_class,
        foreground,
        np.stack([summary.features for summary in summaries]).astype(float),
        summaries[0].keys,
    )


def _row(summary: CaseSummary) -> tuple[np.ndarray, ...]:
    from scipy.ndimage import binary_dilation

    labelled = summary.classes > 0
    inside = binary_dilation(labelled, iterations=RIM_VOXELS) if labelled.any() else ~labelled
    entropy = summary.entropy.astype(float)
    size = 1 + len(summary.keys)
    flat = summary.classes.ravel()
    count = np.bincount(flat, minlength=size)
    total = np.bincount(flat, weights=entropy.ravel(), minlength=size)
    by_class = np.where(count > 0, total / np.maximum(count, 1), np.nan)
    return (
        entropy[inside].mean(),
        summary.disagreement[inside].astype(float).mean(),
        by_class,
        labelled.mean(),
    )
