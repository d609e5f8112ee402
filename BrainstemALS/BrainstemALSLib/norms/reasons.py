"""Why norms say nothing of a value, and what limits what they say."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from ..imaging.finding import Finding
from .model import LOG, SEXES, Model

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
    "norms-quality": ("the measurement is bad", "Look at the findings of the exam."),
    "norms-unit": (
        "the value is in {unit}, the norms are in {wanted}",
        "Give it in the unit of the norms.",
    ),
    "norms-missing": ("there are no norms for it", "Use norms that were fitted with this measure."),
    "norms-value": ("the value cannot be used: {value:g}", "Look at the measurement."),
    "norms-uncertainty": (
        "the uncertainty of the value is below zero",
        "Give its standard deviation, or none.",
    ),
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

IN_SHORT = {
    "norms-quality": "a measurement is bad",
    "norms-value": "a measure is missing",
    "norms-age-missing": "the age is missing",
    "norms-age": "the age is outside the norms",
    "norms-sex": "the norms do not know this sex",
    "norms-icv-missing": "the intracranial volume is missing",
    "norms-icv": "the intracranial volume is far from those of the norms",
}
"""Codes of ``REASONS`` where many measures are spoken of at once."""


def reasons(
    model: Model,
    value: np.ndarray,
    age: np.ndarray,
    sex: np.ndarray,
    icv: np.ndarray,
    uncertainty: np.ndarray,
) -> np.ndarray:
    """Return the code of what stands against a score, the first of ``REASONS``; "" for nothing."""
    usable = np.isfinite(value)
    if model.transform == LOG:
        usable &= value > 0
    sexes = set(model.sexes) & set(SEXES)
    against = [
        (~usable, "norms-value"),
        (uncertainty < 0, "norms-uncertainty"),
        (np.isnan(age), "norms-age-missing"),
        ((age < model.knots[0]) | (age > model.knots[-1]), "norms-age"),
        (np.array([s not in sexes for s in sex], dtype=bool), "norms-sex"),
    ]
    if model.uses_icv:
        least, most = model.icv_range
        near = (icv >= least * (1 - ICV_MARGIN)) & (icv <= most * (1 + ICV_MARGIN))
        against += [(np.isnan(icv), "norms-icv-missing"), (~near, "norms-icv")]
    reason = np.full(len(value), "", dtype=object)
    for rows, code in reversed(against):
        reason[rows] = code
    return reason


def limits(
    model: Model, icv: float | None, site: str | None, uncertainty: float | None
) -> Iterator[Finding]:
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
