"""Simulated visits of one anatomy with a known change, in another pose or on another scanner."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
from scipy import ndimage
from scipy.spatial.transform import Rotation

from BrainstemALSLib.anatomy import CONTEXT, REGIONS, by_key, composites, load_structures
from BrainstemALSLib.errors import BrainstemALSError
from BrainstemALSLib.imaging.exam import Exam
from BrainstemALSLib.imaging.volume import Volume
from BrainstemALSLib.phantom import deformation

from .simulate import simulate_exam

Result = TypeVar("Result")

ROTATION_DEGREES, SHIFT_MM = 6.0, 5.0
"""Standard limits of a head's pose in a coil, either way about or along each axis; our own choice.
A shift of 1.5 mm and more lets one draw of noise fall on other tissue."""
SMALLEST_SHIFT_MM = 1.5
SURROUNDINGS_MM = 15.0
"""Size of the patches of unlabelled tissue, in the middle of what training draws."""
ATTEMPTS, NEXT_SCANNER = 5, 10_000_019
_MARGIN_MM = 3 * deformation.FALLOFF_MM
_STEPS = 3


@dataclass(frozen=True, eq=False)
class Course:
    """An anatomy that has lost some of a region.

    Attributes
    ----------
    anatomy : Volume
        uint8 labels of ``training.labels``.
    displacement : numpy.ndarray, shape (3, i, j, k), or None
        Backward, mm along the axes of the box of the anatomy; None without a loss.
    start : numpy.ndarray, shape (3,)
        First voxel of the box.
    change_percent : dict
        Structure or composite to the true change of its volume against the anatomy, per cent.
    """

    anatomy: Volume
    displacement: np.ndarray | None
    start: np.ndarray
    change_percent: dict[str, float]

    def look(self, points: np.ndarray) -> np.ndarray:
        """Where points (n, 3) of this shape lie in the anatomy, RAS mm."""
        if self.displacement is None:
            return points
        affine = self.anatomy.affine
        index = (points - affine[:3, 3]) @ np.linalg.inv(affine[:3, :3]).T - self.start
        moved = [
            ndimage.map_coordinates(part, index.T, order=1, mode="constant")
            for part in self.displacement
        ]
        axes = affine[:3, :3] / self.anatomy.spacing
        return points + np.stack(moved, -1) @ axes.T


def course(anatomy: Volume, region: str, loss_percent: float) -> Course:
    """Return the shape of an anatomy after a region has lost a share of its volume.

    Parameters
    ----------
    anatomy : Volume
        uint8 labels of ``training.labels``, third axis along the body.
    region : str
        Composite, for example ``"medulla"``; it is thinned towards its centreline.
    loss_percent : float
        0 or more.
    """
    spacing = anatomy.spacing
    values = _values(composites()[region])
    mask = np.isin(anatomy.array, values)
    found = np.argwhere(mask)
    margin = np.ceil(_MARGIN_MM / spacing).astype(int)
    start = np.maximum(found.min(0) - margin, 0)
    stop = np.minimum(found.max(0) + margin + 1, mask.shape)
    box = tuple(slice(a, b) for a, b in zip(start, stop, strict=True))
    if loss_percent == 0:
        return Course(anatomy, None, start, dict.fromkeys(_members(), 0.0))
    unit = deformation.shrink(mask[box], spacing, 1.0)
    soft = mask[box].astype(np.float32)

    def volume_at(strength: float) -> float:
        return float(deformation.warp(soft, strength * unit, spacing, 1).sum())

    field = deformation.strength_for(loss_percent, volume_at, _STEPS) * unit
    return Course(anatomy, field, start, _true_changes(anatomy, box, field))


def with_surroundings(anatomy: Volume, seed: int) -> Volume:
    """Return an anatomy whose unlabelled space is filled with patches of tissue (200-204).

    Training draws them anew for every image, on its own grid. Here they have to move with the head,
    or two visits would be registered by what stays in the scanner.
    """
    import torch

    from training.geometry_augmentation import Draw, smooth_field

    draw = Draw(torch.Generator().manual_seed(seed))
    field = smooth_field(draw, anatomy.shape, SURROUNDINGS_MM, 1, float(anatomy.spacing[0]))[0]
    patches = ((field + 1.5) * 1.6).clamp(0, 4).to(torch.uint8).numpy() + np.uint8(200)
    return Volume(np.where(anatomy.array == 0, patches, anatomy.array), anatomy.affine)


def pose(seed: int, centre: np.ndarray) -> np.ndarray:
    """Return a random rigid movement (4, 4) about a point, RAS mm."""
    rng = np.random.default_rng([seed, 0])
    turn = Rotation.from_euler(
        "xyz", rng.uniform(-ROTATION_DEGREES, ROTATION_DEGREES, 3), degrees=True
    ).as_matrix()
    shift = rng.choice((-1.0, 1.0), 3) * rng.uniform(SMALLEST_SHIFT_MM, SHIFT_MM, 3)
    matrix = np.eye(4)
    matrix[:3, :3] = turn
    matrix[:3, 3] = centre + shift - turn @ centre
    return matrix


def simulated_visit(shape: Course, scanner: int, pose_seed: int) -> tuple[Exam, Volume]:
    """Return the images of a visit and its true labels.

    Parameters
    ----------
    shape : Course
    scanner : int
        Contrast, faults and noise of the images. The same for two visits stands for one scanner and
        protocol: noise keeps its place in the scanner and falls on other tissue.
    pose_seed : int
    """
    anatomy = shape.anatomy
    middle = (anatomy.affine @ [*((np.array(anatomy.shape) - 1) / 2), 1.0])[:3]
    move = pose(pose_seed, middle)

    def look(points: np.ndarray) -> np.ndarray:
        return shape.look(points @ move[:3, :3].T + move[:3, 3])

    exam, truth, _ = simulate_exam(anatomy, scanner, look)
    return exam, truth


def first_accepted(attempt: Callable[[int], Result], scanner: int) -> tuple[Result, int]:
    """Return what a scanner gives whose images are accepted, and how many were refused before it.

    Simulated contrasts reach further than real ones, so that now and then no brainstem is found;
    nothing can be compared there.

    Parameters
    ----------
    attempt : callable
        Takes the number of a scanner; raises ``BrainstemALSError`` where its images are refused.
    scanner : int
        The first to try.

    Raises
    ------
    BrainstemALSError
        The last of ``ATTEMPTS`` was refused too.
    """
    for refused in range(ATTEMPTS - 1):
        try:
            return attempt(scanner + refused * NEXT_SCANNER), refused
        except BrainstemALSError:
            continue
    return attempt(scanner + (ATTEMPTS - 1) * NEXT_SCANNER), ATTEMPTS - 1


def groups() -> dict[str, tuple[str, ...]]:
    """Return what errors are summed up over: name to structures and composites."""
    inside = [s for s in load_structures() if s.parent != CONTEXT]
    return {
        "whole regions": ("brainstem", *REGIONS),
        "corticospinal tracts": ("corticospinal_tract_left", "corticospinal_tract_right"),
        "tier A structures": tuple(s.key for s in inside if s.tier == "A"),
        "tier B structures": tuple(s.key for s in inside if s.tier == "B"),
    }


def _members() -> dict[str, tuple[str, ...]]:
    single = {s.key: (s.key,) for s in by_key().values() if s.parent != CONTEXT}
    return single | dict(composites())


def _values(keys: tuple[str, ...]) -> list[int]:
    return [by_key()[key].index for key in keys]


def _true_changes(
    anatomy: Volume, box: tuple[slice, ...], displacement: np.ndarray
) -> dict[str, float]:
    """Change of every volume in per cent, from masks interpolated linearly."""
    labels, spacing = anatomy.array[box], anatomy.spacing
    before = np.bincount(anatomy.array.ravel(), minlength=256).astype(float)
    gained = np.zeros(256)
    for value in np.unique(labels[labels > 0]):
        mask = (labels == value).astype(np.float32)
        gained[value] = deformation.warp(mask, displacement, spacing, 1).sum() - mask.sum()
    changes = {}
    for key, members in _members().items():
        values = _values(members)
        if before[values].sum() > 0:
            changes[key] = float(100 * gained[values].sum() / before[values].sum())
    return changes
