"""The latent course of the clinical disease: when each region joins, and how severe it is when.

Disease time is the share of the patient's own course since symptom onset. The severity of a region
is 0 before it joins and a concave power of the disease time since: so the ALSFRS-R, their sum,
falls nearly linearly, slightly faster as regions join (PRO-ACT, Muscle Nerve 2018).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from .config import Config
from .people import Patients
from .streams import Streams

DOMAINS = ("bulbar", "arm", "leg", "respiratory")


@dataclass(frozen=True, eq=False)
class Course:
    """Latent clinical course of n patients.

    Attributes
    ----------
    course : numpy.ndarray, shape (n,)
        Months from onset to disease time 1.
    lags : numpy.ndarray, shape (n, 4)
        Disease time at which each of ``DOMAINS`` joins.
    gains : numpy.ndarray, shape (4,)
    concavity : float
    z_bulbar : numpy.ndarray, shape (n,)
        How early the bulbar region joins, given the onset, in standard deviations; 0 where the
        disease began there.
    """

    course: np.ndarray
    lags: np.ndarray
    gains: np.ndarray
    concavity: float
    z_bulbar: np.ndarray

    def disease_time(self, months: np.ndarray) -> np.ndarray:
        """Return the disease time (n, v) at months since onset (n, v)."""
        return np.maximum(months, 0.0) / self.course[:, None]

    def severity(self, months: np.ndarray) -> np.ndarray:
        """Return the severity (n, v, 4), 0-1, at months since onset (n, v)."""
        since = np.maximum(self.disease_time(months)[..., None] - self.lags[:, None, :], 0.0)
        return np.minimum(self.gains * since**self.concavity, 1.0)


def draw_course(config: Config, streams: Streams, patients: Patients) -> Course:
    """Draw when the regions of each patient join."""
    n = len(patients)
    mean = np.zeros((n, len(DOMAINS)))
    for onset in ("bulbar", "respiratory"):
        chosen = patients.onset == onset
        mean[chosen] = [config[f"lag.{onset}.{domain}"] for domain in DOMAINS]
    spinal = config.section("lag.spinal")
    for arm_first in (True, False):
        chosen = (patients.onset == "spinal") & (patients.arm_first == arm_first)
        arm, leg = ("first", "other") if arm_first else ("other", "first")
        mean[chosen] = [spinal[key] for key in ("bulbar", arm, leg, "respiratory")]
    z = streams.normal("lag of regions", n, len(DOMAINS))
    gains = np.array([config[f"course.gain_{domain}"] for domain in DOMAINS])
    return Course(
        course=patients.course,
        lags=mean * np.exp(config["course.lag_log_sd"] * z),
        gains=gains,
        concavity=config["course.concavity"],
        z_bulbar=np.where(mean[:, 0] > 0, -z[:, 0], 0.0),
    )
