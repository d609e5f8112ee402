"""Held-out simulated patients with what would be rated at each horizon, dead or not.

The truth at a horizon is what a form of that day would show: asked from the simulator, so that it
is there for everybody. ``alive`` and ``attending`` say for whom a study would have it.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from BrainstemALSLib.prediction.progression import HORIZONS, VISITS
from BrainstemALSLib.prediction.records import PersonRecord, records_of

from ..cohort.clinical import clinic_of_patients
from ..cohort.config import load_config
from ..cohort.scenario import Scenario
from ..cohort.simulate import simulate
from ..cohort.truth import Latent

FOLLOW_UPS = 8
"""So many that visits reach 24 months after the third."""


@dataclass(frozen=True, eq=False)
class Cases:
    """Patients as known after k visits, and what came after; h horizons.

    Attributes
    ----------
    people : list of PersonRecord
        With k visits each.
    alsfrs, fvc : numpy.ndarray, shape (n, h)
        As rated and measured that day.
    now : numpy.ndarray, shape (n,)
        ALSFRS-R of another form at the last of the k visits.
    alive, attending : numpy.ndarray of bool, shape (n, h)
        No event until then; and come to the first planned visit from then on.
    """

    people: list[PersonRecord]
    alsfrs: np.ndarray
    fvc: np.ndarray
    now: np.ndarray
    alive: np.ndarray
    attending: np.ndarray

    def first(self, most: int) -> Cases:
        """Return the first of these patients."""
        return self.take(np.arange(min(len(self.people), most)))

    def take(self, places: np.ndarray) -> Cases:
        """Return these patients."""
        arrays = (self.alsfrs, self.fvc, self.now, self.alive, self.attending)
        return Cases([self.people[k] for k in places], *(array[places] for array in arrays))


def held_out(
    patients: int, seed: int, scenario: Scenario | None = None, errors: Path | None = None
) -> dict[int, Cases]:
    """Simulate patients; return those who came to k visits, for each k of ``VISITS``.

    A record without an ALSFRS-R at its last visit is kept; one that is complete nowhere is not.
    """
    config = load_config().with_values(visits__follow_ups=FOLLOW_UPS)
    cohort, truth = simulate(config, 0, patients, 0, seed, scenario, errors)
    people = records_of(_first_visits(cohort))
    latest = cohort.visits.groupby("participant_id")["months"].max()
    latest = np.array([latest[p.participant] for p in people])
    out = {}
    for k in VISITS:
        chosen = np.flatnonzero([len(p.visits) >= k for p in people])
        seen = [people[c].until(k) for c in chosen]
        out[k] = _cases(config, truth.latent, chosen, seen, latest[chosen])
    return out


def _first_visits(cohort):
    """Return a cohort without the visits after the third, which no forecast reads."""
    late = [f"ses-{number:02d}" for number in range(max(VISITS) + 1, FOLLOW_UPS + 2)]
    keep = {
        name: table[~table["session_id"].isin(late)]
        for name, table in (("visits", cohort.visits), ("measures", cohort.measures))
    }
    return replace(cohort, **keep)


def _cases(
    config, latent: Latent, chosen: np.ndarray, people: list[PersonRecord], latest: np.ndarray
) -> Cases:
    n, planned = len(latent.ids), FOLLOW_UPS + 1
    last = np.zeros(n)
    last[chosen] = [p.visits[-1].months for p in people]
    since = latent.patients.first_visit[:, None] + last[:, None] + np.array([0.0, *HORIZONS])
    # The noise of a day is drawn by row and column: behind as many columns as there were visits,
    # and with another number of columns, no horizon has the noise of a visit that was read.
    padded = np.concatenate([np.repeat(since[:, :1], planned, axis=1), since], axis=1)
    rated = clinic_of_patients(config, latent.streams, latent.course, padded)
    after = np.arange(planned + 1, padded.shape[1])
    months = since[chosen, 1:]
    reached = last[chosen, None] + np.array(HORIZONS)
    alive = months < latent.survival.end[chosen, None]
    return Cases(
        people,
        rated.total[np.ix_(chosen, after)].astype(float),
        rated.fvc[np.ix_(chosen, after)],
        rated.total[chosen, planned].astype(float),
        alive,
        alive & (latest[:, None] >= reached),
    )
