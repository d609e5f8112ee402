"""A made-up head and its diffusion maps, and a way to save them as real files."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest

SPACING_MM = 4.0
SHAPE = (40, 44, 42)


@pytest.fixture(scope="session")
def head() -> np.ndarray:
    """An ellipsoid with a brighter core in a noisy background, float32."""
    i, j, k = (np.linspace(-1, 1, n) for n in SHAPE)
    radius = np.sqrt(i[:, None, None] ** 2 + j[:, None] ** 2 + k**2)
    noise = np.random.default_rng(0).random(SHAPE)
    return (500.0 * (radius < 0.8) + 300.0 * (radius < 0.5) + 20 * noise).astype(np.float32)


@pytest.fixture(scope="session")
def fa(head: np.ndarray) -> np.ndarray:
    """FA of the head, 0 outside."""
    return np.select([head > 600, head > 100], [0.7, 0.15], 0.0).astype(np.float32)


@pytest.fixture(scope="session")
def md(head: np.ndarray) -> np.ndarray:
    """MD of the head in 1e-3 mm2/s, 0 outside."""
    return np.select([head > 600, head > 100], [0.75, 0.9], 0.0).astype(np.float32)


@pytest.fixture(scope="session")
def affine() -> np.ndarray:
    """LAS grid of the head, its middle at the origin."""
    matrix = np.diag([-SPACING_MM, SPACING_MM, SPACING_MM, 1.0])
    matrix[:3, 3] = -matrix[:3, :3] @ ((np.array(SHAPE) - 1) / 2)
    return matrix


@pytest.fixture
def save(tmp_path: Path, affine: np.ndarray) -> Callable[..., Path]:
    """Save an array as NIfTI, with qform and sform of the head unless told otherwise."""

    def write(
        name: str, array: np.ndarray, sform=affine, qform=affine, codes: tuple[int, int] = (1, 1)
    ) -> Path:
        image = nib.Nifti1Image(array, None)
        image.header.set_qform(qform, codes[0])
        image.header.set_sform(sform, codes[1])
        nib.save(image, tmp_path / name)
        return tmp_path / name

    return write


@pytest.fixture
def t1(save, head) -> Path:
    """The head as a T1 file."""
    return save("t1.nii.gz", head)
