"""What the page on norms and harmonisation measures; ``norms.py`` writes it."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from BrainstemALSLib.norms import fit_norms
from BrainstemALSLib.norms.score import CENTRAL, Norms

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

SITES = (6, 3)
"""Of the check of norms, of equal size: with one left out, five and two to learn from."""
TRAINING, ORACLE, NEW = 450, 3600, 1200
"""Controls that the norms are fitted on, that stand for the truth, and that are scored."""
CENTILES = (5.0, 25.0, 50.0, 75.0, 95.0)
BANDS = ((0, 50), (50, 60), (60, 70), (70, 120))
IMBALANCE = 0.6
METHODS = (
    "none",
    "none, site among the covariates",
    "site in the norms (z-scores)",
    "ComBat learnt from controls",
    "ComBat learnt from all, group preserved",
)
EACH = 600
"""Controls, and patients, of the check of harmonisation: half teaches, half is looked at."""
CLEAN = "without scanners"
WORLDS = (
    ("patients crowd at one site", IMBALANCE, 1.0),
    ("balanced sites", 0.0, 1.0),
    ("patients crowd, scanners all alike", IMBALANCE, 0.0),
)
"""Name, imbalance and effect of sites (as ``Scenario``) of the check of harmonisation; in the last
there is nothing to take out, so that all that is found is what harmonisation does by itself."""


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
    odd, beyond : numpy.ndarray of bool
        Whether, with the site left out, the score alone or its whole interval is outside what 95 %
        of healthy people have.
    """

    age: np.ndarray
    z: np.ndarray
    measure: np.ndarray
    known: np.ndarray
    unseen: np.ndarray
    width_known: np.ndarray
    width_unseen: np.ndarray
    odd: np.ndarray
    beyond: np.ndarray


def new_controls(config: Config, seeds: tuple[int, ...], sites: int) -> NewControls:
    """Score new controls with norms of known sites, and with norms that lack their site.

    The true z-score of a person is that of the same simulation without errors of measurement, by
    norms of many other controls of the same scanners.
    """
    even = config.with_values(
        site__names=[f"site-{i + 1}" for i in range(sites)], site__shares=[1.0 / sites] * sites
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
    unseen = np.full((3, len(MEASURED), len(new.age)), np.nan)
    for site in sorted(set(new.site.tolist())):
        there = new.site == site
        without = _fitted(cohort, train.ids[train.site != site], seed)
        for j, scores in enumerate(scored(without, new[there])):
            unseen[:, j, there] = scores.z, scores.z_low, scores.z_high
    columns = []
    for j, (_, measure) in enumerate(MEASURED):
        s = known[j]
        z, low, high = unseen[:, j]
        # The oracle abstains as the norms do, where an age or a head is outside.
        ok = np.isfinite(s.z) & np.isfinite(truth[j]) & np.isfinite(z)
        row = (
            new.age,
            s.z,
            np.full(len(new.age), measure, dtype=object),
            (s.z_low <= truth[j]) & (truth[j] <= s.z_high),
            (low <= truth[j]) & (truth[j] <= high),
            s.z_high - s.z_low,
            high - low,
            np.abs(z) > CENTRAL,
            (low > CENTRAL) | (high < -CENTRAL),
        )
        columns.append([column[ok] for column in row])
    return tuple(np.concatenate(column) for column in zip(*columns, strict=True))


def _fitted(cohort: object, ids: np.ndarray, seed: int) -> Norms:
    return fit_norms(subset(cohort, ids), "simulated", seed, MEASURED)


def _both(one: People, other: People) -> tuple[People, People]:
    ids = np.intersect1d(one.ids.astype(str), other.ids.astype(str))
    return tuple(p[np.isin(p.ids.astype(str), ids)] for p in (one, other))


@dataclass(frozen=True, eq=False)
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


def harmonisation(
    config: Config, seeds: tuple[int, ...], imbalance: float, site_effect: float
) -> dict[str, Harmony]:
    """Return each of ``METHODS``, and ``CLEAN``: the same people, no scanners."""
    found: dict[str, list] = {name: [] for name in (*METHODS, CLEAN)}
    for seed in seeds:
        scenario = Scenario(site_imbalance=imbalance, site_effect=site_effect)
        people, cohort = simulate_people(config, EACH, EACH, seed, scenario)
        clean, _ = simulate_people(config, EACH, EACH, seed, replace(scenario, site_effect=0.0))
        people, clean = _both(people, clean)
        half = np.arange(len(people.ids)) % 2 == 0
        train, new = people[half], people[~half]
        norms = _fitted(cohort, train.ids, seed)
        values = {
            METHODS[0]: new.transformed,
            METHODS[1]: new.transformed,
            METHODS[2]: np.stack([s.z for s in scored(norms, new)], axis=1),
            METHODS[3]: harmonised(train, new, with_group=False),
            METHODS[4]: harmonised(train, new, with_group=True),
            CLEAN: clean[~half].transformed,
        }
        # The same people everywhere: norms abstain for some.
        scored_rows = np.isfinite(values[METHODS[2]]).all(axis=1)
        judged = new[scored_rows]
        for name, table in values.items():
            columns = table[scored_rows].T
            shares = np.array([site_share(column, judged) for column in columns])
            among = name == METHODS[1]
            effects = np.array([cohens_d(column, judged, among) for column in columns])
            found[name].append((shares[:, 0], shares[:, 1], effects))
    return {
        name: Harmony(*(np.array(part) for part in zip(*rows, strict=True)))
        for name, rows in found.items()
    }


AFFECTED_COLUMNS = np.array([key in AFFECTED for key in MEASURED])
SPARED_COLUMNS = np.array([key in SPARED for key in MEASURED])
