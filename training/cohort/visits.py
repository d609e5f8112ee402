"""When people are seen: planned visits, who stays away, what is missing."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.special import expit, logit

from .config import Config
from .scenario import Scenario
from .streams import Streams


@dataclass(frozen=True, eq=False)
class Visits:
    """Visits of n participants, v planned for each.

    Attributes
    ----------
    months : numpy.ndarray, shape (n, v)
        Since the first visit, whole tenths.
    attended, imaged : numpy.ndarray of bool, shape (n, v)
        ``imaged`` only where attended.
    """

    months: np.ndarray
    attended: np.ndarray
    imaged: np.ndarray


def plan_visits(config: Config, streams: Streams, n: int) -> np.ndarray:
    """Return the months (n, v) of the planned visits since the first."""
    figures = config.section("visits")
    low, high = figures["interval_low"], figures["interval_high"]
    gaps = low + (high - low) * streams.uniform("interval", n, figures["follow_ups"])
    return np.round(np.concatenate([np.zeros((n, 1)), np.cumsum(gaps, axis=1)], axis=1), 1)


def attend(
    config: Config,
    scenario: Scenario,
    streams: Streams,
    months: np.ndarray,
    lost: np.ndarray,
    alive: np.ndarray,
) -> Visits:
    """Say who comes.

    Parameters
    ----------
    config : Config
    scenario : Scenario
    streams : Streams
    months : numpy.ndarray, shape (n, v)
        Planned, since the first visit.
    lost : numpy.ndarray, shape (n, v)
        Points of the ALSFRS-R lost; 0 for controls. Those lost at one visit decide on the next:
        missing not at random.
    alive : numpy.ndarray of bool, shape (n, v)
    """
    n, planned = months.shape
    figures = config.section("visits")
    odds = logit(np.clip(figures["stay"], 1e-9, 1 - 1e-9))
    stay = expit(odds + figures["stay_severity"] * lost / 10.0) ** scenario.dropout
    comes = streams.uniform("stay", n, planned)[:, 1:] < stay[:, :-1]
    attended = np.cumprod(np.concatenate([np.ones((n, 1), bool), comes], axis=1), axis=1) > 0
    attended &= alive
    missing = streams.uniform("missing mri", n, planned) < figures["missing_mri"] * scenario.missing
    return Visits(months, attended, attended & ~missing)
