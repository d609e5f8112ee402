"""Errors, coverage and calibration of forecasts, with bootstrap intervals over patients."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from BrainstemALSLib.norms import Norms
from BrainstemALSLib.prediction.parts import Estimate
from BrainstemALSLib.prediction.progression import ProgressionModel
from BrainstemALSLib.prediction.records import PersonRecord

from ..prediction.progression_cases import Cases

BOOTSTRAPS = 2000
FEWEST = 10
"""Patients below which no calibration is shown."""
YEAR = 3
"""Place of 12 months among the horizons."""


@dataclass(frozen=True, eq=False)
class Found:
    """Forecasts of n patients as arrays; NaN where the model abstained.

    Attributes
    ----------
    alsfrs, fvc : numpy.ndarray, shape (n, h, 5)
        Value, low80, high80, low95, high95.
    slope : numpy.ndarray, shape (n, 5)
    abstained : int
    """

    alsfrs: np.ndarray
    fvc: np.ndarray
    slope: np.ndarray
    abstained: int

    def first(self, most: int) -> Found:
        """Return the first of these forecasts."""
        parts = (self.alsfrs[:most], self.fvc[:most], self.slope[:most])
        return Found(*parts, int(np.isnan(parts[2][:, 0]).sum()))


def forecast_all(
    model: ProgressionModel, people: Sequence[PersonRecord], norms: Norms, horizons: int
) -> Found:
    """Run a model on people."""
    found = model.forecasts(people, norms)
    nothing = np.full((horizons, 5), np.nan)
    return Found(
        np.array([nothing if f.horizons is None else [_five(h.alsfrs) for h in f.horizons]
                  for f in found]),
        np.array([nothing if f.horizons is None else [_five(h.fvc) for h in f.horizons]
                  for f in found]),
        np.array([nothing[0] if f.slope is None else _five(f.slope) for f in found]),
        sum(f.horizons is None for f in found),
    )  # fmt: skip


def errors(forecast: np.ndarray, truth: np.ndarray, kept: np.ndarray) -> np.ndarray:
    """Return forecast minus truth of those kept who have a forecast, shape (m,)."""
    there = kept & np.isfinite(forecast)
    return (forecast - truth)[there]


def advantage(
    ours: np.ndarray, other: np.ndarray, truth: np.ndarray, kept: np.ndarray, seed: int
) -> tuple[int, float, float, float]:
    """Return n, the mean absolute error of ours less that of other's, and its 95 % interval.

    Negative is better; on patients who have both forecasts.
    """
    there = kept & np.isfinite(ours) & np.isfinite(other)
    if there.sum() < 2:
        return int(there.sum()), np.nan, np.nan, np.nan
    difference = (np.abs(ours - truth) - np.abs(other - truth))[there]
    return (int(there.sum()), float(difference.mean()), *interval(difference, seed))


def interval(values: np.ndarray, seed: int) -> tuple[float, float]:
    """Return the 95 % bootstrap interval of a mean over patients."""
    rng = np.random.default_rng(seed)
    means = [rng.choice(values, len(values)).mean() for _ in range(BOOTSTRAPS)]
    return tuple(map(float, np.quantile(means, [0.025, 0.975])))


def coverage(found: np.ndarray, truth: np.ndarray, kept: np.ndarray) -> tuple[int, float, float]:
    """Return n and the shares of truths within the 80 % and 95 % intervals (n, 5)."""
    there = kept & np.isfinite(found[:, 0])
    at, known = found[there], truth[there]
    if not len(known):
        return 0, np.nan, np.nan
    return (
        len(known),
        float(((at[:, 1] <= known) & (known <= at[:, 2])).mean()),
        float(((at[:, 3] <= known) & (known <= at[:, 4])).mean()),
    )


def widths(found: np.ndarray, kept: np.ndarray) -> tuple[float, float]:
    """Return the mean widths of the 80 % and 95 % intervals (n, 5)."""
    at = found[kept & np.isfinite(found[:, 0])]
    if not len(at):
        return np.nan, np.nan
    return float((at[:, 2] - at[:, 1]).mean()), float((at[:, 4] - at[:, 3]).mean())


def slope_calibration(
    found: Found, cases: Cases, kept: np.ndarray, seed: int
) -> tuple[int, float, float, float, float, float, float]:
    """Return n, intercept, slope of true on expected rate with its interval, coverages."""
    true = (cases.now - cases.alsfrs[:, YEAR]) / 12.0
    there = kept & np.isfinite(found.slope[:, 0])
    x, y = found.slope[there, 0], true[there]
    if there.sum() < FEWEST:
        return (int(there.sum()), *[np.nan] * 6)
    on, intercept = np.polyfit(x, y, 1)
    picks = np.random.default_rng(seed).integers(0, len(x), (BOOTSTRAPS // 4, len(x)))
    again = [np.cov(x[pick], y[pick])[0, 1] / x[pick].var(ddof=1) for pick in picks]
    low, high = np.quantile(again, [0.025, 0.975])
    n, inner, outer = coverage(found.slope, true, kept)
    return n, float(intercept), float(on), float(low), float(high), inner, outer


def _five(estimate: Estimate) -> list[float]:
    return [estimate.value, estimate.low80, estimate.high80, estimate.low95, estimate.high95]
