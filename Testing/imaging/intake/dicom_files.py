"""Makes real DICOM files of a made-up head whose every point is known.

The head is a function of the place in the patient, without any symmetry: an image that comes back
mirrored, turned or shifted has other values where it says it is.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
from pydicom.dataset import Dataset, FileDataset, FileMetaDataset
from pydicom.uid import (
    EnhancedMRImageStorage,
    ExplicitVRLittleEndian,
    MRImageStorage,
    generate_uid,
)

from . import made_up_head
from .made_up_head import Plane, Visit, head

# One name for the tests to look in.
DATE, IDENTITY = made_up_head.DATE, made_up_head.IDENTITY
plane, directions = made_up_head.plane, made_up_head.directions


def base(visit: Visit, number: int, series: str, sop_class: str = MRImageStorage) -> FileDataset:
    """A data set with what every file has, identities planted."""
    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID = sop_class
    meta.MediaStorageSOPInstanceUID = generate_uid()
    meta.TransferSyntaxUID = ExplicitVRLittleEndian
    ds = FileDataset(None, {}, file_meta=meta, preamble=b"\0" * 128)
    ds.SOPClassUID = sop_class
    ds.SOPInstanceUID = meta.MediaStorageSOPInstanceUID
    for name, value in visit.identity.items():
        setattr(ds, name, value)
    ds.PatientSex = visit.sex
    if visit.age:
        ds.PatientAge = visit.age
    if visit.date:
        for name in ("StudyDate", "SeriesDate", "AcquisitionDate", "ContentDate"):
            setattr(ds, name, visit.date)
    ds.StudyTime = ds.SeriesTime = ds.AcquisitionTime = "101112"
    ds.StudyInstanceUID, ds.SeriesInstanceUID = visit.study, series
    ds.FrameOfReferenceUID = visit.frame
    ds.SeriesNumber = number
    ds.SeriesDescription = "Plantedseries of Plantedname"
    ds.ProtocolName = "Plantedprotocol"
    ds.Modality = "MR"
    ds.MagneticFieldStrength = 3
    ds.PatientPosition = "HFS"
    ds.Manufacturer = "SIEMENS"
    ds.add_new(0x00310010, "LO", "PLANTEDPRIVATE")
    ds.add_new(0x00311001, "LO", "Plantedsecret")
    return ds


T1 = {
    "ScanningSequence": ["GR", "IR"],
    "SequenceVariant": ["SP", "MP"],
    "MRAcquisitionType": "3D",
    "RepetitionTime": 2300.0,
    "EchoTime": 2.9,
    "InversionTime": 900.0,
    "FlipAngle": 9.0,
    "ImageType": ["ORIGINAL", "PRIMARY", "M", "ND", "NORM"],
}
DWI = {
    "ScanningSequence": ["EP"],
    "SequenceVariant": ["SK", "SP"],
    "MRAcquisitionType": "2D",
    "RepetitionTime": 8000.0,
    "EchoTime": 85.0,
    "FlipAngle": 90.0,
    "ImageType": ["ORIGINAL", "PRIMARY", "DIFFUSION", "NONE", "ND"],
}


def set_values(ds: Dataset, values: dict[str, object]) -> None:
    for name, value in values.items():
        setattr(ds, name, value)


def set_pixels(ds: Dataset, pixels: np.ndarray) -> None:
    """Store (frames,) rows, columns as unsigned 16 bit."""
    ds.Rows, ds.Columns = pixels.shape[-2:]
    ds.SamplesPerPixel, ds.PhotometricInterpretation = 1, "MONOCHROME2"
    ds.BitsAllocated, ds.BitsStored, ds.HighBit, ds.PixelRepresentation = 16, 16, 15, 0
    ds.PixelData = np.clip(np.rint(pixels), 0, 65535).astype("<u2").tobytes()


def place(ds: Dataset, where: Plane, k: int) -> None:
    ds.ImageOrientationPatient = [f"{x:.9g}" for x in (*where.row, *where.column)]
    ds.ImagePositionPatient = [f"{x:.9g}" for x in where.position(k)]
    ds.PixelSpacing = [where.spacing[1], where.spacing[0]]
    ds.SliceThickness = ds.SpacingBetweenSlices = where.spacing[2]
    ds.SliceLocation = float(where.position(k) @ where.normal)


def save(ds: Dataset, folder: Path, name: str) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / name
    ds.save_as(path, enforce_file_format=True)
    return path


def t1_series(
    folder: Path,
    where: Plane,
    visit: Visit,
    number: int = 2,
    values: dict[str, object] | None = None,
    skip: Sequence[int] = (),
    series: str | None = None,
    edit: Callable[[Dataset, int], None] | None = None,
) -> list[Path]:
    """Write a classic series, one file per slice."""
    series, paths = series or generate_uid(), []
    for k in range(where.shape[2]):
        if k in skip:
            continue
        ds = base(visit, number, series)
        set_values(ds, {**T1, **(values or {})})
        ds.InstanceNumber, ds.AcquisitionNumber = k + 1, 1
        place(ds, where, k)
        set_pixels(ds, head(where.slice_ras(k)))
        if edit:
            edit(ds, k)
        paths.append(save(ds, folder, f"Plantedname_{number:03d}_{k:04d}.dcm"))
    return paths


def attenuation(b: float, direction: np.ndarray) -> float:
    """What a stick along the patient's left-right leaves of the signal."""
    return float(np.exp(-b * (0.3e-3 + 1.2e-3 * direction[0] ** 2)))


