"""What may be approved: codes and not names, one grid, known labels."""

from __future__ import annotations

import os

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from BrainstemALSLib.annotation import BoxGrid, cut_images, exam_key
from BrainstemALSLib.annotation.box import brainstem_box
from BrainstemALSLib.annotation.codes import is_code, is_visit_date
from BrainstemALSLib.errors import BrainstemALSError, ExitCode
from BrainstemALSLib.imaging.reading import read_volume
from BrainstemALSLib.imaging.volume import Volume
from BrainstemALSLib.imaging.writing import write_volume


def refusal(store, approval) -> BrainstemALSError:
    with pytest.raises(BrainstemALSError) as caught:
        store.approve(approval)
    assert os.listdir(store.root / "cases") == []
    return caught.value


@pytest.mark.parametrize("code", ["ALS-017", "r1", "sub-0042", "A" * 32, "x_Y-9", "20260399"])
def test_codes(code):
    assert is_code(code)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "Ada Lovelace",
        "Ada_Lovelace",
        "Ada-Lovelace",
        "Müller",
        "a.lovelace",
        "a@b.org",
        "../x",
        "A" * 33,
        "1956-03-31",
        "19560331",
        "ALS-017\n",
    ],
)
def test_identities_are_no_codes(store, make_approval, text):
    assert not is_code(text)
    for field in ("subject", "annotator"):
        error = refusal(store, make_approval(**{field: text}))
        assert error.code == ExitCode.USAGE
        assert error.subject == f"{field} code"
        assert not text or text not in str(error)


@pytest.mark.parametrize("text", ["31.03.2026", "2026-13-01", "20260331", "2026-03-31T12:00", "x"])
def test_visit_dates_are_iso(store, make_approval, text):
    assert not is_visit_date(text)
    error = refusal(store, make_approval(visit_date=text))
    assert (error.subject, error.code) == ("visit date", ExitCode.USAGE)
    assert text not in error.problem


def test_a_visit_date_may_be_unknown(store, make_approval):
    assert store.approve(make_approval(visit_date="")).visit_date == ""


@pytest.mark.parametrize("part", ["correction", "prediction", "t1", "fa"])
@pytest.mark.parametrize("how", ["shape", "place"])
def test_everything_lies_on_one_box(store, make_approval, part, how):
    good = make_approval()
    volume = good.images.get(part) or getattr(good, part)
    moved = volume.affine.copy()
    moved[0, 3] += 1.0
    other = Volume(volume.array[1:], volume.affine) if how == "shape" else None
    other = other or Volume(volume.array, moved)
    images = {**good.images, **({part: other} if part in good.images else {})}
    fields = {"images": images} if part in images else {part: other}
    error = refusal(store, make_approval(**fields))
    assert error.code == ExitCode.MISMATCHED_IMAGES
    assert "box" in error.problem


def test_the_box_lies_in_the_t1(store, make_approval):
    grid = make_approval().grid
    small = BoxGrid((22, 32, 34), grid.affine, grid.offset)
    error = refusal(store, make_approval(grid=small))
    assert error.code == ExitCode.MISMATCHED_IMAGES


@pytest.mark.parametrize("dtype", [np.uint8, np.int16, np.float32])
def test_unknown_labels(store, make_approval, dtype):
    good = make_approval()
    array = good.correction.array.astype(dtype)
    array[10, 10, 10] = 200 if dtype == np.uint8 else -1
    error = refusal(store, make_approval(correction=Volume(array, good.correction.affine)))
    assert (error.subject, error.code) == ("correction", ExitCode.UNSUITABLE_IMAGE)


def test_nothing_labelled(store, make_approval):
    good = make_approval()
    nothing = Volume(np.zeros_like(good.prediction.array), good.prediction.affine)
    error = refusal(store, make_approval(prediction=nothing, correction=nothing))
    assert error.code == ExitCode.NO_BRAINSTEM


@pytest.mark.parametrize("value", [0.0, np.nan])
def test_a_t1_without_content(store, make_approval, value):
    good = make_approval()
    t1 = Volume(np.full_like(good.images["t1"].array, value), good.images["t1"].affine)
    error = refusal(store, make_approval(images={**good.images, "t1": t1}))
    assert (error.subject, error.code) == ("T1", ExitCode.UNSUITABLE_IMAGE)


@pytest.mark.parametrize(
    ("fields", "sentence"),
    [
        ({"exam_key": "x"}, "SHA-256"),
        ({"seconds_spent": -1.0}, "no time"),
        ({"seconds_spent": float("nan")}, "no time"),
        ({"keys": ("cerebellum",)}, "no such structures: cerebellum"),
        ({"modalities": ("t1", "flair")}, "no such channels: flair"),
        ({"model": {"accuracy": float("nan")}}, "JSON"),
    ],
)
def test_mistakes_of_the_calling_program(store, make_approval, fields, sentence):
    with pytest.raises(ValueError, match=sentence):
        store.approve(make_approval(**fields))
    assert os.listdir(store.root / "cases") == []


