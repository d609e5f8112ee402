"""How long until death or respiratory failure, for one person, with intervals and reasons.

Bands come from draws: coefficients from their covariance, z-scores from what their measurement
leaves open, missing predictors from what the others let expect. The estimate itself is the curve of
the estimated coefficients, averaged over missing predictors.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from ..imaging.finding import Finding
from ..norms.score import Norms
from ..prognosis import encals
from .features import FEATURES
from .records import PersonRecord
from .survival_findings import about_input, far_outside, outside, reached, short_follow_up, too_late
from .survival_model import CAUSES, RESPIRATORY, SurvivalModel, square_root
from .survival_predictors import (
    CLINICAL,
    FLAGS,
    IMAGING,
    LABELS,
    PREDICTORS,
    encals_inputs,
    predictors_of,
    transform,
)
from .survival_result import (
    HORIZONS,
    Contribution,
    Curve,
    EncalsResult,
    Estimate,
    SurvivalPrediction,
)

DRAWS = 200
SEED = 20261130
STEP = 0.5
"""Months between the points at which curves are computed."""
CURVE_STEP = 4
"""Of them, each fourth is given."""
_ENCALS_LABELS = LABELS | {"age_at_onset": LABELS["onset_age"]}
_QUANTILES = (0.025, 0.975, 0.1, 0.9)
_SIZES = [PREDICTORS.index(feature.name) for feature in FEATURES if feature.size]


def predict_survival(
    person: PersonRecord, model: SurvivalModel, norms: Norms | None
) -> SurvivalPrediction:
    """Predict from the findings of the first visit, given that nothing happened until the last.

    Parameters
    ----------
    person : PersonRecord
        With one visit or more; its outcome is not read.
    model : SurvivalModel
        Of ``survival_model.read_survival``.
    norms : Norms or None
        None leaves the images out.

    Returns
    -------
    SurvivalPrediction

    Raises
    ------
    BrainstemALSError
        USAGE: no visit, visits out of order or on one date, a value that cannot be.

    Notes
    -----
    It abstains where the end point has happened (``survival_findings.reached``), and warns where
    the last visit is far worse than the first foretells.
    """
    values = predictors_of([person], norms)
    raw, sd = values.raw[0], values.sd[0]
    start = SurvivalPrediction(model.training.statement)
    abstain = outside(person, raw, model)
    # Where nothing is predicted, nothing is said of what limits it.
    findings = [] if abstain else about_input(person, raw, norms is not None)
    # Its end point is the same.
    beside = None if reached(person) else _encals(person, raw, findings)
    if abstain:
        return replace(start, findings=(*abstain, *findings), encals=beside)
    far = (raw[IMAGING] < model.low[IMAGING]) | (raw[IMAGING] > model.high[IMAGING])
    if far.any():
        names = [PREDICTORS[IMAGING][place] for place in np.flatnonzero(far)]
        raw = raw.copy()
        raw[IMAGING] = np.where(far, np.nan, raw[IMAGING])
        findings.append(far_outside(names))
    alive_at = float(person.months_since_onset) + float(person.visits[-1].months or 0.0)
    if alive_at > person.months_since_onset + model.horizon:
        return replace(start, findings=(too_late(), *findings), encals=beside)
    return _predict(start, model, raw, sd, float(person.months_since_onset), alive_at, findings,
                    beside)  # fmt: skip


def _predict(start, model, raw, sd, first, alive_at, findings, beside) -> SurvivalPrediction:
    rng = np.random.default_rng(SEED)
    x = model.standardised(transform(raw))
    mean, root = model.expected(x)
    missing = np.isnan(x)
    filled = mean + rng.standard_normal((DRAWS, root.shape[1])) @ root.T
    for place in np.flatnonzero(missing):
        if PREDICTORS[place] in FLAGS:  # yes or no, as often as expected
            share = np.clip(filled[:, place] * model.scale[place] + model.centre[place], 0, 1)
            yes = rng.uniform(size=DRAWS) < share
            filled[:, place] = (yes - model.centre[place]) / model.scale[place]
    seen = _remeasured(model, raw, sd, filled, missing, rng)
    q = len(model.knots)
    theta = np.concatenate([model.gamma, model.beta])
    drawn = theta + rng.standard_normal((DRAWS, len(theta))) @ square_root(model.covariance).T
    causes = model.cause.ravel() + rng.standard_normal((DRAWS, model.cause.size)) @ square_root(
        model.cause_covariance
    ).T  # fmt: skip
    after = np.arange(0.0, model.horizon - (alive_at - first) + STEP / 2, STEP)
    months = alive_at + after
    # Months since onset: of the first visit, to weigh what is missing, then of the curve.
    at = np.concatenate([[first], months])
    centre = _free(model.log_odds(at), filled @ model.beta)
    middle = alive_at + (after[1:] + after[:-1]) / 2
    free, incidence = _average(centre, model.shares(filled, middle))
    bands = _free(model.log_odds(at, drawn[:, :q]), np.sum(seen * drawn[:, q:], axis=1))
    free_drawn = bands[:, 1:] / bands[:, 1:2]
    parts = model.shares(seen, middle, causes.reshape(DRAWS, *model.cause.shape))
    parts = np.cumsum(-np.diff(free_drawn)[..., None] * parts, axis=1)
    respiratory = [CAUSES.index(cause) for cause in RESPIRATORY]
    risks, failures = {}, {}
    for horizon in HORIZONS:
        place = round(horizon / STEP)
        if place < len(after):
            risks[horizon] = _estimate(1 - free[place], 1 - free_drawn[:, place])
            failures[horizon] = _estimate(
                incidence[place, respiratory].sum(),
                parts[:, place - 1, respiratory].sum(axis=-1),
            )
    if len(risks) < len(HORIZONS):
        findings.append(short_follow_up(model))
    median = _estimate(_crossing(free, 0.5, after), _crossings(free_drawn, 0.5, after))
    lp = mean * model.beta
    spread = seen * drawn[:, q:]
    return replace(
        start,
        findings=tuple(findings),
        months_since_onset=alive_at,
        log_odds=float(lp.sum()),
        curve=_curve(after, free, free_drawn, incidence),
        risks=risks,
        respiratory_failure=failures,
        median_months=median,
        range80=(_known(_crossing(free, 0.9, after)), _known(_crossing(free, 0.1, after))),
        contributions=_contributions(lp, spread, raw),
        encals=beside,
    )


def _remeasured(model, raw, sd, filled, missing, rng) -> np.ndarray:
    """Return standardised predictors (DRAWS, p) as they might have been measured.

    As ``features.drawn``; ours are drawn together with what is missing.
    """
    again = raw + sd * rng.standard_normal((DRAWS, len(raw)))
    again[:, _SIZES] = np.abs(again[:, _SIZES])
    return np.where(missing, filled, model.standardised(transform(again)))


def _free(log_odds: np.ndarray, lp: np.ndarray) -> np.ndarray:
    """Return the probabilities (d, k) of no event by each time; they never rise."""
    free = np.exp(-np.logaddexp(0.0, log_odds + lp[:, None]))
    return np.minimum.accumulate(free, axis=1)


def _average(free: np.ndarray, shares: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Average over what may be missing: who lived on tells something of it."""
    weight = free[:, 1] / free[:, 0]
    weight = weight / weight.sum()
    curves = free[:, 1:] / free[:, 1:2]
    steps = -np.diff(curves)[..., None] * shares
    incidence = np.einsum("d,dkc->kc", weight, np.cumsum(steps, axis=1))
    return np.minimum(weight @ curves, 1.0), np.vstack([np.zeros(len(CAUSES)), incidence])


