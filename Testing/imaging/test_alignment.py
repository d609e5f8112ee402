"""A map that does not lie on the T1 is noticed; one that does, even roughly, is not."""

from __future__ import annotations

import numpy as np
import pytest

from BrainstemALSLib.cli.icbm import icbm_path
from BrainstemALSLib.imaging.alignment import offset_of
from BrainstemALSLib.imaging.geometry import crop
from BrainstemALSLib.imaging.reading import read_volume
from BrainstemALSLib.imaging.volume import Volume


@pytest.fixture(scope="module")
def pair() -> tuple[Volume, Volume]:
    """ICBM T1, and its white matter in place of an FA map."""
    white = read_volume(icbm_path("wm"))
    return read_volume(icbm_path("t1")), Volume(white.array / 500.0, white.affine)


def moved(volume: Volume, *shift: float) -> Volume:
    affine = volume.affine.copy()
    affine[:3, 3] += shift
    return Volume(volume.array, affine)


@pytest.mark.parametrize("shift", [(0, 0, 0), (2, -2, 1), (0, 4, 0)])
def test_small_offsets_pass(pair, shift):
    assert offset_of(moved(pair[1], *shift), pair[0]) == 0.0


@pytest.mark.parametrize("shift", [(20, 0, 0), (0, -25, 0), (0, 0, 30), (15, 15, -15)])
def test_large_offsets_are_told_with_their_size(pair, shift):
    assert offset_of(moved(pair[1], *shift), pair[0]) == pytest.approx(
        float(np.linalg.norm(shift)), abs=9.0
    )


def test_a_slab_that_lies_right_passes(pair):
    t1, fa = pair
    size = np.array(fa.shape)
    assert offset_of(crop(fa, (0, 0, 0), (size[0], size[1], size[2] // 2)), t1) == 0.0


def test_a_map_with_noise_around_the_head_passes(pair):
    t1, fa = pair
    noise = np.abs(np.random.default_rng(2).normal(0, 0.05, fa.shape)).astype("f4")
    assert offset_of(Volume(fa.array + noise, fa.affine), t1) == 0.0