@pytest.mark.parametrize("broken", ["empty", "holes", "longer", "without FA", "blank FA"])
def test_directions_that_say_nothing_are_left_out(store, make_approval, make_directions, broken):
    good = make_approval()
    v1, fa = make_directions(), good.images["fa"]
    array = v1.array.copy()
    if broken == "empty":
        array[:] = 0
    elif broken == "holes":
        array[9, 9, 9, 1] = np.nan
    elif broken == "longer":
        array *= 1.5
    images = {"t1": good.images["t1"], "fa": fa, "v1": Volume(array, v1.affine)}
    if broken == "without FA":
        del images["fa"]
    elif broken == "blank FA":
        images["fa"] = Volume(np.zeros_like(fa.array), fa.affine)
    record = store.approve(make_approval(images=images))
    assert record.images == (("t1",) if "FA" in broken else ("t1", "fa"))
    assert store.verify(record.case_id) == ()


def test_directions_have_three_values_per_voxel_and_no_other_image_has(
    store, make_approval, make_directions
):
    good, v1 = make_approval(), make_directions()
    for wrong in ({"v1": Volume(v1.array[..., 0], v1.affine)}, {"md": v1}):
        with pytest.raises(ValueError, match="has not the axes"):
            store.approve(make_approval(images={**good.images, **wrong}))
    assert os.listdir(store.root / "cases") == []


def test_an_image_of_another_name(store, make_approval):
    good = make_approval()
    with pytest.raises(ValueError, match="images of a case"):
        store.approve(make_approval(images={**good.images, "flair": good.images["t1"]}))


@settings(deadline=None)
@given(
    shape=st.tuples(*[st.integers(4, 12)] * 3),
    spacing=st.tuples(*[st.floats(0.4, 5.0)] * 3),
    data=st.data(),
)
def test_the_box_holds_all_labels_and_their_surroundings(shape, spacing, data):
    voxels = data.draw(st.lists(st.tuples(*(st.integers(0, n - 1) for n in shape)), min_size=1))
    labels = np.zeros(shape, dtype=np.uint8)
    labels[tuple(np.transpose(voxels))] = 1
    start, stop = brainstem_box(labels, np.array(spacing))
    inside = labels[tuple(slice(a, b) for a, b in zip(start, stop, strict=True))]
    assert inside.sum() == labels.sum()
    for axis in range(3):
        first, last = np.transpose(voxels)[axis].min(), np.transpose(voxels)[axis].max()
        below = (first - start[axis]) * spacing[axis]
        above = (stop[axis] - 1 - last) * spacing[axis]
        assert below >= 16.0 or start[axis] == 0
        assert above >= 16.0 or stop[axis] == shape[axis]
        assert max(below, above) < 16.0 + spacing[axis]


def test_images_are_cut_to_the_box(make_approval):
    grid = make_approval().grid
    noise = np.random.default_rng(1)
    t1 = Volume(noise.random(grid.shape, dtype=np.float32), grid.affine)
    coarse = grid.affine @ np.diag([2.0, 2.0, 2.0, 1.0])
    ramp = np.broadcast_to(np.arange(20.0, dtype=np.float32)[:, None, None], (20, 20, 20))
    images = cut_images(grid, (6, 7, 8), t1, fa=Volume(ramp, coarse))
    np.testing.assert_array_equal(images["t1"].array, t1.array[3:9, 4:11, 5:13])
    np.testing.assert_allclose(images["fa"].array[:, 0, 0], np.arange(3, 9) / 2, rtol=1e-5)
    assert set(images) == {"t1", "fa"}
    for volume in images.values():
        np.testing.assert_array_equal(volume.affine, grid.box_affine)


def test_directions_are_brought_to_the_box_without_cancelling(make_approval):
    grid = make_approval().grid
    t1 = Volume(np.random.default_rng(1).random(grid.shape, dtype=np.float32), grid.affine)
    coarse = grid.affine @ np.diag([1.5, 1.5, 1.5, 1.0])
    signs = np.random.default_rng(2).choice([-1.0, 1.0], (20, 20, 20, 1))
    axis = np.array([2.0, -1.0, 2.0]) / 3
    v1 = Volume((signs * axis).astype(np.float32), coarse)
    placed = cut_images(grid, (6, 7, 8), t1, v1=v1)["v1"]
    assert placed.array.shape == (6, 7, 8, 3)
    np.testing.assert_allclose(np.abs(placed.array @ axis), 1, atol=1e-5)
    np.testing.assert_array_equal(placed.affine, grid.box_affine)


def test_the_exam_key_does_not_depend_on_who_read_the_image(tmp_path, make_approval):
    grid = make_approval().grid
    array = np.random.default_rng(0).integers(0, 900, (20, 18, 16)).astype(np.int16)
    key = exam_key(Volume(array, grid.affine))
    write_volume(Volume(array, grid.affine), tmp_path / "t1.nii.gz")
    assert exam_key(read_volume(tmp_path / "t1.nii.gz")) == key
    assert exam_key(Volume(np.asfortranarray(array).astype(float), grid.affine)) == key
    array[3, 4, 5] += 1
    assert exam_key(Volume(array, grid.affine)) != key
    array[3, 4, 5] -= 1
    moved = grid.affine.copy()
    moved[1, 3] += 0.5
    assert exam_key(Volume(array, moved)) != key
    assert exam_key(Volume(array.reshape(18, 20, 16), grid.affine)) != key


@pytest.mark.parametrize(
    ("shape", "offset"), [((4, 4), (0, 0, 0)), ((4, 4, 0), (0, 0, 0)), ((4, 4, 4), (-1, 0, 0))]
)
def test_grids_that_cannot_be(shape, offset):
    with pytest.raises(ValueError, match="grid has"):
        BoxGrid(shape, np.eye(4), offset)