def _crossing(free: np.ndarray, level: float, after: np.ndarray) -> float:
    """Return when a curve falls to a level, infinity where it doesn't."""
    return float(_crossings(free[None], level, after)[0])


def _crossings(free: np.ndarray, level: float, after: np.ndarray) -> np.ndarray:
    below = free <= level
    place = np.maximum(np.argmax(below, axis=1), 1)
    rows = np.arange(len(free))
    upper, lower = free[rows, place - 1], free[rows, place]
    part = (upper - level) / np.maximum(upper - lower, 1e-12)
    return np.where(below.any(axis=1), after[place - 1] + part * STEP, np.inf)


def _estimate(value: float, draws: np.ndarray) -> Estimate:
    """Return an estimate; orders, so that infinite draws (beyond the follow-up) do no harm."""
    low, high, low80, high80 = np.quantile(draws, _QUANTILES, method="nearest")
    return Estimate(*(_known(part) for part in (value, low, high, low80, high80)))


def _known(value: float) -> float | None:
    return float(value) if np.isfinite(value) else None


def _curve(after, free, free_drawn, incidence) -> Curve:
    shown = slice(None, None, CURVE_STEP)
    bands = np.quantile(free_drawn[:, shown], _QUANTILES, axis=0)
    return Curve(
        tuple(after[shown].tolist()),
        tuple(free[shown].tolist()),
        *(tuple(band.tolist()) for band in bands),
        incidence={
            cause: tuple(incidence[shown, place].tolist()) for place, cause in enumerate(CAUSES)
        },
    )


def _contributions(lp, spread, raw) -> tuple[Contribution, ...]:
    found = [
        Contribution(
            name, LABELS[name], _estimate(lp[place], spread[:, place]), _known(raw[place]),
            name not in CLINICAL,
        )
        for place, name in enumerate(PREDICTORS)
    ]  # fmt: skip
    return tuple(sorted(found, key=lambda part: -abs(part.log_odds.value)))


def _encals(person: PersonRecord, raw: np.ndarray, findings: list[Finding]) -> EncalsResult | None:
    given = encals_inputs(raw[None])
    lp = float(sum(encals.contributions(**given, outside="nan").values())[0])
    if np.isnan(lp) or person.group not in (None, "ALS"):
        wanting = [name for name, value in given.items() if np.isnan(value[0])]
        wanting = [_ENCALS_LABELS[name] for name in wanting if name != "c9orf72"]
        why = f"not known: {', '.join(wanting)}" if wanting else "a value is outside its range"
        if person.group not in (None, "ALS"):
            why = "the person has no diagnosis of ALS"
        findings.append(
            Finding(
                "encals-abstains",
                "info",
                f"The ENCALS model says nothing ({why})",
                "It needs every predictor but C9orf72, of a patient with ALS.",
            )
        )
        return None
    alive_at = float(person.months_since_onset or 0.0) + float(person.visits[-1].months or 0.0)
    risks = {h: 1 - float(encals.survival(lp, alive_at + h, alive_at)) for h in HORIZONS}
    return EncalsResult(
        lp, encals.risk_group(lp), float(encals.median_survival(lp, alive_at)), risks,
        not np.isnan(given["c9orf72"][0]),
    )  # fmt: skip
