"""Colours of the evidence: of the display alone, and as they were afterwards."""

from __future__ import annotations

import pytest

from BrainstemALSLib.scene.evidence import (
    AGAINST,
    FOR,
    FULL,
    NOTHING,
    colour_of,
    evidence_by_structure,
    evidence_is_shown,
    hide_evidence,
    show_evidence,
)
from BrainstemALSLib.scene.results import show_outcome


@pytest.fixture
def node(outcome, t1_node):
    return show_outcome(outcome, t1_node).segmentation


def shown(node, key):
    return tuple(node.GetDisplayNode().GetSegmentColor(key))


def test_the_stronger_the_fuller():
    assert colour_of(2 * FULL) == pytest.approx(FOR)
    assert colour_of(-2 * FULL) == pytest.approx(AGAINST)
    weak, strong = colour_of(0.1), colour_of(0.5)
    assert strong[2] < weak[2]  # less blue: more orange
    assert colour_of(1e-9) == pytest.approx(colour_of(-1e-9))


def test_a_structure_gets_all_that_it_belongs_to():
    evidence = [
        {"log_odds": 0.4, "members": ["pyramid_left", "cst_pons_left"]},
        {"log_odds": -0.1, "members": ["pyramid_left"]},
    ]
    assert evidence_by_structure(evidence) == pytest.approx(
        {"pyramid_left": 0.3, "cst_pons_left": 0.4}
    )


def test_colours_come_and_go_and_segments_stay(node, reload):
    segmentation, display = node.GetSegmentation(), node.GetDisplayNode()
    display.SetSegmentOverrideColor("pyramid_right", 0.1, 0.2, 0.3)
    own = {key: segmentation.GetSegment(key).GetColor() for key in segmentation.GetSegmentIDs()}
    before = {key: shown(node, key) for key in own}
    modified = []
    segmentation.AddObserver(segmentation.SegmentModified, lambda *_: modified.append(1))
    show_evidence(node, {"pyramid_left": 5.0, "pyramid_right": -5.0})
    show_evidence(node, {"pyramid_left": 5.0})  # again: the colours of before are not forgotten
    assert shown(node, "pyramid_left") == pytest.approx(FOR)
    assert shown(node, "pyramid_right") == pytest.approx(NOTHING)
    assert evidence_is_shown(node)
    assert modified == []
    assert {key: segmentation.GetSegment(key).GetColor() for key in own} == own

    loaded = reload(node.GetScene()).GetFirstNodeByClass("vtkMRMLSegmentationNode")
    assert evidence_is_shown(loaded)
    for one in (node, loaded):
        hide_evidence(one)
        for key, colour in before.items():
            assert shown(one, key) == pytest.approx(colour, abs=1e-4), key
        assert not evidence_is_shown(one)
        hide_evidence(one)  # nothing to do


def test_a_segment_that_was_added_meanwhile_keeps_its_colour(node):
    show_evidence(node, {"pyramid_left": 5.0})
    added = node.GetSegmentation().AddEmptySegment("mine", "mine", [0.2, 0.4, 0.6])
    hide_evidence(node)
    assert shown(node, added) == pytest.approx((0.2, 0.4, 0.6))


def test_a_record_that_was_damaged_takes_the_colours_away_all_the_same(node):
    own = shown(node, "pyramid_left")
    show_evidence(node, {"pyramid_left": 5.0})
    for damaged in ("nonsense", "[]", '{"pyramid_left": "red"}'):
        node.GetDisplayNode().SetAttribute("BrainstemALS.Evidence", damaged)
        hide_evidence(node)
        assert shown(node, "pyramid_left") == pytest.approx(own)
        assert not evidence_is_shown(node)


def test_a_segmentation_that_is_gone_is_no_error(node, scene):
    scene.RemoveNode(node)
    show_evidence(node, {"pyramid_left": 5.0})
    hide_evidence(node)
    hide_evidence(None)
    assert not evidence_is_shown(node)
