"""Arrays between the worker and its clients: .npy files in a folder of the job, never pickles.

The affine of a volume travels in the JSON beside the name of its file, as doubles, which JSON keeps
bit for bit.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from ..errors import BrainstemALSError, ExitCode
from ..imaging.volume import Volume
from .failures import no_room

PART_BYTES = 1 << 22
"""Copied and handed to the system in about 2 ms: a GUI timer may write part after part."""


def array_record(name: str, volume: Volume) -> dict[str, Any]:
    """Return what the JSON says of a volume whose array is, or will be, in file ``name``.

    Raises
    ------
    BrainstemALSError
        UNSUITABLE_IMAGE: the affine is not a 4 x 4 matrix of numbers.
    """
    affine = np.asarray(volume.affine, dtype=float)
    if affine.shape != (4, 4) or not np.isfinite(affine).all():
        raise BrainstemALSError(
            "image",
            "its place in space is not given by numbers",
            "Load the image again; check the transform that is applied to it.",
            ExitCode.UNSUITABLE_IMAGE,
        )
    return {"array": name, "affine": affine.tolist()}


def write_in_parts(
    array: np.ndarray, path: str | Path, part_bytes: int = PART_BYTES
) -> Iterator[float]:
    """Write an array as .npy, a part at each step.

    Parameters
    ----------
    array : numpy.ndarray
        One axis or more, any type without Python objects. It is never copied as a whole: a
        transposed view, which is how the voxels of VTK are seen as (i, j, k), is written in the
        order that it has in memory. It must not change until the last step.
    path : str or Path
        Replaced where it exists. It is whole after the last step; close the iterator before
        deleting a file that is not.
    part_bytes : int
        Size of a part; one plane of the array at least.

    Yields
    ------
    float
        Fraction written, rising to 1.

    Raises
    ------
    ValueError
        The array holds Python objects.
    BrainstemALSError
        OUTPUT_REFUSED: the disk is full, or takes no files.
    """
    if array.dtype.hasobject:
        raise ValueError("an array of Python objects cannot be exchanged")
    # Planes along the axis of the longest stride lie together in memory.
    fortran = array.ndim > 1 and abs(array.strides[0]) < abs(array.strides[-1])
    planes = array.T if fortran else array
    try:
        with Path(path).open("wb") as file:
            _write_header(file, array, fortran)
            yield from _write_planes(file, planes, part_bytes)
    except OSError:
        raise no_room() from None


def save_array(array: np.ndarray, path: str | Path) -> None:
    """Write an array as .npy at once; see ``write_in_parts`` for what is raised."""
    for _ in write_in_parts(array, path):
        pass


def read_array(path: str | Path) -> np.ndarray:
    """Return the array of a .npy file, memory-mapped, for reading only.

    Raises
    ------
    BrainstemALSError
        UNREADABLE_IMAGE: the file is gone, cut off, or no array.
    """
    try:
        return np.load(path, mmap_mode="r", allow_pickle=False)
    except (OSError, ValueError, EOFError):
        raise BrainstemALSError(
            "temporary file",
            "an image that was handed over is gone or incomplete",
            "Try again; check that no program cleans the folder of temporary files meanwhile.",
            ExitCode.UNREADABLE_IMAGE,
        ) from None


def read_volume_record(folder: str | Path, record: dict[str, Any]) -> Volume:
    """Return the volume of ``array_record`` from a folder, its array memory-mapped.

    Raises
    ------
    BrainstemALSError
        UNREADABLE_IMAGE, see ``read_array``; USAGE: the name is one of another folder.
    """
    name = str(record["array"])
    if Path(name).name != name:
        raise BrainstemALSError(
            "request",
            "it names a file outside its folder",
            "Write all arrays into the folder of the job.",
            ExitCode.USAGE,
        )
    return Volume(read_array(Path(folder) / name), np.array(record["affine"], dtype=float))


def _write_header(file: BinaryIO, array: np.ndarray, fortran: bool) -> None:
    header = {
        "descr": np.lib.format.dtype_to_descr(array.dtype),
        "fortran_order": fortran,
        "shape": array.shape,
    }
    np.lib.format.write_array_header_1_0(file, header)


def _write_planes(file: BinaryIO, planes: np.ndarray, part_bytes: int) -> Iterator[float]:
    if not planes.size:
        yield 1.0
        return
    count = len(planes)
    step = max(1, part_bytes * count // planes.nbytes)
    for first in range(0, count, step):
        part = np.ascontiguousarray(planes[first : first + step])
        file.write(part.reshape(-1).view(np.uint8))
        if first + step >= count:
            file.flush()
        yield min(first + step, count) / count
