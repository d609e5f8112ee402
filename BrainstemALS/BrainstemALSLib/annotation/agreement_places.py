"""Places where annotators disagree, to look at together."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..anatomy import load_structures
from ..imaging.volume import Volume
from .consensus import Opinions

MINIMUM_MM3 = 3.0
"""Smaller places are not listed (our own choice): a few voxels at 1 mm are anybody's outline."""
BACKGROUND = "background"


@dataclass(frozen=True)
class Place:
    """A connected place where the same labels stand against each other.

    Attributes
    ----------
    centre_ras : tuple of 3 float
        Voxel of the place nearest to its centroid, RAS mm; always inside it.
    volume_mm3 : float
        Its size.
    depth_mm : float
        Distance of its innermost voxel's centre to the nearest voxel outside it: a rim as thin as a
        voxel has one voxel's, a part of a structure that somebody missed has more.
    keys : tuple of str
        Structures that are confused, in the order of the table; ``background`` for none.
    share : float
        Mean of the disagreement map in it, 0-1.
    """

    centre_ras: tuple[float, float, float]
    volume_mm3: float
    depth_mm: float
    keys: tuple[str, ...]
    share: float


def find_places(opinions: Opinions, disagreement: Volume, limit: int = 20) -> tuple[Place, ...]:
    """Return where annotators disagree, the largest place first.

    Outlines differ nearly everywhere by a voxel, so that all disagreement would be one place: it is
    split by which labels stand against each other. Voxels touch by faces.

    Parameters
    ----------
    opinions : Opinions
        Labels of all annotators.
    disagreement : Volume
        Its map, as ``consensus.disagreement_of`` returns it.
    limit : int
        How many are returned.
    """
    from scipy import ndimage

    where = opinions.disputed
    if not where.any():
        return ()
    code, sets = _codes(opinions, where)
    voxel = disagreement.voxel_volume
    keys = {0: BACKGROUND, **{s.index: s.key for s in load_structures()}}
    found = []
    for number, values in enumerate(sets, start=1):
        components, _count = ndimage.label(code == number)
        for part, window in enumerate(ndimage.find_objects(components), start=1):
            inside = components[window] == part
            if inside.sum() * voxel >= MINIMUM_MM3:
                found.append((float(inside.sum()) * voxel, window, inside, values))
    # Equal sizes in a fixed order: by where they begin.
    found.sort(key=lambda item: (-item[0], [part.start for part in item[1]]))
    return tuple(
        Place(
            centre_ras=_centre(inside, window, disagreement.affine),
            volume_mm3=volume,
            depth_mm=float(
                ndimage.distance_transform_edt(
                    np.pad(inside, 1), sampling=disagreement.spacing
                ).max()
            ),
            keys=tuple(keys.get(value, str(value)) for value in values),
            share=float(disagreement.array[window][inside].mean()),
        )
        for volume, window, inside, values in found[:limit]
    )


def _codes(opinions: Opinions, where: np.ndarray) -> tuple[np.ndarray, list[tuple[int, ...]]]:
    """Return a number from 1 for each set of labels that meet in a voxel, and the sets."""
    labels, vouched = opinions.labels[:, where], opinions.vouched[:, where]
    # Who does not vouch repeats what somebody says who does: sets, not votes.
    someone = np.take_along_axis(labels, vouched.argmax(axis=0)[None], axis=0)
    columns = np.sort(np.where(vouched, labels, someone), axis=0)
    unique, inverse = np.unique(columns, axis=1, return_inverse=True)
    sets: dict[tuple[int, ...], int] = {}
    numbers = [
        sets.setdefault(tuple(sorted(set(column.tolist()))), len(sets) + 1) for column in unique.T
    ]
    code = np.zeros(where.shape, np.int32)
    code[where] = np.array(numbers, np.int32)[inverse.reshape(-1)]
    return code, list(sets)


def _centre(
    inside: np.ndarray, window: tuple[slice, ...], affine: np.ndarray
) -> tuple[float, float, float]:
    start = [part.start for part in window]
    points = (np.argwhere(inside) + start) @ affine[:3, :3].T + affine[:3, 3]
    nearest = np.linalg.norm(points - points.mean(axis=0), axis=1).argmin()
    return tuple(float(value) for value in points[nearest])
