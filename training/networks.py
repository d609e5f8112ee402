"""The two networks, both MONAI DynUNets."""

from __future__ import annotations

import torch
from monai.networks.nets import DynUNet

from BrainstemALSLib.anatomy import load_structures
from BrainstemALSLib.segmentation.channels import PLANES

STRUCTURE_FILTERS = (16, 32, 64, 128, 192)
LOCATOR_FILTERS = (8, 16, 32, 64)
COORDINATES = 3
"""Inputs of the window network after the channels: where each voxel lies."""
LOCATOR_CLASSES = ("background", "cerebrum", "cerebellum", "brainstem")


def unet(inputs: int, outputs: int, filters: tuple[int, ...]) -> DynUNet:
    """A DynUNet of 3 x 3 x 3 convolutions that halves the image at every level but the first."""
    levels = len(filters)
    return DynUNet(
        spatial_dims=3,
        in_channels=inputs,
        out_channels=outputs,
        kernel_size=[3] * levels,
        strides=[1] + [2] * (levels - 1),
        upsample_kernel_size=[2] * (levels - 1),
        filters=filters,
        norm_name=("INSTANCE", {"affine": True}),
    )


class WindowNetwork(torch.nn.Module):
    """A network that is told where in its window each voxel lies.

    The window is centred on the brainstem and parallel to RAS, so position says much about which
    structure a voxel can be, and left from right (Liu et al. 2018, CoordConv, arXiv:1807.03247).

    Parameters
    ----------
    body : torch.nn.Module
        Takes the channels and three more.
    """

    def __init__(self, body: torch.nn.Module):
        super().__init__()
        self.body = body

    def forward(self, channels: torch.Tensor) -> torch.Tensor:
        """Logits from channels (n, c, i, j, k); coordinates run from -1 to 1 along each axis."""
        axes = [
            torch.linspace(-1, 1, size, device=channels.device, dtype=channels.dtype)
            for size in channels.shape[2:]
        ]
        grid = torch.stack(torch.meshgrid(axes, indexing="ij"))
        grid = grid[None].expand(channels.shape[0], -1, -1, -1, -1)
        return self.body(torch.cat([channels, grid], 1))


def structure_network(filters: tuple[int, ...] = STRUCTURE_FILTERS) -> WindowNetwork:
    """T1, FA, MD, V1 at 1 mm to background and every structure, in the order of the table."""
    return WindowNetwork(
        unet(sum(PLANES.values()) + COORDINATES, 1 + len(load_structures()), filters)
    )


def locator_network(filters: tuple[int, ...] = LOCATOR_FILTERS) -> DynUNet:
    """T1 at 4 mm to ``LOCATOR_CLASSES``."""
    return unet(1, len(LOCATOR_CLASSES), filters)
