"""Reads one visit of a DICOM folder: the T1, the diffusion, and the little that is kept of who."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TypeVar

import numpy as np

from ...errors import BrainstemALSError, ExitCode
from ..dwi import Dwi
from ..finding import Finding
from ..reading import read_volume
from ..volume import Volume
from . import slices
from .conversion import NoConverterError, converted, not_converted, stacked
from .dicom_choice import EXPORT_AGAIN, choose_dwi, choose_t1, choose_visit, limits_of
from .dicom_headers import Header
from .dicom_identity import unsure_of_one_person
from .dicom_parts import count_volumes, joined, volumes_left_out
from .dicom_person import person_of
from .dicom_scan import Series, scan
from .merging import merged
from .nifti_dwi import read_dwi
from .source import Source, not_read

NAME = "sub-exam"
"""Of the results: a DICOM folder may carry the patient's name in every name that it has."""
# How far the ends of a converted stack may lie from where its headers say: they round to 0.01 mm or
# better, and a wrong side or a lost slice is off by a voxel or more.
_PLACE_MM = 0.3
# Where more volumes lack slices than this part, the rest is not to be trusted either: our choice.
_MOST_VOLUMES_LOST = 0.25
_UNCOMPRESSED = {"1.2.840.10008.1.2", "1.2.840.10008.1.2.1", "1.2.840.10008.1.2.2"}
_Read = TypeVar("_Read", Volume, Dwi)


def read_folder(
    folder: Path,
    t1_series: int | None = None,
    dwi_series: int | Sequence[int] | None = None,
    visit: int | None = None,
    with_dwi: bool = True,
) -> Source:
    """Read one visit.

    Parameters
    ----------
    folder : Path
        Searched with all its folders; or one multi-frame file.
    t1_series : int, optional
        Number of the series to take, instead of what ``series_rules`` finds.
    dwi_series : int or sequence of int, optional
        The same; several of one geometry are put together.
    visit : int, optional
        From 1, the earliest; needed where there are several.
    with_dwi : bool
        Read the diffusion too.

    Raises
    ------
    BrainstemALSError
        As ``dicom_scan.scan``. USAGE: a visit or series that is not there, or several visits and
        none chosen. UNREADABLE_IMAGE, UNSUITABLE_IMAGE: no T1, or none that can be read.
    """
    found = scan(folder)
    number = choose_visit(found, visit)
    series = found.visits[number]
    picture, findings = choose_t1(series, t1_series)
    numbers = [dwi_series] if isinstance(dwi_series, int) else dwi_series
    weighted, noted = choose_dwi(series, numbers) if with_dwi else ([], [])
    findings += [*noted, *_damage(found.n_damaged)]
    findings += [note for one in (picture, *weighted) for note in limits_of(one)]
    findings += unsure_of_one_person(_headers(series), picture.headers, _headers(weighted))
    t1, noted = _read_t1(picture)
    findings += noted
    names, checksums = {"t1": f"T1 ({picture.label})"}, {"t1": _digest(t1)}
    dwi = None
    if weighted:
        label = ", ".join(one.label for one in weighted)
        try:
            dwi = merged([_read_dwi(one) for one in weighted])
        except BrainstemALSError as refusal:
            # Of several, the one that is at fault.
            at_fault = refusal.subject in {one.label for one in weighted}
            findings.append(not_read(refusal, refusal.subject if at_fault else label))
        else:
            names["dwi"] = f"DWI ({label})"
            checksums["dwi"] = _digest(dwi.volume)
    several = len(found.visits) > 1
    return Source(
        name=f"{NAME}_ses-{number + 1}" if several else NAME,
        t1=t1,
        dwi=dwi,
        person=replace(
            person_of(picture.first),
            days_since_first_visit=found.days[number] if several else None,
        ),
        findings=tuple(findings),
        names=names,
        checksums=checksums,
    )


def _headers(series: Sequence[Series]) -> list[Header]:
    return [header for one in series for header in one.headers]


