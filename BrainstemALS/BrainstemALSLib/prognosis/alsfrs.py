"""The revised ALS Functional Rating Scale: its twelve items and their sum.

Cedarbaum et al. 1999, "The ALSFRS-R: a revised ALS functional rating scale that incorporates
assessments of respiratory function", J Neurol Sci 169:13-21, doi:10.1016/S0022-510X(99)00210-5.
"""

from __future__ import annotations

from collections.abc import Sequence

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

HIGHEST_RATING = 4
HIGHEST_TOTAL = HIGHEST_RATING * len(ITEMS)
NOT_RATED = -1


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
    ValueError
        Not twelve ratings, or one outside 0-4.

    Examples
    --------
    >>> total([4] * 11 + [2])
    46
    >>> total([4] * 11 + [NOT_RATED])
    """
    if len(ratings) != len(ITEMS):
        raise ValueError(f"the ALSFRS-R has {len(ITEMS)} items, not {len(ratings)}")
    if not all(NOT_RATED <= rating <= HIGHEST_RATING for rating in ratings):
        raise ValueError(f"an item of the ALSFRS-R is rated 0 to {HIGHEST_RATING}")
    if NOT_RATED in ratings:
        return None
    return sum(ratings)
