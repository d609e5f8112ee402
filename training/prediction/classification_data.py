"""People for the classifier: one visit each, scored by norms that never saw their site.

A clinic's scanner is unknown to the norms that come along. In training too, norms never know the
scanner: they are of other people, or each site is scored by the controls of the other sites. What
the model meets in training is what it meets in use, a scanner's shift included.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from BrainstemALSLib.cohort.tables import Cohort
from BrainstemALSLib.errors import BrainstemALSError, ExitCode
from BrainstemALSLib.norms import Norms, fit_norms
from BrainstemALSLib.prediction.features import FEATURES, FeatureValues, features_of
from BrainstemALSLib.prediction.records import INTRACRANIAL, PersonRecord, records_of

KEYS = tuple(dict.fromkeys(key for feature in FEATURES for key in feature.keys))
LEAST_SITES = 3
"""Sites from which on whole ones are held out; below, random parts of the people (own choice)."""
PARTS = 5
LEAST_CONTROLS = 40
"""That norms need when a site is held out (own choice)."""


@dataclass(frozen=True, eq=False)
class People:
    """People with images, one row each; site and age are never predictors.

    Attributes
    ----------
    records : list of PersonRecord
        The site left out: norms of other people know others by the same name.
    group, sex, onset, kings, site : numpy.ndarray of str, shape (n,)
    age : numpy.ndarray, shape (n,)
    cohort : Cohort
        What the norms are fitted on.
    by_site : bool
        Whether ``site`` is a site, or a random part of people of too few sites.
    """

    records: list[PersonRecord]
    group: np.ndarray
    sex: np.ndarray
    onset: np.ndarray
    kings: np.ndarray
    site: np.ndarray
    age: np.ndarray
    cohort: Cohort
    by_site: bool

    def __len__(self) -> int:
        return len(self.records)


def people_of(cohort: Cohort, seed: int) -> People:
    """Return everybody with images and a group; of each the first visit with images.

    Parameters
    ----------
    cohort : Cohort
    seed : int
        Of the random parts where there are too few sites.
    """
    measures = cohort.measures
    pairs = zip(measures["structure"], measures["measure"], strict=True)
    wanted = {*KEYS, INTRACRANIAL}
    few = Cohort(
        cohort.participants,
        cohort.visits,
        measures[np.array([pair in wanted for pair in pairs], bool)],
        simulated=cohort.simulated,
    )
    records = []
    for record in records_of(few):
        imaged = [visit for visit in record.visits if visit.has_images]
        if imaged and record.group:
            records.append(replace(record, visits=(imaged[0],)))
    sites = [record.site or "" for record in records]
    by_site = len(set(sites)) >= LEAST_SITES
    if not by_site:
        order = np.random.default_rng(seed).permutation(len(records))
        sites = [f"part {k % PARTS}" for k in order]

    def column(name: str) -> np.ndarray:
        return np.array([getattr(record, name) or "" for record in records], dtype=object)

    return People(
        [replace(record, site=None) for record in records],
        column("group"),
        column("sex"),
        column("onset"),
        np.array([record.visits[0].kings or "" for record in records], dtype=object),
        np.array(sites, dtype=object),
        np.array([np.nan if r.age is None else r.age for r in records], dtype=float),
        few,
        by_site,
    )


def norms_of(people: People, rows: np.ndarray, seed: int | None = None) -> Norms:
    """Fit norms on the controls among these rows (n,) of bool; the seed is of their simulation.

    Raises
    ------
    BrainstemALSError
        USAGE: too few controls.
    """
    controls = rows & (people.group == "HC")
    if controls.sum() < LEAST_CONTROLS:
        raise BrainstemALSError(
            "cohort",
            f"{int(controls.sum())} controls with images are left when a site is held out",
            f"Give a cohort with {LEAST_CONTROLS} or more at the other sites.",
            ExitCode.USAGE,
        )
    ids = {people.records[k].participant for k in np.flatnonzero(controls)}
    tables = people.cohort
    subset = Cohort(
        *(
            table[table["participant_id"].isin(ids)]
            for table in (tables.participants, tables.visits, tables.measures)
        ),
        simulated=tables.simulated,
    )
    return fit_norms(subset, "simulated" if tables.simulated else "real", seed, measures=KEYS)


def scored(people: People, rows: np.ndarray, norms: Norms) -> FeatureValues:
    """Return the features of these rows (n,) of bool by these norms, their scanner unknown."""
    chosen = [people.records[k] for k in np.flatnonzero(rows)]
    return features_of(chosen, [record.visits[0] for record in chosen], norms)


def left_out_features(people: People, rows: np.ndarray) -> np.ndarray:
    """Return features (n, p) of these rows, each site by norms of the other sites among them.

    Other rows are NaN.
    """
    z = np.full((len(people), len(FEATURES)), np.nan)
    for site in sorted(set(people.site[rows].tolist())):
        here = rows & (people.site == site)
        z[here] = scored(people, here, norms_of(people, rows & ~here)).z
    return z


def folds(site: np.ndarray, count: int, seed: int) -> list[np.ndarray]:
    """Return parts of sites as rows (n,) of bool, about equally large."""
    names, sizes = np.unique(site.astype(str), return_counts=True)
    order = np.random.default_rng(seed).permutation(len(names))
    order = order[np.argsort(-sizes[order], kind="stable")]
    count = min(count, len(names))
    parts: list[list[str]] = [[] for _ in range(count)]
    filled = np.zeros(count)
    for k in order:
        smallest = int(np.argmin(filled))
        parts[smallest].append(names[k])
        filled[smallest] += sizes[k]
    return [np.isin(site.astype(str), part) for part in parts]


def labelled(people: People, groups: Sequence[str]) -> np.ndarray:
    """Return rows (n,) of bool: patients with ALS and people of these groups."""
    return np.isin(people.group.astype(str), ("ALS", *groups))
