"""A prediction as JSON: ``prediction.json`` of the command line, and what the panel keeps.

Every block has ``statement`` (whom its model was learned from), ``simulated`` (whether those were
simulated), ``simulated_norms`` (whether simulated norms scored the images that it reads) and
``findings``; a block that gives no number has ``"answers": false``, and its findings say why.
Numbers that are not known are null: the ``value`` of a contribution, too, of a predictor that was
not known and is expected from the rest.
"""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import Any

from .. import __version__
from ..norms.score import LEVEL
from ..prognosis.slope import pre_slope
from ..report.statements import RESEARCH_USE
from .disease_stage import LEVEL as EVENT_LEVEL
from .head_size import EnteredVolume, head_of
from .json_values import json_values
from .models import PARTS
from .predict import Prediction
from .records import PersonRecord, VisitRecord
from .stage import LEVEL as STAGE_LEVEL

FORMAT, VERSION = "BrainstemALS prediction", 1
DIGITS = 6
"""Significant ones of the numbers of a prediction."""
NOT_FOR_DIAGNOSIS = "Not for diagnosis or treatment."
_PERSON = (
    "participant", "group", "age", "sex", "onset", "onset_age", "months_since_onset",
    "diagnostic_delay", "ftd", "c9orf72", "riluzole", "definite_ee", "simulated",
)  # fmt: skip
_EXPLAINED = ("classification", "stage", "survival", "reference")


def prediction_record(prediction: Prediction, created: str) -> dict[str, Any]:
    """Return JSON values, without NaN.

    Parameters
    ----------
    prediction : Prediction
    created : str
        ISO date.
    """
    explanation = prediction.explanation
    explained = [part for part in _EXPLAINED if prediction.answers(part)]
    return json_values(
        {
            "format": FORMAT,
            "version": VERSION,
            "software": f"BrainstemALS {__version__}",
            "created": created,
            "notice": f"{RESEARCH_USE} {NOT_FOR_DIAGNOSIS}",
            "simulated": dict(prediction.simulated),
            "person": {
                **{name: getattr(prediction.person, name) for name in _PERSON},
                "findings": _findings(prediction, "person"),
            },
            "visits": [
                clinical_of(prediction.person, visit) for visit in prediction.person.visits
            ],
            "norms": {
                "statement": prediction.norms_statement,
                "simulated": prediction.simulated["norms"],
                "session": prediction.imaged.session if prediction.imaged else None,
                "level": LEVEL,
                "features": prediction.normed,
                "findings": _findings(prediction, "norms"),
            },
            "classification": _block(prediction, "classification"),
            "stage": {**_block(prediction, "stage"), "level": STAGE_LEVEL},
            "disease_stage": {**_block(prediction, "disease_stage"), "level": EVENT_LEVEL},
            "progression": _block(prediction, "progression"),
            "survival": _block(prediction, "survival"),
            "explanation": {
                **{k: v for k, v in _fields(explanation).items() if k != "nobody"},
                "statement": "; ".join(dict.fromkeys(_statements(prediction))),
                "simulated": any(prediction.simulated[part] for part in explained),
                "simulated_norms": any(prediction.simulated_norms(part) for part in explained),
                "findings": _findings(prediction, "explanation", "reference"),
            },
        },
        DIGITS, unknown=True,
    )  # fmt: skip


def prediction_text(prediction: Prediction, created: str) -> str:
    """Return the text of the file."""
    record = prediction_record(prediction, created)
    return json.dumps(record, indent=1, allow_nan=False) + "\n"


def clinical_of(person: PersonRecord, visit: VisitRecord) -> dict[str, Any]:
    """Return what the clinic knows of a visit, with the points lost a month since onset."""
    head, since = head_of(visit), person.months_since_onset
    since = None if since is None else since + (visit.months or 0.0)
    rate = None
    if since is not None and since > 0 and visit.total is not None:
        rate = float(pre_slope(visit.total, since))
    return {
        "session": visit.session,
        "months": visit.months,
        "months_since_onset": since,
        "alsfrs": None if visit.ratings is None else [r if r >= 0 else None for r in visit.ratings],
        "alsfrs_total": visit.total,
        "points_lost_a_month_since_onset": rate,
        "fvc": visit.fvc,
        "kings": visit.kings,
        "mitos": visit.mitos,
        "gastrostomy": visit.gastrostomy,
        "niv": visit.niv,
        "images": visit.has_images,
        "intracranial_mm3": None if head is None else head.value,
        "intracranial_entered": isinstance(head, EnteredVolume),
    }


def _block(prediction: Prediction, part: str) -> dict[str, Any]:
    found = getattr(prediction, part)
    return {
        "answers": prediction.answers(part),
        "name": PARTS[part],
        **(_fields(found) or {"statement": None}),
        "simulated": prediction.simulated[part],
        "simulated_norms": prediction.simulated_norms(part),
        "findings": _findings(prediction, part),
    }


def _fields(found: Any) -> dict[str, Any]:
    if found is None:
        return {}
    return found.to_dict() if hasattr(found, "to_dict") else asdict(found)


def _findings(prediction: Prediction, *parts: str) -> list[dict[str, Any]]:
    return [{"part": part, **asdict(f)} for part, f in prediction.findings if part in parts]


def _statements(prediction: Prediction) -> list[str]:
    explained = (prediction.classification, prediction.stage, prediction.survival)
    said = [found.statement for found in explained if found is not None]
    if prediction.explanation and prediction.explanation.reference_statement:
        said.append(f"Reference patients: {prediction.explanation.reference_statement}.")
    return said
