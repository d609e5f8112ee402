"""The few places of an exam that are worth an expert's minutes: "correct only these three"."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from .queries.base import Strategy, ranked
from .queries.candidates import Candidates
from .summary import CaseSummary

BOX_MM = 16.0
"""Side of a place (own choice): it holds a whole red nucleus or olive with its surroundings."""
PLACES = 3
STEPS = 4
"""A box may begin at every quarter of its side (own choice)."""
CONCERNED = 0.1
"""Share of a place's doubt from which a structure is named (own choice); at most ``NAMED``."""
NAMED = 4


@dataclass(frozen=True)
class Place:
    """A box in an exam that an expert should look at.

    Attributes
    ----------
    centre_ras : tuple of 3 float
        Its middle, RAS mm.
    size_mm : float
        Side of the box, which is parallel to the axes of the summary's grid.
    keys : tuple of str
        Structures that its doubt is about, the most doubtful first.
    score : float
        What the strategy went by.
    reason : str
        One sentence.
    """

    centre_ras: tuple[float, float, float]
    size_mm: float
    keys: tuple[str, ...]
    score: float
    reason: str


def best_places(
    summary: CaseSummary,
    strategy: Strategy,
    seed: int,
    count: int = PLACES,
    box_mm: float = BOX_MM,
) -> tuple[Place, ...]:
    """Return the best places of an exam, no two of which overlap, the best first.

    Parameters
    ----------
    summary : CaseSummary
    strategy : Strategy
    seed : int
        The same seed gives the same places.
    count : int
    box_mm : float
        Side of a place in mm; cut to the grid where that is smaller.

    Returns
    -------
    tuple of Place
        Fewer than ``count`` where the brainstem has no room for more.
    """
    lattice = _Lattice(summary, box_mm)
    if not len(lattice.candidates):
        return ()
    choices = ranked(
        strategy, lattice.candidates, count, seed, clashes=lambda index: lattice.clash(index)
    )
    places = []
    for choice in choices:
        keys = lattice.concerned(choice.index)
        names = ", ".join(key.replace("_", " ") for key in keys) or "no structure"
        reason = f"Look at {names}: {choice.reason}."
        centre = lattice.centre(choice.index)
        places.append(Place(centre, box_mm, keys, choice.score, reason))
    return tuple(places)


def box_mask(
    shape: tuple[int, int, int], affine: np.ndarray, centre_ras: tuple[float, ...], size_mm: float
) -> np.ndarray:
    """Return the voxels of a grid whose middles lie in a place.

    Parameters
    ----------
    shape, affine
        Of the grid; its axes are parallel to those of the place.
    centre_ras : tuple of 3 float
        RAS mm.
    size_mm : float

    Returns
    -------
    numpy.ndarray, shape (i, j, k)
        bool.
    """
    spacing = np.linalg.norm(affine[:3, :3], axis=0)
    middle = np.linalg.solve(affine, [*centre_ras, 1.0])[:3]
    half = size_mm / 2 / spacing
    axes = [
        np.abs(np.arange(n) - m) <= h + 1e-6 for n, m, h in zip(shape, middle, half, strict=True)
    ]
    return axes[0][:, None, None] & axes[1][None, :, None] & axes[2][None, None, :]


class _Lattice:
    """All boxes of an exam that hold a structure, with their scores."""

    def __init__(self, summary: CaseSummary, box_mm: float):
        self.summary = summary
        shape = np.array(summary.classes.shape)
        self.step = np.maximum(1, np.rint(box_mm / STEPS / summary.spacing)).astype(int)
        self.step = np.minimum(self.step, np.maximum(1, shape // STEPS))
        size = 1 + len(summary.keys)
        self.grid = shape // self.step
        one = np.ones(summary.classes.shape)
        self.voxels = self._boxes(one, size)
        self.doubt = self._boxes(summary.entropy.astype(float), size)
        disagreement = self._boxes(summary.disagreement.astype(float), size).sum(-1)
        whole = self.voxels.sum(-1)
        foreground = 1 - self.voxels[..., 0] / whole
        self.rows = np.argwhere(foreground > 0)
        inside = tuple(self.rows.T)
        voxels, doubt = self.voxels[inside], self.doubt[inside]
        # Over the whole box: one doubtful voxel at its edge makes no place for a structure.
        by_class = np.where(voxels > 0, doubt / whole[inside][:, None], np.nan)
        self.doubt_of = doubt
        self.candidates = Candidates(
            entropy=doubt.sum(-1) / whole[inside],
            disagreement=disagreement[inside] / whole[inside],
            by_class=by_class,
            foreground=foreground[inside],
            features=voxels / whole[inside][:, None],  # what a place is made of
            keys=summary.keys,
        )

    def _boxes(self, values: np.ndarray, size: int) -> np.ndarray:
        """Sums of values by class over every box, (a, b, c, classes)."""
        cut = tuple(slice(0, n * s) for n, s in zip(self.grid, self.step, strict=True))
        values, classes = values[cut], self.summary.classes[cut].astype(np.int64)
        block = [np.arange(n * s) // s for n, s in zip(self.grid, self.step, strict=True)]
        number = (block[0][:, None, None] * self.grid[1] + block[1][:, None]) * self.grid[2]
        number = (number + block[2]) * size + classes
        total = int(np.prod(self.grid)) * size
        sums = np.bincount(number.ravel(), values.ravel(), total).reshape(*self.grid, size)
        for axis in range(3):
            width = min(STEPS, int(self.grid[axis]))
            sums = np.cumsum(sums, axis=axis)
            head = np.take(sums, range(width - 1, self.grid[axis]), axis=axis)
            tail = np.take(sums, range(self.grid[axis] - width), axis=axis)
            pad = [(0, 0)] * 4
            pad[axis] = (1, 0)
            sums = head - np.pad(tail, pad)
        # Cumulated sums leave dust where there is nothing.
        return np.where(sums > 1e-9, sums, 0.0)

    def clash(self, index: int) -> np.ndarray:
        """Rows whose boxes overlap one."""
        return (np.abs(self.rows - self.rows[index]) < STEPS).all(1)

    def centre(self, index: int) -> tuple[float, float, float]:
        """Middle of a box, RAS mm."""
        width = np.minimum(STEPS, self.grid) * self.step
        voxel = self.rows[index] * self.step + (width - 1) / 2
        affine = self.summary.affine
        return tuple(float(v) for v in np.round(affine[:3, :3] @ voxel + affine[:3, 3], 2))

    def concerned(self, index: int) -> tuple[str, ...]:
        """Structures that have a share of a box's doubt."""
        doubt = self.doubt_of[index, 1:]
        if doubt.sum() <= 0:  # nothing is in doubt: name what is there
            doubt = self.candidates.features[index, 1:]
        order = np.argsort(-doubt, kind="stable")[:NAMED]
        return tuple(self.summary.keys[n] for n in order if doubt[n] >= CONCERNED * doubt.sum() > 0)
