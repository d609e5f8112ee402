"""Held-out simulated patients of the survival model, its comparators, and its intervals."""

from __future__ import annotations

import time
from dataclasses import dataclass

import numpy as np

from BrainstemALSLib.prediction.model_files import Training
from BrainstemALSLib.prediction.parts import Estimate
from BrainstemALSLib.prediction.survival import predict_survival
from BrainstemALSLib.prediction.survival_model import CAUSES, RESPIRATORY, SurvivalModel
from BrainstemALSLib.prediction.survival_predictors import (
    IMAGING,
    PREDICTORS,
    PredictorValues,
    encals_inputs,
)
from BrainstemALSLib.prognosis import encals

from ..prediction.survival import fit_survival
from ..prediction.survival_fit import Times
from ..prediction.survival_truth import TRUTHS, People, filled
from ..prediction.survival_world import risk
from .prediction_survival_aft import fit_aft
from .prediction_survival_scores import Censored

STEP = 0.5
TRAINING = Training("simulated", {"ALS": 0}, 0, 0, "", "", "")
"""Of models that only this evaluation sees."""


def follow_up(people: People) -> Censored:
    """Return the times after the visits."""
    return Censored(people.times.exit - people.times.entry, people.times.event)


def people_risks(model: SurvivalModel, people: People, after: np.ndarray) -> np.ndarray:
    """Return risks (n, k) from the predictors of the visits themselves."""
    visits = np.array([len(record.visits) for record in people.patients.records])
    return model_risks(model, people.raw, people.times, after, visits)


def model_risks(
    model: SurvivalModel,
    raw: np.ndarray,
    times: Times,
    after: np.ndarray,
    visits: np.ndarray | int = 1,
):
    """Return risks (n, k) within some months after the visit."""
    return model.conditional_risk(filled(model, raw), times.entry, after, visits)


def encals_risks(raw: np.ndarray, times: Times, after: np.ndarray) -> np.ndarray:
    """Return the published model's risks (n, k); NaN where it abstains."""
    lp = sum(encals.contributions(**encals_inputs(raw), outside="nan").values())
    entry = times.entry[:, None]
    return 1 - encals.survival(lp[:, None], entry + after, entry)


def own_risks(people: People, after: np.ndarray) -> np.ndarray:
    """Return the simulator's risks (n, k), the findings of days to come included."""
    return np.stack([risk(people.outcomes, people.times.entry, m) for m in after], axis=1)


def aft_risks(
    kind: str, model: SurvivalModel, train: People, test: People, after: np.ndarray
) -> np.ndarray:
    """Return risks (n, k) of an AFT model with delayed entry on the same predictors."""
    found = fit_aft(kind, _moving(filled(model, train.raw)), train.times)
    return found.risks(_moving(filled(model, test.raw)), test.times.entry, after)


def _moving(x: np.ndarray) -> np.ndarray:
    """Leave out what is the same at all first visits."""
    return np.delete(x, PREDICTORS.index("months_since_first"), axis=1)


def cox_risks(
    model: SurvivalModel, train: People, test: People, after: np.ndarray, columns: slice
) -> np.ndarray:
    """Return risks (n, k) of a Cox model with delayed entry on the same predictors, a visit each.

    Breslow's estimate of the baseline, as no fitted model of statsmodels gives it for late entry.
    """
    from statsmodels.duration.hazard_regression import PHReg

    x, t = _moving(filled(model, train.raw)[:, columns]), train.times
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
    score_test = _moving(filled(model, test.raw)[:, columns]) @ fit.params
    gained = cumulative(entry[:, None] + after) - cumulative(entry)[:, None]
    return -np.expm1(-gained * np.exp(score_test)[:, None])


def permuted_images(people: People, rng: np.random.Generator) -> PredictorValues:
    """Return predictors with everybody's images given to somebody else."""
    raw, sd = people.raw.copy(), people.patients.values.sd.copy()
    _, person = np.unique(people.times.person, return_inverse=True)
    # Of one visit of somebody else: the same for all visits of a person.
    giver = rng.permutation(person.max() + 1)
    first = np.flatnonzero(~people.times.later)
    order = first[giver[person]]
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
    limited : int
        Of whom the form of the model limits the risk (``survival-cap``).
    held : dict of str to (numpy.ndarray, numpy.ndarray)
        What is the truth to: in the 95 % and in the 80 % interval of the 12-month risk, (n,) bool.
    other : dict of float to (numpy.ndarray, numpy.ndarray)
        The same of the first of them, by months of the other horizons.
    risk : numpy.ndarray, shape (n,)
        Within 12 months.
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
    limited: int
    held: dict[str, tuple[np.ndarray, np.ndarray]]
    other: dict[float, tuple[np.ndarray, np.ndarray]]
    risk: np.ndarray
    range80: np.ndarray
    width: float
    missing: np.ndarray
    milliseconds: float


def coverage(
    model: SurvivalModel,
    people: People,
    truths: tuple[np.ndarray, np.ndarray],
    rows: np.ndarray,
    others: dict[float, np.ndarray] | None = None,
) -> Coverage:
    """Predict for some of the visits one by one, and look whether intervals hold the truths.

    Parameters
    ----------
    truths : tuple of numpy.ndarray
        Both of ``TRUTHS`` within 12 months.
    others : dict of float to numpy.ndarray, optional
        The first of them within other months.
    """
    wait = people.outcomes.end - people.times.entry
    held: dict[str, list] = {name: [] for name in TRUTHS}
    other: dict[float, list] = {months: [] for months in others or {}}
    within, widths, spent, missing, risks = [], [], [], [], []
    limited = 0
    for row in rows:
        start = time.perf_counter()
        found = predict_survival(
            people.patients.records[row], model, people.patients.scored_by[row]
        )
        spent.append(1000 * (time.perf_counter() - start))
        if found.abstains:
            continue
        given = found.risks[12]
        for name, truth in zip(TRUTHS, truths, strict=True):
            held[name].append(_holds(given, truth[row]))
        for months, values in other.items():
            if months in found.risks:
                values.append(_holds(found.risks[round(months)], others[months][row]))
        risks.append(given.value)
        limited += any(one.code == "survival-cap" for one in found.findings)
        early, late = found.range80
        if late is not None:
            within.append(early <= wait[row] <= late)
        widths.append(given.high95 - given.low95)
        missing.append(np.isnan(people.raw[row]).any())
    return Coverage(
        len(spent), len(spent) - len(widths), limited, _columns(held), _columns(other),
        np.array(risks), np.array(within), float(np.median(widths)), np.array(missing),
        float(np.median(spent)),
    )  # fmt: skip


def _holds(given: Estimate, value: float) -> tuple[bool, bool]:
    return given.low95 <= value <= given.high95, given.low80 <= value <= given.high80


def _columns(held: dict) -> dict:
    return {name: tuple(np.array(values, bool).reshape(-1, 2).T) for name, values in held.items()}
