"""The D50 model: one sigmoid for the course of the ALSFRS-R from onset on.

Steinbach et al. 2020, "Applying the D50 disease progression model to gray and white matter
pathology in amyotrophic lateral sclerosis", NeuroImage Clin 25:102094,
doi:10.1016/j.nicl.2019.102094. The total falls from 48 as ::

    total(t) = 48 / (1 + exp((t - D50) / dx))

D50, the months from onset to half function, is the overall aggressiveness; dx is the time constant
of the fall; rD50 = t / (2 D50) is the disease covered, 0 at onset and 0.5 at half function.

Verified (abstracts): two parameters, D50 at 24 points, phases I-IV, D50 below 30 months as high
aggressiveness. Memory: the formula's form, the limits of the phases. The authors fit with a
spreadsheet and presets that weren't found, so the fit is ours: least squares that counts onset as
a visit at 48 points and holds dx near D50 / 4, so that one visit is enough.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from . import slope
from .alsfrs import HIGHEST_TOTAL

PHASES = {"I": 0.0, "II": 0.25, "III/IV": 0.5}
"""Name of each phase and the rD50 at which it begins (memory)."""

RATIO, RATIO_LOG_SD = 0.25, 0.4
"""What dx / D50 is held to, and how loosely: our choice; at 0.25 the course begins at 47.1 points
and is at 0.9 by twice D50."""

ONSET_SD = 1.0
"""How closely the course must begin at 48 points: our choice."""

LONGEST = 600.0
"""Highest D50 fitted, months: our choice; a course slower than that can't be told from none."""


@dataclass(frozen=True)
class Course:
    """Course of one patient.

    Attributes
    ----------
    d50 : float
        Months from onset to 24 points.
    dx : float
        Time constant, months.
    """

    d50: float
    dx: float

    def total(self, months) -> float | np.ndarray:
        """Return the ALSFRS-R total (calculated functional state) at months since onset."""
        from scipy.special import expit

        return HIGHEST_TOTAL * expit((self.d50 - np.asarray(months, dtype=float)) / self.dx)

    def loss(self, months) -> float | np.ndarray:
        """Return the points lost each month (calculated functional loss) at months since onset."""
        state = self.total(months) / HIGHEST_TOTAL
        return HIGHEST_TOTAL * state * (1 - state) / self.dx

    def relative(self, months) -> float | np.ndarray:
        """Return rD50 at months since onset."""
        return np.asarray(months, dtype=float) / (2 * self.d50)

    def phase(self, months: float) -> str:
        """Return the name in ``PHASES`` of months since onset."""
        covered = max(float(self.relative(months)), 0.0)
        return [name for name, begins in PHASES.items() if covered >= begins][-1]


def fit(months_since_onset, totals, *, subject: str = "visits") -> Course | None:
    """Return the course of one patient through their visits.

    Parameters
    ----------
    months_since_onset : array_like of shape (n,)
        Months from symptom onset to each visit, above 0, ascending.
    totals : array_like of shape (n,)
        ALSFRS-R totals, 0-48; NaN where missing.
    subject : str
        Whose visits, for the refusal.

    Returns
    -------
    Course or None
        None without a total below 48: nothing has been lost that could tell the course.

    Raises
    ------
    BrainstemALSError
        Visits out of order or before onset, or totals outside 0-48.

    Examples
    --------
    >>> round(fit([12.0, 18.0], [40, 34]).d50)
    23
    """
    from scipy.optimize import least_squares

    months, points = slope.series(months_since_onset, totals, subject=subject)
    slope.pre_slope(points, months)  # refuses what is no total or no time after onset
    if not np.any(points < HIGHEST_TOTAL):
        return None

    def course(parameters: np.ndarray) -> Course:
        d50, ratio = np.exp(parameters)
        return Course(float(d50), float(d50 * ratio))

    def residuals(parameters: np.ndarray) -> np.ndarray:
        found = course(parameters)
        return np.concatenate(
            [
                (found.total(months) - points) / slope.VISIT_SD,
                [(found.total(0.0) - HIGHEST_TOTAL) / ONSET_SD],
                [(parameters[1] - np.log(RATIO)) / RATIO_LOG_SD],
            ]
        )

    lost = np.clip(HIGHEST_TOTAL - points[-1], 0.5, HIGHEST_TOTAL)
    start = np.clip(months[-1] * HIGHEST_TOTAL / 2 / lost, 1.0, LONGEST / 2)
    limits = ([np.log(0.1), np.log(0.02)], [np.log(LONGEST), np.log(2.0)])
    solved = least_squares(residuals, [np.log(start), np.log(RATIO)], bounds=limits)
    return course(solved.x)
