"""Planes: the right place, the right way round, on any grid."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation

from BrainstemALSLib.anatomy import by_key
from BrainstemALSLib.errors import BrainstemALSError, ExitCode
from BrainstemALSLib.imaging.volume import Volume
from BrainstemALSLib.report.planes import (
    Plane,
    choose_views,
    crop_to_labels,
    label_masks,
    sample,
)


@settings(max_examples=25, deadline=None)
@given(
    spacing=st.tuples(*[st.floats(0.8, 3.0)] * 3),
    angles=st.tuples(*[st.floats(-180, 180)] * 3),
    kind=st.sampled_from(["axial", "sagittal", "coronal"]),
)
def test_a_linear_image_is_seen_exactly_from_any_grid(make_grid, spacing, angles, kind):
    rotation = Rotation.from_euler("xyz", angles, degrees=True).as_matrix()
    shape, affine = make_grid(spacing, (60.0, 60.0, 60.0), rotation)
    index = np.stack(np.meshgrid(*map(np.arange, shape), indexing="ij"), axis=-1)
    positions = index @ affine[:3, :3].T + affine[:3, 3]
    slope = np.array([1.0, -2.0, 0.5])
    points = Plane(kind, (1.0, 2.0, -3.0)).grid(8.0, 8.0, 1.0)

    seen = sample(Volume((positions @ slope).astype(np.float32), affine), points)

    np.testing.assert_allclose(seen, points @ slope, atol=1e-2)


@pytest.mark.parametrize(
    ("kind", "right", "up"),
    [
        ("axial", (-1, 0, 0), (0, 1, 0)),
        ("coronal", (-1, 0, 0), (0, 0, 1)),
        ("sagittal", (0, -1, 0), (0, 0, 1)),
    ],
)
def test_letters_agree_with_the_directions(kind, right, up):
    names = {(-1, 0, 0): "L", (0, 1, 0): "A", (0, -1, 0): "P", (0, 0, 1): "S"}
    plane = Plane(kind, (0.0, 0.0, 0.0))
    points = plane.grid(5.0, 5.0, 1.0)

    assert plane.letters[1] == names[right]
    assert plane.letters[2] == names[up]
    np.testing.assert_array_equal(np.sign(points[0, -1] - points[0, 0]), right)
    np.testing.assert_array_equal(np.sign(points[-1, 0] - points[0, 0]), up)


def test_patients_left_is_on_the_right_of_the_picture(segmentation):
    level = choose_views(segmentation.labels).axial[0][1]
    masks = dict(label_masks(segmentation.labels, level.grid(30.0, 30.0, 0.5)))
    table = by_key()
    middle = {
        side: np.argwhere(masks[table[f"midbrain_tegmentum_{side}"].index] > 0.5)[:, 1].mean()
        for side in ("left", "right")
    }
    assert middle["left"] > middle["right"]


def test_levels_run_from_midbrain_to_medulla(segmentation):
    views = choose_views(segmentation.labels)
    heights = [plane.centre[2] for _, plane in views.axial]

    assert [region for region, _ in views.axial] == [
        "midbrain", "midbrain", "pons", "pons", "medulla", "medulla",
    ]  # fmt: skip
    assert heights == sorted(heights, reverse=True)
    assert views.sagittal.centre[0] < 0  # left


def test_a_missing_region_has_no_level(segmentation):
    medulla = [s.index for s in by_key().values() if s.parent == "medulla"]
    cut = np.where(np.isin(segmentation.labels.array, medulla), 0, segmentation.labels.array)
    views = choose_views(Volume(cut, segmentation.labels.affine))

    assert {region for region, _ in views.axial} == {"midbrain", "pons"}


def test_nothing_labelled_is_refused(segmentation):
    empty = Volume(np.zeros_like(segmentation.labels.array), segmentation.labels.affine)
    with pytest.raises(BrainstemALSError) as refusal:
        choose_views(empty)
    assert refusal.value.code == ExitCode.NO_BRAINSTEM


def test_cropping_moves_nothing(segmentation):
    points = Plane("coronal", (0.0, 5.0, 0.0)).grid(30.0, 40.0, 0.7)
    whole = Volume(segmentation.labels.array.astype(np.float32), segmentation.labels.affine)
    cropped = crop_to_labels(segmentation.labels)

    assert cropped.array.size < whole.array.size
    np.testing.assert_allclose(
        sample(Volume(cropped.array.astype(np.float32), cropped.affine), points),
        sample(whole, points),
        atol=1e-3,
    )
