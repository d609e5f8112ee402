"""What limits a survival prediction, and when the model must say nothing."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np

from ..imaging.finding import Finding
from ..prognosis.alsfrs import HIGHEST_TOTAL
from ..prognosis.slope import unlikely_rises
from .records import PersonRecord, VisitRecord
from .survival_model import SurvivalModel
from .survival_predictors import CLINICAL, FLAGS, IMAGING, LABELS, PREDICTORS, total_of

RESPIRATORY_ITEM = 11
"""Place of item 12, respiratory insufficiency."""
FASTER, POINTS, FVC_POINTS = 1.5, 6.0, 20.0
"""What makes the last visit another than the first foretells; own choices: the ALSFRS-R fell by
more than ``POINTS`` more, and ``FASTER`` times as much, as at its pace from 48 before the first
visit; or FVC by ``FVC_POINTS`` percentage points more than at its pace from 100."""


def reached(person: PersonRecord) -> Finding | None:
    """Return what is said where the end point has happened at a visit: nothing is left to predict.

    It is death, tracheostomy, or non-invasive ventilation day and night; a later visit without it
    undoes none.
    """
    for visit in person.visits:
        item = None if visit.ratings is None else visit.ratings[RESPIRATORY_ITEM]
        if visit.kings == "5" or visit.mitos == 5:
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
            f"the ALSFRS-R fell by {loss:.0f} points in {after:.0f} months "
            f"({foretold:.0f} at the pace before)"
        )
    loss, foretold, after = _fall(person, 100.0, lambda visit: visit.fvc)
    if loss - foretold > FVC_POINTS:
        said.append(
            f"FVC fell by {loss:.0f} percentage points in {after:.0f} months "
            f"({foretold:.0f} at the pace before)"
        )
    if not said:
        return None
    return Finding(
        "survival-last-visit-departs", "warning",
        f"Since the first visit {' and '.join(said)}: the risk is predicted from the first visit "
        "and does not know this", "Read the risk as too low; see the forecast of the ALSFRS-R.",
    )  # fmt: skip


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
                "The first visit has no ALSFRS-R total, nor ten of its items",
                "Enter the items: the rate of progression tells most.",
            )
        ]  # fmt: skip
    return [
        Finding(
            "survival-domain", "error",
            f"{LABELS[name]} is {raw[place]:.3g}; training patients had {low:.3g} to {high:.3g}",
            "Check the entry; outside this range the model says nothing.",
        )
        for place, (name, low, high) in enumerate(
            zip(PREDICTORS, model.low, model.high, strict=True)
        )
        if name in CLINICAL and name not in FLAGS and not np.isnan(raw[place])
        and not low <= raw[place] <= high
    ]  # fmt: skip


def about_input(person: PersonRecord, raw: np.ndarray, images_wanted: bool) -> list[Finding]:
    """Return what limits the prediction."""
    return list(_limits(person, raw, images_wanted))


def _limits(person: PersonRecord, raw: np.ndarray, images_wanted: bool) -> Iterator[Finding]:
    absent = [LABELS[n] for n, v in zip(CLINICAL, raw, strict=False) if np.isnan(v)]
    if absent:
        yield Finding(
            "survival-missing", "warning", f"Not known: {', '.join(absent)}",
            "What is expected given the rest was taken, and the intervals are wider.",
        )  # fmt: skip
    if np.isnan(raw[IMAGING]).all():
        why = "No usable image at the first visit" if images_wanted else "Images were left out"
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
        yield Finding(
            "survival-first-visit", "info",
            "Predictors are those of the first visit; later ones only say that nothing happened",
            "See the forecast of the ALSFRS-R for what later visits add.",
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
        f"Training patients were followed for {model.horizon:.0f} months after the first visit",
        "Nothing is said of later months.",
    )  # fmt: skip


def too_late() -> Finding:
    """Return what is said of a visit after all training."""
    return Finding(
        "survival-visit-late", "error",
        "The last visit lies beyond the follow-up of the training patients",
        "Nothing can be said of the time after it.",
    )  # fmt: skip
