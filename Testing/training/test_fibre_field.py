"""Directions of simulated fibres: they follow the table, and turn as the window turns."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from BrainstemALSLib.anatomy import by_key
from BrainstemALSLib.anatomy.fibres import load_fibre_directions
from training.fibre_field import fibre_field
from training.geometry_augmentation import Draw, rotation

SHAPE = (24, 24, 24)


def _grid() -> torch.Tensor:
    axes = [torch.arange(n) - (n - 1) / 2 for n in SHAPE]
    return torch.stack(torch.meshgrid(*axes, indexing="ij"), -1)


def _mean_axis(field: torch.Tensor) -> np.ndarray:
    """Common axis of directions without signs, with a positive last component."""
    flat = field.reshape(-1, 3).numpy().astype(float)
    axis = np.linalg.eigh(flat.T @ flat)[1][:, -1]
    return axis * np.sign(axis[2])


def _degrees(first: np.ndarray, second: np.ndarray) -> float:
    return float(np.degrees(np.arccos(min(1.0, abs(first @ second)))))


def _field(points: torch.Tensor, key: str, seed: int) -> torch.Tensor:
    labels = torch.full(SHAPE, by_key()[key].index, dtype=torch.uint8)
    return fibre_field(
        Draw(torch.Generator().manual_seed(seed)), labels, points, torch.zeros(256, 3), 1.0
    )


@pytest.mark.parametrize("key", ["cst_pons_left", "basis_pontis_right", "pyramid_left"])
def test_directions_are_those_of_the_table_on_average(key):
    """Subjects depart by 8 degrees and more each; their mean does not."""
    axes = np.array([_mean_axis(_field(_grid() * 0.2, key, seed)) for seed in range(12)])
    wanted = load_fibre_directions()[key].direction
    common = np.linalg.eigh(axes.T @ axes)[1][:, -1]
    assert _degrees(common, wanted) < 8


def test_unit_length_and_no_two_subjects_alike():
    first, second = (_field(_grid(), "cst_pons_left", seed) for seed in (1, 2))
    assert torch.allclose(first.norm(dim=-1), torch.ones(SHAPE), atol=1e-5)
    assert not torch.allclose(first, second)


@pytest.mark.parametrize("axis", [0, 1, 2])
def test_a_turned_window_sees_turned_fibres(axis):
    angles = torch.zeros(3)
    angles[axis] = 40.0
    matrix = rotation(angles)
    straight = _mean_axis(_field(_grid() * 0.2, "cst_crus_left", 3))
    turned = _mean_axis(_field(_grid() * 0.2 @ matrix.T, "cst_crus_left", 3))
    # Window to anatomy is the matrix, so that the anatomy's direction comes back by its inverse.
    assert _degrees(turned, matrix.numpy().T @ straight) < 2


def test_stretching_the_window_leans_the_fibres_towards_the_long_axis():
    stretch = torch.tensor([1.0, 1.0, 0.5])  # the anatomy is drawn twice as tall
    straight = _mean_axis(_field(_grid() * 0.2, "cst_crus_left", 3))
    taller = _mean_axis(_field(_grid() * 0.2 * stretch, "cst_crus_left", 3))
    wanted = straight / stretch.numpy()
    assert _degrees(taller, wanted / np.linalg.norm(wanted)) < 2
