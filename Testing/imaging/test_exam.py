"""The exam: T1, FA and MD belong together and have the right scale."""

from __future__ import annotations

import hashlib

import numpy as np
import pytest

from BrainstemALSLib.errors import BrainstemALSError, ExitCode
from BrainstemALSLib.imaging.exam import read_exam


def refusal(*paths, **named) -> BrainstemALSError:
    with pytest.raises(BrainstemALSError) as caught:
        read_exam(*paths, **named)
    return caught.value


def test_t1_alone(t1, head):
    exam = read_exam(t1)
    np.testing.assert_array_equal(exam.t1.array, head)
    assert (exam.fa, exam.md) == (None, None)
    assert exam.names == {"t1": "t1.nii.gz"}
    assert exam.checksums == {"t1": hashlib.sha256(t1.read_bytes()).hexdigest()}


def test_maps_keep_their_own_grids(t1, save, fa, md, affine):
    coarse = affine @ np.diag([1.2, 1.2, 1.2, 1])
    exam = read_exam(
        str(t1),
        str(save("fa.nii.gz", fa[2:, 2:], sform=coarse, qform=coarse)),
        str(save("md.nii.gz", md)),
    )
    assert exam.fa.shape == fa[2:, 2:].shape
    np.testing.assert_allclose(exam.fa.affine, coarse, atol=1e-4)
    np.testing.assert_allclose(exam.md.affine, affine, atol=1e-4)
    assert set(exam.names) == set(exam.checksums) == {"t1", "fa", "md"}


def test_either_map_may_come_alone(t1, save, fa, md):
    assert read_exam(t1, fa=save("fa.nii.gz", fa)).md is None
    assert read_exam(t1, md=save("md.nii.gz", md)).fa is None


@pytest.mark.parametrize("factor", [1.0, 1e-3])
def test_md_comes_back_in_one_unit(t1, save, md, factor):
    exam = read_exam(t1, md=save("md.nii.gz", (md * factor).astype("f4")))
    np.testing.assert_allclose(exam.md.array, md, rtol=1e-5)
    assert exam.md.array.dtype == np.float32


def test_md_unit_is_found_in_spite_of_background_noise(t1, save, md):
    noise = np.random.default_rng(1).normal(0, 1e-3, md.shape)
    noisy = np.where(md > 0, md, noise).astype("f4")
    exam = read_exam(t1, md=save("md.nii.gz", noisy * np.float32(1e-3)))
    np.testing.assert_allclose(exam.md.array, noisy, rtol=1e-4)


@pytest.mark.parametrize("factor", [1e3, 1e6, 1e-6, 3.0, 3e-3, -1.0, 30.0])
def test_md_in_any_other_unit(t1, save, md, factor):
    error = refusal(t1, md=save("md.nii.gz", (md * factor).astype("f4")))
    assert error.code == ExitCode.UNSUITABLE_DIFFUSION
    assert "mm2/s" in error.remedy
    assert "md.nii.gz" in str(error)


def test_fa_overshoot_is_clipped(t1, save, fa):
    over = fa.copy()
    over[20, 20, 20], over[10, 10, 10] = 1.2, -0.03
    read = read_exam(t1, fa=save("fa.nii.gz", over)).fa.array
    assert (read.min(), read.max()) == (0.0, 1.0)


@pytest.mark.parametrize(
    "change",
    [
        lambda fa: fa * 1000,  # Siemens' integer scale
        lambda fa: fa * 1.7,  # a fifth of the tissue at 1.19
        lambda fa: fa - 0.5,
        lambda fa: fa * 1e-3,  # MD in mm2/s given as FA
    ],
)
def test_fa_that_is_none(t1, save, fa, change):
    error = refusal(t1, fa=save("fa.nii.gz", change(fa).astype("f4")))
    assert error.code == ExitCode.UNSUITABLE_DIFFUSION
    assert "between 0 and 1" in error.problem


def test_swapped_maps(t1, save, fa, md):
    csf = md.copy()
    csf[20:24, 20:24, 20:24] = 3.1
    fa_file, md_file = save("fa.nii.gz", fa), save("md.nii.gz", csf)
    assert refusal(t1, fa=md_file).code == ExitCode.UNSUITABLE_DIFFUSION
    assert refusal(t1, md=fa_file).code == ExitCode.UNSUITABLE_DIFFUSION


def test_grids_of_different_patients(t1, save, fa, md, affine):
    elsewhere = affine.copy()
    elsewhere[2, 3] += 150
    for key, array in (("fa", fa), ("md", md)):
        path = save(f"{key}.nii.gz", array, sform=elsewhere, qform=elsewhere)
        error = refusal(t1, **{key: path})
        assert error.code == ExitCode.MISMATCHED_IMAGES
        assert path.name in str(error)


def test_a_diffusion_slab_over_the_brainstem_is_enough(t1, save, fa, affine):
    slab = affine.copy()
    slab[:3, 3] += slab[:3, :3] @ (0, 0, 14)
    assert (
        read_exam(t1, fa=save("fa.nii.gz", fa[..., 14:24], sform=slab, qform=slab)).fa is not None
    )


def test_field_of_view_too_small_for_a_brain(save, head):
    error = refusal(save("slab.nii.gz", head[..., :12]))
    assert error.code == ExitCode.UNSUITABLE_IMAGE
    assert "160 x 176 x 48 mm" in error.problem


def head_ct(head) -> np.ndarray:
    """Air, soft tissue with brain inside, and a shell of bone, in Hounsfield units."""
    shell = (head > 100) & (np.roll(head, 3, axis=0) < 100)
    ct = np.where(head > 100, 35.0 + 0.2 * (head % 20), -1000.0 + 0.5 * head)
    return np.where(shell, 900.0, ct).astype(np.int16)


def test_ct(save, head):
    error = refusal(save("ct.nii.gz", head_ct(head)))
    assert error.code == ExitCode.UNSUITABLE_IMAGE
    assert "CT" in error.problem


@pytest.mark.parametrize(
    "change",
    [
        lambda head: (head - head.mean()) / head.std(),  # z-scored
        lambda head: head - 300,  # ringing and offsets
        lambda head: np.where(head < 100, -1000, head),  # background marked by a value
        lambda head: (head * 60 - 30000).astype(np.int16),  # signed storage
    ],
)
def test_mr_with_negative_values_is_no_ct(save, head, change):
    assert read_exam(save("mr.nii.gz", change(head).astype("f4"))).t1.array.min() < 0


def test_a_missing_map_is_told_before_anything_is_read(tmp_path):
    (tmp_path / "t1.nii.gz").write_text("not an image, which would be told second")
    error = refusal(tmp_path / "t1.nii.gz", fa=tmp_path / "none.nii.gz")
    assert error.subject == "none.nii.gz"
    assert error.code == ExitCode.UNREADABLE_IMAGE
