"""Simulated patients whose true risk is known, and what intervals of a model make of it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
from scipy.special import logit

from BrainstemALSLib.prediction.parts import Estimate
from BrainstemALSLib.prediction.survival import predict_survival
from BrainstemALSLib.prediction.survival_model import VISITS, WIDENED, SurvivalModel
from BrainstemALSLib.prediction.survival_predictors import IMAGING, transform

from ..cohort.scenario import Scenario
from .survival_data import Patients, patients_of, simulated_cohort
from .survival_fit import Times
from .survival_world import FOLLOW, Outcomes, risk

PATHS = 60
"""Courses to come that the true risk of a person is averaged over."""
SET_ASIDE = 2500
"""Patients of each cohort that is set aside."""
RECALIBRATION, INTERVALS = 2, (1, 3, 4, 5)
"""Added to the seed of the fit: whom the recalibration, and the intervals' widths are learned of;
several cohorts, for each has three scanners of its own."""
MOST = 400
"""Visits of each number and cohort that are asked: predictions are made one by one."""
LEVELS = (0.80, 0.95)
LEAST_FACTOR = 0.1
MONTHS = 12.0


@dataclass(frozen=True, eq=False)
class People:
    """Visits of simulated patients and their truth.

    Attributes
    ----------
    patients : Patients
    truth : pandas.DataFrame
        ``Truth.participants``, a row for each visit, in the same order.
    outcomes : Outcomes
        A row for each visit.
    true_z : numpy.ndarray or None
        Imaging predictors without scanners and errors, scored by controls alike.
    errors : str
        Which errors of measurement.
    """

    patients: Patients
    truth: pd.DataFrame
    outcomes: Outcomes
    true_z: np.ndarray | None
    errors: str

    @property
    def raw(self) -> np.ndarray:
        return self.patients.values.raw

    @property
    def times(self) -> Times:
        return self.patients.times

    @property
    def first_raw(self) -> np.ndarray:
        """Predictors of the first visit of whose visit it is."""
        first = np.flatnonzero(~self.times.later)
        place = np.searchsorted(self.times.person[first], self.times.person)
        return self.raw[first][place]

    def take(self, rows: np.ndarray) -> People:
        """Return some of the visits."""
        return People(
            self.patients.take(rows), self.truth.iloc[rows], self.outcomes.take(rows),
            None if self.true_z is None else self.true_z[rows], self.errors,
        )  # fmt: skip

    def rows(self, number: int) -> np.ndarray:
        """Return the places of the visits of one number, 1 for the first."""
        return np.flatnonzero([len(r.visits) == number for r in self.patients.records])


def simulated_people(
    size: int,
    controls: int,
    seed: int,
    scenario: Scenario | None = None,
    true_z: bool = False,
    follow: float = FOLLOW,
) -> People:
    """Simulate patients; with ``true_z`` also what error-free images would have said."""
    cohort, truth, outcomes, words = simulated_cohort(size, controls, seed, scenario, follow)
    patients = patients_of(cohort)
    ids = [(record.participant, len(record.visits)) for record in patients.records]
    clean = None
    if true_z:
        # The same people: every quantity has random numbers of its own.
        exact = replace(scenario or Scenario(), measurement_error=0.0, site_effect=0.0)
        found = patients_of(simulated_cohort(size, controls, seed, exact, follow, exact=True)[0])
        if [(record.participant, len(record.visits)) for record in found.records] != ids:
            raise ValueError("the error-free people are not the same")
        clean = found.values.raw[:, IMAGING]
    names = [name for name, _ in ids]
    place = {name: row for row, name in enumerate(truth.latent.ids)}
    own = outcomes.take(np.array([place[name] for name in names]))
    table = truth.participants.set_index("participant_id").loc[names]
    return People(patients, table, own, clean, words)


def filled(model: SurvivalModel, raw: np.ndarray) -> np.ndarray:
    """Return standardised predictors (n, p), missing ones as expected."""
    return np.array([model.expected(row)[0] for row in model.standardised(transform(raw))])


TRUTHS = (
    "risk given the clinical predictors and error-free images",
    "risk given also what no image shows and the findings to come",
)


def true_risks_of(
    people: People, model: SurvivalModel, seed: int, months: float = MONTHS
) -> tuple[np.ndarray, np.ndarray]:
    """Return both true risks (n,) within some months of visits of one number.

    The first is averaged over what the visit, with error-free images, leaves open of the linear
    predictors of that day and the days to come: a linear regression of them on its predictors,
    cross-fitted, and its residuals, drawn from the other people. At first visits it also knows the
    clinical linear predictor, so that nothing clinical is missing to it; at later ones what is
    missing is what the others let expect, to it as to the model.
    """
    from sklearn.linear_model import RidgeCV
    from sklearn.model_selection import cross_val_predict

    rng = np.random.default_rng(seed)
    raw = people.raw.copy()
    raw[:, IMAGING] = people.true_z
    x = filled(model, raw)
    if not people.times.later.any():  # what is missing is known to the simulator
        x = np.column_stack([x, people.truth["clinical_lp"]])
    entry, outcomes = people.times.entry, people.outcomes
    near = (outcomes.start < (entry + months)[:, None]).any(axis=0)
    path = replace(outcomes, start=outcomes.start[:, near], predictor=outcomes.predictor[:, near])
    expected = cross_val_predict(RidgeCV(np.logspace(0, 3, 7)), x, path.predictor, cv=10)
    left = path.predictor - expected
    known = np.zeros(len(x))
    for _ in range(PATHS):
        drawn = replace(path, predictor=expected + left[rng.permutation(len(x))])
        known += risk(drawn, entry, months) / PATHS
    return known, risk(outcomes, entry, months)


def set_aside(size: int, controls: int, seed: int, few: bool = False) -> Iterator[People]:
    """Return the cohorts of which the intervals' widths are learned; the first of them if few."""
    for more in INTERVALS[:1] if few else INTERVALS:
        yield simulated_people(size, controls, seed + more, true_z=True)


