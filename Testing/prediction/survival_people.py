"""A person and a model for the tests of survival predictions."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from BrainstemALSLib.prediction.model_files import Training
from BrainstemALSLib.prediction.records import PersonRecord, VisitRecord
from BrainstemALSLib.prediction.survival_model import SurvivalModel
from BrainstemALSLib.prediction.survival_predictors import CLINICAL, PREDICTORS

P = len(PREDICTORS)
PERSON = PersonRecord(
    "sub-1",
    age=62.0,
    sex="F",
    onset="spinal",
    onset_age=61.0,
    months_since_onset=14.0,
    diagnostic_delay=9.0,
    ftd=False,
    c9orf72=False,
    definite_ee=False,
    visits=(VisitRecord("ses-01", 0.0, total=38.0, fvc=85.0),),
)


def later(months=6.0, **known):
    """The person with another visit."""
    return replace(PERSON, visits=(*PERSON.visits, VisitRecord("ses-02", months, **known)))


def clinical_model() -> SurvivalModel:
    """The published clinical model, near enough, with imaging that matters little."""
    rng = np.random.default_rng(0)
    load = rng.standard_normal((P, P)) * 0.2
    spread = load @ load.T + 0.5 * np.eye(P)
    beta = np.zeros(P)
    beta[: len(CLINICAL)] = [-0.6, -0.7, -0.25, 0.35, 0.1, -0.1, 0.1, 0.1, 0.1, 0.1, 0.1]
    beta[len(CLINICAL) :] = -0.1
    centre, scale = np.zeros(P), np.ones(P)
    # Transformed predictors: rate, delay, age, FVC, ln months, since the first visit, five flags.
    centre[:11] = [1.2, 1.0, 2.7, 2.2, 2.7, 0.3, 0.3, 0.03, 0.3, 0.1, 0.07]
    scale[:11] = [0.35, 0.3, 1.0, 0.4, 0.5, 0.3, 0.46, 0.17, 0.46, 0.3, 0.25]
    low, high = np.full(P, -8.0), np.full(P, 8.0)
    low[:11], high[:11] = 0.0, [6, 60, 90, 150, 120, 12, 1, 1, 1, 1, 1]
    low[2] = 25.0
    knots = np.log([6.0, 24.0, 36.0, 90.0])
    training = Training("simulated", {"ALS": 9}, 1, 1, "test", "2026-01-01", "0")
    return SurvivalModel(
        training, PREDICTORS, centre, scale, knots, np.array([-11.0, 3.2, -0.3, 0.4]), beta,
        0.002 * np.eye(4 + P) * np.r_[0.1, 0.01, 0.01, 0.01, np.ones(P)], np.zeros(P), spread,
        low, high, 45.0, np.array([[-2.0, 0.1, 0.3, 0.1], [-2.7, 0.0, 0.1, 0.2]]),
        0.01 * np.eye(8), ("fvc", "bulbar_onset"),
    )  # fmt: skip


def errors(found):
    """The findings for which it abstains."""
    return [finding for finding in found.findings if finding.severity == "error"]
