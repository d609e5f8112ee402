"""The two networks, both MONAI DynUNets."""

from __future__ import annotations

from monai.networks.nets import DynUNet

from BrainstemALSLib.anatomy import load_structures
from BrainstemALSLib.segmentation.preprocess import CHANNELS

STRUCTURE_FILTERS = (16, 32, 64, 128, 192)
LOCATOR_FILTERS = (8, 16, 32, 64)
LOCATOR_CLASSES = ("background", "cerebrum", "cerebellum", "brainstem")


def _unet(inputs: int, outputs: int, filters: tuple[int, ...]) -> DynUNet:
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


def structure_network(filters: tuple[int, ...] = STRUCTURE_FILTERS) -> DynUNet:
    """T1, FA, MD at 1 mm to background and every structure, in the order of the table."""
    return _unet(len(CHANNELS), 1 + len(load_structures()), filters)


def locator_network(filters: tuple[int, ...] = LOCATOR_FILTERS) -> DynUNet:
    """T1 at 4 mm to ``LOCATOR_CLASSES``."""
    return _unet(1, len(LOCATOR_CLASSES), filters)
