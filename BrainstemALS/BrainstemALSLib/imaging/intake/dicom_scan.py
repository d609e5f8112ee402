"""Sorts the DICOM files of a folder into visits and series."""

from __future__ import annotations

import os
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np

from ...errors import BrainstemALSError, ExitCode
from ..dwi import B0_LIMIT
from .dicom_headers import FOLDER, DamagedFileError, Header, quiet_pydicom, read_header
from .dicom_identity import refuse_two_patients, refuse_two_patients_of_a_visit
from .slices import Slices, look_at

# Cosine and voxel size by which images of one stack may differ: rounding of headers. Half a degree
# is far less than what any planned difference between two stacks has.
_SAME_AXES, _SAME_SPACING_MM, _SAME_TE_MS = 0.99996, 1e-3, 0.5
# Words of ImageType that tell computed images from measured ones, also within one series. Standard:
# DICOM PS3.3 C.8.3.1 and C.8.13.3; the others are those of Siemens, GE, Philips and UIH.
_MAPS = (
    "ADC ADC_UNSPECIFIED FA TRACE TRACEW TRACEWEIGHTED ISO ISOTROPIC EADC EXP COLFA COLORFA "
    "TENSOR TENSOR_B0 AD RD MD VOLUME_RATIO LA EV CALC_BVALUE CBVALUE CDWI PERFUSION CBF CBV MTT "
    "TTP T1MAP T2MAP T1_MAP T2_MAP FIELD_MAP FIELDMAP B0MAP B1MAP"
)
MAP_WORDS = frozenset(_MAPS.split())
PHASE_WORDS = frozenset({"P", "PHASE", "PHASE MAP", "R", "REAL", "I", "IMAGINARY", "PHASEDIFF"})
PROJECTION_WORDS = frozenset({"MIP", "MNIP", "MINIP", "MIN_IP", "PROJECTION IMAGE", "SCREENSHOT"})
_TELLING_WORDS = MAP_WORDS | PHASE_WORDS | {"UNI", "MOCO", "MPR"}


@dataclass(frozen=True, eq=False, repr=False)
class Series:
    """Images of one series that make one stack.

    Attributes
    ----------
    number : int
        Of the series, as the scanner counts; -1 where it has none.
    headers : tuple of Header
        Its files.
    n_parts : int
        Into how many stacks its series was split.
    """

    number: int
    headers: tuple[Header, ...]
    n_parts: int = 1

    @property
    def first(self) -> Header:
        """A header for what all have in common."""
        return self.headers[0]

    @property
    def label(self) -> str:
        """What to call it: never by its description, which may carry a name."""
        return f"series {self.number}" if self.number >= 0 else "a series without number"

    @cached_property
    def slices(self) -> Slices:
        """How its slices lie; of no use for mosaics."""
        return look_at(self.headers)

    @cached_property
    def n_images(self) -> int:
        """Files or frames."""
        return sum(len(header.frames) for header in self.headers)

    @cached_property
    def n_directions(self) -> int:
        """Distinct weighted gradients; where no direction is written, weighted volumes."""
        weighted = [
            (frame.b, frame.direction)
            for header in self.headers
            for frame in header.frames
            if frame.b is not None and frame.b > B0_LIMIT
        ]
        known = {
            (b, tuple(round(x, 3) for x in vector)) for b, vector in weighted if vector is not None
        }
        if known:
            return len(known)
        per_volume = 1 if self.first.is_mosaic else max(1, len(self.slices.places))
        return len(weighted) // per_volume

    @property
    def is_weighted(self) -> bool:
        """Whether any image has a b-value above that of an unweighted one."""
        return any(
            frame.b is not None and frame.b > B0_LIMIT
            for header in self.headers
            for frame in header.frames
        )

    @property
    def voxel(self) -> tuple[float, float, float]:
        """Voxel size, mm: rows, columns, slices; zeros where it is not written."""
        between = 0.0 if self.first.is_mosaic else self.slices.step
        return (*(self.first.spacing or (0.0, 0.0)), between or self.first.thickness or 0.0)

    @property
    def extent(self) -> tuple[float, float, float]:
        """Field of view along the same, mm."""
        counts = (*self.first.shape, len(self.slices.places))
        return tuple(n * step for n, step in zip(counts, self.voxel, strict=True))


@dataclass(frozen=True, eq=False, repr=False)
class Scan:
    """What a folder holds, of one patient.

    Attributes
    ----------
    visits : tuple of tuple of Series
        By visit, the earliest first; within one by series number.
    days : tuple of int
        Days of each visit since the first.
    n_damaged : int
        Files that could not be read.
    """

    visits: tuple[tuple[Series, ...], ...]
    days: tuple[int, ...]
    n_damaged: int = 0


