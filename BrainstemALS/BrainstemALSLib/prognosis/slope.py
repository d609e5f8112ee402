"""How fast a scale declines: before the first visit, and between visits.

Rates are losses: positive where the patient gets worse. The rate before the first visit is the
Delta-FS of Kimura et al. 2006, "Progression rate of ALSFRS-R at time of diagnosis predicts survival
time in ALS", Neurology 66:265-267 (formula verified in public texts: (48 - total) / months).
"""

from __future__ import annotations

import numpy as np

from ..errors import BrainstemALSError, ExitCode
from .alsfrs import HIGHEST_TOTAL

VISIT_SD = 1.5
"""Standard deviation of one ALSFRS-R total around a patient's course, points: 1.3-1.7 in trials
(memory, shared/reference/cohort_params.csv)."""


def pre_slope(total, months_since_onset) -> float | np.ndarray:
    """Return the points of the ALSFRS-R lost each month from onset to one visit.

    Parameters
    ----------
    total : float or array_like
        ALSFRS-R total, 0-48; NaN (or None) gives NaN.
    months_since_onset : float or array_like
        Months from symptom onset to that visit, above 0; NaN gives NaN.

    Returns
    -------
    float or ndarray
        (48 - total) / months.

    Raises
    ------
    BrainstemALSError
        A total outside 0-48, or a visit that doesn't follow onset.

    Examples
    --------
    >>> pre_slope(36, 12)
    1.0
    """
    points, months = np.asarray(total, dtype=float), np.asarray(months_since_onset, dtype=float)
    if np.any((points < 0) | (points > HIGHEST_TOTAL)):
        raise _refuse(f"a total outside 0-{HIGHEST_TOTAL}", "Check the ratings.")
    if np.any(months <= 0):
        raise _refuse("a visit that doesn't follow symptom onset", "Check the date of onset.")
    rate = (HIGHEST_TOTAL - points) / months
    return float(rate) if rate.ndim == 0 else rate


def series(months, values, *, subject: str = "visits") -> tuple[np.ndarray, np.ndarray]:
    """Return the visits of one patient that have a value, refusing those out of order.

    Parameters
    ----------
    months : array_like of shape (n,)
        Times of the visits, from any one origin.
    values : array_like of shape (n,)
        What was measured; NaN (or None) where it wasn't.
    subject : str
        Whose visits, for the refusal.

    Returns
    -------
    months, values : ndarray of shape (m,)
        Without missing values, m <= n.

    Raises
    ------
    BrainstemALSError
        Another number of values than of visits, a visit without a date, visits out of order, or two
        on one date.
    """
    at, found = (np.atleast_1d(np.asarray(given, dtype=float)) for given in (months, values))
    if at.ndim != 1 or at.shape != found.shape:
        raise _refuse(f"{found.size} values for {at.size} visits", "Give one for each.", subject)
    if not np.isfinite(at).all():
        raise _refuse("a visit has no date", "Give a date for each visit.", subject)
    steps = np.diff(at)
    if np.any(steps == 0):
        raise _refuse("two visits are on one date", "Keep one visit a date.", subject)
    if np.any(steps < 0):
        raise _refuse("the visits are out of order", "Sort them by date.", subject)
    kept = np.isfinite(found)
    return at[kept], found[kept]


def slope(months, values, *, subject: str = "visits") -> float | None:
    """Return the loss each month over the visits of one patient, by least squares.

    Parameters
    ----------
    months, values, subject
        As in ``series``.

    Returns
    -------
    float or None
        Units of the value a month, positive for a decline; None with fewer than two values.

    Raises
    ------
    BrainstemALSError
        As ``series``.

    Examples
    --------
    >>> slope([0, 6], [40, 34])
    1.0
    """
    at, found = series(months, values, subject=subject)
    if len(at) < 2:
        return None
    centred = at - at.mean()
    return float(-(centred @ found) / (centred @ centred))


def last_slope(months, values, *, subject: str = "visits") -> float | None:
    """Return the loss each month between the last two values; arguments as in ``slope``."""
    at, found = series(months, values, subject=subject)
    return slope(at[-2:], found[-2:], subject=subject)


def unlikely_rises(months, totals, *, subject: str = "visits") -> list[int]:
    """Return which visits have an ALSFRS-R total higher than noise explains.

    Parameters
    ----------
    months, totals, subject
        As in ``series``.

    Returns
    -------
    list of int
        Places in ``totals`` of visits that lie above the visit before by more than 1.96 standard
        deviations of a difference of two totals of one true value (our choice of level).
    """
    series(months, totals, subject=subject)
    points = np.atleast_1d(np.asarray(totals, dtype=float))
    places = np.flatnonzero(np.isfinite(points))
    limit = 1.96 * np.sqrt(2) * VISIT_SD
    return [int(place) for place in places[1:][np.diff(points[places]) > limit]]


def _refuse(problem: str, remedy: str, subject: str = "ALSFRS-R slope") -> BrainstemALSError:
    return BrainstemALSError(subject, problem, remedy, ExitCode.USAGE)
