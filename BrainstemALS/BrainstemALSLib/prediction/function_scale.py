"""The ALSFRS-R total of a visit, also where some items were not rated: one rule for all parts."""

from __future__ import annotations

import numpy as np

from ..prognosis.alsfrs import HIGHEST_TOTAL, ITEMS, NOT_RATED, SUBSCORES, checked
from .records import VisitRecord, refuse

MOST_MISSING = 4
"""Items of a form that may be filled in: our choice."""
ITEM_SD = 0.7
"""Standard deviation of an item filled in from those of its subscore, points: our choice."""


def filled_total(visit: VisitRecord) -> tuple[float, float, int]:
    """Return the ALSFRS-R total, the variance of what was filled in, and how many items were.

    A missing item gets the mean of its subscore, or of the form; NaN with more than
    ``MOST_MISSING`` missing and no total given.
    """
    if visit.ratings is not None:
        ratings = checked(np.asarray(visit.ratings)[None])[0].astype(float)
        ratings[ratings == NOT_RATED] = np.nan
        missing = int(np.isnan(ratings).sum())
        if not missing:
            return float(ratings.sum()), 0.0, 0
        if visit.total is None and missing <= MOST_MISSING:
            filled = ratings.copy()
            for numbers in SUBSCORES.values():
                places = np.array(numbers) - 1
                known = ratings[places][np.isfinite(ratings[places])]
                typical = known.mean() if len(known) else np.nanmean(ratings)
                filled[places] = np.where(np.isnan(ratings[places]), typical, ratings[places])
            return float(filled.sum()), missing * ITEM_SD**2, missing
    if visit.total is None:
        return np.nan, 0.0, len(ITEMS)
    if not 0 <= visit.total <= HIGHEST_TOTAL:
        raise refuse(
            f"an ALSFRS-R total of {visit.total:g}", f"Give 0 to {HIGHEST_TOTAL}, or the items."
        )
    return float(visit.total), 0.0, 0


def total_of(visit: VisitRecord) -> float | None:
    """Return the total of ``filled_total``, None where there is none."""
    total = filled_total(visit)[0]
    return None if np.isnan(total) else total
