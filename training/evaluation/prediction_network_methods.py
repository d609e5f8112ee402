"""The imaging network and the classifiers beside it, asked about the same new people."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from sklearn.linear_model import LogisticRegression

from BrainstemALSLib.norms import Norms
from BrainstemALSLib.prediction.classification import LEAST_DRAWS, classify
from BrainstemALSLib.prediction.classification_model import PATIENTS, Classifiers
from BrainstemALSLib.prediction.features import NAMES
from BrainstemALSLib.prediction.norms_once import NormsOnce

from ..cohort.scenario import Scenario
from ..prediction.classification_data import People, left_out_features, norms_of, scored
from ..prediction.classification_fit import fit
from ..prediction.network.images import read_images
from ..prediction.network.learning import Schedule, asked, cross_fitted
from ..prediction.network.people import Simulated, simulated
from ..prediction.network.voxels import COARSE, fit_voxels
from .prediction_classification_metrics import areas

NO_ERROR = Scenario(measurement_error=0.0)
"""The same people at the same scanners, measured without error."""
BOOTSTRAPS = 2000


@dataclass(frozen=True, eq=False)
class Method:
    """What one method said.

    Attributes
    ----------
    name : str
    learned_from : int
        People that it, without its norms, was learned from.
    eta : numpy.ndarray, shape (n,)
        Calibrated log-odds of the new people at 50 %; NaN where it abstained.
    inner : float or None
        AUC among the training people, each by a network or curves that had not seen the site.
    own : float or None
        AUC among the training people by networks trained on them.
    """

    name: str
    learned_from: int
    eta: np.ndarray
    inner: float | None = None
    own: float | None = None


def networks(
    learned: Simulated, new: Simulated, schedule: Schedule, seeds: tuple[int, ...]
) -> list[Method]:
    """Train with every seed; returns what each says."""
    people = asked(read_images(learned), learned.known)
    others = asked(read_images(new), new.known)
    y, found = learned.patient, []
    for seed in seeds:
        trained = cross_fitted(people, y, learned.site, schedule, seed)
        inner, own = (float(areas(eta, y).auc[0]) for eta in (trained.inner, trained.own))
        name = f"imaging network, {len(y)} people, seed {seed}"
        found.append(Method(name, len(y), trained.log_odds(others), inner, own))
    return found


def straight_line(learned: Simulated, new: Simulated) -> Method:
    """Return what a ridge on coarse voxels of the same images says."""
    line, inner = fit_voxels(read_images(learned), learned.patient, learned.site)
    auc = float(areas(inner, learned.patient).auc[0])
    name = f"ridge on voxels of {2 * COARSE} mm, the same images"
    return Method(name, len(inner), line(read_images(new)), auc)


def frozen(models: Classifiers, norms: Norms, new: Simulated, people: int) -> list[Method]:
    """Return what the classifier that comes along says, with errors of segmentation and without."""
    clean = simulated(new.plan, NO_ERROR)
    if clean.ids != new.ids:
        raise ValueError("another scenario has other people")
    name = "classifier that comes along"
    return [
        Method(name, people, _evidence(models, norms, new)),
        Method(f"{name}, no error of segmentation", people, _evidence(models, norms, clean)),
    ]


def fitted(norms: Norms, learned: Simulated, new: Simulated) -> list[Method]:
    """Return logistic classifiers of the network's own training people, with either norms."""
    rows = learned.rows
    mask = np.isin(np.arange(len(learned.people)), rows)
    there = np.isin(np.arange(len(new.people)), new.rows)
    of_controls = norms_of(learned.people, mask)
    y, site = learned.people.group[rows] == PATIENTS, learned.people.site[rows]
    found = []
    for name, z, in_use in (
        ("norms that come along", _features(learned.people, mask, norms), norms),
        ("norms of its controls", left_out_features(learned.people, mask), of_controls),
    ):
        z, other = z[rows], _features(new.people, there, in_use)[new.rows]
        whole, known = np.isfinite(z).all(axis=1), np.isfinite(other).all(axis=1)
        model = fit(z[whole], y[whole], ~y[whole], site[whole], "logistic")
        eta = np.full(len(other), np.nan)
        eta[known] = model.log_odds(other[known])
        inner = float(areas(model.inner, y[whole]).auc[0])
        label = f"classifier fitted on the same {len(rows)}, {name}"
        found.append(Method(label, int(whole.sum()), eta, inner))
    return found


def without_images(learned: Simulated, new: Simulated) -> Method:
    """Return what age, sex and head size say, which the network is told."""
    model = LogisticRegression().fit(_curved(learned.known), learned.patient)
    eta = model.decision_function(_curved(new.known))
    return Method("age, sex and head size alone", len(learned.rows), eta)


@dataclass(frozen=True, eq=False)
class Compared:
    """Areas of m methods on the same people, with intervals.

    Attributes
    ----------
    auc : numpy.ndarray, shape (m,)
    drawn : numpy.ndarray, shape (b, m)
        By drawing patients and controls again.
    """

    auc: np.ndarray
    drawn: np.ndarray

    def interval(self, method: int) -> tuple[float, float]:
        """95 % limits of a method's area."""
        low, high = np.quantile(self.drawn[:, method], [0.025, 0.975])
        return float(low), float(high)

    def difference(self, method: int, other: int) -> tuple[float, float, float]:
        """How much more a method has than another, with 95 % limits."""
        low, high = np.quantile(self.drawn[:, method] - self.drawn[:, other], [0.025, 0.975])
        return float(self.auc[method] - self.auc[other]), float(low), float(high)


def compared(eta: np.ndarray, y: np.ndarray, seed: int, bootstraps: int = BOOTSTRAPS) -> Compared:
    """Return areas of log-odds (m, n) of people y (n,) of bool."""
    rng = np.random.default_rng(seed)
    sides = [np.flatnonzero(y), np.flatnonzero(~y)]
    drawn = []
    for _ in range(bootstraps):
        rows = np.concatenate([rng.choice(side, len(side)) for side in sides])
        drawn.append(areas(eta[:, rows], y[rows]).auc)
    return Compared(areas(eta, y).auc, np.array(drawn))


def _evidence(models: Classifiers, norms: Norms, new: Simulated) -> np.ndarray:
    records = [new.people.records[k] for k in new.rows]
    answers = [classify(r, NormsOnce(norms), models=models, draws=LEAST_DRAWS) for r in records]
    return np.array([np.nan if a.evidence is None else a.evidence for a in answers])


def _features(people: People, mask: np.ndarray, norms: Norms) -> np.ndarray:
    """Features (n, p); rows that are not asked for are NaN."""
    out = np.full((len(people), len(NAMES)), np.nan)
    out[mask] = scored(people, mask, norms).z
    return out


def _curved(known: np.ndarray) -> np.ndarray:
    return np.concatenate([known, known[:, :1] ** 2], axis=1)
