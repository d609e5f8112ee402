"""Where on the brainstem the evidence for or against ALS sits: one signed number a structure.

A predictor's contribution is given to the structures that it was measured in. One that is the mean
of two sides is split by what each side's own z-score would contribute, so that a loss on the left
lies on the left; what does not add up (curves are not always straight) is shared equally. It is
log-odds of ALS against the average healthy person: how the model reads the image, no map of damage.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from ..anatomy import by_key, composites
from .features import FEATURES, NAMES, features_of
from .records import PersonRecord, VisitRecord

if TYPE_CHECKING:
    from .classification_model import Classifier
    from .explain_draws import Draws
    from .norms_once import NormsOnce

LEVEL = 0.95


@dataclass(frozen=True)
class Evidence:
    """Evidence of one structure.

    Attributes
    ----------
    structure : str
        Key of the table of measures: a structure of the atlas or a composite.
    label : str
    log_odds, low, high : float
        Above 0 speaks for ALS; with the 95 % interval of what measurement and fit leave open.
    members : tuple of str
        Structures of the atlas that it is made of, to colour them.
    features : tuple of str
        The predictors that it comes from.
    """

    structure: str
    label: str
    log_odds: float
    low: float
    high: float
    members: tuple[str, ...]
    features: tuple[str, ...]


def evidence_of(
    person: PersonRecord,
    visit: VisitRecord,
    norms: NormsOnce,
    model: Classifier,
    draws: Draws,
) -> tuple[Evidence, ...]:
    """Return the evidence of all structures, the largest first.

    Parameters
    ----------
    person, visit, norms
        As for the classification.
    model : Classifier
        That has answered.
    draws : Draws
        Of the contributions to its answer.
    """
    columns = [NAMES.index(name) for name in model.features]
    z = features_of([person], [visit], norms).z[0, columns]
    whole = model.contributions(z)
    sides = [_of_side(person, visit, norms, side)[columns] for side in range(2)]
    own = [model.contributions(side) for side in sides]
    shares: dict[str, list[tuple[int, float, int]]] = {}
    for place, name in enumerate(model.features):
        feature = FEATURES[NAMES.index(name)]
        count = len(feature.keys)
        parts = [own[side][place] / count for side in range(count)]
        left_over = (whole[place] - sum(parts)) / count
        for (structure, _), part in zip(feature.keys, parts, strict=True):
            shares.setdefault(structure, []).append((place, float(part + left_over), count))
    tail = [(1 - LEVEL) / 2, (1 + LEVEL) / 2]
    found = []
    for structure, parts in shares.items():
        value = sum(share for _, share, _ in parts)
        # Draws of a predictor scatter around its contribution; each side has its part of that.
        spread = sum((draws.refitted[:, k] - whole[k]) / count for k, _, count in parts)
        low, high = np.quantile(value + spread, tail)
        found.append(
            Evidence(
                structure, label_of(structure), value,
                min(float(low), value), max(float(high), value), members_of(structure),
                tuple(model.features[k] for k, _, _ in parts),
            )
        )  # fmt: skip
    return tuple(sorted(found, key=lambda one: -abs(one.log_odds)))


def _of_side(person: PersonRecord, visit: VisitRecord, norms: NormsOnce, side: int) -> np.ndarray:
    """Return the features if both sides were as this one (0 left, 1 right)."""
    others = [f.keys[1 - side] for f in FEATURES if len(f.keys) > 1]
    counts = np.array([len(feature.keys) for feature in FEATURES])
    # A feature is the mean of its sides: with the other one at 0 it is half of this one.
    return counts * features_of([person], [visit], norms.finding_average(others)).z[0]


def label_of(structure: str) -> str:
    """Return a name for people."""
    known = by_key().get(structure)
    if known is not None:
        return known.name
    side = next((s for s in ("left", "right") if structure.endswith(f"_{s}")), "")
    text = structure.removesuffix(f"_{side}").replace("_", " ").capitalize()
    return f"{text}, {side}" if side else text


def members_of(structure: str) -> tuple[str, ...]:
    """Return the structures of the atlas of a key, also of one that stands for both sides."""
    if structure in by_key():
        return (structure,)
    if structure in composites():
        return composites()[structure]
    sides = (f"{structure}_left", f"{structure}_right")
    return tuple(member for side in sides for member in composites().get(side, ()))