def mark(ds: Dataset, vendor: str, b: float, ras: np.ndarray, where: Plane) -> None:
    """Write b-value and direction where a vendor writes them."""
    lps = ras * (-1.0, -1.0, 1.0)
    ds.InPlanePhaseEncodingDirection = "COL"
    if vendor == "siemens":
        ds.Manufacturer = "SIEMENS"
        ds.add_new(0x00190010, "LO", "SIEMENS MR HEADER")
        ds.add_new(0x0019100C, "IS", str(int(b)))
        if b > 0:
            ds.add_new(0x0019100E, "FD", [float(x) for x in lps])
        ds.add_new(0x00290010, "LO", "SIEMENS CSA HEADER")
        ds.add_new(0x00291010, "OB", csa_header(b, lps, None, where))
    elif vendor == "philips":
        ds.Manufacturer = "Philips Medical Systems"
        ds.ImageType = ["ORIGINAL", "PRIMARY", "M_SE", "M", "SE"]
        ds.DiffusionBValue = float(b)
        ds.DiffusionGradientOrientation = [float(x) for x in lps]
        ds.add_new(0x20010010, "LO", "Philips Imaging DD 001")
        ds.add_new(0x20011003, "FL", float(b))
        ds.add_new(0x20011018, "SL", where.shape[2])
        ds.add_new(0x20050010, "LO", "Philips MR Imaging DD 001")
        for tag, value in zip((0x200510B0, 0x200510B1, 0x200510B2), lps, strict=True):
            ds.add_new(tag, "FL", float(value))
    elif vendor == "ge":
        ds.Manufacturer = "GE MEDICAL SYSTEMS"
        ds.ImageType = ["ORIGINAL", "PRIMARY", "OTHER"]
        ds.ScanningSequence = ["EP", "RM"]
        # GE writes frequency, phase and slice; to the image's axes as dcm2niix has it, which tested
        # it with GE's scanners: rows and columns reversed for axial slices, phase along columns.
        image = np.array([-where.row, -where.column, where.normal]) @ lps
        ds.add_new(0x00190010, "LO", "GEMS_ACQU_01")
        for tag, value in zip((0x001910BB, 0x001910BC, 0x001910BD), image, strict=True):
            ds.add_new(tag, "DS", f"{value:.6f}")
        ds.add_new(0x00430010, "LO", "GEMS_PARM_01")
        ds.add_new(0x00431039, "IS", [str(int(b)), "8", "0", "0"])
    elif vendor == "uih":
        ds.Manufacturer = "UIH"
        ds.ImageType = ["ORIGINAL", "PRIMARY", "DIFFUSION"]
        ds.add_new(0x00650010, "LO", "Image Private Header")
        ds.add_new(0x00651009, "FD", float(b))
        # United Imaging writes directions along rows, columns and slices of the image.
        image = np.array([where.row, where.column, where.normal]) @ lps
        ds.add_new(0x00651037, "FD", [float(x) for x in image])
    else:
        raise ValueError(vendor)


def dwi_series(
    folder: Path,
    where: Plane,
    visit: Visit,
    bvals: Sequence[float],
    vectors: np.ndarray,
    vendor: str = "siemens",
    number: int = 5,
    skip: Sequence[tuple[int, int]] = (),
    series: str | None = None,
    values: dict[str, object] | None = None,
) -> list[Path]:
    """Write a classic diffusion series, one file per slice and volume; ``skip`` (volume, slice)."""
    series, paths = series or generate_uid(), []
    signals = [head(where.slice_ras(k)) for k in range(where.shape[2])]
    for n, (b, vector) in enumerate(zip(bvals, vectors, strict=True)):
        for k, signal in enumerate(signals):
            if (n, k) in skip:
                continue
            ds = base(visit, number, series)
            set_values(ds, DWI)
            mark(ds, vendor, b, vector, where)
            set_values(ds, values or {})
            ds.InstanceNumber = n * where.shape[2] + k + 1
            ds.AcquisitionNumber = n + 1
            ds.TemporalPositionIdentifier = n + 1
            ds.AcquisitionTime = f"1011{n % 60:02d}.{n:02d}0000"
            place(ds, where, k)
            set_pixels(ds, signal * attenuation(b, vector))
            paths.append(save(ds, folder, f"Plantedname_{number:03d}_{n:03d}_{k:03d}.dcm"))
    return paths


