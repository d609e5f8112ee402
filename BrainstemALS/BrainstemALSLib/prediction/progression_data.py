"""What the progression model takes from records: times, totals, FVC, imaging, covariates."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from ..imaging.finding import Finding
from ..norms.score import Norms
from ..prognosis import slope
from ..prognosis.fvc import checked as checked_fvc
from .features import NAMES, features_of
from .function_scale import filled_total
from .progression_parameters import COVARIATES, PRODUCTS, Rows
from .records import PersonRecord, VisitRecord, refuse

IMAGING = ("cst_fa", "medulla_volume")
"""One of tracts, one of volumes: named before any fit, few because visits are."""
TYPICAL = {"age": 63.0, "log_delay": np.log(11.0), "log_first": np.log(15.0)}
"""What covariates are centred at; any value will do."""
ROUNDED_AGE = 0.8
"""Standard deviation, months, of a time between two ages that are rounded to tenths of a year."""
UNLIKE = "unlike-training"
"""Code of the finding that says so."""
STRANGE, UNUSUAL = 1e-4, 1e-2
"""Probability of visits as far from the population as these below which the model abstains, or
warns: our choice."""


@dataclass(frozen=True, eq=False)
class Series:
    """The visits of one patient that the model can read, none of them before onset.

    Attributes
    ----------
    months : numpy.ndarray, shape (v,)
        Since the first of them.
    values, extra : numpy.ndarray, shape (v, 2 + k)
        As in ``progression_curve.Rows``.
    first : float or None
        Months from symptom onset to the first of them.
    covariates : dict of str to float
        Those of ``COVARIATES`` that are known, centred.
    findings : list of Finding
    """

    months: np.ndarray
    values: np.ndarray
    extra: np.ndarray
    first: float | None
    covariates: dict[str, float]
    findings: list[Finding] = field(default_factory=list)


def series_of(
    people: Sequence[PersonRecord], norms: Norms | None, imaging: tuple[str, ...]
) -> list[Series]:
    """Read records.

    Parameters
    ----------
    people : sequence of PersonRecord
    norms : Norms or None
        None leaves images unread.
    imaging : tuple of str
        Of ``features.NAMES``.

    Raises
    ------
    BrainstemALSError
        USAGE: no visit, visits out of order or two on one date, a visit before onset, a total or an
        FVC that cannot be.
    """
    visits = [_dated(person) for person in people]
    flat = [(p, v) for p, seen in zip(people, visits, strict=True) for v in seen]
    z = np.full((len(flat), len(imaging)), np.nan)
    z_sd = np.zeros_like(z)
    if norms is not None and imaging:
        found = features_of(*map(list, zip(*flat, strict=True)), norms)
        chosen = [NAMES.index(name) for name in imaging]
        z, z_sd = found.z[:, chosen], np.nan_to_num(found.sd[:, chosen])
    out, at = [], 0
    for person, seen in zip(people, visits, strict=True):
        part = slice(at, at + len(seen))
        out.append(_series(person, seen, z[part], z_sd[part]))
        at += len(seen)
    return out


def rows_of(series: Sequence[Series], typical: Typical) -> Rows:
    """Return series whose time since onset is known as rows; fewer visits end in NaN."""
    most = max(len(s.months) for s in series)
    width = series[0].values.shape[1]
    n = len(series)
    months = np.ones((n, most))
    values, extra = np.full((n, most, width), np.nan), np.zeros((n, most, width))
    covariates, unsure = np.zeros((n, len(COVARIATES))), np.zeros((n, len(COVARIATES)))
    for row, one in enumerate(series):
        v = len(one.months)
        months[row, :v] = one.first + one.months
        months[row, v:] = months[row, v - 1]
        values[row, :v], extra[row, :v] = one.values, one.extra
        covariates[row], unsure[row] = typical.complete(one)
    return Rows(months, values, extra, covariates, unsure)


@dataclass(frozen=True)
class Typical:
    """What an unknown covariate is taken to be.

    Attributes
    ----------
    mean, variance : dict of str to float
        Of each covariate; of ``log_delay`` given ``log_first``.
    delay_on_first : float
        Slope of ``log_delay`` on ``log_first``.
    first : (float, float)
        Mean and standard deviation of ``log_first``.
    """

    mean: dict[str, float]
    variance: dict[str, float]
    delay_on_first: float
    first: tuple[float, float]

    def complete(self, series: Series) -> tuple[np.ndarray, np.ndarray]:
        """Return all covariates and the variance of those filled in."""
        log_first = float(np.log(series.first) - TYPICAL["log_first"])
        known = {**series.covariates, "one": 1.0, "log_first": log_first}
        guess = dict(self.mean)
        guess["log_delay"] += self.delay_on_first * log_first
        whole = {**guess, **known}
        whole |= {name: whole[one] * whole[other] for name, (one, other) in PRODUCTS.items()}
        values = np.array([whole[name] for name in COVARIATES])
        sure = (*known, *PRODUCTS)
        unsure = [0.0 if name in sure else self.variance[name] for name in COVARIATES]
        return values, np.array(unsure)


def typical_of(series: Sequence[Series]) -> Typical:
    """Learn what is typical from a cohort whose time since onset is known."""
    mean, variance = {}, {}
    for name in ("bulbar", "respiratory", "age"):
        there = np.array([s.covariates[name] for s in series if name in s.covariates])
        mean[name], variance[name] = float(there.mean()), float(there.var())
    first = np.array([np.log(s.first) - TYPICAL["log_first"] for s in series])
    delay = np.array([s.covariates.get("log_delay", np.nan) for s in series])
    there = np.isfinite(delay)
    on, level = np.polyfit(first[there], delay[there], 1) if there.sum() > 2 else (0.0, 0.0)
    mean["log_delay"] = float(level)
    left = delay[there] - on * first[there] - level
    variance["log_delay"] = float(left.var()) if there.any() else 1.0
    return Typical(mean, variance, float(on), (float(first.mean()), float(first.std())))


def strangeness(misfit: float, degrees: int) -> list[Finding]:
    """Return what is to be said of visits this far from the population, a chi square."""
    from scipy.stats import chi2

    chance = float(chi2.sf(misfit, degrees))
    if chance < STRANGE:
        return [
            _finding(
                UNLIKE,
                "These visits are unlike any the model was learned from.",
                "Check ratings, FVC and dates; if they are right, read no forecast.",
                "error",
            )
        ]
    if chance < UNUSUAL:
        return [_finding("unusual", "These visits are unusual for the training population.",
                         "Check ratings, FVC and dates; take the forecast with care.")]  # fmt: skip
    return []


def _dated(person: PersonRecord) -> list[VisitRecord]:
    if not person.visits:
        raise refuse("there is no visit", "Give at least one visit with an ALSFRS-R.")
    if len(person.visits) == 1:
        return list(person.visits)
    dated = [v for v in person.visits if v.months is not None]
    if not dated:
        raise refuse("no visit has a date", "Give the months of each visit since the first.")
    slope.series([v.months for v in dated], [0.0] * len(dated))
    return dated


def _series(
    person: PersonRecord, visits: list[VisitRecord], z: np.ndarray, z_sd: np.ndarray
) -> Series:
    findings = []
    months = np.array([v.months or 0.0 for v in visits])
    totals, extra, missing = (np.array(c) for c in zip(*map(filled_total, visits), strict=True))
    breath = checked_fvc([np.nan if v.fvc is None else v.fvc for v in visits])
    values = np.column_stack([totals, breath, z])
    added = np.column_stack([extra, np.zeros_like(extra), z_sd**2])
    if len(visits) < len(person.visits):
        findings.append(_finding("visit-without-date", "A visit without a date was left out.",
                                 "Give its months since the first visit."))  # fmt: skip
    if np.any((missing > 0) & np.isfinite(totals)):
        findings.append(_finding(
            "alsfrs-items-missing", "Missing items of the ALSFRS-R were filled in from the others.",
            "Rate all twelve items: the intervals become narrower."))  # fmt: skip
    if len(totals) and slope.unlikely_rises(months, totals):
        findings.append(_finding(
            "alsfrs-rise", "The ALSFRS-R rises by more than ratings vary.",
            "Check the ratings and the order of the visits; the forecast takes the rise as chance.",
        ))  # fmt: skip
    first = _first(person, months, findings)
    return Series(months - months[0], values, added, first, _covariates(person, findings), findings)


def _first(person: PersonRecord, months: np.ndarray, findings: list[Finding]) -> float | None:
    """Months from onset to the first visit; from the ages where it is not given."""
    first, first_visit = person.months_since_onset, float(months[0])
    if first is not None:
        first += first_visit
    elif person.age is not None and person.onset_age is not None:
        years = person.age - person.onset_age
        if years * 12 > 3 * ROUNDED_AGE:
            first = years * 12 + first_visit
            findings.append(_finding(
                "onset-from-age", "The time since onset was taken from the ages.",
                "Give the months since symptom onset."))  # fmt: skip
    if first is None:
        findings.append(_finding(
            "onset-unknown", "The time since symptom onset is unknown: the intervals are wider.",
            "Ask for the month of the first symptom."))  # fmt: skip
    elif not first > 0:
        raise refuse("a visit doesn't follow symptom onset", "Check the date of onset.")
    return first


def _covariates(person: PersonRecord, findings: list[Finding]) -> dict[str, float]:
    known: dict[str, float] = {}
    if person.onset is not None:
        known = {name: float(person.onset == name) for name in ("bulbar", "respiratory")}
    if person.age is not None:
        known["age"] = (person.age - TYPICAL["age"]) / 10.0
    if person.diagnostic_delay is not None and person.diagnostic_delay > 0:
        known["log_delay"] = float(np.log(person.diagnostic_delay) - TYPICAL["log_delay"])
    for name, text in (("bulbar", "onset site"), ("age", "age"), ("log_delay", "diagnostic delay")):
        if name not in known:
            findings.append(_finding(
                f"{text.replace(' ', '-')}-unknown", f"The {text} is unknown: its mean was used.",
                f"Give the {text}: the intervals become narrower."))  # fmt: skip
    return known


def _finding(code: str, message: str, action: str, severity: str = "warning") -> Finding:
    return Finding(code, severity, message, action)
