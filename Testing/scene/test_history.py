"""A run can be taken back, whatever was edited since."""

from __future__ import annotations

import numpy as np
import pytest

from BrainstemALSLib.errors import BrainstemALSError
from BrainstemALSLib.scene.history import RunUndo
from BrainstemALSLib.scene.results import mark_approved, show_outcome

PYRAMID = "pyramid_left"


@pytest.fixture
def corrected(outcome, t1_node, paint):
    result = show_outcome(outcome, t1_node)
    i, j, k = outcome.offset
    window = (slice(i, i + 2), slice(j, j + 6), slice(k + 3, k + 5))
    paint(result.segmentation, t1_node, PYRAMID, window)
    return result


@pytest.fixture
def run_again(corrected, other_outcome, t1_node):
    """The result after another run that replaced corrections, and its undo."""
    undo = RunUndo(corrected)
    show_outcome(other_outcome, t1_node, corrected="replace", previous=corrected)
    return undo


def state(result):
    volumes = result.table.GetTable().GetColumnByName("Volume")
    return (
        result.labels()[0].tobytes(),
        result.predicted().tobytes(),
        result.uncertainty().tobytes(),
        result.record["device"],
        result.corrected(),
        volumes.GetValue(0),
    )


def test_undo_brings_back_segments_prediction_and_volumes(corrected, other_outcome, t1_node, paint):
    before = state(corrected)
    undo = RunUndo(corrected)
    show_outcome(other_outcome, t1_node, corrected="replace", previous=corrected)
    after = state(corrected)
    assert after != before
    assert undo.can_undo
    assert not undo.can_redo

    undo.undo()

    assert state(corrected) == before
    assert corrected.corrected() == (PYRAMID,)
    assert not undo.can_undo
    undo.redo()
    assert state(corrected) == after


def test_edits_after_the_run_go_with_it_and_come_back_with_redo(
    corrected, run_again, t1_node, paint, outcome
):
    window = tuple(slice(n, n + 3) for n in outcome.offset)
    paint(corrected.segmentation, t1_node, "cst_pons_left", window)
    corrected.segmentation.GetSegmentation().RemoveSegment("pyramid_right")
    edited = state(corrected)

    run_again.undo()
    assert corrected.corrected() == (PYRAMID,)
    assert corrected.segmentation.GetSegmentation().GetSegment("pyramid_right") is not None

    run_again.redo()
    assert state(corrected) == edited


def test_an_edit_after_undo_ends_redo(corrected, run_again, t1_node, paint, outcome):
    run_again.undo()
    assert run_again.can_redo

    paint(corrected.segmentation, t1_node, PYRAMID, tuple(slice(n, n + 4) for n in outcome.offset))

    assert not run_again.can_redo
    assert PYRAMID in corrected.corrected()


def test_undo_of_a_kept_run_is_exact(corrected, other_outcome, t1_node):
    before = corrected.labels()[0]
    undo = RunUndo(corrected)
    show_outcome(other_outcome, t1_node, corrected="keep", previous=corrected)
    assert not np.array_equal(corrected.labels()[0], before)

    undo.undo()

    np.testing.assert_array_equal(corrected.labels()[0], before)


def test_there_is_no_undo_across_an_approval_or_a_deletion(scene, corrected, run_again):
    mark_approved(corrected.segmentation, "case-1")
    assert not run_again.can_undo
    with pytest.raises(BrainstemALSError, match="no run that could be undone"):
        run_again.undo()
    corrected.segmentation.SetAttribute("BrainstemALS.Approved", None)
    scene.RemoveNode(corrected.entropy)
    run_again.undo()
    with pytest.raises(BrainstemALSError):
        run_again.undo()
    scene.RemoveNode(corrected.segmentation)
    assert not run_again.can_redo
    with pytest.raises(BrainstemALSError):
        run_again.redo()
