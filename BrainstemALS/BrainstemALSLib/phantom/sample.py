"""The simulated patient of Slicer's Sample Data: computed here, from an anatomy that is installed.

Nothing is downloaded, and neither torch nor nilearn is needed. It takes some ten seconds, so a
panel starts ``sample_command`` as a process of its own and reads the files it writes.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np

from ..assets import asset_path
from ..imaging.geometry import resample
from ..imaging.reading import read_label_map, read_volume
from ..imaging.volume import Volume
from .patient import SyntheticPatient, synthetic_patient

SEED = 1
"""Of the patient that everybody gets, so that results of two people can be compared."""
DESCRIPTION = (
    "Simulated patient, not a person: T1, FA and MD computed from an average anatomy, with the "
    "volume loss of ALS in the medulla. No measurement of it says anything of a real patient."
)


def sample_anatomy() -> tuple[Volume, Volume, Volume]:
    """Return labels (uint8), white and grey matter (0-1) on one grid of 1 mm.

    Average anatomy of ICBM 2009a; ``training.phantom_anatomy`` writes it. Its tissue maps are
    stored at 2 mm and come back by cubic interpolation.

    Raises
    ------
    BrainstemALSError
        MODEL_UNAVAILABLE: a file of the installation is missing.
    """
    about = json.loads(asset_path("Phantom/anatomy.json").read_text(encoding="utf-8"))
    shape, affine = tuple(about["shape"]), np.array(about["affine"])
    box = read_label_map(asset_path("Phantom/labels.nii.gz"))
    start = np.rint(np.linalg.solve(affine, box.affine[:, 3])[:3]).astype(int)
    labels = np.zeros(shape, np.uint8)
    labels[tuple(slice(a, a + n) for a, n in zip(start, box.shape, strict=True))] = box.array
    tissues = []
    for name in ("white", "grey"):
        coarse = read_volume(asset_path(f"Phantom/{name}.nii.gz"), f"{name} matter")
        fine = resample(coarse, shape, affine, "bspline").array / about["tissue_levels"]
        tissues.append(Volume(np.clip(fine, 0.0, 1.0), affine))
    return Volume(labels, affine), *tissues


def sample_patient(seed: int = SEED) -> SyntheticPatient:
    """Return the simulated patient; the same seed gives the same one.

    Raises
    ------
    BrainstemALSError
        See ``sample_anatomy``.
    """
    return synthetic_patient(*sample_anatomy(), seed)


def sample_command(
    folder: str | Path, python: str | None = None, seed: int = SEED
) -> tuple[str, list[str]]:
    """Return program and arguments of a process that writes the patient's files into a folder.

    They have the names of ``phantom.files.NAMES``. It ends with 0, or with the refusal's exit code
    and its sentence on stderr.

    Parameters
    ----------
    folder : str or Path
        Made where it does not exist; a patient written there before is replaced.
    python : str, optional
        Interpreter, in Slicer its PythonSlicer; this one when left out.
    seed : int
        See ``sample_patient``.
    """
    script = Path(__file__).with_name("__main__.py")
    return python or sys.executable, [str(script), str(folder), "--seed", str(seed)]
