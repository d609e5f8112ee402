"""Scores values against norms: z-score and centile with their intervals, or the reason why not."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.special import ndtr

from ..imaging.finding import Finding
from .model import LOG, SEXES, Model

SOURCES = ("simulated", "real")
LEVEL = 1.959963984540054
"""Standard errors to each side of an interval: 95 % of a normal distribution."""
ICV_MARGIN = 0.2
"""Beyond the controls' intracranial volumes by more than this share, no score (own choice): a
volume in other units is further away than that."""
SKEWED, HEAVY = 0.5, 1.0
"""Skewness and excess kurtosis of the controls' z-scores from which on centiles are doubted (own
choice; at n=100 their standard errors are 0.24 and 0.48)."""
FEW_CONTROLS = 100
"""Controls below which z-scores of healthy people are too wide (own choice; see test_fitting.py):
the fit's error, which the interval holds and the z-score does not."""
FEW_AT_SITE = 10
"""Controls of a site below which its shift is mostly a guess (own choice)."""

# Code to what is wrong with a value and what to do about it.
REASONS = {
    "norms-missing": ("there are no norms for it", "Use norms that were fitted with this measure."),
    "norms-value": ("the value cannot be used: {value:g}", "Look at the measurement."),
    "norms-age-missing": ("the age is missing", "Enter the age in years."),
    "norms-age": (
        "the age of {age:.1f} years is outside the norms ({low:.0f}-{high:.0f} years)",
        "Do not compare this person with these norms.",
    ),
    "norms-sex": ("the norms do not know the sex {sex}", "Enter F or M, as the norms have it."),
    "norms-icv-missing": (
        "the intracranial volume is missing",
        "Use an image that shows the whole head.",
    ),
    "norms-icv": (
        "the intracranial volume of {icv:.0f} mm3 is far from those of the norms",
        "Check the volume and that it is in mm3.",
    ),
}


@dataclass(frozen=True)
class Population:
    """Whom norms were fitted on.

    Attributes
    ----------
    source : str
        ``simulated`` or ``real``.
    n, female, male : int
        Controls.
    youngest, oldest : float
        Years.
    sites : tuple of (str, int)
        Site and its controls.
    seed : int or None
        Of a simulation.
    date : str
        ISO date of the fit.
    version : str
        Of BrainstemALS.
    """

    source: str
    n: int
    female: int
    male: int
    youngest: float
    oldest: float
    sites: tuple[tuple[str, int], ...]
    seed: int | None
    date: str
    version: str

    @property
    def statement(self) -> str:
        """What every output has to say."""
        of = "trained on simulated cohort" if self.source == "simulated" else "trained on real data"
        return f"{of} ({self.n} controls, {self.youngest:.0f}-{self.oldest:.0f} years)"


@dataclass(frozen=True)
class NormScore:
    """Where a value stands among healthy people of the same age, sex, head size and scanner.

    Attributes
    ----------
    structure, measure : str
    z, z_low, z_high : float or None
        With the limits of the 95 % interval of what fit and measurement leave open; None where the
        norms abstain.
    centile, centile_low, centile_high : float or None
        0-100, of the same three.
    findings : tuple of Finding
        Why there is no score (severity error), or what limits it.
    statement : str
        Whom the norms were fitted on.
    """

    structure: str
    measure: str
    z: float | None
    z_low: float | None
    z_high: float | None
    centile: float | None
    centile_low: float | None
    centile_high: float | None
    findings: tuple[Finding, ...]
    statement: str

    @property
    def reason(self) -> str:
        """Why there is no score; empty where there is one."""
        return next((f.message for f in self.findings if f.severity == "error"), "")


@dataclass(frozen=True, eq=False)
class Scores:
    """Scores of n people; NaN where ``reason`` has a code of ``REASONS``; see ``NormScore``."""

    z: np.ndarray
    z_low: np.ndarray
    z_high: np.ndarray
    reason: np.ndarray

    @property
    def centiles(self) -> np.ndarray:
        """Centiles of z and its limits, shape (3, n)."""
        return centile(np.stack([self.z, self.z_low, self.z_high]))


def centile(z: np.ndarray | float) -> np.ndarray:
    """Return the centile (0-100) of z-scores."""
    return 100.0 * ndtr(z)


