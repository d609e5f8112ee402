"""The clinical form as the JSON of ``prediction.person_file``, and back.

The form speaks of this visit, the one of the T1: months are counted back from it, age is that of
today. The file counts from the first visit. No date is kept, only differences.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import date
from math import ceil
from pathlib import Path
from typing import Any

from ..prognosis import alsfrs
from .parameters import NOT_GIVEN, VisitParameters, alsfrs_ratings

FLAGS = ("ftd", "c9orf72", "riluzole", "definite_ee", "gastrostomy", "niv")
_OF_VISIT = ("gastrostomy", "niv")
_DAYS_A_MONTH = 30.4375
_MM3_A_ML = 1000


@dataclass(frozen=True)
class Earlier:
    """An earlier visit, as the form has it.

    Attributes
    ----------
    months_before : float
        Before this visit; 0 while nothing was entered.
    total : int or None
        ALSFRS-R, where the items are not known.
    fvc : float or None
        Per cent predicted.
    rest : mapping
        What a file says besides, by the keys of ``person_file``: ``alsfrs``, ``gastrostomy``,
        ``niv``, ``kings``, ``mitos``, ``exam`` (with its whole path).
    """

    months_before: float = 0.0
    total: int | None = None
    fvc: float | None = None
    rest: Mapping[str, Any] | None = None

    @property
    def ratings(self) -> list[int | None] | None:
        """The twelve ratings, None for a missing one; None where they are not known."""
        return (self.rest or {}).get("alsfrs")

    @property
    def is_empty(self) -> bool:
        """Whether nothing was entered."""
        return self == Earlier()

    def shown_total(self) -> int | None:
        """Return the total of the items where they are known, else the one that was entered."""
        if self.ratings is None:
            return self.total
        return alsfrs.total([alsfrs.NOT_RATED if r is None else r for r in self.ratings])


def earlier_rows(parameters: VisitParameters) -> list[Earlier]:
    """Return the earlier visits as they stand in the form; none where the scene holds nonsense."""
    try:
        return [Earlier(**one) for one in json.loads(parameters.earlier_visits or "[]")]
    except (TypeError, ValueError):
        return []


def earlier_visits(parameters: VisitParameters) -> list[Earlier]:
    """Return the earlier visits, the oldest first; rows where nothing was entered left out."""
    entered = (visit for visit in earlier_rows(parameters) if not visit.is_empty)
    return sorted(entered, key=lambda visit: -visit.months_before)


def keep_earlier(parameters: VisitParameters, rows: list[Earlier]) -> None:
    """Keep earlier visits in the scene as they stand in the form: a row jumps nowhere meanwhile."""
    kept = list(rows)
    while kept and kept[-1].is_empty:
        kept.pop()
    parameters.earlier_visits = json.dumps([asdict(visit) for visit in kept]) if kept else ""


def months_between(first: str, last: str) -> float | None:
    """Return the months between two ISO dates, to a tenth; None where one is no date or is later.

    Examples
    --------
    >>> months_between("2025-01-15", "2026-01-15")
    12.0
    """
    try:
        days = (date.fromisoformat(last) - date.fromisoformat(first)).days
    except ValueError:
        return None
    return round(days / _DAYS_A_MONTH, 1) if days >= 0 else None


def person_json(parameters: VisitParameters) -> dict[str, Any]:
    """Return the form as ``person_file`` has it; what was not given is left out."""
    earlier = earlier_visits(parameters)
    span = max((visit.months_before for visit in earlier), default=0.0)
    person: dict[str, Any] = {
        "participant": parameters.subject_code,
        "age": round(parameters.age - span / 12.0, 2) if parameters.age else None,
        "sex": parameters.sex,
        "group": parameters.group,
        "onset": parameters.onset,
        "months_since_onset": _months(parameters.months_since_onset, span),
        "diagnostic_delay": _months(parameters.diagnostic_delay, 0.0),
        **{name: getattr(parameters, name) for name in FLAGS if name not in _OF_VISIT},
        **_head_json(parameters),
    }
    if None not in (person["age"], person["months_since_onset"]):
        person["onset_age"] = round(person["age"] - person["months_since_onset"] / 12.0, 2)
    visits = [_earlier_json(visit, span) for visit in earlier]
    visits.append(_this_visit(parameters, span))
    for number, visit in enumerate(visits, start=1):
        visit["session"] = f"ses-{number:02d}"
    return {**_given(person), "visits": [_given(visit) for visit in visits]}


def fill_form(parameters: VisitParameters, person: Mapping[str, Any]) -> None:
    """Show a person of whom the last visit is this one.

    Parameters
    ----------
    parameters : VisitParameters
    person : mapping
        As ``person_file`` accepts it, exams with their whole path.
    """
    *earlier, this = person["visits"]
    now = this.get("months") or 0.0
    ratings = this.get("alsfrs") or [None] * len(alsfrs.ITEMS)
    values: dict[str, Any] = {
        "fvc": round(this.get("fvc") or 0),
        **{name: _word(this.get(name)) for name in _OF_VISIT},
        **{
            f"alsfrs{number}": alsfrs.NOT_RATED if rating is None else int(rating)
            for number, rating in enumerate(ratings, start=1)
        },
    }
    _set(parameters, {**values, **_lasting(person, now)})
    keep_earlier(parameters, [_earlier(visit, now) for visit in earlier])


def add_earlier(parameters: VisitParameters, person: Mapping[str, Any]) -> bool:
    """Show a person all of whose visits are earlier than this one.

    Returns
    -------
    bool
        False, and nothing done, where it cannot be told how long ago they were: that takes the
        months since onset, in the file and in the form.
    """
    since, now = person.get("months_since_onset"), parameters.months_since_onset
    last = person["visits"][-1].get("months") or 0.0
    if since is None or now <= since + last:
        return False
    this = now - since  # months after the first visit of the file
    _set(parameters, _lasting(person, this))
    keep_earlier(parameters, [_earlier(visit, this) for visit in person["visits"]])
    return True


def with_exams(person: Mapping[str, Any], place: Any) -> dict[str, Any]:
    """Return a person with ``place(path)`` instead of each path of an exam."""
    visits = [
        {**visit, "exam": place(visit["exam"])} if visit.get("exam") else dict(visit)
        for visit in person["visits"]
    ]
    return {**person, "visits": visits}


def relative_to(folder: Path) -> Any:
    """Return a function that gives paths below a folder relative to it, others whole."""

    def place(path: str) -> str:
        given = Path(path)
        return given.relative_to(folder).as_posix() if given.is_relative_to(folder) else path

    return place


def _lasting(person: Mapping[str, Any], now: float) -> dict[str, Any]:
    """What holds at every visit, as the form has it at this one."""
    age, since = person.get("age"), person.get("months_since_onset")
    delay = person.get("diagnostic_delay")
    return {
        **({"age": round(age + now / 12.0)} if age is not None else {}),
        "sex": person.get("sex") or "",
        "group": person.get("group") or "",
        "onset": person.get("onset") or "",
        "months_since_onset": NOT_GIVEN if since is None else round(since + now, 1),
        "diagnostic_delay": NOT_GIVEN if delay is None else float(delay),
        "intracranial_ml": round((person.get("intracranial_mm3") or 0) / _MM3_A_ML),
        "intracranial_sd_ml": ceil((person.get("intracranial_sd_mm3") or 0) / _MM3_A_ML),
        "intracranial_wins": _word(person.get("intracranial_wins")) == "yes",
        **{name: _word(person.get(name)) for name in FLAGS if name not in _OF_VISIT},
    }


def _head_json(parameters: VisitParameters) -> dict[str, Any]:
    """Return the intracranial volume that was entered; nothing where there is none."""
    if not parameters.intracranial_ml:
        return {}
    return {
        "intracranial_mm3": _MM3_A_ML * parameters.intracranial_ml,
        "intracranial_sd_mm3": _MM3_A_ML * parameters.intracranial_sd_ml or None,
        "intracranial_wins": "yes" if parameters.intracranial_wins else None,
    }


def _this_visit(parameters: VisitParameters, span: float) -> dict[str, Any]:
    ratings = alsfrs_ratings(parameters)
    rated = any(rating != alsfrs.NOT_RATED for rating in ratings)
    return {
        "months": round(span, 1),
        "alsfrs": [None if r == alsfrs.NOT_RATED else r for r in ratings] if rated else None,
        "fvc": parameters.fvc or None,
        **{name: getattr(parameters, name) for name in _OF_VISIT},
    }


def _earlier_json(visit: Earlier, span: float) -> dict[str, Any]:
    rest = dict(visit.rest or {})
    if visit.ratings is None:
        rest["alsfrs_total"] = visit.total
    return {**rest, "months": round(span - visit.months_before, 1), "fvc": visit.fvc}


def _earlier(visit: Mapping[str, Any], now: float) -> Earlier:
    rest = {
        name: visit[name]
        for name in ("alsfrs", "gastrostomy", "niv", "kings", "mitos", "exam")
        if visit.get(name) is not None
    }
    total = None if "alsfrs" in rest else visit.get("alsfrs_total")
    return Earlier(
        round(now - (visit.get("months") or 0.0), 1),
        None if total is None else int(total),
        visit.get("fvc"),
        rest or None,
    )


def _months(value: float, less: float) -> float | None:
    return None if value == NOT_GIVEN else round(value - less, 1)


def _word(flag: object) -> str:
    return {True: "yes", False: "no"}.get(flag, flag) if flag in (True, False, "yes", "no") else ""


def _given(values: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in values.items() if value not in (None, "")}


def _set(parameters: VisitParameters, values: Mapping[str, Any]) -> None:
    changing = parameters.StartModify()
    try:
        for name, value in values.items():
            setattr(parameters, name, value)
    finally:
        parameters.EndModify(changing)
