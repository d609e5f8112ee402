"""Simulated people for the page on norms and harmonisation, and what is asked of them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from BrainstemALSLib.norms.combat import fit_combat
from BrainstemALSLib.norms.model import LOG, transform_of
from BrainstemALSLib.norms.score import Norms, Scores
from BrainstemALSLib.norms.training import person_rows

from ..cohort.config import Config
from ..cohort.scenario import Scenario
from ..cohort.simulate import simulate

COVARIATES = ("age", "male", "log_icv")
AFFECTED = (
    ("medulla", "volume"),
    ("pons", "volume"),
    ("pyramid_left", "volume"),
    ("cst_crus_left", "fa"),
    ("pyramid_left", "fa"),
    ("corticospinal_tract_left", "fa"),
    ("cst_crus_left", "md"),
    ("pyramid_left", "md"),
)
"""Measures that the simulated disease changes."""
SPARED = (
    ("superior_cerebellar_peduncle_left", "volume"),
    ("superior_cerebellar_peduncle_left", "fa"),
    ("middle_cerebellar_peduncle_left", "fa"),
    ("middle_cerebellar_peduncle_left", "md"),
)
"""Negative controls."""
MEASURED = (*AFFECTED, *SPARED)


@dataclass(frozen=True, eq=False)
class People:
    """First visits; every array has one row a person.

    Attributes
    ----------
    ids, group, sex, site : numpy.ndarray of str, shape (n,)
    age, icv, icv_uncertainty : numpy.ndarray, shape (n,)
        Years; mm3.
    values, uncertainty : numpy.ndarray, shape (n, f)
        Of ``MEASURED`` or all single structures; NaN where missing or bad.
    features : tuple of (structure, measure)
    """

    ids: np.ndarray
    group: np.ndarray
    sex: np.ndarray
    site: np.ndarray
    age: np.ndarray
    icv: np.ndarray
    icv_uncertainty: np.ndarray
    values: np.ndarray
    uncertainty: np.ndarray
    features: tuple[tuple[str, str], ...]

    def __getitem__(self, rows: np.ndarray) -> People:
        names = ("ids", "group", "sex", "site", "age", "icv", "icv_uncertainty")
        parts = {name: getattr(self, name)[rows] for name in names}
        both = {name: getattr(self, name)[rows] for name in ("values", "uncertainty")}
        return People(**parts, **both, features=self.features)

    @property
    def control(self) -> np.ndarray:
        """Whether each is a control, bool (n,)."""
        return self.group == "HC"

    @property
    def covariates(self) -> np.ndarray:
        """``COVARIATES`` (n, 3)."""
        return np.stack([self.age, self.sex == "M", np.log(self.icv)], axis=1).astype(float)

    @property
    def transformed(self) -> np.ndarray:
        """Values (n, f), volumes as logarithms."""
        logs = np.array([transform_of(m) == LOG for _, m in self.features])
        with np.errstate(invalid="ignore"):
            return np.where(logs, np.log(np.where(logs, self.values, 1.0)), self.values)


def simulate_people(
    config: Config,
    controls: int,
    patients: int,
    seed: int,
    scenario: Scenario,
    features: tuple[tuple[str, str], ...] = MEASURED,
) -> tuple[People, object]:
    """Simulate first visits; returns them, and the cohort for ``fit_norms``.

    People without an intracranial volume are left out.
    """
    cohort, _ = simulate(
        config.with_values(visits__follow_ups=0), controls, patients, 0, seed, scenario
    )
    rows = person_rows(cohort)
    rows = rows.assign(feature=rows["structure"] + "/" + rows["measure"])
    good = rows.loc[rows["quality"] != "bad"]
    names = [f"{structure}/{measure}" for structure, measure in features]
    wide = good[good["feature"].isin(names)].pivot(
        index="participant_id", columns="feature", values=["value", "uncertainty"]
    )
    facts = rows.drop_duplicates("participant_id").set_index("participant_id").loc[wide.index]
    people = People(
        ids=wide.index.to_numpy(object),
        **{name: facts[name].to_numpy(object) for name in ("group", "sex", "site")},
        **{name: facts[name].to_numpy(float) for name in ("age", "icv", "icv_uncertainty")},
        values=wide["value"][names].to_numpy(float),
        uncertainty=wide["uncertainty"][names].to_numpy(float),
        features=tuple(features),
    )
    return people[np.isfinite(people.icv) & np.isfinite(people.age)], cohort


def subset(cohort: object, ids: np.ndarray) -> object:
    """Return a cohort of these participants only."""
    from BrainstemALSLib.cohort.tables import Cohort

    tables = (cohort.participants, cohort.visits, cohort.measures)
    return Cohort(*(table[table["participant_id"].isin(ids)] for table in tables))


def scored(norms: Norms, people: People, site: np.ndarray | None = None) -> list[Scores]:
    """Return the scores of every feature; ``site`` instead of the people's own."""
    return [
        norms.score_many(
            *feature,
            people.values[:, j],
            people.age,
            people.sex,
            people.icv,
            people.site if site is None else site,
            people.uncertainty[:, j],
            people.icv_uncertainty,
        )
        for j, feature in enumerate(people.features)
    ]


