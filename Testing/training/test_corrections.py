"""Corrections for training: the latest of each exam, and only what is as it was approved."""

from __future__ import annotations

import hashlib

import numpy as np
import pytest

from BrainstemALSLib.annotation import Approval, BoxGrid, CaseStore
from BrainstemALSLib.errors import BrainstemALSError
from BrainstemALSLib.imaging.volume import Volume
from training.corrections import _in_our_units, read_corrections

BOX = (14, 15, 16)
GRID = BoxGrid((30, 30, 30), np.diag([-4.0, 4.0, 4.0, 1.0]), (5, 6, 7))


def approval(exam: str, red: int = 1, **fields: object) -> Approval:
    """An approval in which the red nucleus gains ``red`` voxels."""
    prediction = np.zeros(BOX, dtype=np.uint8)
    prediction[6:9, 6:9, 6:9] = 23
    correction = prediction.copy()
    correction[6, 6, 6 : 6 + red] = 9
    t1 = np.random.default_rng(red).random(BOX, dtype=np.float32)
    return Approval(
        images={"t1": Volume(t1, GRID.box_affine)},
        prediction=Volume(prediction, GRID.box_affine),
        correction=Volume(correction, GRID.box_affine),
        grid=GRID,
        exam_key=hashlib.sha256(exam.encode()).hexdigest(),
        subject="ALS-1",
        annotator="r1",
        **fields,
    )


@pytest.fixture
def store(tmp_path):
    """An empty store."""
    return CaseStore(tmp_path / "store")


def test_the_latest_case_of_each_exam(store):
    store.approve(approval("a", red=1))
    other = store.approve(approval("b", red=1))
    latest = store.approve(approval("a", red=2))
    warnings: list[str] = []
    found = {item.record.case_id: item for item in read_corrections(store.root, warnings)}
    assert set(found) == {other.case_id, latest.case_id}
    assert warnings == []
    correction = found[latest.case_id]
    assert int((correction.correction.array == 9).sum()) == 2
    assert int(correction.changed.array.sum()) == 2
    assert not (correction.prediction.array == 9).any()
    assert correction.images["t1"].array.dtype == np.float32
    np.testing.assert_array_equal(correction.weights.array, 1.0)


def test_what_nobody_looked_at_does_not_train(store):
    store.approve(approval("a", red=2, approved_all=False))
    (correction,) = read_corrections(store.root)
    np.testing.assert_array_equal(correction.weights.array, correction.changed.array)
    assert correction.weights.array.sum() == 2


def test_a_later_review_in_part_does_not_hide_the_whole_one(store):
    whole = store.approve(approval("a", red=1))
    store.approve(approval("a", red=2, approved_all=False))
    (found,) = read_corrections(store.root)
    assert found.record.case_id == whole.case_id
    assert (found.weights.array == 1).all()


@pytest.mark.parametrize("name", ["correction.nii.gz", "case.json"])
def test_damaged_cases_are_skipped_and_named(store, name):
    first = store.approve(approval("a", red=1))
    second = store.approve(approval("a", red=2))
    lonely = store.approve(approval("b"))
    for record in (second, lonely):
        (store.root / "cases" / record.case_id / name).write_bytes(b"{}")
    if name == "case.json":
        (store.root / "index.sqlite").unlink()
    warnings: list[str] = []
    found = [item.record.case_id for item in read_corrections(store.root, warnings)]
    assert found == [first.case_id]
    assert len(warnings) == 2
    for record in (second, lonely):
        assert sum(record.case_id in warning and name in warning for warning in warnings) == 1


def test_no_store(tmp_path):
    with pytest.raises(BrainstemALSError, match="no annotation store"):
        list(read_corrections(tmp_path))
    assert list(tmp_path.iterdir()) == []


def test_maps_come_in_our_units_whatever_a_scene_held(tmp_path):
    inside = np.full((24, 24, 24), 0.8, np.float32)
    inside[:4] = 0.1
    images = {
        "fa": Volume(
            np.linspace(0, 1, inside.size, dtype=np.float32).reshape(inside.shape), np.eye(4)
        ),
        "md": Volume(inside / 1000, np.eye(4)),
        "v1": Volume(np.ones((*inside.shape, 3), np.float32), np.eye(4)),
    }
    noted: list[str] = []
    found = _in_our_units(images, "case", noted)
    assert np.median(found["md"].array) == pytest.approx(0.8, rel=1e-3)
    assert noted == []
    swapped = {**images, "fa": Volume(inside * 900, np.eye(4))}
    found = _in_our_units(swapped, "case", noted)
    assert set(found) == {"md"}
    assert len(noted) == 1
    assert "FA was left out" in noted[0]
