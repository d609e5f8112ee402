"""Asymmetry: its sign, its range, and when there is none."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from BrainstemALSLib.measurement.asymmetry import asymmetries, asymmetry_index
from BrainstemALSLib.measurement.volumes import StructureVolume, structure_volumes

VOLUME = st.floats(1.0, 1e5)


def row(key: str, volume: float | None, tier: str = "A") -> StructureVolume:
    side = key.rsplit("_", 1)[1]
    return StructureVolume(
        key, f"Red nucleus, {side}", "structure", side, "midbrain", "grey", tier,
        volume, volume, math.nan, 0.0,
    )  # fmt: skip


def pair(left: float | None, right: float | None):
    (found,) = asymmetries((row("red_nucleus_left", left), row("red_nucleus_right", right)))
    return found


@given(left=VOLUME, right=VOLUME)
def test_swapping_the_sides_changes_only_the_sign(left, right):
    index = asymmetry_index(left, right)

    assert index == pytest.approx(-asymmetry_index(right, left))
    assert -200 <= index <= 200
    assert (index > 0) == (left > right)


def test_positive_means_that_the_left_is_larger():
    found = pair(220.0, 180.0)

    assert found.index_percent == pytest.approx(20.0)
    assert (found.key, found.name) == ("red_nucleus", "Red nucleus")
    assert found.remark == ""


@pytest.mark.parametrize(
    ("left", "right", "remark"),
    [(0.0, 100.0, "nothing labelled"), (None, 100.0, "no volume"), (9.0, 10.0, "smaller than")],
)
def test_no_index_without_two_measurable_sides(left, right, remark):
    found = pair(left, right)

    assert found.index_percent is None
    assert remark in found.remark


def test_a_side_that_the_model_does_not_know_is_missing():
    (found,) = asymmetries((row("red_nucleus_right", 100.0),))

    assert found.left_mm3 is None
    assert found.index_percent is None


def test_the_whole_corticospinal_tract_is_a_pair(make_segmentation, make_grid):
    grid = make_grid((1.0, 1.0, 1.0), (30.0, 20.0, 20.0))
    spheres = {
        "cst_pons_left": ((-7.0, 0.0, 0.0), 5.0),
        "cst_pons_right": ((7.0, 0.0, 0.0), 4.0),
    }
    found = {p.key: p for p in asymmetries(structure_volumes(make_segmentation(spheres, *grid)))}

    expected = asymmetry_index(5.0**3, 4.0**3)
    assert found["corticospinal_tract"].kind == "composite"
    assert found["corticospinal_tract"].index_percent == pytest.approx(expected, abs=1.5)
    assert found["corticospinal_tract"].name == "Corticospinal tract, crus to pyramid"
