"""Lays the visits of one person on a space halfway between them, so that none is the reference.

A visit that others are resampled to keeps its sharpness and they lose some of theirs, which alone
looks like change (Yushkevich et al. 2010, doi:10.1016/j.neuroimage.2009.12.007). Here every pair of
visits is registered both ways round and the movements are averaged, which gives the same space
whichever visit comes first. The idea is that of Reuter et al. 2012
(doi:10.1016/j.neuroimage.2012.02.084); their iterative template is left out, because pairs are
enough for the few visits that ALS allows, and need no start.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np

from ..imaging.registration.region import REGION_MM, Region, stem_points
from ..imaging.registration.rigid import head_movement, region_movement
from ..imaging.volume import Volume

_MEAN_STEPS = 10
_SMALL = 1e-10


@dataclass(frozen=True, eq=False)
class Movements:
    """Rigid movements between the visits of one person.

    Attributes
    ----------
    between : dict
        Two positions to the movement, shape (4, 4), from RAS mm of the first visit's T1 to RAS mm
        of the second's; the mean of both directions. Pairs that do not meet are missing.
    apart_mm : dict
        The same to how far points of the brainstem come back from where they were when moved to
        the other visit and back, each way as it was found: 0 for registrations without error.
    """

    between: dict[tuple[int, int], np.ndarray]
    apart_mm: dict[tuple[int, int], float]

    def residual_mm(self, visit: int, among: Sequence[int]) -> float:
        """Return the least ``apart_mm`` of a visit with the others; infinite if it meets none."""
        pairs = [(visit, other) for other in among if (visit, other) in self.apart_mm]
        return min((self.apart_mm[pair] for pair in pairs), default=float("inf"))

    def to_common(self, visit: int, among: Sequence[int]) -> np.ndarray:
        """Return the movement, shape (4, 4), of a visit to the space halfway between visits."""
        others = [(visit, other) for other in among if (visit, other) in self.between]
        return mean_movement([np.eye(4), *(self.between[pair] for pair in others)])


def register_pairs(t1s: Sequence[Volume], centres: Sequence[np.ndarray]) -> Movements:
    """Register every pair of visits, both ways round.

    Parameters
    ----------
    t1s : sequence of Volume
        Two or more, any grids.
    centres : sequence of numpy.ndarray, shape (3,)
        Middle of the brainstem of each, RAS mm.

    Notes
    -----
    Sums are taken in the order of the visits: give them in an order that does not depend on the
    caller, where the last bits matter.
    """
    between: dict[tuple[int, int], np.ndarray] = {}
    apart: dict[tuple[int, int], float] = {}
    for a, b in combinations(range(len(t1s)), 2):
        there = _movement(t1s[a], t1s[b], centres[a], centres[b])
        back = _movement(t1s[b], t1s[a], centres[b], centres[a])
        if there is None or back is None:
            continue
        between[a, b] = mean_movement([there, np.linalg.inv(back)])
        between[b, a] = np.linalg.inv(between[a, b])
        points = stem_points(np.asarray(centres[a]))
        came_back = moved(back @ there, points)
        apart[a, b] = apart[b, a] = float(np.linalg.norm(points - came_back, axis=1).mean())
    return Movements(between, apart)


def moved(movement: np.ndarray, points: np.ndarray) -> np.ndarray:
    """Return points (n, 3), RAS mm, after a movement (4, 4)."""
    return points @ movement[:3, :3].T + movement[:3, 3]


def mean_movement(movements: Sequence[np.ndarray]) -> np.ndarray:
    """Return the mean of rigid movements, shape (4, 4).

    The movement from which those to all the others cancel, by the logarithm of rigid movements
    (the barycentre of Pennec & Arsigny 2013, doi:10.1007/978-3-642-30232-9_7). The mean of a
    movement's inverses is the inverse of their mean.
    """
    from scipy.linalg import expm, logm

    mean = movements[0]
    for _ in range(_MEAN_STEPS):
        steps = [np.real(logm(np.linalg.solve(mean, other))) for other in movements]
        step = np.mean(steps, axis=0)
        mean = mean @ expm(step)
        if np.abs(step).max() < _SMALL:
            break
    return mean


def _movement(
    moving: Volume, fixed: Volume, moving_centre: np.ndarray, fixed_centre: np.ndarray
) -> np.ndarray | None:
    """Rigid movement of one T1 to another, RAS mm; None where they do not meet."""
    region = Region(np.asarray(fixed_centre, float), REGION_MM, True)
    start = np.eye(4)
    start[:3, 3] = np.asarray(fixed_centre) - np.asarray(moving_centre)
    by_head = head_movement(moving, fixed, start, region.centre)
    return region_movement(moving, fixed, start if by_head is None else by_head, region)
