"""What an image must be before it goes further: one function per refusal.

Each function returns nothing when all is well and raises BrainstemALSError otherwise, with the
file's name, the problem and the way out. ``what`` names the image for the reader: ``"T1"``.
``path`` is the file, or, where an image comes from memory, the name to call it by.
"""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from ..errors import BrainstemALSError, ExitCode
from .nifti_header import (
    NiftiHeader,
    is_nifti2,
    orientation_gap,
    read_nifti_header,
    scan_content,
)
from .text_header import METAIMAGE_READER, NRRD_READER, says_orientation
from .volume import Volume

# Voxels finer than 0.3 mm do not exist in a clinical head MR; beyond 5 mm nothing of the
# brainstem's anatomy is left. Both also catch headers in other units.
SPACING_RANGE_MM = (0.3, 5.0)
# An adult head is 140 mm or more along every axis; a brainstem with its surroundings needs 60 mm.
SMALLEST_FIELD_MM = 60.0
# Cosine between two axes: 1e-3 is 0.06 degrees, far above the rounding of any header.
LARGEST_AXIS_COSINE = 1e-3
# Relative difference between the two voxel sizes of a NIfTI header that rounding cannot explain.
SPACING_CONTRADICTION = 0.01
# qform and sform may put a corner this far apart: a tenth of a voxel moves no measurement.
ORIENTATION_GAP_MM = 0.1
# Hounsfield units: air is -1000 and water 0 by definition; brain and muscle lie at 20-70, compact
# bone above 300. The shares are our own, set low: a head CT passes each of them many times over.
CT_AIR_HU, CT_AIR_SHARE = -900.0, 0.05
CT_SOFT_HU, CT_SOFT_SHARE = (-20.0, 100.0), 0.20
CT_BONE_HU, CT_BONE_SHARE = 300.0, 0.005

NIFTI_READER = "NiftiImageIO"
_CONVERT = "Convert the DICOM series again, for example with dcm2niix."
_COPY_AGAIN = "Copy or export the file again."


def _unreadable(path: Path | str, problem: str, remedy: str) -> BrainstemALSError:
    return BrainstemALSError(path, problem, remedy, ExitCode.UNREADABLE_IMAGE)


def _unsuitable(path: Path | str, problem: str, remedy: str) -> BrainstemALSError:
    return BrainstemALSError(path, problem, remedy, ExitCode.UNSUITABLE_IMAGE)


def not_an_image(path: Path, what: str) -> BrainstemALSError:
    """Return the refusal of a file that no reader knows."""
    return _unreadable(
        path,
        f"this {what} file is not an image that can be read",
        "Give a NIfTI (.nii, .nii.gz), NRRD or MetaImage (.mha) file.",
    )


def damaged(path: Path, what: str) -> BrainstemALSError:
    """Return the refusal of a file that breaks off or whose content is corrupt."""
    return _unreadable(path, f"this {what} file is incomplete or damaged", _COPY_AGAIN)


def singular(path: Path | str, what: str) -> BrainstemALSError:
    """Return the refusal of a header whose voxel axes do not span space."""
    return _unreadable(path, f"the orientation in the header of this {what} is not valid", _CONVERT)


def sheared(path: Path | str, what: str) -> BrainstemALSError:
    """Return the refusal of a grid whose axes are not perpendicular."""
    return _unsuitable(
        path,
        f"the voxel axes of this {what} are not perpendicular to each other",
        "Resample the image to a rectangular grid first.",
    )


def not_numbers(path: Path | str, what: str) -> BrainstemALSError:
    """Return the refusal of an image with NaN or infinite voxels."""
    return _unsuitable(
        path,
        f"this {what} has voxels that are not numbers (NaN or infinite)",
        "Replace them by 0, for example with fslmaths -nan.",
    )


