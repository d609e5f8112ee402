"""Whether the slices of a series are all there, and which volumes lack some."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass

import numpy as np

from .dicom_headers import Header
from .enhanced import Frame

# Slices closer than this are one place: headers round to 0.01 mm or better, and no scanner steps
# so little.
SAME_PLACE_MM = 0.1
# Part of a step by which a slice may lie off its place; rounding stays far below.
STEP_TOLERANCE = 0.1


@dataclass(frozen=True, eq=False)
class Slices:
    """How the images of a series lie along the direction that they are stacked in.

    Attributes
    ----------
    places : numpy.ndarray
        Distinct places, mm, ascending; empty where nothing says them.
    step : float
        Between neighbours, mm; 0 with fewer than two.
    n_between : int
        Slices that are missing between others.
    n_ends : int
        Slices that are missing beyond, where the vendor says how many there should be.
    even : bool
        Whether every slice lies on a multiple of the step.
    n_volumes : int
        Images at the place that has most.
    complete : bool
        Whether every place has as many images.
    """

    places: np.ndarray
    step: float
    n_between: int
    n_ends: int
    even: bool
    n_volumes: int
    complete: bool


def images_of(headers: Sequence[Header]) -> list[tuple[Header, Frame]]:
    """Return every frame with the file that it is in."""
    return [(header, frame) for header in headers for frame in header.frames]


def look_at(headers: Sequence[Header]) -> Slices:
    """Return how the slices of a series lie; the series has one orientation."""
    positions = _along_normal(headers)
    if positions is None:
        return Slices(np.empty(0), 0.0, 0, 0, True, 1, True)
    places, counts = _distinct(positions)
    steps = np.diff(places)
    step = float(np.median(steps)) if len(steps) else 0.0
    multiples = steps / step if step else steps
    whole = np.rint(multiples)
    expected = max(header.n_slices for header in headers)
    n_between = int(np.sum(whole - 1)) if len(steps) else 0
    return Slices(
        places=places,
        step=step,
        n_between=n_between,
        n_ends=max(0, expected - len(places) - n_between),
        even=bool((np.abs(multiples - whole) <= STEP_TOLERANCE).all()),
        n_volumes=int(counts.max()),
        complete=bool((counts == counts.max()).all()),
    )


def first_volume(headers: Sequence[Header]) -> list[Header]:
    """Return the first file of every place, where a series holds several volumes."""
    positions = _along_normal(headers)
    if positions is None:
        return list(headers)
    order = sorted(
        range(len(headers)),
        key=lambda n: (headers[n].acquisition, headers[n].temporal, headers[n].instance),
    )
    taken: dict[int, Header] = {}
    places, _ = _distinct(positions)
    for n in order:
        taken.setdefault(int(np.abs(places - positions[n]).argmin()), headers[n])
    return list(taken.values())


def whole_volumes(headers: Sequence[Header]) -> tuple[list[Header], int]:
    """Return the files of those volumes that have every slice, and how many have not.

    Which files make a volume is told by what tells volumes apart with this vendor: the temporal
    position, the acquisition number, or b-value and direction. Of files that this leaves together,
    such as unweighted volumes, all go when one is missing.
    """
    positions = _along_normal(headers)
    if positions is None or len(positions) < 2:
        return list(headers), 0
    places, counts = _distinct(positions)
    if (counts == counts.max()).all():
        return list(headers), 0
    if len(positions) > len(headers):  # frames of one file cannot be left out
        return [], int(counts.max())
    place_of = [int(np.abs(places - position).argmin()) for position in positions]
    best: tuple[list[Header], int] = ([], len(headers) // max(1, len(places)))
    for key in _VOLUME_KEYS:
        groups: dict[Hashable, list[int]] = defaultdict(list)
        for n, header in enumerate(headers):
            groups[key(header)].append(n)
        kept, lost = [], 0
        for members in groups.values():
            counts = Counter(place_of[n] for n in members)
            if len(counts) == len(places) and len(set(counts.values())) == 1:
                kept += members
            else:
                lost += max(counts.values())
        if len(kept) > len(best[0]):
            best = ([headers[n] for n in sorted(kept)], lost)
    return best


def _gradient(header: Header) -> Hashable:
    frame = header.frames[0]
    vector = frame.direction
    return frame.b, None if vector is None else tuple(round(x, 3) for x in vector)


_VOLUME_KEYS: tuple[Callable[[Header], Hashable], ...] = (
    lambda header: (header.temporal, _gradient(header)),
    lambda header: (header.acquisition, _gradient(header)),
    _gradient,
)


def _along_normal(headers: Sequence[Header]) -> np.ndarray | None:
    """Return the place of every image along the normal of the slices, mm, or None."""
    axes = headers[0].orientation
    images = images_of(headers)
    if axes is None or any(frame.position is None for _, frame in images):
        return None
    return np.array([frame.position for _, frame in images]) @ np.cross(*axes)


def _distinct(positions: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return distinct places, ascending, and how many images are at each."""
    ordered = np.sort(positions)
    starts = np.flatnonzero(np.diff(ordered, prepend=-np.inf) > SAME_PLACE_MM)
    counts = np.diff(np.append(starts, len(ordered)))
    sums = np.add.reduceat(ordered, starts)
    return sums / counts, counts
