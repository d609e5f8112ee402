"""The outcome of a segmentation, as everything outside the worker sees it."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from ..errors import BrainstemALSError, ExitCode
from ..imaging.finding import Finding
from ..imaging.volume import Volume
from ..measurement import Measures
from ..measurement.records import measures_from_record, measures_record
from .exchange import array_record, read_array, read_volume_record, save_array

LABELS, ENTROPY, PROBABILITIES = "labels.npy", "entropy.npy", "probabilities.npy"
MAPS = ("fa", "md", "ad", "rd", "v1")
"""Diffusion maps of an outcome; ``v1`` has three values per voxel."""
MEASURED_MAPS = ("fa", "md", "ad", "rd")
"""Those that are measured in the structures."""

_TRIPLES = ("offset", "shape", "probabilities_offset")
_TUPLES = ("keys", "modalities", "unused")
_PLAIN = ("device", "device_reason", "model", "intracranial_mm3", "touches_border", "timings")


@dataclass(frozen=True, eq=False)
class Outcome:
    """What was found in one exam.

    Attributes
    ----------
    labels : Volume
        uint8, a box cut from the grid of the T1; values are ``Structure.index``, 0 is background.
        Outside the box nothing is labelled.
    entropy : Volume
        float32, 0-1, the same box.
    offset : tuple of 3 int
        First voxel of the box in the grid of the T1.
    shape : tuple of 3 int
        Voxels of the whole T1.
    affine : numpy.ndarray, shape (4, 4)
        Voxel index of the whole T1 to RAS millimetres.
    probabilities : Path or None
        File .npy, float16, shape (i, j, k, n_structures), last axis as ``keys``, on the box that
        begins at ``probabilities_offset``; in the folder of the job, and gone with it. None for an
        outcome that comes from a saved scene.
    probabilities_offset : tuple of 3 int
    keys : tuple of str
        Structures of the model.
    modalities, unused : tuple of str
        Channels that were used, and those that were given but do not show the brainstem.
    resampled : dict
        Channel in use on another grid than the T1, to its voxel size in millimetres.
    field_of_view : tuple of 3 pairs of int
        First and last voxel of the T1, along each axis, that hold an image and no padding.
    device, device_reason : str
        Where it was computed, and why there.
    model : dict
        Name, version and checksum of every model that took part.
    intracranial_mm3 : float or None
    touches_border : dict
        Face of the field of view to mm2 of brainstem on it.
    measures : Measures
    timings : dict
        Seconds by stage.
    maps : dict
        Of ``MAPS``, those that the exam had or that were computed from its diffusion images, each
        on its own grid, registered to the T1: FA 0-1, diffusivities in 1e-3 mm2/s, V1 in RAS.
        Empty for an outcome that comes from a record alone.
    exam_findings : tuple of Finding
        Those of ``measures`` that are about the images; a correction changes nothing about them.
    """

    labels: Volume
    entropy: Volume
    offset: tuple[int, int, int]
    shape: tuple[int, int, int]
    affine: np.ndarray
    probabilities: Path | None
    probabilities_offset: tuple[int, int, int]
    keys: tuple[str, ...]
    modalities: tuple[str, ...]
    unused: tuple[str, ...]
    resampled: dict[str, tuple[float, float, float]]
    field_of_view: tuple[tuple[int, int], tuple[int, int], tuple[int, int]]
    device: str
    device_reason: str
    model: dict[str, dict[str, str]]
    intracranial_mm3: float | None
    touches_border: dict[str, float]
    measures: Measures
    timings: dict[str, float]
    maps: dict[str, Volume] = field(default_factory=dict)
    exam_findings: tuple[Finding, ...] = ()

    def record(self) -> dict[str, Any]:
        """Return everything but the arrays and the file, as strict JSON."""
        return {
            **{name: list(getattr(self, name)) for name in (*_TRIPLES, *_TUPLES)},
            **{name: getattr(self, name) for name in _PLAIN},
            "affine": self.affine.tolist(),
            "resampled": {name: list(size) for name, size in self.resampled.items()},
            "field_of_view": [list(pair) for pair in self.field_of_view],
            "measures": measures_record(self.measures),
            "exam_findings": [asdict(finding) for finding in self.exam_findings],
        }

    @classmethod
    def from_record(
        cls,
        record: dict[str, Any],
        labels: np.ndarray,
        entropy: np.ndarray,
        probabilities: Path | None = None,
        maps: dict[str, Volume] | None = None,
    ) -> Outcome:
        """Return the outcome of a record, the arrays of its box, and the maps where there are any.

        Raises
        ------
        BrainstemALSError
            USAGE: the record is damaged or of another version, or the arrays are of another box.
        """
        try:
            offset, shape, first = (tuple(int(n) for n in record[name]) for name in _TRIPLES)
            affine = np.array(record["affine"], dtype=float)
            box_affine = affine.copy()
            box_affine[:3, 3] += affine[:3, :3] @ offset
            ends = np.add(offset, labels.shape)
            if entropy.shape != labels.shape or min(offset) < 0 or (ends > shape).any():
                raise ValueError("the box does not lie in the T1")
            return cls(
                labels=Volume(labels, box_affine),
                entropy=Volume(entropy, box_affine),
                offset=offset,
                shape=shape,
                affine=affine,
                probabilities=probabilities,
                probabilities_offset=first,
                resampled={name: tuple(size) for name, size in record["resampled"].items()},
                field_of_view=tuple((int(a), int(b)) for a, b in record["field_of_view"]),
                measures=measures_from_record(record["measures"]),
                maps=dict(maps or {}),
                # Not in the scenes of earlier versions.
                exam_findings=tuple(Finding(**one) for one in record.get("exam_findings", ())),
                **{name: tuple(record[name]) for name in _TUPLES},
                **{name: record[name] for name in _PLAIN},
            )
        except (KeyError, TypeError, ValueError, AttributeError):
            raise BrainstemALSError(
                "saved result",
                "it is damaged or comes from another version of BrainstemALS",
                "Segment the exam again.",
                ExitCode.USAGE,
            ) from None


def save_outcome(folder: Path, outcome: Outcome, probabilities: np.ndarray) -> dict[str, Any]:
    """Write the arrays of an outcome into a folder and return the rest, for ``result``.

    Raises
    ------
    BrainstemALSError
        OUTPUT_REFUSED: no room.
    """
    maps = outcome.maps
    for name, array in (
        (LABELS, _as_shown(outcome.labels.array)),
        (ENTROPY, _as_shown(outcome.entropy.array)),
        (PROBABILITIES, probabilities),
        *((_map_file(role), _as_shown(volume.array)) for role, volume in maps.items()),
    ):
        save_array(array, folder / name)
    records = {role: array_record(_map_file(role), volume) for role, volume in maps.items()}
    return {**outcome.record(), "maps": records}


def outcome_from_data(folder: str | Path, data: dict[str, Any]) -> Outcome:
    """Return the outcome in the data of a ``result`` and the folder of its job.

    Labels, entropy and maps come into memory; the probabilities, which are a hundred times larger,
    stay in their file.

    Raises
    ------
    BrainstemALSError
        UNREADABLE_IMAGE: a file is gone or cut off. USAGE: see ``Outcome.from_record``.
    """
    folder = Path(folder)
    labels, entropy = (np.array(read_array(folder / name)) for name in (LABELS, ENTROPY))
    maps = {role: _in_memory(folder, record) for role, record in data.get("maps", {}).items()}
    return Outcome.from_record(data, labels, entropy, folder / PROBABILITIES, maps)


def _as_shown(array: np.ndarray) -> np.ndarray:
    """As VTK keeps scalars, i fastest: whoever shows them need not turn them round."""
    return np.asfortranarray(array) if array.ndim == 3 else np.ascontiguousarray(array)


def _map_file(role: str) -> str:
    # Not the name of what went in, which is removed.
    return f"map_{role}.npy"


def _in_memory(folder: Path, record: dict[str, Any]) -> Volume:
    volume = read_volume_record(folder, record)
    return Volume(np.array(volume.array), volume.affine)
