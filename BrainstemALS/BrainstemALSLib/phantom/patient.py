"""The simulated patient: an anatomy deformed, thinned by disease and painted.

The anatomy is a label map and two tissue maps of one head. Whatever comes out is simulated: no
measurement of it says anything of a person, and its files say so.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import ndimage

from ..anatomy import by_key, composites
from ..errors import BrainstemALSError, ExitCode
from ..imaging.geometry import same_grid
from ..imaging.volume import Volume
from . import deformation, painting
from .effects import MEDULLA_LOSS_PERCENT, PYRAMID_EXTRA_LOSS_PERCENT

SIMULATED = "Simulated patient: computed from an average anatomy, not a person."


@dataclass(frozen=True, eq=False)
class SyntheticPatient:
    """A simulated patient and what is known of it.

    Attributes
    ----------
    t1 : Volume
        float32, arbitrary unit, on the grid of the anatomy.
    fa, md : Volume
        float32, on a grid of twice the voxel size; MD in 1e-3 mm2/s.
    truth : Volume
        uint8 labels on the grid of ``t1``.
    description : dict
        What was done: seed, ``statement``, and ``volume_change_percent`` by composite or structure
        stem, measured on the truth against the same shape without disease.
    """

    t1: Volume
    fa: Volume
    md: Volume
    truth: Volume
    description: dict[str, object]


def synthetic_patient(
    labels: Volume, white: Volume, grey: Volume, seed: int = 0
) -> SyntheticPatient:
    """Return a simulated ALS patient.

    The anatomy takes a smooth random shape; the medulla and, more so, the pyramids lose volume; T1,
    FA and MD are painted from the priors, FA lowered along the corticospinal tract. The same seed
    gives the same patient.

    Parameters
    ----------
    labels : Volume
        uint8, ``Structure.index``, on a grid whose third axis runs along the body (ICBM 2009 does).
    white, grey : Volume
        Tissue probabilities 0-1 on the same grid.
    seed : int
        Decides everything that is random.

    Raises
    ------
    BrainstemALSError
        UNSUITABLE_IMAGE: the grids differ, or the labels hold no medulla.
    """
    keys = composites()["medulla"]
    known = by_key()
    medulla = np.isin(labels.array, [known[key].index for key in keys])
    if not (same_grid(labels, white) and same_grid(labels, grey)) or not medulla.any():
        raise BrainstemALSError(
            "anatomy of the simulated patient",
            "the labels have no medulla, or do not lie on the grid of the tissue maps",
            "Start from a whole segmentation on the grid of the tissue maps.",
            ExitCode.UNSUITABLE_IMAGE,
        )
    rng = np.random.default_rng(seed)
    loss = float(rng.uniform(*MEDULLA_LOSS_PERCENT))
    spacing = labels.spacing
    shape = deformation.random_shape(labels.array.shape, spacing, rng)
    box, atrophy = _atrophy(labels.array, medulla, spacing, loss)
    # The disease thins what the person's own shape has made, so its map is looked up through it;
    # outside the box there is no atrophy to look through.
    moved = shape.copy()
    moved[(slice(None), *box)] = atrophy + np.stack(
        [deformation.warp(part[box], atrophy, spacing, 1) for part in shape]
    )
    truth = deformation.warp(labels.array, moved, spacing, 0)
    healthy = deformation.warp(labels.array, shape, spacing, 0)
    means = painting.tissue_means(labels.array, white.array, grey.array, spacing, rng)
    means = {name: deformation.warp(mean, moved, spacing, 1) for name, mean in means.items()}
    t1 = painting.t1_image(means["t1"], spacing, rng)
    maps = {
        channel: Volume(
            painting.diffusion_map(means[channel], spacing, channel, rng),
            labels.affine @ np.diag([2.0, 2.0, 2.0, 1.0]),
        )
        for channel in ("fa", "md")
    }
    description = {
        "statement": SIMULATED,
        "simulated": True,
        "seed": seed,
        "medulla_loss_asked_percent": round(loss, 2),
        "volume_change_percent": _changes(truth, healthy),
    }
    return SyntheticPatient(
        Volume(t1, labels.affine),
        maps["fa"],
        maps["md"],
        Volume(truth, labels.affine),
        description,
    )


def _atrophy(
    labels: np.ndarray, medulla: np.ndarray, spacing: np.ndarray, loss_percent: float
) -> tuple[tuple[slice, slice, slice], np.ndarray]:
    """Box around the medulla, and the displacement in it, (3, i, j, k) in mm, of the given loss."""
    box = _box_around(medulla, margin=int(np.ceil(3 * deformation.FALLOFF_MM / spacing.min())))
    known = by_key()
    inner = medulla[box]
    pyramids = [
        deformation.shrink(
            labels[box] == known[key].index, spacing, PYRAMID_EXTRA_LOSS_PERCENT / 200
        )
        for key in ("pyramid_left", "pyramid_right")
    ]
    extra = np.sum(pyramids, axis=0)
    # A slightly blurred mask: its volume follows the strength smoothly, a hard one in steps.
    soft = ndimage.gaussian_filter(inner.astype(np.float32), 0.5)
    unit = deformation.shrink(inner, spacing, 1.0)

    def volume_at(strength: float) -> float:
        field = strength * unit + (extra if strength else 0.0)
        return float(deformation.warp(soft, field, spacing, 1).sum())

    strength = deformation.strength_for(loss_percent, volume_at)
    return box, strength * unit + extra


def _box_around(mask: np.ndarray, margin: int) -> tuple[slice, slice, slice]:
    low, high = (f(np.argwhere(mask), axis=0) for f in (np.min, np.max))
    return tuple(
        slice(max(a - margin, 0), min(b + margin + 1, n))
        for a, b, n in zip(low, high, mask.shape, strict=True)
    )


def _changes(truth: np.ndarray, healthy: np.ndarray) -> dict[str, float]:
    known = by_key()
    groups = {name: composites()[name] for name in ("midbrain", "pons", "medulla", "brainstem")}
    groups["pyramid"] = ("pyramid_left", "pyramid_right")
    changes = {}
    for name, keys in groups.items():
        indices = [known[key].index for key in keys]
        before = int(np.isin(healthy, indices).sum())
        after = int(np.isin(truth, indices).sum())
        if before:
            changes[name] = round(100 * (after - before) / before, 2)
    return changes
