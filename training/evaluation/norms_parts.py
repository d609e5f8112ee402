"""What the page on norms and harmonisation measures; ``norms.py`` writes it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from BrainstemALSLib.anatomy import REGIONS, load_structures
from BrainstemALSLib.norms import fit_norms
from BrainstemALSLib.norms.score import Norms

from ..cohort.config import Config
from ..cohort.scenario import Scenario
from .norms_cases import (
    AFFECTED,
    MEASURED,
    SPARED,
    People,
    cohens_d,
    harmonised,
    scored,
    simulate_people,
    site_share,
    subset,
)

SITES = 6
"""Of the check of norms, of equal size; the configured three would leave two to learn from."""
TRAINING, ORACLE, NEW = 450, 3600, 1200
"""Controls that the norms are fitted on, that stand for the truth, and that are scored."""
CENTILES = (5.0, 25.0, 50.0, 75.0, 95.0)
BANDS = ((0, 50), (50, 60), (60, 70), (70, 120))
IMBALANCE = 0.6
LEAST_CONTROLS = 8
METHODS = (
    "none",
    "site in the norms (z-scores)",
    "ComBat learnt from controls",
    "ComBat learnt from all, group preserved",
)
EACH = 600
"""Controls, and patients, of the check of harmonisation: half teaches, half is looked at."""
SLICES, FOLDS = 5, 5
"""Of the check of leakage: cohorts from one simulation, folds of one cohort."""
LEAKAGE = (
    "age, sex, head size and site alone, no image",
    "no harmonisation",
    "ComBat learnt from all people, their groups known to it",
    "ComBat learnt from the controls of the training folds",
)


@dataclass(frozen=True, eq=False)
class NewControls:
    """Controls that were not fitted on, all seeds and features together; arrays of shape (m,).

    Attributes
    ----------
    age, z : numpy.ndarray
    measure : numpy.ndarray of str
    known, unseen : numpy.ndarray of bool
        Whether the interval holds the true z-score, with the site known and left out of the fit.
    width_known, width_unseen : numpy.ndarray
        Of the intervals.
    """

    age: np.ndarray
    z: np.ndarray
    measure: np.ndarray
    known: np.ndarray
    unseen: np.ndarray
    width_known: np.ndarray
    width_unseen: np.ndarray


def new_controls(config: Config, seeds: tuple[int, ...]) -> NewControls:
    """Score new controls with norms of known sites, and with norms that lack their site.

    The true z-score of a person is that of the same simulation without errors of measurement, by
    norms of many other controls of the same scanners.
    """
    even = config.with_values(
        site__names=[f"site-{i + 1}" for i in range(SITES)], site__shares=[1.0 / SITES] * SITES
    )
    parts = [_new_controls(even, seed) for seed in seeds]
    return NewControls(*(np.concatenate(columns) for columns in zip(*parts, strict=True)))


def _new_controls(config: Config, seed: int) -> tuple[np.ndarray, ...]:
    size = TRAINING + ORACLE + NEW
    people, cohort = simulate_people(config, size, 0, seed, Scenario())
    # The same people: errors of measurement are drawn apart from everything else.
    exact, _ = simulate_people(config, size, 0, seed, Scenario(measurement_error=0.0))
    people, exact = _both(people, exact)
    oracle = _fitted(cohort, people.ids[TRAINING : TRAINING + ORACLE], seed)
    train, rows = people[:TRAINING], slice(TRAINING + ORACLE, None)
    new, truth = people[rows], [s.z for s in scored(oracle, exact[rows])]
    known = scored(_fitted(cohort, train.ids, seed), new)
    unseen_low, unseen_high = (np.full((len(MEASURED), len(new.age)), np.nan) for _ in "12")
    for site in sorted(set(new.site.tolist())):
        there = new.site == site
        without = _fitted(cohort, train.ids[train.site != site], seed)
        for j, scores in enumerate(scored(without, new[there])):
            unseen_low[j, there], unseen_high[j, there] = scores.z_low, scores.z_high
    columns = []
    for j, (_, measure) in enumerate(MEASURED):
        s = known[j]
        # The oracle abstains as the norms do, where an age or a head is outside.
        ok = np.isfinite(s.z) & np.isfinite(truth[j]) & np.isfinite(unseen_low[j])
        low, high = unseen_low[j], unseen_high[j]
        row = (
            new.age,
            s.z,
            np.full(len(new.age), measure, dtype=object),
            (s.z_low <= truth[j]) & (truth[j] <= s.z_high),
            (low <= truth[j]) & (truth[j] <= high),
            s.z_high - s.z_low,
            high - low,
        )
        columns.append([column[ok] for column in row])
    return tuple(np.concatenate(column) for column in zip(*columns, strict=True))


def _fitted(cohort: object, ids: np.ndarray, seed: int) -> Norms:
    return fit_norms(subset(cohort, ids), "simulated", seed, MEASURED)


def _both(one: People, other: People) -> tuple[People, People]:
    ids = np.intersect1d(one.ids.astype(str), other.ids.astype(str))
    return tuple(p[np.isin(p.ids.astype(str), ids)] for p in (one, other))


@dataclass(frozen=True)
class Harmony:
    """What is left of sites and disease after one method; arrays (seeds, features).

    Attributes
    ----------
    eta2, largest : numpy.ndarray
        As ``site_share`` of controls that taught nothing.
    d : numpy.ndarray
        Effect of the disease.
    """

    eta2: np.ndarray
    largest: np.ndarray
    d: np.ndarray


def harmonisation(config: Config, seeds: tuple[int, ...]) -> dict[str, Harmony]:
    """Return each of ``METHODS``, and ``"without scanners"``: the same people, no scanners."""
    found: dict[str, list] = {name: [] for name in (*METHODS, "without scanners")}
    for seed in seeds:
        scenario = Scenario(site_imbalance=IMBALANCE)
        people, cohort = simulate_people(config, EACH, EACH, seed, scenario)
        clean, _ = simulate_people(
            config, EACH, EACH, seed, Scenario(site_imbalance=IMBALANCE, site_effect=0.0)
        )
        people, clean = _both(people, clean)
        half = np.arange(len(people.ids)) % 2 == 0
        train, new = people[half], people[~half]
        norms = _fitted(cohort, train.ids, seed)
        values = {
            METHODS[0]: new.transformed,
            METHODS[1]: np.stack([s.z for s in scored(norms, new)], axis=1),
            METHODS[2]: harmonised(train, new, with_group=False),
            METHODS[3]: harmonised(train, new, with_group=True),
            "without scanners": clean[~half].transformed,
        }
        # The same people everywhere: norms abstain for some.
        scored_rows = np.isfinite(values[METHODS[1]]).all(axis=1)
        judged = new[scored_rows]
        for name, table in values.items():
            columns = table[scored_rows].T
            shares = np.array([site_share(column, judged) for column in columns])
            effects = np.array([cohens_d(column, judged) for column in columns])
            found[name].append((shares[:, 0], shares[:, 1], effects))
    return {
        name: Harmony(*(np.array(part) for part in zip(*rows, strict=True)))
        for name, rows in found.items()
    }


AFFECTED_COLUMNS = np.array([key in AFFECTED for key in MEASURED])
SPARED_COLUMNS = np.array([key in SPARED for key in MEASURED])


@dataclass(frozen=True)
class LeakageCase:
    """A world without any disease in which patients are told from controls.

    Without imbalance, sites tell nothing of the group, and an AUC above 0.5 is what leaked
    (patients and controls differ a little in age). With it, patients crowd at one site, and what
    is left of the scanners, or what harmonisation put there, tells them from controls too.

    Attributes
    ----------
    name : str
    imbalance, site_effect : float
        As ``Scenario``.
    size : int
        Controls, and patients, of one cohort.
    """

    name: str
    imbalance: float
    site_effect: float
    size: int


LEAKAGE_CASES = (
    LeakageCase("balanced sites", 0.0, 1.0, 50),
    LeakageCase("patients crowd at one site", 0.4, 1.0, 50),
    LeakageCase("the same with three times the people", 0.4, 1.0, 150),
    LeakageCase("the same as the second, scanners all alike", 0.4, 0.0, 50),
)


def leakage(config: Config, seeds: tuple[int, ...], case: LeakageCase) -> dict[str, np.ndarray]:
    """Return cross-validated AUCs of patients against controls where there is no disease.

    Returns
    -------
    dict of str to numpy.ndarray
        Of ``LEAKAGE``; one AUC a cohort.
    """
    inside = [s.key for s in load_structures() if s.parent in REGIONS]
    features = tuple((key, measure) for measure in ("volume", "fa", "md") for key in inside)
    found: dict[str, list[float]] = {name: [] for name in LEAKAGE}
    scenario = Scenario(disease=0.0, site_imbalance=case.imbalance, site_effect=case.site_effect)
    for seed in seeds:
        # Some miss their images; the rest fills the cohorts.
        many = int(1.4 * case.size * SLICES)
        measured, _ = simulate_people(config, many, many, seed, scenario, features)
        for k in range(SLICES):
            rows = np.concatenate(
                [
                    np.flatnonzero(measured.control == side)[k * case.size : (k + 1) * case.size]
                    for side in (True, False)
                ]
            )
            aucs = _aucs(_with_controls(measured[rows]), seed * SLICES + k)
            for name, auc in zip(LEAKAGE, aucs, strict=True):
                found[name].append(auc)
    return {name: np.array(aucs) for name, aucs in found.items()}


def _with_controls(people: People) -> People:
    """Leave out sites whose controls may all fall into one test fold: ComBat refuses them there."""
    counts = {site: int((people.site[people.control] == site).sum()) for site in people.site}
    return people[np.array([counts[site] >= LEAST_CONTROLS for site in people.site])]


def _aucs(people: People, seed: int) -> tuple[float, ...]:
    """Return the AUC of each of ``LEAKAGE`` for one cohort."""
    from sklearn.linear_model import LogisticRegression
    from sklearn.metrics import roc_auc_score
    from sklearn.model_selection import StratifiedKFold
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    patient = ~people.control
    leaky = harmonised(people, people, with_group=True)
    chances = np.zeros((len(LEAKAGE), len(patient)))
    sites = np.array(sorted(set(people.site.tolist())), dtype=object)
    known = np.hstack([people.covariates, people.site[:, None] == sites])
    folds = StratifiedKFold(FOLDS, shuffle=True, random_state=seed)
    for train, test in folds.split(leaky, patient):
        teach, new = people[train], people[test]
        clean = [harmonised(teach, part, with_group=False) for part in (teach, new)]
        pairs = (
            (known[train], known[test]),
            (teach.transformed, new.transformed),
            (leaky[train], leaky[test]),
            (clean[0], clean[1]),
        )
        for row, (X, X_new) in enumerate(pairs):
            model = make_pipeline(StandardScaler(), LogisticRegression(C=0.1, max_iter=1000))
            chances[row, test] = model.fit(X, patient[train]).decision_function(X_new)
    return tuple(float(roc_auc_score(patient, row)) for row in chances)
