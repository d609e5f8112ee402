"""Nested cross-validation of classifiers with whole sites held out, and their comparators.

All that learns (norms, penalties, calibration, comparators) sees the training sites of a fold only.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from BrainstemALSLib.anatomy import REGIONS, load_structures
from BrainstemALSLib.cohort.tables import Cohort
from BrainstemALSLib.prediction.classification_model import PATIENTS, QUESTIONS
from BrainstemALSLib.prediction.features import NAMES

from ..prediction.classification import VOLUMES
from ..prediction.classification_data import (
    People,
    folds,
    labelled,
    left_out_features,
    norms_of,
    people_of,
    scored,
)
from ..prediction.classification_fit import INNER, fit, fit_calibration
from .prediction_classification_metrics import areas

OUTER = 4
LOGISTIC, ADDITIVE = "penalised logistic", "additive curves"
LOGISTIC_VOLUMES = "penalised logistic, volumes only"
BOOSTING, BOOSTING_ALL = "gradient boosting, ten features", "gradient boosting, all measures"
NETWORK = "network (MLP) on all measures"
WHO = "age and sex alone, no image"
METHODS = (LOGISTIC, ADDITIVE, LOGISTIC_VOLUMES, BOOSTING, BOOSTING_ALL, NETWORK, WHO)
OURS = METHODS[:3]
MEASURES = ("volume", "fa", "md")
Learner = Callable[[np.ndarray, np.ndarray], Callable[[np.ndarray], np.ndarray]]


@dataclass(frozen=True, eq=False)
class HeldOut:
    """Calibrated log-odds of people whose site was held out.

    Attributes
    ----------
    eta : dict of str to numpy.ndarray, shape (n,)
        By method.
    y : numpy.ndarray of bool, shape (n,)
    fold : numpy.ndarray of int, shape (n,)
        In which they were held out.
    """

    eta: dict[str, np.ndarray]
    y: np.ndarray
    fold: np.ndarray

    def within(self, method: str) -> float:
        """Return the AUC over pairs of one fold: folds differ in what was learned."""
        found, pairs = [], []
        for k in np.unique(self.fold):
            rows = self.fold == k
            y = self.y[rows]
            found.append(float(areas(self.eta[method][rows], y).auc[0]))
            pairs.append(float(y.sum()) * float((~y).sum()))
        return float(np.average(found, weights=pairs))


def nested(
    cohort: Cohort, seed: int, question: str = "healthy", methods: tuple[str, ...] = METHODS
) -> HeldOut:
    """Cross-validate methods on one cohort.

    Parameters
    ----------
    cohort : Cohort
    seed : int
        Of the folds and of comparators that draw.
    question : str
        Of ``QUESTIONS``.
    methods : tuple of str
        Of ``METHODS``.
    """
    people = people_of(cohort, seed)
    asked = labelled(people, QUESTIONS[question][0])
    wide = _all_measures(cohort, people) if {BOOSTING_ALL, NETWORK} & {*methods} else None
    eta = {name: np.full(len(people), np.nan) for name in methods}
    fold = np.zeros(len(people), int)
    for k, held in enumerate(folds(people.site, OUTER, seed)):
        fold[held] = k
        z = left_out_features(people, ~held)
        z[held] = scored(people, held, norms_of(people, ~held)).z
        whole = np.isfinite(z).all(axis=1)
        train, test = ~held & asked & whole, held & asked & whole
        y, site = people.group[train] == PATIENTS, people.site[train]
        for name in methods:
            X = _inputs(name, z, wide, people, ~held & whole)
            if name in OURS:
                healthy = people.group[train] == "HC"
                form = "additive" if name == ADDITIVE else "logistic"
                eta[name][test] = fit(X[train], y, healthy, site, form).log_odds(X[test])
            else:
                learn = _learner(name, seed)
                offset, slope = fit_calibration(_inner(learn, X[train], y, site), y)
                eta[name][test] = offset + slope * learn(X[train], y)(X[test])
    known = np.isfinite(eta[methods[0]])
    y = people.group[known] == PATIENTS
    return HeldOut({name: v[known] for name, v in eta.items()}, y, fold[known])


def elsewhere(learned: Cohort, asked: Cohort, seed: int) -> float:
    """Return the AUC in one cohort of a logistic form, and norms, learned in another."""
    people, others = people_of(learned, seed), people_of(asked, seed)
    everybody = np.ones(len(people), bool)
    z = left_out_features(people, everybody)
    new = scored(others, np.ones(len(others), bool), norms_of(people, everybody)).z
    rows, known = np.isfinite(z).all(axis=1), np.isfinite(new).all(axis=1)
    group = people.group[rows]
    fitted = fit(z[rows], group == PATIENTS, group == "HC", people.site[rows], "logistic")
    y = others.group[known] == PATIENTS
    return float(areas(fitted.log_odds(new[known]), y).auc[0])


def _inner(learn: Learner, X: np.ndarray, y: np.ndarray, site: np.ndarray) -> np.ndarray:
    eta = np.full(len(y), np.nan)
    for held in folds(site, INNER, seed=0):
        eta[held] = learn(X[~held], y[~held])(X[held])
    return eta


def _inputs(
    name: str, z: np.ndarray, wide: np.ndarray | None, people: People, train: np.ndarray
) -> np.ndarray:
    if name == LOGISTIC_VOLUMES:
        return z[:, [NAMES.index(v) for v in VOLUMES]]
    if name in (BOOSTING_ALL, NETWORK):
        return _standardised(wide, people, train & (people.group == "HC"))
    if name == WHO:
        male = people.sex == "M"
        age = np.nan_to_num((people.age - 60.0) / 10.0)
        return np.stack([age, age**2, male.astype(float)], axis=1)
    return z


def _learner(name: str, seed: int) -> Learner:
    from sklearn.ensemble import HistGradientBoostingClassifier
    from sklearn.linear_model import LogisticRegression
    from sklearn.neural_network import MLPClassifier

    def learn(X: np.ndarray, y: np.ndarray) -> Callable[[np.ndarray], np.ndarray]:
        if name == WHO:
            model = LogisticRegression().fit(X, y)
            return model.decision_function
        if name == NETWORK:
            # Weight decay and early stopping: 126 inputs, some hundred people (own choice).
            model = MLPClassifier(
                (32,), alpha=10.0, early_stopping=True, max_iter=300, n_iter_no_change=15,
                random_state=seed,
            ).fit(X, y)  # fmt: skip
            return lambda new: _logit(model.predict_proba(new)[:, 1])
        # Small trees and a slow rate, for the same reason (own choice).
        model = HistGradientBoostingClassifier(
            learning_rate=0.05, max_iter=80, max_leaf_nodes=5, l2_regularization=1.0,
            random_state=seed,
        ).fit(X, y)  # fmt: skip
        return model.decision_function

    return learn


def _logit(p: np.ndarray) -> np.ndarray:
    p = np.clip(p, 1e-6, 1.0 - 1e-6)
    return np.log(p / (1.0 - p))


def _all_measures(cohort: Cohort, people: People) -> np.ndarray:
    """Return volume (ln), FA and MD of all single structures, and ln(head size), (n, 3 K + 1)."""
    inside = [s.key for s in load_structures() if s.parent in REGIONS]
    names = [f"{key} {measure}" for key in inside for measure in MEASURES]
    rows = cohort.measures
    rows = rows[(rows["session_id"] == "ses-01") & (rows["quality"] != "bad")]
    wide = rows.assign(name=rows["structure"] + " " + rows["measure"]).pivot(
        index="participant_id", columns="name", values="value"
    )
    ids = [record.participant for record in people.records]
    values = wide.reindex(ids)[[*names, "intracranial volume"]].to_numpy(float)
    logs = np.array([name.endswith(" volume") for name in (*names, "intracranial volume")])
    return np.where(logs, np.log(np.where(logs, values, 1.0)), values)


def _standardised(wide: np.ndarray, people: People, controls: np.ndarray) -> np.ndarray:
    """Return distances from what controls (rows) measure at this age, sex and head size, in SDs."""
    age = (people.age - 60.0) / 10.0
    male = (people.sex == "M").astype(float)
    head = wide[:, -1]
    design = np.stack([np.ones_like(age), age, age**2, male, head], axis=1).astype(float)
    beta, *_ = np.linalg.lstsq(design[controls], wide[controls, :-1], rcond=None)
    away = wide[:, :-1] - design @ beta
    return away / away[controls].std(axis=0)
