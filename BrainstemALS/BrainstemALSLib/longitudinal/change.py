"""Annual change by least squares, and whether it is beyond the error of measurements."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from .error import MeasurementError
from .result import UNITS, Change

CONFIDENCE = 0.95


def annual_change(
    structure: str,
    measure: str,
    months: Sequence[float],
    values: Sequence[float],
    error: MeasurementError | None,
) -> Change:
    """Return the slope of a measure over two or more visits.

    The variance of one measurement joins that of simulated repeats, with their number as its
    weight, and what the visits scatter about their line (Smyth 2004, doi:10.2202/1544-6115.1027,
    equation for the moderated variance): with two visits it is the first alone. For two visits
    ``beyond_error`` is thereby the usual smallest detectable change, 1.96 times the standard
    deviation of a difference, with t in place of 1.96 because few repeats know it badly.

    Parameters
    ----------
    structure, measure : str
        See ``Change``.
    months, values : sequence of float
        Of two or more visits, in any order; no two on one date.
    error : MeasurementError or None
        None where it does not hold for these visits.
    """
    from scipy.stats import t as student

    years = np.asarray(months, float) / 12.0
    points = np.asarray(values, float)
    mean = float(points.mean())
    # Volumes in per cent of the person's own mean: no visit is the reference.
    scaled = 100.0 * points / mean if measure == "volume" else points
    centred = years - years.mean()
    spread = float((centred**2).sum())
    slope = float((centred * scaled).sum()) / spread
    fields = (structure, measure, UNITS[measure], slope)
    rest = (mean, len(points), float(np.ptp(years)))
    sd = error.of(measure, structure) if error else None
    if sd is None:
        return Change(*fields, None, None, None, None, *rest)
    scatter = float(((scaled - scaled.mean() - slope * centred) ** 2).sum())
    freedom = error.pairs + len(points) - 2
    variance = (error.pairs * sd**2 + scatter) / freedom
    se = math.sqrt(variance / spread)
    reach = float(student.ppf(0.5 + CONFIDENCE / 2, freedom)) * se
    return Change(*fields, se, slope - reach, slope + reach, bool(abs(slope) > reach), *rest)
