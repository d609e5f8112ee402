"""The kinds of exam that the model is asked: good ones, without diffusion, and degraded ones.

All exams of an anatomy come from one simulation, so that two kinds differ by what is named and by
nothing else. Degraded exams are given as T1, FA and MD. The sizes of the degradations are this
project's choice: at the far end of what training draws, or beyond it.

The truth lies on the grid of the exam's T1, because that is where the product returns its labels.
For thick slices it is brought there as ``grids.on_grid`` does, the strongest share winning: the
best that any method could return on these voxels. True volumes are those of the 1 mm truth,
whatever the grid.
"""

from __future__ import annotations

import dataclasses
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from scipy import ndimage

from BrainstemALSLib.anatomy import by_key, composites
from BrainstemALSLib.imaging.exam import Exam
from BrainstemALSLib.imaging.geometry import crop, resample
from BrainstemALSLib.imaging.volume import Volume
from BrainstemALSLib.phantom import deformation
from BrainstemALSLib.phantom.effects import PYRAMID_EXTRA_LOSS_PERCENT

from . import adapter
from .grids import on_grid
from .regrid import rician_noise
from .simulate import Deform, simulate_exam

THICK_MM = (1.5, 3.0)
"""Slice thickness of the T1, along one axis drawn at random."""
NOISE = (0.06, 0.12)
"""Standard deviation of the noise that is added: of the T1 as a share of its 99th percentile, of
FA, and of MD in 1e-3 mm2/s. Training draws up to 0.07 and 0.06, and the image has its own."""
CUT = (0.10, 0.35)
"""Share of the brainstem's height that the field of view leaves out, below or above."""
CUT_BELOW = 2 / 3
"""How often the lower end is cut: scans of the brain end in the medulla, not in the midbrain."""
MEDULLA_LOSS_PERCENT = (8.0, 16.0)
"""One to two times what bulbar-onset ALS loses (``phantom.effects``)."""
IN_VIEW = 0.5
"""A structure of which less is in the cut view is left out: there is nothing to measure."""


@dataclass(frozen=True, eq=False)
class Drawn:
    """An exam and its truth.

    Attributes
    ----------
    exam : Exam
    truth : Volume
        uint8 labels on the grid of the T1.
    truth_mm3 : dict
        True volume of every structure and composite, mm3.
    brain : numpy.ndarray or None
        True brain mask, bool (i, j, k), on the grid of the T1, where the exam is not degraded.
    left_out : frozenset of str
        Structures and composites that are not to be scored.
    """

    exam: Exam
    truth: Volume
    truth_mm3: dict[str, float]
    brain: np.ndarray | None = None
    left_out: frozenset[str] = frozenset()


class Exams:
    """The exams of one anatomy; the same case and seed give the same exams.

    Parameters
    ----------
    case : str
        Name of an anatomy.
    seed : int
        Of the evaluation; the case's name goes into that of its images.
    """

    def __init__(self, case: str, seed: int):
        self.case = case
        self._root = [seed, zlib.crc32(case.encode())]
        self._image_seed = int(np.random.SeedSequence(self._root).generate_state(1)[0])
        self._drawn: dict[str, Drawn] = {}

    def of(self, kind: str) -> Drawn:
        """Return the exam of one kind, a key of ``KINDS``."""
        if kind not in self._drawn:
            number = zlib.crc32(kind.encode())
            self._drawn[kind] = KINDS[kind].draw(self, np.random.default_rng([*self._root, number]))
        return self._drawn[kind]

    @cached_property
    def anatomy(self) -> Volume:
        """Labels of the anatomy, on its own box."""
        return adapter.anatomy(self.case)

    @cached_property
    def whole(self) -> Drawn:
        """The exam as it was drawn, with all its images."""
        return self.simulated()

    @property
    def scalars(self) -> Drawn:
        """T1, FA and MD of ``whole``: what is degraded."""
        return _without_directions(self.whole)

    def simulated(self, deform: Deform | None = None) -> Drawn:
        """Simulate an exam; deformed, the anatomy keeps the contrast and faults of its images."""
        exam, truth, brain = simulate_exam(self.anatomy, self._image_seed, deform)
        return Drawn(exam, truth, volumes_of(truth), brain)


@dataclass(frozen=True)
class Kind:
    """A kind of exam: its name in tables, how it is drawn, and whether it is a degraded one."""

    words: str
    draw: Callable[[Exams, np.random.Generator], Drawn]
    degraded: bool = False


def volumes_of(truth: Volume) -> dict[str, float]:
    """Return the volume (mm3) of every structure and composite in a label map."""
    counts = np.bincount(truth.array.ravel(), minlength=256) * truth.voxel_volume
    single = {key: float(counts[structure.index]) for key, structure in by_key().items()}
    return single | {
        name: sum(single[key] for key in members) for name, members in composites().items()
    }


def _without_directions(drawn: Drawn) -> Drawn:
    return dataclasses.replace(drawn, exam=adapter.without_directions(drawn.exam))


def _t1_only(exams: Exams, rng: np.random.Generator) -> Drawn:
    return dataclasses.replace(exams.whole, exam=adapter.t1_only(exams.whole.exam))


