"""The files of one exam, named as BIDS derivatives."""

from __future__ import annotations

import math
from importlib.util import find_spec
from pathlib import Path

import numpy as np

from .. import __version__
from ..imaging.exam import Exam
from ..imaging.finding import SEVERITIES
from ..imaging.staging import unwritable
from ..imaging.writing import write_probabilities, write_volume
from ..measurement import Measures
from ..segmentation.result import Segmentation
from .diffusion_files import DIFFUSION_FILES, write_diffusion
from .naming import derivative_name
from .overview import draw_overview
from .provenance import Provenance, provenance_record
from .statements import RESEARCH_USE, SYNTHETIC_TRAINING
from .tables import (
    ASYMMETRY_COLUMNS,
    LABEL_COLUMNS,
    VOLUME_COLUMNS,
    asymmetry_rows,
    label_rows,
    volume_rows,
    write_json,
    write_tsv,
)

BIDS_VERSION = "1.10.0"
DATASET_DESCRIPTION = "dataset_description.json"
_SUFFIXES = (
    ("dseg", ".nii.gz"),
    ("dseg", ".tsv"),
    ("probseg", ".nii.gz"),
    ("probseg", ".json"),
    ("entropy", ".nii.gz"),  # not a BIDS suffix: BIDS has none for uncertainty
    ("volumes", ".tsv"),
    ("asymmetry", ".tsv"),
    ("qc", ".json"),
    ("provenance", ".json"),
    ("overview", ".png"),
)


def derivative_names(stem: str) -> tuple[str, ...]:
    """Return the names of all files that ``write_derivatives`` may write for one exam."""
    files = (*_SUFFIXES, *DIFFUSION_FILES)
    return tuple(derivative_name(stem, suffix, extension) for suffix, extension in files)


def write_derivatives(
    folder: Path,
    stem: str,
    exam: Exam,
    segmentation: Segmentation,
    measures: Measures,
    provenance: Provenance,
) -> list[Path]:
    """Write everything that was found out about one exam.

    Files go straight into ``folder``: give the temporary folder of
    ``imaging.staging.staged_output`` (with ``derivative_names``), so that a user's folder gets all
    of them or none.

    Parameters
    ----------
    folder : pathlib.Path
        Existing folder.
    stem : str
        As ``derivative_stem`` makes it.
    exam : Exam
        As prepared: the T1, for the overview, and the diffusion maps that lie on it.
    segmentation : Segmentation
        Labels and entropy are written on the T1 grid, probabilities and maps on a box of it.
    measures : Measures
        As ``measure`` returns them.
    provenance : Provenance
        Inputs, options and timings.

    Returns
    -------
    list of pathlib.Path
        Files written. The overview is left out where matplotlib is not installed.

    Raises
    ------
    BrainstemALSError
        OUTPUT_REFUSED: the file system would not take a file. NO_BRAINSTEM: nothing is labelled.
    """
    folder = Path(folder)
    paths = {
        (suffix, extension): folder / derivative_name(stem, suffix, extension)
        for suffix, extension in _SUFFIXES
    }
    try:
        write_volume(segmentation.labels, paths["dseg", ".nii.gz"], dtype=np.uint8)
        write_volume(segmentation.entropy, paths["entropy", ".nii.gz"], dtype=np.float32)
        write_probabilities(segmentation.probabilities, paths["probseg", ".nii.gz"])
        write_json(paths["probseg", ".json"], {"LabelMap": list(segmentation.keys)})
        write_tsv(paths["dseg", ".tsv"], LABEL_COLUMNS, label_rows(segmentation.keys))
        write_tsv(paths["volumes", ".tsv"], VOLUME_COLUMNS, volume_rows(measures.volumes))
        write_tsv(
            paths["asymmetry", ".tsv"], ASYMMETRY_COLUMNS, asymmetry_rows(measures.asymmetries)
        )
        write_json(paths["qc", ".json"], quality_record(segmentation, measures))
        write_json(paths["provenance", ".json"], provenance_record(provenance, segmentation))
        if find_spec("matplotlib") is not None:
            draw_overview(exam.t1, segmentation, paths["overview", ".png"], stem, measures)
        else:
            del paths["overview", ".png"]
        diffusion = write_diffusion(folder, stem, exam, segmentation.probabilities, measures)
    except OSError:
        raise unwritable(stem) from None
    return [*paths.values(), *diffusion]


def write_dataset_description(folder: Path) -> Path:
    """Write ``DATASET_DESCRIPTION``, which makes a folder a BIDS derivative dataset.

    It belongs to the folder and not to one exam: give the temporary folder of ``staged_output``,
    with this name among its ``shared`` ones, and an existing file, of an earlier exam or of the
    user, is left as it is.

    Parameters
    ----------
    folder : pathlib.Path
        Existing folder.

    Raises
    ------
    BrainstemALSError
        OUTPUT_REFUSED: the file system would not take the file.
    """
    path = Path(folder) / DATASET_DESCRIPTION
    content = {
        "Name": "Brainstem segmentation and measurement",
        "BIDSVersion": BIDS_VERSION,
        "DatasetType": "derivative",
        "GeneratedBy": [
            {
                "Name": "BrainstemALS",
                "Version": __version__,
                "Description": f"{RESEARCH_USE} {SYNTHETIC_TRAINING}",
            }
        ],
    }
    try:
        write_json(path, content)
    except OSError:
        raise unwritable(DATASET_DESCRIPTION) from None
    return path


def quality_record(segmentation: Segmentation, measures: Measures) -> dict[str, object]:
    """Return the content of ``qc.json``: findings worst first, and the numbers behind them."""
    severities = [finding.severity for finding in measures.findings]
    worst = min(severities, key=SEVERITIES.index) if severities else "none"
    return {
        "intended_use": RESEARCH_USE,
        "worst_severity": worst,
        "findings": [
            {
                "code": finding.code,
                "severity": finding.severity,
                "structure": finding.structure,
                "message": finding.message,
                "action": finding.action,
            }
            for finding in measures.findings
        ],
        "intracranial_volume_mm3_estimate": measures.intracranial.volume_mm3,
        "brainstem_to_intracranial": measures.intracranial.brainstem_fraction,
        "confidence": {
            row.key: None if math.isnan(row.confidence) else row.confidence
            for row in measures.volumes
        },
        "brainstem_on_border_mm2": segmentation.touches_border,
    }