def check_file(path: Path, what: str) -> None:
    """Refuse a path that is no readable file with something in it."""
    if not path.exists():
        raise _unreadable(path, f"there is no such {what} file", "Check the path.")
    if path.is_dir():
        raise _unreadable(
            path,
            f"this is a folder, not a {what} file",
            "Give one NIfTI, NRRD or MetaImage file; convert a DICOM folder first, for example "
            "with dcm2niix.",
        )
    try:
        with path.open("rb") as handle:
            is_empty = not handle.read(1)
    except OSError:
        raise _unreadable(
            path, f"this {what} file cannot be opened", "Check that you may read it."
        ) from None
    if is_empty:
        raise damaged(path, what)


def check_format(path: Path, what: str, reader: str) -> None:
    """Refuse formats other than NIfTI, NRRD and MetaImage, and these without an orientation.

    ``reader`` is ITK's name of the reader that knows the file, empty where none does. NIfTI files
    are looked at by ``check_nifti``.
    """
    if reader == NIFTI_READER:
        return
    if reader not in (NRRD_READER, METAIMAGE_READER):
        raise not_an_image(path, what)
    if not says_orientation(path, reader):
        raise _no_orientation(path, what, "")


def _no_orientation(path: Path, what: str, detail: str) -> BrainstemALSError:
    return _unreadable(
        path,
        f"the header of this {what} does not say how the patient lies{detail}, so left and right "
        "are unknown",
        _CONVERT,
    )


def check_nifti(path: Path, what: str) -> None:
    """Refuse a NIfTI file that ITK would repair in silence; other formats pass.

    Seen here: truncated or corrupt content, voxels that are not numbers, no orientation, zero or
    absurd voxel size, singular or sheared orientation, and two orientations that are not the same.
    Header and voxels in two files (Analyze among them) are refused altogether.
    """
    if path.name.lower().removesuffix(".gz").endswith((".hdr", ".img")):
        raise _unreadable(
            path,
            "header and voxels in two files (Analyze, .hdr and .img) leave left and right unsure",
            "Convert the image to a single NIfTI file (.nii.gz).",
        )
    try:
        if is_nifti2(path):
            raise _unreadable(
                path,
                f"this {what} is a NIfTI-2 file, which few programs read",
                "Convert it to NIfTI-1 (.nii.gz), for example with mrconvert.",
            )
        header = read_nifti_header(path)
        if header is None:
            return
        if len(header.dimensions) >= 3:  # the rest is refused by its dimensions, which says more
            _check_nifti_orientation(path, what, header)
        length, finite = scan_content(path, header)
    except (EOFError, OSError, zlib.error):
        raise damaged(path, what) from None
    if length < header.n_bytes:
        raise damaged(path, what)
    if not finite:
        raise not_numbers(path, what)


def _check_nifti_orientation(path: Path, what: str, header: NiftiHeader) -> None:
    check_spacing(path, what, np.abs(header.spacing))
    if header.qform_code <= 0 and header.sform_code <= 0:
        raise _no_orientation(path, what, " (qform and sform are both unset)")
    used = [header.sform] if header.sform_code > 0 else []
    used += [header.qform] if header.qform_code > 0 else []
    if not np.isfinite(used).all():
        raise singular(path, what)
    if header.sform_code <= 0:
        return
    check_axes(path, what, header.sform[:3, :3])
    lengths = np.linalg.norm(header.sform[:3, :3], axis=0)
    if (np.abs(lengths / np.abs(header.spacing) - 1.0) > SPACING_CONTRADICTION).any():
        raise _unreadable(
            path, f"the header of this {what} gives two different voxel sizes", _CONVERT
        )
    # Programs differ in which of the two they follow (see writing.py): a result would lie elsewhere
    # in another program, and nobody would see it.
    if header.qform_code > 0 and orientation_gap(header) > ORIENTATION_GAP_MM:
        raise _unsuitable(
            path,
            f"the header of this {what} gives two orientations that contradict each other "
            "(qform and sform)",
            "Decide which one is right and set the other to it, for example with "
            "fslorient -copysform2qform or -copyqform2sform.",
        )


