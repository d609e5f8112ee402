"""Reads the images of a case: scalars, and the directions of V1, three values a voxel."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import SimpleITK as sitk

from ..errors import BrainstemALSError, ExitCode
from ..imaging import checks
from ..imaging.geometry import from_sitk
from ..imaging.itk_output import silenced_itk
from ..imaging.reading import read_volume
from ..imaging.volume import Volume
from .approval import DIRECTIONS


def read_image(path: Path, name: str) -> Volume:
    """Read an image of a case by what it is.

    Parameters
    ----------
    path : Path
        Image file; of V1 a NIfTI whose fourth axis is right, anterior, superior, as
        ``imaging.writing.write_volume`` makes one of an array (i, j, k, 3).
    name : str
        One of ``approval.IMAGES``.

    Returns
    -------
    Volume
        float32, shape (i, j, k), of V1 (i, j, k, 3); affine to RAS mm.

    Raises
    ------
    BrainstemALSError
        UNREADABLE_IMAGE or UNSUITABLE_IMAGE, as ``imaging.reading.read_volume``; also a V1 that has
        not three values per voxel.
    """
    if name != DIRECTIONS:
        return read_volume(path, name.upper())
    what = name.upper()
    checks.check_file(path, what)
    checks.check_nifti(path, what)
    reader = sitk.ImageFileReader()
    reader.SetFileName(str(path))
    with silenced_itk():
        if reader.GetImageIOFromFileName(str(path)) != checks.NIFTI_READER:
            raise _no_directions(path)
        try:
            reader.ReadImageInformation()
            # A NIfTI with vectors for voxels has five axes; whether its vectors are RAS or LPS
            # depends on its intent code and on the version of ITK.
            if reader.GetDimension() != 4 or reader.GetSize()[3] != 3:
                raise _no_directions(path)
            image = reader.Execute()
        except RuntimeError:
            raise checks.damaged(path, what) from None
    first = from_sitk(image[:, :, :, 0])
    checks.check_spacing(path, what, first.spacing)
    checks.check_axes(path, what, first.affine[:3, :3])
    array = np.ascontiguousarray(
        sitk.GetArrayViewFromImage(image).transpose(3, 2, 1, 0), dtype=np.float32
    )
    checks.check_values(path, what, array)
    return Volume(array, first.affine)


def _no_directions(path: Path) -> BrainstemALSError:
    return BrainstemALSError(
        path,
        "this V1 is no NIfTI of 4 axes with three values per voxel",
        "Give it as BrainstemALS exports it: the directions' right, anterior and superior parts "
        "along the fourth axis.",
        ExitCode.UNSUITABLE_IMAGE,
    )