def scan(source: Path) -> Scan:
    """Read the headers of all DICOM files in a folder and its folders, or of one file.

    Raises
    ------
    BrainstemALSError
        UNREADABLE_IMAGE: no DICOM image, or none that can be read. MISMATCHED_IMAGES: more than
        one patient, by identifier, by name, or within a visit by birth date or sex. USAGE: visits
        that cannot be told apart.
    """
    headers, n_damaged = _read(_files(source))
    if not headers:
        raise _nothing(n_damaged)
    refuse_two_patients(headers.values())
    images = [header for header in headers.values() if header.modality == "MR" and header.shape[0]]
    if not images:
        raise BrainstemALSError(
            FOLDER,
            "there are DICOM files, but no MR images among them",
            "Give the folder of an MR examination.",
            ExitCode.UNREADABLE_IMAGE,
        )
    by_visit, days = _visits(images)
    for visit in by_visit:
        refuse_two_patients_of_a_visit(visit)
    return Scan(tuple(_series(visit) for visit in by_visit), days, n_damaged)


def _files(source: Path) -> Iterable[Path]:
    if source.is_file():
        yield source
        return
    for folder, folders, names in os.walk(source):
        folders.sort()
        for name in sorted(names):
            path = Path(folder, name)
            if path.is_file():
                yield path


def _read(paths: Iterable[Path]) -> tuple[dict[str, Header], int]:
    """Return headers by the identifier of the image, so that a copy counts once, and damage."""
    found, n_damaged = {}, 0
    with quiet_pydicom():
        for path in paths:
            try:
                header = read_header(path)
            except DamagedFileError:
                n_damaged += 1
                continue
            if header is not None:
                found.setdefault(header.instance_uid, header)
    return found, n_damaged


def _nothing(n_damaged: int) -> BrainstemALSError:
    if n_damaged:
        return BrainstemALSError(
            FOLDER,
            f"none of its {n_damaged} DICOM files can be read",
            "Copy or export the files again.",
            ExitCode.UNREADABLE_IMAGE,
        )
    return BrainstemALSError(
        FOLDER,
        "there are no DICOM files in this folder",
        "Give the folder that holds the series of the scanner, a BIDS subject, or a T1 file.",
        ExitCode.UNREADABLE_IMAGE,
    )


def _visits(images: Sequence[Header]) -> tuple[list[list[Header]], tuple[int, ...]]:
    """Group images by the day of their study."""
    from datetime import date

    groups: dict[str, list[Header]] = defaultdict(list)
    for day, members in _by_day(images):
        groups[day] += members
    if len(groups) == 1:
        day, only = next(iter(groups.items()))
        if not day and len({header.study for header in only}) > 1:
            raise _undated()
        return [only], (0,)
    try:
        when = {day: date.fromisoformat(day) for day in groups}
    except ValueError:
        raise _undated() from None
    order = sorted(groups, key=when.__getitem__)
    days = tuple((when[day] - when[order[0]]).days for day in order)
    return [groups[day] for day in order], days


def _by_day(images: Sequence[Header]) -> Iterator[tuple[str, list[Header]]]:
    """Give images with the day of their study; files that lack it have the day of the others."""
    studies: dict[str, list[Header]] = defaultdict(list)
    for header in images:
        studies[header.study].append(header)
    for study, members in studies.items():
        days: dict[str, list[Header]] = defaultdict(list)
        for header in members:
            days[header.date.strip().replace(".", "")].append(header)
        dated = [day for day in days if day]
        if study and "" in days and len(dated) == 1:
            yield dated[0], members
        else:
            yield from days.items()


def _undated() -> BrainstemALSError:
    return BrainstemALSError(
        FOLDER,
        "this folder holds several studies, and not all say when they were made",
        "Put each study into a folder of its own.",
        ExitCode.USAGE,
    )


def _series(images: Sequence[Header]) -> tuple[Series, ...]:
    groups: dict[tuple[str, str], list[Header]] = defaultdict(list)
    for header in images:
        groups[header.study, header.series].append(header)
    found = []
    for members in groups.values():
        stacks = _stacks(members)
        found += [Series(stack[0].number, tuple(stack), len(stacks)) for stack in stacks]
    return tuple(sorted(found, key=lambda series: (series.number, -series.n_images)))


def _stacks(members: Iterable[Header]) -> list[list[Header]]:
    """Split a series by size, orientation, voxels, echo and kind of image."""
    stacks: list[list[Header]] = []
    for header in members:
        for stack in stacks:
            if _belongs(header, stack[0]):
                stack.append(header)
                break
        else:
            stacks.append([header])
    return stacks


def _belongs(header: Header, other: Header) -> bool:
    if (
        header.shape != other.shape
        or header.is_multi_frame != other.is_multi_frame
        or (header.orientation is None) != (other.orientation is None)
        or header.image_type & _TELLING_WORDS != other.image_type & _TELLING_WORDS
        or abs((header.te or 0.0) - (other.te or 0.0)) > _SAME_TE_MS
        or not np.allclose(header.spacing or 0, other.spacing or 0, atol=_SAME_SPACING_MM)
    ):
        return False
    if header.orientation is None:
        return True
    return bool((np.sum(header.orientation * other.orientation, axis=1) >= _SAME_AXES).all())
