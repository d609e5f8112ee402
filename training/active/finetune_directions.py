"""Directions of fibres in a deformed window, as the colours that the network takes.

V1 rides on the anatomy: where a window turns or stretches what it shows, the directions in it turn
along, or fibres and structures would no longer belong together. A direction of the anatomy is
brought into the window by the inverse Jacobian of the window's points, and its length is dropped
("preservation of principal direction", Alexander et al., IEEE Trans Med Imaging 2001;20:1131,
doi:10.1109/42.963816, of which V1 alone needs the first half); ``fibre_field`` does so in training.
Its colour can only be taken then, for absolute values cannot be turned.
"""

from __future__ import annotations

from itertools import product

import numpy as np
import torch
from torch.nn import functional as F

from BrainstemALSLib.imaging.geometry import resample, same_grid
from BrainstemALSLib.imaging.volume import Volume


def weighted_directions(v1: Volume, fa: Volume) -> torch.Tensor:
    """Return directions whose length is the anisotropy, on the grid of ``v1``.

    Parameters
    ----------
    v1 : Volume
        Shape (i, j, k, 3), RAS, unit length or 0.
    fa : Volume
        0-1, on any grid.

    Returns
    -------
    torch.Tensor, shape (i, j, k, 3)
        float32, RAS, of either sign.
    """
    if not same_grid(v1, fa):
        fa = resample(fa, v1.array.shape[:3], v1.affine)
    weight = np.clip(fa.array, 0, 1, dtype=np.float32)[..., None]
    return torch.from_numpy(v1.array.astype(np.float32) * weight)


def colours_at(
    directions: torch.Tensor, inverse: torch.Tensor, points: torch.Tensor
) -> torch.Tensor:
    """Return the colour FA that a window shows: as if the head had lain so in the scanner.

    Colours are averaged between voxels, as ``segmentation.inference`` does, and not directions,
    which have a sign to get wrong: each of the eight neighbours is turned by itself first.

    Parameters
    ----------
    directions : torch.Tensor, shape (i, j, k, 3)
        As ``weighted_directions`` returns them.
    inverse : torch.Tensor, shape (4, 4)
        RAS mm to the voxel index of ``directions``.
    points : torch.Tensor, shape (a, b, c, 3)
        Where each voxel of the window looks, RAS mm; the window's axes are RAS.

    Returns
    -------
    torch.Tensor, shape (3, a, b, c)
        0-1: left-right, back-front, bottom-top of the window; 0 outside the image.
    """
    into = _into_window(points)
    size = torch.tensor(directions.shape[:3])
    flat = directions.reshape(-1, 3)
    index = points @ inverse[:3, :3].T + inverse[:3, 3]
    first = index.floor()
    beyond = index - first
    colours = torch.zeros_like(points)
    for corner in product((0.0, 1.0), repeat=3):
        step = torch.tensor(corner)
        at = (first + step).long()
        share = torch.where(step > 0, beyond, 1 - beyond).prod(-1)
        share = share * ((at >= 0) & (at < size)).all(-1)
        at = torch.minimum(at.clamp_min(0), size - 1)
        found = flat[(at[..., 0] * size[1] + at[..., 1]) * size[2] + at[..., 2]]
        turned = F.normalize((into @ found[..., None])[..., 0], dim=-1).abs()
        colours += turned * (found.norm(dim=-1) * share)[..., None]
    return colours.movedim(-1, 0)


def _into_window(points: torch.Tensor) -> torch.Tensor:
    """Matrices (a, b, c, 3, 3) that bring directions of the anatomy into the window.

    The inverse Jacobian but for a factor, which is dropped with the length: its adjugate, whose
    rows are three cross products.
    """
    x, y, z = torch.gradient(points, dim=(0, 1, 2))
    rows = [torch.linalg.cross(*pair, dim=-1) for pair in ((y, z), (z, x), (x, y))]
    return torch.stack(rows, -2)
