"""What a clinic notes: ALSFRS-R by item, FVC, NIV and gastrostomy, from the latent course."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from BrainstemALSLib.prognosis.alsfrs import HIGHEST_RATING, ITEMS

from .config import Config
from .course import DOMAINS, Course
from .streams import Streams

ITEM_WEIGHTS = np.zeros((len(ITEMS), len(DOMAINS)))
"""Share of each region in each item: speech, salivation and swallowing are bulbar; handwriting and
cutting food need an arm; dressing and turning in bed both limbs (own choice); walking and stairs
legs; the last three breathing."""
ITEM_WEIGHTS[0:3, 0] = 1.0
ITEM_WEIGHTS[3:5, 1] = 1.0
ITEM_WEIGHTS[5:7, 1:3] = 0.5
ITEM_WEIGHTS[7:9, 2] = 1.0
ITEM_WEIGHTS[9:12, 3] = 1.0

SETTLED = 0.3
"""Severity from which the ratings have their full noise (own choice): a healthy region is rated 4
by everybody."""
FVC_RANGE = (12.0, 140.0)


@dataclass(frozen=True, eq=False)
class Clinic:
    """Findings at v times of n patients.

    Attributes
    ----------
    ratings : numpy.ndarray of int, shape (n, v, 12)
    fvc : numpy.ndarray, shape (n, v)
        Per cent predicted, as measured.
    fvc_true : numpy.ndarray, shape (n, v)
        Without the noise of the day.
    niv, gastrostomy : numpy.ndarray of bool, shape (n, v)
    """

    ratings: np.ndarray
    fvc: np.ndarray
    fvc_true: np.ndarray
    niv: np.ndarray
    gastrostomy: np.ndarray

    @property
    def total(self) -> np.ndarray:
        """ALSFRS-R (n, v)."""
        return self.ratings.sum(axis=-1)


def clinic_of_patients(
    config: Config, streams: Streams, course: Course, months: np.ndarray, noise: bool = True
) -> Clinic:
    """Examine patients.

    Parameters
    ----------
    config : Config
    streams : Streams
    course : Course
    months : numpy.ndarray, shape (n, v)
        Since symptom onset.
    noise : bool
        False gives what a form without the noise of the day would show; what lasts in a patient
        stays.
    """
    n, visits = months.shape
    severity = course.severity(months)
    figures = config.section("clinical")
    fvc_true = _fvc(figures, streams, course, months)
    day = streams.normal("fvc noise", n, visits) if noise else 0.0
    fvc = np.clip(fvc_true + figures["fvc_visit_sd"] * day, *FVC_RANGE)
    niv = _starts(figures, streams, "niv", severity[..., 3])
    niv |= (fvc_true < figures["niv_fvc"]) & _accepts(figures, streams, "niv", n)[:, None]
    gastrostomy = _starts(figures, streams, "gastrostomy", severity[..., 0])
    ratings = _ratings(figures, streams, severity @ ITEM_WEIGHTS.T, noise)
    # The last item asks for ventilators: 4 is none, 3 some hours, 2 the night, 1 day and night.
    breathing = severity[..., 3]
    ratings[..., 11] = np.where(niv, 3 - (breathing > 0.6) - (breathing > 0.8), HIGHEST_RATING)
    return Clinic(ratings, fvc, fvc_true, niv, gastrostomy)


def clinic_of_mimics(config: Config, streams: Streams, n: int, visits: int) -> Clinic:
    """Examine mimics: limbs only, lasting, with a normal breath."""
    figures = config.section("clinical")
    level = figures["mimic_severity_mean"] + figures["mimic_severity_sd"] * streams.normal(
        "mimic severity", n
    )
    severity = np.zeros((n, visits, len(DOMAINS)))
    severity[..., 1:3] = np.clip(level, 0.0, 1.0)[:, None, None]
    ratings = _ratings(figures, streams, severity @ ITEM_WEIGHTS.T, noise=True)
    day = streams.normal("fvc noise", n, visits)
    fvc_true = np.repeat(_fvc_healthy(figures, streams, n)[:, None], visits, axis=1)
    fvc = np.clip(fvc_true + figures["fvc_visit_sd"] * day, *FVC_RANGE)
    never = np.zeros((n, visits), dtype=bool)
    return Clinic(ratings, fvc, fvc_true, never, never)


def _ratings(figures: dict, streams: Streams, severity: np.ndarray, noise: bool) -> np.ndarray:
    n, visits, items = severity.shape
    settled = np.sqrt(np.clip(severity / SETTLED, 0.0, 1.0))
    shift = np.array(figures["item_shift"]) + figures["item_person_sd"] * streams.normal(
        "item person", n, 1, items
    )
    if noise:
        shift = shift + figures["item_visit_sd"] * streams.normal("item noise", n, visits, items)
        shift = shift + figures["visit_sd"] * streams.normal("visit noise", n, visits, 1)
    felt = np.where(severity > 0, severity + settled * shift, 0.0)
    lost = (felt[..., None] > np.array(figures["thresholds"])).sum(axis=-1)
    return HIGHEST_RATING - lost


def _fvc_healthy(figures: dict, streams: Streams, n: int) -> np.ndarray:
    return figures["fvc_healthy_mean"] + figures["fvc_healthy_sd"] * streams.normal("fvc", n)


def _fvc(figures: dict, streams: Streams, course: Course, months: np.ndarray) -> np.ndarray:
    start = figures["fvc_lag"] * course.lags[:, 3:4]
    since = np.maximum(course.disease_time(months) - start, 0.0)
    healthy = _fvc_healthy(figures, streams, len(course.course))[:, None]
    return np.maximum(healthy * (1.0 - figures["fvc_loss"] * np.minimum(since, 1.2)), FVC_RANGE[0])


def _accepts(figures: dict, streams: Streams, name: str, n: int) -> np.ndarray:
    return streams.chance(f"{name} accepted", figures[f"{name}_accepted"], n)


def _starts(figures: dict, streams: Streams, name: str, severity: np.ndarray) -> np.ndarray:
    n = len(severity)
    mean, sd = figures[f"{name}_severity_mean"], figures[f"{name}_severity_sd"]
    needed = np.maximum(mean + sd * streams.normal(f"{name} threshold", n), 0.05)
    return (severity > needed[:, None]) & _accepts(figures, streams, name, n)[:, None]
