"""What is done to good images to see whether a bad one is noticed, and what must go unnoticed.

Everything is done to a T1 in memory, whose brainstem is known from the image as it is. Strengths
are our own choice.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from scipy import ndimage

from BrainstemALSLib.anatomy import CONTEXT, by_key, load_structures
from BrainstemALSLib.imaging.geometry import box_around, crop, resample, shrunk
from BrainstemALSLib.imaging.volume import Volume

from .regrid import rician_noise, rotated_grid

BOX_MM = np.array([96.0, 108.0, 120.0])
LESION_DEPTH = 0.5  # of the difference between the brainstem and the fluid of the fourth ventricle
HEAVY_NOISE = 0.25  # of the 99th percentile
BLUR_MM = 7.0  # full width at half maximum
MOTION_MM = 5.0
JUMPS = 40
GHOST_MM = 3.0
GHOST_PERIOD = 4  # lines of k-space


@dataclass(frozen=True, eq=False)
class Subject:
    """A good T1 and the labels (``Structure.index``) found in it, on its grid."""

    t1: Volume
    labels: Volume

    def points(self, *keys: str) -> np.ndarray:
        """Voxels of structures, all of the brainstem without keys, shape (n, 3)."""
        table = by_key()
        chosen = [table[k].index for k in keys] or [
            s.index for s in load_structures() if s.parent != CONTEXT
        ]
        return np.argwhere(np.isin(self.labels.array, chosen))

    def ras(self, voxel: np.ndarray) -> np.ndarray:
        """RAS mm of a voxel."""
        return self.t1.affine[:3, :3] @ voxel + self.t1.affine[:3, 3]

    def level(self, *keys: str) -> float:
        """Median intensity of structures."""
        return float(np.median(self.t1.array[tuple(self.points(*keys).T)]))


Change = Callable[[Subject, int], Volume]


def inverted(subject: Subject, seed: int) -> Volume:
    """The negative: air bright, fluid bright."""
    top = np.percentile(subject.t1.array, 99.9)
    return Volume(np.clip(top - subject.t1.array, 0, None), subject.t1.affine)


def t2_like(subject: Subject, seed: int) -> Volume:
    """Fluid bright, white matter dark, air dark."""
    share = np.clip(subject.t1.array / np.percentile(subject.t1.array, 99), 0, 1)
    return Volume(head(subject.t1) * (1000 * (1.05 - share)), subject.t1.affine)


def flair_like(subject: Subject, seed: int) -> Volume:
    """Grey matter brighter than white, fluid dark: what lies between the two is brightest."""
    stem, fluid = subject.level(), subject.level("fourth_ventricle")
    share = (subject.t1.array - fluid) / (stem - fluid)
    level = np.where(share < 0.6, share / 0.6, 1 - (share - 0.6) * 0.8)
    return Volume(head(subject.t1) * (1000 * np.clip(level, 0.02, 1)), subject.t1.affine)


def head(t1: Volume) -> np.ndarray:
    """The head with its fluid, without the air around it: float32 0 or 1, on the grid of the T1."""
    coarse = shrunk(t1, 6.0)
    mask = coarse.array > 0.1 * np.percentile(t1.array, 99)
    mask = ndimage.binary_fill_holes(ndimage.binary_closing(mask, iterations=3))
    filled = Volume(mask.astype(np.float32), coarse.affine)
    return resample(filled, t1.shape, t1.affine, "nearest").array


def brain(subject: Subject, seed: int) -> Volume:
    """Skull stripped: the bright tissue that hangs together with the brainstem, and its fluid."""
    t1 = subject.t1
    coarse = shrunk(t1, 4.0)
    stem, fluid = subject.level(), subject.level("fourth_ventricle")
    radius = 2.5 / coarse.spacing.mean()
    low, high = fluid + 0.45 * (stem - fluid), fluid + 1.5 * (stem - fluid)
    tissue = (coarse.array > low) & (coarse.array < high)
    core = ndimage.distance_transform_edt(tissue) > radius
    pieces, _ = ndimage.label(core)
    index = np.rint(
        np.linalg.inv(coarse.affine) @ [*subject.ras(subject.points().mean(0)), 1]
    ).astype(int)[:3]
    chosen = pieces[tuple(index)]
    if chosen == 0:  # a hole in the middle: the largest piece
        chosen = 1 + int(np.bincount(pieces[pieces > 0]).argmax()) - 1
    kept = ndimage.distance_transform_edt(pieces != chosen) <= 2.5 * radius
    kept = ndimage.binary_fill_holes(ndimage.binary_closing(kept, iterations=3))
    mask = resample(
        Volume(kept.astype(np.float32), coarse.affine), t1.shape, t1.affine, "nearest"
    ).array
    return Volume(t1.array * mask, t1.affine)


def reoriented(*columns: int, signs: tuple[int, int, int] = (1, 1, 1)) -> Change:
    """A wrong header: axes exchanged or turned round about the middle of the image."""

    def change(subject: Subject, seed: int) -> Volume:
        t1 = subject.t1
        middle = (np.array(t1.shape) - 1) / 2
        world = np.eye(3)[list(columns)] * np.array(signs)[:, None]
        affine = np.eye(4)
        affine[:3, :3] = world @ t1.affine[:3, :3]
        affine[:3, 3] = subject.ras(middle) - affine[:3, :3] @ middle
        return Volume(t1.array, affine)

    return change


def cerebrum_only(subject: Subject, seed: int) -> Volume:
    """Everything from 5 mm above the midbrain up."""
    return _part(subject, low=_ends(subject)[1] + 5.0)


def half_brainstem(subject: Subject, seed: int) -> Volume:
    """Everything from the middle of the brainstem up."""
    return _part(subject, low=float(np.mean(_ends(subject))))


def _ends(subject: Subject) -> tuple[float, float]:
    z = subject.points() @ subject.t1.affine[2, :3] + subject.t1.affine[2, 3]
    return float(z.min()), float(z.max())


def _part(subject: Subject, low: float) -> Volume:
    t1 = subject.t1
    axis = int(np.abs(t1.affine[2, :3]).argmax())
    middle = (np.array(t1.shape) - 1) / 2
    z = np.array(
        [
            t1.affine[2, :3] @ np.where(np.arange(3) == axis, n, middle) + t1.affine[2, 3]
            for n in range(t1.shape[axis])
        ]
    )
    kept = np.flatnonzero(z >= low)
    start, stop = np.zeros(3, int), np.array(t1.shape)
    start[axis], stop[axis] = kept.min(), kept.max() + 1
    return crop(t1, start, stop)


def blobs(subject: Subject, seed: int) -> Volume:
    """No body part: a smooth random pattern in an ellipsoid of the size of a head."""
    shape = (90, 108, 100)
    field = ndimage.gaussian_filter(np.random.default_rng(seed).normal(size=shape), 5.0)
    field = (field - field.min()) / np.ptp(field)
    grid = (np.indices(shape) - (np.array(shape)[:, None, None, None] - 1) / 2) / np.array(
        [38.0, 46.0, 42.0]
    )[:, None, None, None]
    inside = (grid**2).sum(0) <= 1
    return Volume((1000 * field * inside).astype(np.float32), box_around((0, 0, 0), shape, 2.0))


def lesion(key: str, diameter: float, sign: int) -> Change:
    """A ball in a structure, as dark as half way to fluid, or as much brighter."""

    def change(subject: Subject, seed: int) -> Volume:
        t1 = subject.t1
        centre = subject.ras(subject.points(key).mean(0))
        depth = LESION_DEPTH * (subject.level() - subject.level("fourth_ventricle"))
        middle = np.linalg.inv(t1.affine) @ [*centre, 1]
        reach = (diameter / 2 + 1) / t1.spacing
        start = np.maximum(np.floor(middle[:3] - reach).astype(int), 0)
        stop = np.minimum(np.ceil(middle[:3] + reach).astype(int) + 1, t1.shape)
        part = tuple(slice(a, b) for a, b in zip(start, stop, strict=True))
        points = np.moveaxis(np.mgrid[part], 0, -1) @ t1.affine[:3, :3].T + t1.affine[:3, 3]
        distance = np.linalg.norm(points - centre, axis=-1)
        array = t1.array.astype(np.float32)  # a copy
        # The edge is 1 mm wide, as voxels make it.
        array[part] += sign * depth * np.clip(diameter / 2 + 0.5 - distance, 0, 1)
        return Volume(array, t1.affine)

    return change


def motion(periodic: bool) -> Change:
    """Movement along the phase axis (front to back): a phase ramp on each line of k-space."""

    def change(subject: Subject, seed: int) -> Volume:
        t1 = subject.t1
        axis = int(np.abs(t1.affine[1, :3]).argmax())
        size = t1.shape[axis]
        lines = np.fft.fftfreq(size)
        order = np.argsort(np.argsort(lines))  # when each line is acquired
        draw = np.random.default_rng(seed)
        if periodic:
            shift = GHOST_MM * np.sin(2 * np.pi * order / GHOST_PERIOD)
        else:
            starts = np.sort(draw.integers(0, size, JUMPS))
            places = draw.normal(0, MOTION_MM, JUMPS + 1)
            shift = places[np.searchsorted(starts, order, side="right")]
        ramp = np.exp(-2j * np.pi * lines * shift / t1.spacing[axis]).astype(np.complex64)
        shaped = ramp.reshape([-1 if n == axis else 1 for n in range(3)])
        moved = np.abs(np.fft.ifft(np.fft.fft(t1.array, axis=axis) * shaped, axis=axis))
        return Volume(moved.astype(np.float32), t1.affine)

    return change


def heavy_noise(subject: Subject, seed: int) -> Volume:
    """Rician noise of a quarter of the brightest tissue."""
    return rician_noise(subject.t1, seed, HEAVY_NOISE)


def blurred(subject: Subject, seed: int) -> Volume:
    """Smoothed until no structure of the brainstem is left."""
    sigma = BLUR_MM / 2.355 / subject.t1.spacing
    array = ndimage.gaussian_filter(subject.t1.array.astype(np.float32), sigma)
    return Volume(array, subject.t1.affine)


def boxed(subject: Subject, seed: int) -> Volume:
    """Cut to a box around the brainstem, as wide as those of the simulated exams."""
    t1 = subject.t1
    middle = subject.points().mean(0)
    half = np.abs(np.linalg.inv(t1.affine[:3, :3])) @ (BOX_MM / 2)
    start = np.clip(np.floor(middle - half).astype(int), 0, None)
    return crop(t1, start, np.minimum(np.ceil(middle + half).astype(int), t1.shape))


CONTROLS: dict[str, Change] = {
    "as it is": lambda subject, seed: subject.t1,
    "cut to a box": boxed,
    "another grid": lambda subject, seed: rotated_grid(subject.t1, (1, 1, 1)),
    "3 % noise": lambda subject, seed: rician_noise(subject.t1, seed),
    "skull stripped": brain,
}
"""Good images: none may be called unfamiliar."""

MANIPULATIONS: dict[str, dict[str, Change]] = {
    "wrong contrast": {
        "inverted": inverted,
        "T2-like": t2_like,
        "FLAIR-like": flair_like,
    },
    "wrong orientation": {
        "upside down": reoriented(0, 1, 2, signs=(1, 1, -1)),
        "back to front": reoriented(0, 1, 2, signs=(1, -1, 1)),
        "height and depth exchanged": reoriented(0, 2, 1),
        "height and width exchanged": reoriented(2, 1, 0),
    },
    "wrong body part": {
        "cerebrum only": cerebrum_only,
        "upper half of the brainstem": half_brainstem,
        "blobs": blobs,
    },
    "lesion": {
        "dark, 6 mm, pons": lesion("basis_pontis_left", 6.0, -1),
        "dark, 12 mm, pons": lesion("basis_pontis_left", 12.0, -1),
        "bright, 6 mm, pons": lesion("basis_pontis_left", 6.0, 1),
        "bright, 12 mm, pons": lesion("basis_pontis_left", 12.0, 1),
        "dark, 6 mm, midbrain": lesion("midbrain_tegmentum_right", 6.0, -1),
        "bright, 6 mm, midbrain": lesion("midbrain_tegmentum_right", 6.0, 1),
    },
    "motion and noise": {
        "restless, 5 mm": motion(periodic=False),
        "ghosts of 3 mm": motion(periodic=True),
        "25 % noise": heavy_noise,
        "blurred to 7 mm": blurred,
    },
}
"""Bad images, by what is wrong: every one has to be refused or called unfamiliar."""
