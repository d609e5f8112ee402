"""Fit the survival model: ``python -m training.prediction.survival``; two minutes on one core.

Without ``--cohort`` on a simulated cohort, in the world of ``survival_world``, and the model says
so. With one, on its patients, each of their visits a landmark; nobody is set aside then, so that it
is neither recalibrated nor are its intervals widened.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from BrainstemALSLib.errors import BrainstemALSError, ExitCode
from BrainstemALSLib.prediction.model_files import Training
from BrainstemALSLib.prediction.survival_model import KIND, SurvivalModel, write_survival
from BrainstemALSLib.prediction.survival_predictors import (
    CLINICAL,
    FLAGS,
    IMAGING,
    PREDICTORS,
    PredictorValues,
    transform,
)

from ..commands import finish
from .source import (
    arguments,
    check_norms,
    few,
    keep_norms,
    norms_of_cohort,
    stated_cohort,
    target,
    training_of,
    without,
)
from .survival_data import patients_of, simulated_cohort
from .survival_fit import (
    LEAST_EVENTS,
    PENALTIES,
    Times,
    choose_penalty,
    fit_causes,
    fit_curve,
    gaussian,
    penalties,
)
from .survival_recalibration import recalibrated, with_domain
from .survival_truth import RECALIBRATION, SET_ASIDE, set_aside, simulated_people, widening
from .survival_world import OUTCOMES

PATIENTS, CONTROLS = 2000, 600
SEED = 20261201
CAUSE_NAMES = ("fvc", "bulbar_onset")
"""What may decide between death, NIV and tracheostomy: breathing and the bulbar region."""
TAILS = (0.0025, 0.9975)
MARGIN = 0.1
"""The model speaks between these quantiles of the training patients, and beyond by this share of
their distance (own choices)."""
FAR_MARGIN = 1.0
"""The same of imaging z-scores, in standard deviations (own choice)."""
LEAST_FVC = 12.0
"""Per cent of the predicted; below, it is litres (the lowest of the simulated patients)."""
LEAST_SCALE = 1e-3
NEEDED = "progression_rate"
"""Without it nobody gets a risk."""
ANYWHERE = 1e6
"""Limits of what the model does not read."""


def fit_survival(
    values: PredictorValues,
    times: Times,
    training: Training,
    seed: int,
    imaging: bool = True,
    strength: float | None = None,
) -> SurvivalModel:
    """Fit everything that the model holds.

    Parameters
    ----------
    values : PredictorValues
        Of n visits.
    times : Times
    training : Training
    seed : int
        Of the folds.
    imaging : bool
        False holds all imaging coefficients at 0: the clinical model.
    strength : float, optional
        Of ``survival_fit.penalties``, instead of choosing it.

    Raises
    ------
    BrainstemALSError
        USAGE: too few events, or nobody has a rate of progression. What else nobody has is left
        out: its coefficient is 0.
    """
    raw = values.raw
    if times.events < LEAST_EVENTS:
        raise BrainstemALSError(
            "cohort", f"{times.events} patients had an event",
            f"Give a cohort with {LEAST_EVENTS} or more.", ExitCode.USAGE,
        )  # fmt: skip
    lacking = few(raw, PREDICTORS)
    if NEEDED in lacking:
        raise BrainstemALSError(
            "cohort", "nobody has an ALSFRS-R at a visit", "Fill in the ratings.", ExitCode.USAGE,
        )  # fmt: skip
    had = np.flatnonzero([name not in lacking for name in PREDICTORS])
    there = np.ascontiguousarray(transform(raw)[:, had])
    p = len(PREDICTORS)
    centre, scale, mean, spread = np.zeros(p), np.ones(p), np.zeros(p), np.eye(p)
    centre[had] = np.nanmean(there, axis=0)
    scale[had] = np.maximum(np.nanstd(there, axis=0), LEAST_SCALE)
    filled = np.zeros(raw.shape)
    mean[had], spread[np.ix_(had, had)], filled[:, had] = gaussian(
        (there - centre[had]) / scale[had]
    )
    columns = had if imaging else had[had < len(CLINICAL)]
    clinical = int((had < len(CLINICAL)).sum())
    names = [PREDICTORS[k] for k in columns]
    if not imaging:
        strength = PENALTIES[-1]  # of nothing
    elif strength is None:
        rng = np.random.default_rng(seed)
        strength, _ = choose_penalty(filled[:, had], times, names, clinical, rng)
    ridge = penalties(names, clinical, strength)
    curve = fit_curve(filled[:, columns], times, ridge)
    q = len(curve.knots)
    beta, covariance = np.zeros(p), np.zeros((q + p, q + p))
    beta[columns] = curve.beta
    places = np.r_[np.arange(q), q + columns]
    covariance[np.ix_(places, places)] = curve.covariance
    chosen = filled[:, [PREDICTORS.index(name) for name in CAUSE_NAMES]]
    cause, cause_covariance = fit_causes(chosen, times, curve.knots)
    low, high = np.full(p, -ANYWHERE), np.full(p, ANYWHERE)
    limits = _domain(np.where(np.isnan(raw).all(axis=0), 0.0, raw))
    low[had], high[had] = limits[0][had], limits[1][had]
    horizon = float(np.floor(np.quantile(times.exit - times.entry, 0.99)))
    return SurvivalModel(
        without(training, lacking), PREDICTORS, centre, scale, curve.knots, curve.gamma, beta,
        covariance, mean, spread, low, high, horizon, cause,
        cause_covariance, CAUSE_NAMES,
    )  # fmt: skip


def _domain(raw: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    low, high = np.nanquantile(raw, TAILS, axis=0)
    margin = MARGIN * (high - low)
    margin[IMAGING] = FAR_MARGIN
    low, high = low - margin, high + margin
    numbers = [PREDICTORS.index(name) for name in CLINICAL if name not in FLAGS]
    low[numbers] = np.maximum(low[numbers], 0.0)
    breath = PREDICTORS.index("fvc")
    low[breath] = max(low[breath], LEAST_FVC)
    flags = [PREDICTORS.index(name) for name in FLAGS]
    low[flags], high[flags] = 0.0, 1.0
    return low, high


def main() -> None:
    given = arguments(__doc__ or "", KIND, SEED)

    def command() -> None:
        path, name = target(given, KIND), "python -m training.prediction.survival"
        if given.cohort:
            cohort, seed = stated_cohort(given.cohort)
            errors, name = "of the cohort", f"{name} --cohort DIR"
        else:
            cohort, _, _, errors = simulated_cohort(PATIENTS, CONTROLS, given.seed)
            seed, name = given.seed, f"{name} --seed {given.seed}"
        patients = patients_of(cohort)
        norms = norms_of_cohort(cohort, seed) if given.cohort and patients.own_norms else None
        if norms is not None:
            check_norms(given, path, norms)
        als = cohort.participants[cohort.participants["group"] == "ALS"]
        training = replace(
            training_of(cohort, seed, patients.scored_by[0]), people={"ALS": patients.people},
            sites=int(als["site"].nunique()), command=name,
        )  # fmt: skip
        model = fit_survival(patients.values, patients.times, training, given.seed)
        if not given.cohort:
            model = replace(model, outcomes=OUTCOMES)
            # Each from other people: what the one learned would flatter the next.
            others = simulated_people(SET_ASIDE, CONTROLS, given.seed + RECALIBRATION)
            model = recalibrated(model, others)
        model = with_domain(model, patients)
        if not given.cohort:
            aside = set_aside(SET_ASIDE, CONTROLS, given.seed)
            model = replace(model, widening=widening(model, aside, given.seed + 1))
        write_survival(path, model)
        if norms is not None:
            keep_norms(given, path, norms)
        print(f"{patients.left_out} patients without follow-up were left out")
        print(f"Images: {patients.norms}; errors of measurement {errors}")
        print(f"{len(patients)} visits of {patients.people} patients")
        print(f"Wrote {path.name}, {model.statement}")

    finish(command)


if __name__ == "__main__":
    main()
