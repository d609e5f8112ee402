"""Puts together what dcm2niix makes of one diffusion series, and counts what is missing.

dcm2niix splits a series whose headers differ in what it takes for another acquisition, such as an
echo time that the scanner changed by a fraction of a millisecond.
"""

from __future__ import annotations

from collections.abc import Sequence

from ...errors import BrainstemALSError
from ..dwi import B0_LIMIT, Dwi
from ..finding import Finding
from .dicom_headers import Header
from .dicom_scan import Series
from .merging import merged
from .slices import images_of, look_at


def joined(parts: Sequence[Dwi], n_images: int) -> Dwi:
    """Return the part with most weighted volumes, and with it those of its geometry.

    Parameters
    ----------
    parts : sequence of Dwi
        One or more.
    n_images : int
        Volumes that the series has at most; 0 where its headers do not say. More means that a part
        repeats another one, and it is left out.
    """
    first, *others = sorted(parts, key=lambda part: -int((~part.unweighted).sum()))
    for part in others:
        if n_images and len(first.bvals) + len(part.bvals) > n_images:
            continue
        try:
            first = merged([first, part])
        except BrainstemALSError:  # of another grid or phase encoding: counted as left out
            continue
    return first


def count_volumes(series: Series, headers: Sequence[Header]) -> tuple[int, int]:
    """Return how many volumes the headers name, and how many of them were measured.

    Weighted volumes without a direction amid others that have one are averages that the scanner
    computed; dcm2niix takes those of Philips out. Both are 0 where nothing says how the slices lie.

    Parameters
    ----------
    series : Series
    headers : sequence of Header
        The files of it that are converted.
    """
    per_volume = 1 if series.first.is_mosaic else len(look_at(headers).places)
    frames = [frame for _, frame in images_of(headers)]
    if not per_volume:
        return 0, 0
    weighted = [frame for frame in frames if frame.b is not None and frame.b > B0_LIMIT]
    averages = sum(not any(frame.direction or ()) for frame in weighted)
    if averages == len(weighted):  # written where only dcm2niix finds it
        averages = 0
    return len(frames) // per_volume, (len(frames) - averages) // per_volume


def volumes_left_out(label: str, n_read: int, n_measured: int) -> list[Finding]:
    """Return the finding for volumes of a series that did not come out of its conversion."""
    if n_read >= n_measured:
        return []
    return [
        Finding(
            "diffusion_volumes_left_out",
            "warning",
            f"Of the diffusion ({label}) {n_measured - n_read} of {n_measured} volumes could not "
            "be converted into one image with the others; they were left out.",
            "Export the series again, or convert it with another program and give the NIfTI.",
        )
    ]