def _damage(count: int) -> list[Finding]:
    if not count:
        return []
    return [
        Finding(
            "dicom_files_damaged",
            "warning",
            f"{count} DICOM files are damaged and were left out."
            if count > 1
            else "1 DICOM file is damaged and was left out.",
            "Copy or export the folder again if something is missing.",
        )
    ]


def _read_t1(series: Series) -> tuple[Volume, list[Finding]]:
    _refuse_gaps(series, ExitCode.UNSUITABLE_IMAGE)
    headers, findings = list(series.headers), []
    if series.slices.n_volumes > 1 and not series.first.is_multi_frame:
        headers = slices.first_volume(headers)
        findings.append(_first_taken(series, f"{series.slices.n_volumes} images of each slice"))

    def read(path: Path) -> Volume:
        return in_place(_named(lambda: read_volume(path, "T1"), series), series)

    files = _along_stack(headers)
    multi = series.first.is_multi_frame or series.first.is_mosaic
    try:
        with converted(files) as images:
            if multi and len(images) > 1:
                findings.append(_first_taken(series, f"{len(images)} images"))
            # Slices of one volume that dcm2niix tears apart, by a date that some lack, GDCM stacks.
            if len(images) == 1 or (multi and images):
                return read(images[0]), findings
    except NoConverterError:
        if multi:
            raise _without_converter(series) from None
    if multi:
        raise not_converted(series.label, _syntax(series.first))
    with stacked(files, series.label, _syntax(series.first)) as image:
        return read(image), findings


def _first_taken(series: Series, what: str) -> Finding:
    return Finding(
        "t1_repeated",
        "info",
        f"DICOM {series.label} holds {what}; the first was taken.",
        "Choose another series with --t1-series where this is the wrong one.",
    )


def _read_dwi(series: Series) -> Dwi:
    findings, headers = [], list(series.headers)
    if not series.first.is_mosaic:  # one file is one volume
        _refuse_gaps(series, ExitCode.UNSUITABLE_DIFFUSION)
        headers, lost = slices.whole_volumes(headers)
        if lost:
            findings.append(_volumes_lost(series, headers, lost))
    n_images, n_measured = count_volumes(series, headers)
    try:
        with converted([header.path for header in headers]) as images:
            if not images:
                raise not_converted(series.label, _syntax(series.first))
            dwi = joined(_read_parts(images, series), n_images)
    except NoConverterError:
        raise _without_converter(series) from None
    findings += volumes_left_out(series.label, len(dwi.bvals), n_measured)
    in_place(dwi.volume, series)
    before = {"motion"} if "MOCO" in series.first.image_type else set()
    return replace(dwi, corrected=dwi.corrected | before, findings=(*dwi.findings, *findings))


def _read_parts(images: Sequence[Path], series: Series) -> list[Dwi]:
    """Read those of the converted images that can be used; with none, refuse the first one."""
    parts, refused = [], []
    for image in images:
        if not image.with_suffix(".bvec").is_file():
            continue
        try:
            part = _named(partial(read_dwi, image), series)
        except BrainstemALSError as refusal:
            refused.append(refusal)
            continue
        if part.bvecs.any() or part.unweighted.all():  # dcm2niix writes zeros for what it misses
            parts.append(part)
    if any(part.bvecs.any() for part in parts):
        return parts
    raise refused[0] if refused and not parts else _without_directions(series)


def _refuse_gaps(series: Series, code: ExitCode) -> None:
    lie = series.slices
    if lie.n_between:
        total = lie.n_between + len(lie.places)
        problem = f"{lie.n_between} of {total} slices are missing between the others"
    elif not lie.even:
        problem = "its slices do not lie at even distances"
    else:
        return
    raise BrainstemALSError(series.label, problem, EXPORT_AGAIN, code)


