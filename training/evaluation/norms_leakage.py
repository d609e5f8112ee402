"""Does harmonisation make patients of healthy people? The part of the page on norms about it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from BrainstemALSLib.anatomy import REGIONS, load_structures

from ..cohort.config import Config
from ..cohort.scenario import Scenario
from .norms_cases import People, harmonised, simulate_people, within_sites

LEAST_CONTROLS = 8
SLICES, FOLDS = 5, 5
"""Of the check of leakage: cohorts from one simulation, folds of one cohort."""
OTHERS = 2000
"""Controls of the same scanners apart from the cohorts of the check of leakage."""
LEAKAGE = (
    "age, sex, head size and site alone, no image",
    "no harmonisation",
    "ComBat learnt from all people, their groups known to it",
    "ComBat learnt from the controls of the training folds",
    f"ComBat learnt from about {OTHERS} other controls",
)
SAFE = LEAKAGE.index("ComBat learnt from the controls of the training folds")


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


@dataclass(frozen=True, eq=False)
class Leakage:
    """What was found in one case.

    Attributes
    ----------
    auc, within : dict of str to numpy.ndarray, shape (cohorts,)
        Cross-validated AUC by ``LEAKAGE``: over all pairs of a patient and a control, and over
        pairs of one site, which what is the scanner's cannot tell apart.
    controls : numpy.ndarray, shape (cohorts,)
        At the site with most patients, in the whole cohort.
    """

    auc: dict[str, np.ndarray]
    within: dict[str, np.ndarray]
    controls: np.ndarray


def leakage(config: Config, seeds: tuple[int, ...], case: LeakageCase) -> Leakage:
    """Tell patients from controls by cross-validation where there is no disease."""
    inside = [s.key for s in load_structures() if s.parent in REGIONS]
    features = tuple((key, measure) for measure in ("volume", "fa", "md") for key in inside)
    found, controls = [], []
    scenario = Scenario(disease=0.0, site_imbalance=case.imbalance, site_effect=case.site_effect)
    for seed in seeds:
        # Some miss their images; the rest fills the cohorts.
        many = int(1.4 * case.size * SLICES)
        measured, _ = simulate_people(config, many + OTHERS, many, seed, scenario, features)
        others = measured[np.flatnonzero(measured.control)[SLICES * case.size :]]
        for k in range(SLICES):
            rows = np.concatenate(
                [
                    np.flatnonzero(measured.control == side)[k * case.size : (k + 1) * case.size]
                    for side in (True, False)
                ]
            )
            people = _with_controls(measured[rows])
            found.append(_aucs(people, others, seed * SLICES + k))
            sites, counts = np.unique(people.site[~people.control].astype(str), return_counts=True)
            crowded = people.site == sites[np.argmax(counts)]
            controls.append(int((crowded & people.control).sum()))
    both = np.array(found)
    auc, within = ({n: both[:, i, j] for i, n in enumerate(LEAKAGE)} for j in (0, 1))
    return Leakage(auc, within, np.array(controls))


def _with_controls(people: People) -> People:
    """Leave out sites whose controls may all fall into one test fold: ComBat refuses them there."""
    counts = {site: int((people.site[people.control] == site).sum()) for site in people.site}
    return people[np.array([counts[site] >= LEAST_CONTROLS for site in people.site])]


def _aucs(people: People, others: People, seed: int) -> list[tuple[float, float]]:
    """Return the AUCs of each of ``LEAKAGE`` for one cohort: all pairs, pairs of one site."""
    from sklearn.linear_model import LogisticRegression
    from sklearn.metrics import roc_auc_score
    from sklearn.model_selection import StratifiedKFold
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    patient = ~people.control
    leaky = harmonised(people, people, with_group=True)
    rich = harmonised(others, people, with_group=False)
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
            (rich[train], rich[test]),
        )
        for row, (X, X_new) in enumerate(pairs):
            model = make_pipeline(StandardScaler(), LogisticRegression(C=0.1, max_iter=1000))
            chances[row, test] = model.fit(X, patient[train]).decision_function(X_new)
    return [
        (float(roc_auc_score(patient, row)), within_sites(patient, row, people.site))
        for row in chances
    ]
