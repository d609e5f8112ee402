"""What each tissue looks like: intensity priors for synthesis and for the simulated patient."""

from __future__ import annotations

import csv
from dataclasses import dataclass
from functools import lru_cache

from ..assets import asset_path

TISSUE_KEYS = (
    "cerebral_white",
    "cerebral_grey",
    "cerebellar_white",
    "cerebellar_grey",
    "csf",
)
"""Rows for what surrounds the brainstem, beside one row per structure."""


@dataclass(frozen=True)
class IntensityPrior:
    """Expected appearance of one structure or tissue.

    Attributes
    ----------
    t1_relative : float
        T1-weighted intensity divided by that of cerebral white matter.
    fa_mean, fa_sd : float
        Fractional anisotropy, 0-1, and its spread.
    md_mean, md_sd : float
        Mean diffusivity in 1e-3 mm2/s and its spread.
    status : str
        ``planning``: a planning value, not opened in a paper. ``derived``: computed from others or
        measured on an image; ``source`` says which part.
    source : str
        Provenance in words.
    """

    t1_relative: float
    fa_mean: float
    fa_sd: float
    md_mean: float
    md_sd: float
    status: str
    source: str


@lru_cache(maxsize=1)
def load_intensity_priors() -> dict[str, IntensityPrior]:
    """Return the priors by structure key or tissue key."""
    with asset_path("Anatomy/intensity_priors.tsv").open(encoding="utf-8", newline="") as handle:
        return {
            row["key"]: IntensityPrior(
                *(float(row[c]) for c in ("t1_relative", "fa_mean", "fa_sd", "md_mean", "md_sd")),
                status=row["status"],
                source=row["source"],
            )
            for row in csv.DictReader(handle, delimiter="\t")
        }
