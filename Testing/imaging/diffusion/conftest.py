"""A simulated head on a coarse grid, and its diffusion series: quick, and its tensors are known."""

from __future__ import annotations

import numpy as np
import pytest

from BrainstemALSLib.imaging.dwi import Dwi
from BrainstemALSLib.imaging.volume import Volume
from BrainstemALSLib.phantom.diffusion import (
    Faults,
    Protocol,
    eddy_currents,
    gradient_scheme,
    random_motion,
    simulate_dwi,
)
from BrainstemALSLib.phantom.diffusion_head import diffusion_head
from BrainstemALSLib.phantom.sample import sample_anatomy

SPACING_MM = 3.0
SHAPE = (56, 68, 42)
DIRECTIONS, UNWEIGHTED = 18, 2
MOVED_MM = 2.0
LOST = ((4, 20), (9, 12))


@pytest.fixture(scope="session")
def small_head(once):
    """The phantom at 2 mm instead of 1: an eighth of the voxels."""

    def make():
        coarse = [
            Volume(part.array[::2, ::2, ::2], part.affine @ np.diag([2.0, 2.0, 2.0, 1.0]))
            for part in sample_anatomy()
        ]
        return diffusion_head(1, SPACING_MM, tuple(coarse))

    return once("small-head", make)


@pytest.fixture(scope="session")
def protocol() -> Protocol:
    """18 directions at b=1000 and two unweighted volumes, an oblique grid of 3 mm."""
    angle = np.radians(12.0)
    oblique = np.array(
        [[1, 0, 0], [0, np.cos(angle), -np.sin(angle)], [0, np.sin(angle), np.cos(angle)]]
    )
    return Protocol(
        *gradient_scheme(DIRECTIONS, 1000.0, UNWEIGHTED),
        shape=SHAPE,
        spacing=(SPACING_MM,) * 3,
        centre=(0.0, -18.0, -8.0),
        rotation=oblique @ np.diag([-1.0, 1.0, 1.0]),
    )


@pytest.fixture(scope="session")
def simulated(small_head, protocol):
    """Still, at a signal-to-noise ratio of 25."""
    return simulate_dwi(small_head, protocol, 25.0, seed=2)


@pytest.fixture(scope="session")
def faults(protocol) -> Faults:
    """Movement, eddy currents and two lost slices."""
    n = len(protocol.bvals)
    return Faults(
        random_motion(n, MOVED_MM, MOVED_MM, 3),
        eddy_currents(protocol.bvals, protocol.bvecs),
        LOST,
    )


@pytest.fixture(scope="session")
def moved(small_head, protocol, faults):
    """The same head, moving."""
    return simulate_dwi(small_head, protocol, 25.0, faults, seed=2)


@pytest.fixture
def dwi(simulated) -> Dwi:
    """The still series."""
    return simulated.dwi
