"""How the disease spreads over the brainstem: a clock of its own, and a place on it per structure.

The change of a structure is its amplitude, times the patient's extent, times a sigmoid of the
brainstem clock. The clock starts
before the symptoms and runs faster in some patients; how that is linked to the clinical course is
configured, and multiplied by ``Scenario.imaging_effect``.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.special import expit

from BrainstemALSLib.anatomy import REGIONS, load_structures

from .config import Config
from .course import Course
from .people import Patients
from .scenario import Scenario
from .streams import Streams

STRUCTURES = tuple(s for s in load_structures() if s.parent in REGIONS)
"""What is simulated, in the order of every axis of K structures."""
STEMS = tuple(dict.fromkeys(s.stem for s in STRUCTURES))
STEM_OF = np.array([STEMS.index(s.stem) for s in STRUCTURES])


@dataclass(frozen=True, eq=False)
class Spread:
    """Latent state of the brainstems of n patients.

    Attributes
    ----------
    factor : numpy.ndarray, shape (n,)
        Standardised logarithm of the speed of the brainstem clock.
    own : numpy.ndarray, shape (n,)
        The part of it that the rate of the clinical course does not share, standard normal.
    speed : numpy.ndarray, shape (n,)
        Months of the brainstem clock per month.
    extent : numpy.ndarray, shape (n,)
        How much is lost at full involvement, times the mean patient's; grows with ``factor``.
    places : numpy.ndarray, shape (n, K)
        Months of the brainstem clock where a structure is half way; infinite where it is spared.
    left_worse : numpy.ndarray of bool, shape (n,)
    lead, width : float
        Months.
    """

    factor: np.ndarray
    own: np.ndarray
    speed: np.ndarray
    extent: np.ndarray
    places: np.ndarray
    left_worse: np.ndarray
    lead: float
    width: float

    def clock(self, months: np.ndarray) -> np.ndarray:
        """Return the months of the brainstem clock (n, v) at months since onset (n, v)."""
        return (months + self.lead) * self.speed[:, None]

    def involvement(self, months: np.ndarray) -> np.ndarray:
        """Return how far each structure is (n, v, K), 0-1, at months since onset (n, v)."""
        return expit((self.clock(months)[..., None] - self.places[:, None, :]) / self.width)


def mean_places(config: Config, onset: str) -> np.ndarray:
    """Return the mean place (stems,) of each structure for one onset; infinite where spared."""
    order = config.section("order")
    earlier = config.section(f"earlier.{onset}")
    return np.array([order.get(s, np.inf) - earlier.get(s, 0.0) for s in STEMS])


def draw_spread(
    config: Config, scenario: Scenario, streams: Streams, patients: Patients, course: Course
) -> Spread:
    """Draw the brainstem clocks, linked to the course as the scenario allows."""
    n = len(patients)
    link = np.clip(config["imaging.rate_coupling"] * scenario.imaging_effect, -0.99, 0.99)
    own = streams.normal("imaging factor", n)
    factor = link * patients.z_rate + np.sqrt(1 - link**2) * own
    stems = np.zeros((n, len(STEMS)))
    for onset in np.unique(patients.onset):
        stems[patients.onset == onset] = mean_places(config, onset)
    stems = stems + config["imaging.order_sd"] * streams.normal("order", n, len(STEMS))
    places = stems[:, STEM_OF]
    medulla = np.array([s.parent == "medulla" for s in STRUCTURES])
    linked = config["imaging.bulbar_link"] * scenario.imaging_effect * course.z_bulbar
    places = places - linked[:, None] * medulla
    left_worse = streams.chance("worse side", 0.5, n)
    side = np.array([{"left": 1.0, "right": -1.0}.get(s.side, 0.0) for s in STRUCTURES])
    worse = np.where(left_worse, 1.0, -1.0)[:, None] * side
    return Spread(
        factor=factor,
        own=own,
        speed=np.exp(config["imaging.speed_log_sd"] * factor),
        extent=np.exp(config["imaging.extent_log_sd"] * factor),
        places=places - config["imaging.side_lead"] * worse,
        left_worse=left_worse,
        lead=config["imaging.lead"],
        width=config["imaging.width"],
    )
