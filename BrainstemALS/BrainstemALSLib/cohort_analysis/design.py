"""Turns the three tables of a cohort into what the models read: one row a participant.

Quality filter: ``bad`` is left out, ``warning`` is kept (own choice; the sensitivity analysis
leaves warnings out too). Cross-sectional analyses read each participant's first visit; a measure
that is missing there is not taken from a later one, when the disease is further on.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from ..cohort.tables import UNITS
from ..errors import BrainstemALSError, ExitCode
from ..prognosis.alsfrs import HIGHEST_TOTAL
from ..prognosis.slope import pre_slope
from .options import Notes

if TYPE_CHECKING:
    import pandas as pd

    from ..cohort.tables import Cohort

GROUPS = ("HC", "MIMIC", "ALS")
FAMILIES = {
    "volume": "volume",
    "fa": "fa",
    "md": "md",
    "volume_asymmetry": "asymmetry",
    "fa_asymmetry": "asymmetry",
    "md_asymmetry": "asymmetry",
}
"""Measure to the family within which false discoveries are counted."""
INTRACRANIAL = "intracranial"
REQUIRED = {
    "participants": ("participant_id", "group", "age", "sex"),
    "visits": ("participant_id", "session_id", "months"),
    "measures": ("participant_id", "session_id", "structure", "measure", "value"),
}
KEYS = {
    "participants": ["participant_id"],
    "visits": ["participant_id", "session_id"],
    "measures": ["participant_id", "session_id", "structure", "measure"],
}
BULBAR_ITEMS = ("alsfrs_01", "alsfrs_02", "alsfrs_03")
PATIENT_CODES = {"onset": ("bulbar", "spinal", "respiratory")}


@dataclass(frozen=True, eq=False)
class Design:
    """Tables that the models read; rows of ``people`` and ``first`` are the same participants.

    Attributes
    ----------
    people : pandas.DataFrame
        Index participant_id; group, age (years), male (0/1), site, onset, kings, icv (mm3, mean of
        the participant's visits), alsfrs_total, bulbar, fvc, slope (points lost per month).
    first : pandas.DataFrame
        Values at the first visit; columns (measure, structure), NaN where missing or bad.
    warned : pandas.DataFrame
        Same shape, bool: the value is used in spite of a warning.
    observations : pandas.DataFrame
        All visits: participant_id, session_id, months, visit (1, 2, ...).
    values : pandas.DataFrame
        Index as ``observations``; columns as ``first``.
    measures : pandas.DataFrame
        The tidy table with ``visit`` and ``months``, bad rows included.
    """

    people: pd.DataFrame
    first: pd.DataFrame
    warned: pd.DataFrame
    observations: pd.DataFrame
    values: pd.DataFrame
    measures: pd.DataFrame

    def measures_of(self, *names: str) -> list[tuple[str, str]]:
        """Return the (measure, structure) of these measures; of all when none is named."""
        return [key for key in self.first.columns if not names or key[0] in names]


def build_design(cohort: Cohort, notes: Notes) -> Design:
    """Build the tables of an analysis; what is left out is named in ``notes``.

    Raises
    ------
    BrainstemALSError
        USAGE: a table lacks a column, has a row twice, or nobody has both a visit and a measure.
    """
    import pandas as pd

    for name in REQUIRED:
        _check(name, getattr(cohort, name))
    people = _people(cohort.participants, notes)
    visits = _visits(cohort.visits, people, notes)
    measures = _measures(cohort.measures, visits, notes)
    if measures.empty:
        raise BrainstemALSError(
            "measures",
            "no participant has a group, a visit and a measure",
            "Check that the three tables use the same participant_id and session_id.",
            ExitCode.USAGE,
        )
    good = measures[measures.quality != "bad"]
    icv = good[(good.structure == INTRACRANIAL) & (good.measure == "volume")]
    people["icv"] = icv.groupby("participant_id").value.mean().reindex(people.index)
    if people.icv.isna().all():
        notes.add("intracranial volume", "not in the table: volumes are not adjusted for it")
    shown = good[good.structure != INTRACRANIAL]
    grid = ["participant_id", "session_id"]
    wide = shown.pivot(index=grid, columns=["measure", "structure"], values="value")
    warned = shown.assign(warned=shown.quality == "warning").pivot(
        index=grid, columns=["measure", "structure"], values="warned"
    )
    columns = sorted(wide.columns, key=lambda key: (list(FAMILIES).index(key[0]), _place(key[1])))
    visits = visits.sort_values(["participant_id", "months"], ignore_index=True)
    rows = pd.MultiIndex.from_frame(visits[grid])
    wide, warned = wide.reindex(rows)[columns], warned.reindex(rows)[columns]
    wide.columns = warned.columns = pd.MultiIndex.from_tuples(
        columns, names=["measure", "structure"]
    )
    values = wide.reset_index(drop=True).astype(float)
    at_first = visits.visit.to_numpy() == 1
    first = values[at_first].set_axis(visits.participant_id[at_first]).reindex(people.index)
    flags = (
        warned.reset_index(drop=True)[at_first]
        .set_axis(first.index[:0].append(pd.Index(visits.participant_id[at_first])))
        .reindex(people.index)
    )
    _clinical(people, visits, notes)
    return Design(people, first, flags.eq(True), visits, values, measures)


def _check(name: str, table: pd.DataFrame) -> None:
    missing = [column for column in REQUIRED[name] if column not in table.columns]
    if missing:
        raise BrainstemALSError(
            name, f"the table has no column {', '.join(missing)}",
            "Write the table as docs of the cohort say.", ExitCode.USAGE,
        )  # fmt: skip
    twice = table[table.duplicated(KEYS[name])]
    if len(twice):
        what = " ".join(str(value) for value in twice.iloc[0][KEYS[name]])
        raise BrainstemALSError(
            name, f"{what} is in the table twice ({len(twice)} such rows)",
            "Leave one row of each.", ExitCode.USAGE,
        )  # fmt: skip


def _people(table: pd.DataFrame, notes: Notes) -> pd.DataFrame:
    import numpy as np
    import pandas as pd

    table = table.set_index("participant_id")
    unknown = ~table.group.isin(GROUPS)
    for code in table.group[unknown].fillna("n/a").unique():
        count = int((table.group.fillna("n/a") == code).sum())
        notes.add("group", f"{code!r} is no group: {count} participants are left out")
    table = table[~unknown]
    people = pd.DataFrame({"group": table.group.astype(object)}, index=table.index)
    people["age"] = pd.to_numeric(table.age, errors="coerce")
    people["male"] = table.sex.map({"M": 1.0, "F": 0.0}).astype(float)
    for column in ("site", *PATIENT_CODES):
        if column not in table:
            notes.add(
                column, "not in the table of participants: nothing is adjusted or split by it"
            )
        people[column] = table[column].astype(object) if column in table else np.nan
        people[column] = people[column].where(people[column].notna(), None)
    people["months_since_onset"] = (
        pd.to_numeric(table.months_since_onset, errors="coerce")
        if "months_since_onset" in table
        else np.nan
    )
    for column, codes in PATIENT_CODES.items():
        of_patients = people[column][(people.group == "ALS") & people[column].notna()]
        for code in of_patients[~of_patients.isin(codes)].unique():
            notes.add(column, f"{code!r} is unknown: these patients are not split by {column}")
    for group in GROUPS:
        if not (people.group == group).any():
            notes.add(group, "no participant of this group: its comparisons are left out")
    return people


def _visits(table: pd.DataFrame, people: pd.DataFrame, notes: Notes) -> pd.DataFrame:
    import pandas as pd

    visits = table[table.participant_id.isin(people.index)].copy()
    visits["months"] = pd.to_numeric(visits.months, errors="coerce")
    undated = visits.months.isna()
    if undated.any():
        notes.add("visits", f"{int(undated.sum())} have no date (months) and are left out")
        visits = visits[~undated]
    visits = visits.sort_values(["participant_id", "months", "session_id"], ignore_index=True)
    visits["visit"] = visits.groupby("participant_id").cumcount() + 1
    without = len(people.index.difference(visits.participant_id))
    if without:
        notes.add("visits", f"{without} participants have none")
    return visits


def _measures(table: pd.DataFrame, visits: pd.DataFrame, notes: Notes) -> pd.DataFrame:
    import pandas as pd

    strange = ~table.measure.isin(FAMILIES)
    for name in table.measure[strange].unique():
        notes.add("measures", f"{name!r} is no measure of this analysis and is left out")
    table = table[~strange]
    if "unit" in table:
        given = table.unit.where(table.unit.notna(), table.measure.map(UNITS))
        wrong = given != table.measure.map(UNITS)
        for measure, unit in sorted(set(zip(table.measure[wrong], given[wrong], strict=True))):
            count = int((wrong & (table.measure == measure) & (given == unit)).sum())
            notes.add(
                "units",
                f"{measure} in {unit!r} instead of {UNITS[measure]!r}: {count} values are left out",
            )
        table = table[~wrong]
    measures = table.merge(
        visits[["participant_id", "session_id", "visit", "months"]],
        on=["participant_id", "session_id"],
    )
    lost = len(table) - len(measures)
    if lost:
        notes.add("measures", f"{lost} belong to no dated visit of a participant and are left out")
    measures["value"] = pd.to_numeric(measures.value, errors="coerce")
    if "quality" not in measures:
        notes.add("quality", "not in the table of measures: every measure counts as good")
        measures["quality"] = "good"
    unrated = ~measures.quality.isin(["good", "warning", "bad"])
    if unrated.any():
        notes.add(
            "quality", f"{int(unrated.sum())} measures have no known rating and count as a warning"
        )
        measures["quality"] = measures.quality.where(~unrated, "warning")
    return measures


def _clinical(people: pd.DataFrame, visits: pd.DataFrame, notes: Notes) -> None:
    """Add the clinical scores of the first visit."""
    import numpy as np
    import pandas as pd

    first = visits[visits.visit == 1].set_index("participant_id")

    def number(column: str) -> pd.Series:
        if column not in first:
            notes.add(column, "not in the table of visits: analyses with it are left out")
            return pd.Series(np.nan, people.index)
        return pd.to_numeric(first[column], errors="coerce").reindex(people.index)

    stage = number("kings")
    people["kings"] = stage.where(stage.isin([0, 1, 2, 3, 4]))
    if "kings" in first:
        given = first.kings.reindex(people.index)
        patients = people.group == "ALS"
        for code in sorted(set(given[patients & given.notna() & people.kings.isna()].astype(str))):
            count = int((patients & (given.astype(str) == code)).sum())
            notes.add("King's stage", f"{code!r} is not compared: {count} patients have no stage")
        early = int((patients & (people.kings == 0)).sum())
        if early:
            notes.add("King's stage", f"0 in {early} patients: they are in no comparison by stage")
    people["alsfrs_total"] = number("alsfrs_total")
    people["bulbar"] = sum(number(item) for item in BULBAR_ITEMS)
    people["fvc"] = number("fvc")
    months = people.months_since_onset
    late = (people.group == "ALS") & (months <= 0)
    if late.any():
        notes.add("slope", f"{int(late.sum())} patients came before symptom onset: they have none")
    people["slope"] = pre_slope(
        people.alsfrs_total.where(people.alsfrs_total.between(0, HIGHEST_TOTAL)).to_numpy(float),
        months.where(months > 0).to_numpy(float),
    )
    people.loc[people.group != "ALS", "slope"] = np.nan


def _place(structure: str) -> tuple[int, str]:
    from ..anatomy import composites, load_structures

    order = [*composites(), *(s.key for s in load_structures())]
    order += [s.stem for s in load_structures()]
    return (order.index(structure) if structure in order else len(order), structure)
