"""Simulated exams with known truth, drawn from anatomies that training never saw."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from BrainstemALSLib.imaging.exam import Exam
from BrainstemALSLib.imaging.volume import Volume

from .grids import structures_only

GRID_MM = 1.0
_BRAIN_MAXIMUM = 109  # label values up to here are brain and its fluid (training.synthesis)
Deform = Callable[[np.ndarray], np.ndarray]
"""Points of an exam (RAS mm, shape (n, 3)) to where they look in the anatomy."""


def simulate_exam(
    anatomy: Volume, seed: int, deform: Deform | None = None
) -> tuple[Exam, Volume, np.ndarray]:
    """Draw T1, FA, MD and V1 of one anatomy, in its own pose and, unless deformed, shape.

    Parameters
    ----------
    anatomy : Volume
        Labels of ``training.labels`` on the box around the brainstem that anatomies have.
    seed : int
        The same seed draws the same images.
    deform : callable, optional
        Another shape for the anatomy; the contrast and faults of the images stay those of the seed.

    Returns
    -------
    (Exam, Volume, numpy.ndarray)
        Images at 1 mm (FA 0-1, MD in 1e-3 mm2/s, V1 in RAS without its signs, all misregistered as
        diffusion is); the true
        structures, uint8, on the grid of the T1; and its true brain mask, bool (i, j, k).
    """
    import torch

    from training.fibre_field import fibre_field
    from training.geometry_augmentation import Draw, look_up, misregistered
    from training.synthesis import Anatomy, render

    draw = Draw(torch.Generator().manual_seed(seed))
    labels = Anatomy.from_volume(anatomy)
    affine = np.eye(4) * GRID_MM
    affine[3, 3] = 1.0
    last = np.array(anatomy.shape) - 1
    ends = np.stack([anatomy.affine[:3, 3], (anatomy.affine @ [*last, 1])[:3]])
    affine[:3, 3] = ends.min(0)
    shape = np.floor(np.ptp(ends, axis=0) / GRID_MM).astype(int) + 1
    index = np.moveaxis(np.indices(tuple(shape)), 0, -1)
    points = torch.from_numpy((index * GRID_MM + affine[:3, 3]).astype(np.float32))
    moved = misregistered(draw, points, GRID_MM)
    if deform is not None:
        points, moved = (
            torch.from_numpy(deform(p.reshape(-1, 3).numpy()).astype(np.float32)).reshape(p.shape)
            for p in (points, moved)
        )
    seen = look_up(labels.labels, labels.inverse, points)
    by_diffusion = look_up(labels.labels, labels.inverse, moved)
    directions = fibre_field(draw, by_diffusion, moved, labels.centroids, GRID_MM)
    images = render(draw, seen, by_diffusion, directions, GRID_MM)
    images["v1"] = torch.nn.functional.normalize(images["v1"], dim=0).movedim(0, -1)
    volumes = {
        name: Volume(np.ascontiguousarray(image.numpy(), np.float32), affine)
        for name, image in images.items()
    }
    truth = structures_only(Volume(seen.numpy(), affine))
    brain = (seen.numpy() > 0) & (seen.numpy() <= _BRAIN_MAXIMUM)
    names = {name: f"simulated_{name}.nii.gz" for name in volumes}
    return Exam(**volumes, names=names), truth, brain
