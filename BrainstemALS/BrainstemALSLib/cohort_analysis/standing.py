"""How patients stood at the first visit: what lets those who came back speak for all patients.

Patients who are worse, or get worse faster, come back less often, and their brainstem may change
faster. The change of those who came back is then not that of all patients. Where coming back
depends on the clinical state at the first visit, and not on the unseen change besides, the change
at the mean state of all patients is that of all patients (standardisation, "g-computation": Robins
1986, doi:10.1016/0270-0255(86)90088-6, here with one time and a linear model).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from .design import Design

if TYPE_CHECKING:
    import pandas as pd

PREDICTORS = ("ALSFRS-R at the first visit", "ALSFRS-R points lost per month")
RETURNING = 20
"""Patients who came back that two more coefficients need (own choice)."""
_SLOWEST = 0.05
"""Points per month below which slower is not told apart (own choice): the logarithm has no 0."""


def standing(
    design: Design, groups: tuple[str, ...], seen: pd.Series
) -> tuple[pd.DataFrame | None, str]:
    """Return the clinical state of each participant, or None and why not.

    Parameters
    ----------
    design : Design
    groups : tuple of str
        Of the model.
    seen : pandas.Series
        participant_id of every usable visit of the model.

    Returns
    -------
    pandas.DataFrame or None
        ``PREDICTORS`` by participant_id, the second as its logarithm; 0 on average over all
        patients of the first visit whose state is known, and 1 their standard deviation. 0 for
        whoever is no patient, NaN for patients without the scores.
    str
        Why there is none.
    """
    import pandas as pd

    people = design.people
    patient = people.group == "ALS"
    if "ALS" not in groups:
        return None, "no patients came back"
    state = pd.DataFrame(
        {
            PREDICTORS[0]: people.alsfrs_total,
            PREDICTORS[1]: np.log(people.slope.clip(lower=_SLOWEST)),
        }
    ).astype(float)
    known = state.notna().all(axis=1) & patient
    visits = seen.value_counts().reindex(people.index).fillna(0)
    returned = int((known & (visits > 1)).sum())
    if returned < RETURNING:
        return None, f"{returned} patients with an ALSFRS-R came back; {RETURNING} needed"
    spread = state[known].std()
    if not (spread > 0).all():
        return None, "all patients have the same ALSFRS-R, or the same loss of it"
    state = ((state - state[known].mean()) / spread).where(known, np.nan)
    return state.where(patient, 0.0), ""
