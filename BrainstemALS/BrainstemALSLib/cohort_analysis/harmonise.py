"""Harmonised values instead of a term for the site: ComBat, learnt from controls alone.

Nobody's diagnosis takes part: shift and stretch of each scanner are learnt from the controls'
first visits with age, sex and, for volumes, intracranial volume kept, and are then taken off
everybody's values. What that learning leaves uncertain is not in the errors of the models that
follow, so few controls at a site make p-values too small: site as a covariate is the default, and
this a sensitivity analysis.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from ..errors import BrainstemALSError
from .design import FAMILIES, Design
from .mixed import MONTHS_A_YEAR
from .options import MIN_GROUP, Notes

FEW_CONTROLS = 20
"""Controls of a site below which the report warns of ComBat (own choice)."""

if TYPE_CHECKING:
    import pandas as pd

    from ..norms.combat import Combat


def harmonised(design: Design, notes: Notes) -> Design | None:
    """Return the design with harmonised values, or None where that cannot be done.

    Volumes are harmonised as logarithms. Participants whose site has fewer than ``MIN_GROUP``
    controls, or who lack a covariate, have no values; what was not done is named in ``notes``.
    """
    people = design.people
    counts = people.site[(people.group == "HC") & people.site.notna()].value_counts()
    sites = sorted(counts.index[counts >= MIN_GROUP])
    if len(sites) < 2:
        notes.add("ComBat", f"not done: fewer than two sites have {MIN_GROUP} controls")
        return None
    for site in sorted(set(people.site.dropna()) - set(sites)):
        notes.add(
            "ComBat",
            f"site {site} has fewer than {MIN_GROUP} controls: its participants are left out",
        )
    for site in sites:
        if counts[site] < FEW_CONTROLS:
            notes.add(
                "ComBat",
                f"learnt from {counts[site]} controls at a site: p-values after it are too small",
                f"site {site}",
            )
    first, values = design.first.copy(), design.values.copy()
    ages = people.age.reindex(design.observations.participant_id).to_numpy(float)
    ages = ages + design.observations.months.to_numpy(float) / MONTHS_A_YEAR
    seen = people.loc[design.observations.participant_id].assign(age=ages)
    for measure in FAMILIES:
        columns = design.measures_of(measure)
        if not columns:
            continue
        try:
            combat = _fit(measure, people, first[columns], sites)
        except BrainstemALSError as refusal:
            notes.add("ComBat", f"not done: {refusal.problem}", measure)
            first[columns] = values[columns] = np.nan
            continue
        first[columns] = _apply(combat, measure, people, first[columns])
        values[columns] = _apply(combat, measure, seen, values[columns])
    if first.isna().all(axis=None):
        return None
    return replace(design, first=first, values=values)


def _fit(measure: str, people: pd.DataFrame, values: pd.DataFrame, sites: list[str]) -> Combat:
    from ..norms.combat import fit_combat

    kept = _covariates(measure, people)
    kept = kept[[name for name in kept if kept[name].nunique() > 1]]
    use = (people.group == "HC") & people.site.isin(sites) & kept.notna().all(axis=1)
    return fit_combat(
        _scaled(measure, values[use].to_numpy(float)),
        people.site[use].to_numpy(object),
        kept[use].to_numpy(float),
        tuple(structure for _, structure in values.columns),
        tuple(kept),
    )


def _apply(combat: Combat, measure: str, people: pd.DataFrame, values: pd.DataFrame) -> np.ndarray:
    kept = _covariates(measure, people)[list(combat.covariates)].to_numpy(float)
    use = people.site.isin(combat.sites).to_numpy() & np.isfinite(kept).all(axis=1)
    out = np.full(values.shape, np.nan)
    out[use] = combat.apply(
        _scaled(measure, values.to_numpy(float)[use]), people.site.to_numpy(object)[use], kept[use]
    )
    return np.exp(out) if measure == "volume" else out


def _covariates(measure: str, people: pd.DataFrame) -> pd.DataFrame:
    """Return what ComBat keeps."""
    columns = {"age": people.age, "sex": people.male}
    if measure == "volume":
        columns["intracranial volume"] = np.log(people.icv.where(people.icv > 0))
    return people[[]].assign(**columns).astype(float)


def _scaled(measure: str, values: np.ndarray) -> np.ndarray:
    if measure != "volume":
        return values
    return np.log(np.where(values > 0, values, np.nan))
