"""What is missing, of whom, at which visit, and why as far as the tables tell."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from .covariates import TERMS
from .design import Design

if TYPE_CHECKING:
    import pandas as pd

MEASURE_COLUMNS = (
    "group", "visit", "measure", "participants", "participants_with_any", "expected", "used",
    "used_with_warning", "bad", "without_value", "not_measured",
)  # fmt: skip
VISIT_COLUMNS = (
    "group", "visit", "came", "did_not_come", "died_or_ventilated", "censored_or_unknown",
)  # fmt: skip
COVARIATE_COLUMNS = ("group", "covariate", "participants", "missing")


def missing_measures(design: Design) -> pd.DataFrame:
    """Return how many values are used and why others are not, by group, visit and measure.

    ``expected`` is participants at that visit times the structures that anybody has; ``bad`` was
    excluded by the quality rating; ``without_value`` has a row without a number; ``not_measured``
    has no row.
    """
    import pandas as pd

    measures = design.measures[design.measures.structure != "intracranial"]
    measures = measures.assign(group=measures.participant_id.map(design.people.group))
    group = design.observations.participant_id.map(design.people.group)
    structures = measures.groupby("measure").structure.nunique()
    rows = []
    for (name, visit), people in design.observations.groupby([group.rename("group"), "visit"]):
        for measure, count in structures.items():
            part = measures[
                (measures.group == name) & (measures.visit == visit) & (measures.measure == measure)
            ]
            bad, empty = part.quality == "bad", part.value.isna()
            rows.append({
                "group": name,
                "visit": int(visit),
                "measure": measure,
                "participants": len(people),
                "participants_with_any": part[~bad & ~empty].participant_id.nunique(),
                "expected": len(people) * int(count),
                "used": int((~bad & ~empty).sum()),
                "used_with_warning": int((~bad & ~empty & (part.quality == "warning")).sum()),
                "bad": int(bad.sum()),
                "without_value": int((empty & ~bad).sum()),
                "not_measured": len(people) * int(count) - len(part),
            })  # fmt: skip
    return pd.DataFrame(rows, columns=list(MEASURE_COLUMNS))


def missing_visits(design: Design, participants: pd.DataFrame) -> pd.DataFrame:
    """Return who came to each visit; the rest of the first visit is split by what is known.

    Whoever has died, been ventilated or tracheostomised at any time counts as such: the tables do
    not tell when a visit would have been.
    """
    import pandas as pd

    last = design.observations.groupby("participant_id").visit.max()
    last = last.reindex(design.people.index).fillna(0).astype(int)
    event = participants.set_index("participant_id").get("event")
    known = (
        event.reindex(design.people.index).isin(["death", "niv", "tracheostomy"])
        if event is not None
        else pd.Series(False, design.people.index)
    )
    rows = []
    for group in design.people.group.unique():
        own = (design.people.group == group).to_numpy()
        for visit in range(1, int(last.max()) + 1 if len(last) else 1):
            absent = own & (last < visit).to_numpy()
            rows.append({
                "group": group,
                "visit": visit,
                "came": int((own & (last >= visit).to_numpy()).sum()),
                "did_not_come": int(absent.sum()),
                "died_or_ventilated": int((absent & known.to_numpy()).sum()),
                "censored_or_unknown": int((absent & ~known.to_numpy()).sum()),
            })  # fmt: skip
    return pd.DataFrame(rows, columns=list(VISIT_COLUMNS))


def missing_covariates(design: Design, adjust: tuple[str, ...]) -> pd.DataFrame:
    """Return who lacks a covariate or a clinical score; they drop out of models that need it."""
    import pandas as pd

    people = design.people
    columns = {TERMS[term][1]: TERMS[term][0] for term in adjust}
    of_patients = {
        "ALSFRS-R": "alsfrs_total", "ALSFRS-R bulbar items": "bulbar", "FVC": "fvc",
        "points lost per month": "slope", "King's stage": "kings", "onset": "onset",
    }  # fmt: skip
    rows = []
    for group in people.group.unique():
        own = people[people.group == group]
        for name, column in {**columns, **(of_patients if group == "ALS" else {})}.items():
            rows.append({
                "group": group, "covariate": name, "participants": len(own),
                "missing": int(np.asarray(own[column].isna()).sum()),
            })  # fmt: skip
    return pd.DataFrame(rows, columns=list(COVARIATE_COLUMNS))