def harmonised(train: People, new: People, with_group: bool) -> np.ndarray:
    """Return ``new`` (n, f) after ComBat learnt from ``train``.

    With the group, everybody teaches and the group is preserved; without, controls alone teach.
    """
    teach = train if with_group else train[train.control]
    names = tuple("/".join(feature) for feature in train.features)
    sides = [
        np.column_stack([p.covariates, ~p.control]) if with_group else p.covariates
        for p in (teach, new)
    ]
    covariates = (*COVARIATES, "patient") if with_group else COVARIATES
    combat = fit_combat(teach.transformed, teach.site, sides[0], names, covariates, teach.group)
    return combat.apply(new.transformed, new.site, sides[1])


def site_share(values: np.ndarray, people: People) -> tuple[float, float]:
    """Return what is left of the sites in one feature of controls.

    Returns
    -------
    eta2 : float
        Partial eta squared of site, given age, sex and head size.
    largest : float
        Largest difference between two sites in residual standard deviations.
    """
    rows = people.control & np.isfinite(values)
    sites = sorted(set(people.site.tolist()))
    member = (people.site[rows, None] == np.array(sites, dtype=object)).astype(float)
    base = np.column_stack([np.ones(rows.sum()), people.covariates[rows]])
    y = values[rows]
    without, _ = _residuals(base, y)
    full, beta = _residuals(np.hstack([member, base[:, 1:]]), y)
    sd = np.sqrt(full @ full / (len(y) - len(sites) - len(COVARIATES)))
    offsets = beta[: len(sites)]
    return float(1.0 - full @ full / (without @ without)), float(np.ptp(offsets) / sd)


def cohens_d(values: np.ndarray, people: People, site: bool = False) -> float:
    """Return the difference of patients and controls of one feature in residual SDs.

    Adjusted for age, sex and head size; for the site only where asked: harmonisation has to have
    dealt with it.
    """
    rows = np.isfinite(values)
    columns = [~people.control, np.ones(len(values)), people.covariates]
    if site:
        sites = sorted(set(people.site[rows].tolist()))
        columns[1] = people.site[:, None] == np.array(sites, dtype=object)
    X = np.column_stack(columns)[rows].astype(float)
    left, beta = _residuals(X, values[rows])
    return float(beta[0] / np.sqrt(left @ left / (rows.sum() - X.shape[1])))


def within_sites(patient: np.ndarray, chance: np.ndarray, site: np.ndarray) -> float:
    """Return the AUC over pairs of a patient and a control of one site, of all sites together."""
    from sklearn.metrics import roc_auc_score

    total = pairs = 0.0
    for name in set(site.tolist()):
        here = site == name
        count = float(patient[here].sum() * (~patient[here]).sum())
        if count:
            total += count * roc_auc_score(patient[here], chance[here])
            pairs += count
    return total / pairs


def _residuals(X: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    beta = np.linalg.lstsq(X, y, rcond=None)[0]
    return y - X @ beta, beta
