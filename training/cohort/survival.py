"""How long patients live: the published ENCALS equation, plus what imaging is made to know.

The predictors are those measured at the first visit, noise included, so that with an imaging effect
of zero images add exactly nothing to them. The time is drawn given that the patient lived until the
first visit.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from BrainstemALSLib.prognosis import encals
from BrainstemALSLib.prognosis.alsfrs import HIGHEST_TOTAL

from .clinical import Clinic
from .config import Config
from .people import Patients
from .scenario import Scenario
from .spread import Spread
from .streams import Streams

EVENTS = ("death", "niv", "tracheostomy")


@dataclass(frozen=True, eq=False)
class Survival:
    """Survival of n patients; months from symptom onset, arrays of shape (n,).

    Attributes
    ----------
    clinical_lp : numpy.ndarray
        ENCALS linear predictor.
    lp : numpy.ndarray
        With the imaging term.
    end : numpy.ndarray
        Month of the event, seen or not.
    seen_until : numpy.ndarray
        End of the follow-up.
    event : numpy.ndarray of str
        What would happen at ``end``: one of ``EVENTS``.
    """

    clinical_lp: np.ndarray
    lp: np.ndarray
    end: np.ndarray
    seen_until: np.ndarray
    event: np.ndarray

    @property
    def observed(self) -> np.ndarray:
        """Whether the event falls into the follow-up."""
        return self.end <= self.seen_until


def draw_survival(
    config: Config,
    scenario: Scenario,
    streams: Streams,
    patients: Patients,
    clinic: Clinic,
    spread: Spread,
) -> Survival:
    """Draw survival from the findings of the first visit."""
    n = len(patients)
    figures = config.section("survival")
    clinical = encals.linear_predictor(
        age_at_onset=patients.onset_age,
        diagnostic_delay=patients.delay,
        progression_rate=(HIGHEST_TOTAL - clinic.total[:, 0]) / patients.first_visit,
        fvc=clinic.fvc[:, 0],
        bulbar_onset=patients.onset == "bulbar",
        definite_ee=patients.definite_ee,
        ftd=patients.ftd,
        c9orf72=patients.c9orf72,
        outside="clip",
    )
    lp = clinical + figures["imaging_log_odds"] * scenario.imaging_effect * spread.own
    # Uniform numbers from normal ones may round to 1.
    level = np.clip(streams.uniform("survival", n), 1e-12, 1 - 1e-12)
    low, high = figures["follow_up_low"], figures["follow_up_high"]
    follow_up = low + (high - low) * streams.uniform("follow-up", n)
    shares = np.array([figures[f"event_{event}"] for event in EVENTS])
    return Survival(
        clinical_lp=clinical,
        lp=lp,
        end=encals.draw_survival(lp, level, alive_at=patients.first_visit),
        seen_until=patients.first_visit + follow_up,
        event=np.array(EVENTS)[streams.category("event", shares, n)],
    )
