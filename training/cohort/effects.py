"""How large the change of each structure is: scaled so that groups differ as published.

Amplitude times mean of extent and involvement at the first visit is the published mean difference;
that mean is of a large reference population, drawn once with a seed of its own.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from BrainstemALSLib.anatomy import REGIONS

from .config import Config
from .course import draw_course
from .healthy import MEASURES, region_shares
from .people import ONSETS, draw_patients
from .scenario import Scenario
from .spread import STRUCTURES, Spread, draw_spread
from .streams import Streams

LEAST_LEFT = 0.3
"""No structure shrinks to less than this share (own choice)."""


@dataclass(frozen=True, eq=False)
class Effects:
    """Changes by onset, measure and structure.

    Attributes
    ----------
    amplitude : numpy.ndarray, shape (3 onsets, 3 measures, K)
        Change at full involvement and an extent of 1: share of the volume (-1 to 0), FA,
        1e-3 mm2/s. Onsets as ``ONSETS``, measures as ``MEASURES``.
    at_first_visit : numpy.ndarray, same shape
        Population mean at the first visit, the limit of ``LEAST_LEFT`` included.
    per_year : numpy.ndarray, same shape
        Mean change in the year after the first visit, of those who are alive at its end or not.
    """

    amplitude: np.ndarray
    at_first_visit: np.ndarray
    per_year: np.ndarray

    def change(self, onset: np.ndarray, spread: Spread, months: np.ndarray) -> np.ndarray:
        """Return changes (3 measures, n, v, K) of onsets (n,) at months (n, v) since onset."""
        which = np.array([ONSETS.index(name) for name in onset], dtype=int)
        amplitude = np.moveaxis(self.amplitude[which], 1, 0)[:, :, None, :]
        change = amplitude * (spread.extent[:, None, None] * spread.involvement(months))
        change[0] = np.maximum(change[0], LEAST_LEFT - 1.0)
        return change


def targets(config: Config, scenario: Scenario) -> np.ndarray:
    """Return wanted mean changes at the first visit (3 onsets, 3 measures, K)."""
    shares = region_shares()
    weights = config.section("volume_weight")
    weight = np.array([weights.get(s.stem, 0.0) for s in STRUCTURES])
    wanted = np.zeros((len(ONSETS), len(MEASURES), len(STRUCTURES)))
    for region in REGIONS:
        inside = np.array([s.parent == region for s in STRUCTURES])
        total = float((shares * weight)[inside].sum())
        for o, onset in enumerate(ONSETS):
            loss = config[f"volume_effect.{region}.{onset}"] / 100.0
            wanted[o, 0, inside] = loss * weight[inside] / total if total else 0.0
    for m, measure in ((1, "fa"), (2, "md")):
        section = config.section(f"{measure}_effect")
        wanted[:, m] = [section.get(s.stem, 0.0) for s in STRUCTURES]
    return wanted * scenario.disease


def scale_effects(config: Config, scenario: Scenario) -> Effects:
    """Scale the amplitudes to the wanted effects."""
    wanted = targets(config, scenario)
    amplitude = np.zeros_like(wanted)
    now, later = np.zeros_like(wanted), np.zeros_like(wanted)
    size = config["reference.patients"]
    for o, onset in enumerate(ONSETS):
        streams = Streams(config["reference.seed"], f"reference {onset}")
        patients = draw_patients(config, scenario, streams, size, onset)
        course = draw_course(config, streams, patients)
        spread = draw_spread(config, scenario, streams, patients, course)
        months = patients.first_visit[:, None] + np.array([0.0, 12.0])
        mean = (spread.extent[:, None] * spread.involvement(months)[:, 0]).mean(axis=0)
        amplitude[o] = np.divide(wanted[o], mean, out=np.zeros_like(wanted[o]), where=mean > 1e-9)
        change = Effects(amplitude, now, later).change(patients.onset, spread, months)
        now[o] = change[:, :, 0].mean(axis=1)
        later[o] = (change[:, :, 1] - change[:, :, 0]).mean(axis=1)
    return Effects(amplitude, now, later)
