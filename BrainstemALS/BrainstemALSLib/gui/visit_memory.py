"""What was typed belongs to the T1 that was chosen: another T1 has its own code, dates, maps."""

from __future__ import annotations

import json
from contextlib import suppress

from ..prognosis.alsfrs import ITEMS, NOT_RATED
from .parameters import NOT_GIVEN, VisitParameters

_ATTRIBUTE = "BrainstemALS.Visit"
_EMPTY = {
    "subject_code": "",
    "visit_date": "",
    "age": 0,
    "sex": "",
    "seconds_spent": 0.0,
    "group": "",
    "onset": "",
    "months_since_onset": NOT_GIVEN,
    "diagnostic_delay": NOT_GIVEN,
    "fvc": 0,
    "intracranial_ml": 0,
    "intracranial_sd_ml": 0,
    "intracranial_wins": False,
    "ftd": "",
    "c9orf72": "",
    "riluzole": "",
    "definite_ee": "",
    "gastrostomy": "",
    "niv": "",
    "earlier_visits": "",
    **{f"alsfrs{number}": NOT_RATED for number in range(1, len(ITEMS) + 1)},
}
_MAPS = ("fa", "md", "dti", "dwi")


def remember(parameters: VisitParameters, t1: object) -> None:
    """Keep with a T1 what was typed for it; it is saved with the scene."""
    typed = {name: getattr(parameters, name) for name in _EMPTY}
    t1.SetAttribute(_ATTRIBUTE, None if typed == _EMPTY else json.dumps(typed))
    for role in _MAPS:
        node = getattr(parameters, role)
        t1.SetNodeReferenceID(_reference(role), None if node is None else node.GetID())


def recall(parameters: VisitParameters, t1: object | None) -> bool:
    """Show what was typed and chosen for a T1; False, and nothing done, where nothing was."""
    text = t1.GetAttribute(_ATTRIBUTE) if t1 is not None else None
    try:
        typed = json.loads(text or "{}")
    except json.JSONDecodeError:
        typed = {}
    if not isinstance(typed, dict):
        typed = {}
    maps = {role: t1.GetNodeReference(_reference(role)) if t1 else None for role in _MAPS}
    if not typed and not any(maps.values()):
        return False
    forget(parameters)
    _fill(parameters, {**{name: typed[name] for name in _EMPTY if name in typed}, **maps})
    return True


def forget(parameters: VisitParameters) -> None:
    """Show nothing: what was typed and chosen belonged to another T1."""
    _fill(parameters, {**_EMPTY, **dict.fromkeys(_MAPS)})


def _reference(role: str) -> str:
    return f"BrainstemALS.Visit.{role.upper()}"


def _fill(parameters: VisitParameters, values: dict[str, object]) -> None:
    changing = parameters.StartModify()
    try:
        for name, value in values.items():
            # A scene may have been written by another version, or by hand.
            with suppress(TypeError, ValueError):
                setattr(parameters, name, value)
    finally:
        parameters.EndModify(changing)
