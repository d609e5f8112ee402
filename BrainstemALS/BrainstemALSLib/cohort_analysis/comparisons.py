"""The questions of the cross-sectional analysis: groups, King's stages, sites of onset."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .covariates import note_costs
from .design import Design
from .linear import COLUMNS, Question, answer, with_rates
from .options import GroupOptions, Notes

if TYPE_CHECKING:
    import pandas as pd

GROUP_PAIRS = (("ALS", "HC"), ("MIMIC", "HC"), ("ALS", "MIMIC"))
STAGES = ("1", "2", "3", "4")
"""King's stages that are compared; 0 is before the disease involves a region, 5 is death."""


def group_question(design: Design, one: str = "ALS", other: str = "HC") -> Question:
    """Return the question of two groups; nobody else is in the model."""
    group = design.people.group
    return Question("group", group.where(group.isin([one, other]), None), other, ((one, other),))


def onset_question(design: Design) -> Question:
    """Return bulbar, spinal and respiratory onset against controls and bulbar against spinal."""
    people = design.people
    known = people.onset.isin(["bulbar", "spinal", "respiratory"]) & (people.group == "ALS")
    levels = people.onset.where(known, people.group.where(people.group == "HC", None))
    pairs = [(onset, "HC") for onset in ("bulbar", "spinal", "respiratory")]
    return Question("onset", levels, "HC", (*pairs, ("bulbar", "spinal")))


def stage_question(design: Design) -> Question:
    """Return each King's stage at the first visit against controls."""
    people = design.people
    stage = people.kings.where((people.group == "ALS") & (people.kings > 0))
    named = stage.map(lambda value: f"stage {value:.0f}" if value == value else None).astype(object)
    levels = named.where(named.notna(), people.group.where(people.group == "HC", None))
    pairs = tuple((f"stage {name}", "HC") for name in STAGES)
    return Question("stage", levels, "HC", pairs)


def trend_question(design: Design) -> Question:
    """Return the change per King's stage among patients, stages equally far apart."""
    people = design.people
    return Question("stage", people.kings.where((people.group == "ALS") & (people.kings > 0)))


def cross_sectional(design: Design, options: GroupOptions, notes: Notes) -> pd.DataFrame:
    """Return all contrasts of the first visits; false discoveries are counted within families."""
    import pandas as pd

    note_costs(design.people, design.first.notna().any(axis=1).to_numpy(), options.adjust, notes)
    questions = [group_question(design, *pair) for pair in GROUP_PAIRS]
    people = design.people
    patients = people.group == "ALS"
    if people.onset[patients].notna().any():
        questions.append(onset_question(design))
    else:
        notes.add("onset", "not known for any patient: no comparison by onset")
    if people.kings[patients].notna().any():
        questions += [stage_question(design), trend_question(design)]
    else:
        notes.add("King's stage", "not known for any patient: no comparison by stage")
    tables = [answer(question, design, options, notes) for question in questions]
    tables = [table for table in tables if len(table)]
    if not tables:
        notes.add("measures", "every one was rated bad: nothing is compared")
        return pd.DataFrame(columns=list(COLUMNS))
    return with_rates(pd.concat(tables, ignore_index=True))
