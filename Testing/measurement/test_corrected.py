"""After a correction: what was changed is certain, the rest is as the model left it."""

from __future__ import annotations

import dataclasses
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from BrainstemALSLib.anatomy import by_key, composites
from BrainstemALSLib.errors import BrainstemALSError, ExitCode
from BrainstemALSLib.measurement import measure
from BrainstemALSLib.measurement.corrected import corrected
from BrainstemALSLib.measurement.volumes import structure_volumes, volume_by_key
from BrainstemALSLib.segmentation.field_of_view import filled_extent

LEFT, RIGHT = by_key()["pyramid_left"], by_key()["pyramid_right"]


@pytest.fixture(scope="module")
def filled(t1):
    return filled_extent(t1)


def voxels_of(segmentation, structure) -> tuple[np.ndarray, ...]:
    return np.nonzero(segmentation.labels.array == structure.index)


def relabelled(segmentation, change) -> np.ndarray:
    labels = segmentation.labels.array.copy()
    change(labels)
    return labels


def test_no_change_changes_nothing(segmentation, filled):
    after = corrected(segmentation, segmentation.labels.array, filled)
    for old, new in zip(structure_volumes(segmentation), structure_volumes(after), strict=True):
        assert new.confidence == pytest.approx(old.confidence, abs=1e-3)
        assert dataclasses.replace(new, confidence=0) == dataclasses.replace(old, confidence=0)
    assert after.touches_border == segmentation.touches_border


def test_what_the_expert_changed_is_certain_and_the_rest_stays(segmentation, filled):
    i, j, k = (axis[:20] for axis in voxels_of(segmentation, LEFT))
    labels = relabelled(segmentation, lambda a: a.__setitem__((i, j, k), RIGHT.index))
    after = corrected(segmentation, labels, filled)
    start = np.array(segmentation.offset)
    here = tuple(np.array((i, j, k)) - start[:, None])
    position = segmentation.keys.index(RIGHT.key)
    assert (after.probabilities.array[here][:, position] == 1).all()
    assert (after.probabilities.array[here].sum(-1) == 1).all()
    untouched = np.ones(after.probabilities.array.shape[:3], bool)
    untouched[here] = False
    np.testing.assert_array_equal(
        after.probabilities.array[untouched], segmentation.probabilities.array[untouched]
    )
    assert after.confidence[RIGHT.key] > segmentation.confidence[RIGHT.key]


def test_the_model_s_own_arrays_are_left_alone(segmentation, filled):
    before = segmentation.probabilities.array.copy()
    corrected(segmentation, np.zeros_like(segmentation.labels.array), filled)
    np.testing.assert_array_equal(segmentation.probabilities.array, before)


def test_soft_volumes_move_by_what_was_corrected(segmentation, filled):
    i, j, k = (axis[:20] for axis in voxels_of(segmentation, LEFT))
    position = segmentation.keys.index(LEFT.key)
    here = tuple(np.array((i, j, k)) - np.array(segmentation.offset)[:, None])
    were = segmentation.probabilities.array[here][:, position].astype(float).sum()
    labels = relabelled(segmentation, lambda a: a.__setitem__((i, j, k), 0))
    after = corrected(segmentation, labels, filled)
    old, new = (
        volume_by_key(structure_volumes(s))[LEFT.key].volume_soft_mm3 for s in (segmentation, after)
    )
    assert new == pytest.approx(old - were * segmentation.labels.voxel_volume, rel=1e-6)


@settings(deadline=None, max_examples=25)
@given(seed=st.integers(0, 999), count=st.integers(1, 400))
def test_regions_stay_the_sum_of_their_parts(segmentation, filled, seed, count):
    rng = np.random.default_rng(seed)
    indices = [0, *(by_key()[key].index for key in segmentation.keys)]

    def scribble(labels):
        labels[tuple(rng.integers(0, n, count) for n in labels.shape)] = rng.choice(indices, count)

    after = corrected(segmentation, relabelled(segmentation, scribble), filled)
    rows = volume_by_key(structure_volumes(after))
    for region in ("midbrain", "pons", "medulla", "brainstem"):
        parts = [rows[key] for key in composites()[region] if key in rows]
        for field in ("volume_soft_mm3", "volume_label_mm3"):
            total = sum(getattr(part, field) for part in parts)
            assert getattr(rows[region], field) == pytest.approx(total, rel=1e-3)
    assert after.probabilities.array.sum(-1, dtype=np.float32).max() <= 1.001


