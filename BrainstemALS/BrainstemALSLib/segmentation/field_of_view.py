"""Where the field of view ends, and what it cuts."""

from __future__ import annotations

import numpy as np

from ..imaging.volume import Volume

BORDER_MM = 1.5  # brainstem this close to a face of the field of view counts as cut by it
MIN_CUT_MM2 = 20.0  # smaller contacts are noise

_FACES = (("left", "right"), ("posterior", "anterior"), ("inferior", "superior"))


Slabs = tuple[tuple[int, int], tuple[int, int], tuple[int, int]]
"""First and last voxel with an image in it, along each axis."""


def cut_faces(stem: np.ndarray, t1: Volume) -> dict[str, float]:
    """Area (mm2) of brainstem within 1.5 mm of each face of the field of view, where notable.

    The field of view ends where the image does: end slabs of one value (padding, a mask, removed
    slices) are outside. The mask of a skull-stripped head that ends well below the medulla cuts
    nothing; one that ends within 1.5 mm of it cannot be told from a cut, and counts as one.
    """
    return faces_within(Volume(stem, t1.affine), filled_extent(t1))


def filled_extent(t1: Volume) -> Slabs:
    """Where along each axis the image of a T1 begins and ends, see ``filled_slabs``."""
    return tuple(filled_slabs(t1.array, axis) for axis in range(3))


def faces_within(stem: Volume, filled: Slabs) -> dict[str, float]:
    """``cut_faces`` for one who has no longer the T1, but knows where its image ends.

    Parameters
    ----------
    stem : Volume
        bool, the whole grid of the T1.
    filled : tuple
        As ``filled_extent`` returns it.
    """
    out: dict[str, float] = {}
    for axis in range(3):
        direction = stem.affine[:3, axis]
        world = int(np.abs(direction).argmax())
        depth = max(1, round(BORDER_MM / float(np.linalg.norm(direction))))
        area = stem.voxel_volume / float(np.linalg.norm(direction))
        first, last = filled[axis]
        for end, part in (
            (0, stem.array.take(range(min(first + depth, stem.shape[axis])), axis)),
            (1, stem.array.take(range(max(last + 1 - depth, 0), stem.shape[axis]), axis)),
        ):
            contact = float(part.any(axis).sum() * area)
            if contact >= MIN_CUT_MM2:
                positive = (direction[world] > 0) == bool(end)
                out[_FACES[world][int(positive)]] = contact
    return out


def filled_slabs(array: np.ndarray, axis: int) -> tuple[int, int]:
    """First and last slab along an axis that are not all one value; looks at no more than these."""
    slabs = np.moveaxis(array, axis, 0)
    filled = (n for n in range(len(slabs)) if slabs[n].min() != slabs[n].max())
    first = next(filled, 0)
    filled = (n for n in reversed(range(len(slabs))) if slabs[n].min() != slabs[n].max())
    return first, next(filled, len(slabs) - 1)


def padded_area(t1: Volume, head: np.ndarray, affine: np.ndarray) -> float:
    """Largest area (mm2) of head on a face where the image goes on, but with nothing in it.

    Parameters
    ----------
    t1 : Volume
    head : numpy.ndarray, shape (i, j, k)
        bool, on a coarser grid of cubes.
    affine : numpy.ndarray, shape (4, 4)
        Of that grid, RAS mm.
    """
    step = float(np.linalg.norm(affine[:3, 0]))
    matrix = np.linalg.inv(t1.affine) @ affine
    index = np.argwhere(head) @ matrix[:3, :3].T + matrix[:3, 3]
    largest = 0.0
    for axis in range(3):
        size = float(np.linalg.norm(t1.affine[:3, axis]))
        first, last = filled_slabs(t1.array, axis)
        for padded, depth in (
            (first > 0, index[:, axis] - first),
            (last < t1.shape[axis] - 1, last - index[:, axis]),
        ):
            # One and a half steps: what a coarse network finds ends a little before the image does.
            touching = (depth * size >= -step / 2) & (depth * size < 1.5 * step)
            if padded:
                largest = max(largest, float(touching.sum()) * step**2)
    return largest
