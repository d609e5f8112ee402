"""What a survival prediction says: numbers with intervals, reasons, and what limits it."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from ..imaging.finding import Finding
from .parts import Contribution, Estimate

ENDPOINT = "death, tracheostomy, or non-invasive ventilation for more than 23 h a day"
HORIZONS = (6, 12, 18, 24)
"""Months after the visit."""
CONTRIBUTION_LEVEL = 0.95


@dataclass(frozen=True)
class EncalsResult:
    """The published ENCALS model of the first visit, given that nothing happened until the last.

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
    value, low80, high80, low95, high95 : tuple of float
        Probability that nothing has happened: pointwise intervals.
    incidence : dict of str to tuple of float
        Cumulative incidence of each cause; together with ``value`` they add up to 1.
    """

    months: tuple[float, ...]
    value: tuple[float, ...]
    low80: tuple[float, ...]
    high80: tuple[float, ...]
    low95: tuple[float, ...]
    high95: tuple[float, ...]
    incidence: dict[str, tuple[float, ...]]


@dataclass(frozen=True)
class SurvivalPrediction:
    """The outlook of one person from the last visit on.

    Intervals hold what coefficients, measurement of the images and missing predictors leave open;
    not when the event of one person comes. No risk can exceed what the form of the model allows at
    this time since onset (``SurvivalModel.most``); the finding ``survival-cap`` tells where it may.

    Attributes
    ----------
    statement : str
        Whom the model was learned from.
    endpoint : str
    findings : tuple of Finding
        Of severity ``error`` where it abstains: all below is None or empty then.
    months_since_onset : float or None
        To the last visit, from which all below counts.
    log_odds : float or None
        Sum of the contributions, against the average patient at such a visit.
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
        Against the average patient, above 0 for an earlier event, with 95 % intervals; the largest
        first. They add up to ``log_odds``.
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
