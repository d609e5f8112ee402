import numpy as np
import pytest

from BrainstemALSLib.anatomy import REGIONS, by_key, load_structures
from BrainstemALSLib.anatomy.coordinates import (
    CONFIDENCES,
    ROLES,
    STATUSES,
    load_coordinates,
)

WANTED = (
    "hypoglossal_nucleus",
    "nucleus_ambiguus",
    "facial_motor_nucleus",
    "trigeminal_motor_nucleus",
    "pre_boetzinger_complex",
    "parafacial_retrotrapezoid",
    "koelliker_fuse_nucleus",
    "locus_coeruleus",
    "oculomotor_nucleus",
    "abducens_nucleus",
)


def test_the_nuclei_of_als_and_their_controls_are_there_on_both_sides():
    keys = [nucleus.key for nucleus in load_coordinates()]
    assert sorted(keys) == sorted(f"{k}_{side}" for k in WANTED for side in ("left", "right"))
    spared = {n.key.rsplit("_", 1)[0] for n in load_coordinates() if n.role == "control"}
    assert spared == {"oculomotor_nucleus", "abducens_nucleus"}


@pytest.mark.parametrize("nucleus", load_coordinates(), ids=lambda n: n.key)
def test_each_nucleus_is_well_formed(nucleus):
    assert nucleus.tier == "C"
    assert nucleus.role in ROLES
    assert nucleus.status in STATUSES
    assert nucleus.confidence in CONFIDENCES
    assert nucleus.source
    assert nucleus.parent in REGIONS
    # The axis is rounded to two decimals in the table.
    assert np.linalg.norm(nucleus.axis) == pytest.approx(1.0, abs=0.03)
    long, middle, short = nucleus.extents_mm
    assert long >= middle >= short > 0


def test_no_nucleus_of_tier_c_is_also_drawn():
    drawn = {structure.key for structure in load_structures()}
    assert drawn.isdisjoint(nucleus.key for nucleus in load_coordinates())


def test_the_complex_around_a_nucleus_is_drawn_on_the_same_side_of_the_same_region():
    known = by_key()
    for nucleus in load_coordinates():
        around = known[nucleus.complex]
        assert around.side == nucleus.side
        assert around.parent == nucleus.parent


def test_left_is_the_mirror_image_of_right():
    known = {nucleus.key: nucleus for nucleus in load_coordinates()}
    for nucleus in load_coordinates():
        if nucleus.side == "left":
            right = known[nucleus.key.removesuffix("_left") + "_right"]
            assert nucleus.center_mm[0] < 0 < right.center_mm[0]
            flip = np.array([-1, 1, 1])
            np.testing.assert_allclose(nucleus.center_mm, flip * right.center_mm)
            np.testing.assert_allclose(nucleus.axis, flip * right.axis)
            assert nucleus.extents_mm == right.extents_mm
            assert nucleus.source == right.source


def test_regions_follow_one_another_from_above():
    height = {region: [] for region in REGIONS}
    for nucleus in load_coordinates():
        height[nucleus.parent].append(nucleus.center_mm[2])
    assert np.mean(height["midbrain"]) > np.mean(height["pons"]) > np.mean(height["medulla"])
