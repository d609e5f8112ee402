"""z-scores from real segmentations beside the true ones, and figures over people."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from scipy.stats import norm

from BrainstemALSLib.norms import Norms
from BrainstemALSLib.prediction.features import FEATURES, features_of
from BrainstemALSLib.prediction.measurement import MeasurementError
from BrainstemALSLib.prediction.records import PersonRecord

from .summary import bootstrap_over

LEVELS = (0.80, 0.95)
Three = tuple[float, float, float]
"""A figure, and the ends of its 95 % interval over people."""


def over_people(values: np.ndarray, statistic: Callable[[np.ndarray], float], seed: int) -> Three:
    """Return a statistic of people (n, ...) with its interval; NaN where nobody is."""
    found = bootstrap_over(values, statistic, seed)
    return found.mean, found.low, found.high


def share(values: np.ndarray) -> float:
    """Return the mean of what is known, in per cent; NaN where nothing is."""
    known = values[np.isfinite(values)]
    return 100.0 * float(known.mean()) if known.size else float("nan")


def quantile(values: np.ndarray, at: float) -> float:
    """Return a quantile of what is known; NaN where nothing is."""
    known = values[np.isfinite(values)]
    return float(np.quantile(known, at)) if known.size else float("nan")


def padded(rows: Sequence[Sequence[Sequence[float]]], width: int) -> np.ndarray:
    """Return lists of lists as (n, most, width), NaN where there are fewer."""
    most = max((len(row) for row in rows), default=0)
    out = np.full((len(rows), most, width), np.nan)
    for place, row in enumerate(rows):
        if len(row):
            out[place, : len(row)] = row
    return out


def scores_of(people: Sequence[PersonRecord], norms: Norms) -> tuple[np.ndarray, np.ndarray]:
    """Return z-scores and stated deviations (n, most visits, features) of all imaged visits."""
    pairs = [(n, v) for n, person in enumerate(people) for v in person.visits if v.has_images]
    values = features_of([people[n] for n, _ in pairs], [visit for _, visit in pairs], norms)
    number = np.array([n for n, _ in pairs])
    z, sd = (
        padded([part[number == n].tolist() for n in range(len(people))], len(FEATURES))
        for part in (values.z, values.sd)
    )
    return z, sd


FEATURE_COLUMNS = (
    "feature", "visits", "bias as measured", "bias", "r with truth", "SD of error", "SD stated",
    "error over stated", "from", "to", "SD drawn", "error over drawn", "from", "to",
)  # fmt: skip
HELD_COLUMNS = (
    "feature", "visits", "80 % stated", "from", "to", "95 % stated", "from", "to",
    "80 % drawn", "from", "to", "95 % drawn", "from", "to",
)  # fmt: skip


@dataclass(frozen=True, eq=False)
class Scored:
    """z-scores of n people with v visits at most and p predictors, NaN where there is none.

    Attributes
    ----------
    measured, calibrated, true : numpy.ndarray, shape (n, v, p)
    stated : numpy.ndarray, shape (n, v, p)
        Standard deviation that goes with ``calibrated``, as shown with a value.
    drawn : numpy.ndarray, shape (n, v, p)
        The one that predictions draw with: of errors as large as they were learned to be.
    """

    measured: np.ndarray
    calibrated: np.ndarray
    true: np.ndarray
    stated: np.ndarray
    drawn: np.ndarray

    @property
    def error(self) -> np.ndarray:
        """Calibrated minus true."""
        return self.calibrated - self.true

    def each(self) -> Iterator[tuple[str, list[int]]]:
        """Yield every predictor that anybody has, and all together, with their places."""
        known = np.isfinite(self.error)
        for place, feature in enumerate(FEATURES):
            if known[..., place].any():
                yield feature.name, [place]
        if known.any():
            yield "all", list(range(len(FEATURES)))


def scored(
    measured: Sequence[PersonRecord],
    calibrated: Sequence[PersonRecord],
    true: Sequence[PersonRecord],
    norms: Norms,
    error: MeasurementError,
) -> Scored:
    """Score the same people from three kinds of measures."""
    z, sd = scores_of(calibrated, norms)
    relative = np.sqrt(np.diag(error.relative))
    return Scored(scores_of(measured, norms)[0], z, scores_of(true, norms)[0], sd, sd * relative)


def feature_rows(z: Scored, seed: int) -> list[tuple]:
    """Rows of errors beside what is said of them."""
    rows = []
    for name, places in z.each():
        error, known = z.error[..., places], np.isfinite(z.error[..., places])
        sides = [part[..., places][known] for part in (z.calibrated, z.true)]
        alone = len(places) == 1 and known.sum() > 2
        apart = float(np.corrcoef(*sides)[0, 1]) if alone else float("nan")
        said: list[float] = []
        for sd in (z.stated[..., places], z.drawn[..., places]):
            both = np.stack([error, sd], axis=-1)
            said += [_root_mean_square(sd[known]), *over_people(both, _ratio, seed)]
        bias = float(np.nanmean((z.measured - z.true)[..., places]))
        figures = bias, float(error[known].mean()), apart, float(error[known].std())
        rows.append((name, int(known.sum()), *figures, *said))
    return rows


def held_rows(z: Scored, seed: int) -> list[tuple]:
    """Rows of how often intervals of z-scores hold the true ones (%)."""
    rows = []
    for name, places in z.each():
        error = z.error[..., places]
        found = [
            figure
            for sd in (z.stated, z.drawn)
            for level in LEVELS
            for figure in over_people(_inside(error, sd[..., places], level), share, seed)
        ]
        rows.append((name, int(np.isfinite(error).sum()), *found))
    return rows


def _root_mean_square(values: np.ndarray) -> float:
    return float(np.sqrt(np.mean(values**2)))


def _ratio(both: np.ndarray) -> float:
    error, sd = both[..., 0], both[..., 1]
    known = np.isfinite(error)
    if not known.any():
        return float("nan")
    return float(error[known].std() / _root_mean_square(sd[known]))


def _inside(error: np.ndarray, sd: np.ndarray, level: float) -> np.ndarray:
    inside = np.abs(error) <= norm.ppf(0.5 + level / 2.0) * sd
    return np.where(np.isfinite(error), inside, np.nan)
