"""Which events of the data-driven stage a simulated patient has behind, by the simulator itself.

A structure is half way when the brainstem clock of the patient has come to its place
(``training.cohort.spread``). An event of several structures is past when the change of its
predictor has come half way: the structures weigh as much as each changes it in the end. No event is
read from a value: how large a change is, and whether a scanner can see it, does not count.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from scipy.special import expit

from BrainstemALSLib.anatomy import REGIONS, composites
from BrainstemALSLib.prediction.features import FEATURES

from ..cohort.healthy import MEASURES
from ..cohort.people import ONSETS
from ..cohort.spread import STRUCTURES
from ..cohort.truth import Truth

HALF = 0.5


def structures_of(name: str) -> tuple[str, np.ndarray]:
    """Return the measure of a predictor and which structures (K,) of bool it is made of."""
    keys = next(feature.keys for feature in FEATURES if feature.name == name)
    wanted = {key for key, _ in keys}
    for whole, parts in composites().items():
        if whole in wanted and whole not in REGIONS:
            wanted |= set(parts)
    inside = [s.key in wanted or s.parent in wanted for s in STRUCTURES]
    return keys[0][1], np.array(inside)


def events_past(
    truth: Truth, participant: Sequence[str], session: Sequence[str], names: Sequence[str]
) -> np.ndarray:
    """Return which events are past, (n, e) of bool.

    Parameters
    ----------
    truth : Truth
    participant, session : sequences of str, n
        Imaged sessions of patients.
    names : sequence of str, e
        Of imaging predictors.
    """
    latent, size = truth.latent, len(STRUCTURES)
    place = {name: k for k, name in enumerate(latent.ids)}
    rows = np.array([place[name] for name in participant])
    clock = truth.clocks.set_index(["participant_id", "session_id"]).brainstem_clock
    at = clock.loc[list(zip(participant, session, strict=True))].to_numpy()
    spread = latent.spread
    involved = expit((at[:, None] - spread.places[rows]) / spread.width)
    whole = truth.values[truth.values.measure == "volume"]
    volume = whole.groupby("structure", sort=False).without_disease.mean()
    volume = volume.loc[[s.key for s in STRUCTURES]].to_numpy()
    effects = truth.effects[truth.effects.onset.isin(ONSETS)].amplitude.to_numpy()
    amplitude = np.abs(effects.reshape(len(ONSETS), len(MEASURES), size))
    onset = np.array([ONSETS.index(name) for name in latent.patients.onset[rows]])
    found = np.zeros((len(rows), len(names)), bool)
    for column, name in enumerate(names):
        measure, inside = structures_of(name)
        weight = amplitude[onset, MEASURES.index(measure)] * volume * inside
        found[:, column] = (weight * involved).sum(axis=1) >= HALF * weight.sum(axis=1)
    return found
