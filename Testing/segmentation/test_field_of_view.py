"""Where the field of view ends, and whether it cuts the brainstem; made-up images, no model."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from BrainstemALSLib.imaging.volume import Volume
from BrainstemALSLib.segmentation.field_of_view import MIN_CUT_MM2, cut_faces

SHAPE = (40, 42, 44)
AFFINE = np.diag([1.0, 1.0, 1.0, 1.0])


def head(shape=SHAPE) -> np.ndarray:
    return np.random.default_rng(0).normal(100, 10, shape).astype(np.float32)


def stem(bottom: int, top: int = 30, side: int = 10) -> np.ndarray:
    """A column whose section is ``side`` voxels squared, from ``bottom`` up to ``top``."""
    out = np.zeros(SHAPE, bool)
    out[15 : 15 + side, 16 : 16 + side, bottom:top] = True
    return out


@pytest.mark.parametrize("value", [0.0, -1000.0, 7.0])
@pytest.mark.parametrize("thickness", [0, 1, 12])
def test_brainstem_that_ends_where_padding_begins_is_cut(thickness, value):
    image = head()
    image[..., :thickness] = value
    assert cut_faces(stem(thickness), Volume(image, AFFINE)) == {"inferior": 100.0}
    assert cut_faces(stem(thickness + 3), Volume(image, AFFINE)) == {}


def test_labels_in_the_padding_itself_are_brainstem_cut_off_too():
    image = head()
    image[..., :12] = 0
    assert cut_faces(stem(9), Volume(image, AFFINE)) == {"inferior": 100.0}


def test_a_mask_that_ends_below_the_medulla_cuts_nothing():
    image = np.zeros(SHAPE, np.float32)
    image[8:32, 8:34, 6:40] = head((24, 26, 34))
    assert cut_faces(stem(10), Volume(image, AFFINE)) == {}
    assert cut_faces(stem(6), Volume(image, AFFINE)) == {"inferior": 100.0}


def test_a_slab_with_anything_in_it_is_in_view():
    image = head()
    image[..., :12] = 0
    image[20, 20, 3] = 50
    assert cut_faces(stem(12), Volume(image, AFFINE)) == {}


def test_small_contacts_are_noise():
    image = head()
    image[..., :12] = 0
    assert cut_faces(stem(12, side=4), Volume(image, AFFINE)) == {}
    assert 4 * 4 < MIN_CUT_MM2 <= 5 * 5
    assert cut_faces(stem(12, side=5), Volume(image, AFFINE)) == {"inferior": 25.0}


def test_an_image_without_contrast_does_not_break_it():
    assert cut_faces(stem(0), Volume(np.zeros(SHAPE, np.float32), AFFINE)) == {"inferior": 100.0}


@settings(max_examples=40, deadline=None)
@given(
    st.permutations(range(3)),
    st.tuples(*[st.booleans()] * 3),
    st.sampled_from(["inferior", "superior"]),
    st.tuples(*[st.floats(0.6, 1.4)] * 3),
)
def test_the_face_is_named_right_in_any_voxel_order(order, flips, face, spacing):
    image, inside = head(), stem(8, 36)
    image[..., slice(8) if face == "inferior" else slice(36, None)] = 0
    affine = np.diag([*spacing, 1.0])
    area = 100 * spacing[0] * spacing[1]
    image, inside = image.transpose(order), inside.transpose(order)
    affine = affine[:, [*order, 3]]
    for axis, flip in enumerate(flips):
        if flip:
            image, inside = np.flip(image, axis), np.flip(inside, axis)
            affine[:3, 3] += affine[:3, axis] * (image.shape[axis] - 1)
            affine[:3, axis] *= -1
    assert cut_faces(inside, Volume(image, affine)) == {face: pytest.approx(area)}
