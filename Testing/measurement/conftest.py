"""Diffusion maps whose every tissue value is known."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from BrainstemALSLib.imaging.volume import Volume
from Testing.conftest import SPHERES, segment_spheres

FLUID = {"fa": 0.08, "md": 3.0}


def mixed_maps(
    truth: dict[str, dict[str, float]],
    shape: tuple[int, ...],
    affine: np.ndarray,
    outside: dict[str, float] = FLUID,
    spheres: dict = SPHERES,
) -> dict[str, Volume]:
    """Return maps whose voxels mix the spheres' values and the outside by their exact shares."""
    exact = segment_spheres(spheres, shape, affine)
    shares = exact.probabilities.array.astype(float)
    start = exact.offset
    window = tuple(slice(a, a + n) for a, n in zip(start, shares.shape[:3], strict=True))
    maps = {}
    for metric, fluid in outside.items():
        values = np.array([truth[key][metric] for key in exact.keys])
        array = np.full(shape, fluid)
        array[window] = shares @ values + (1 - shares.sum(axis=-1)) * fluid
        maps[metric] = Volume(array.astype(np.float32), affine)
    return maps


@pytest.fixture(scope="session")
def truth() -> dict[str, dict[str, float]]:
    """FA and MD of each sphere; left and right differ."""
    return {
        key: {
            "fa": 0.35 + 0.02 * n + (0.05 if key.endswith("_left") else 0.0),
            "md": 0.70 + 0.01 * n,
        }
        for n, key in enumerate(SPHERES)
    }


@pytest.fixture(scope="session")
def make_maps() -> Callable[..., dict[str, Volume]]:
    """Give ``mixed_maps``."""
    return mixed_maps
