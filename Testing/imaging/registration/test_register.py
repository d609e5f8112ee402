"""Maps come to lie where they belong, or are refused with the reason."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from BrainstemALSLib.errors import BrainstemALSError, ExitCode
from BrainstemALSLib.imaging.dwi import TensorMaps
from BrainstemALSLib.imaging.geometry import crop
from BrainstemALSLib.imaging.registration import Registration, checked_axis, register
from BrainstemALSLib.imaging.registration.region import stem_points
from BrainstemALSLib.imaging.volume import Volume


@pytest.fixture(scope="module")
def moved(tensor_maps, icbm_t1, centre, start) -> Registration:
    return register(tensor_maps.moved(start), icbm_t1, centre)


def error(transform: np.ndarray, centre: np.ndarray) -> float:
    points = stem_points(centre)
    apart = points @ transform[:3, :3].T + transform[:3, 3] - points
    return float(np.linalg.norm(apart, axis=1).mean())


def codes(found: Registration) -> list[str]:
    return [finding.code for finding in found.findings]


def upright_slab(maps: TensorMaps, low_mm: float, high_mm: float) -> TensorMaps:
    grid = maps.fa
    a, b = (round((z - grid.affine[2, 3]) / grid.affine[2, 2]) for z in (low_mm, high_mm))
    b = min(b, grid.shape[2])
    parts = {
        name: crop(getattr(maps, name), (0, 0, a), (*grid.shape[:2], b))
        for name in ("fa", "md", "ad", "rd", "v1", "b0")
    }
    return replace(maps, **parts)


def test_a_wrong_start_ends_within_a_millimetre(moved, centre, start):
    assert error(start, centre) > 8
    assert moved.ok
    assert moved.findings == ()
    assert error(moved.transform @ start, centre) < 1.0


def test_the_movement_is_told(moved, start):
    assert moved.facts["rotation_degrees"] == pytest.approx(8, abs=1)
    assert moved.facts["translation_mm"] == pytest.approx(9, abs=1.5)
    assert moved.facts["quality_before"] < moved.quality


def test_no_voxel_is_touched_and_directions_turn_with_the_head(moved, tensor_maps, start):
    assert np.array_equal(moved.maps.fa.array, tensor_maps.fa.array)
    there = tensor_maps.v1.array[..., 2] > 0
    # Turned away by the start and back by the registration: along z again.
    assert np.allclose(moved.maps.v1.array[there], [0, 0, 1], atol=0.03)
    assert np.allclose(moved.maps.fa.affine, tensor_maps.fa.affine, atol=1.5)


def test_the_same_images_give_the_same_movement(moved, tensor_maps, icbm_t1, centre, start):
    again = register(tensor_maps.moved(start), icbm_t1, centre)
    assert np.array_equal(again.transform, moved.transform)


def test_maps_that_lie_right_are_left_alone(tensor_maps, icbm_t1, centre):
    found = register(tensor_maps, icbm_t1, centre)
    assert found.ok
    assert found.maps is tensor_maps
    assert found.facts["left_alone"]
    assert np.array_equal(found.transform, np.eye(4))


def test_headers_that_put_the_maps_elsewhere_are_named(tensor_maps, icbm_t1, centre):
    away = np.eye(4)
    away[:3, 3] = [60.0, -100.0, 80.0]
    found = register(TensorMaps(fa=tensor_maps.fa).moved(away), icbm_t1, centre)
    assert found.ok
    assert error(found.transform @ away, centre) < 1.0
    assert codes(found) == ["registration_far"]
    assert "141 mm" in found.findings[0].message


@pytest.mark.parametrize("axis", ["x", "AP", "", "ij", "-j"])
def test_an_axis_that_is_none_is_refused(axis):
    assert [checked_axis(name) for name in (None, "i", "j-", "k")] == [None, "i", "j-", "k"]
    with pytest.raises(BrainstemALSError, match="no axis") as refusal:
        checked_axis(axis)
    assert refusal.value.code == ExitCode.USAGE


def test_an_fa_alone_is_enough(tensor_maps, icbm_t1, centre, start):
    maps = TensorMaps(fa=tensor_maps.fa).moved(start)
    found = register(maps, icbm_t1, centre)
    assert found.ok
    assert error(found.transform @ start, centre) < 1.0


def test_without_a_centre_the_head_is_compared(tensor_maps, icbm_t1, centre, start):
    found = register(tensor_maps.moved(start), icbm_t1)
    assert found.ok
    assert error(found.transform @ start, centre) < 1.5
    assert "brainstem_covered" not in found.facts


def test_a_slab_above_the_brainstem_is_named(tensor_maps, icbm_t1, centre, start):
    slab = TensorMaps(fa=upright_slab(tensor_maps, 5, 80).fa)
    found = register(slab.moved(start), icbm_t1, centre)
    assert not found.ok
    assert found.maps is None
    assert codes(found) == ["diffusion_misses_brainstem"]
    assert "Only the T1 is used" in found.findings[0].message


def test_a_slab_that_cuts_the_medulla_is_used_with_a_warning(tensor_maps, icbm_t1, centre):
    found = register(upright_slab(tensor_maps, -45, 40), icbm_t1, centre)
    assert found.ok
    assert "diffusion_cuts_brainstem" in codes(found)


def test_empty_maps_are_refused(tensor_maps, icbm_t1, centre):
    empty = Volume(np.zeros_like(tensor_maps.fa.array), tensor_maps.fa.affine)
    found = register(TensorMaps(fa=empty, md=empty), icbm_t1, centre)
    assert not found.ok
    assert found.quality == 0.0
    assert codes(found) == ["registration_failed"]


def test_noise_is_refused(tensor_maps, icbm_t1, centre):
    noise = np.random.default_rng(3).random(tensor_maps.fa.shape).astype(np.float32)
    found = register(TensorMaps(fa=Volume(noise, tensor_maps.fa.affine)), icbm_t1, centre)
    assert not found.ok
    assert codes(found) == ["registration_failed"]
    assert found.findings[0].severity == "warning"
