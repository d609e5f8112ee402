"""How long until death or respiratory failure, for one person, with intervals and reasons.

Bands come from draws: coefficients from their covariance, z-scores from what their measurement
leaves open, missing predictors from what the others let expect. The estimate itself is the curve of
the estimated coefficients, averaged over missing predictors.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from scipy.special import expit, logit

from ..imaging.finding import Finding
from ..norms.score import Norms
from ..prognosis import encals
from .measurement import MeasurementError, read_measurement
from .parts import QUANTILES, Contribution, Estimate, around
from .records import PersonRecord
from .survival_findings import (
    about_input,
    far_outside,
    near_the_most,
    outside,
    outside_as_a_whole,
    reached,
    short_follow_up,
)
from .survival_model import CAUSES, RESPIRATORY, WIDENED, SurvivalModel, square_root
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
    Curve,
    EncalsResult,
    SurvivalPrediction,
)

DRAWS = 200
SEED = 20261130
STEP = 0.5
"""Months between the points at which curves are computed."""
YEAR = 12
CURVE_STEP = 4
"""Of them, each fourth is given."""
_ENCALS_LABELS = LABELS | {"age_at_onset": LABELS["onset_age"]}


def predict_survival(
    person: PersonRecord,
    model: SurvivalModel,
    norms: Norms | None,
    measurement: MeasurementError | None = None,
) -> SurvivalPrediction:
    """Predict from the findings of the last visit, given that nothing happened until then.

    Parameters
    ----------
    person : PersonRecord
        With one visit or more; its outcome is not read.
    model : SurvivalModel
        Of ``survival_model.read_survival``.
    norms : Norms or None
        None leaves the images out.
    measurement : MeasurementError, optional
        The bundled one by default.

    Returns
    -------
    SurvivalPrediction

    Raises
    ------
    BrainstemALSError
        USAGE: no visit, visits out of order or on one date, a value that cannot be.

    Notes
    -----
    It abstains where the end point has happened (``survival_findings.reached``) and where the last
    visit, or its change, is none that a training patient had. It warns where the fall since the
    first visit is faster than before: the model reads the pace since onset as a whole; and where
    its form, not the findings, limits the risk (``SurvivalModel.most``). The ENCALS model beside it
    reads the first visit, as it was published.
    """
    values = predictors_of([person], norms)
    raw = values.raw[0]
    start = SurvivalPrediction(model.statement)
    abstain = outside(person, raw, model)
    far = (raw[IMAGING] < model.low[IMAGING]) | (raw[IMAGING] > model.high[IMAGING])
    used = raw.copy()
    used[IMAGING] = np.where(far, np.nan, raw[IMAGING])
    visits = len(person.visits)
    if not abstain:
        found, _ = model.expected(model.standardised(transform(used)))
        whole = outside_as_a_whole(float(model.at(visits)[1][1] * (found @ model.beta)), model)
        abstain = [] if whole is None else [whole]
    # Where nothing is predicted, nothing is said of what limits it.
    findings = [] if abstain else about_input(person, raw, norms is not None, model)
    # Its end point is the same.
    beside = None if reached(person) else _encals(person, findings)
    if abstain:
        return replace(start, findings=(*abstain, *findings), encals=beside)
    if far.any():
        findings.append(far_outside([PREDICTORS[IMAGING][k] for k in np.flatnonzero(far)]))
    return _predict(
        start, model, measurement or read_measurement(), used,
        replace(values.images, z=used[None, IMAGING]),
        raw[PREDICTORS.index("months_since_onset")], visits, findings, beside,
    )  # fmt: skip


def _predict(
    start, model, measurement, raw, images, alive_at, visits, findings, beside
) -> SurvivalPrediction:
    widening, (offset, slope) = model.at(visits)
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
    seen = _remeasured(model, measurement, raw, images, filled, missing, rng)
    q = len(model.knots)
    theta = np.concatenate([model.gamma, model.beta])
    drawn = theta + rng.standard_normal((DRAWS, len(theta))) @ square_root(model.covariance).T
    causes = model.cause.ravel() + rng.standard_normal((DRAWS, model.cause.size)) @ square_root(
        model.cause_covariance
    ).T  # fmt: skip
    after = np.arange(0.0, model.horizon + STEP / 2, STEP)
    months = alive_at + after
    centre = _free(model.log_odds(months), offset + slope * (filled @ model.beta))
    middle = alive_at + (after[1:] + after[:-1]) / 2
    free, incidence = _average(centre, model.shares(filled, middle))
    spread = slope * seen * drawn[:, q:]
    bands = _free(model.log_odds(months, drawn[:, :q]), offset + spread.sum(axis=1))
    free_drawn = bands / bands[:, :1]
    parts = model.shares(seen, middle, causes.reshape(DRAWS, *model.cause.shape))
    parts = np.cumsum(-np.diff(free_drawn)[..., None] * parts, axis=1)
    respiratory = [CAUSES.index(cause) for cause in RESPIRATORY]
    factors = _factors(widening, after)
    ends = _wider(factors, free, np.quantile(free_drawn, QUANTILES, axis=0))
    ends = np.minimum.accumulate(ends, axis=1)
    risks, failures = {}, {}
    for horizon in HORIZONS:
        place = round(horizon / STEP)
        if place < len(after):
            risks[horizon] = Estimate.of(1 - ends[::-1, place], 1 - free[place])
            share = incidence[place, respiratory].sum()
            failures[horizon] = Estimate.of(
                _wider(
                    factors[:, place], share,
                    np.quantile(parts[:, place - 1, respiratory].sum(axis=-1), QUANTILES),
                ),
                share,
            )  # fmt: skip
    if len(risks) < len(HORIZONS):
        findings.append(short_follow_up(model))
    if YEAR in risks:
        limited = near_the_most(
            risks[YEAR].value, risks[YEAR].high95, model.most(alive_at, float(YEAR))
        )
        findings += [] if limited is None else [limited]
    median = Estimate.of(_crossings(ends, 0.5, after), _crossing(free, 0.5, after))
    lp = slope * mean * model.beta
    return replace(
        start,
        findings=tuple(findings),
        months_since_onset=alive_at,
        log_odds=float(lp.sum()),
        curve=_curve(after, free, ends, incidence),
        risks=risks,
        respiratory_failure=failures,
        median_months=median,
        range80=(_known(_crossing(free, 0.9, after)), _known(_crossing(free, 0.1, after))),
        contributions=_contributions(lp, spread, raw),
        encals=beside,
    )


def _remeasured(model, measurement, raw, images, filled, missing, rng) -> np.ndarray:
    """Return standardised predictors (DRAWS, p) as they might have been measured."""
    again = np.repeat(raw[None], DRAWS, axis=0)
    again[:, IMAGING] = measurement.drawn(images, DRAWS, rng)[:, 0]
    return np.where(missing, filled, model.standardised(transform(again)))


def _free(log_odds: np.ndarray, lp: np.ndarray) -> np.ndarray:
    """Return the probabilities (d, k) of no event by each time; they never rise."""
    free = np.exp(-np.logaddexp(0.0, log_odds + lp[:, None]))
    return np.minimum.accumulate(free, axis=1)


def _average(free: np.ndarray, shares: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Average curves over what may be missing; 1 at the visit."""
    curves = free / free[:, :1]
    steps = -np.diff(curves)[..., None] * shares
    incidence = np.cumsum(steps, axis=1).mean(axis=0)
    return curves.mean(axis=0), np.vstack([np.zeros(len(CAUSES)), incidence])


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


