"""Held-out simulated patients of the survival model, its comparators, and its intervals."""

from __future__ import annotations

import time
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from BrainstemALSLib.prediction.model_files import Training
from BrainstemALSLib.prediction.survival import predict_survival
from BrainstemALSLib.prediction.survival_model import CAUSES, RESPIRATORY, SurvivalModel
from BrainstemALSLib.prediction.survival_predictors import (
    IMAGING,
    PredictorValues,
    encals_inputs,
    transform,
)
from BrainstemALSLib.prognosis import encals

from ..cohort.config import load_config
from ..cohort.scenario import Scenario
from ..cohort.simulate import simulate
from ..prediction.survival import fit_survival
from ..prediction.survival_data import Patients, patients_of, simulated_cohort
from ..prediction.survival_fit import Times
from .prediction_survival_scores import Censored

STEP = 0.5
TRAINING = Training("simulated", {"ALS": 0}, 0, 0, "", "", "")
"""Of models that only this evaluation sees."""
NODES, WEIGHTS = np.polynomial.hermite_e.hermegauss(15)


@dataclass(frozen=True, eq=False)
class People:
    """Simulated patients and their truth.

    Attributes
    ----------
    patients : Patients
    truth : pandas.DataFrame
        ``Truth.participants``, one row each, in the same order.
    true_z : numpy.ndarray or None
        Imaging predictors without scanners and errors, scored by controls alike.
    errors : str
        Which errors of measurement.
    """

    patients: Patients
    truth: pd.DataFrame
    true_z: np.ndarray | None
    errors: str

    @property
    def raw(self) -> np.ndarray:
        return self.patients.values.raw

    @property
    def times(self) -> Times:
        return self.patients.times

    @property
    def follow_up(self) -> Censored:
        """Time after the visit."""
        return Censored(self.times.exit - self.times.entry, self.times.event)


def simulated_people(
    size: int, controls: int, seed: int, scenario: Scenario | None = None, true_z: bool = False
) -> People:
    """Simulate patients; with ``true_z`` also what error-free images would have said."""
    cohort, truth, words = simulated_cohort(size, controls, seed, scenario)
    patients = patients_of(cohort)
    ids = [record.participant for record in patients.records]
    clean = None
    if true_z:
        # The same people: every quantity has random numbers of its own.
        exact = replace(scenario or Scenario(), measurement_error=0.0, site_effect=0.0)
        config = load_config().with_values(visits__follow_ups=0)
        found = patients_of(simulate(config, controls, size, 0, seed, exact)[0])
        if [record.participant for record in found.records] != ids:
            raise ValueError("the error-free people are not the same")
        clean = found.values.raw[:, IMAGING]
    return People(patients, truth.participants.set_index("participant_id").loc[ids], clean, words)


def filled(model: SurvivalModel, raw: np.ndarray) -> np.ndarray:
    """Return standardised predictors (n, p), missing ones as expected."""
    return np.array([model.expected(row)[0] for row in model.standardised(transform(raw))])


def model_risks(model: SurvivalModel, raw: np.ndarray, times: Times, after: np.ndarray):
    """Return risks (n, k) within some months after the visit."""
    return model.conditional_risk(filled(model, raw), times.entry, after)


def encals_risks(raw: np.ndarray, times: Times, after: np.ndarray) -> np.ndarray:
    """Return the published model's risks (n, k); NaN where it abstains."""
    lp = sum(encals.contributions(**encals_inputs(raw), outside="nan").values())
    return true_risks(lp, times, after)


def true_risks(lp: np.ndarray, times: Times, after: np.ndarray) -> np.ndarray:
    """Return the simulator's risks (n, k) of these linear predictors (n,)."""
    entry = times.entry[:, None]
    return 1 - encals.survival(lp[:, None], entry + after, entry)


def cox_risks(
    model: SurvivalModel, train: People, test: People, after: np.ndarray, columns: slice
) -> np.ndarray:
    """Return risks (n, k) of a Cox model with delayed entry on the same predictors.

    Breslow's estimate of the baseline, as no fitted model of statsmodels gives it for late entry.
    """
    from statsmodels.duration.hazard_regression import PHReg

    x, t = filled(model, train.raw)[:, columns], train.times
    fit = PHReg(t.exit, x, status=t.event.astype(int), entry=t.entry, ties="breslow").fit(disp=0)
    score = np.exp(x @ fit.params)
    at = np.unique(t.exit[t.event])
    steps = np.array(
        [
            (t.event & (t.exit == month)).sum() / score[(t.entry < month) & (t.exit >= month)].sum()
            for month in at
        ]
    )
    hazard = np.concatenate([[0.0], np.cumsum(steps)])

    def cumulative(months):
        return hazard[np.searchsorted(at, months, side="right")]

    entry = test.times.entry
    gained = cumulative(entry[:, None] + after) - cumulative(entry)[:, None]
    return -np.expm1(-gained * np.exp(filled(model, test.raw)[:, columns] @ fit.params)[:, None])


