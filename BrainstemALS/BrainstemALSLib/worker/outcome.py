"""The outcome of a segmentation, as everything outside the worker sees it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ..errors import BrainstemALSError, ExitCode
from ..imaging.volume import Volume
from ..measurement import Measures
from ..measurement.records import measures_from_record, measures_record
from .exchange import read_array, save_array

LABELS, ENTROPY, PROBABILITIES = "labels.npy", "entropy.npy", "probabilities.npy"

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

    def record(self) -> dict[str, Any]:
        """Return everything but the arrays and the file, as strict JSON."""
        return {
            **{name: list(getattr(self, name)) for name in (*_TRIPLES, *_TUPLES)},
            **{name: getattr(self, name) for name in _PLAIN},
            "affine": self.affine.tolist(),
            "resampled": {name: list(size) for name, size in self.resampled.items()},
            "field_of_view": [list(pair) for pair in self.field_of_view],
            "measures": measures_record(self.measures),
        }

    @classmethod
    def from_record(
        cls,
        record: dict[str, Any],
        labels: np.ndarray,
        entropy: np.ndarray,
        probabilities: Path | None = None,
    ) -> Outcome:
        """Return the outcome of a record and the arrays of its box.

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
    for name, array in (
        # As VTK keeps them, i fastest: whoever shows them need not turn them round.
        (LABELS, np.asfortranarray(outcome.labels.array)),
        (ENTROPY, np.asfortranarray(outcome.entropy.array)),
        (PROBABILITIES, probabilities),
    ):
        save_array(array, folder / name)
    return outcome.record()


def outcome_from_data(folder: str | Path, data: dict[str, Any]) -> Outcome:
    """Return the outcome in the data of a ``result`` and the folder of its job.

    Labels and entropy come into memory; the probabilities, which are a hundred times larger, stay
    in their file.

    Raises
    ------
    BrainstemALSError
        UNREADABLE_IMAGE: a file is gone or cut off. USAGE: see ``Outcome.from_record``.
    """
    folder = Path(folder)
    labels, entropy = (np.array(read_array(folder / name)) for name in (LABELS, ENTROPY))
    return Outcome.from_record(data, labels, entropy, folder / PROBABILITIES)
