"""Measures as plain data for JSON, and back."""

from __future__ import annotations

import math
from dataclasses import asdict
from typing import Any

from ..errors import BrainstemALSError, ExitCode
from ..imaging.finding import Finding
from .asymmetry import Asymmetry
from .diffusion_asymmetry import DiffusionAsymmetry
from .diffusion_value import DiffusionValue
from .intracranial import Intracranial
from .measure import Measures
from .volumes import StructureVolume


def measures_record(measures: Measures) -> dict[str, Any]:
    """Return measures as strict JSON: a confidence that is NaN becomes None."""
    return {
        "volumes": [
            {**asdict(row), "confidence": None if math.isnan(row.confidence) else row.confidence}
            for row in measures.volumes
        ],
        "asymmetries": [asdict(pair) for pair in measures.asymmetries],
        "intracranial": asdict(measures.intracranial),
        "findings": [asdict(finding) for finding in measures.findings],
        "diffusion": [asdict(value) for value in measures.diffusion],
        "diffusion_asymmetries": [asdict(pair) for pair in measures.diffusion_asymmetries],
    }


def measures_from_record(record: dict[str, Any]) -> Measures:
    """Return the measures of ``measures_record``.

    Raises
    ------
    BrainstemALSError
        USAGE: the record is damaged, or of a version with other fields.
    """
    try:
        return Measures(
            volumes=tuple(_volume(row) for row in record["volumes"]),
            asymmetries=tuple(Asymmetry(**row) for row in record["asymmetries"]),
            intracranial=Intracranial(**record["intracranial"]),
            findings=tuple(Finding(**row) for row in record["findings"]),
            # Scenes of versions that did not measure it have none.
            diffusion=tuple(DiffusionValue(**row) for row in record.get("diffusion", ())),
            diffusion_asymmetries=tuple(
                DiffusionAsymmetry(**row) for row in record.get("diffusion_asymmetries", ())
            ),
        )
    except (KeyError, TypeError):
        raise BrainstemALSError(
            "saved measures",
            "they are damaged or come from another version of BrainstemALS",
            "Measure the segmentation again.",
            ExitCode.USAGE,
        ) from None


def _volume(row: dict[str, Any]) -> StructureVolume:
    confidence = row["confidence"]
    return StructureVolume(**{**row, "confidence": math.nan if confidence is None else confidence})
