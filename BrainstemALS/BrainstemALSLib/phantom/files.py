"""Writes the simulated patient as files that say what it is."""

from __future__ import annotations

import json
from pathlib import Path

from ..imaging.staging import staged_output
from ..imaging.writing import write_volume
from .patient import SyntheticPatient

STEM = "sub-simulated"
NAMES = {
    "t1": f"{STEM}_T1w.nii.gz",
    "fa": f"{STEM}_FA.nii.gz",
    "md": f"{STEM}_MD.nii.gz",
    "truth": f"{STEM}_desc-truth_dseg.nii.gz",
    "description": f"{STEM}_description.json",
}


def write_patient(
    patient: SyntheticPatient, folder: str | Path, overwrite: bool = False
) -> dict[str, Path]:
    """Write the images, the truth and the description; all files or none.

    Parameters
    ----------
    patient : SyntheticPatient
    folder : str or Path
        Made where it does not exist.
    overwrite : bool
        Replace a patient written before.

    Returns
    -------
    dict
        ``t1``, ``fa``, ``md``, ``truth``, ``description`` to the path of the file.

    Raises
    ------
    BrainstemALSError
        OUTPUT_REFUSED: the folder cannot be written to, or already holds such a patient.
    """
    with staged_output(folder, NAMES.values(), overwrite) as staged:
        write_volume(patient.t1, staged / NAMES["t1"])
        write_volume(patient.fa, staged / NAMES["fa"])
        write_volume(patient.md, staged / NAMES["md"])
        write_volume(patient.truth, staged / NAMES["truth"])
        text = json.dumps(patient.description, indent=2, allow_nan=False)
        (staged / NAMES["description"]).write_text(text + "\n", encoding="utf-8")
    return {role: Path(folder) / name for role, name in NAMES.items()}
