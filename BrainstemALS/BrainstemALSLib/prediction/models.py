"""The models of all parts of a prediction, read together: one that fails takes no other with it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ..errors import BrainstemALSError
from .classification_model import Classifiers, read_classifiers
from .disease_stage import DiseaseStageModel, read_disease_stage
from .explain_reference import References, read_references
from .measurement import AS_STATED, MeasurementError, read_measurement
from .measurement import KIND as MEASUREMENT
from .progression import ProgressionModel, load_progression
from .stage_model import StageModels, read_stage_models
from .survival_model import SurvivalModel, read_survival

PARTS = {
    "classification": "Consistency with ALS",
    "stage": "King's stage suggested by the images",
    "disease_stage": "Data-driven stage",
    "progression": "Forecast of ALSFRS-R and FVC",
    "survival": "Survival and respiratory failure",
    "reference": "Nearest reference patients",
}
"""What has a model of its own, and its name for people."""
_READERS: Mapping[str, Callable[[Path | None], Any]] = {
    "classification": read_classifiers,
    "stage": read_stage_models,
    "disease_stage": read_disease_stage,
    "progression": load_progression,
    "survival": read_survival,
    "reference": read_references,
}


@dataclass(frozen=True, eq=False)
class Models:
    """The models of all parts; None where one could not be read.

    Attributes
    ----------
    classification, stage, disease_stage, progression, survival, reference : object or None
    absent : mapping
        Part to why it has no model.
    measurement : MeasurementError
        How far images may be off, for all parts.
    """

    classification: Classifiers | None = None
    stage: StageModels | None = None
    disease_stage: DiseaseStageModel | None = None
    progression: ProgressionModel | None = None
    survival: SurvivalModel | None = None
    reference: References | None = None
    absent: Mapping[str, str] = field(default_factory=dict)
    measurement: MeasurementError = AS_STATED

    def simulated(self, part: str) -> bool:
        """Whether a part was learned from simulated people; True for one without a model."""
        model = getattr(self, part)
        return model is None or model.training.source == "simulated"


def read_models(folder: Path | None = None) -> Models:
    """Read the models of all parts; one that cannot be read is left out.

    Parameters
    ----------
    folder : Path, optional
        With ``<part>.json`` of ``PARTS``; the bundled ones by default.
    """
    found: dict[str, Any] = {}
    absent: dict[str, str] = {}
    for part, read in _READERS.items():
        try:
            found[part] = read(None if folder is None else folder / f"{part}.json")
        except BrainstemALSError as error:
            absent[part] = error.problem
        except (KeyError, TypeError, ValueError, IndexError):
            # The checksum holds, but the content is of another version than this code.
            absent[part] = "it lacks what this version reads"
    return Models(**found, absent=absent, measurement=_measurement(folder))


def _measurement(folder: Path | None) -> MeasurementError:
    """Return the errors of a folder; without a usable file they are taken as stated: wider."""
    path = None if folder is None else folder / f"{MEASUREMENT}.json"
    try:
        return read_measurement(path)
    except (BrainstemALSError, KeyError, TypeError, ValueError):
        return AS_STATED
