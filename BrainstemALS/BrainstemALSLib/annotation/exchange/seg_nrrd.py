"""Segmentation files of 3D Slicer (.seg.nrrd), read and written.

Segments are layers and values: those that do not overlap share a layer, told apart by their value;
a file of several layers has them as components of each voxel. Slicer cuts the image to what is
labelled. ``space origin`` is the first voxel that is left, so that the file lies where it should;
``Segmentation_ReferenceImageExtentOffset`` is that voxel's index in the uncut image, and
``SegmentN_Extent`` first and last index (both included) of a segment in the cut one. Format:
https://slicer.readthedocs.io/en/latest/developer_guide/modules/segmentations.html
"""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import SimpleITK as sitk

from ...anatomy import CONTEXT, Structure, load_structures
from ...errors import BrainstemALSError, ExitCode
from ...imaging import checks
from ...imaging.geometry import from_sitk, to_sitk
from ...imaging.itk_output import silenced_itk
from ...imaging.text_header import NRRD_READER, says_orientation
from ...imaging.volume import Volume
from .lookup import SIDES, LabelImage, Term

_SEGMENT = re.compile(r"Segment(\d+)_(\w+)")
_DETACHED = re.compile(rb"^data ?file:", re.MULTILINE)
_LARGEST_VALUE = 2**31
_HEADER_BYTES = 1 << 20


def is_segmentation(path: Path) -> bool:
    """Return whether a name is one of Slicer's segmentation files."""
    return path.name.lower().endswith((".seg.nrrd", ".nrrd"))


def read_segmentation(path: Path) -> LabelImage:
    """Read a .seg.nrrd; a plain NRRD label map gives a ``LabelImage`` without terms.

    Raises
    ------
    BrainstemALSError
        UNREADABLE_IMAGE or UNSUITABLE_IMAGE, as ``imaging.reading``; also a file whose voxels lie
        in another file, and voxels that are no whole numbers of 0 or more.
    """
    what = "segmentation"
    checks.check_file(path, what)
    with path.open("rb") as handle:
        header = handle.read(_HEADER_BYTES).replace(b"\r\n", b"\n").split(b"\n\n", 1)[0]
    if not header.startswith(b"NRRD"):
        raise checks.not_an_image(path, what)
    if _DETACHED.search(header):
        raise BrainstemALSError(
            path,
            "the voxels of this segmentation lie in another file",
            "Save it again as one .seg.nrrd file.",
            ExitCode.UNREADABLE_IMAGE,
        )
    if not says_orientation(path, NRRD_READER):
        raise BrainstemALSError(
            path,
            "the header does not say how the patient lies, so left and right are unknown",
            "Save it again with 3D Slicer.",
            ExitCode.UNREADABLE_IMAGE,
        )
    reader = sitk.ImageFileReader()
    reader.SetImageIO(NRRD_READER)
    reader.SetFileName(str(path))
    with silenced_itk():
        try:
            image = reader.Execute()
        except RuntimeError:
            raise checks.damaged(path, what) from None
    if image.GetDimension() != 3:
        raise BrainstemALSError(
            path,
            f"a segmentation has 3 axes, and this image has {image.GetDimension()}",
            "Give one segmentation of one time point.",
            ExitCode.UNSUITABLE_IMAGE,
        )
    axes = np.asarray(image.GetDirection()).reshape(3, 3) * np.asarray(image.GetSpacing())
    checks.check_axes(path, what, axes)
    whole = from_sitk(image)
    array = whole.array if whole.array.ndim == 4 else whole.array[..., None]
    whole_numbers = np.issubdtype(array.dtype, np.integer) or (
        np.isfinite(array).all() and np.array_equal(array, np.rint(array))
    )
    if not whole_numbers or array.min() < 0 or array.max() >= _LARGEST_VALUE:
        raise _no_labels(path)
    kind = np.min_scalar_type(int(array.max()))
    layers = tuple(
        Volume(array[..., n].astype(kind, copy=False), whole.affine) for n in range(array.shape[3])
    )
    fields = {key: image.GetMetaData(key) for key in image.GetMetaDataKeys()}
    return LabelImage(path.name, layers, _terms(path, fields, len(layers)))


