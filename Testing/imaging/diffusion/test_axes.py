"""Gradient axes that are flipped or exchanged, found by how fibres fit together."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from BrainstemALSLib.imaging.diffusion import orientation
from BrainstemALSLib.imaging.diffusion.linear import design_matrix, linear_fit, tensors_of
from BrainstemALSLib.imaging.diffusion.mask import brain_mask
from BrainstemALSLib.imaging.volume import Volume
from BrainstemALSLib.phantom.diffusion import with_gradients

TRANSFORMS = orientation.axis_transforms()


def fitted(dwi):
    mask = brain_mask(Volume(dwi.volume.array[..., dwi.unweighted].mean(3), dwi.volume.affine))
    tensors = np.zeros((*mask.shape, 3, 3), np.float32)
    coefficients = linear_fit(dwi.volume.array[mask], design_matrix(dwi.bvals, dwi.bvecs))
    tensors[mask] = 1e3 * tensors_of(coefficients)
    return Volume(tensors, dwi.volume.affine), mask


def test_there_are_24_that_differ_by_more_than_a_sign():
    both = np.concatenate([TRANSFORMS, -TRANSFORMS])
    assert len(np.unique(both.reshape(48, 9), axis=0)) == 48
    np.testing.assert_array_equal(TRANSFORMS[0], np.eye(3))
    np.testing.assert_allclose(
        TRANSFORMS @ TRANSFORMS.swapaxes(1, 2), np.tile(np.eye(3), (24, 1, 1))
    )


@pytest.mark.parametrize(
    ("case", "signs", "step"), [("simulated", (1.0, -1.0), 1), ("moved", (1.0,), 5)]
)
def test_all_48_tables_come_out_right(case, signs, step, request):
    dwi = request.getfixturevalue(case).dwi
    axes = orientation.image_axes(dwi.volume.affine)
    for sign in signs:
        for number in range(0, len(TRANSFORMS), step):
            matrix = TRANSFORMS[number]
            wrong = with_gradients(dwi, axes @ (sign * matrix) @ axes.T)
            checked, coherence, turn = orientation.check_orientation(wrong, *fitted(wrong))
            right = [np.allclose(s * checked.bvecs, dwi.bvecs, atol=1e-9) for s in (1, -1)]
            assert any(right), orientation.in_words(matrix)
            assert coherence.lead > orientation.CLEAR
            found = {finding.code for finding in checked.findings}
            assert found == (set() if number == 0 else {"gradients_corrected"})
            np.testing.assert_allclose(checked.bvecs, wrong.bvecs @ turn.T)


def test_the_finding_says_in_words_what_was_wrong(dwi):
    axes = orientation.image_axes(dwi.volume.affine)
    wrong = with_gradients(dwi, axes @ np.diag([1.0, -1.0, 1.0]) @ axes.T)
    checked, _, _ = orientation.check_orientation(wrong, *fitted(wrong))
    (finding,) = checked.findings
    assert "the second gradient axis is flipped" in finding.message
    assert finding.severity == "warning"


@pytest.mark.parametrize(
    ("matrix", "words"),
    [
        (np.eye(3), "no gradient axis is flipped or exchanged"),
        (-np.eye(3), "no gradient axis is flipped or exchanged"),
        (np.diag([1.0, -1, -1]), "the first gradient axis is flipped"),
        (np.eye(3)[[1, 0, 2]], "the first and second gradient axes are exchanged"),
        (np.eye(3)[[1, 2, 0]], "the three gradient axes are cyclically exchanged"),
    ],
)
def test_words(matrix, words):
    assert orientation.in_words(matrix) == words


def test_noise_alone_is_left_alone_and_said_so(dwi):
    rng = np.random.default_rng(0)
    noise = rng.normal(size=(*dwi.volume.array.shape[:3], 3, 3))
    tensors = Volume(np.eye(3) + 0.3 * (noise + noise.swapaxes(-1, -2)), dwi.volume.affine)
    checked, coherence, turn = orientation.check_orientation(
        dwi, tensors, np.ones(tensors.array.shape[:3], bool)
    )
    np.testing.assert_array_equal(turn, np.eye(3))
    np.testing.assert_array_equal(checked.bvecs, dwi.bvecs)
    assert {f.code for f in checked.findings} <= {"gradients_unsure", "gradients_unchecked"}
    assert checked.findings
    np.testing.assert_allclose(coherence.change, 1 / 3, atol=0.02)


def test_a_piece_too_small_to_judge_is_not_judged(dwi):
    tensors, mask = fitted(dwi)
    small = Volume(tensors.array[20:26, 30:36, 10:14], tensors.affine)
    checked, _, turn = orientation.check_orientation(
        replace(dwi, findings=()), small, mask[20:26, 30:36, 10:14]
    )
    assert [f.code for f in checked.findings] == ["gradients_unchecked"]
    np.testing.assert_array_equal(turn, np.eye(3))


def test_no_anisotropic_voxel_at_all(dwi):
    tensors = Volume(np.tile(np.eye(3), (6, 6, 6, 1, 1)), np.eye(4))
    coherence = orientation.fibre_coherence(tensors, np.ones((6, 6, 6), bool))
    assert coherence.voxels == 0
    np.testing.assert_array_equal(coherence.errors, 0)
