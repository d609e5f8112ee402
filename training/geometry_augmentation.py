"""Random geometry: where each voxel of a training window looks in its anatomy."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch.nn import functional as F

MAX_PITCH_DEG = 20.0  # nodding differs most between scanners and patients
MAX_ROLL_YAW_DEG = 12.0
MAX_SCALE = 0.12
MAX_SHIFT_MM = 5.0  # the window is laid again until the brainstem is within 4 mm of its middle
ELASTIC_CONTROL_MM = 14.0
MAX_ELASTIC_SD_MM = 2.0
MAX_ATROPHY = 0.18  # local shrinkage of one site; -12 % is the far end of als_effects.csv
MAX_MISREGISTRATION_MM = 1.5
MAX_MISREGISTRATION_DEG = 2.0
MAX_EPI_SD_MM = 1.0


@dataclass
class Draw:
    """Uniform and normal numbers from one generator."""

    generator: torch.Generator

    def uniform(self, low: float, high: float, *shape: int) -> torch.Tensor:
        """Uniform numbers, shape as given."""
        return torch.rand(shape, generator=self.generator) * (high - low) + low

    def number(self, low: float, high: float) -> float:
        """One uniform number."""
        return float(self.uniform(low, high))

    def normal(self, *shape: int) -> torch.Tensor:
        """Standard normal numbers."""
        return torch.randn(shape, generator=self.generator)

    def chance(self, probability: float) -> bool:
        """True with the given probability."""
        return float(torch.rand((), generator=self.generator)) < probability


def rotation(degrees: torch.Tensor) -> torch.Tensor:
    """Rotation matrix (3, 3) from angles (degrees) about x, y and z."""
    out = torch.eye(3)
    for axis, angle in enumerate(torch.deg2rad(degrees)):
        i, j = [n for n in range(3) if n != axis]
        step = torch.eye(3)
        step[i, i] = step[j, j] = torch.cos(angle)
        step[i, j], step[j, i] = -torch.sin(angle), torch.sin(angle)
        out = out @ step
    return out


def smooth_field(
    draw: Draw, shape: tuple[int, ...], control_mm: float, channels: int, spacing: float
):
    """Smooth random field, unit standard deviation at its control points: (channels, i, j, k)."""
    coarse = [max(3, round(n * spacing / control_mm) + 2) for n in shape]
    field = draw.normal(1, channels, *coarse)
    return F.interpolate(field, size=shape, mode="trilinear", align_corners=True)[0]


def window_points(
    draw: Draw, centre: torch.Tensor, sites: torch.Tensor, shape: tuple[int, ...], spacing: float
) -> torch.Tensor:
    """Points of the anatomy (RAS mm) that a deformed window shows.

    Parameters
    ----------
    draw : Draw
        Source of chance.
    centre : torch.Tensor, shape (3,)
        Middle of the brainstem, RAS mm.
    sites : torch.Tensor, shape (n, 3)
        Places (RAS mm) that may shrink, one is drawn.
    shape, spacing
        Window in voxels and voxel size in mm.

    Returns
    -------
    torch.Tensor, shape (i, j, k, 3)
    """
    axes = [(torch.arange(n) - (n - 1) / 2) * spacing for n in shape]
    grid = torch.stack(torch.meshgrid(*axes, indexing="ij"), -1)
    limits = torch.tensor([MAX_PITCH_DEG, MAX_ROLL_YAW_DEG, MAX_ROLL_YAW_DEG])
    matrix = rotation((draw.uniform(-1, 1, 3)) * limits)
    scale = 1 + MAX_SCALE * draw.uniform(-1, 1, 3)
    points = (grid * scale) @ matrix.T + centre + MAX_SHIFT_MM * draw.uniform(-1, 1, 3)
    field = smooth_field(draw, shape, ELASTIC_CONTROL_MM, 3, spacing)
    points = points + field.movedim(0, -1) * draw.number(0, MAX_ELASTIC_SD_MM)
    if draw.chance(0.5):
        site = sites[int(draw.number(0, len(sites)))]
        offset = points - site
        radius = draw.number(4, 14)
        weight = torch.exp(-(offset**2).sum(-1, keepdim=True) / (2 * radius**2))
        # Looking further out than the voxel lies makes the site smaller in the picture.
        points = points + offset * weight * draw.number(-MAX_ATROPHY / 3, MAX_ATROPHY)
    return points


def misregistered(draw: Draw, points: torch.Tensor, spacing: float) -> torch.Tensor:
    """Points that the diffusion images show instead: residual rigid error and EPI distortion.

    The distortion runs along y, the usual phase-encoding axis; shape (i, j, k, 3), mm.
    """
    middle = points.reshape(-1, 3).mean(0)
    matrix = rotation(MAX_MISREGISTRATION_DEG * draw.uniform(-1, 1, 3))
    shift = MAX_MISREGISTRATION_MM * draw.uniform(-1, 1, 3)
    moved = (points - middle) @ matrix.T + middle + shift
    field = smooth_field(draw, tuple(points.shape[:3]), 25.0, 1, spacing)[0]
    moved[..., 1] += field * draw.number(0, MAX_EPI_SD_MM)
    return moved


def look_up(
    labels: torch.Tensor, inverse_affine: torch.Tensor, points: torch.Tensor
) -> torch.Tensor:
    """Label (uint8) of the nearest voxel at every point; 0 outside the map."""
    index = torch.round(points @ inverse_affine[:3, :3].T + inverse_affine[:3, 3]).long()
    size = torch.tensor(labels.shape)
    inside = ((index >= 0) & (index < size)).all(-1)
    index = torch.minimum(index.clamp_min(0), size - 1)
    flat = (index[..., 0] * size[1] + index[..., 1]) * size[2] + index[..., 2]
    return labels.reshape(-1)[flat] * inside