def csa_header(b: float, lps: np.ndarray, slices: int | None, where: Plane) -> bytes:
    """A Siemens CSA image header (SV10) with what concerns diffusion and mosaics."""
    fields: list[tuple[str, str, list[str]]] = [
        ("B_value", "IS", [str(int(b))]),
        ("PhaseEncodingDirectionPositive", "IS", ["1"]),
        ("SliceNormalVector", "FD", [f"{x:.8f}" for x in where.normal]),
    ]
    if b > 0:
        fields.append(("DiffusionGradientDirection", "FD", [f"{x:.8f}" for x in lps]))
    if slices:
        fields.append(("NumberOfImagesInMosaic", "US", [str(slices)]))
        fields.append(("MosaicRefAcqTimes", "FD", [f"{50.0 * k:.4f}" for k in range(slices)]))
    out = b"SV10\x04\x03\x02\x01" + struct.pack("<2i", len(fields), 77)
    for name, vr, values in fields:
        count = max(len(values), 6)
        out += name.encode().ljust(64, b"\0")
        out += struct.pack("<i4s3i", len(values), vr.encode().ljust(4, b"\0"), 0, count, 77)
        for n in range(count):
            text = values[n].encode() + b"\0" if n < len(values) else b""
            out += struct.pack("<4i", len(text), len(text), 77, len(text))
            out += text + b"\0" * (-len(text) % 4)
    return out


def mosaic_series(
    folder: Path,
    where: Plane,
    visit: Visit,
    bvals: Sequence[float],
    vectors: np.ndarray,
    number: int = 5,
    skip: Sequence[int] = (),
) -> list[Path]:
    """Write a Siemens mosaic: one file per volume, its slices as tiles."""
    columns, rows, slices = where.shape
    tiles = int(np.ceil(np.sqrt(slices)))
    series, paths = generate_uid(), []
    for n, (b, vector) in enumerate(zip(bvals, vectors, strict=True)):
        if n in skip:
            continue
        lps = vector * (-1.0, -1.0, 1.0)
        ds = base(visit, number, series)
        set_values(ds, {**DWI, "ImageType": [*DWI["ImageType"], "MOSAIC"]})
        ds.InPlanePhaseEncodingDirection = "COL"
        ds.InstanceNumber = ds.AcquisitionNumber = n + 1
        ds.AcquisitionTime = f"1011{n % 60:02d}.000000"
        place(ds, where, 0)
        # Siemens gives the corner that a plain image of the mosaic's size would have.
        shift = (
            (tiles - 1)
            / 2
            * (where.row * where.spacing[0] * columns + where.column * where.spacing[1] * rows)
        )
        ds.ImagePositionPatient = [f"{x:.9g}" for x in where.first - shift]
        ds.AcquisitionMatrix = [0, columns, rows, 0]
        ds.add_new(0x00190010, "LO", "SIEMENS MR HEADER")
        ds.add_new(0x0019100A, "US", slices)
        ds.add_new(0x0019100C, "IS", str(int(b)))
        if b > 0:
            ds.add_new(0x0019100E, "FD", [float(x) for x in lps])
        ds.add_new(0x00290010, "LO", "SIEMENS CSA HEADER")
        ds.add_new(0x00291010, "OB", csa_header(b, lps, slices, where))
        image = np.zeros((tiles * rows, tiles * columns))
        for k in range(slices):
            top, left = k // tiles * rows, k % tiles * columns
            tile = head(where.slice_ras(k)) * attenuation(b, vector)
            image[top : top + rows, left : left + columns] = tile
        set_pixels(ds, image)
        paths.append(save(ds, folder, f"Plantedname_{number:03d}_{n:03d}.dcm"))
    return paths


