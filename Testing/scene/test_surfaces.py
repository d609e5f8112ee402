"""Surfaces come one at a time."""

from __future__ import annotations

import numpy as np
import pytest

from BrainstemALSLib.scene.labelmap import SURFACE
from BrainstemALSLib.scene.results import show_outcome
from BrainstemALSLib.scene.segmentation import write_labels
from BrainstemALSLib.scene.surfaces import surface_steps


@pytest.fixture
def node(outcome, t1_node):
    return show_outcome(outcome, t1_node).segmentation


def points(node, key):
    surface = node.GetSegmentation().GetSegment(key).GetRepresentation(SURFACE)
    return None if surface is None else surface.GetNumberOfPoints()


def test_each_step_is_one_surface(node, outcome):
    told = []
    event = node.GetSegmentation().ContainedRepresentationNamesModified
    node.GetSegmentation().AddObserver(event, lambda *_: told.append(1))

    fractions = list(surface_steps(node))

    assert fractions == [(n + 1) / len(outcome.keys) for n in range(len(outcome.keys))]
    assert all(points(node, key) > 50 for key in outcome.keys)
    assert told, "the 3D views are told"
    surface = node.GetSegmentation().GetSegment(outcome.keys[0]).GetRepresentation(SURFACE)
    list(surface_steps(node))
    again = node.GetSegmentation().GetSegment(outcome.keys[0]).GetRepresentation(SURFACE)
    assert again is surface, "what is there is not made again"


def test_a_surface_lies_around_its_segment(node, outcome, index_of):
    list(surface_steps(node))
    key = outcome.keys[0]
    voxels = np.argwhere(outcome.labels.array == index_of(key))
    corners = voxels @ outcome.labels.affine[:3, :3].T + outcome.labels.affine[:3, 3]
    bounds = node.GetSegmentation().GetSegment(key).GetRepresentation(SURFACE).GetBounds()
    np.testing.assert_allclose(bounds[::2], corners.min(axis=0), atol=1.5)
    np.testing.assert_allclose(bounds[1::2], corners.max(axis=0), atol=1.5)


def test_smoothing_of_the_user_is_used(node, outcome):
    list(surface_steps(node))
    smooth = points(node, outcome.keys[0])
    node.GetSegmentation().RemoveRepresentation(SURFACE)
    node.GetSegmentation().SetConversionParameter("Decimation factor", "0.5")
    list(surface_steps(node))
    assert points(node, outcome.keys[0]) < 0.7 * smooth


def test_an_empty_segment_gets_an_empty_surface(node, t1_node, outcome):
    write_labels(node, np.zeros((3, 3, 3), np.uint8), (0, 0, 0), t1_node, outcome.keys)
    assert list(surface_steps(node))[-1] == 1.0
    assert points(node, outcome.keys[0]) == 0


def test_new_labels_take_old_surfaces_away(node, t1_node, outcome):
    list(surface_steps(node))
    write_labels(node, outcome.labels.array, outcome.offset, t1_node, outcome.keys)
    assert points(node, outcome.keys[0]) is None


def test_removal_midway_ends_it(scene, node):
    steps = surface_steps(node)
    next(steps)
    scene.RemoveNode(node)
    assert list(steps) == []
    assert list(surface_steps(node)) == []
    assert list(surface_steps(None)) == []


def test_a_segment_removed_midway_is_passed_over(node, outcome):
    steps = surface_steps(node)
    next(steps)
    node.GetSegmentation().RemoveSegment(outcome.keys[3])
    assert list(steps)[-1] == 1.0