def widening(model: SurvivalModel, aside: Iterable[People], seed: int) -> np.ndarray:
    """Return by how much intervals of risks must be wider to hold the first truth.

    Split conformal: of patients set aside, the distance of the truth from the estimate, on the log
    odds, in units of that of the interval's end; of its ordered values the (n + 1) level-th. It
    holds for people like them, and for this model, the errors of its coefficients included.

    Returns
    -------
    numpy.ndarray, shape (3, h, 2)
        As ``SurvivalModel.widening``; 1 where nobody has a risk.
    """
    plain = replace(model, widening=np.ones_like(model.widening))
    off: dict[tuple[int, int], list] = {}
    for cohort in aside:
        for place in range(VISITS):
            people = cohort.take(cohort.rows(place + 1))
            truths = [true_risks_of(people, plain, seed, months)[0] for months in WIDENED]
            for row in range(min(len(people.times.exit), MOST)):
                person, norms = people.patients.records[row], people.patients.scored_by[row]
                found = predict_survival(person, plain, norms)
                for k, months in enumerate(WIDENED):
                    if not found.abstains and months in found.risks:
                        distances = _distances(truths[k][row], found.risks[round(months)])
                        off.setdefault((place, k), []).append(distances)
    out = np.ones_like(model.widening)
    for where, distances in off.items():
        ordered, n = np.sort(distances, axis=0), len(distances)
        chosen = [min(int(np.ceil((n + 1) * level)), n) - 1 for level in LEVELS]
        out[where] = np.maximum(ordered[chosen, range(len(LEVELS))], LEAST_FACTOR)
    return out


def _distances(truth: float, found: Estimate) -> tuple[float, float]:
    """Return the distance of a truth in units of the ends of the 80 % and the 95 % interval."""
    ends = (found.high80, found.high95) if truth > found.value else (found.low80, found.low95)
    off = logit(truth) - logit(found.value)
    return tuple(float(off / (logit(end) - logit(found.value))) for end in ends)
