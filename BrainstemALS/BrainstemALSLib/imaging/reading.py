"""Reads an image file: the one way in."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import SimpleITK as sitk

from ..errors import BrainstemALSError, ExitCode
from . import checks
from .geometry import from_sitk
from .itk_output import silenced_itk
from .volume import Volume


def read_volume(path: str | Path, what: str = "T1") -> Volume:
    """Read a scalar 3D image.

    Parameters
    ----------
    path : str or Path
        NIfTI (.nii, .nii.gz), NRRD or MetaImage. Axes of one voxel after the third are dropped.
    what : str
        What the image is, for messages: ``"T1"``, ``"FA"``, ``"MD"``.

    Returns
    -------
    Volume
        float32, shape (i, j, k) as stored in the file, affine to RAS millimetres.

    Raises
    ------
    BrainstemALSError
        UNREADABLE_IMAGE or UNSUITABLE_IMAGE, see the functions of ``checks``.
    """
    path = Path(path)
    volume = from_sitk(_read_image(path, what))
    checks.check_values(path, what, volume.array)
    return Volume(volume.array.astype(np.float32, copy=False), volume.affine)


def read_label_map(path: str | Path) -> Volume:
    """Read a 3D label map.

    Returns
    -------
    Volume
        The smallest unsigned integer type that holds the labels, shape (i, j, k).

    Raises
    ------
    BrainstemALSError
        As ``read_volume``; also when a voxel is not a whole number of 0 or more.
    """
    path = Path(path)
    volume = from_sitk(_read_image(path, "label map"))
    array = volume.array
    low, high = array.min(), array.max()
    whole = np.issubdtype(array.dtype, np.integer) or (
        np.isfinite(low) and np.isfinite(high) and np.array_equal(array, np.rint(array))
    )
    if not whole or low < 0:
        raise BrainstemALSError(
            path,
            "a label map holds whole numbers of 0 or more, and this image does not",
            "Give the label map, not a probability or an intensity image.",
            ExitCode.UNSUITABLE_IMAGE,
        )
    return Volume(array.astype(np.min_scalar_type(int(high)), copy=False), volume.affine)


def _read_image(path: Path, what: str) -> sitk.Image:
    """Return a 3D scalar image that passed every check on its file and its grid."""
    checks.check_file(path, what)
    checks.check_nifti(path, what)
    reader = sitk.ImageFileReader()
    reader.SetFileName(str(path))
    with silenced_itk():
        checks.check_format(path, what, reader.GetImageIOFromFileName(str(path)))
        try:
            reader.ReadImageInformation()
            size = list(reader.GetSize())
            while len(size) > 3 and size[-1] == 1:
                size.pop()
            checks.check_dimensions(path, what, size, reader.GetNumberOfComponents())
            if reader.GetDimension() > 3:
                # An extraction size of 0 collapses an axis, here those of one voxel.
                reader.SetExtractSize(size + [0] * (reader.GetDimension() - 3))
            image = reader.Execute()
        except RuntimeError as error:
            raise _explained(path, what, str(error)) from None
    checks.check_spacing(path, what, image.GetSpacing())
    axes = np.asarray(image.GetDirection()).reshape(3, 3) * np.asarray(image.GetSpacing())
    checks.check_axes(path, what, axes)
    return image


def _explained(path: Path, what: str, text: str) -> BrainstemALSError:
    """Return the refusal for an exception of ITK, told by the words ITK 5 uses."""
    if "Unable to determine ImageIO reader" in text:
        return checks.not_an_image(path, what)
    if "orthonormal" in text:
        return checks.sheared(path, what)
    if "Bad direction" in text or "spacing is not supported" in text:
        return checks.singular(path, what)
    return checks.damaged(path, what)
