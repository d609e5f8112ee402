"""Volumes against spheres, whose volume is known."""

from __future__ import annotations

import dataclasses
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation

from BrainstemALSLib.anatomy import by_key, composites
from BrainstemALSLib.errors import BrainstemALSError, ExitCode
from BrainstemALSLib.imaging.volume import Volume
from BrainstemALSLib.measurement import volumes as module
from BrainstemALSLib.measurement.volumes import structure_volumes, volume_by_key

KEY = "red_nucleus_left"


def sphere_volume(radius: float) -> float:
    return 4 / 3 * math.pi * radius**3


def measured(segmentation, key=KEY):
    return volume_by_key(structure_volumes(segmentation))[key]


@settings(max_examples=25, deadline=None)
@given(
    spacing=st.tuples(*[st.floats(0.7, 2.0)] * 3),
    angles=st.tuples(*[st.floats(-180, 180)] * 3),
    shift=st.tuples(*[st.floats(-1, 1)] * 3),
    radius=st.floats(6.0, 8.0),
)
def test_soft_volume_of_a_sphere_on_any_grid(
    make_segmentation, make_grid, spacing, angles, shift, radius
):
    rotation = Rotation.from_euler("xyz", angles, degrees=True).as_matrix()
    shape, affine = make_grid(spacing, (26.0, 26.0, 26.0), rotation)

    row = measured(make_segmentation({KEY: (shift, radius)}, shape, affine))

    assert row.volume_soft_mm3 == pytest.approx(sphere_volume(radius), rel=0.01)
    assert row.volume_label_mm3 == pytest.approx(sphere_volume(radius), rel=0.12)


def test_soft_volume_is_closer_to_the_truth_than_the_label_volume(make_segmentation, make_grid):
    truth, soft, label = sphere_volume(4.0), [], []
    for step in np.linspace(0, 1, 8):
        grid = make_grid((2.0, 2.0, 2.0), (20.0, 20.0, 20.0))
        row = measured(make_segmentation({KEY: ((step, step / 2, -step), 4.0)}, *grid))
        soft.append(abs(row.volume_soft_mm3 - truth))
        label.append(abs(row.volume_label_mm3 - truth))

    assert np.mean(soft) < 0.5 * np.mean(label)


def test_regions_are_the_sum_of_their_parts(segmentation):
    rows = volume_by_key(structure_volumes(segmentation))

    for name, members in composites().items():
        if name not in rows:
            continue
        parts = [rows[key] for key in members if key in rows]
        assert rows[name].kind == "composite"
        for field in ("volume_soft_mm3", "volume_label_mm3"):
            total = sum(getattr(part, field) for part in parts)
            assert getattr(rows[name], field) == pytest.approx(total, rel=1e-5)


def test_only_composites_with_a_measured_member_appear(make_segmentation, make_grid):
    grid = make_grid((1.0, 1.0, 1.0), (12.0, 12.0, 12.0))
    rows = structure_volumes(make_segmentation({KEY: ((0, 0, 0), 4.0)}, *grid))

    assert [row.key for row in rows] == [KEY, "midbrain", "brainstem", "grey_matter"]


def test_tails_of_the_softmax_far_from_the_brainstem_do_not_count(make_segmentation, make_grid):
    grid = make_grid((1.0, 1.0, 1.0), (40.0, 40.0, 40.0))
    clean = make_segmentation({KEY: ((0, 0, 0), 5.0)}, *grid)
    wide = np.full((*grid[0], 1), 0.002, np.float16)  # 128 mm3, a quarter of the sphere
    start = np.rint(np.linalg.solve(grid[1], clean.probabilities.affine[:, 3])[:3]).astype(int)
    box = clean.probabilities.array
    window = tuple(slice(a, a + n) for a, n in zip(start, box.shape[:3], strict=True))
    wide[window] = np.maximum(wide[window], box)
    tailed = dataclasses.replace(clean, probabilities=Volume(wide, grid[1]))

    assert measured(tailed).volume_soft_mm3 == pytest.approx(
        measured(clean).volume_soft_mm3, rel=0.01
    )


def test_half_range_grows_with_blur(make_segmentation, make_grid):
    sharp = measured(
        make_segmentation({KEY: ((0, 0, 0), 6.0)}, *make_grid((0.7,) * 3, (18.0,) * 3))
    )
    coarse = measured(
        make_segmentation({KEY: ((0, 0, 0), 6.0)}, *make_grid((2.0,) * 3, (18.0,) * 3))
    )

    assert 0 < sharp.half_range_mm3 < coarse.half_range_mm3
    assert sharp.half_range_mm3 < 0.1 * sharp.volume_soft_mm3


def test_an_empty_structure_has_volume_zero_and_no_confidence(make_segmentation, make_grid):
    grid = make_grid((1.0, 1.0, 1.0), (12.0, 12.0, 12.0))
    row = measured(
        make_segmentation({KEY: ((0, 0, 0), 4.0)}, *grid, empty=("dorsal_raphe",)), "dorsal_raphe"
    )

    assert row.volume_soft_mm3 == row.volume_label_mm3 == 0
    assert math.isnan(row.confidence)


def test_composites_know_their_side_tissue_and_tier(segmentation):
    rows = volume_by_key(structure_volumes(segmentation))

    assert rows["corticospinal_tract_left"].side == "left"
    assert rows["corticospinal_tract_left"].tissue == "white"
    assert (rows["pons"].side, rows["pons"].parent, rows["pons"].tier) == ("both", "brainstem", "A")
    assert rows["brainstem"].parent is None


def test_confidence_of_a_region_ignores_doubt_between_its_parts(segmentation):
    rows = volume_by_key(structure_volumes(segmentation))
    # Inside the pons nothing but pons has probability, so only its outer boundary lowers it.
    assert rows["pons"].confidence > rows["cst_pons_left"].confidence


def test_tier_c_never_shows_a_volume(segmentation, monkeypatch):
    table = by_key()
    prior_only = dataclasses.replace(table["pyramid_left"], tier="C")
    monkeypatch.setattr(module, "by_key", lambda: {**table, "pyramid_left": prior_only})

    row = measured(segmentation, "pyramid_left")

    assert row.volume_soft_mm3 is row.volume_label_mm3 is row.half_range_mm3 is None


def test_an_unknown_structure_is_refused(segmentation):
    renamed = dataclasses.replace(segmentation, keys=("basal_ganglia", *segmentation.keys[1:]))

    with pytest.raises(BrainstemALSError, match="basal_ganglia") as refusal:
        structure_volumes(renamed)
    assert refusal.value.code == ExitCode.MODEL_UNAVAILABLE
