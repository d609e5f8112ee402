"""Simulated people for the imaging network: patients and controls alike in age and sex.

The network sees an exam's images and, as the norms of the classifier do, age, sex and the size of
the head. Patients and controls are matched by age and sex, so that these tell nothing by
themselves: else a network would learn whom the simulator invites.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from BrainstemALSLib.cohort.tables import Cohort
from BrainstemALSLib.prediction.classification_model import PATIENTS
from BrainstemALSLib.prediction.records import INTRACRANIAL

from ...cohort.config import load_config
from ...cohort.errors import measured_errors
from ...cohort.healthy import FA_RANGE, MEASURES
from ...cohort.measuring import MD_RANGE
from ...cohort.scenario import Scenario
from ...cohort.simulate import simulate
from ...cohort.spread import STRUCTURES
from ...cohort.truth import Truth
from ..classification_data import People, people_of

KEYS = [s.key for s in STRUCTURES]
AGE_BAND = 5.0
"""Years within which people count as alike (own choice)."""


@dataclass(frozen=True)
class Plan:
    """Whom to simulate.

    Attributes
    ----------
    seed : int
    each : int
        Patients, and as many controls.
    sites : int
        Scanners, each with a protocol of its own.
    held_out : bool
        Whether the anatomies are those that no training sees.
    """

    seed: int
    pool: int
    each: int
    sites: int
    held_out: bool


@dataclass(frozen=True, eq=False)
class Simulated:
    """The people of a plan, one row each.

    Attributes
    ----------
    plan : Plan
    people : People
        With the measures that the real segmentation would give.
    rows : numpy.ndarray of int, shape (n,)
        Of ``people``: those chosen; everything below is in this order.
    truth : Truth
    """

    plan: Plan
    people: People
    rows: np.ndarray
    truth: Truth

    @property
    def ids(self) -> list[str]:
        """Names."""
        return [self.people.records[k].participant for k in self.rows]

    @property
    def patient(self) -> np.ndarray:
        """Whether each has ALS, bool (n,)."""
        return self.people.group[self.rows] == PATIENTS

    @property
    def site(self) -> np.ndarray:
        """Names of the sites, str (n,)."""
        return self.people.site[self.rows].astype(str)

    @property
    def known(self) -> np.ndarray:
        """What the network is told beside the images (n, 3): age, sex, head, about 0 and 1."""
        people = self.people
        head = np.array([_head(people.records[k]) for k in self.rows])
        return np.stack(
            [
                (people.age[self.rows] - 60.0) / 10.0,
                np.where(people.sex[self.rows] == "M", 0.5, -0.5),
                (np.log(head) - np.log(1.5e6)) / 0.1,
            ],
            axis=1,
        )


def simulated(plan: Plan, scenario: Scenario | None = None) -> Simulated:
    """Simulate the people of a plan; another scenario measures the same people."""
    cohort, truth = tables(plan, scenario)
    people = people_of(cohort, plan.seed)
    return Simulated(plan, people, alike(people, plan.each, plan.seed), truth)


def tables(plan: Plan, scenario: Scenario | None = None) -> tuple[Cohort, Truth]:
    """Simulate the pool, one visit each, with the errors of segmentation."""
    config = load_config().with_values(
        visits__follow_ups=0,
        site__names=[f"scanner-{k:02d}" for k in range(1, plan.sites + 1)],
        site__shares=[1.0 / plan.sites] * plan.sites,
    )
    return simulate(config, plan.pool, plan.pool, 0, plan.seed, scenario, errors=measured_errors())


def alike(people: People, each: int, seed: int) -> np.ndarray:
    """Return rows of as many patients as controls, alike in age and sex, in random order.

    Raises
    ------
    ValueError
        There are fewer than ``each`` pairs.
    """
    band = np.floor(people.age / AGE_BAND)
    pairs: list[np.ndarray] = []
    for sex in ("F", "M"):
        for years in np.unique(band[np.isfinite(band)]):
            here = (people.sex == sex) & (band == years)
            sides = [np.flatnonzero(here & (people.group == g)) for g in (PATIENTS, "HC")]
            count = min(len(side) for side in sides)
            pairs.append(np.stack([side[:count] for side in sides], axis=1))
    found = np.concatenate(pairs)
    if len(found) < each:
        raise ValueError(f"{len(found)} pairs of people alike, {each} wanted")
    order = np.random.default_rng([seed, 5]).permutation(len(found))[:each]
    return found[order].ravel()


def targets(found: Simulated, level: np.ndarray) -> np.ndarray:
    """Return what every person's images shall have (n, 3, K): mm3, FA, 1e-3 mm2/s.

    As ``training.cohort.imaging``: the person's own values, FA and MD moved as the site's scanner
    does; ``level`` (K,) is the mean ln(volume / norm) of the anatomies.
    """
    wanted = found.truth.values
    wanted = wanted[wanted.participant_id.isin(found.ids)]
    table = wanted.set_index(["participant_id", "measure", "structure"]).value.sort_index()
    sites = found.truth.sites.set_index(["site", "measure", "structure"]).offset.sort_index()
    out = np.empty((len(found.rows), len(MEASURES), len(KEYS)))
    for row, (person, site) in enumerate(zip(found.ids, found.site, strict=True)):
        for m, measure in enumerate(MEASURES):
            out[row, m] = table[person, measure].reindex(KEYS)
            if measure != "volume":
                out[row, m] += sites[site, measure].reindex(KEYS)
    out[:, 0] *= np.exp(level)
    out[:, 1], out[:, 2] = np.clip(out[:, 1], *FA_RANGE), np.clip(out[:, 2], *MD_RANGE)
    return out


def site_number(site: str) -> int:
    """Return the number of a site's protocol."""
    return int(site.rsplit("-", 1)[1]) - 1


def _head(record) -> float:
    """Measured intracranial volume, mm3; a middling one where it is missing."""
    measure = record.visits[0].measures.get(INTRACRANIAL)
    return measure.value if measure is not None else 1.5e6
