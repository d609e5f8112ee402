"""What limits a survival prediction, and when the model must say nothing."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np

from ..imaging.finding import Finding
from ..prognosis.alsfrs import HIGHEST_TOTAL
from ..prognosis.slope import unlikely_rises
from .function_scale import total_of
from .person_checks import RESPIRATORY_ITEM, is_death
from .records import PersonRecord, VisitRecord
from .survival_model import SurvivalModel
from .survival_predictors import (
    CARRIED,
    CLINICAL,
    FLAGS,
    IMAGING,
    LABELS,
    PREDICTORS,
    alsfrs_at,
    changes,
    fvc_at,
    images_at,
    since_first,
)

FASTER, POINTS, FVC_POINTS = 1.5, 6.0, 20.0
"""What makes the last visit another than the first foretells; own choices: the ALSFRS-R fell by
more than ``POINTS`` more, and ``FASTER`` times as much, as at its pace from 48 before the first
visit; or FVC by ``FVC_POINTS`` percentage points more than at its pace from 100."""
_NUMBERS = frozenset(CLINICAL) - frozenset(FLAGS) - {"months_since_first"}
"""Clinical predictors outside whose range nothing is said."""
_CHANGES = {
    "total": "ALSFRS-R total",
    "points": "ALSFRS-R points lost a month since the visit before",
    "fvc_points": "Percentage points of FVC lost a month since the visit before",
    "quickened": "ALSFRS-R points lost a month since the first visit, beyond those before it",
}
"""The same of ``survival_predictors.changes``."""
LATE = 2.0
"""So many times the last training visit after the first one nothing is said (own choice)."""
NEAR, TOP = 0.85, 0.95
"""Shares of the highest risk that the form allows: an estimate above the one, or an interval that
reaches the other, is warned about (own choices)."""


def reached(person: PersonRecord) -> Finding | None:
    """Return what is said where the end point has happened at a visit: nothing is left to predict.

    It is death, tracheostomy, or non-invasive ventilation day and night; a later visit without it
    undoes none.
    """
    for visit in person.visits:
        item = None if visit.ratings is None else visit.ratings[RESPIRATORY_ITEM]
        if is_death(visit):
            what, fix = "Stage 5 was entered, which is death", "Correct the stage"
        elif item == 0:
            what = "Item 12 is 0, invasive ventilation: the end point has happened"
            fix = "Correct the rating"
        elif item == 1:
            what = "Item 12 is 1, ventilation day and night: this is the end point"
            fix = "Correct the rating"
        elif total_of(visit) == 0:
            what = "The ALSFRS-R is 0, with invasive ventilation: the end point has happened"
            fix = "Correct the total"
        else:
            continue
        return Finding(
            "survival-end-point", "error", f"{what}; there is no risk left to predict",
            f"{fix} if this is not so.",
        )  # fmt: skip
    return None


def departed(person: PersonRecord) -> Finding | None:
    """Return a warning where the last visit is far worse than the first foretells."""
    said = []
    loss, foretold, after = _fall(person, HIGHEST_TOTAL, total_of)
    if loss - foretold > POINTS and loss > FASTER * foretold:
        said.append(
            f"the ALSFRS-R fell by {loss:.0f} points in {_months(after)} "
            f"({foretold:.0f} at the pace before)"
        )
    loss, foretold, after = _fall(person, 100.0, lambda visit: visit.fvc)
    if loss - foretold > FVC_POINTS:
        said.append(
            f"FVC fell by {loss:.0f} percentage points in {_months(after)} "
            f"({foretold:.0f} at the pace before)"
        )
    if not said:
        return None
    return Finding(
        "survival-last-visit-departs", "warning",
        f"Since the first visit {' and '.join(said)}: the risk reads the last visit and the pace "
        "since onset as a whole, not that it has quickened",
        "The risk may be too low; see the forecast of the ALSFRS-R.",
    )  # fmt: skip


def _months(number: float) -> str:
    """Return a number of months, for people."""
    return f"{number:.0f} month{'' if round(number) == 1 else 's'}"


def _fall(
    person: PersonRecord, healthy: float, read: Callable[[VisitRecord], float | None]
) -> tuple[float, float, float]:
    """Return the fall since the first visit, that at the pace before it, and months; else NaN."""
    first, since = read(person.visits[0]), person.months_since_onset
    later = [(visit.months, read(visit)) for visit in person.visits[1:]]
    later = [(at, value) for at, value in later if value is not None]
    if not later or first is None or not since:
        return (float("nan"),) * 3
    after = later[-1][0] - (person.visits[0].months or 0.0)
    return first - later[-1][1], max(healthy - first, 0.0) / since * after, after


def outside(person: PersonRecord, raw: np.ndarray, model: SurvivalModel) -> list[Finding]:
    """Return why the model must say nothing."""
    if person.group not in (None, "ALS"):
        return [
            Finding(
                "survival-no-als", "error",
                "The person has no diagnosis of ALS: the model was learned from patients with ALS",
                "Set the group to ALS where it is one.",
            )
        ]  # fmt: skip
    over = reached(person)
    if over is not None:
        return [over]
    if person.months_since_onset is None:
        return [
            Finding(
                "survival-no-onset", "error",
                "The months from onset to the first visit are not known: time runs from onset",
                "Enter the date of onset.",
            )
        ]  # fmt: skip
    if np.isnan(raw[PREDICTORS.index("progression_rate")]):
        return [
            Finding(
                "survival-no-alsfrs", "error",
                "The last visit has no ALSFRS-R total, nor eight of its items, nor has one in the "
                f"{CARRIED:.0f} months before", "Enter the items: the rate of progression tells "
                "most.",
            )
        ]  # fmt: skip
    last = model.domain.get("since_first", (0.0, np.inf))[1]
    if since_first(person) > LATE * last:
        return [too_late(last)]
    known = [
        (LABELS[name], raw[place], low, high)
        for place, (name, low, high) in enumerate(
            zip(PREDICTORS, model.low, model.high, strict=True)
        )
        if name in _NUMBERS
    ]
    found = changes(person)
    known += [
        (label, found[name], *model.domain[name])
        for name, label in _CHANGES.items()
        if name in model.domain
    ]
    return [
        unlike(label, value, low, high)
        for label, value, low, high in known
        if not np.isnan(value) and not low <= value <= high
    ]


def unlike(label: str, value: float, low: float, high: float) -> Finding:
    """Return what is said of a value that the training patients did not have."""
    unit = " (per cent of the predicted, not litres)" if label == LABELS["fvc"] else ""
    return Finding(
        "survival-domain", "error",
        f"{label}: {value:.3g}; training patients had {low:.3g} to {high:.3g}{unit}",
        "Check the entry; outside this range the model says nothing.",
    )  # fmt: skip


def outside_as_a_whole(log_odds: float, model: SurvivalModel) -> Finding | None:
    """Return why the model must say nothing where all findings together are unlike the training."""
    low, high = model.domain.get("log_odds", (-np.inf, np.inf))
    if low <= log_odds <= high:
        return None
    side = "better" if log_odds < low else "worse"
    return Finding(
        "survival-domain", "error",
        f"All findings together are {side} than those of nearly every training patient (log odds "
        f"{log_odds:.1f}; they had {low:.1f} to {high:.1f})",
        "Check the entries; outside this range the model says nothing.",
    )  # fmt: skip


def near_the_most(value: float, high: float, most: float) -> Finding | None:
    """Return a warning where the form of the model, not the findings, limits the 12-month risk."""
    if value <= NEAR * most and high < TOP * most:
        return None
    return Finding(
        "survival-cap", "warning",
        f"The form of the model cannot give a best estimate above {100 * most:.0f} % within 12 "
        "months at this time since onset: the true risk may be higher",
        "Take the upper end for no limit.",
    )  # fmt: skip


def about_input(
    person: PersonRecord, raw: np.ndarray, images_wanted: bool, model: SurvivalModel
) -> list[Finding]:
    """Return what limits the prediction."""
    found = list(_limits(person, raw, images_wanted))
    last = model.domain.get("since_first", (0.0, np.inf))[1]
    if round(since_first(person)) > last:
        found.append(
            Finding(
                "survival-visit-later", "warning",
                f"This visit is {_months(since_first(person))} after the first; training patients "
                f"had none later than {_months(last)}",
                "It is read like one of that time: take the risk with care.",
            )
        )  # fmt: skip
    if model.training.source == "simulated":
        found.append(
            Finding(
                "survival-causes-average", "info",
                "The share of ventilation among events is that of all simulated patients, whose "
                "causes were drawn by lot",
                "It says nothing of whether this person would be ventilated.",
            )
        )  # fmt: skip
    return found


def _limits(person: PersonRecord, raw: np.ndarray, images_wanted: bool) -> Iterator[Finding]:
    absent = [LABELS[n] for n, v in zip(CLINICAL, raw, strict=False) if np.isnan(v)]
    if absent:
        yield Finding(
            "survival-missing", "warning", f"Not known: {', '.join(absent)}",
            "What is expected given the rest was taken, and the intervals are wider.",
        )  # fmt: skip
    if np.isnan(raw[IMAGING]).all():
        why = f"No usable image in the last {CARRIED:.0f} months"
        why = why if images_wanted else "Images were left out"
        yield Finding(
            "survival-no-images", "warning", why,
            "The prediction is of clinical findings; the intervals are wider.",
        )  # fmt: skip
    elif np.isnan(raw[IMAGING]).any():
        names = [LABELS[n] for n, v in zip(PREDICTORS[IMAGING], raw[IMAGING], strict=True)
                 if np.isnan(v)]  # fmt: skip
        yield Finding(
            "survival-measures-missing", "info", f"No usable measure: {', '.join(names)}",
            "What is expected given the rest was taken.",
        )  # fmt: skip
    if len(person.visits) > 1:
        older = _carried(person, images_wanted)
        if older:
            yield Finding(
                "survival-carried", "info", f"Not of the last visit: {', '.join(older)}",
                "Newer values may change the risk.",
            )  # fmt: skip
        departure = departed(person)
        if departure is not None:
            yield departure
        totals = [total_of(visit) for visit in person.visits]
        if unlikely_rises([visit.months for visit in person.visits], totals):
            yield Finding(
                "survival-alsfrs-rises", "warning",
                "The ALSFRS-R rises between visits by more than its noise explains",
                "Check the ratings and the dates.",
            )  # fmt: skip
    if any(visit.niv for visit in person.visits):
        yield Finding(
            "survival-niv", "info", "The person has non-invasive ventilation",
            "The end point is more than 23 h a day; if that is reached, the prediction is void.",
        )  # fmt: skip


def _carried(person: PersonRecord, images_wanted: bool) -> list[str]:
    """Return what is read from an earlier visit, in words."""
    found = []
    now = person.visits[-1].months or 0.0
    for word, visit in (
        ("ALSFRS-R", alsfrs_at(person)), ("FVC", fvc_at(person)),
        ("images", images_at(person) if images_wanted else None),
    ):  # fmt: skip
        if visit is not None and visit is not person.visits[-1]:
            found.append(f"{word} ({_months(now - (visit.months or 0.0))} before)")
    return found


def far_outside(names: list[str]) -> Finding:
    """Return what is said of images unlike those of the training."""
    return Finding(
        "survival-images-far", "warning",
        f"Far outside the training patients, and not used: {', '.join(LABELS[n] for n in names)}",
        "Look at the segmentation.",
    )  # fmt: skip


def short_follow_up(model: SurvivalModel) -> Finding:
    """Return what is said where the training ends before a horizon."""
    return Finding(
        "survival-follow-up", "info",
        f"Training patients were followed for {model.horizon:.0f} months after a visit",
        "Nothing is said of later months.",
    )  # fmt: skip


def too_late(last: float) -> Finding:
    """Return what is said of a visit long after all those of the training."""
    return Finding(
        "survival-visit-late", "error",
        f"The last visit is more than {_months(LATE * last)} after the first; training patients "
        f"had none later than {_months(last)}",
        "Nothing can be said of the time after it.",
    )  # fmt: skip
