"""What a survival prediction says: numbers with intervals, reasons, and what limits it."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from ..imaging.finding import Finding

ENDPOINT = "death, tracheostomy, or non-invasive ventilation for more than 23 h a day"
HORIZONS = (6, 12, 18, 24)
"""Months after the visit."""


@dataclass(frozen=True)
class Estimate:
    """A number with its intervals; None where it lies beyond the follow-up of the training.

    Attributes
    ----------
    value, low, high, low80, high80 : float or None
        95 % and 80 %: what coefficients, measurement of the images and missing predictors leave
        open. Not: when the event of one person comes.
    """

    value: float | None
    low: float | None
    high: float | None
    low80: float | None
    high80: float | None


@dataclass(frozen=True)
class Contribution:
    """What one predictor adds to the log odds of the event, against the average patient.

    Attributes
    ----------
    name, label : str
    log_odds : Estimate
        The values of all predictors add up to ``SurvivalPrediction.log_odds``.
    value : float or None
        Of the predictor, in its own unit; None where it is missing: then it is what is expected
        given the others.
    imaging : bool
    """

    name: str
    label: str
    log_odds: Estimate
    value: float | None
    imaging: bool


@dataclass(frozen=True)
class EncalsResult:
    """The published ENCALS model, clinical only, given that nothing had happened until the visit.

    Attributes
    ----------
    lp : float
        Linear predictor.
    group : str
        Of ``encals.GROUPS``.
    median_months : float
        Since onset.
    risks : dict of int to float
        By ``HORIZONS``.
    c9orf72_known : bool
        Else the coefficients are those fitted without it.
    """

    lp: float
    group: str
    median_months: float
    risks: dict[int, float]
    c9orf72_known: bool
    note: str = (
        "published model (Westeneng 2018), clinical only; made for the time of diagnosis, in "
        "specialised centres"
    )


@dataclass(frozen=True)
class Curve:
    """A survival curve with its band, from the visit on.

    Attributes
    ----------
    months : tuple of float
        After the visit.
    value, low, high, low80, high80 : tuple of float
        Probability that nothing has happened: pointwise intervals.
    incidence : dict of str to tuple of float
        Cumulative incidence of each cause; together with ``value`` they add up to 1.
    """

    months: tuple[float, ...]
    value: tuple[float, ...]
    low: tuple[float, ...]
    high: tuple[float, ...]
    low80: tuple[float, ...]
    high80: tuple[float, ...]
    incidence: dict[str, tuple[float, ...]]


@dataclass(frozen=True)
class SurvivalPrediction:
    """The outlook of one person from the last visit on.

    Attributes
    ----------
    statement : str
        Whom the model was learned from.
    endpoint : str
    findings : tuple of Finding
        Of severity ``error`` where it abstains: all below is None or empty then.
    months_since_onset : float or None
        Of the last visit.
    log_odds : float or None
        Sum of the contributions.
    curve : Curve or None
    risks : dict of int to Estimate
        Of the end point, by ``HORIZONS``.
    respiratory_failure : dict of int to Estimate
        Of NIV or tracheostomy as the first event, by ``HORIZONS``.
    median_months : Estimate or None
        After the visit, until half of such patients have had the event.
    range80 : tuple of float or None, or None
        Months after the visit between which 80 % of such patients have the event; None for an end
        beyond the follow-up.
    contributions : tuple of Contribution
        The largest first.
    encals : EncalsResult or None
    """

    statement: str
    endpoint: str = ENDPOINT
    findings: tuple[Finding, ...] = ()
    months_since_onset: float | None = None
    log_odds: float | None = None
    curve: Curve | None = None
    risks: dict[int, Estimate] | None = None
    respiratory_failure: dict[int, Estimate] | None = None
    median_months: Estimate | None = None
    range80: tuple[float | None, float | None] | None = None
    contributions: tuple[Contribution, ...] = ()
    encals: EncalsResult | None = None

    @property
    def abstains(self) -> bool:
        """Whether the model says nothing; a finding says why."""
        return self.curve is None

    def to_dict(self) -> dict[str, Any]:
        """Return JSON values."""
        return {"abstains": self.abstains, **asdict(self)}
