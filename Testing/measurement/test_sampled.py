"""Places of tier C, where the anatomy is the average one under a known transform."""

from __future__ import annotations

import dataclasses
import math

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from BrainstemALSLib.anatomy import by_key
from BrainstemALSLib.anatomy.centroids import load_centroids
from BrainstemALSLib.anatomy.coordinates import load_coordinates
from BrainstemALSLib.assets import asset_path
from BrainstemALSLib.imaging.reading import read_label_map
from BrainstemALSLib.imaging.volume import Volume
from BrainstemALSLib.measurement.mixture import support_of
from BrainstemALSLib.measurement.sampled import (
    LARGEST_RESIDUAL_MM,
    ellipsoid_points,
    fit_places,
    sampled_values,
)
from training.centroids import centroid_rows

PATIENT = np.eye(4)
PATIENT[:3, :3] = Rotation.from_euler("xyz", (15, -10, 20), degrees=True).as_matrix() @ np.diag(
    (0.95, 1.05, 0.9)
)
PATIENT[:3, 3] = (12.0, -30.0, 41.0)
SLOPE = np.array((0.002, -0.001, 0.0015))


@pytest.fixture(scope="module")
def average(segmentation):
    """The average anatomy as labels, moved and stretched by ``PATIENT``."""
    labels = read_label_map(asset_path("Phantom/labels.nii.gz"))
    placed = Volume(labels.array, PATIENT @ labels.affine)
    keys = tuple(s.key for s in by_key().values() if (labels.array == s.index).any())
    return dataclasses.replace(segmentation, labels=placed, probabilities=None, keys=keys)


@pytest.fixture(scope="module")
def maps(average):
    """FA rises linearly through the patient; MD is tissue but where the ventricle is."""
    affine = np.diag([2.0, 2.0, 2.0, 1.0])
    shape = average.labels.array.shape
    corners = np.indices((2, 2, 2)).reshape(3, -1).T * (np.array(shape) - 1)
    corners = corners @ average.labels.affine[:3, :3].T + average.labels.affine[:3, 3]
    low, high = corners.min(axis=0) - 6, corners.max(axis=0) + 6
    affine[:3, 3] = low
    size = tuple(int(n) for n in np.ceil((high - low) / 2))
    points = np.moveaxis(np.indices(size), 0, -1) @ affine[:3, :3].T + affine[:3, 3]
    fa = 0.45 + (points - low - (high - low) / 2) @ SLOPE
    return {
        "fa": Volume(fa.astype(np.float32), affine),
        "md": Volume(np.full(size, 0.8, np.float32), affine),
    }


def test_the_committed_centroids_are_those_of_the_committed_labels():
    rows = centroid_rows(read_label_map(asset_path("Phantom/labels.nii.gz")))
    table = load_centroids()
    assert [row["key"] for row in rows] == list(table)
    for row in rows:
        place = tuple(float(row[name]) for name in ("x_mm", "y_mm", "z_mm"))
        assert place == table[row["key"]]


def test_left_centroids_lie_on_the_left():
    table = load_centroids()
    for key, structure in by_key().items():
        if structure.side == "left":
            assert table[key][0] < 0 < table[structure.mirror_key][0]


def test_a_known_transform_is_found(average):
    fit = fit_places(support_of(average))
    np.testing.assert_allclose(fit.affine, PATIENT, atol=0.02)
    assert fit.residual_mm < 0.02


def test_places_are_sampled_where_they_are(average, maps):
    values = {(row.key, row.metric): row for row in sampled_values(average, maps)}
    fa = maps["fa"]
    middle = fa.affine[:3, :3] @ (np.array(fa.array.shape) - 1) / 2 + fa.affine[:3, 3]
    given = 0
    for nucleus in load_coordinates():
        row = values[nucleus.key, "fa"]
        assert row.kind == "sampled"
        assert row.side == nucleus.side
        if row.value is None:
            assert "fluid" in row.remark
            continue
        given += 1
        place = PATIENT[:3, :3] @ nucleus.center_mm + PATIENT[:3, 3]
        # Within half a voxel of the field's slope, and more where fluid takes a side away.
        expected = 0.45 + (place - middle) @ SLOPE
        assert row.value == pytest.approx(expected, abs=2.0 * np.linalg.norm(SLOPE))
        assert "not outlined" in row.remark
        assert row.fit_residual_mm < 0.02
        assert values[nucleus.key, "md"].value == pytest.approx(0.8)
    assert given >= 10


def test_an_ellipsoid_has_its_extents_and_its_axis():
    nucleus = next(n for n in load_coordinates() if n.key == "locus_coeruleus_left")
    points = ellipsoid_points(nucleus) - nucleus.center_mm
    # The variance along a diameter d of a full ellipsoid is (d / 2)^2 / 5.
    along = points @ np.array(nucleus.axis)
    assert 2 * math.sqrt(5 * along.var()) == pytest.approx(nucleus.extents_mm[0], rel=0.05)
    assert 2 * math.sqrt(5 * points[:, 0].var()) == pytest.approx(nucleus.extents_mm[1], rel=0.05)
    assert np.abs(points.mean(axis=0)).max() < 1e-9


def test_a_brainstem_unlike_the_average_is_not_sampled(average, maps):
    """Bent by an angle that no affine transform undoes."""
    labels = average.labels
    bent = np.zeros_like(labels.array)
    count = labels.array.shape[2]
    for k in range(count):
        shift = round(18 * math.sin(2.5 * math.pi * k / count))
        bent[:, :, k] = np.roll(labels.array[:, :, k], shift, axis=1)
    other = dataclasses.replace(average, labels=Volume(bent, labels.affine))
    assert fit_places(support_of(other)).residual_mm > LARGEST_RESIDUAL_MM
    for row in sampled_values(other, maps):
        assert row.value is None
        assert "fits to" in row.remark
        assert row.fit_residual_mm > LARGEST_RESIDUAL_MM


def test_too_few_structures_give_no_place(segmentation, average, maps):
    few = dataclasses.replace(average, keys=average.keys[:5])
    assert fit_places(support_of(few)) is None
    assert all(row.value is None for row in sampled_values(few, maps))


def test_a_map_that_ends_short_of_a_place(average, maps):
    far = {name: Volume(v.array, v.affine + 0) for name, v in maps.items()}
    for volume in far.values():
        volume.affine[:3, 3] += 300.0
    rows = sampled_values(average, far)
    assert rows
    assert all("outside" in row.remark for row in rows)
