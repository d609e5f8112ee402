"""Gradient tables: the frame of FSL, and what can be fitted."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation

from BrainstemALSLib.errors import BrainstemALSError, ExitCode
from BrainstemALSLib.imaging.diffusion import gradients
from BrainstemALSLib.imaging.dwi import Dwi
from BrainstemALSLib.imaging.volume import Volume
from BrainstemALSLib.phantom.diffusion import gradient_scheme


def made(bvals, bvecs, volumes=None) -> Dwi:
    n = len(bvals) if volumes is None else volumes
    return Dwi(Volume(np.ones((4, 4, 4, n), np.float32), np.eye(4)), bvals, bvecs)


@pytest.fixture
def scheme():
    return gradient_scheme(30, 1000.0, 3)


def codes(dwi) -> set[str]:
    return {finding.code for finding in dwi.findings}


def test_fsl_reverses_the_first_axis_of_a_right_handed_image():
    x = np.array([[1.0, 0, 0]])
    np.testing.assert_allclose(gradients.fsl_to_ras(x, np.diag([2.0, 2, 2, 1])), [[-1, 0, 0]])
    # Stored to the left, as most scanners' images: no reversal, but the axis itself points left.
    np.testing.assert_allclose(gradients.fsl_to_ras(x, np.diag([-2.0, 2, 2, 1])), [[-1, 0, 0]])
    y = np.array([[0, 1.0, 0]])
    np.testing.assert_allclose(gradients.fsl_to_ras(y, np.diag([2.0, -2, 2, 1])), [[0, -1, 0]])


@settings(deadline=None, max_examples=30)
@given(st.integers(0, 999), st.sampled_from([1.0, -1.0]))
def test_there_and_back_keeps_directions_and_lengths(seed, side):
    rng = np.random.default_rng(seed)
    affine = np.eye(4)
    turn = Rotation.random(random_state=rng).as_matrix()
    affine[:3, :3] = turn @ np.diag([side * 2.0, 1.5, 3.0])
    bvecs = rng.normal(size=(7, 3))
    ras = gradients.fsl_to_ras(bvecs, affine)
    np.testing.assert_allclose(gradients.ras_to_fsl(ras, affine), bvecs, atol=1e-12)
    np.testing.assert_allclose(np.linalg.norm(ras, axis=1), np.linalg.norm(bvecs, axis=1))


def test_a_good_table_passes_without_a_word(scheme):
    checked, findings = gradients.check_gradients(made(*scheme))
    assert findings == ()
    np.testing.assert_allclose(checked.bvecs, scheme[1])
    assert gradients.shells(checked.bvals) == {0: 3, 1000: 30}
    assert gradients.condition(checked) < 5


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda b, g: (b[:-1], g), "33 volumes, but 32 b-values and 33 directions"),
        (lambda b, g: (b, g[:-2]), "31 directions"),
        (lambda b, g: (b, g.T), "3 directions"),
        (lambda b, g: (b * 0, g * 0), "unweighted (b=0)"),
        (lambda b, g: (b + 500, np.where(b[:, None] > 0, g, g[1])), "none of its 33 volumes"),
        (lambda b, g: (np.where(b > 0, np.nan, b), g), "no numbers"),
        (lambda b, g: (-b, g), "negative"),
        (lambda b, g: (b, g * 0), "30 of its weighted volumes have no gradient direction"),
        (lambda b, g: (b, np.where(b[:, None] > 0, g[1], 0.0)), "this series has 1"),
        (lambda b, g: (b, _flat(b, g)), "plane or a cone"),
    ],
)
def test_what_no_tensor_can_be_fitted_to_is_refused(scheme, change, words):
    bvals, bvecs = change(*scheme)
    with pytest.raises(BrainstemALSError) as caught:
        gradients.check_gradients(made(bvals, bvecs, volumes=33))
    assert words in caught.value.problem
    assert caught.value.code is ExitCode.UNSUITABLE_DIFFUSION


def _flat(bvals, bvecs):
    flat = bvecs * [1, 1, 0]
    length = np.linalg.norm(flat, axis=1, keepdims=True)
    return np.where(bvals[:, None] > 0, flat / np.maximum(length, 1e-9), 0.0)


def test_a_volume_that_is_no_series_is_refused(scheme):
    dwi = replace(made(*scheme), volume=Volume(np.ones((4, 4, 4), np.float32), np.eye(4)))
    with pytest.raises(BrainstemALSError, match="no series"):
        gradients.check_gradients(dwi)


def test_five_directions_are_too_few_and_six_are_told_apart():
    bvals, bvecs = gradient_scheme(6, 800.0, 1)
    checked, _ = gradients.check_gradients(made(bvals, bvecs))
    assert "few_directions" in codes(checked)
    # The sixth is the first with its sign reversed: the same direction.
    last = np.flatnonzero(bvals)
    bvecs[last[5]] = -bvecs[last[0]]
    with pytest.raises(BrainstemALSError, match="this series has 5"):
        gradients.check_gradients(made(bvals, bvecs))


def test_lengths_are_made_one_and_the_b_values_kept(scheme):
    bvals, bvecs = scheme
    rounded, _ = gradients.check_gradients(made(bvals, bvecs * 1.005))
    assert codes(rounded) == set()
    np.testing.assert_allclose(np.linalg.norm(rounded.bvecs[bvals > 0], axis=1), 1.0)
    scaled, _ = gradients.check_gradients(made(bvals, bvecs * 0.7))
    assert codes(scaled) == {"gradients_normalised"}
    np.testing.assert_array_equal(scaled.bvals, bvals)
    np.testing.assert_allclose(scaled.bvecs, bvecs, atol=1e-12)


def test_high_b_is_left_out_where_the_rest_suffices():
    low, high = gradient_scheme(20, 1000.0, 2), gradient_scheme(40, 2500.0, 0)
    bvals, bvecs = np.concatenate([low[0], high[0]]), np.concatenate([low[1], high[1]])
    checked, _ = gradients.check_gradients(made(bvals, bvecs))
    assert codes(checked) == {"high_b_left_out"}
    assert checked.volume.array.shape[3] == len(checked.bvals) == 22
    assert gradients.shells(bvals) == {0: 2, 1000: 20, 2500: 40}


def test_high_b_alone_is_fitted_with_a_warning():
    checked, _ = gradients.check_gradients(made(*gradient_scheme(40, 2500.0, 2)))
    assert codes(checked) == {"high_b"}
    assert len(checked.bvals) == 42


def test_b_values_as_scanners_write_them_are_one_shell():
    bvals, bvecs = gradient_scheme(24, 1000.0, 2)
    bvals = np.where(bvals > 0, bvals + np.tile([-5.0, 0.0, 5.0], 9)[: len(bvals)], 5.0)
    assert gradients.shells(bvals) == {0: 2, 1000: 24}
    checked, _ = gradients.check_gradients(made(bvals, bvecs))
    assert checked.unweighted.sum() == 2
