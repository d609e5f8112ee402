"""Scanners: each shifts a measure, and stretches what sets a person apart."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from .config import Config
from .healthy import MEASURES
from .scenario import Scenario
from .spread import STRUCTURES
from .streams import Streams


@dataclass(frozen=True, eq=False)
class Sites:
    """Scanner effects, as in ComBat's model (Johnson 2007, doi:10.1093/biostatistics/kxj037).

    Attributes
    ----------
    names : tuple of str
    offset : numpy.ndarray, shape (S, 3, K)
        Added: ln(volume), FA, 1e-3 mm2/s; 0 on average over the participants.
    scale : numpy.ndarray, shape (S, 3)
        Times a person's distance from what is expected in health, and times the error. Not times
        the disease: else its true effect would depend on which scanners were drawn (own choice).
    """

    names: tuple[str, ...]
    offset: np.ndarray
    scale: np.ndarray


def draw_sites(config: Config, scenario: Scenario, seed: int) -> Sites:
    """Draw the scanners."""
    figures = config.section("site")
    names, shares = tuple(figures["names"]), np.array(figures["shares"])
    streams = Streams(seed, "sites")
    sd = np.array([figures[f"{measure}_sd"] for measure in MEASURES])[:, None]
    common = streams.normal("common", len(names), len(MEASURES), 1)
    own = streams.normal("own", len(names), len(MEASURES), len(STRUCTURES))
    share = figures["common_share"]
    offset = sd * (np.sqrt(share) * common + np.sqrt(1.0 - share) * own)
    offset = offset - np.tensordot(shares, offset, axes=1)
    stretch = figures["scale_log_sd"] * streams.normal("scale", len(names), len(MEASURES))
    return Sites(names, scenario.site_effect * offset, np.exp(scenario.site_effect * stretch))