def _volumes_lost(series: Series, kept: Sequence[Header], lost: int) -> Finding:
    """Return the finding for volumes without all slices; too many are a refusal."""
    total = series.slices.n_volumes
    problem = f"{lost} of {total} volumes lack slices"
    if not kept or lost > _MOST_VOLUMES_LOST * total:
        raise BrainstemALSError(series.label, problem, EXPORT_AGAIN, ExitCode.UNSUITABLE_DIFFUSION)
    return Finding(
        "diffusion_slices_missing",
        "warning",
        f"Of the diffusion ({series.label}) {problem}; they were left out.",
        EXPORT_AGAIN,
    )


def _named(read: Callable[[], _Read], series: Series) -> _Read:
    """What a reader returns; its refusals name the series, not our own file."""
    try:
        return read()
    except BrainstemALSError as refusal:
        raise BrainstemALSError(
            series.label, refusal.problem, refusal.remedy, refusal.code
        ) from None


def in_place(volume: Volume, series: Series) -> Volume:
    """Return the volume, once the ends of its stack lie where the headers say.

    Mosaics are left out: their headers give another place.

    Raises
    ------
    BrainstemALSError
        UNREADABLE_IMAGE: an end lies elsewhere, or slices were lost or made up.
    """
    places = series.slices.places
    if series.first.is_mosaic or not len(places):
        return volume
    normal = np.cross(*series.first.orientation)
    positions = [frame.position for _, frame in slices.images_of(series.headers)]
    along = np.array(positions) @ normal
    ends = np.array([positions[along.argmin()], positions[along.argmax()]]) * (-1.0, -1.0, 1.0)
    to_voxel = np.linalg.inv(volume.affine)
    voxels = ends @ to_voxel[:3, :3].T + to_voxel[:3, 3]
    last = np.array(volume.array.shape[:3]) - 1
    off = np.minimum(np.abs(voxels), np.abs(voxels - last)) * volume.spacing
    if len(places) not in volume.array.shape[:3] or off.max() > _PLACE_MM:
        raise BrainstemALSError(
            series.label,
            "once converted it does not lie where its headers say",
            "Export the series again, or convert it with another program and give the NIfTI.",
            ExitCode.UNREADABLE_IMAGE,
        )
    return volume


def _without_converter(series: Series) -> BrainstemALSError:
    return BrainstemALSError(
        series.label,
        "it can only be read with dcm2niix, which is not installed or does not start",
        "Install it: pip install dcm2niix.",
        ExitCode.MISSING_PACKAGE,
    )


def _without_directions(series: Series) -> BrainstemALSError:
    if not series.is_weighted:
        return BrainstemALSError(
            series.label,
            "it has no diffusion weighting: its headers give no b-values",
            "Choose another series with --dwi-series.",
            ExitCode.UNSUITABLE_DIFFUSION,
        )
    return BrainstemALSError(
        series.label,
        "its headers give b-values, but no gradient directions that can be read",
        "Give the series as measured, not its averages, or as NIfTI with bval and bvec.",
        ExitCode.UNSUITABLE_DIFFUSION,
    )


def _syntax(header: Header) -> str | None:
    """Name of the compression of a file, where it has one."""
    if header.syntax in _UNCOMPRESSED:
        return None
    from pydicom.uid import UID

    return UID(header.syntax).name


def _along_stack(headers: Sequence[Header]) -> list[Path]:
    """Files along the normal of the slices, as GDCM needs them."""

    def place(header: Header) -> float:
        position = header.frames[0].position
        if position is None or header.orientation is None:
            return 0.0
        return float(np.cross(*header.orientation) @ position)

    return [header.path for header in sorted(headers, key=place)]


def _digest(volume: Volume) -> str:
    """SHA-256 of voxels and place: the same for any copy of the files, whatever their headers."""
    digest = hashlib.sha256(np.ascontiguousarray(volume.array).data)
    digest.update(np.ascontiguousarray(volume.affine, dtype=float).data)
    return digest.hexdigest()
