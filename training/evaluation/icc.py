"""Intraclass correlation of volumes."""

from __future__ import annotations

import math

import numpy as np


def icc_2_1(ratings: np.ndarray) -> float:
    """Return ICC(2,1): absolute agreement of single measurements, two-way random effects.

    After Shrout & Fleiss 1979 (Psychological Bulletin 86:420, doi:10.1037/0033-2909.86.2.420), from
    the mean squares of subjects, raters and what is left.

    Parameters
    ----------
    ratings : numpy.ndarray, shape (subjects, raters)
        Subjects in which any rating is NaN are left out.

    Returns
    -------
    float
        At most 1; NaN with fewer than two subjects or raters, or when nothing varies.
    """
    ratings = np.asarray(ratings, float)
    ratings = ratings[np.isfinite(ratings).all(1)]
    n, k = ratings.shape
    if n < 2 or k < 2:
        return math.nan
    whole = ratings.mean()
    subjects, raters = ratings.mean(1), ratings.mean(0)
    between_subjects = k * ((subjects - whole) ** 2).sum() / (n - 1)
    between_raters = n * ((raters - whole) ** 2).sum() / (k - 1)
    rest = ratings - subjects[:, None] - raters + whole
    left = (rest**2).sum() / ((n - 1) * (k - 1))
    scale = between_subjects + (k - 1) * left + k * (between_raters - left) / n
    return float((between_subjects - left) / scale) if scale > 0 else math.nan