def _thick(exams: Exams, rng: np.random.Generator) -> Drawn:
    """T1 in thick slices; the maps, which have their own coarse voxels, stay as they are."""
    drawn, t1 = exams.scalars, exams.whole.exam.t1
    axis, thickness = int(rng.integers(3)), rng.uniform(*THICK_MM)
    scale, middle = np.ones(3), np.zeros(3)
    scale[axis] = thickness / t1.spacing[axis]
    middle[axis] = (scale[axis] - 1) / 2  # the first slice covers what the first voxels covered
    affine = t1.affine @ np.diag([*scale, 1.0])
    affine[:3, 3] = (t1.affine @ [*middle, 1.0])[:3]
    seen = resample(t1, np.floor(np.array(t1.shape) / scale).astype(int), affine)
    exam = dataclasses.replace(drawn.exam, t1=seen)
    return dataclasses.replace(drawn, exam=exam, truth=on_grid(drawn.truth, seen), brain=None)


def _noisy(exams: Exams, rng: np.random.Generator) -> Drawn:
    drawn, sd = exams.scalars, rng.uniform(*NOISE)
    exam = drawn.exam

    def noise() -> np.ndarray:
        return np.float32(sd) * rng.standard_normal(exam.t1.shape, np.float32)

    fa = np.hypot(exam.fa.array + noise(), noise()).clip(0, 1)
    md = (exam.md.array + noise()).clip(0, None)
    exam = dataclasses.replace(
        exam,
        t1=rician_noise(exam.t1, int(rng.integers(2**31)), sd),
        fa=Volume(fa, exam.fa.affine),
        md=Volume(md, exam.md.affine),
    )
    return dataclasses.replace(drawn, exam=exam, brain=None)


def _cropped(exams: Exams, rng: np.random.Generator) -> Drawn:
    """All images end within the brainstem. The third axis of a simulated exam runs upwards."""
    drawn, exam = exams.scalars, exams.whole.exam
    stem = [by_key()[key].index for key in composites()["brainstem"]]
    levels = np.flatnonzero(np.isin(drawn.truth.array, stem).any((0, 1)))
    bottom, top = int(levels[0]), int(levels[-1]) + 1
    cut = round(rng.uniform(*CUT) * (top - bottom))
    start, stop = [0, 0, 0], list(exam.t1.shape)
    if rng.random() < CUT_BELOW:
        start[2] = bottom + cut
    else:
        stop[2] = top - cut
    images = {name: crop(getattr(exam, name), start, stop) for name in ("t1", "fa", "md")}
    truth = crop(drawn.truth, start, stop)
    truth = Volume(np.ascontiguousarray(truth.array), truth.affine)
    volumes = volumes_of(truth)
    left_out = {key for key, whole in drawn.truth_mm3.items() if volumes[key] < IN_VIEW * whole}
    return Drawn(
        dataclasses.replace(drawn.exam, **images), truth, volumes, left_out=frozenset(left_out)
    )


def _atrophied(exams: Exams, rng: np.random.Generator) -> Drawn:
    thin = thinning(exams.anatomy, rng.uniform(*MEDULLA_LOSS_PERCENT))
    return dataclasses.replace(_without_directions(exams.simulated(thin)), brain=None)


def thinning(anatomy: Volume, loss_percent: float) -> Deform:
    """Return the deformation by which the medulla loses volume, the pyramids a little more.

    Parameters
    ----------
    anatomy : Volume
        uint8 labels on a grid whose third axis runs along the body.
    loss_percent : float
        Of the medulla; what surrounds it moves into the gap.

    Returns
    -------
    callable
        Points of the exam (RAS mm, shape (n, 3)) to where they look in the anatomy.
    """
    known, spacing = by_key(), anatomy.spacing
    medulla = np.isin(anatomy.array, [known[key].index for key in composites()["medulla"]])
    margin = int(np.ceil(3 * deformation.FALLOFF_MM / spacing.min()))
    places = np.argwhere(medulla)
    low = np.maximum(places.min(0) - margin, 0)
    box = tuple(slice(a, b) for a, b in zip(low, places.max(0) + 1 + margin, strict=True))
    extra = sum(
        deformation.shrink(
            anatomy.array[box] == known[key].index, spacing, PYRAMID_EXTRA_LOSS_PERCENT / 200
        )
        for key in ("pyramid_left", "pyramid_right")
    )
    unit = deformation.shrink(medulla[box], spacing, 1.0)
    soft = medulla[box].astype(np.float32)

    def volume_at(strength: float) -> float:
        field = strength * unit + (extra if strength else 0.0)
        return float(deformation.warp(soft, field, spacing, 1).sum())

    field = deformation.strength_for(loss_percent, volume_at) * unit + extra
    axes = anatomy.affine[:3, :3] / spacing

    def deform(points: np.ndarray) -> np.ndarray:
        index = np.linalg.solve(anatomy.affine[:3, :3], (points - anatomy.affine[:3, 3]).T)
        index -= low[:, None]
        # 0 outside the box: by there the pull has faded.
        pulled = [ndimage.map_coordinates(part, index, order=1) for part in field]
        return points + np.stack(pulled, -1) @ axes.T

    return deform


KINDS = {
    "t1_fa_md_v1": Kind("T1 + FA + MD + V1", lambda exams, rng: exams.whole),
    "t1_fa_md": Kind("T1 + FA + MD", lambda exams, rng: exams.scalars),
    "t1": Kind("T1 only", _t1_only),
    "thick": Kind("T1 in slices of 1.5-3 mm + FA + MD", _thick, degraded=True),
    "noisy": Kind("T1 + FA + MD, noisy", _noisy, degraded=True),
    "cropped": Kind("T1 + FA + MD, view cut through the brainstem", _cropped, degraded=True),
    "atrophied": Kind("T1 + FA + MD, medulla atrophied", _atrophied, degraded=True),
}
"""By the short name that file names and tables carry."""
