"""Milano-Torino (MiToS) functional stage of ALS, from the ALSFRS-R.

Chio et al. 2015, "Development and evaluation of a clinical staging system for amyotrophic lateral
sclerosis", J Neurol Neurosurg Psychiatry 86:38-44, doi:10.1136/jnnp-2013-306589.

The stage is the number of domains in which independence is lost, 0 to 4; 5 is death. Thresholds,
"or" and "and" as in the journal's table "Functional domains and stages" (verified, jnnp.bmj.com,
table 180571):

============= ============================================================
movement      walking (8) at most 1, or dressing and hygiene (6) at most 1
swallowing    swallowing (3) at most 1
communicating speech (1) at most 1, and handwriting (4) at most 1
breathing     dyspnea (10) at most 1, or respiratory insufficiency (12) at most 2
============= ============================================================

Some public codes take "or" for communicating; the journal's table says "and", and so do we.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from . import alsfrs
from .flags import sure_and_possible

DOMAINS = ("movement", "swallowing", "communicating", "breathing")
NOT_STAGED = -1
"""What the arrays hold where missing items leave more than one stage."""

DEATH = 5


def stage(ratings: Sequence[int], dead: bool = False) -> int | None:
    """Return the MiToS stage of one visit.

    Parameters
    ----------
    ratings : sequence of 12 int
        Items of the ALSFRS-R, 0-4; ``alsfrs.NOT_RATED`` where missing.
    dead : bool
        Whether the patient has died; the ratings then don't count.

    Returns
    -------
    int or None
        0 to 5; None where a missing item could change it (see ``possible_stages``).

    Raises
    ------
    BrainstemALSError
        What is no rating of the ALSFRS-R.

    Examples
    --------
    >>> stage([4] * 12)
    0
    >>> stage([4, 4, 1, 4, 4, 4, 4, 0, 4, 4, 4, 4])
    2
    """
    found = possible_stages(ratings, dead)
    return found[0] if len(found) == 1 else None


def possible_stages(ratings: Sequence[int], dead: bool = False) -> tuple[int, ...]:
    """Return every stage that the missing items allow, ascending; arguments as in ``stage``.

    No item counts in two domains, so every number between the least and the most is possible.
    """
    low, high = stage_ranges(alsfrs.one(ratings), dead)
    return tuple(range(int(low[0]), int(high[0]) + 1))


def lost_domains(ratings: Sequence[int]) -> dict[str, bool | None]:
    """Return for each of ``DOMAINS`` whether independence is lost; None where items are missing.

    Examples
    --------
    >>> lost_domains([4, 4, 1] + [4] * 9)["swallowing"]
    True
    """
    values = alsfrs.one(ratings)
    sure, possible = _lost(alsfrs.highest(values))[0], _lost(alsfrs.lowest(values))[0]
    return {
        name: bool(is_lost) if is_lost == may_be else None
        for name, is_lost, may_be in zip(DOMAINS, sure, possible, strict=True)
    }


def stages(ratings: np.ndarray, dead: object = False) -> np.ndarray:
    """Return the MiToS stages of many visits.

    Parameters
    ----------
    ratings : array_like of shape (n, 12)
        0-4; ``alsfrs.NOT_RATED`` or NaN where missing.
    dead : bool or array_like of shape (n,)
        One value holds for all; unknown (NaN, None) is alive.

    Returns
    -------
    ndarray of int8, shape (n,)
        0 to 5; ``NOT_STAGED`` where a missing item could change it.
    """
    low, high = stage_ranges(ratings, dead)
    return np.where(low == high, low, NOT_STAGED).astype(np.int8)


def stage_ranges(ratings: np.ndarray, dead: object = False) -> tuple[np.ndarray, np.ndarray]:
    """Return the lowest and highest possible stage of many visits; arguments as in ``stages``."""
    values = alsfrs.checked(ratings)
    died, _ = sure_and_possible(dead, len(values), "death")
    fewest, most = (
        _lost(items).sum(axis=1) for items in (alsfrs.highest(values), alsfrs.lowest(values))
    )
    return (
        np.where(died, DEATH, fewest).astype(np.int8),
        np.where(died, DEATH, most).astype(np.int8),
    )


def _lost(items: np.ndarray) -> np.ndarray:
    """Return where each domain is lost, shape (n, 4), in the order of ``DOMAINS``."""
    speech, swallowing, writing, dressing = (items[:, at] for at in (0, 2, 3, 5))
    walking, dyspnea, support = (items[:, at] for at in (7, 9, 11))
    return np.column_stack(
        [
            (walking <= 1) | (dressing <= 1),
            swallowing <= 1,
            (speech <= 1) & (writing <= 1),
            (dyspnea <= 1) | (support <= 2),
        ]
    )
