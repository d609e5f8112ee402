"""What a fitted survival model still needs: how sure it may be later, and where it must be silent.

One set of coefficients for all visits says too much from the second on: what a visit says anew
holds until the next only, and part of it is the noise of ratings.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from scipy.optimize import minimize

from BrainstemALSLib.prediction.survival_model import VISITS, WIDENED, SurvivalModel
from BrainstemALSLib.prediction.survival_predictors import changes

from .survival_data import Patients
from .survival_truth import People, filled
from .survival_world import risk

ENDS = (0.001, 0.999)
"""Quantiles of the training visits between which the model speaks (own choice)."""
WHOLE = ("total",)
"""Kept as whole numbers."""
LEAST = 30
"""Visits below which nothing is recalibrated, and changes are not limited (own choice)."""


def recalibrated(model: SurvivalModel, aside: People, first: bool = False) -> SurvivalModel:
    """Return the model with offsets and slopes of the second and of later visits.

    Those of first visits stay 0 and 1: on development seeds their slope was 0.94, and the outer
    fifths of the 12-month risk were no nearer to the true one with it.

    Parameters
    ----------
    model : SurvivalModel
    aside : People
        Simulated ones whom the fit has not seen.
    first : bool
        The predictors read are those of first visits, also from later ones.
    """
    found = np.array([[0.0, 1.0]] * VISITS)
    raw = aside.first_raw if first else aside.raw
    for place in range(1, VISITS):
        rows = aside.rows(place + 1)
        if len(rows) >= LEAST:
            found[place] = line(model, filled(model, raw[rows]) @ model.beta, aside.take(rows))
    return replace(model, recalibration=found)


def line(model: SurvivalModel, lp: np.ndarray, people: People) -> np.ndarray:
    """Return offset and slope of linear predictors (n,) of visits.

    They make the cross-entropy of the risks within ``WIDENED`` months against the simulator's own
    risks least. Events drawn from these would say the same on average, with five times the noise.
    """
    entry, months = people.times.entry, np.array(WIDENED)
    truth = np.stack([risk(people.outcomes, entry, m) for m in months], axis=1)
    alone = replace(model, beta=np.ones(1))

    def loss(pair: np.ndarray) -> float:
        asked = replace(alone, recalibration=pair[None])
        found = asked.conditional_risk(lp[:, None], entry, months)
        found = np.clip(found, 1e-9, 1 - 1e-9)
        return -float(np.mean(truth * np.log(found) + (1 - truth) * np.log1p(-found)))

    return minimize(loss, np.array([0.0, 1.0]), method="Nelder-Mead").x


def with_domain(model: SurvivalModel, patients: Patients) -> SurvivalModel:
    """Return the model with the range of the training visits; recalibrate it before."""
    lp = filled(model, patients.values.raw) @ model.beta
    visits = np.array([len(record.visits) for record in patients.records])
    slope = model.recalibration[np.minimum(visits, VISITS) - 1, 1]
    facts = [changes(record) for record in patients.records]
    known = {name: np.array([fact[name] for fact in facts]) for name in facts[0]}
    domain = {
        "log_odds": _ends(slope * lp),
        "since_first": (0.0, float(np.ceil(known["since_first"].max()))),
    }
    for name, values in known.items():
        there = values[~np.isnan(values)]
        if name not in domain and len(there) >= LEAST:
            low, high = _ends(there)
            whole = name in WHOLE
            domain[name] = (float(np.floor(low)), float(np.ceil(high))) if whole else (low, high)
    return replace(model, domain=domain)


def _ends(values: np.ndarray) -> tuple[float, float]:
    low, high = np.quantile(values, ENDS)
    return float(low), float(high)
