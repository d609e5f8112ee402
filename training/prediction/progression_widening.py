"""By how much intervals must be wider to cover what they say: split conformal prediction.

Patients whom the fit never saw are forecast from the first one, two and three visits. What a form
or a spirometer showed later tells how far off each forecast was, in units of its own interval; a
factor is the quantile of that over patients, at the level of the interval and a little higher, for
there are finitely many of them: the ceil((n + 1) level)-th smallest (Vovk 2005; Lei 2018,
doi:10.1080/01621459.2017.1307116, memory). Without patients set aside it would be no split
conformal prediction and no promise: a fit is nearer to its own patients than to others.

Factors of single cells vary by some per cent from chance. They are smoothed to one level for each
number of visits and one common power of the horizon, so monotone along horizons; the promise then
holds but nearly.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from BrainstemALSLib.norms import Norms
from BrainstemALSLib.prediction.progression import (
    HORIZONS,
    VISITS,
    WIDENED,
    Estimate,
    Forecast,
    ProgressionModel,
)
from BrainstemALSLib.prediction.records import PersonRecord

LEVELS = (0.8, 0.95)
MOST = 1000
"""Patients forecast from each number of visits: our choice, for time."""
FEWEST = 60
"""Patients with a visit near a horizon below which a cell says nothing."""
NEAR = 0.35
"""How near to a horizon a visit must be, as a share of it: our choice."""
LEAST_WIDTH = {"alsfrs": 0.5, "fvc": 2.0}
"""Half an interval at its narrowest, in points and per cent, so that none at the floor of a scale
decides."""


@dataclass(frozen=True, eq=False)
class Aside:
    """Patients set aside, as known after some visits, and what came after; h horizons.

    Attributes
    ----------
    people : list of PersonRecord
    ahead : numpy.ndarray, shape (n, h)
        Months after the last visit of the truth nearest to each horizon.
    truths : dict of str to numpy.ndarray, shape (n, h)
        Of ``WIDENED``; NaN where there is none, because of death for one.
    """

    people: list[PersonRecord]
    ahead: np.ndarray
    truths: dict[str, np.ndarray]


def of_visits(people: Sequence[PersonRecord], most: int = MOST) -> dict[int, Aside]:
    """Return patients with their own later visits as truths: what a real cohort has."""
    out = {}
    for k in VISITS:
        chosen = [p for p in people if len(p.visits) > k][:most]
        shape = (len(chosen), len(HORIZONS))
        ahead, truths = np.zeros(shape), {name: np.full(shape, np.nan) for name in WIDENED}
        for row, person in enumerate(chosen):
            later = person.visits[k:]
            months = np.array([v.months for v in later], float) - person.visits[k - 1].months
            for place, horizon in enumerate(HORIZONS):
                nearest = int(np.argmin(np.abs(months - horizon)))
                ahead[row, place] = months[nearest]
                if abs(months[nearest] - horizon) <= NEAR * horizon:
                    seen = {"alsfrs": later[nearest].total, "fvc": later[nearest].fvc}
                    for name, truth in seen.items():
                        truths[name][row, place] = np.nan if truth is None else truth
        out[k] = Aside([p.until(k) for p in chosen], ahead, truths)
    return out


def widening(
    model: ProgressionModel, aside: dict[int, Aside], norms: Norms | None
) -> dict[str, np.ndarray]:
    """Return the factors of ``ProgressionModel.widening``.

    Parameters
    ----------
    model : ProgressionModel
        Its own factors play no part.
    aside : dict of int to Aside
        By number of visits; nobody of the fit among them.
    norms : Norms or None
    """
    found = misses(model, aside, norms)
    return {name: smoothed(*cells(rows)) for name, rows in found.items()}


def misses(
    model: ProgressionModel, aside: dict[int, Aside], norms: Norms | None
) -> dict[str, np.ndarray]:
    """Return how far truths are off, for each scale.

    Returns
    -------
    dict of str to numpy.ndarray, shape (m, 4)
        Number of visits, place of the horizon, and the distance in halves of the 80 % and of the
        95 % interval on its side; one row a patient, number of visits and horizon.
    """
    plain = model.with_widening(None)
    seen: dict[str, list[tuple[float, ...]]] = {name: [] for name in WIDENED}
    for k, known in aside.items():
        for row, found in enumerate(plain.forecasts(known.people, norms)):
            if found.horizons is None:
                continue
            for name, rows in seen.items():
                for place in np.flatnonzero(np.isfinite(known.truths[name][row])):
                    off = _off(found, name, known.ahead[row, place], known.truths[name][row, place])
                    rows.append((k, place, *off))
    return {name: np.array(rows).reshape(-1, 4) for name, rows in seen.items()}


def cells(rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return factors (v, 2, h) of single cells, NaN where too few, and how many patients (v, h)."""
    factors = np.full((len(VISITS), len(LEVELS), len(HORIZONS)), np.nan)
    counts = np.zeros((len(VISITS), len(HORIZONS)), int)
    for row, k in enumerate(VISITS):
        for place in range(len(HORIZONS)):
            here = rows[(rows[:, 0] == k) & (rows[:, 1] == place)]
            counts[row, place] = n = len(here)
            if n < FEWEST:
                continue
            for part, level in enumerate(LEVELS):
                rank = min(int(np.ceil((n + 1) * level)), n)
                factors[row, part, place] = np.sort(here[:, 2 + part])[rank - 1]
    return factors, counts


def smoothed(factors: np.ndarray, counts: np.ndarray) -> np.ndarray:
    """Return smooth factors (v, 2, h) from those of cells.

    Logarithms are fitted by one level for each number of visits and one slope along the logarithm
    of the horizon, weighed by patients. A number of visits with no cell takes the factors of the
    one before; none at all leaves 1.
    """
    out = np.ones_like(factors)
    along = np.log(np.array(HORIZONS)) - np.log(HORIZONS).mean()
    for part in range(len(LEVELS)):
        there = np.isfinite(factors[:, part])
        rows, places = np.nonzero(there)
        if not len(rows):
            continue
        known = np.unique(rows)
        design = np.column_stack([rows[:, None] == known, along[places]]).astype(float)
        root = np.sqrt(counts[there])
        by, *_ = np.linalg.lstsq(design * root[:, None], np.log(factors[:, part][there]) * root)
        for row in range(len(VISITS)):
            of = max(int(np.searchsorted(known, row, side="right")) - 1, 0)
            out[row, part] = np.exp(by[of] + by[-1] * along)
    return out


def _off(found: Forecast, name: str, ahead: float, truth: float) -> tuple[float, float]:
    """How far a truth is off, in halves of the 80 % and of the 95 % interval on its side."""

    def at(part: str) -> float:
        estimates: list[Estimate] = [getattr(h, name) for h in found.horizons]
        return float(np.interp(ahead, HORIZONS, [getattr(e, part) for e in estimates]))

    middle, side = at("value"), "high" if truth > at("value") else "low"
    widths = [max(abs(at(f"{side}{level}") - middle), LEAST_WIDTH[name]) for level in (80, 95)]
    return abs(truth - middle) / widths[0], abs(truth - middle) / widths[1]
