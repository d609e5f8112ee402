"""Measures of a made-up exam whose z-scores are chosen: what a real one would give, without one."""

from __future__ import annotations

from BrainstemALSLib.cohort.exam_measures import NORMAL_QUARTILE, OUTLINE_SHARE
from BrainstemALSLib.imaging.finding import Finding
from BrainstemALSLib.measurement import Measures
from BrainstemALSLib.measurement.diffusion_asymmetry import DiffusionAsymmetry
from BrainstemALSLib.measurement.diffusion_value import DiffusionValue
from BrainstemALSLib.measurement.intracranial import Intracranial
from BrainstemALSLib.measurement.volumes import StructureVolume
from BrainstemALSLib.prediction.explain_map import label_of
from BrainstemALSLib.prediction.records import INTRACRANIAL
from Testing.prediction.classification_people import measures

PATIENT = {
    "medulla_volume": -1.6,
    "pyramid_volume": -2.2,
    "cst_fa": -2.6,
    "cst_md": 1.8,
    "pyramid_fa": -2.0,
}
"""z-scores of somebody whose brainstem goes with ALS, not without doubt."""
PERSON = {
    "participant": "ALS-017", "age": 61, "sex": "F", "onset": "bulbar", "months_since_onset": 14.0,
    "diagnostic_delay": 9.0, "ftd": "no", "riluzole": "yes", "definite_ee": "no",
    "visits": [{
        "session": "ses-01", "months": 0.0, "alsfrs": [3, 4, 3, 4, 4, 4, 4, 3, 3, 4, 4, 4],
        "gastrostomy": "no", "fvc": 84, "niv": "no",
    }],
}  # fmt: skip


def exam_of(
    norms, age: float = 61.0, sex: str = "F", findings: tuple[Finding, ...] = (), **z: float
) -> Measures:
    """Return measures of these z-scores by feature, as the worker gives them."""
    found = measures(norms, age, sex, **(z or PATIENT))
    head = found.pop(INTRACRANIAL)
    volumes, diffusion, pairs = [], [], []
    for (key, name), one in found.items():
        text = label_of(key)
        side = key.rpartition("_")[2]
        side = side if side in ("left", "right") else "both"
        if name == "volume":
            half = one.sd * NORMAL_QUARTILE / OUTLINE_SHARE
            volumes.append(
                StructureVolume(key, text, "composite", side, "brainstem", "mixed", "A",
                                one.value, one.value, 0.9, half)
            )  # fmt: skip
        elif name.endswith("_asymmetry"):
            metric = name.removesuffix("_asymmetry")
            pairs.append(
                DiffusionAsymmetry(key, text, "composite", metric, None, None, one.value, one.sd)
            )
        else:
            diffusion.append(
                DiffusionValue(key, text, "composite", side, name, one.value, uncertainty=one.sd)
            )
    return Measures(
        tuple(volumes), (), Intracranial(head.value, None), findings, tuple(diffusion), tuple(pairs)
    )