def _factors(widening: np.ndarray, after: np.ndarray) -> np.ndarray:
    """Return by how much each of ``QUANTILES`` is moved away, (5, k); straight between months."""
    narrow, wide = (np.interp(after, WIDENED, widening[:, level]) for level in range(2))
    return np.stack([wide, narrow, np.ones_like(after), narrow, wide])


def _wider(factors: np.ndarray, value: np.ndarray | float, quantiles: np.ndarray) -> np.ndarray:
    """Return ends of intervals (5, ...) moved away from a probability, on the log odds."""

    def odds(probability):
        return logit(np.clip(probability, 1e-12, 1 - 1e-12))

    return expit(odds(value) + factors * (odds(quantiles) - odds(value)))


def _known(value: float) -> float | None:
    return float(value) if np.isfinite(value) else None


def _curve(after, free, ends, incidence) -> Curve:
    shown = slice(None, None, CURVE_STEP)
    low95, low80, _, high80, high95 = ends[:, shown]
    return Curve(
        tuple(after[shown].tolist()),
        tuple(free[shown].tolist()),
        *(tuple(band.tolist()) for band in (low80, high80, low95, high95)),
        incidence={
            cause: tuple(incidence[shown, place].tolist()) for place, cause in enumerate(CAUSES)
        },
    )


def _contributions(lp, spread, raw) -> tuple[Contribution, ...]:
    low, high = around(lp, np.quantile(spread, (QUANTILES[0], QUANTILES[-1]), axis=0))
    found = [
        Contribution(
            name, LABELS[name], _known(raw[place]), float(lp[place]), float(low[place]),
            float(high[place]), name not in CLINICAL,
        )
        for place, name in enumerate(PREDICTORS)
    ]  # fmt: skip
    return tuple(sorted(found, key=lambda part: -abs(part.log_odds)))


def _encals(person: PersonRecord, findings: list[Finding]) -> EncalsResult | None:
    """Return what the published model says of the first visit: for its time it was made."""
    given = encals_inputs(predictors_of([person.until(1)], None).raw)
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
                "It needs every predictor but C9orf72 at the first visit, of a patient with ALS.",
            )
        )
        return None
    alive_at = float(person.months_since_onset or 0.0) + float(person.visits[-1].months or 0.0)
    risks = {h: 1 - float(encals.survival(lp, alive_at + h, alive_at)) for h in HORIZONS}
    return EncalsResult(
        lp, encals.risk_group(lp), float(encals.median_survival(lp, alive_at)), risks,
        not np.isnan(given["c9orf72"][0]),
    )  # fmt: skip
