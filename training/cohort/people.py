"""Who takes part: age, sex, onset, delay, genes, treatment, site, and the rate of the course."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from .config import Config
from .scenario import Scenario
from .streams import Streams

GROUPS = ("HC", "ALS", "MIMIC")
ONSETS = ("spinal", "bulbar", "respiratory")


@dataclass(frozen=True, eq=False)
class People:
    """One group's participants; every array has shape (n,).

    Attributes
    ----------
    group : str
    age : numpy.ndarray
        Years at the first visit.
    male : numpy.ndarray of bool
    site : numpy.ndarray of int
        Index into ``site.names``.
    """

    group: str
    age: np.ndarray
    male: np.ndarray
    site: np.ndarray

    def __len__(self) -> int:
        return len(self.age)


@dataclass(frozen=True, eq=False)
class Patients(People):
    """Participants with ALS.

    Attributes
    ----------
    onset : numpy.ndarray of str
        One of ``ONSETS``.
    arm_first : numpy.ndarray of bool
        Spinal onset in an arm, not in a leg.
    onset_age : numpy.ndarray
        Years.
    delay, first_visit : numpy.ndarray
        Months from symptom onset to the diagnosis and to the first visit.
    ftd, c9orf72, riluzole, definite_ee : numpy.ndarray of bool
    z_rate : numpy.ndarray
        Standardised logarithm of the rate of the course, given the onset; latent.
    course : numpy.ndarray
        Months from symptom onset to the end of the course (disease time 1); latent.
    """

    onset: np.ndarray
    arm_first: np.ndarray
    onset_age: np.ndarray
    delay: np.ndarray
    first_visit: np.ndarray
    ftd: np.ndarray
    c9orf72: np.ndarray
    riluzole: np.ndarray
    definite_ee: np.ndarray
    z_rate: np.ndarray
    course: np.ndarray


def draw_people(config: Config, scenario: Scenario, streams: Streams, group: str, n: int) -> People:
    """Draw controls or mimics."""
    key = {"HC": "hc", "MIMIC": "mimic"}[group]
    age = _age(config, streams, n, f"age_{key}")
    male = streams.chance("male", config[f"demographics.male_{key}"], n)
    return People(group, age, male, _site(config, scenario, streams, group, n))


def draw_patients(
    config: Config, scenario: Scenario, streams: Streams, n: int, onset: str | None = None
) -> Patients:
    """Draw patients with ALS.

    Parameters
    ----------
    config : Config
    scenario : Scenario
    streams : Streams
    n : int
    onset : str, optional
        All of this onset, instead of the configured shares.
    """
    share = config.section("demographics")
    shares = np.array([share[f"onset_{name}"] for name in ONSETS])
    if onset is None:
        onsets = np.array(ONSETS)[streams.category("onset", shares, n)]
    else:
        onsets = np.full(n, onset)
    bulbar = onsets == "bulbar"
    age = _age(config, streams, n, "age_at_onset")
    age = age + share["age_shift_bulbar"] * (bulbar - share["onset_bulbar"])
    z_rate = streams.normal("rate", n)
    shift = config["course.rate_shift_bulbar"] * (bulbar - share["onset_bulbar"])
    log_rate = config["course.rate_log_sd"] * z_rate + shift
    course = config["course.length_median"] * np.exp(-log_rate)
    link = share["delay_rate_correlation"]
    z_delay = link * z_rate + np.sqrt(1 - link**2) * streams.normal("delay", n)
    delay = share["delay_median"] * np.exp(share["delay_log_sd"] * z_delay)
    delay = np.minimum(delay, share["delay_course_most"] * course)
    lag = share["visit_lag_median"] * np.exp(share["visit_lag_log_sd"] * streams.normal("lag", n))
    # Whoever is diagnosed late in a short course is seen at once: never before the diagnosis.
    first = np.maximum(np.minimum(delay + lag, share["visit_course_most"] * course), delay)
    c9orf72 = streams.chance("c9orf72", share["c9orf72"], n)
    carriers, among = share["c9orf72"], share["ftd_with_c9orf72"]
    others = max(0.0, (share["ftd"] - carriers * among) / max(1e-9, 1.0 - carriers))
    return Patients(
        group="ALS",
        age=age + first / 12.0,
        male=streams.chance("male", share["male_als"], n),
        site=_site(config, scenario, streams, "ALS", n),
        onset=onsets,
        arm_first=streams.chance("arm_first", share["first_limb_arm"], n),
        onset_age=age,
        delay=delay,
        first_visit=first,
        ftd=streams.chance("ftd", np.where(c9orf72, among, others), n),
        c9orf72=c9orf72,
        riluzole=streams.chance("riluzole", share["riluzole"], n),
        definite_ee=streams.chance("definite_ee", share["definite_ee"], n),
        z_rate=z_rate,
        course=course,
    )


def _age(config: Config, streams: Streams, n: int, name: str) -> np.ndarray:
    mean, sd = (config[f"demographics.{name}_{part}"] for part in ("mean", "sd"))
    # 18 to 90 years (own choice): whom a clinic for adults sees.
    return np.clip(mean + sd * streams.normal("age", n), 18.0, 90.0)


def _site(config: Config, scenario: Scenario, streams: Streams, group: str, n: int) -> np.ndarray:
    shares = np.array(config["site.shares"])
    crowd = np.zeros(len(shares))
    crowd[-1 if group == "HC" else 0] = 1.0
    mixed = (1 - scenario.site_imbalance) * shares + scenario.site_imbalance * crowd
    return streams.category("site", mixed, n)
