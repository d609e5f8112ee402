"""Distortion along the phase encoding is taken out where that helps, and only there."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from BrainstemALSLib.imaging.dwi import TensorMaps
from BrainstemALSLib.imaging.registration import RegistrationOptions, register
from BrainstemALSLib.imaging.registration.distortion import axis_of, pull
from BrainstemALSLib.imaging.volume import Volume

AXIS = 1


@pytest.fixture(scope="module")
def bump(tensor_maps, centre) -> np.ndarray:
    """Displacement along j, mm: 5 in front of the pons, fading over 20 mm; it does not fold."""
    grid = tensor_maps.fa
    index = np.moveaxis(np.indices(grid.shape), 0, -1)
    offset = index @ grid.affine[:3, :3].T + grid.affine[:3, 3] - (centre + np.array([0, 12, 0]))
    return (5.0 * np.exp(-(offset**2).sum(-1) / (2 * 20.0**2))).astype(np.float32)


def small_maps(v1: np.ndarray) -> TensorMaps:
    fa = np.random.default_rng(0).random(v1.shape[:3]).astype(np.float32) + 0.1
    affine = np.diag([2.0, 2.0, 2.0, 1.0])
    return TensorMaps(fa=Volume(fa, affine), v1=Volume(v1.astype(np.float32), affine))


@pytest.mark.parametrize(
    ("name", "axis"), [("i", 0), ("j-", 1), ("k", 2), ("x", None), ("", None), (None, None)]
)
def test_axis_names(name, axis):
    assert axis_of(name) == axis


def test_values_come_from_where_the_displacement_points():
    v1 = np.zeros((6, 8, 5, 3))
    v1[..., 0] = 1
    maps = small_maps(v1)
    pulled = pull(maps, np.full((6, 8, 5), 4.0), AXIS)  # mm: two voxels of 2 mm
    assert np.allclose(pulled.fa.array[:, :6], maps.fa.array[:, 2:], atol=1e-5)


def test_no_displacement_changes_nothing(tensor_maps):
    pulled = pull(tensor_maps, np.zeros(tensor_maps.fa.shape), AXIS)
    assert np.allclose(pulled.fa.array, tensor_maps.fa.array, atol=1e-5)
    assert np.allclose(pulled.b0.array, tensor_maps.b0.array, atol=1e-4)


def test_directions_of_opposite_sign_do_not_cancel():
    v1 = np.zeros((4, 8, 4, 3))
    v1[..., 1] = np.where(np.arange(8) % 2, -1, 1)[None, :, None]
    pulled = pull(small_maps(v1), np.full((4, 8, 4), 1.0), AXIS)  # half a voxel
    assert np.allclose(np.abs(pulled.v1.array[..., 1]), 1, atol=1e-4)


def test_directions_keep_theirs():
    v1 = np.zeros((4, 8, 4, 3))
    v1[...] = np.array([0.6, 0.0, 0.8])
    ramp = np.broadcast_to(np.linspace(0, 3, 8)[None, :, None], (4, 8, 4))
    pulled = pull(small_maps(v1), ramp, AXIS)
    assert np.allclose(np.abs(pulled.v1.array @ [0.6, 0.0, 0.8]), 1, atol=1e-4)


def test_a_distorted_brainstem_is_straightened(tensor_maps, icbm_t1, centre, bump):
    bent = pull(tensor_maps, bump, AXIS)
    found = register(bent, icbm_t1, centre, RegistrationOptions(unwarp=True, phase_encoding="j-"))
    rigid = register(bent, icbm_t1, centre)
    assert found.facts["straightened"]
    assert found.quality > rigid.quality
    assert found.facts["smallest_jacobian"] > 0.2

    def apart(maps: TensorMaps) -> float:
        near = bump > 1.5
        return float(np.abs(maps.fa.array - tensor_maps.fa.array)[near].mean())

    # On one grid, as the affine is the same but for the rigid part, which this does not need.
    assert apart(found.maps) < 0.85 * apart(bent)


def test_straight_maps_stay_as_they_are(tensor_maps, icbm_t1, centre):
    options = RegistrationOptions(unwarp=True, phase_encoding="j")
    found = register(tensor_maps, icbm_t1, centre, options)
    assert found.ok
    assert not found.facts["straightened"]
    assert found.maps is tensor_maps
    assert [f.code for f in found.findings] == ["distortion_not_straightened"]


def test_an_unknown_axis_is_named(tensor_maps, icbm_t1, centre):
    found = register(tensor_maps, icbm_t1, centre, RegistrationOptions(unwarp=True))
    assert found.ok
    assert [f.code for f in found.findings] == ["phase_encoding_unknown"]


def test_maps_on_different_grids_are_not_straightened(tensor_maps, icbm_t1, centre):
    md = Volume(tensor_maps.md.array[:, :, :-1], tensor_maps.md.affine)
    maps = replace(TensorMaps(fa=tensor_maps.fa), md=md)
    options = RegistrationOptions(unwarp=True, phase_encoding="j")
    found = register(maps, icbm_t1, centre, options)
    assert found.ok
    assert "distortion_not_straightened" in [f.code for f in found.findings]
