"""Markers of the spread order: what each visit measures, as deviations from the controls."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from ..anatomy import REGIONS, load_structures

if TYPE_CHECKING:
    import pandas as pd

WORSE = {"volume": -1.0, "fa": -1.0, "md": 1.0}
"""Direction in which a measure changes with the disease (../shared/reference/als_effects.csv)."""
LEAST = 10
"""Persons of each group that an order may be told from; own choice."""


def deviations(cohort: Any) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return how far each visit is from the controls, and whose visit it is.

    Left and right are averaged first. Deviations are those from a linear model of age, sex,
    intracranial volume (volumes alone) and site that is fitted on controls; a site without controls
    counts as the average one.

    Returns
    -------
    pandas.DataFrame
        Index participant_id, session_id; columns (measure, structure without side); standard
        deviations of the controls, higher is worse.
    pandas.DataFrame
        Same index: group, onset, months since the first visit.
    """
    import pandas as pd

    stem_of = {s.key: s.stem for s in load_structures() if s.parent in REGIONS}
    table = cohort.measures
    if "quality" in table:
        table = table[table["quality"] != "bad"]
    look = ["participant_id", "session_id"]
    skull = table[table["structure"] == "intracranial"].groupby(look)["value"].mean()
    table = table[table["structure"].isin(stem_of) & table["measure"].isin(WORSE)]
    stems = table["structure"].map(stem_of)
    wide = (
        table.assign(stem=stems)
        .groupby([*look, "measure", "stem"])["value"]
        .mean()
        .unstack(["measure", "stem"])
    )
    people = cohort.participants.set_index("participant_id")
    people = people.reindex(wide.index.get_level_values("participant_id")).set_index(wide.index)
    months = cohort.visits.groupby(look)["months"].first().reindex(wide.index)
    people = people.assign(age=people["age"].astype(float) + months.fillna(0.0) / 12)
    found = {}
    for measure, stem in wide.columns:
        icv = skull.reindex(wide.index) if measure == "volume" else None
        score = _deviation(wide[measure, stem], people, icv)
        if score is not None:
            found[measure, stem] = WORSE[measure] * score
    info = people[["group", "onset"]].assign(months=months.astype(float))
    columns = pd.MultiIndex.from_tuples(list(found), names=["measure", "stem"])
    table = pd.DataFrame(np.column_stack(list(found.values())) if found else None, wide.index)
    return table.set_axis(columns, axis=1), info


def marker_scores(table: pd.DataFrame, group: pd.Series) -> pd.DataFrame:
    """Return one marker per visit and structure from ``deviations``: a column per structure.

    Volume, FA and MD are added with weights; structures stand in the order of the anatomy.
    """
    import pandas as pd

    stems = dict.fromkeys(s.stem for s in load_structures() if s.parent in REGIONS)
    there = set(table.columns.get_level_values("stem"))
    frame = {
        stem: _combined(table.xs(stem, axis=1, level="stem"), group)
        for stem in stems
        if stem in there
    }
    return pd.DataFrame(frame, index=table.index)


def _combined(scores: pd.DataFrame, group: pd.Series) -> pd.Series:
    """Weighted sum of a structure's measures, in standard deviations of the controls.

    Weights are those of Fisher's discriminant between patients and controls, none below 0: a
    measure that the disease leaves alone would only add noise.
    """
    from scipy.optimize import nnls

    whole = scores.notna().all(axis=1)
    sick, well = scores[whole & (group == "ALS")], scores[whole & (group == "HC")]
    if len(sick) < LEAST or len(well) < LEAST:
        return scores.mean(axis=1)
    within = (sick.cov() * (len(sick) - 1) + well.cov() * (len(well) - 1)) / (len(sick) + len(well))
    weights, _ = nnls(within.to_numpy(), (sick.mean() - well.mean()).to_numpy())
    if not weights.any():
        return scores.mean(axis=1)
    marker = scores @ weights  # missing where a measure that counts is
    return marker / marker[whole & (group == "HC")].std()


def _deviation(values: pd.Series, people: pd.DataFrame, icv: pd.Series | None) -> pd.Series | None:
    """Residual from the controls' model in their standard deviations; None with too few of them."""
    wanted = values.to_numpy(float)
    columns = [people["age"].to_numpy(float), (people["sex"] == "M").to_numpy(float)]
    if icv is not None and icv.notna().any():
        columns.append(icv.to_numpy(float))
    usable = np.isfinite(wanted) & np.isfinite(np.stack(columns)).all(axis=0)
    healthy = usable & (people["group"] == "HC").to_numpy()
    sites = people["site"].astype(str)
    counts = sites[healthy].value_counts()
    for site in list(counts.index[counts >= 3])[1:]:
        columns.append((sites == site).to_numpy(float))
    design = np.stack(columns, axis=1)
    if healthy.sum() < design.shape[1] + 4:
        return None
    spread = design[healthy].std(axis=0, ddof=1)
    scaled = (design - design[healthy].mean(axis=0)) / np.where(spread > 0, spread, 1.0)
    scaled = np.column_stack([np.ones(len(scaled)), scaled])
    known = scaled[healthy]
    weights, *_ = np.linalg.lstsq(known, wanted[healthy], rcond=None)
    residual = values - scaled @ weights
    freedom = max(int(healthy.sum()) - np.linalg.matrix_rank(known), 1)
    deviation = float(np.sqrt((residual[healthy] ** 2).sum() / freedom))
    return (residual / deviation).where(usable) if deviation > 0 else None