def permuted_images(people: People, rng: np.random.Generator) -> PredictorValues:
    """Return predictors with everybody's images given to somebody else."""
    raw, sd = people.raw.copy(), people.patients.values.sd.copy()
    order = rng.permutation(len(raw))
    raw[:, IMAGING], sd[:, IMAGING] = raw[order, IMAGING], sd[order, IMAGING]
    return PredictorValues(raw, sd, people.patients.values.reasons)


def both_models(
    values: PredictorValues, times: Times, seed: int, strength: float | None = None
) -> tuple[SurvivalModel, SurvivalModel]:
    """Return the model with images and the clinical one."""
    return (
        fit_survival(values, times, TRAINING, seed, strength=strength),
        fit_survival(values, times, TRAINING, seed, imaging=False),
    )


def respiratory_risk(
    model: SurvivalModel, raw: np.ndarray, times: Times, horizon: float
) -> np.ndarray:
    """Return the cumulative incidence (n,) of NIV or tracheostomy as the first event."""
    after = np.arange(0.0, horizon + STEP / 2, STEP)
    x = filled(model, raw)
    free = model.conditional_risk(x, times.entry, after)
    middle = times.entry[:, None] + (after[1:] + after[:-1]) / 2
    shares = model.shares(x, middle)[..., [CAUSES.index(cause) for cause in RESPIRATORY]]
    return (np.diff(free)[..., None] * shares).sum(axis=(1, 2))


@dataclass(frozen=True, eq=False)
class Coverage:
    """Whether intervals hold the truth, of n people for whom there is a prediction.

    Attributes
    ----------
    asked, abstained : int
    held : dict of str to (numpy.ndarray, numpy.ndarray)
        What is the truth to: in the 95 % and in the 80 % interval of the 12-month risk, (n,) bool.
    range80 : numpy.ndarray of bool, shape (at most n,)
        Whether the event, seen or not, comes in the 80 % range of times; of those whose range ends
        within the follow-up of the training.
    width : float
        Median width of the 95 % interval of the 12-month risk.
    missing : numpy.ndarray of bool, shape (n,)
        Whether a predictor was missing.
    milliseconds : float
        Median time of one prediction, images scored included.
    """

    asked: int
    abstained: int
    held: dict[str, tuple[np.ndarray, np.ndarray]]
    range80: np.ndarray
    width: float
    missing: np.ndarray
    milliseconds: float


TRUTHS = (
    "risk given the clinical predictors and error-free images",
    "risk given also what no image shows",
)


def coverage(model: SurvivalModel, people: People, rows: range) -> Coverage:
    """Predict for some of the people one by one, and look whether intervals hold the truth.

    The first truth is the simulator's risk, averaged over what error-free images leave open of the
    factor that links brainstem and survival: a linear regression of it on the error-free
    predictors and the clinical ones, cross-fitted.
    """
    from sklearn.linear_model import RidgeCV
    from sklearn.model_selection import cross_val_predict

    after = np.array([12.0])
    raw = people.raw.copy()
    raw[:, IMAGING] = people.true_z
    x = filled(model, raw)
    own = people.truth["imaging_own"].to_numpy()
    expected = cross_val_predict(RidgeCV(np.logspace(0, 3, 7)), x, own, cv=10)
    left = np.std(own - expected)
    slope = load_config()["survival.imaging_log_odds"]
    clinical = people.truth["clinical_lp"].to_numpy()
    nodes = [
        true_risks(clinical + slope * (expected + left * node), people.times, after)[:, 0]
        for node in NODES
    ]
    truths = (
        np.average(nodes, axis=0, weights=WEIGHTS),
        true_risks(people.truth["lp"].to_numpy(), people.times, after)[:, 0],
    )
    wait = people.truth["event_months"].to_numpy() - people.times.entry
    held: dict[str, list] = {name: [] for name in TRUTHS}
    within, widths, spent, missing = [], [], [], []
    for row in rows:
        start = time.perf_counter()
        found = predict_survival(
            people.patients.records[row], model, people.patients.scored_by[row]
        )
        spent.append(1000 * (time.perf_counter() - start))
        if found.abstains:
            continue
        risk = found.risks[12]
        for name, truth in zip(TRUTHS, truths, strict=True):
            value = truth[row]
            held[name].append((risk.low <= value <= risk.high, risk.low80 <= value <= risk.high80))
        early, late = found.range80
        if late is not None:
            within.append(early <= wait[row] <= late)
        widths.append(risk.high - risk.low)
        missing.append(np.isnan(people.raw[row]).any())
    pairs = {name: tuple(np.array(values).T) for name, values in held.items()}
    return Coverage(
        len(spent), len(spent) - len(widths), pairs, np.array(within), float(np.median(widths)),
        np.array(missing), float(np.median(spent)),
    )  # fmt: skip