@dataclass(frozen=True, eq=False)
class Norms:
    """Norms of several measures.

    Attributes
    ----------
    models : tuple of Model
    population : Population
    findings : tuple of Finding
        Of the fit: what was left out, and what is weak.
    """

    models: tuple[Model, ...]
    population: Population
    findings: tuple[Finding, ...] = ()

    def model(self, structure: str, measure: str) -> Model | None:
        """Return the model of a measure of a structure; None where there is none."""
        return next((m for m in self.models if m.key == (structure, measure)), None)

    def score(
        self,
        structure: str,
        measure: str,
        value: float | None,
        age: float | None,
        sex: str | None,
        icv: float | None = None,
        site: str | None = None,
        uncertainty: float | None = None,
        icv_uncertainty: float | None = None,
    ) -> NormScore:
        """Score one value.

        Parameters
        ----------
        structure, measure : str
            As in the tables of a cohort: ``"medulla"``, ``"volume"``.
        value, uncertainty : float or None
            In the unit of the model; standard deviation of its measurement.
        age : float or None
            Years at the scan.
        sex : str or None
            ``"F"`` or ``"M"``.
        icv, icv_uncertainty : float or None
            Intracranial volume in mm3; needed for volumes only.
        site : str or None
            A site the norms do not know, or None, widens the interval. A person's real site is not
            one of simulated norms, whatever its name: give None.

        Returns
        -------
        NormScore
        """
        many = self.score_many(
            structure, measure, *_columns(value, age, sex, icv, site, uncertainty, icv_uncertainty)
        )
        reason, model = many.reason[0], self.model(structure, measure)
        if reason:
            facts = {"value": _number(value), "age": _number(age), "sex": sex, "icv": _number(icv)}
            low, high = model.age_range if model else (0.0, 0.0)
            problem, action = REASONS[reason]
            message = f"{structure}, {measure}: {problem.format(**facts, low=low, high=high)}"
            finding = Finding(reason, "error", message, action, structure)
            return NormScore(structure, measure, *[None] * 6, (finding,), self.population.statement)
        numbers = [float(v[0]) for v in (many.z, many.z_low, many.z_high)]
        numbers += [float(v) for v in many.centiles[:, 0]]
        findings = tuple(_limits(model, icv, site, uncertainty))
        return NormScore(structure, measure, *numbers, findings, self.population.statement)

    def score_many(
        self,
        structure: str,
        measure: str,
        value: np.ndarray,
        age: np.ndarray,
        sex: np.ndarray,
        icv: np.ndarray,
        site: np.ndarray,
        uncertainty: np.ndarray,
        icv_uncertainty: np.ndarray,
    ) -> Scores:
        """Score one measure of n people: as ``score``, arrays (n,); missing is NaN, of text ""."""
        model = self.model(structure, measure)
        nothing = np.full(len(value), np.nan)
        if model is None:
            return Scores(nothing, nothing, nothing, np.full(len(value), "norms-missing", object))
        reason = _reasons(model, value, age, sex, icv)
        ok = reason == ""
        z, error = nothing.copy(), nothing.copy()
        if ok.any():
            z[ok], error[ok] = model.z_scores(
                value[ok],
                age[ok],
                sex[ok] == "M",
                icv[ok],
                site[ok],
                _known(uncertainty[ok]),
                _known(icv_uncertainty[ok]),
            )
        return Scores(z, z - LEVEL * error, z + LEVEL * error, reason)


def _reasons(
    model: Model, value: np.ndarray, age: np.ndarray, sex: np.ndarray, icv: np.ndarray
) -> np.ndarray:
    """Return the code of what stands against a score, the first of ``REASONS``; "" for nothing."""
    low, high = model.age_range
    against = [
        (~np.isfinite(value) | ((model.transform == LOG) & ~(value > 0)), "norms-value"),
        (~np.isfinite(age), "norms-age-missing"),
        ((age < low) | (age > high), "norms-age"),
        (~np.isin(sex, [s for s in model.sexes if s in SEXES]), "norms-sex"),
    ]
    if model.uses_icv:
        least, most = model.icv_range
        against += [
            (~np.isfinite(icv), "norms-icv-missing"),
            (~(icv >= least * (1 - ICV_MARGIN)) | (icv > most * (1 + ICV_MARGIN)), "norms-icv"),
        ]
    return np.select([a for a, _ in against], [code for _, code in against], "").astype(object)


def _limits(model: Model, icv: float | None, site: str | None, uncertainty: float | None):
    """Yield what limits a score that there is."""
    about = f"{model.structure}, {model.measure}"

    def finding(code: str, severity: str, message: str, action: str) -> Finding:
        return Finding(code, severity, f"{about}: {message}", action, model.structure)

    if model.n < FEW_CONTROLS:
        yield finding(
            "norms-few-controls",
            "warning",
            f"the norms know {model.n} controls only, so extreme scores are too frequent",
            "Read the interval rather than the score.",
        )
    if site not in model.sites:
        yield finding(
            "norms-site-unknown",
            "warning",
            "the norms do not know this scanner, so the interval holds what scanners differ by",
            "Fit norms with controls of this scanner.",
        )
    elif model.site_counts[model.sites.index(site)] < FEW_AT_SITE:
        few = model.site_counts[model.sites.index(site)]
        yield finding(
            "norms-site-few",
            "warning",
            f"the norms know this scanner from {few} control{'s' if few > 1 else ''} only",
            "Fit norms with more controls of this scanner.",
        )
    if model.uses_icv and not model.icv_range[0] <= icv <= model.icv_range[1]:
        yield finding(
            "norms-icv-outside",
            "warning",
            "no control's head is of this size",
            "Read the score with care.",
        )
    if abs(model.skewness) > SKEWED or abs(model.kurtosis) > HEAVY:
        yield finding(
            "norms-not-normal",
            "warning",
            "the controls are not normally distributed, so extreme centiles are unsure",
            "Do not read much into a centile below 5 or above 95.",
        )
    if uncertainty is None or not np.isfinite(uncertainty):
        yield finding(
            "norms-no-uncertainty",
            "info",
            "the uncertainty of the value is not known, so the interval lacks it",
            "Give the uncertainty of the measurement.",
        )


def _columns(
    value: float | None,
    age: float | None,
    sex: str | None,
    icv: float | None,
    site: str | None,
    *uncertainties: float | None,
) -> Sequence[np.ndarray]:
    """Return the arrays of ``score_many`` for one person."""
    text = [np.array([t or ""], dtype=object) for t in (sex, site)]
    number = [np.array([_number(v)]) for v in (value, age, icv, *uncertainties)]
    return number[0], number[1], text[0], number[2], text[1], *number[3:]


def _number(value: float | None) -> float:
    return float("nan") if value is None else float(value)


def _known(uncertainty: np.ndarray) -> np.ndarray:
    return np.where(np.isfinite(uncertainty), np.maximum(uncertainty, 0.0), 0.0)
