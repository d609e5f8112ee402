"""A real T1 and maps made from its own tissue probabilities, so that they lie on it."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from BrainstemALSLib.cli.icbm import icbm_path, tissue_map
from BrainstemALSLib.imaging.dwi import TensorMaps
from BrainstemALSLib.imaging.geometry import resample
from BrainstemALSLib.imaging.reading import read_volume
from BrainstemALSLib.imaging.volume import Volume

CENTRE = np.array([0.0, -28.0, -34.0])  # middle of the ICBM brainstem, RAS mm
VOXEL_MM = 2.5


@pytest.fixture(scope="session")
def icbm_t1() -> Volume:
    return read_volume(icbm_path("t1"))


@pytest.fixture(scope="session")
def tensor_maps(icbm_t1: Volume) -> TensorMaps:
    """FA, MD and b0 of the ICBM tissue with noise, at 2.5 mm; every direction along z."""
    shape = tuple(
        int(n * s / VOXEL_MM) for n, s in zip(icbm_t1.shape, icbm_t1.spacing, strict=True)
    )
    affine = icbm_t1.affine @ np.diag([*(VOXEL_MM / icbm_t1.spacing), 1.0])
    white, grey = (resample(tissue_map(kind), shape, affine).array for kind in ("wm", "gm"))
    head = resample(icbm_t1, shape, affine).array > 0
    rng = np.random.default_rng(1)

    def noisy(mean: np.ndarray, sd: float) -> Volume:
        values = np.maximum(mean + sd * rng.standard_normal(shape), 0.01)
        return Volume(np.where(head, values, 0).astype(np.float32), affine)

    fluid = np.clip(1 - white - grey, 0, 1)
    fa = noisy(0.5 * white + 0.15 * grey, 0.03)
    md = noisy(0.75 * white + 0.85 * grey + 3.0 * fluid, 0.05)
    b0 = noisy(1.0 * white + 1.25 * grey + 2.5 * fluid, 0.05)
    v1 = np.zeros((*shape, 3), np.float32)
    v1[head, 2] = 1.0
    return TensorMaps(fa=fa, md=md, ad=md, rd=md, v1=Volume(v1, affine), b0=b0)


@pytest.fixture(scope="session")
def centre() -> np.ndarray:
    return CENTRE


@pytest.fixture(scope="session")
def start() -> np.ndarray:
    """Eight degrees about an oblique axis and 9 mm, about the brainstem."""
    matrix = np.eye(4)
    turn = Rotation.from_rotvec(np.deg2rad(8) * np.array([0.6, 0.48, 0.64])).as_matrix()
    matrix[:3, :3] = turn
    matrix[:3, 3] = CENTRE - turn @ CENTRE + [5.0, -5.0, 5.6]
    return matrix
