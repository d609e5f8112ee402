"""Reads what is needed of a DICOM file's header, and nothing that says who it is of stays longer.

A ``Header`` lives in memory while a folder is sorted; identity and dates in it are compared and
then dropped. It is never shown: its representation is empty.
"""

from __future__ import annotations

import logging
import os
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

import numpy as np

from . import vendor_diffusion
from .enhanced import Frame, frames_of, with_shared_groups

if TYPE_CHECKING:
    from pydicom.dataset import Dataset

FOLDER = "DICOM folder"
"""What a folder is called in messages: its own name may be the name of a patient."""
_TAGS = (
    "SpecificCharacterSet ImageType SOPClassUID SOPInstanceUID StudyDate Modality Manufacturer "
    "SeriesDescription ProtocolName PatientName PatientID PatientBirthDate PatientSex PatientAge "
    "ContrastBolusAgent ScanningSequence SequenceVariant MRAcquisitionType SequenceName AngioFlag "
    "SliceThickness RepetitionTime EchoTime InversionTime EchoTrainLength SpacingBetweenSlices "
    "FlipAngle StudyInstanceUID SeriesInstanceUID SeriesNumber AcquisitionNumber InstanceNumber "
    "ImagePositionPatient ImageOrientationPatient TemporalPositionIdentifier SamplesPerPixel "
    "NumberOfFrames Rows Columns PixelSpacing BitsAllocated PulseSequenceName EchoPulseSequence "
    "EchoPlanarPulseSequence AcquisitionContrast SharedFunctionalGroupsSequence "
    "PerFrameFunctionalGroupsSequence"
)
# Slices of a volume: Philips' number of slices, GE's locations in the acquisition.
_N_SLICES_TAGS = (0x20011018, 0x0021104F)
_N_SLICES_CREATOR = 0x00210010
# Slices that one image holds as tiles: Siemens' mosaic, United Imaging's grid.
_N_TILES_TAGS = (0x0019100A, 0x00651050)
_DICOMDIR_CLASS = "1.2.840.10008.1.3.10"
_DEFLATED = "1.2.840.10008.1.2.1.99"
_PREAMBLE = 128
# The end of encapsulated pixels; what may follow them is small.
_DELIMITER, _TAIL = b"\xfe\xff\xdd\xe0", 1 << 16
_DICOM_NAMES = (".dcm", ".ima", ".dicom")


class DamagedFileError(Exception):
    """A DICOM file that breaks off or whose header cannot be understood."""


@dataclass(frozen=True, eq=False, repr=False)
class Header:
    """What of one file is looked at.

    Attributes
    ----------
    path : Path
    patient : tuple of 2 str
        Identifier and name, compared in memory.
    study, series, instance_uid, date, birth_date, age, sex : str
        As written; empty where missing.
    number : int
        Of the series; -1 where missing.
    instance, acquisition, temporal : int
        Place in the series; 0 where missing.
    shape : tuple of 2 int
        Rows and columns; of the tiled image in a mosaic.
    orientation : numpy.ndarray, shape (2, 3), or None
        Unit vectors along rows and columns, LPS.
    spacing : tuple of 2 float or None
        Between rows and between columns, mm.
    thickness : float or None
        mm, the distance of slices where it is written.
    frames : tuple of Frame
        One, or all of a multi-frame file.
    n_slices : int
        That the vendor says a volume has; 0 where nothing says it.
    image_type, scanning, variant : frozenset of str
        Words of ImageType, ScanningSequence, SequenceVariant, upper case.
    modality, syntax, manufacturer : str
    is_3d, is_epi, is_angio, has_contrast, is_mosaic, is_multi_frame : bool
    tr, te, ti, flip : float or None
        ms, degrees.
    contrast : str
        AcquisitionContrast of enhanced files.
    text : str
        Descriptions in lower case: looked at last, and never repeated.
    """

    path: Path
    patient: tuple[str, str]
    study: str
    series: str
    instance_uid: str
    date: str
    birth_date: str
    age: str
    sex: str
    number: int
    instance: int
    acquisition: int
    temporal: int
    shape: tuple[int, int]
    orientation: np.ndarray | None
    spacing: tuple[float, float] | None
    thickness: float | None
    frames: tuple[Frame, ...]
    n_slices: int
    image_type: frozenset[str]
    scanning: frozenset[str]
    variant: frozenset[str]
    modality: str
    syntax: str
    manufacturer: str
    is_3d: bool
    is_epi: bool
    is_angio: bool
    has_contrast: bool
    is_mosaic: bool
    is_multi_frame: bool
    tr: float | None
    te: float | None
    ti: float | None
    flip: float | None
    contrast: str
    text: str


