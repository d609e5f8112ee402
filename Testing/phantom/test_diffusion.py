"""Simulated diffusion series: what is put in is what is there."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from BrainstemALSLib.anatomy import by_key
from BrainstemALSLib.anatomy.fibres import load_fibre_directions
from BrainstemALSLib.anatomy.priors import load_intensity_priors
from BrainstemALSLib.imaging.tensor import fa_and_md
from BrainstemALSLib.imaging.volume import Volume
from BrainstemALSLib.phantom import diffusion
from BrainstemALSLib.phantom.diffusion_head import diffusion_head, full_tensors
from BrainstemALSLib.phantom.fibres import fibre_field


@pytest.fixture(scope="module")
def head(anatomy):
    return diffusion_head(3, 2.0, anatomy)


@pytest.fixture(scope="module")
def protocol():
    return diffusion.Protocol(
        *diffusion.gradient_scheme(12, 1000.0, 2),
        shape=(30, 30, 30),
        spacing=(2.0, 2.0, 2.0),
        centre=(0.0, -28.0, -34.0),
    )


@pytest.fixture(scope="module")
def clean(head, protocol):
    return diffusion.simulate_dwi(head, protocol, None)


def fit(dwi, where):
    """Tensors by their definition: the logarithm is linear in them."""
    g, b = dwi.bvecs, dwi.bvals * 1e-3
    x, y, z = g.T
    design = -b[:, None] * np.stack([x * x, 2 * x * y, 2 * x * z, y * y, 2 * y * z, z * z], 1)
    design = np.concatenate([design, np.ones((len(b), 1))], 1)
    logs = np.log(dwi.volume.array[where].astype(float))
    return full_tensors((logs @ np.linalg.pinv(design).T)[:, :6])


def test_signals_are_those_of_the_tensors(clean):
    where = clean.dwi.volume.array[..., 0] > 200
    assert where.sum() > 1000
    np.testing.assert_allclose(fit(clean.dwi, where), clean.tensors.array[where], atol=1e-4)


def test_tensors_have_the_fa_and_md_that_were_painted(head):
    inside = head.labels.array == by_key()["midbrain_tegmentum_left"].index
    fa, md = fa_and_md(Volume(full_tensors(head.tensors.array), head.tensors.affine))
    prior = load_intensity_priors()["midbrain_tegmentum_left"]
    assert np.median(md.array[inside]) == pytest.approx(prior.md_mean, abs=2 * prior.md_sd)
    assert np.median(fa.array[inside]) == pytest.approx(prior.fa_mean, abs=2 * prior.fa_sd)


def test_fibres_of_a_structure_run_as_the_table_says(anatomy):
    labels, white, _ = anatomy
    field = fibre_field(labels, white)
    np.testing.assert_allclose(np.linalg.norm(field, axis=-1), 1.0, atol=1e-5)
    key = "midbrain_tegmentum_left"
    where = np.argwhere(labels.array == by_key()[key].index)
    places = where @ labels.affine[:3, :3].T + labels.affine[:3, 3]
    expected = load_fibre_directions()[key].at(places - places.mean(0))
    np.testing.assert_allclose(field[tuple(where.T)], expected, atol=1e-5)


@pytest.mark.parametrize("axis", [0, 1, 2])
def test_fibres_run_along_white_matter(axis):
    """A rod of white matter, in an image that is stored obliquely."""
    turn = Rotation.from_euler("zx", [30, 20], degrees=True).as_matrix()
    affine = np.eye(4)
    affine[:3, :3] = turn
    index = np.indices((40, 40, 40)) - 20.0
    across = [n for n in range(3) if n != axis]
    rod = (index[across[0]] ** 2 + index[across[1]] ** 2 < 16).astype(np.float32)
    labels = Volume(np.zeros(rod.shape, np.uint8), affine)
    field = fibre_field(labels, Volume(rod, affine))
    middle = field[18:22, 18:22, 18:22].reshape(-1, 3)
    assert np.abs(middle @ turn[:, axis]).min() > 0.99


def test_the_same_seed_gives_the_same_series(head, protocol):
    first, second, other = (
        diffusion.simulate_dwi(head, protocol, 20.0, seed=seed) for seed in (4, 4, 5)
    )
    np.testing.assert_array_equal(first.dwi.volume.array, second.dwi.volume.array)
    assert not np.array_equal(first.dwi.volume.array, other.dwi.volume.array)


def test_noise_is_rician_of_the_wanted_size(head, protocol, clean):
    noisy = diffusion.simulate_dwi(head, protocol, 20.0, seed=1).dwi.volume.array
    empty = clean.dwi.volume.array == 0
    sigma = diffusion.SCALE / 20.0
    # The mean of a Rayleigh distribution.
    assert noisy[empty].mean() == pytest.approx(sigma * np.sqrt(np.pi / 2), rel=0.02)
    bright = clean.dwi.volume.array > 400
    assert (noisy - clean.dwi.volume.array)[bright].std() == pytest.approx(sigma, rel=0.02)


def test_a_moved_head_is_seen_from_where_it_went(head, protocol):
    """A quarter turn about the middle, which a grid of cubes shows exactly."""
    motion = np.zeros((14, 6))
    motion[1:, 2] = 90.0
    motion[1:, 3:] = (4.0, -2.0, 2.0)
    moved = diffusion.simulate_dwi(head, protocol, None, diffusion.Faults(motion=motion))
    turn = Rotation.from_rotvec([0, 0, np.pi / 2]).as_matrix()
    with_head = replace(protocol, bvecs=protocol.bvecs @ turn)
    still = diffusion.simulate_dwi(head, with_head, None)
    # Voxel axes run to the left, front and top: a turn about the third, then the shift in voxels.
    turned = np.rot90(still.dwi.volume.array, 1, axes=(1, 0))
    shifted = np.roll(turned, (-2, -1, 1), axis=(0, 1, 2))
    inner = (slice(4, -4),) * 3
    np.testing.assert_allclose(
        moved.dwi.volume.array[inner][..., 1:], shifted[inner][..., 1:], rtol=1e-3, atol=0.5
    )
    np.testing.assert_allclose(moved.tensors.array, still.tensors.array)


def test_lost_slices_lose_signal_and_nothing_else(head, protocol, clean):
    lost = diffusion.simulate_dwi(
        head, protocol, None, diffusion.Faults(dropouts=[(3, 12)])
    ).dwi.volume.array
    changed = lost != clean.dwi.volume.array
    assert {tuple(pair) for pair in np.argwhere(changed)[:, 2:]} == {(12, 3)}


def test_distortion_moves_signal_and_keeps_it(head, protocol, clean):
    bent = diffusion.simulate_dwi(
        head, protocol, None, diffusion.Faults(epi_mm=4.0)
    ).dwi.volume.array[..., 0]
    straight = clean.dwi.volume.array[..., 0]
    assert np.abs(bent - straight).max() > 100
    # The sum along the phase encoding stays.
    inner = (slice(8, -8), slice(None), slice(8, -8))
    np.testing.assert_allclose(bent[inner].sum(1), straight[inner].sum(1), rtol=0.1)


def test_gradients_cover_the_sphere_and_may_be_reported_wrongly(clean):
    bvals, bvecs = diffusion.gradient_scheme(30, 1000.0, 3)
    weighted = bvals > 0
    assert weighted.sum() == 30
    np.testing.assert_allclose(np.linalg.norm(bvecs[weighted], axis=1), 1.0)
    np.testing.assert_allclose(bvecs[weighted].T @ bvecs[weighted] / 30, np.eye(3) / 3, atol=0.03)
    assert np.abs(bvecs.mean(0)).max() < 0.1
    wrong = diffusion.with_gradients(clean.dwi, np.diag([1.0, -1.0, 1.0]))
    np.testing.assert_array_equal(wrong.bvecs[:, 1], -clean.dwi.bvecs[:, 1])
    np.testing.assert_array_equal(wrong.volume.array, clean.dwi.volume.array)


def test_movement_has_the_size_that_was_asked_for():
    motion = diffusion.random_motion(20, 3.0, 2.0, 1)
    np.testing.assert_array_equal(motion[0], 0)
    assert np.linalg.norm(motion[:, :3], axis=1).max() == pytest.approx(3.0)
    assert np.linalg.norm(motion[:, 3:], axis=1).max() == pytest.approx(2.0)
