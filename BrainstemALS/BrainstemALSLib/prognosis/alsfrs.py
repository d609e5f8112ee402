"""The revised ALS Functional Rating Scale: its twelve items, their sum and the four subscores.

Cedarbaum et al. 1999, "The ALSFRS-R: a revised ALS functional rating scale that incorporates
assessments of respiratory function", J Neurol Sci 169:13-21, doi:10.1016/S0022-510X(99)00210-5.
Items and the two forms of item 5 checked against a public copy of the form (verified).
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ..errors import BrainstemALSError, ExitCode

ITEMS = (
    "Speech",
    "Salivation",
    "Swallowing",
    "Handwriting",
    "Cutting food",
    "Dressing and hygiene",
    "Turning in bed",
    "Walking",
    "Climbing stairs",
    "Dyspnea",
    "Orthopnea",
    "Respiratory insufficiency",
)
"""Names of the items in their order; each is rated 0 (function lost) to 4 (normal)."""

SUBSCORES = {
    "bulbar": (1, 2, 3),
    "fine motor": (4, 5, 6),
    "gross motor": (7, 8, 9),
    "respiratory": (10, 11, 12),
}
"""Item numbers of each subscore (0-12 points); verified in public research code."""

HIGHEST_RATING = 4
HIGHEST_TOTAL = HIGHEST_RATING * len(ITEMS)
NOT_RATED = -1
_SUBJECT = "ALSFRS-R"


def _refuse(problem: str, remedy: str) -> BrainstemALSError:
    return BrainstemALSError(_SUBJECT, problem, remedy, ExitCode.USAGE)


def checked(ratings: Sequence[int] | np.ndarray) -> np.ndarray:
    """Return ratings as whole numbers, refusing what is no rating.

    Parameters
    ----------
    ratings : array_like of shape (12,) or (n, 12)
        0-4 each; ``NOT_RATED`` or NaN where an item is missing.

    Returns
    -------
    ndarray of int8, shape (n, 12)
        Missing items are ``NOT_RATED``.

    Raises
    ------
    BrainstemALSError
        Not twelve items, or one that is neither 0, 1, 2, 3, 4 nor missing.
    """
    try:
        values = np.atleast_2d(np.asarray(ratings, dtype=float))
    except (TypeError, ValueError):
        raise _refuse("a rating is not a number", "Give whole numbers from 0 to 4.") from None
    if values.ndim != 2 or values.shape[1] != len(ITEMS):
        raise _refuse(
            f"the scale has {len(ITEMS)} items, not {values.shape[-1]}",
            "Give one rating for each item, -1 for an item that was not rated.",
        )
    values = np.where(np.isnan(values), NOT_RATED, values)
    wrong = (values < NOT_RATED) | (values > HIGHEST_RATING) | (values != np.round(values))
    if wrong.any():
        row, item = np.argwhere(wrong)[0]
        raise _refuse(
            f"item {item + 1} ({ITEMS[item]}) is rated {values[row, item]:g}",
            f"Give a whole number from 0 to {HIGHEST_RATING}, or -1 for not rated.",
        )
    return values.astype(np.int8)


def one(ratings: Sequence[int]) -> np.ndarray:
    """Return the ratings of one visit as ``checked`` does, of shape (1, 12)."""
    if np.ndim(ratings) != 1:
        raise _refuse("more than one visit where one is staged", "Give twelve ratings.")
    return checked(ratings)


def total(ratings: Sequence[int]) -> int | None:
    """Return the sum of the twelve ratings.

    Parameters
    ----------
    ratings : sequence of 12 int
        0-4 each, or ``NOT_RATED``.

    Returns
    -------
    int or None
        0-48; None where an item was not rated: a sum of fewer items is another scale.

    Raises
    ------
    BrainstemALSError
        Not twelve ratings, or one outside 0-4.

    Examples
    --------
    >>> total([4] * 11 + [2])
    46
    >>> total([4] * 11 + [NOT_RATED])
    """
    value = totals(one(ratings))[0]
    return None if np.isnan(value) else int(value)


def totals(ratings: np.ndarray) -> np.ndarray:
    """Return the sums of ratings of shape (n, 12), shape (n,); NaN where an item is missing."""
    return _sums(checked(ratings))


def total_range(ratings: Sequence[int]) -> tuple[int, int]:
    """Return the lowest and highest total that the missing items allow.

    Parameters
    ----------
    ratings : sequence of 12 int
        0-4 each, or ``NOT_RATED``.

    Returns
    -------
    tuple of int
        Both equal to ``total`` where every item was rated.

    Examples
    --------
    >>> total_range([4] * 10 + [NOT_RATED] * 2)
    (40, 48)
    """
    values = one(ratings)
    return int(lowest(values).sum()), int(highest(values).sum())


def subscores(ratings: Sequence[int]) -> dict[str, int | None]:
    """Return the four subscores of one visit, each 0-12, None where one of its items is missing.

    Examples
    --------
    >>> subscores([3, 3, 3] + [4] * 9)["bulbar"]
    9
    """
    found = subscore_table(one(ratings))
    return {name: None if np.isnan(values[0]) else int(values[0]) for name, values in found.items()}


def subscore_table(ratings: np.ndarray) -> dict[str, np.ndarray]:
    """Return each subscore of ratings of shape (n, 12), shape (n,); NaN where one is missing."""
    values = checked(ratings)
    return {
        name: _sums(values[:, [number - 1 for number in numbers]])
        for name, numbers in SUBSCORES.items()
    }


def item_5(without: int, with_gastrostomy: int) -> tuple[int, bool | None]:
    """Return the rating of item 5 and whether the form used says that there is a gastrostomy.

    Parameters
    ----------
    without, with_gastrostomy : int
        Rating of 5a and of 5b, ``NOT_RATED`` for the one that was not used.

    Returns
    -------
    tuple of int and (bool or None)
        ``NOT_RATED`` and None where neither was rated.

    Raises
    ------
    BrainstemALSError
        Both were rated.

    Examples
    --------
    >>> item_5(3, NOT_RATED)
    (3, False)
    """
    if without != NOT_RATED and with_gastrostomy != NOT_RATED:
        raise _refuse(
            "items 5a and 5b are both rated",
            "Keep 5b for a patient with a gastrostomy, 5a for one without.",
        )
    if with_gastrostomy != NOT_RATED:
        return with_gastrostomy, True
    return without, None if without == NOT_RATED else False


def lowest(values: np.ndarray) -> np.ndarray:
    """Return checked ratings with each missing item at its worst, 0."""
    return np.where(values == NOT_RATED, 0, values)


def highest(values: np.ndarray) -> np.ndarray:
    """Return checked ratings with each missing item at its best, 4."""
    return np.where(values == NOT_RATED, HIGHEST_RATING, values)


def _sums(values: np.ndarray) -> np.ndarray:
    missing = (values == NOT_RATED).any(axis=1)
    return np.where(missing, np.nan, values.sum(axis=1, dtype=float))