def enhanced_file(
    folder: Path,
    where: Plane,
    visit: Visit,
    number: int,
    bvals: Sequence[float] | None = None,
    vectors: np.ndarray | None = None,
    values: dict[str, object] | None = None,
) -> Path:
    """Write an enhanced multi-frame file: a T1, or diffusion where b-values are given."""
    ds = base(visit, number, generate_uid(), EnhancedMRImageStorage)
    is_dwi = bvals is not None
    ds.Manufacturer = "Philips Medical Systems"
    ds.ImageType = ["ORIGINAL", "PRIMARY", "DIFFUSION" if is_dwi else "T1", "NONE"]
    ds.MRAcquisitionType = "2D" if is_dwi else "3D"
    ds.EchoPulseSequence = "SPIN" if is_dwi else "GRADIENT"
    ds.EchoPlanarPulseSequence = "YES" if is_dwi else "NO"
    ds.AcquisitionContrast = "DIFFUSION" if is_dwi else "T1"
    ds.AcquisitionDateTime = f"{visit.date}101112"
    ds.InstanceNumber = 1
    ds.AcquisitionNumber = 1
    set_values(ds, values or {})

    shared = Dataset()
    measures, orientation, timing, frame_type = Dataset(), Dataset(), Dataset(), Dataset()
    measures.PixelSpacing = [where.spacing[1], where.spacing[0]]
    measures.SliceThickness = measures.SpacingBetweenSlices = where.spacing[2]
    orientation.ImageOrientationPatient = [f"{x:.9g}" for x in (*where.row, *where.column)]
    timing.RepetitionTime = 8000.0 if is_dwi else 8.0
    timing.FlipAngle = 90.0 if is_dwi else 8.0
    timing.EchoTrainLength = 1
    frame_type.FrameType = ds.ImageType
    frame_type.AcquisitionContrast = ds.AcquisitionContrast
    geometry = Dataset()
    geometry.InPlanePhaseEncodingDirection = "COLUMN"
    shared.PixelMeasuresSequence = [measures]
    shared.PlaneOrientationSequence = [orientation]
    shared.MRTimingAndRelatedParametersSequence = [timing]
    shared.MRImageFrameTypeSequence = [frame_type]
    shared.MRFOVGeometrySequence = [geometry]
    echo = Dataset()
    echo.EffectiveEchoTime = 85.0 if is_dwi else 3.7
    shared.MREchoSequence = [echo]
    rescale = Dataset()
    rescale.RescaleIntercept, rescale.RescaleSlope, rescale.RescaleType = 0.0, 1.0, "US"
    shared.PixelValueTransformationSequence = [rescale]
    ds.SharedFunctionalGroupsSequence = [shared]

    frames, images = [], []
    bvals = [0.0] if bvals is None else bvals
    vectors = np.zeros((1, 3)) if vectors is None else vectors
    signals = [head(where.slice_ras(k)) for k in range(where.shape[2])]
    for n, (b, vector) in enumerate(zip(bvals, vectors, strict=True)):
        for k, signal in enumerate(signals):
            frame, content, position = Dataset(), Dataset(), Dataset()
            content.StackID, content.InStackPositionNumber = "1", k + 1
            content.TemporalPositionIndex = n + 1
            content.DimensionIndexValues = [1, k + 1, n + 1] if is_dwi else [1, k + 1]
            content.FrameAcquisitionDateTime = f"{visit.date}1011{n % 60:02d}"
            position.ImagePositionPatient = [f"{x:.9g}" for x in where.position(k)]
            frame.FrameContentSequence = [content]
            frame.PlanePositionSequence = [position]
            if is_dwi:
                diffusion = Dataset()
                diffusion.DiffusionBValue = float(b)
                diffusion.DiffusionDirectionality = "DIRECTIONAL" if b > 0 else "NONE"
                if b > 0:
                    gradient = Dataset()
                    lps = vector * (-1.0, -1.0, 1.0)
                    gradient.DiffusionGradientOrientation = [float(x) for x in lps]
                    diffusion.DiffusionGradientDirectionSequence = [gradient]
                frame.MRDiffusionSequence = [diffusion]
            frames.append(frame)
            images.append(signal * (attenuation(b, vector) if is_dwi else 1.0))
    ds.PerFrameFunctionalGroupsSequence = frames
    ds.NumberOfFrames = len(frames)
    organisation = Dataset()
    organisation.DimensionOrganizationUID = generate_uid()
    ds.DimensionOrganizationSequence = [organisation]
    pointers = [(0x00209056, 0x00209111), (0x00209057, 0x00209111)]
    if is_dwi:
        pointers.append((0x00209128, 0x00209111))
    indices = []
    for pointer, group in pointers:
        index = Dataset()
        index.DimensionOrganizationUID = organisation.DimensionOrganizationUID
        index.DimensionIndexPointer, index.FunctionalGroupPointer = pointer, group
        indices.append(index)
    ds.DimensionIndexSequence = indices
    set_pixels(ds, np.array(images))
    return save(ds, folder, f"Plantedname_{number:03d}_enhanced.dcm")
