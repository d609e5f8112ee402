"""The params of requests, and the arrays that go with them.

A client writes the arrays into the folder of a job (``write_exam``, ``write_correction``; both a
part at a time, so that a GUI timer can drive them), then sends the params.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from ..imaging.dwi import Dwi
from ..imaging.finding import Finding
from ..imaging.volume import Volume
from ..measurement import Measures
from ..measurement.records import measures_record
from .exchange import array_record, read_volume_record, write_in_parts
from .outcome import MEASURED_MAPS, Outcome

_CORRECTION, _PREDICTION = "correction.npy", "prediction.npy"
_IMAGES = ("t1", "fa", "md", "tensors", "dwi")


def write_exam(
    folder: str | Path,
    t1: Volume,
    fa: Volume | None = None,
    md: Volume | None = None,
    tensors: Volume | None = None,
    dwi: Dwi | None = None,
) -> Iterator[float]:
    """Write the images of an exam for ``segment_params``; see ``exchange.write_in_parts``."""
    images = _given(t1, fa, md, tensors, None if dwi is None else dwi.volume)
    yield from _write({Path(folder) / _file(role): image.array for role, image in images.items()})


def segment_params(
    folder: str | Path,
    t1: Volume,
    fa: Volume | None = None,
    md: Volume | None = None,
    tensors: Volume | None = None,
    dwi: Dwi | None = None,
    device: str = "auto",
    flip: bool = True,
    model_dir: str | Path | None = None,
    findings: Sequence[Finding] = (),
) -> dict[str, Any]:
    """Return the params of ``segment``.

    Parameters
    ----------
    folder : str or Path
        Of the job; ``write_exam`` has written the same images there.
    t1, fa, md : Volume
        Each on its own grid; MD in mm2/s or 1e-3 mm2/s.
    tensors : Volume, optional
        Shape (i, j, k, 3, 3), axes in RAS; gives the maps that are not given.
    dwi : Dwi, optional
        Diffusion-weighted series, in any type of real numbers; gives the maps that nothing else
        gives.
    device : str
        ``auto``, ``cpu`` or ``cuda``.
    flip : bool
        Average with the mirrored image: steadier; without it, a bit faster.
    model_dir : str or Path, optional
        Folder of models instead of the bundled ones.
    findings : sequence of Finding
        What the reader of the result should know already, such as why an image was left out.

    Raises
    ------
    BrainstemALSError
        UNSUITABLE_IMAGE: an affine is not finite.
    """
    images = _given(t1, fa, md, tensors)
    return {
        "folder": _absolute(folder),
        **{role: array_record(_file(role), image) for role, image in images.items()},
        **({} if dwi is None else {"dwi": _series_record(dwi)}),
        "findings": [asdict(finding) for finding in findings],
        "device": device,
        "flip": flip,
        "model_dir": None if model_dir is None else _absolute(model_dir),
    }


def remove_inputs(folder: str | Path) -> None:
    """Delete the images of ``write_exam`` once they have been segmented."""
    for role in _IMAGES:
        with suppress(OSError):  # still open in the worker (Windows): goes with the session
            (Path(folder) / _file(role)).unlink(missing_ok=True)


def write_correction(folder: str | Path, outcome: Outcome, labels: np.ndarray) -> Iterator[float]:
    """Write an expert's labels for ``measure_params``; see ``exchange.write_in_parts``."""
    folder = Path(folder)
    yield from _write(
        {
            folder / _CORRECTION: labels,
            folder / _PREDICTION: outcome.labels.array,
            **{folder / _file(role): outcome.maps[role].array for role in _measured(outcome)},
        }
    )


def measure_params(
    folder: str | Path, outcome: Outcome, offset: tuple[int, int, int] | None = None
) -> dict[str, Any]:
    """Return the params of ``measure``: an expert's labels measured again.

    The T1 is not needed: what is measured on it is in the outcome.

    Parameters
    ----------
    folder : str or Path
        Of a job of its own; ``write_correction`` has written the labels there.
    outcome : Outcome
        What was corrected. Without its probabilities, everything is measured on the labels.
    offset : tuple of 3 int, optional
        First voxel of the expert's box in the grid of the T1; the outcome's when left out. The box
        may be larger or smaller than the outcome's: outside it, nothing is labelled.
    """
    return {
        "folder": _absolute(folder),
        "offset": [int(n) for n in (outcome.offset if offset is None else offset)],
        "probabilities": None
        if outcome.probabilities is None
        else _absolute(outcome.probabilities),
        "maps": {
            role: array_record(_file(role), outcome.maps[role]) for role in _measured(outcome)
        },
        "outcome": outcome.record(),
    }


def predict_params(
    folder: str | Path,
    person: dict[str, Any],
    measures: Measures | None,
    prior: float | None = None,
) -> dict[str, Any]:
    """Return the params of ``predict``.

    Parameters
    ----------
    folder : str or Path
        Of a job of its own.
    person : dict
        As ``prediction.person_file`` has it, its last visit the one that was measured; exams of
        earlier visits with their whole path.
    measures : Measures or None
        Of the last visit.
    prior : float, optional
        As for ``prediction.predict``.
    """
    record = None if measures is None else measures_record(measures)
    return {"folder": _absolute(folder), "person": person, "measures": record, "prior": prior}


def correction_files(folder: Path) -> tuple[Path, Path]:
    """Return the files of ``write_correction``: the expert's labels and the model's."""
    return folder / _CORRECTION, folder / _PREDICTION


def read_series(folder: Path, record: dict[str, Any]) -> Dwi:
    """Return the series of ``segment_params``, its array in memory as float32.

    Raises
    ------
    BrainstemALSError
        As ``exchange.read_volume_record``.
    """
    volume = read_volume_record(folder, record)
    return Dwi(
        volume=Volume(np.array(volume.array, dtype=np.float32), volume.affine),
        bvals=np.array(record["bvals"], dtype=float),
        bvecs=np.array(record["bvecs"], dtype=float),
        phase_encoding=record["phase_encoding"],
        corrected=frozenset(record["corrected"]),
        findings=tuple(Finding(**one) for one in record["findings"]),
    )


def _series_record(dwi: Dwi) -> dict[str, Any]:
    return {
        **array_record(_file("dwi"), dwi.volume),
        "bvals": dwi.bvals.tolist(),
        "bvecs": dwi.bvecs.tolist(),
        "phase_encoding": dwi.phase_encoding,
        "corrected": sorted(dwi.corrected),
        "findings": [asdict(finding) for finding in dwi.findings],
    }


def _given(*images: Volume | None) -> dict[str, Volume]:
    """Images by role, in the order of ``_IMAGES``; those that are None left out."""
    pairs = zip(_IMAGES, images, strict=False)
    return {role: image for role, image in pairs if image is not None}


def _measured(outcome: Outcome) -> list[str]:
    return [role for role in MEASURED_MAPS if role in outcome.maps]


def _file(role: str) -> str:
    return f"{role}.npy"


def _absolute(path: str | Path) -> str:
    return str(Path(path).resolve())


def _write(arrays: dict[Path, np.ndarray]) -> Iterator[float]:
    total = sum(array.nbytes for array in arrays.values()) or 1
    before = 0
    for path, array in arrays.items():
        for fraction in write_in_parts(array, path):
            yield (before + fraction * array.nbytes) / total
        before += array.nbytes
