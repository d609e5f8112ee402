"""What ALS does to the brainstem of the simulated patient.

Planning values of the project's table of ALS effects, recalled from the literature named here and
not read off its tables: good enough to simulate with, not to diagnose with.
"""

from __future__ import annotations

from dataclasses import dataclass

MEDULLA_LOSS_PERCENT = (5.0, 8.0)
"""Loss of medullary volume, drawn between: -5 % in ALS, -8 % in bulbar onset (after Bede et al.
2019, NeuroImage: Clinical 24:102054, where the medulla is the dominant site)."""

PYRAMID_EXTRA_LOSS_PERCENT = 6.0
"""Loss of the pyramids beyond that of the medulla: the shape change of the medulla in ALS is
confined to them (Bede et al. 2019); the figure is this project's choice."""


@dataclass(frozen=True)
class DiffusionEffect:
    """Change of FA (0-1) and MD (1e-3 mm2/s) in one structure."""

    fa: float
    md: float


_MD_TRACT = 0.02  # +2 to 5 % along the corticospinal tract (direction: PMC7966122)

DIFFUSION_EFFECTS = {
    "cst_crus": DiffusionEffect(-0.03, _MD_TRACT),  # direction: PMC7327879 (50 ALS, 164 scans)
    "cst_pons": DiffusionEffect(-0.02, _MD_TRACT),  # direction: CALSNIC-2; PMC6706345
    "pyramid": DiffusionEffect(-0.03, _MD_TRACT),  # after Bede et al. 2019
}
"""By ``Structure.stem``; both sides alike."""
