"""Where the imaging predictors of one visit stand among healthy people."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..imaging.finding import Finding
from ..norms.score import CENTRAL, Norms
from .features import FEATURES, features_of
from .measurement import MeasurementError
from .records import PersonRecord, VisitRecord


@dataclass(frozen=True)
class NormedFeature:
    """Where one imaging predictor stands among healthy people.

    Attributes
    ----------
    name, label : str
    z, low, high : float or None
        With its 95 % interval; None where there is no score.
    reason : str
        Code of ``norms.reasons``; empty where there is a score.
    """

    name: str
    label: str
    z: float | None
    low: float | None
    high: float | None
    reason: str


def normed_features(
    person: PersonRecord, visit: VisitRecord, norms: Norms, measurement: MeasurementError
) -> tuple[NormedFeature, ...]:
    """Return all predictors of a visit with images, in the order of ``FEATURES``.

    Intervals are as wide as errors were found to be, not as what exam and norms state with caution:
    what is stated held every one of the true values (docs/results/prediction_chain.md).
    """
    values = features_of([person], [visit], norms)
    half = CENTRAL * measurement.spread(values)[0]
    found = []
    for place, feature in enumerate(FEATURES):
        z = float(values.z[0, place])
        if np.isfinite(z):
            # The size of an asymmetry is never below 0.
            low = max(z - half[place], 0.0) if feature.size else z - half[place]
            found.append(
                NormedFeature(
                    feature.name, feature.label, z, float(low), float(z + half[place]), ""
                )
            )
        else:
            reason = values.reasons[0].get(feature.name, "norms-value")
            found.append(NormedFeature(feature.name, feature.label, None, None, None, reason))
    return tuple(found)


def level_of_norms() -> Finding:
    """Return what is said of a real person whose images simulated norms score.

    On images whose level differs, 15 % of the intervals held what they were to hold
    (docs/results/prediction_chain.md, as measured).
    """
    return Finding(
        "prediction-norms-level", "warning",
        "Simulated norms do not know this scanner's level: all values may be off together",
        "Compare with healthy people of your own scanner first.",
    )  # fmt: skip
