"""What the survival model reads of a person: clinical predictors and imaging z-scores.

All are of the last visit, as in training, where every visit of a patient is a landmark. What was
not rated, measured or scanned there is taken from the visit before, if that is not long ago
(``CARRIED``). Clinical ones take the published forms of the ENCALS model (``prognosis.encals``), so
that few patients suffice to fit them (own choice).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from ..norms.score import Norms
from ..prognosis import encals
from ..prognosis.alsfrs import HIGHEST_TOTAL
from .features import FEATURES, NAMES, FeatureValues, features_of
from .function_scale import total_of
from .records import PersonRecord, VisitRecord, refuse

CARRIED = 7.0
"""Months before the last visit until which a value of an earlier one still counts: the longest time
between two visits of the simulated cohort, and some days (own choice)."""
SHORT = 3.0
"""Months below which a change between visits is mostly noise (own choice)."""
CLINICAL = {
    "progression_rate": "ALSFRS-R points lost a month from onset to the visit",
    "diagnostic_delay": "Months from onset to diagnosis",
    "onset_age": "Age at onset",
    "fvc": "Forced vital capacity",
    "months_since_onset": "Months from onset to the visit",
    "months_since_first": "Months from the first visit to this one",
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
LATEST = 12.0
"""Months after the first visit beyond which all visits count alike (own choice): the simulated
patients had none later."""


def _since_first(months: np.ndarray) -> np.ndarray:
    return np.clip(months, 0.0, LATEST) / (np.clip(months, 0.0, LATEST) + 6.0)


_FORMS = {
    "progression_rate": encals.PREDICTORS["progression rate"][1],
    "diagnostic_delay": encals.PREDICTORS["diagnostic delay"][1],
    "onset_age": encals.PREDICTORS["age at onset"][1],
    "fvc": encals.PREDICTORS["fvc"][1],
    "months_since_onset": np.log,
    "months_since_first": _since_first,
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
    head : numpy.ndarray, or None
        As ``features.FeatureValues`` has it.
    """

    raw: np.ndarray
    sd: np.ndarray
    reasons: tuple[dict[str, str], ...]
    head: np.ndarray | None = None

    @property
    def images(self) -> FeatureValues:
        """The imaging predictors."""
        return FeatureValues(self.raw[:, IMAGING], self.sd[:, IMAGING], self.reasons, self.head)

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
    """Return the predictors of people at their last visits.

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
        visits = [images_at(person) or person.visits[-1] for person in people]
        found = features_of(people, visits, norms)
        raw[:, IMAGING], sd[:, IMAGING] = found.z, np.nan_to_num(found.sd)
    if found is None:
        return PredictorValues(raw, sd, tuple({} for _ in people))
    return PredictorValues(raw, sd, found.reasons, found.head)


def latest(person: PersonRecord, known: Callable[[VisitRecord], object]) -> VisitRecord | None:
    """Return the last visit of which something is known, if it is not ``CARRIED`` months back."""
    now = person.visits[-1].months or 0.0
    for visit in reversed(person.visits):
        if now - (visit.months or 0.0) <= CARRIED and known(visit):
            return visit
    return None


def alsfrs_at(person: PersonRecord) -> VisitRecord | None:
    """Return the visit whose ALSFRS-R is read."""
    return latest(person, lambda visit: total_of(visit) is not None)


def fvc_at(person: PersonRecord) -> VisitRecord | None:
    """Return the visit whose FVC is read."""
    return latest(person, lambda visit: visit.fvc is not None)


def images_at(person: PersonRecord) -> VisitRecord | None:
    """Return the visit whose images are read."""
    return latest(person, lambda visit: visit.has_images)


def since_first(person: PersonRecord) -> float:
    """Return the months from the first visit to the last."""
    return float(person.visits[-1].months or 0.0) - float(person.visits[0].months or 0.0)


def changes(person: PersonRecord) -> dict[str, float]:
    """Return what a last visit must have in common with those of the training; NaN where not known.

    Returns
    -------
    dict of str to float
        ``total`` of the ALSFRS-R; ``since_first``; losses each month since the rated visit before,
        of the ALSFRS-R (``points``) and of FVC (``fvc_points``); and how many points a month more
        than from onset to the first visit were lost since then (``quickened``).
    """
    rated = alsfrs_at(person)
    last, since = _fallen(person, total_of)
    onset, first = person.months_since_onset, person.visits[0]
    start = total_of(first)
    before = float("nan")
    if onset and start is not None:
        before = (HIGHEST_TOTAL - start) / (onset + (first.months or 0.0))
    return {
        "total": float("nan") if rated is None else float(total_of(rated)),
        "since_first": since_first(person),
        "points": last,
        "fvc_points": _fallen(person, lambda visit: visit.fvc)[0],
        "quickened": since - before,
    }


def _fallen(
    person: PersonRecord, read: Callable[[VisitRecord], float | None]
) -> tuple[float, float]:
    """Return the loss a month since the visit before, and since the first; NaN where not known.

    A change over fewer than ``SHORT`` months is taken as one over that: there it is noise.
    """
    known = [(visit.months or 0.0, read(visit)) for visit in person.visits]
    seen = [(at, value) for at, value in known if value is not None]
    if len(seen) < 2 or seen[-1][0] < known[-1][0]:
        return float("nan"), float("nan")
    at, value = seen[-1]

    def loss(earlier: tuple[float, float]) -> float:
        return (earlier[1] - value) / max(at - earlier[0], SHORT)

    return loss(seen[-2]), loss(seen[0]) if seen[0][0] == known[0][0] else float("nan")


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
    rated, breathed, months = alsfrs_at(person), fvc_at(person), person.months_since_onset
    rate = None
    if rated is not None and months is not None:
        rate = (HIGHEST_TOTAL - total_of(rated)) / (months + (rated.months or 0.0))
    onset = person.onset
    onset_age = person.onset_age
    if onset_age is None and person.age is not None and months is not None:
        onset_age = person.age - months / 12.0
    values = {
        "progression_rate": rate,
        "diagnostic_delay": person.diagnostic_delay,
        "onset_age": onset_age,
        "fvc": None if breathed is None else breathed.fvc,
        "months_since_onset": None if months is None else months + (person.visits[-1].months or 0),
        "months_since_first": since_first(person),
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
                f"the {words} is {value:g}" if value == value else f"the {words} is not a number",
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
            known = f"{visit.fvc:g} % predicted" if visit.fvc == visit.fvc else "not a number"
            raise refuse(f"FVC is {known}", "Give per cent of the predicted, 0 to 300.")
