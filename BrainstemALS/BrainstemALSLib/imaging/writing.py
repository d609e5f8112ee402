"""Writes NIfTI files: whole or not at all."""

from __future__ import annotations

import gzip
import struct
import tempfile
from pathlib import Path

import numpy as np
import SimpleITK as sitk

from ..errors import BrainstemALSError, ExitCode
from .checks import LARGEST_AXIS_COSINE
from .geometry import to_sitk
from .itk_output import silenced_itk
from .nifti_header import NIFTI1_SCL_SLOPE, NIFTI1_VOXEL_OFFSET
from .volume import Volume

# gzip's own default; lower levels are no faster to speak of on label maps and probabilities.
_GZIP_LEVEL = 6
_PROBABILITY_STEP = 1.0 / 255.0


def write_volume(
    volume: Volume,
    path: str | Path,
    dtype: np.dtype | type | None = None,
    scale: float | None = None,
) -> None:
    """Write a volume as NIfTI-1, with qform and sform set to its affine.

    The sform is exact to float32; the qform, a float32 quaternion, to 0.1 degrees at worst (close
    to half turns). Both get code 1. Of two that differ, nibabel and FSL follow the sform whenever
    its code is above 0; ITK, and with it Slicer, only when its code is 1, else the qform.
    ``checks.check_nifti`` therefore refuses files in which they differ.

    Parameters
    ----------
    volume : Volume
        Array of shape (i, j, k), or (i, j, k, n) for a 4D file.
    path : str or Path
        Ends in ``.nii`` or ``.nii.gz``; an existing file is replaced once the new one is whole.
        The same volume always gives the same bytes.
    dtype : numpy type, optional
        Type in the file, the array's own when left out. Real values are rounded
        and clipped to the range of an integer type.
    scale : float, optional
        Size of one step of the stored values (``scl_slope``): with uint8 and 1/255, values of
        0-1 take a byte each, and every reader gives them back as 0-1.

    Raises
    ------
    ValueError
        Another ending; labels that do not fit the type; or an affine with shear, which ITK would
        straighten in silence.
    BrainstemALSError
        OUTPUT_REFUSED: the file system would not take the file.
    """
    path = Path(path)
    if not path.name.endswith((".nii", ".nii.gz")):
        raise ValueError(f"{path.name} does not end in .nii or .nii.gz")
    axes = volume.affine[:3, :3] / volume.spacing
    if np.abs(axes.T @ axes - np.eye(3)).max() > LARGEST_AXIS_COSINE:
        raise ValueError("a NIfTI file written by ITK cannot hold a sheared affine")
    image = _image(Volume(_stored(volume.array, dtype, scale), volume.affine))
    try:
        # The same folder as the target: os.replace does not cross file systems.
        with tempfile.TemporaryDirectory(prefix=".partial-", dir=path.parent) as folder:
            plain = Path(folder) / "image.nii"
            with silenced_itk():
                sitk.WriteImage(image, str(plain), useCompression=False)
            _check_length(plain, image)
            with plain.open("r+b") as handle:
                handle.seek(NIFTI1_SCL_SLOPE)
                handle.write(struct.pack("=2f", 1.0 if scale is None else scale, 0.0))
            whole = _gzipped(plain) if path.name.endswith(".gz") else plain
            whole.replace(path)
    except (OSError, RuntimeError):
        raise BrainstemALSError(
            path,
            "this file cannot be written",
            "Check that the folder exists and may be written to, and that the disk is not full.",
            ExitCode.OUTPUT_REFUSED,
        ) from None


def write_probabilities(volume: Volume, path: str | Path) -> None:
    """Write probabilities, shape (i, j, k, n), 0-1, as a 4D NIfTI of one byte per value.

    Readers give back 0-1 in steps of 1/255.
    """
    if volume.array.ndim != 4:
        raise ValueError(f"probabilities have 4 axes, not {volume.array.ndim}")
    write_volume(volume, path, dtype=np.uint8, scale=_PROBABILITY_STEP)


def _stored(array: np.ndarray, dtype: np.dtype | type | None, scale: float | None) -> np.ndarray:
    dtype = np.dtype(array.dtype if dtype is None else dtype)
    if dtype == np.float16:  # neither NIfTI nor ITK has it
        dtype = np.dtype(np.float32)
    if not np.issubdtype(dtype, np.integer) or array.dtype == bool:
        return array.astype(dtype, copy=False)
    limits = np.iinfo(dtype)
    if np.issubdtype(array.dtype, np.integer) and scale is None:
        if array.dtype != dtype and (array.min() < limits.min or array.max() > limits.max):
            raise ValueError(f"labels up to {array.max()} do not fit into {dtype}")
        return array.astype(dtype, copy=False)
    steps = array.astype(np.float32) / np.float32(1.0 if scale is None else scale)
    return np.clip(np.rint(steps), limits.min, limits.max).astype(dtype)


def _image(volume: Volume) -> sitk.Image:
    """Return the image to write: a 4D array as a true fourth axis, which every reader knows."""
    if volume.array.ndim == 3:
        return to_sitk(volume)
    grid = to_sitk(Volume(volume.array[:1, :1, :1, 0], volume.affine))
    image = sitk.GetImageFromArray(volume.array.transpose(3, 2, 1, 0), isVector=False)
    direction = np.eye(4)
    direction[:3, :3] = np.asarray(grid.GetDirection()).reshape(3, 3)
    image.SetOrigin([*grid.GetOrigin(), 0.0])
    image.SetSpacing([*grid.GetSpacing(), 1.0])
    image.SetDirection(direction.ravel().tolist())
    return image


def _check_length(path: Path, image: sitk.Image) -> None:
    """Raise OSError when the file is shorter than its voxels: ITK says nothing of a short write."""
    voxels = image.GetNumberOfPixels() * image.GetSizeOfPixelComponent()
    if path.stat().st_size < NIFTI1_VOXEL_OFFSET + voxels:
        raise OSError("the file system took only a part of the file")


def _gzipped(plain: Path) -> Path:
    packed = plain.with_suffix(".nii.gz")
    # No name and no time in the gzip header: the same content gives the same checksum.
    with (
        plain.open("rb") as source,
        packed.open("wb") as target,
        gzip.GzipFile("", "wb", _GZIP_LEVEL, target, mtime=0) as archive,
    ):
        while block := source.read(1 << 22):
            archive.write(block)
    return packed