def write_segmentation(labels: Volume, path: Path, keys: tuple[str, ...]) -> None:
    """Write our labels as a .seg.nrrd that Slicer opens as a segmentation.

    Segment IDs are our keys, label values our indices, all in one layer.

    Parameters
    ----------
    labels : Volume
        uint8, values are ``Structure.index``.
    path : Path
        Ends in ``.seg.nrrd``; must not exist.
    keys : tuple of str
        Structures that get a segment although nothing of them is drawn.

    Raises
    ------
    OSError
        The file system would not take the file.
    """
    image = to_sitk(Volume(np.asarray(labels.array, np.uint8), labels.affine))
    drawn = set(np.unique(labels.array).tolist())
    wanted = [s for s in load_structures() if s.index in drawn or s.key in keys]
    for number, structure in enumerate(wanted):
        for name, value in _fields(structure, labels.array == structure.index).items():
            image.SetMetaData(f"Segment{number}_{name}", value)
    image.SetMetaData("Segmentation_ContainedRepresentationNames", "Binary labelmap|")
    image.SetMetaData("Segmentation_MasterRepresentation", "Binary labelmap")
    image.SetMetaData("Segmentation_ReferenceImageExtentOffset", "0 0 0")
    try:
        with silenced_itk():
            sitk.WriteImage(image, str(path), useCompression=True)
    except RuntimeError:
        raise OSError("the segmentation was not written") from None


def _fields(structure: Structure, mask: np.ndarray) -> dict[str, str]:
    color = structure.color.removeprefix("#")
    extent = []
    for axis in range(3):
        used = np.flatnonzero(mask.any(axis=tuple(a for a in range(3) if a != axis)))
        # First and last index, as VTK has it; an empty extent ends before it begins.
        extent += [int(used[0]), int(used[-1])] if used.size else [0, -1]
    tags = {"Tier": structure.tier, "Side": structure.side, "Parent": structure.parent or CONTEXT}
    return {
        "ID": structure.key,
        "Name": structure.name,
        "NameAutoGenerated": "0",
        "Color": " ".join(f"{int(color[n : n + 2], 16) / 255:.6g}" for n in (0, 2, 4)),
        "ColorAutoGenerated": "0",
        "LabelValue": str(structure.index),
        "Layer": "0",
        "Extent": " ".join(map(str, extent)),
        "Tags": "".join(f"BrainstemALS.{name}:{value}|" for name, value in tags.items()),
    }


def _terms(path: Path, fields: dict[str, str], n_layers: int) -> tuple[Term, ...]:
    segments: dict[int, dict[str, str]] = {}
    for key, value in fields.items():
        if match := _SEGMENT.fullmatch(key):
            segments.setdefault(int(match[1]), {})[match[2]] = value
    terms = []
    try:
        for number, segment in sorted(segments.items()):
            # Files of Slicer 4.10 and before: no values, a layer for each segment.
            value = int(segment.get("LabelValue", 1))
            layer = int(segment.get("Layer", number if "LabelValue" not in segment else 0))
            if not (0 < value < _LARGEST_VALUE and 0 <= layer < n_layers):
                raise ValueError
            code, side = _code(segment.get("Tags", ""))
            name, key = segment.get("Name", ""), segment.get("ID", "")
            terms.append(Term(value, name, key, "", code, side, layer))
    except ValueError:
        raise checks.damaged(path, "segmentation") from None
    return tuple(terms)


def _code(tags: str) -> tuple[str, str]:
    """Return SNOMED CT code and side out of a segment's tags; empty where they have none.

    ``TerminologyEntry:context~category~type~modifier~...``, each triple ``scheme^code^meaning``;
    DICOM calls SNOMED CT ``SCT``.
    """
    for tag in tags.split("|"):
        name, _, entry = tag.partition(":")
        parts = [part.split("^") for part in entry.split("~")]
        if name == "TerminologyEntry" and len(parts) > 3 and len(parts[2]) > 1:
            code = parts[2][1] if parts[2][0] == "SCT" else ""
            side = SIDES.get(parts[3][1], "") if len(parts[3]) > 1 else ""
            return code, side
    return "", ""


def _no_labels(path: Path) -> BrainstemALSError:
    return BrainstemALSError(
        path,
        "a segmentation holds whole numbers of 0 or more, and this image does not",
        "Save it as a binary label map, not as a fractional one.",
        ExitCode.UNSUITABLE_IMAGE,
    )
