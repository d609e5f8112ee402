"""Simple forecasts that the progression model must beat, from the same visits.

Each returns ALSFRS-R at the horizons, clipped to 0-48, NaN where it needs more than is known: a
last slope needs two visits.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from BrainstemALSLib.prediction.progression import HORIZONS
from BrainstemALSLib.prediction.records import PersonRecord
from BrainstemALSLib.prognosis import d50, slope
from BrainstemALSLib.prognosis.alsfrs import HIGHEST_TOTAL

LONGEST_PRE_SLOPE = 0.5
"""Months: a first visit sooner after onset counts as this."""


def forecasts(people: list[PersonRecord], mean_slope: float) -> dict[str, np.ndarray]:
    """Return each comparator's forecasts (n, h)."""
    known = [_known(person) for person in people]
    ways: dict[str, Callable[[np.ndarray, np.ndarray], np.ndarray]] = {
        "no change": lambda t, y: np.zeros(len(HORIZONS)),
        "last slope": _last_slope,
        "pre-slope": _pre_slope,
        "population mean slope": lambda t, y: -mean_slope * np.array(HORIZONS),
        "D50 fit": _d50,
        "D50 fit from the last total": lambda t, y: _d50(t, y, anchored=True),
    }
    out = {}
    for name, way in ways.items():
        rows = [y[-1] + way(t, y) if len(y) else np.full(len(HORIZONS), np.nan) for t, y in known]
        out[name] = np.clip(np.array(rows), 0, HIGHEST_TOTAL)
    return out


def _known(person: PersonRecord) -> tuple[np.ndarray, np.ndarray]:
    """Months since onset and totals of the visits that have one."""
    rated = [(person.months_since_onset + v.months, v.total) for v in person.visits
             if v.total is not None]  # fmt: skip
    return np.array([t for t, _ in rated]), np.array([y for _, y in rated])


def _last_slope(t: np.ndarray, y: np.ndarray) -> np.ndarray:
    rate = slope.last_slope(t, y)
    return -(np.nan if rate is None else rate) * np.array(HORIZONS)


def _pre_slope(t: np.ndarray, y: np.ndarray) -> np.ndarray:
    return -slope.pre_slope(y[-1], max(t[-1], LONGEST_PRE_SLOPE)) * np.array(HORIZONS)


def _d50(t: np.ndarray, y: np.ndarray, anchored: bool = False) -> np.ndarray:
    course = d50.fit(t, y)
    if course is None:
        return np.zeros(len(HORIZONS))
    return course.total(t[-1] + np.array(HORIZONS)) - (course.total(t[-1]) if anchored else y[-1])
