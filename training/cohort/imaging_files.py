"""Files of the imaging cohort: a BIDS dataset, and beside it what no analysis may read."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from BrainstemALSLib import __version__
from BrainstemALSLib.durability import write_whole
from BrainstemALSLib.errors import BrainstemALSError, ExitCode
from BrainstemALSLib.imaging.volume import Volume
from BrainstemALSLib.imaging.writing import write_volume

from .healthy import MEASURES
from .spread import STRUCTURES

if TYPE_CHECKING:
    from BrainstemALSLib.cohort.tables import Cohort

    from .truth import Truth

DESCRIPTION = "dataset_description.json"
MAPS = "derivatives/simulated"
_T1_RANGE, _MAP_STEP = 4000.0, 1e-4


def bids_folder(folder: Path) -> Path:
    """Dataset of an imaging cohort."""
    return folder / "bids"


def truth_folder(folder: Path) -> Path:
    """What only the simulator knows."""
    return folder / "truth"


def write_dataset(folder: Path, cohort: Cohort, truth: Truth, seed: int, sizes: Any) -> None:
    """Write the description and the clinical tables.

    Raises
    ------
    BrainstemALSError
        OUTPUT_REFUSED: another simulation lies there.
    """
    bids = bids_folder(folder)
    content = {
        "Name": "Simulated images of BrainstemALS",
        "BIDSVersion": "1.10.0",
        "DatasetType": "raw",
        "source": "simulated",
        "simulated": True,
        "Seed": seed,
        "Sizes": asdict(sizes),
        "GeneratedBy": [{"Name": "training.cohort.imaging", "Version": __version__}],
    }
    text = json.dumps(content, indent=2) + "\n"
    path = bids / DESCRIPTION
    if path.is_file() and path.read_text(encoding="utf-8") != text:
        raise BrainstemALSError(
            folder, "it holds another simulation", "Remove it, or name another folder with --out.",
            ExitCode.OUTPUT_REFUSED,
        )  # fmt: skip
    bids.mkdir(parents=True, exist_ok=True)
    _write(path, text)
    maps = bids / MAPS / DESCRIPTION
    maps.parent.mkdir(parents=True, exist_ok=True)
    _write(maps, text.replace('"raw"', '"derivative"'))
    _table(bids / "participants.tsv", cohort.participants)
    for participant, rows in cohort.visits.groupby("participant_id"):
        place = bids / participant
        place.mkdir(exist_ok=True)
        _table(place / f"{participant}_sessions.tsv", rows.drop(columns="participant_id"))


def session_done(folder: Path, participant: str, session: str) -> bool:
    """Whether a session was written: its truth comes last."""
    return _of_session(folder, participant, session).is_file()


def write_session(
    folder: Path,
    participant: str,
    session: str,
    images: Mapping[str, Volume],
    reached: np.ndarray,
    asked: np.ndarray,
) -> None:
    """Write the images of a session, then their truth.

    Parameters
    ----------
    folder : Path
    participant, session : str
    images : mapping
        ``t1``, ``fa`` and ``md`` as ``imaging_painting.paint`` returns them.
    reached, asked : numpy.ndarray, shape (3, K)
        Volume (mm3), FA, MD (1e-3 mm2/s) that the images show and that were asked for.
    """
    stem = f"{participant}_{session}"
    place = bids_folder(folder) / participant / session / "anat"
    place.mkdir(parents=True, exist_ok=True)
    t1 = images["t1"]
    whole = Volume(np.clip(t1.array, 0, _T1_RANGE), t1.affine)
    write_volume(whole, place / f"{stem}_T1w.nii.gz", np.int16)
    place = bids_folder(folder) / MAPS / participant / session / "dwi"
    place.mkdir(parents=True, exist_ok=True)
    for name in ("fa", "md"):
        write_volume(images[name], place / f"{stem}_{name.upper()}.nii.gz", np.uint16, _MAP_STEP)
    lines = ["\t".join(("participant_id", "session_id", "structure", "measure", "value", "asked"))]
    for row, measure in enumerate(MEASURES):
        for column, structure in enumerate(STRUCTURES):
            value, target = reached[row, column], asked[row, column]
            if np.isfinite(value):
                numbers = f"{value:.6g}", f"{target:.6g}"
                cells = (participant, session, structure.key, measure, *numbers)
                lines.append("\t".join(cells))
    path = _of_session(folder, participant, session)
    path.parent.mkdir(parents=True, exist_ok=True)
    _write(path, "\n".join(lines) + "\n")


def write_truth(folder: Path, truth: Truth) -> None:
    """Write the simulator's tables beside the truth of the images."""
    truth.write(truth_folder(folder))


def read_image_truth(folder: Path):
    """Return the truth of all images written: one row per session, structure and measure.

    Returns
    -------
    pandas.DataFrame
        participant_id, session_id, structure, measure, value, asked.

    Raises
    ------
    BrainstemALSError
        USAGE: nothing is there.
    """
    import pandas as pd

    paths = sorted((truth_folder(folder) / "images").glob("*.tsv"))
    if not paths:
        raise BrainstemALSError(
            folder, "no simulated images lie there", "Run python -m training.cohort.imaging first.",
            ExitCode.USAGE,
        )  # fmt: skip
    return pd.concat([pd.read_csv(path, sep="\t") for path in paths], ignore_index=True)


def _of_session(folder: Path, participant: str, session: str) -> Path:
    return truth_folder(folder) / "images" / f"{participant}_{session}.tsv"


def _table(path: Path, table: Any) -> None:
    _write(path, table.to_csv(sep="\t", index=False, na_rep="n/a", lineterminator="\n"))


def _write(path: Path, text: str) -> None:
    write_whole(path, text.encode())
