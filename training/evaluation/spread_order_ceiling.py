"""What an oracle makes of the spread order: how well any method could do on a simulated cohort.

The oracle is told every patient's own brainstem clock, extent of loss and the form of the curve. It
only has to find the place of each structure on that clock. It is no method: nobody knows these in
life. Beside it, the change of each structure without what sets healthy people apart and without
error shows whether the order is in the cohort at all.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pandas as pd
from scipy.special import expit

from BrainstemALSLib.cohort.tables import Cohort
from BrainstemALSLib.cohort_analysis.spread_markers import deviations, marker_scores

from ..cohort.spread import STEM_OF, STEMS, STRUCTURES
from ..cohort.truth import Truth

PLACES = np.arange(0.0, 100.0)
"""Months of the brainstem clock that are tried; own choice."""


def oracle_places(
    cohort: Cohort, truth: Truth, events: Sequence[str], error: bool
) -> dict[str, float]:
    """Return where on the clock each structure is half way, by least squares.

    What lasts in a person beyond the disease is a random intercept whose share is the controls'.

    Parameters
    ----------
    cohort : Cohort
    truth : Truth
    events : sequence of str
        Structures without side.
    error : bool
        From the measured values; from the true ones otherwise.
    """
    table, info = deviations(cohort if error else _without_error(cohort, truth))
    markers = marker_scores(table, info["group"])
    sick, well = (info["group"] == "ALS").to_numpy(), (info["group"] == "HC").to_numpy()
    clock = truth.clocks.set_index(["participant_id", "session_id"])["brainstem_clock"]
    extent = truth.participants.set_index("participant_id")["extent"]
    found = {}
    for stem in events:
        patients, controls = markers.loc[sick, stem].dropna(), markers.loc[well, stem].dropna()
        lasting, passing = _variances(controls)
        who = pd.factorize(patients.index.get_level_values(0))[0]
        share = 1 - np.sqrt(passing / (passing + np.bincount(who) * lasting))
        amount = extent.reindex(patients.index.get_level_values(0)).to_numpy()
        months = clock.reindex(patients.index).to_numpy()
        curves = amount * expit((months - PLACES[:, None]) / truth.latent.spread.width)
        wanted = _whitened(patients.to_numpy()[None], who, share)[0]
        curves = _whitened(curves, who, share)
        size = np.maximum(curves @ wanted, 0.0) / (curves**2).sum(axis=1)
        misfit = ((wanted - size[:, None] * curves) ** 2).sum(axis=1)
        found[stem] = float(PLACES[np.argmin(misfit)])
    return found


def pure_places(truth: Truth, events: Sequence[str]) -> dict[str, float]:
    """Return minus the years that each structure has been changing, from true changes alone.

    The change at all visits, without any error or difference between healthy people, divided by its
    change in a year within patients, averaged over left and right.
    """
    values = truth.values[truth.values["measure"] == "volume"]
    stems = {s.key: STEMS[place] for s, place in zip(STRUCTURES, STEM_OF, strict=True)}
    change = np.log(values["value"] / values["without_disease"])
    table = (
        values.assign(change=change, stem=values["structure"].map(stems))
        .groupby(["participant_id", "session_id", "stem"])["change"]
        .mean()
        .unstack("stem")
    )
    months = truth.clocks.set_index(["participant_id", "session_id"])["months_since_onset"]
    months = months.reindex(table.index).dropna()
    table = table.loc[months.index]
    person = table.index.get_level_values(0)
    since = months - months.groupby(person).transform("mean")
    rate = table.mul(since, axis=0).sum() / (since**2).sum()
    return {stem: -float(table[stem].mean() / rate[stem]) for stem in events}


def _without_error(cohort: Cohort, truth: Truth) -> Cohort:
    """The cohort as a scanner without error would see it, in the sessions that it has."""
    skull = cohort.measures[cohort.measures["structure"] == "intracranial"]
    quality = skull[["participant_id", "session_id", "quality"]]
    true = truth.values.drop(columns="without_disease").merge(quality)
    return replace(cohort, measures=pd.concat([true, skull], ignore_index=True))


def _variances(controls: pd.Series) -> tuple[float, float]:
    """Variance between controls that lasts, and that between visits of one."""
    groups = controls.groupby(level=0)
    means, counts = groups.mean(), groups.size()
    passing = float(((controls - groups.transform("mean")) ** 2).sum())
    passing = max(passing / max(len(controls) - len(means), 1), 1e-6)
    lasting = float(means.var() - passing * (1 / counts).mean())
    return max(lasting, 0.05 * passing), passing


def _whitened(rows: np.ndarray, who: np.ndarray, share: np.ndarray) -> np.ndarray:
    """Rows (k, v) less each person's share of his own mean: generalised least squares."""
    counts = np.bincount(who)
    means = np.stack([np.bincount(who, row) for row in rows]) / counts
    return rows - (share * means)[:, who]
