"""What the survival model reads of a person: clinical predictors and imaging z-scores.

All are of the first visit, as in training; a later visit only says that nothing had happened until
then. Clinical ones take the published forms of the ENCALS model (``prognosis.encals``), so that few
patients suffice to fit them (own choice).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ..norms.score import Norms
from ..prognosis import encals
from ..prognosis.alsfrs import HIGHEST_TOTAL, ITEMS, NOT_RATED
from .features import FEATURES, NAMES, FeatureValues, features_of
from .records import PersonRecord, VisitRecord, refuse

LEAST_ITEMS = 10
"""Rated items from which the others are taken to be as the rated ones on average (own choice)."""

CLINICAL = {
    "progression_rate": "ALSFRS-R points lost a month before the first visit",
    "diagnostic_delay": "Months from onset to diagnosis",
    "onset_age": "Age at onset",
    "fvc": "Forced vital capacity",
    "months_since_onset": "Months from onset to the first visit",
    "bulbar_onset": "Bulbar onset",
    "respiratory_onset": "Respiratory onset",
    "definite_ee": "Definite ALS (El Escorial)",
    "ftd": "Frontotemporal dementia",
    "c9orf72": "C9orf72 expansion",
}
FLAGS = ("bulbar_onset", "respiratory_onset", "definite_ee", "ftd", "c9orf72")
LABELS = CLINICAL | {feature.name: feature.label for feature in FEATURES}
PREDICTORS = (*CLINICAL, *NAMES)
"""Names of all p predictors, in the order of every table."""
IMAGING = slice(len(CLINICAL), len(PREDICTORS))
_FORMS = {
    "progression_rate": encals.PREDICTORS["progression rate"][1],
    "diagnostic_delay": encals.PREDICTORS["diagnostic delay"][1],
    "onset_age": encals.PREDICTORS["age at onset"][1],
    "fvc": encals.PREDICTORS["fvc"][1],
    "months_since_onset": np.log,
}
_ABOVE_0 = {
    "months_since_onset": "number of months from onset to the first visit",
    "diagnostic_delay": "number of months from onset to diagnosis",
    "onset_age": "age at onset",
    "age": "age",
}
_BOUNDS = {
    "progression_rate": "progression rate",
    "diagnostic_delay": "diagnostic delay",
    "fvc": "fvc",
}


@dataclass(frozen=True, eq=False)
class PredictorValues:
    """Predictors of n people.

    Attributes
    ----------
    raw : numpy.ndarray, shape (n, p)
        In their own units (``PREDICTORS``), flags 0 or 1; NaN where not known.
    sd : numpy.ndarray, shape (n, p)
        Of the measurement of imaging z-scores; 0 elsewhere.
    reasons : tuple of dict
        Of each person: imaging predictor to the code of ``norms.reasons`` why it is missing.
    """

    raw: np.ndarray
    sd: np.ndarray
    reasons: tuple[dict[str, str], ...]

    def transformed(self) -> np.ndarray:
        """Return the predictors as they enter the model, shape (n, p)."""
        return transform(self.raw)


def transform(raw: np.ndarray) -> np.ndarray:
    """Return predictors (..., p) in the forms in which they enter the model.

    Values beyond the bounds of ENCALS' forms are taken at the bound: there the forms turn over or
    explode.
    """
    out = np.array(raw, dtype=float)
    for place, name in enumerate(PREDICTORS):
        if name in _FORMS:
            values = out[..., place]
            if name in _BOUNDS:
                values = np.clip(values, *encals.bounds(_BOUNDS[name]))
            out[..., place] = _FORMS[name](values)
    return out


def predictors_of(people: Sequence[PersonRecord], norms: Norms | None) -> PredictorValues:
    """Return the predictors of people at their first visits.

    Parameters
    ----------
    people : sequence of PersonRecord
        Each with a visit.
    norms : Norms or None
        None leaves the images out.

    Raises
    ------
    BrainstemALSError
        USAGE: no visit, or a value that cannot be.
    """
    for person in people:
        check(person)
    raw = np.full((len(people), len(PREDICTORS)), np.nan)
    for row, person in enumerate(people):
        raw[row, : len(CLINICAL)] = _clinical(person)
    sd = np.zeros_like(raw)
    found: FeatureValues | None = None
    if norms is not None:
        found = features_of(people, [person.visits[0] for person in people], norms)
        raw[:, IMAGING], sd[:, IMAGING] = found.z, np.nan_to_num(found.sd)
    return PredictorValues(raw, sd, found.reasons if found else tuple({} for _ in people))


def total_of(visit: VisitRecord) -> float | None:
    """Return the ALSFRS-R total; up to two missing items are taken to be as the others."""
    if visit.total is not None or visit.ratings is None:
        return visit.total
    rated = [rating for rating in visit.ratings if rating != NOT_RATED]
    return None if len(rated) < LEAST_ITEMS else float(sum(rated)) * len(ITEMS) / len(rated)


def encals_inputs(raw: np.ndarray) -> dict[str, np.ndarray]:
    """Return the arguments of ``encals.contributions`` of predictors (n, p)."""
    column = {name: raw[:, place] for place, name in enumerate(PREDICTORS)}
    return {
        "age_at_onset": column["onset_age"],
        "diagnostic_delay": column["diagnostic_delay"],
        "progression_rate": column["progression_rate"],
        "fvc": column["fvc"],
        "bulbar_onset": column["bulbar_onset"],
        "definite_ee": column["definite_ee"],
        "ftd": column["ftd"],
        "c9orf72": column["c9orf72"],
    }


def _clinical(person: PersonRecord) -> list[float]:
    first = person.visits[0]
    total, months = total_of(first), person.months_since_onset
    rate = None if total is None or months is None else (HIGHEST_TOTAL - total) / months
    onset = person.onset
    onset_age = person.onset_age
    if onset_age is None and person.age is not None and months is not None:
        onset_age = person.age - months / 12.0
    values = {
        "progression_rate": rate,
        "diagnostic_delay": person.diagnostic_delay,
        "onset_age": onset_age,
        "fvc": first.fvc,
        "months_since_onset": months,
        "bulbar_onset": None if onset is None else onset == "bulbar",
        "respiratory_onset": None if onset is None else onset == "respiratory",
        "definite_ee": person.definite_ee,
        "ftd": person.ftd,
        "c9orf72": person.c9orf72,
    }
    return [float("nan") if values[name] is None else float(values[name]) for name in CLINICAL]


def check(person: PersonRecord) -> None:
    """Refuse what cannot be.

    Raises
    ------
    BrainstemALSError
        USAGE.
    """
    if not person.visits:
        raise refuse("there is no visit", "Give one visit at least.")
    months = [visit.months for visit in person.visits]
    if len(months) > 1 and any(at is None for at in months):
        raise refuse("a visit has no date", "Give the months since the first visit for each.")
    steps = np.diff([at or 0.0 for at in months])
    if (steps == 0).any():
        raise refuse("two visits are on one date", "Keep one visit a date.")
    if (steps < 0).any():
        raise refuse("the visits are out of order", "Sort them by date.")
    for name, words in _ABOVE_0.items():
        value = getattr(person, name)
        if value is not None and not 0 < value < np.inf:
            raise refuse(
                f"the {words} is {value:g}",
                "Give a number above 0, or leave it out where not known.",
            )
    if person.onset not in (None, "bulbar", "spinal", "respiratory"):
        raise refuse("the onset is not known", "Give bulbar, spinal or respiratory.")
    if person.sex not in (None, "F", "M"):
        raise refuse("the sex is no known code", "Give F or M.")
    for visit in person.visits:
        if visit.total is not None and not 0 <= visit.total <= HIGHEST_TOTAL:
            raise refuse(
                f"the ALSFRS-R total {visit.total:g} is outside 0-{HIGHEST_TOTAL}",
                "Check the ratings.",
            )
        if visit.fvc is not None and not 0 < visit.fvc < 300:
            raise refuse(f"FVC is {visit.fvc:g} % predicted", "Give per cent of the predicted.")
