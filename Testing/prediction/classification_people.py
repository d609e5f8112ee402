"""Made-up exams whose z-scores are known, for the tests of the classifier."""

from __future__ import annotations

import numpy as np

from BrainstemALSLib.norms.model import LOG
from BrainstemALSLib.prediction.features import FEATURES
from BrainstemALSLib.prediction.records import INTRACRANIAL, Measure, PersonRecord, VisitRecord

ICV = 1.45e6
TYPICAL_ASYMMETRY = 0.8
"""Mean size of a standard normal number."""


def measures(norms, age=60.0, sex="F", error=0.2, **z):
    """Return measures of these z-scores by feature, 0 where none is given; error is in SDs."""
    found = {INTRACRANIAL: Measure(ICV, 0.005 * ICV)}
    for feature in FEATURES:
        wanted = z.get(feature.name, TYPICAL_ASYMMETRY if feature.size else 0.0)
        for key in feature.keys:
            model = norms.model(*key)
            who = (np.array(v) for v in ([age], [sex == "M"], [ICV], np.array([""], object)))
            mean, sd = model.predict(*who)
            value = float(model.original(mean + wanted * sd)[0])
            slope = model.scale * (value if model.transform == LOG else 1.0)
            found[key] = Measure(value, error * float(sd[0]) * slope)
    return found


def person(norms, *, age=60.0, sex="F", error=0.2, simulated=True, **z):
    """Return a person of one visit with these z-scores."""
    visit = VisitRecord("ses-01", 0.0, measures=measures(norms, age, sex, error, **z))
    return PersonRecord("x", age=age, sex=sex, visits=(visit,), simulated=simulated)
