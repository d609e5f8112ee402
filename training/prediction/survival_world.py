"""A simulated world where the event follows the findings of each day, not of the first visit only.

The simulator draws the event from the findings of the first visit; given them, later ones say
nothing of it. A clinic expects otherwise. Here the outcomes of the same people are drawn anew: from
one planned visit to the next the hazard is that of the ENCALS equation, with the linear predictor
of the simulator, plus what the findings of the latest planned visit, kept or not, say beyond what
those of the first let expect (``FOLLOW`` times; an own choice). It is an assumption laid on the
simulator: how much later visits tell is put in by hand, and only real patients can say it.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from BrainstemALSLib.cohort.tables import Cohort
from BrainstemALSLib.prognosis import encals
from BrainstemALSLib.prognosis.alsfrs import HIGHEST_TOTAL

from ..cohort.clinical import Clinic, clinic_of_patients
from ..cohort.config import Config
from ..cohort.survival import EVENTS
from ..cohort.truth import Latent
from ..cohort.visits import plan_visits

FOLLOW = 1.0
"""Of what a later visit says anew: 0 is the simulator's own world, 1 the published weights."""
OUTCOMES = "outcomes drawn anew from each visit's findings"
STEP, LAST = 6.0, 48.0
"""Months between the days of findings after the planned visits, and the last of them."""
STREAM = 7
"""Apart from the other random numbers of a seed."""


@dataclass(frozen=True, eq=False)
class Outcomes:
    """What happens to n patients, months since onset; d days on which the hazard changes.

    Attributes
    ----------
    start : numpy.ndarray, shape (n, d)
    predictor : numpy.ndarray, shape (n, d)
        Linear predictor from each of these days on.
    end : numpy.ndarray, shape (n,)
        Of the event, seen or not.
    cause : numpy.ndarray of str, shape (n,)
    """

    start: np.ndarray
    predictor: np.ndarray
    end: np.ndarray
    cause: np.ndarray

    def take(self, rows: np.ndarray) -> Outcomes:
        """Return some of the patients."""
        return Outcomes(self.start[rows], self.predictor[rows], self.end[rows], self.cause[rows])


def draw_outcomes(config: Config, latent: Latent, seed: int, follow: float = FOLLOW) -> Outcomes:
    """Draw when and how it ends; with ``follow`` 0 it is what the simulator drew.

    Parameters
    ----------
    config : Config
        That the patients were simulated with.
    latent : Latent
    seed : int
    follow : float
    """
    planned = plan_visits(config, latent.streams, len(latent.ids))
    later = np.arange(STEP, LAST + STEP / 2, STEP) + planned[:, -1:]
    start = latent.patients.first_visit[:, None] + np.hstack([planned, later])
    said = np.hstack([_news(config, latent, planned), _news(config, latent, later)])
    predictor = latent.survival.lp[:, None] + follow * said
    if not follow:
        return Outcomes(start, predictor, latent.survival.end, latent.survival.event)
    rng = np.random.default_rng([seed, STREAM])
    end = np.full(len(start), np.nan)
    until = np.hstack([start[:, 1:], np.full((len(start), 1), np.inf)])
    for day in range(start.shape[1]):
        level = np.clip(rng.uniform(size=len(end)), 1e-12, 1 - 1e-12)
        drawn = encals.draw_survival(predictor[:, day], level, alive_at=start[:, day])
        end = np.where(np.isnan(end) & (drawn < until[:, day]), drawn, end)
    shares = [config[f"survival.event_{event}"] for event in EVENTS]
    return Outcomes(start, predictor, end, rng.choice(EVENTS, size=len(end), p=shares))


def with_outcomes(cohort: Cohort, latent: Latent, outcomes: Outcomes) -> Cohort:
    """Return the cohort with these outcomes; visits after the event are left out.

    Who had stayed away after the simulator's event still does: visits are missing, no outcome is.
    """
    until = latent.survival.seen_until
    seen = outcomes.end <= until
    people = cohort.participants.set_index("participant_id")
    people.loc[latent.ids, "survival_months"] = np.round(np.minimum(outcomes.end, until), 1)
    people.loc[latent.ids, "event"] = np.where(seen, outcomes.cause, "censored")
    lived = people["survival_months"] - people["months_since_onset"]
    months = cohort.visits["months"]
    gone = (months > 0) & (months >= cohort.visits["participant_id"].map(lived))
    visits = cohort.visits[~gone]
    key = ["participant_id", "session_id"]
    left = cohort.visits[gone].set_index(key).index
    measures = cohort.measures[~cohort.measures.set_index(key).index.isin(left)]
    people = people.reset_index()[cohort.participants.columns]
    return Cohort(people, visits, measures, simulated=True)


def risk(outcomes: Outcomes, alive_at: np.ndarray, months: float) -> np.ndarray:
    """Return each patient's risk (n,) within some months after a day, findings to come included."""
    free = np.ones(len(alive_at))
    last = alive_at + months
    until = np.hstack([outcomes.start[:, 1:], np.full((len(free), 1), np.inf)])
    for day in range(outcomes.start.shape[1]):
        early = np.clip(alive_at, outcomes.start[:, day], until[:, day])
        late = np.clip(last, outcomes.start[:, day], until[:, day])
        free = free * encals.survival(outcomes.predictor[:, day], late, early)
    return 1 - free


def _news(config: Config, latent: Latent, months: np.ndarray) -> np.ndarray:
    """Return what the findings of each day say beyond those of the first visit, (n, v).

    It is the residual of a line on the published predictor of the first visit: 0 on average, and 0
    at that visit.
    """
    since = latent.patients.first_visit[:, None] + months
    found = clinic_of_patients(config, latent.streams, latent.course, since)
    lp = _published(latent, found, since)
    line = np.column_stack([np.ones(len(lp)), latent.survival.clinical_lp])
    return lp - line @ np.linalg.lstsq(line, lp, rcond=None)[0]


def _published(latent: Latent, found: Clinic, since: np.ndarray) -> np.ndarray:
    people = latent.patients
    columns = [
        encals.linear_predictor(
            age_at_onset=people.onset_age,
            diagnostic_delay=people.delay,
            progression_rate=(HIGHEST_TOTAL - found.total[:, day]) / since[:, day],
            fvc=found.fvc[:, day],
            bulbar_onset=people.onset == "bulbar",
            definite_ee=people.definite_ee,
            ftd=people.ftd,
            c9orf72=people.c9orf72,
            outside="clip",
        )
        for day in range(since.shape[1])
    ]
    return np.stack(columns, axis=1)
