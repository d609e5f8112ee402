"""What answers of several parts are made of: a number with its intervals, and a reason."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

QUANTILES = (0.025, 0.1, 0.5, 0.9, 0.975)
"""Ends of the 95 % and 80 % intervals, and the median."""


@dataclass(frozen=True)
class Estimate:
    """A number with its intervals; None where it lies beyond the follow-up of the training.

    Attributes
    ----------
    value, low80, high80, low95, high95 : float or None
    """

    value: float | None
    low80: float | None
    high80: float | None
    low95: float | None
    high95: float | None

    @classmethod
    def of(cls, quantiles: np.ndarray, value: float | None = None) -> Estimate:
        """Return what lies at ``QUANTILES``, not finite ones as None.

        Parameters
        ----------
        quantiles : numpy.ndarray, shape (5,)
        value : float, optional
            Instead of the median.
        """
        low95, low80, median, high80, high95 = quantiles
        wanted = (median if value is None else value, low80, high80, low95, high95)
        return cls(*(float(v) if np.isfinite(v) else None for v in wanted))


@dataclass(frozen=True)
class Contribution:
    """What one predictor adds to the log-odds of an answer.

    Attributes
    ----------
    name, label : str
        In models, and for people.
    value : float or None
        Of the predictor, in its own unit (images: SDs from what is expected at this age, sex and
        head size); None where it is missing: then it is what is expected given the others.
    log_odds, low, high : float
        With the limits of the interval, whose level the answer names.
    imaging : bool
    """

    name: str
    label: str
    value: float | None
    log_odds: float
    low: float
    high: float
    imaging: bool


def around(value: np.ndarray | float, limits: np.ndarray) -> tuple:
    """Return limits that hold the value: an asymmetry near 0 can only be measured larger again."""
    return np.minimum(limits[0], value), np.maximum(limits[1], value)