@contextmanager
def quiet_pydicom() -> Iterator[None]:
    """Keep pydicom's warnings and log to itself: they repeat values, and values are identities."""
    from pydicom import config

    logger = logging.getLogger("pydicom")
    disabled, mode = logger.disabled, config.settings.reading_validation_mode
    logger.disabled, config.settings.reading_validation_mode = True, config.IGNORE
    try:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", category=UserWarning)
            yield
    finally:
        logger.disabled, config.settings.reading_validation_mode = disabled, mode


def read_header(path: Path) -> Header | None:
    """Read the header of one file; inside ``quiet_pydicom``.

    Returns
    -------
    Header or None
        None for what is no DICOM file, or a DICOMDIR.

    Raises
    ------
    DamagedFileError
        A DICOM file, by its mark or its name, that cannot be read to its end.
    """
    import pydicom

    try:
        size = path.stat().st_size
        with path.open("rb") as handle:
            if not _is_dicom(handle):
                if path.suffix.lower() in _DICOM_NAMES:
                    raise DamagedFileError
                return None
            handle.seek(0)
            ds = pydicom.dcmread(
                handle, stop_before_pixels=True, specific_tags=_wanted(), force=True
            )
            left = size - handle.tell()
            if ds.get("SOPClassUID") == _DICOMDIR_CLASS or _is_dicomdir(ds):
                return None
            header = _header(path, ds)
            _check_pixels(ds, header, handle, left)
            return header
    except DamagedFileError:
        raise
    except Exception:
        # Damage makes pydicom raise almost anything, and its text repeats values.
        raise DamagedFileError from None


def is_dicom_file(path: Path) -> bool:
    """Return whether a file bears the mark of DICOM."""
    try:
        with path.open("rb") as handle:
            return handle.read(_PREAMBLE + 4)[_PREAMBLE:] == b"DICM"
    except OSError:
        return False


def _wanted() -> list:
    own = (*_N_SLICES_TAGS, _N_SLICES_CREATOR, *_N_TILES_TAGS)
    return [*_TAGS.split(), *vendor_diffusion.TAGS, *own]


def _is_dicom(handle: BinaryIO) -> bool:
    start = handle.read(_PREAMBLE + 4)
    # Files of old scanners lack the mark and begin with group 2 or 8 at once.
    return start[_PREAMBLE:] == b"DICM" or (
        start[:2] in (b"\x08\x00", b"\x02\x00") and start[3:4] == b"\0" and len(start) > _PREAMBLE
    )


def _is_dicomdir(ds: Dataset) -> bool:
    return str(ds.file_meta.get("MediaStorageSOPClassUID", "")) == _DICOMDIR_CLASS


def _check_pixels(ds: Dataset, header: Header, handle: BinaryIO, left: int) -> None:
    """Refuse a file that breaks off within its pixels; ``left`` are its bytes after the header."""
    syntax = header.syntax
    if not header.shape[0] or syntax == _DEFLATED:
        return
    bits = int(ds.get("BitsAllocated") or 16) * int(ds.get("SamplesPerPixel") or 1)
    if _is_encapsulated(syntax):
        handle.seek(-min(left, _TAIL), os.SEEK_END)
        if _DELIMITER not in handle.read():
            raise DamagedFileError
    elif left < header.shape[0] * header.shape[1] * len(header.frames) * bits // 8:
        raise DamagedFileError


def _is_encapsulated(syntax: str) -> bool:
    return syntax.startswith("1.2.840.10008.1.2.4") or syntax == "1.2.840.10008.1.2.5"


