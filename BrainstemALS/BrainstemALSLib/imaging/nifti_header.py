"""The NIfTI header as it stands in the file.

ITK repairs a broken header in silence (a zero voxel size becomes 1 mm, a missing orientation
becomes a made-up one) and reads a truncated file as zeros. A wrong side or size must not pass
unseen, so the checks look at the bytes.

Offsets and meanings: nifti1.h of the NIfTI Data Format Working Group, https://nifti.nimh.nih.gov.
"""

from __future__ import annotations

import gzip
import math
import struct
from dataclasses import dataclass
from pathlib import Path

import numpy as np

_NIFTI1_SIZE = 348
_NIFTI2_SIZE = 540
# Byte offset of scl_slope in a NIfTI-1 header; scl_inter follows it.
NIFTI1_SCL_SLOPE = 112
_GZIP_MAGIC = b"\x1f\x8b"
# xyzt_units: 1 metre, 2 millimetre, 3 micrometre; 0, unknown, is read as millimetre everywhere.
_MILLIMETRES_PER_UNIT = {1: 1000.0, 3: 0.001}
_FLOAT_TYPES = {16: "f4", 64: "f8"}  # datatype codes; only real numbers can be NaN
_BLOCK_BYTES = 1 << 22  # a multiple of every voxel's length


@dataclass(frozen=True)
class NiftiHeader:
    """What the header says about the grid.

    Attributes
    ----------
    dimensions : tuple of int
        Voxels along each axis that the file declares.
    spacing : numpy.ndarray, shape (3,)
        ``pixdim`` of the first three axes in millimetres.
    qform_code, sform_code : int
        0 where the orientation is not given.
    qform, sform : numpy.ndarray, shape (3, 3)
        Voxel axes in RAS millimetres, as columns, by each of the two methods.
    voxel_offset : int
        Byte of the uncompressed file where the voxels begin.
    voxel_type : numpy.dtype or None
        Type of real voxels, None for integers and other types.
    n_bytes : int
        Length of the whole file, uncompressed, that the header asks for.
    """

    dimensions: tuple[int, ...]
    spacing: np.ndarray
    qform_code: int
    sform_code: int
    qform: np.ndarray
    sform: np.ndarray
    voxel_offset: int
    voxel_type: np.dtype | None
    n_bytes: int


def is_gzip(path: Path) -> bool:
    """Return whether a file is compressed by gzip, by its first bytes and not by its name."""
    with path.open("rb") as handle:
        return handle.read(2) == _GZIP_MAGIC


def is_nifti2(path: Path) -> bool:
    """Return whether a file is a NIfTI-2, which ITK does not read."""
    with _open(path) as handle:
        return _endian(handle.read(4), _NIFTI2_SIZE) is not None


def read_nifti_header(path: Path) -> NiftiHeader | None:
    """Return the header of a single-file NIfTI-1, None for a file of another kind.

    Raises
    ------
    EOFError, OSError, zlib.error
        The file breaks off within the header, or its compression is damaged.
    """
    with _open(path) as handle:
        head = handle.read(_NIFTI1_SIZE)
    endian = _endian(head[:4], _NIFTI1_SIZE)
    if endian is None:
        return None
    if len(head) < _NIFTI1_SIZE:
        raise EOFError
    return _parse(head, endian) if head[344:347] == b"n+1" else None


def scan_content(path: Path, header: NiftiHeader) -> tuple[int, bool]:
    """Read a file to its end; return its uncompressed length and whether every voxel is a number.

    Done here because ITK turns NaN and infinity into 0, and missing voxels too.

    Raises
    ------
    EOFError, OSError, zlib.error
        The compressed file is truncated or damaged.
    """
    total, finite = 0, True
    with _open(path) as handle:
        total += len(handle.read(header.voxel_offset))
        while block := handle.read(_BLOCK_BYTES):
            total += len(block)
            if header.voxel_type is not None and finite:
                whole = len(block) // header.voxel_type.itemsize
                finite = bool(np.isfinite(np.frombuffer(block, header.voxel_type, whole)).all())
    return total, finite


def _open(path: Path):
    return gzip.open(path) if is_gzip(path) else path.open("rb")


def _endian(first: bytes, header_size: int) -> str | None:
    """Return the byte order in which the first four bytes give the header's size, if any."""
    for endian in "<>":
        if first == struct.pack(f"{endian}i", header_size):
            return endian
    return None


def _parse(head: bytes, endian: str) -> NiftiHeader:
    def get(layout: str, offset: int) -> tuple:
        return struct.unpack_from(endian + layout, head, offset)

    dim, (datatype, bits), pixdim = get("8h", 40), get("2h", 70), get("8f", 76)
    (offset,), (units,) = get("f", 108), get("B", 123)
    qform_code, sform_code = get("2h", 252)
    quaternion, rows = get("3f", 256), get("12f", 280)
    dimensions = tuple(dim[1 : 1 + dim[0]]) if 0 <= dim[0] <= 7 else ()
    offset = int(offset) if math.isfinite(offset) and offset >= len(head) else len(head)
    scale = _MILLIMETRES_PER_UNIT.get(units & 0x07, 1.0)
    spacing = np.array(pixdim[1:4]) * scale
    handed = (1.0, 1.0, -1.0 if pixdim[0] < 0 else 1.0)
    with np.errstate(invalid="ignore"):  # an infinite voxel size is for the checks to refuse
        qform = _rotation(quaternion) * spacing * handed
        sform = np.array(rows).reshape(3, 4)[:, :3] * scale
    return NiftiHeader(
        dimensions=dimensions,
        spacing=spacing,
        qform_code=qform_code,
        sform_code=sform_code,
        qform=qform,
        sform=sform,
        voxel_offset=offset,
        voxel_type=np.dtype(endian + _FLOAT_TYPES[datatype]) if datatype in _FLOAT_TYPES else None,
        n_bytes=offset + math.prod(dimensions) * bits // 8,
    )


def _rotation(quaternion: tuple[float, float, float]) -> np.ndarray:
    """Return the rotation of a unit quaternion given by its vector part (b, c, d)."""
    b, c, d = quaternion
    a = math.sqrt(max(0.0, 1.0 - (b * b + c * c + d * d)))
    return np.array(
        [
            [a * a + b * b - c * c - d * d, 2 * (b * c - a * d), 2 * (b * d + a * c)],
            [2 * (b * c + a * d), a * a + c * c - b * b - d * d, 2 * (c * d - a * b)],
            [2 * (b * d - a * c), 2 * (c * d + a * b), a * a + d * d - b * b - c * c],
        ]
    )
