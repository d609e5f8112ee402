"""Confidence in words: the one table that says what counts as high, moderate and low."""

from __future__ import annotations

import math

CONFIDENCE_BOUNDS: dict[str, tuple[float, float]] = {
    "A": (0.80, 0.60),
    "B": (0.70, 0.50),
    "C": (0.70, 0.50),
}
"""Evidence tier to the lowest confidence called high and the lowest called moderate, 0-1.

Source: chosen by the project. Small and faint structures (tier B) are nearly all boundary at 1 mm,
where a well-calibrated probability lies around one half, so they are judged less strictly. To be
revised against held-out accuracy once a reader study exists.
"""


def confidence_word(confidence: float, tier: str) -> str:
    """Return a confidence as ``high``, ``moderate``, ``low`` or ``none``.

    Parameters
    ----------
    confidence : float
        Mean probability of a structure over the voxels labelled so, 0-1; NaN when there are none.
    tier : str
        Evidence tier of the structure, ``A``, ``B`` or ``C``.
    """
    if math.isnan(confidence):
        return "none"
    high, moderate = CONFIDENCE_BOUNDS[tier]
    if confidence >= high:
        return "high"
    return "moderate" if confidence >= moderate else "low"
