"""Directions of the fibres in a simulated window, from the table of the structures' directions.

A subject's own fibres depart from the table: as a whole by a few degrees, and from place to place
by what the table says of its own spread. Where the table has no row, directions are smooth and at
random: grey matter has them too, they only mean nothing.
"""

from __future__ import annotations

from functools import lru_cache

import torch

from BrainstemALSLib.anatomy import by_key
from BrainstemALSLib.anatomy.fibres import REACH_MM, load_fibre_directions

from .geometry_augmentation import Draw, smooth_field

SUBJECT_SPREAD_DEG = 8.0
"""Standard deviation, per axis, by which one structure of one subject departs from the table: the
table's own fits leave 2-8 degrees; our choice."""
SPREAD_CONTROL_MM = 6.0
"""Smoothness of the departures within a structure: about the width of a tract."""
RANDOM_CONTROL_MM = 10.0
"""Smoothness of directions at random."""


@lru_cache(maxsize=1)
def _table() -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """By label value: direction (256, 3), gradient (256, 3, 3), spread in radians (256,)."""
    direction, gradient = torch.zeros(256, 3), torch.zeros(256, 3, 3)
    spread = torch.zeros(256)
    for key, fibre in load_fibre_directions().items():
        value = by_key()[key].index
        direction[value] = torch.from_numpy(fibre.direction).float()
        gradient[value] = torch.from_numpy(fibre.gradient).float()
        spread[value] = torch.deg2rad(torch.tensor(fibre.spread_deg))
    return direction, gradient, spread


def fibre_field(
    draw: Draw, labels: torch.Tensor, points: torch.Tensor, centroids: torch.Tensor, spacing: float
) -> torch.Tensor:
    """Unit directions as the window sees them.

    Parameters
    ----------
    draw : Draw
        Source of chance.
    labels : torch.Tensor, shape (i, j, k)
        uint8, what lies at each voxel of the window.
    points : torch.Tensor, shape (i, j, k, 3)
        Where each voxel looks in its anatomy, RAS mm; the window's axes are RAS too.
    centroids : torch.Tensor, shape (256, 3)
        Of each label in the anatomy, RAS mm.
    spacing : float
        Voxel size of the window, mm.

    Returns
    -------
    torch.Tensor, shape (i, j, k, 3)
        RAS of the window: the deformation from window to anatomy has been undone.
    """
    direction, gradient, spread = _table()
    own = torch.deg2rad(SUBJECT_SPREAD_DEG * draw.normal(256, 3))
    # Left and right turn as one person's do: mirrored would be as good, the same is simpler.
    direction = direction + torch.linalg.cross(own, direction)
    index = labels.long()
    offset = (points - centroids[index]).clamp(-REACH_MM, REACH_MM)
    field = direction[index] + (gradient[index] @ offset[..., None])[..., 0]
    known = spread[index] > 0
    shape = tuple(labels.shape)
    departure = smooth_field(draw, shape, SPREAD_CONTROL_MM, 3, spacing).movedim(0, -1)
    field = field + departure * spread[index][..., None]
    anywhere = smooth_field(draw, shape, RANDOM_CONTROL_MM, 3, spacing).movedim(0, -1)
    field = torch.where(known[..., None], field, anywhere)
    return torch.nn.functional.normalize(_pulled_back(field, points), dim=-1)


def _pulled_back(field: torch.Tensor, points: torch.Tensor) -> torch.Tensor:
    """Directions of the anatomy in the window, up to their length: the inverse Jacobian's doing.

    The adjugate is the inverse but for a factor, and three cross products are quicker than half a
    million inversions.
    """
    x, y, z = torch.gradient(points, dim=(0, 1, 2))
    rows = (
        torch.linalg.cross(y, z, dim=-1),
        torch.linalg.cross(z, x, dim=-1),
        torch.linalg.cross(x, y, dim=-1),
    )
    return torch.stack([(row * field).sum(-1) for row in rows], -1)
