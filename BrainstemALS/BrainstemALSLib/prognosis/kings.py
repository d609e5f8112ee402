"""King's stage of ALS, estimated from the ALSFRS-R.

Stages: Roche et al. 2012, "A proposed staging system for amyotrophic lateral sclerosis", Brain
135:847-852, doi:10.1093/brain/awr351. Estimate from the items: Balendra et al. 2014, "Estimating
clinical stage of amyotrophic lateral sclerosis from the ALS Functional Rating Scale", Amyotroph
Lateral Scler Frontotemporal Degener 15:279-284, doi:10.3109/21678421.2014.897357.

Rules (verified in three public research codes that agree, one of which cites the paper; the paper
itself wasn't at hand):

====== ==========================================================================================
bulbar any of speech (1), salivation (2), swallowing (3) below 4
arms   handwriting (4) or cutting food without gastrostomy (5a) below 4
legs   walking (8) below 4
4A     nutritional failure: gastrostomy, that is item 5b in use
4B     respiratory failure: dyspnea (10) is 0, or respiratory insufficiency (12) below 4
====== ==========================================================================================

Stage 4 where 4A or 4B holds, else the number of regions involved, 0 to 3; 5 is death. From memory
(Roche 2012): non-invasive ventilation is respiratory failure, so a known ``niv`` is 4B whatever
item 12 says. Dressing, turning in bed, stairs and orthopnea take no part. Stage 0 is kept as such:
somebody diagnosed whose weakness shows in none of the items that count.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from . import alsfrs
from .flags import sure_and_possible

NOT_STAGED = -1
"""What the arrays hold where missing items leave more than one stage."""

FAILURE, DEATH = 4, 5


def stage(
    ratings: Sequence[int],
    gastrostomy: bool | None,
    niv: bool | None = False,
    dead: bool = False,
) -> str | None:
    """Return the King's stage of one visit.

    Parameters
    ----------
    ratings : sequence of 12 int
        Items of the ALSFRS-R, 0-4; ``alsfrs.NOT_RATED`` where missing. Item 5 is 5a or 5b.
    gastrostomy : bool or None
        Whether there is a gastrostomy (5b was rated); None for unknown.
    niv : bool or None
        Whether non-invasive ventilation is used; None for unknown.
    dead : bool
        Whether the patient has died; the ratings then don't count.

    Returns
    -------
    str or None
        "0" to "5"; None where what is missing could change it (see ``possible_stages``).

    Raises
    ------
    BrainstemALSError
        What is no rating of the ALSFRS-R.

    Examples
    --------
    >>> stage([4] * 12, gastrostomy=False)
    '0'
    >>> stage([3, 4, 4, 3, 4, 4, 4, 4, 4, 4, 4, 4], gastrostomy=False)
    '2'
    >>> stage([4] * 12, gastrostomy=True)
    '4'
    """
    found = possible_stages(ratings, gastrostomy, niv, dead)
    return str(found[0]) if len(found) == 1 else None


def possible_stages(
    ratings: Sequence[int],
    gastrostomy: bool | None,
    niv: bool | None = False,
    dead: bool = False,
) -> tuple[int, ...]:
    """Return every stage that the missing items allow, ascending; arguments as in ``stage``.

    Examples
    --------
    >>> possible_stages([4] * 11 + [alsfrs.NOT_RATED], gastrostomy=False)
    (0, 4)
    """
    fewest, most, failed, may_fail, died = _read(alsfrs.one(ratings), gastrostomy, niv, dead)
    if died[0]:
        return (DEATH,)
    if failed[0]:
        return (FAILURE,)
    regions = tuple(range(int(fewest[0]), int(most[0]) + 1))
    return (*regions, FAILURE) if may_fail[0] else regions


def failures(
    ratings: Sequence[int], gastrostomy: bool | None, niv: bool | None = False
) -> tuple[str, ...]:
    """Return what makes stage 4 of one visit: none, "4A" (nutrition), "4B" (breathing) or both.

    Only what is certain counts. Some public codes report 4B alone where both hold.

    Examples
    --------
    >>> failures([4] * 11 + [3], gastrostomy=True)
    ('4A', '4B')
    """
    values = alsfrs.one(ratings)
    fed, _ = sure_and_possible(gastrostomy, 1, "gastrostomy")
    ventilated, _ = sure_and_possible(niv, 1, "non-invasive ventilation")
    breathing = _respiratory_failure(alsfrs.highest(values)) | ventilated
    return ("4A",) * bool(fed[0]) + ("4B",) * bool(breathing[0])


def stages(
    ratings: np.ndarray, gastrostomy: object, niv: object = False, dead: object = False
) -> np.ndarray:
    """Return the King's stages of many visits.

    Parameters
    ----------
    ratings : array_like of shape (n, 12)
        0-4; ``alsfrs.NOT_RATED`` or NaN where missing.
    gastrostomy, niv, dead : bool or array_like of shape (n,)
        True, False, or NaN (None) for unknown; one value holds for all. Dead unknown is alive.

    Returns
    -------
    ndarray of int8, shape (n,)
        0 to 5; ``NOT_STAGED`` where what is missing could change it.
    """
    low, high = stage_ranges(ratings, gastrostomy, niv, dead)
    return np.where(low == high, low, NOT_STAGED).astype(np.int8)


def stage_ranges(
    ratings: np.ndarray, gastrostomy: object, niv: object = False, dead: object = False
) -> tuple[np.ndarray, np.ndarray]:
    """Return the lowest and highest possible stage of many visits; arguments as in ``stages``."""
    fewest, most, failed, may_fail, died = _read(alsfrs.checked(ratings), gastrostomy, niv, dead)
    low = np.where(died, DEATH, np.where(failed, FAILURE, fewest))
    high = np.where(died, DEATH, np.where(may_fail, FAILURE, most))
    return low.astype(np.int8), high.astype(np.int8)


def _read(values: np.ndarray, gastrostomy: object, niv: object, dead: object):
    """Return fewest and most regions, sure and possible failure, and death, each of shape (n,)."""
    fed, may_be_fed = sure_and_possible(gastrostomy, len(values), "gastrostomy")
    ventilated, may_be = sure_and_possible(niv, len(values), "non-invasive ventilation")
    died, _ = sure_and_possible(dead, len(values), "death")
    best, worst = alsfrs.highest(values), alsfrs.lowest(values)
    failed = fed | ventilated | _respiratory_failure(best)
    may_fail = may_be_fed | may_be | _respiratory_failure(worst)
    return _regions(best), _regions(worst), failed, may_fail, died


def _regions(items: np.ndarray) -> np.ndarray:
    """Return how many of bulbar, arms and legs are involved."""
    lost = items < alsfrs.HIGHEST_RATING
    bulbar, arms, legs = lost[:, 0:3].any(axis=1), lost[:, 3:5].any(axis=1), lost[:, 7]
    return bulbar.astype(int) + arms + legs


def _respiratory_failure(items: np.ndarray) -> np.ndarray:
    return (items[:, 9] == 0) | (items[:, 11] < alsfrs.HIGHEST_RATING)