def _header(path: Path, ds: Dataset) -> Header:
    if not ds.get("SOPInstanceUID") or not ds.get("SeriesInstanceUID"):
        raise DamagedFileError
    multi = "PerFrameFunctionalGroupsSequence" in ds
    frames = frames_of(ds) if multi else (_frame(ds),)
    if multi:
        if len(frames) != int(ds.get("NumberOfFrames") or 0):
            raise DamagedFileError
        with_shared_groups(ds)
    words = _words(ds, "ImageType")
    scanning = _words(ds, "ScanningSequence")
    echo_pulse = str(ds.get("EchoPulseSequence") or "").upper()
    if echo_pulse:
        scanning |= {name for word, name in _ECHO_PULSES.items() if word in echo_pulse}
    text = " ".join(str(ds.get(name) or "") for name in ("SeriesDescription", "ProtocolName"))
    sequence = str(ds.get("SequenceName") or ds.get("PulseSequenceName") or "")
    return Header(
        path=path,
        patient=(_plain(ds.get("PatientID")), _plain(ds.get("PatientName"))),
        study=str(ds.get("StudyInstanceUID") or ""),
        series=str(ds.SeriesInstanceUID),
        instance_uid=str(ds.SOPInstanceUID),
        date=str(ds.get("StudyDate") or ""),
        birth_date=str(ds.get("PatientBirthDate") or ""),
        age=str(ds.get("PatientAge") or ""),
        sex=str(ds.get("PatientSex") or ""),
        number=_whole(ds.get("SeriesNumber"), -1),
        instance=_whole(ds.get("InstanceNumber")),
        acquisition=_whole(ds.get("AcquisitionNumber")),
        temporal=_whole(ds.get("TemporalPositionIdentifier")),
        shape=(_whole(ds.get("Rows")), _whole(ds.get("Columns"))),
        orientation=_orientation(ds),
        spacing=_pair(ds.get("PixelSpacing")),
        thickness=_real(ds.get("SpacingBetweenSlices")) or _real(ds.get("SliceThickness")),
        frames=frames,
        n_slices=max((_vendor_count(ds, tag) for tag in _N_SLICES_TAGS), default=0),
        image_type=words,
        scanning=scanning,
        variant=_words(ds, "SequenceVariant"),
        modality=str(ds.get("Modality") or "").upper(),
        syntax=str(ds.file_meta.get("TransferSyntaxUID", "")),
        manufacturer=str(ds.get("Manufacturer") or "").upper(),
        is_3d=str(ds.get("MRAcquisitionType") or "").upper() == "3D",
        is_epi="EP" in scanning
        or str(ds.get("EchoPlanarPulseSequence") or "").upper() == "YES"
        or sequence.lower().lstrip("*").startswith("ep"),
        is_angio=str(ds.get("AngioFlag") or "").upper() == "Y",
        has_contrast=bool(str(ds.get("ContrastBolusAgent") or "").strip()),
        is_mosaic="MOSAIC" in words or any(_vendor_count(ds, tag) > 1 for tag in _N_TILES_TAGS),
        is_multi_frame=multi,
        tr=_real(ds.get("RepetitionTime")),
        te=_real(ds.get("EchoTime")),
        ti=_real(ds.get("InversionTime")),
        flip=_real(ds.get("FlipAngle")),
        contrast=str(ds.get("AcquisitionContrast") or "").upper(),
        text=text.lower(),
    )


_ECHO_PULSES = {"GRADIENT": "GR", "SPIN": "SE", "BOTH": "SE"}


def _frame(ds: Dataset) -> Frame:
    position = ds.get("ImagePositionPatient")
    return Frame(
        position=np.array(position, dtype=float) if position else None,
        b=vendor_diffusion.b_value(ds),
        direction=vendor_diffusion.direction(ds),
    )


def _orientation(ds: Dataset) -> np.ndarray | None:
    values = ds.get("ImageOrientationPatient")
    if not values or len(values) != 6:
        return None
    axes = np.array(values, dtype=float).reshape(2, 3)
    lengths = np.linalg.norm(axes, axis=1, keepdims=True)
    return axes / lengths if np.isfinite(axes).all() and lengths.min() > 0 else None


def _words(ds: Dataset, name: str) -> frozenset[str]:
    value = ds.get(name)
    values = [value] if isinstance(value, str) else value or []
    return frozenset(str(word).upper() for word in values)


def _plain(value: object) -> str:
    """Return an identity as it is compared: programs differ in case, blanks and carets."""
    return " ".join(str(value or "").casefold().replace("^", " ").split())


def _whole(value: object, default: int = 0) -> int:
    try:
        return int(value)
    except (TypeError, ValueError):
        return default


def _real(value: object) -> float | None:
    try:
        number = float(value)
    except (TypeError, ValueError):
        return None
    return number if np.isfinite(number) else None


def _pair(value: object) -> tuple[float, float] | None:
    try:
        first, second = value
        return float(first), float(second)
    except (TypeError, ValueError):
        return None


def _vendor_count(ds: Dataset, tag: int) -> int:
    value = ds[tag].value if tag in ds else 0
    # Of implicit encoding and an unknown creator: the type is not known, the number is a small one.
    return int.from_bytes(value, "little") if isinstance(value, bytes) else _whole(value)
