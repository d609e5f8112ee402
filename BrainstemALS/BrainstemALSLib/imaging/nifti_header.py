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
NIFTI1_VOXEL_OFFSET = 352  # where voxels begin in a single file without extensions
_GZIP_MAGIC = b"\x1f\x8b"
# xyzt_units: 1 metre, 2 millimetre, 3 micrometre; 0, unknown, is read as millimetre everywhere.
_MILLIMETRES_PER_UNIT = {1: 1000.0, 3: 0.001}
_FLOAT_TYPES = {16: "f4", 64: "f8"}  # datatype codes; only real numbers can be NaN
# Error of 1 - b2 - c2 - d2 when b, c and d are single precision (2e-7) and were computed in it;
# where the fourth number is near 0 this leaves the rotation open by 0.1 degrees.
_QUATERNION_ROUNDING = 1e-6
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
    qform, sform : numpy.ndarray, shape (4, 4)
        Voxel index to RAS millimetres, by each of the two methods.
    quaternion : tuple of 3 float
        b, c and d of the qform's rotation, as stored.
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
    quaternion: tuple[float, float, float]
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


def orientation_gap(header: NiftiHeader) -> float:
    """Return how far apart qform and sform put the same corner voxel of the image, at most, in mm.

    A qform stores three numbers of a unit quaternion; the fourth follows from them and is unsure
    close to half turns (``_QUATERNION_ROUNDING``). What it may be there, it is taken to be: the
    rounding of one orientation is not a second one.

    Parameters
    ----------
    header : NiftiHeader
        Of an image with three axes or more, its forms finite, its sform neither singular nor
        sheared.
    """
    last = np.array(header.dimensions[:3])[:, None] - 1
    corners = np.vstack([np.indices((2, 2, 2)).reshape(3, -1) * last, np.ones((1, 8))])
    apart = (_closest_qform(header) - header.sform) @ corners
    return float(np.linalg.norm(apart[:3], axis=0).max())


def _closest_qform(header: NiftiHeader) -> np.ndarray:
    """Return the qform, of those that its rounded quaternion may stand for, next to the sform."""
    from scipy.spatial.transform import Rotation

    axes = header.qform[:3, :3]
    turn = header.sform[:3, :3] / np.linalg.norm(header.sform[:3, :3], axis=0)
    mirrored = np.linalg.det(axes) < 0
    if mirrored != (np.linalg.det(turn) < 0):
        return header.qform
    *vector, real = Rotation.from_matrix(turn * (1.0, 1.0, -1.0 if mirrored else 1.0)).as_quat()
    if np.dot(vector, header.quaternion) < 0:  # q and -q are the same rotation
        real = -real
    squared = 1.0 - np.dot(header.quaternion, header.quaternion)
    high = math.sqrt(max(0.0, squared) + _QUATERNION_ROUNDING)
    low = math.sqrt(squared - _QUATERNION_ROUNDING) if squared > _QUATERNION_ROUNDING else -high
    closest = header.qform.copy()
    lengths = np.linalg.norm(axes, axis=0) * (1.0, 1.0, -1.0 if mirrored else 1.0)
    closest[:3, :3] = _rotation(min(max(real, low), high), *header.quaternion) * lengths
    return closest


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
    quaternion, offsets, rows = get("3f", 256), get("3f", 268), get("12f", 280)
    dimensions = tuple(dim[1 : 1 + dim[0]]) if 0 <= dim[0] <= 7 else ()
    offset = int(offset) if math.isfinite(offset) and offset >= len(head) else len(head)
    scale = _MILLIMETRES_PER_UNIT.get(units & 0x07, 1.0)
    spacing = np.array(pixdim[1:4]) * scale
    handed = (1.0, 1.0, -1.0 if pixdim[0] < 0 else 1.0)
    with np.errstate(invalid="ignore"):  # an infinite voxel size is for the checks to refuse
        qform, sform = np.eye(4), np.eye(4)
        real = math.sqrt(max(0.0, 1.0 - math.fsum(number**2 for number in quaternion)))
        qform[:3, :3] = _rotation(real, *quaternion) * spacing * handed
        qform[:3, 3] = np.array(offsets) * scale
        sform[:3] = np.array(rows).reshape(3, 4) * scale
    return NiftiHeader(
        dimensions=dimensions,
        spacing=spacing,
        qform_code=qform_code,
        sform_code=sform_code,
        qform=qform,
        sform=sform,
        quaternion=quaternion,
        voxel_offset=offset,
        voxel_type=np.dtype(endian + _FLOAT_TYPES[datatype]) if datatype in _FLOAT_TYPES else None,
        n_bytes=offset + math.prod(dimensions) * bits // 8,
    )


def _rotation(a: float, b: float, c: float, d: float) -> np.ndarray:
    """Return the rotation matrix of the quaternion a + bi + cj + dk, made a unit one."""
    norm = math.sqrt(a * a + b * b + c * c + d * d)
    a, b, c, d = a / norm, b / norm, c / norm, d / norm
    return np.array(
        [
            [a * a + b * b - c * c - d * d, 2 * (b * c - a * d), 2 * (b * d + a * c)],
            [2 * (b * c + a * d), a * a + c * c - b * b - d * d, 2 * (c * d - a * b)],
            [2 * (b * d - a * c), 2 * (c * d + a * b), a * a + d * d - b * b - c * c],
        ]
    )
