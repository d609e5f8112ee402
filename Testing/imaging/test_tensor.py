"""FA and MD against what their definition by eigenvalues says."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation

from BrainstemALSLib.errors import BrainstemALSError, ExitCode
from BrainstemALSLib.imaging import tensor
from BrainstemALSLib.imaging.volume import Volume

AFFINE = np.diag([2.0, 2.0, 2.0, 1.0])


def by_eigenvalues(array: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return FA and MD by their definition."""
    values = np.linalg.eigvalsh(array)
    mean = values.mean(-1, keepdims=True)
    fa = np.sqrt(1.5 * ((values - mean) ** 2).sum(-1) / (values**2).sum(-1))
    return fa, mean[..., 0]


def random_tensors(shape, seed, unit=1e-3) -> np.ndarray:
    rng = np.random.default_rng(seed)
    values = rng.uniform(0.05, 2.5, (*shape, 3))
    turns = Rotation.random(int(np.prod(shape)), random_state=rng).as_matrix()
    turns = turns.reshape(*shape, 3, 3)
    return unit * np.einsum("...ab,...b,...cb->...ac", turns, values, turns)


@settings(deadline=None, max_examples=40)
@given(
    st.tuples(*(st.integers(1, 6),) * 3),
    st.integers(0, 99),
    st.sampled_from([1e-3, 1.0]),
    st.sampled_from([np.float32, np.float64]),
)
def test_random_tensors(shape, seed, unit, dtype):
    array = random_tensors(shape, seed, unit).astype(dtype)
    fa, md = tensor.fa_and_md(Volume(array, AFFINE))
    expected = by_eigenvalues(array.astype(float))
    np.testing.assert_allclose(fa.array, expected[0], atol=1e-5)
    np.testing.assert_allclose(md.array, expected[1], rtol=1e-5)
    assert fa.array.dtype == md.array.dtype == np.float32
    np.testing.assert_array_equal(fa.affine, AFFINE)


def test_cases_that_are_known():
    stick, ball, disc = np.diag([1.7, 0, 0]), np.eye(3), np.diag([1.0, 1.0, 0])
    array = np.array([stick, ball, disc, np.zeros((3, 3))]).reshape(4, 1, 1, 3, 3)
    fa, md = tensor.fa_and_md(Volume(array, AFFINE))
    np.testing.assert_allclose(fa.array.ravel(), [1, 0, np.sqrt(0.5), 0], atol=1e-6)
    np.testing.assert_allclose(md.array.ravel(), [1.7 / 3, 1, 2 / 3, 0], atol=1e-6)


def test_chunks_leave_no_seam(monkeypatch):
    array = random_tensors((11, 5, 4), seed=3)
    whole = tensor.fa_and_md(Volume(array, AFFINE))
    monkeypatch.setattr(tensor, "_CHUNK_VOXELS", 3 * 20)
    parts = tensor.fa_and_md(Volume(array, AFFINE))
    for one, other in zip(whole, parts, strict=True):
        np.testing.assert_array_equal(one.array, other.array)


def test_a_negative_eigenvalue_gives_no_fa_above_one():
    array = np.diag([1.0, -0.5, -0.4]).reshape(1, 1, 1, 3, 3)
    assert by_eigenvalues(array)[0] > 1
    assert tensor.fa_and_md(Volume(array, AFFINE))[0].array == 1.0


@pytest.mark.parametrize("unit", [1e-3, 1.0])
def test_all_maps_against_the_tensors_they_came_from(unit):
    array = random_tensors((7, 6, 5), seed=8, unit=unit * 0.6)
    maps = tensor.maps_from_tensors(Volume(array, AFFINE))
    values, vectors = np.linalg.eigh(array / unit)
    np.testing.assert_allclose(maps.fa.array, by_eigenvalues(array)[0], atol=1e-5)
    np.testing.assert_allclose(maps.md.array, values.mean(-1), rtol=1e-4)
    np.testing.assert_allclose(maps.ad.array, values[..., 2], rtol=1e-4)
    np.testing.assert_allclose(maps.rd.array, values[..., :2].mean(-1), rtol=1e-4)
    along = np.abs((maps.v1.array * vectors[..., 2]).sum(-1))
    np.testing.assert_allclose(along, 1.0, atol=1e-5)


def test_what_is_empty_or_negative_stays_within_what_is_physical():
    array = random_tensors((4, 4, 4), seed=1, unit=0.6)
    array[0] = 0.0
    array[1] = np.diag([1.0, -0.2, 0.1])
    maps = tensor.maps_from_tensors(Volume(array, AFFINE))
    assert not maps.v1.array[0].any()
    assert maps.fa.array[1].max() <= 1.0
    np.testing.assert_allclose(maps.rd.array[1], 0.05, atol=1e-6)


def test_a_seam_between_chunks_shows_in_no_map(monkeypatch):
    array = random_tensors((9, 5, 4), seed=2, unit=0.6)
    whole = tensor.maps_from_tensors(Volume(array, AFFINE))
    monkeypatch.setattr(tensor, "_CHUNK_VOXELS", 40)
    parts = tensor.maps_from_tensors(Volume(array, AFFINE))
    for name in ("ad", "rd", "v1"):
        np.testing.assert_array_equal(getattr(whole, name).array, getattr(parts, name).array)


@pytest.mark.parametrize(
    ("array", "words"),
    [
        (np.zeros((4, 4, 4, 3, 3)), "zero"),
        (np.ones((4, 4, 4)), "no diffusion tensors"),
        (np.ones((4, 4, 4, 9)), "no diffusion tensors"),
        (np.ones((0, 4, 4, 3, 3)), "no diffusion tensors"),
        (np.full((2, 2, 2, 3, 3), np.nan), "not numbers"),
        (np.full((2, 2, 2, 3, 3), -np.inf), "not numbers"),
    ],
)
def test_what_holds_no_tensors(array, words):
    with pytest.raises(BrainstemALSError) as caught:
        tensor.fa_and_md(Volume(array, AFFINE))
    assert words in caught.value.problem
    assert caught.value.subject == "DTI"
    assert caught.value.code is ExitCode.UNSUITABLE_DIFFUSION
