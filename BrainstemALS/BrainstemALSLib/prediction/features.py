"""The few imaging predictors: z-scores against norms, with what is unsure of them.

Chosen before any model was fitted, for what is known of ALS in the brainstem, not for what predicts
best: corticospinal tract FA and MD (Agosta 2010, doi:10.1111/j.1460-9568.2010.07445.x),
volumes of medulla, pons and midbrain (Milella 2022, PMC9111981), the medullary
nuclei of speech and swallowing, and two that ALS spares more, so that a model can tell a general
loss from this one.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ..norms.score import CENTRAL, Norms
from .head_size import EnteredVolume
from .records import INTRACRANIAL, Key, PersonRecord, VisitRecord, age_at


@dataclass(frozen=True)
class Feature:
    """One predictor: the mean z-score of some measures.

    Attributes
    ----------
    name : str
        In models.
    label : str
        For people.
    keys : tuple of (str, str)
        Structures and measures.
    size : bool
        Take the size of the z-score, not its sign: an asymmetry to either side.
    """

    name: str
    label: str
    keys: tuple[Key, ...]
    size: bool = False


def _both(stem: str, measure: str) -> tuple[Key, ...]:
    return ((f"{stem}_left", measure), (f"{stem}_right", measure))


FEATURES = (
    Feature("medulla_volume", "Volume of the medulla", (("medulla", "volume"),)),
    Feature("pons_volume", "Volume of the pons", (("pons", "volume"),)),
    Feature("midbrain_volume", "Volume of the midbrain", (("midbrain", "volume"),)),
    Feature("pyramid_volume", "Volume of the pyramids", _both("pyramid", "volume")),
    Feature(
        "dorsal_medulla_volume",
        "Volume of the dorsal medullary complex (hypoglossal, vagal, solitary nuclei)",
        _both("dorsal_medullary_complex", "volume"),
    ),
    Feature("cst_fa", "FA of the corticospinal tracts", _both("corticospinal_tract", "fa")),
    Feature("cst_md", "MD of the corticospinal tracts", _both("corticospinal_tract", "md")),
    Feature("pyramid_fa", "FA of the pyramids", _both("pyramid", "fa")),
    Feature(
        "scp_fa", "FA of the superior cerebellar peduncles",
        _both("superior_cerebellar_peduncle", "fa"),
    ),
    Feature(
        "cst_fa_asymmetry", "Asymmetry of the corticospinal tracts' FA",
        (("corticospinal_tract", "fa_asymmetry"),), size=True,
    ),
)  # fmt: skip
NAMES = tuple(feature.name for feature in FEATURES)


@dataclass(frozen=True, eq=False)
class FeatureValues:
    """Predictors of n visits.

    Attributes
    ----------
    z : numpy.ndarray, shape (n, p)
        As ``FEATURES``; NaN where a measure is missing, bad, or outside of the norms.
    sd : numpy.ndarray, shape (n, p)
        Standard deviation of what measurement and norms leave open.
    reasons : tuple of dict
        Of each visit: name of a feature to the code of ``norms.reasons`` why it has none.
    head : numpy.ndarray, shape (n, p), or None
        What one standard deviation of a head size that somebody entered moves each feature by: one
        error for all of them. It is part of ``sd``. None where no head size was entered.
    """

    z: np.ndarray
    sd: np.ndarray
    reasons: tuple[dict[str, str], ...]
    head: np.ndarray | None = None


def features_of(
    people: Sequence[PersonRecord], visits: Sequence[VisitRecord], norms: Norms
) -> FeatureValues:
    """Score visits against norms.

    Parameters
    ----------
    people, visits : sequences of the same length
        Whose visit it is, and the visit; the age at a visit is that at the first one plus its
        months. A real person's site is not one of simulated norms and is not used.
    norms : Norms

    Returns
    -------
    FeatureValues
    """
    n = len(visits)
    simulated = norms.population.source == "simulated"
    nan = float("nan")

    def column(values: list) -> np.ndarray:
        return np.array([nan if v is None else v for v in values], dtype=float)

    age = column([age_at(p, v) for p, v in zip(people, visits, strict=True)])
    sex = np.array([p.sex or "" for p in people], dtype=object)
    known = [p.site if p.simulated or not simulated else None for p in people]
    site = np.array([s or "" for s in known], dtype=object)
    heads = [_usable(v, INTRACRANIAL) for v in visits]
    icv = column([m.value if m else None for m in heads])
    icv_sd = column([m.sd if m else None for m in heads])
    entered = np.array([isinstance(m, EnteredVolume) for m in heads])
    larger = np.where(entered, icv + icv_sd, icv)
    moved = np.zeros((n, len(FEATURES)))
    z, sd = np.full((n, len(FEATURES)), nan), np.full((n, len(FEATURES)), nan)
    reasons: list[dict[str, str]] = [{} for _ in range(n)]
    for place, feature in enumerate(FEATURES):
        found, spread, shifts = [], [], []
        for key in feature.keys:
            measures = [_usable(v, key) for v in visits]
            scores = norms.score_many(
                *key,
                column([m.value if m else None for m in measures]),
                age, sex, icv, site,
                column([m.sd if m else None for m in measures]),
                icv_sd,
            )  # fmt: skip
            found.append(scores.z)
            spread.append((scores.z_high - scores.z) / CENTRAL)
            if entered.any():
                again = norms.score_many(
                    *key, column([m.value if m else None for m in measures]),
                    age, sex, larger, site, column([m.sd if m else None for m in measures]), icv_sd,
                )  # fmt: skip
                shifts.append(again.z - scores.z)
            for row, code in enumerate(scores.reason):
                if code:
                    bad = key in visits[row].measures and measures[row] is None
                    reasons[row][feature.name] = "norms-quality" if bad else str(code)
        mean = np.mean(found, axis=0)
        z[:, place] = np.abs(mean) if feature.size else mean
        # Both sides share what is unsure of a norm and most of what is of an exam: no root of two.
        sd[:, place] = np.mean(spread, axis=0)
        if shifts:
            moved[:, place] = np.mean(shifts, axis=0)
    return FeatureValues(z, sd, tuple(reasons), moved if entered.any() else None)


def _usable(visit: VisitRecord, key: Key):
    measure = visit.measures.get(key)
    return None if measure is None or measure.quality == "bad" else measure
