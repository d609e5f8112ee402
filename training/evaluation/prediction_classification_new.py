"""The frozen models on new people at new scanners, through the function that the panel calls."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from scipy.special import logit

from BrainstemALSLib.norms import Norms
from BrainstemALSLib.prediction.classification import Classification, classify
from BrainstemALSLib.prediction.classification_model import (
    PATIENTS,
    Classifiers,
    classifiers_of,
)
from BrainstemALSLib.prediction.features import NAMES
from BrainstemALSLib.prediction.norms_once import NormsOnce
from BrainstemALSLib.prediction.records import INTRACRANIAL, PersonRecord

from ..cohort.scenario import Scenario
from ..prediction.classification import (
    CLEAN,
    fit_classifiers,
    simulated_cohort,
    training_of,
)
from ..prediction.classification_data import People, people_of

LEVELS = (0.80, 0.95)
_TURNS = 60


@dataclass(frozen=True, eq=False)
class NewPeople:
    """Answers about people of several cohorts, one row each.

    Attributes
    ----------
    group, sex, onset, kings, site : numpy.ndarray of str, shape (n,)
        Sites carry the number of their cohort.
    evidence, volumes : numpy.ndarray, shape (n,)
        Log-odds that images, and volumes alone, add; NaN where the model abstained.
    mimics : numpy.ndarray, shape (n,)
        The same of the question about mimics.
    prevalence : float
        Of the training; ``evidence`` plus its log-odds is what is calibrated.
    codes : list of str
        Of all findings of severity error.
    """

    group: np.ndarray
    sex: np.ndarray
    onset: np.ndarray
    kings: np.ndarray
    site: np.ndarray
    evidence: np.ndarray
    volumes: np.ndarray
    mimics: np.ndarray
    prevalence: dict[str, float]
    codes: list[str]

    def log_odds(self, values: np.ndarray, question: str = "healthy") -> np.ndarray:
        """Return log-odds at the prevalence of the training."""
        return values + logit(self.prevalence[question])

    @property
    def patient(self) -> np.ndarray:
        """Whether each has ALS, bool (n,)."""
        return self.group == PATIENTS


def new_people(
    models: Classifiers,
    norms: Norms,
    seeds: Sequence[int],
    sizes: tuple[int, int, int],
    sites: int,
    scenario: Scenario | None = None,
) -> NewPeople:
    """Simulate cohorts and ask the models about everybody."""
    columns: dict[str, list] = {name: [] for name in ("group", "sex", "onset", "kings", "site")}
    evidence: dict[str, list[float]] = {name: [] for name in ("evidence", "volumes", "mimics")}
    codes: list[str] = []
    for seed in seeds:
        people = people_of(simulated_cohort(seed, sizes, sites, scenario), seed)
        for name, values in columns.items():
            values.extend(getattr(people, name).tolist())
        columns["site"][-len(people) :] = [f"{seed} {site}" for site in people.site]
        for record in people.records:
            once = NormsOnce(norms)
            whole = _asked(record, once, models)
            codes.extend(f.code for f in whole.findings if f.severity == "error")
            evidence["evidence"].append(_number(whole.evidence))
            evidence["volumes"].append(
                _number(_asked(without_diffusion(record), once, models).evidence)
            )
            other = _asked(record, once, models, question="mimics")
            evidence["mimics"].append(_number(other.evidence))
    prevalence = {q: m.prevalence for (q, which), m in models.models.items() if which == "all"}
    return NewPeople(
        **{name: np.array(values, dtype=object) for name, values in columns.items()},
        **{name: np.array(values) for name, values in evidence.items()},
        prevalence=prevalence,
        codes=codes,
    )


def without_diffusion(record: PersonRecord) -> PersonRecord:
    """Return a person whose exam had no diffusion images."""
    visits = tuple(
        replace(v, measures={k: m for k, m in v.measures.items() if k[1].startswith("volume")})
        for v in record.visits
    )
    return replace(record, visits=visits)


@dataclass(frozen=True, eq=False)
class Coverage:
    """Intervals against what a model of many more people says of measures without error.

    Attributes
    ----------
    held, width : numpy.ndarray, shape (2, c)
        By ``LEVELS`` and cohort: share of the intervals that hold it, and the mean width of the
        interval of the probability at the prevalence of the training.
    people : int
    """

    held: np.ndarray
    width: np.ndarray
    people: int


def coverage(
    models: Classifiers,
    truth: Classifiers,
    norms: Norms,
    seeds: Sequence[int],
    sizes: tuple[int, int, int],
    sites: int,
) -> Coverage:
    """Ask about people twice: as measured, and as a scanner that does not err would have."""
    held, width, asked = [], [], 0
    for seed in seeds:
        measured, clean = (
            people_of(simulated_cohort(seed, sizes, sites, scenario), seed)
            for scenario in (None, CLEAN)
        )
        known = {record.participant: record for record in clean.records}
        rows = []
        for record in measured.records:
            true = _asked(known[record.participant], norms, truth, question="healthy").evidence
            once = NormsOnce(norms)
            found = [_asked(record, once, models, level=level) for level in LEVELS]
            if found[0].evidence is not None and true is not None:
                rows.append([(f.evidence_low <= true <= f.evidence_high, f.high - f.low)
                             for f in found])  # fmt: skip
        asked += len(rows)
        held.append(np.mean(rows, axis=0)[:, 0])
        width.append(np.mean(rows, axis=0)[:, 1])
    return Coverage(np.transpose(held), np.transpose(width), asked)


def many_people(norms: Norms, seed: int, sizes: tuple[int, int, int], sites: int) -> Classifiers:
    """Return models of a larger cohort: as near to the truth as a model of this form comes."""
    cohort = simulated_cohort(seed, sizes, sites)
    return classifiers_of(training_of(cohort, seed, ""), fit_classifiers(cohort, seed, norms))


def outside(models: Classifiers, norms: Norms, people: People) -> list[tuple[str, int, float]]:
    """Return how many are refused an answer where something is wrong: case, people, per cent."""

    def times(record: PersonRecord, factor: float, measure: str) -> PersonRecord:
        (visit,) = record.visits
        measures = {
            key: replace(m, value=m.value * factor)
            if key[1] == measure and key != INTRACRANIAL
            else m
            for key, m in visit.measures.items()
        }
        return replace(record, visits=(replace(visit, measures=measures),))

    cases = {
        "as they are": lambda r: r,
        "age 12": lambda r: replace(r, age=12.0),
        "age missing": lambda r: replace(r, age=None),
        "sex missing": lambda r: replace(r, sex=None),
        "no images": lambda r: replace(r, visits=()),
        "volumes halved: half of the brainstem not seen": lambda r: times(r, 0.5, "volume"),
        "volumes in ml": lambda r: times(r, 0.001, "volume"),
        "FA in per cent": lambda r: times(r, 100.0, "fa"),
        "MD in mm2/s": lambda r: times(r, 0.001, "md"),
    }
    rows = []
    for name, change in cases.items():
        found = [_asked(change(record), norms, models) for record in people.records]
        refused = float(np.mean([c.probability is None for c in found]))
        rows.append((name, len(found), 100.0 * refused))
    return rows


def milliseconds(models: Classifiers, norms: Norms, people: People) -> float:
    """Return the median processor time of one answer, norms included, models read before."""
    taken = []
    for record in people.records[:_TURNS]:
        start = time.process_time()
        classify(record, norms, models=models)
        taken.append(1000.0 * (time.process_time() - start))
    return float(np.median(taken))


def adds_up(models: Classifiers, norms: Norms, people: People) -> float:
    """Return the largest distance of baseline and contributions from the log-odds."""
    found = [classify(record, norms, models=models) for record in people.records[:_TURNS]]
    return max(
        abs(c.baseline + sum(part.log_odds for part in c.contributions) - logit(c.probability))
        for c in found
        if c.probability is not None
    )


def mean_features(people: People, z: np.ndarray) -> list[tuple[object, ...]]:
    """Return each feature's mean by group, and how far patients are from controls in SDs."""
    rows = []
    for k, name in enumerate(NAMES):
        parts = [z[people.group == g, k] for g in ("HC", "MIMIC", "ALS")]
        means = [float(np.nanmean(part)) for part in parts]
        sd = float(np.sqrt((np.nanvar(parts[0]) + np.nanvar(parts[2])) / 2.0))
        rows.append((name, *means, (means[2] - means[0]) / sd))
    return rows


def _asked(
    record: PersonRecord, norms: Norms | NormsOnce, models: Classifiers, **how: object
) -> Classification:
    return classify(record, norms, models=models, draws=400, **how)


def _number(value: float | None) -> float:
    return float("nan") if value is None else value
