"""How atlas and subject become one label map: on blocks whose every voxel is known."""

from __future__ import annotations

import numpy as np
import pytest

from BrainstemALSLib.anatomy import by_key
from training import labels as L
from training.anatomies import RIM_MM, SPACING, fuse
from training.atlas import MAX_GAP_MM, close_gaps

LEFT = by_key()["medullary_tegmentum_left"].index
RIGHT = by_key()["medullary_tegmentum_right"].index
FOURTH_VENTRICLE = by_key()["fourth_ventricle"].index
SHAPE = (30, 30, 30)
BLOCK = (slice(10, 20), slice(10, 20), slice(12, 22))
HOA2_BRAINSTEM, HOA2_CEREBELLAR_GREY = 15, 29


@pytest.fixture
def warped() -> np.ndarray:
    """Two halves of medulla with a cord below, in CSF, with thalamus that is wrongly placed."""
    out = np.zeros(SHAPE, np.uint8)
    out[5:25, 5:25, 2:28] = L.CSF
    out[BLOCK] = LEFT
    out[15:20, 10:20, 12:22] = RIGHT
    out[12:18, 12:18, 4:12] = L.SPINAL_CORD
    out[5:25, 5:8, 12:22] = L.THALAMUS
    return out


def test_structures_and_cord_of_the_atlas_stay_whatever_the_subject_says(warped):
    subject = np.full(SHAPE, HOA2_CEREBELLAR_GREY, np.int16)
    out = fuse(warped, subject, "hoa2")
    kept = (warped == LEFT) | (warped == RIGHT) | (warped == L.SPINAL_CORD)
    np.testing.assert_array_equal(out[kept], warped[kept])
    assert (out[~kept] == L.CEREBELLAR_GREY).all()


def test_the_surroundings_of_the_atlas_fill_what_the_subject_leaves_open(warped):
    subject = np.zeros(SHAPE, np.int16)
    subject[:, :6] = HOA2_CEREBELLAR_GREY
    before = warped.copy()
    out = fuse(warped, subject, "hoa2")
    np.testing.assert_array_equal(out[:, 6:], warped[:, 6:])
    assert (out[:, :6] == L.CEREBELLAR_GREY).all()
    np.testing.assert_array_equal(warped, before)


@pytest.mark.parametrize(("source", "value"), [("hoa2", HOA2_BRAINSTEM), ("synthseg", 16)])
def test_brainstem_of_the_subject_beyond_the_atlas_goes_by_its_distance(warped, source, value):
    subject = np.zeros(SHAPE, np.int16)
    subject[6:24, 12:18, 8:20] = value  # wider than the block to both sides, and lower
    out = fuse(warped, subject, source)
    rim = int(RIM_MM / SPACING)
    assert (out[10 - rim : 10, 12:18, 12:20] == LEFT).all()
    assert (out[20 : 20 + rim, 12:18, 12:20] == RIGHT).all()
    assert (out[6 : 10 - rim, 12:18, 12:20] == L.CEREBELLAR_WHITE).all()
    assert (out[6:24, 12:18, 8:12] == L.SPINAL_CORD).all()


def test_tissue_outside_the_brain_comes_from_synthseg_and_not_into_the_csf(warped):
    third = L.SYNTHSEG_EXTRACEREBRAL[2]
    subject = np.full(SHAPE, third, np.int16)
    out = fuse(warped, subject, "synthseg")
    assert (out[warped == 0] == L.EXTRACEREBRAL_FIRST + 2).all()
    assert (out[warped == L.CSF] == L.CSF).all()
    assert (fuse(warped, subject, "hoa2")[warped == 0] == 0).all()


def cracked(gap: int, filling: int) -> np.ndarray:
    """Two blocks with a plane of something else between them."""
    out = np.zeros((20, 20, 30), np.uint8)
    out[5:15, 5:15, 5:25] = filling
    out[5:15, 5:15, 5:12] = LEFT
    out[5:15, 5:15, 12 + gap : 25] = RIGHT
    return out


@pytest.mark.parametrize("filling", [0, L.CSF, L.CEREBELLAR_WHITE, L.VENTRAL_DIENCEPHALON])
@pytest.mark.parametrize(("spacing", "gap"), [(0.5, 1), (0.5, 2), (0.75, 1), (0.75, 2)])
def test_a_narrow_crack_goes_to_the_nearest_structure(spacing, gap, filling):
    labels = cracked(gap, filling)
    assert gap * spacing <= MAX_GAP_MM
    close_gaps(labels, spacing)
    inner = labels[7:13, 7:13, 5:25]  # at its edge a crack is open to the outside
    half = gap // 2
    assert (inner[..., : 7 + half] == LEFT).all()
    assert (inner[..., 7 + gap - half :] == RIGHT).all()
    assert np.isin(inner, (LEFT, RIGHT)).all()


@pytest.mark.parametrize(
    ("gap", "filling"), [(6, L.CSF), (6, 0), (1, L.CEREBELLAR_GREY), (1, FOURTH_VENTRICLE)]
)
def test_a_cistern_and_what_somebody_drew_stay(gap, filling):
    labels = cracked(gap, filling)
    before = labels.copy()
    close_gaps(labels, 0.5)
    np.testing.assert_array_equal(labels, before)


def test_the_outer_surface_does_not_move():
    labels = cracked(0, L.CSF)
    before = labels.copy()
    close_gaps(labels, 0.5)
    np.testing.assert_array_equal(labels, before)