def test_outside_the_box_it_grows(segmentation, filled):
    assert min(segmentation.offset) > 0
    labels = relabelled(segmentation, lambda a: a.__setitem__((0, 0, -1), LEFT.index))
    after = corrected(segmentation, labels, filled)
    assert after.offset[:2] == (0, 0)
    old, new = (volume_by_key(structure_volumes(s))[LEFT.key] for s in (segmentation, after))
    voxel = segmentation.labels.voxel_volume
    assert new.volume_soft_mm3 == pytest.approx(old.volume_soft_mm3 + voxel, abs=0.01)
    assert new.volume_label_mm3 == old.volume_label_mm3 + voxel
    position = after.keys.index(LEFT.key)
    corner = np.array((0, 0, labels.shape[2] - 1)) - after.offset
    assert after.probabilities.array[(*corner, position)] == 1


def test_a_structure_that_was_erased(segmentation, t1, filled):
    labels = relabelled(segmentation, lambda a: a.__setitem__(voxels_of(segmentation, LEFT), 0))
    after = corrected(segmentation, labels, filled)
    assert math.isnan(after.confidence[LEFT.key])
    measures = measure(after, t1)
    assert volume_by_key(measures.volumes)[LEFT.key].volume_label_mm3 == 0
    assert ("structure_empty", LEFT.key) in {(f.code, f.structure) for f in measures.findings}


def test_everything_erased(segmentation, t1, filled):
    after = corrected(segmentation, np.zeros_like(segmentation.labels.array), filled)
    rows = volume_by_key(measure(after, t1).volumes)
    assert rows["brainstem"].volume_label_mm3 == 0
    assert all(math.isnan(row.confidence) for row in rows.values())


def test_a_correction_up_to_the_border_is_noticed(segmentation, filled):
    def down_to_the_end(labels):
        i, j, _ = (int(np.median(axis)) for axis in voxels_of(segmentation, LEFT))
        labels[i - 3 : i + 3, j - 3 : j + 3, :20] = LEFT.index

    assert segmentation.touches_border == {}
    after = corrected(segmentation, relabelled(segmentation, down_to_the_end), filled)
    assert set(after.touches_border) == {"inferior"}


def test_without_probabilities_labels_are_measured(segmentation, t1, filled):
    labels = relabelled(segmentation, lambda a: a.__setitem__((0, 0, 0), LEFT.index))
    bare = dataclasses.replace(segmentation, probabilities=None)
    measures = measure(corrected(bare, labels, filled), t1)
    rows = volume_by_key(measures.volumes)
    assert rows[LEFT.key].volume_soft_mm3 == rows[LEFT.key].volume_label_mm3
    assert rows[LEFT.key].volume_label_mm3 == (labels == LEFT.index).sum() * t1.voxel_volume
    parts = sum(rows[key].volume_soft_mm3 for key in composites()["medulla"] if key in rows)
    assert rows["medulla"].volume_soft_mm3 == pytest.approx(parts)
    assert all(row.half_range_mm3 is None and math.isnan(row.confidence) for row in rows.values())
    (finding,) = [f for f in measures.findings if f.code == "volumes_from_labels"]
    assert finding.severity == "info"
    assert measures.intracranial.brainstem_fraction > 0


def test_labels_of_another_grid(segmentation, filled):
    with pytest.raises(BrainstemALSError) as caught:
        corrected(segmentation, segmentation.labels.array[1:], filled)
    assert caught.value.code is ExitCode.MISMATCHED_IMAGES


@pytest.mark.parametrize(("label", "dtype"), [(255, np.uint8), (300, np.uint16)])
def test_labels_that_the_model_does_not_know(segmentation, filled, label, dtype):
    labels = segmentation.labels.array.astype(dtype)
    labels[0, 0, 0] = label
    with pytest.raises(BrainstemALSError) as caught:
        corrected(segmentation, labels, filled)
    assert str(label) in caught.value.problem