def check_dimensions(path: Path | str, what: str, size: Sequence[int], components: int) -> None:
    """Refuse what is not one three-dimensional scalar image; ``size`` without trailing ones."""
    if components > 1:
        raise _unsuitable(
            path,
            f"this {what} has {components} values per voxel (a colour image or a vector map)",
            "Give the scalar image.",
        )
    if len(size) > 3:
        raise _unsuitable(
            path,
            f"this {what} is a series of images (4D)",
            "Give a single 3D volume, for example extracted with fslroi.",
        )
    if len(size) < 3 or min(size) < 2:
        raise _unsuitable(path, f"this {what} is a single slice (2D)", "Give the whole 3D volume.")


def check_spacing(path: Path | str, what: str, spacing: Sequence[float]) -> None:
    """Refuse voxel sizes, in millimetres, outside 0.3-5 mm."""
    low, high = SPACING_RANGE_MM
    # Half a per cent of grace for voxel sizes such as 0.2999 or 5.0002.
    if not all(low * 0.995 <= value <= high * 1.005 for value in spacing):
        sizes = " x ".join(f"{value:.4g}" for value in spacing)
        raise _unsuitable(
            path,
            f"the voxel size of this {what} is {sizes} mm, but {low:g}-{high:g} mm is needed",
            "Check the units in the header, or give a series of suitable resolution.",
        )


def check_axes(path: Path | str, what: str, axes: np.ndarray) -> None:
    """Refuse voxel axes, shape (3, 3), columns in millimetres, that are singular or sheared."""
    lengths = np.linalg.norm(axes, axis=0)
    if not np.isfinite(axes).all() or (lengths == 0).any():
        raise singular(path, what)
    cosines = (axes / lengths).T @ (axes / lengths)
    if abs(np.linalg.det(axes / lengths)) < 1e-3:
        raise singular(path, what)
    if np.abs(cosines - np.eye(3)).max() > LARGEST_AXIS_COSINE:
        raise sheared(path, what)


def check_values(path: Path | str, what: str, array: np.ndarray) -> None:
    """Refuse voxels that are not numbers, and an image without any contrast."""
    low, high = array.min(), array.max()
    if not (np.isfinite(low) and np.isfinite(high)):
        raise not_numbers(path, what)
    if low == high:
        raise _unsuitable(
            path, f"every voxel of this {what} has the same value", "Check the export of the image."
        )


def check_field_of_view(path: Path | str, what: str, volume: Volume) -> None:
    """Refuse an image under 60 mm along any axis: no room for a brainstem and its surroundings."""
    extent = np.array(volume.shape) * volume.spacing
    if extent.min() < SMALLEST_FIELD_MM:
        sizes = " x ".join(f"{value:.0f}" for value in extent)
        raise _unsuitable(
            path,
            f"this {what} covers only {sizes} mm, too little to hold a brainstem",
            f"Give a head image of at least {SMALLEST_FIELD_MM:.0f} mm along every axis.",
        )


def check_not_ct(path: Path | str, what: str, volume: Volume) -> None:
    """Refuse a computed tomogram, told by its Hounsfield units.

    A CT has, all three: air (at or below -900) in 5 % of its voxels or more; of the others a
    fifth or more at -20 to 100, soft tissue; and bone, above 300, in 0.5 % or more. An MR with
    negative values, from standardising or from the ringing of an interpolation, lacks the first.
    Not seen: a CT whose air was masked or clipped, one without its skull, and one that is stored
    with an offset and no rescaling, which an MR with values around 1000 resembles too much.
    """
    sample = volume.array[::2, ::2, ::2]
    rest = sample[sample > CT_AIR_HU]
    if not rest.size or 1.0 - rest.size / sample.size < CT_AIR_SHARE:
        return
    soft = np.mean((rest >= CT_SOFT_HU[0]) & (rest <= CT_SOFT_HU[1]))
    if soft >= CT_SOFT_SHARE and np.mean(rest > CT_BONE_HU) >= CT_BONE_SHARE:
        raise _unsuitable(
            path,
            f"this {what} holds Hounsfield units, so it is a CT and not an MR image",
            "Give a T1-weighted MR image of the patient.",
        )
