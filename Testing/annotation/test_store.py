"""Approved cases: what is written, found again and never touched afterwards."""

from __future__ import annotations

import json
import os
import subprocess
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest

from BrainstemALSLib import __version__
from BrainstemALSLib.annotation import CaseStore, case_files
from BrainstemALSLib.annotation import store as store_module
from BrainstemALSLib.annotation.records import Change, from_json, is_case_id, to_json
from BrainstemALSLib.errors import BrainstemALSError, ExitCode
from BrainstemALSLib.file_lock import FileLock
from BrainstemALSLib.imaging.geometry import crop
from BrainstemALSLib.imaging.volume import Volume


def content(folder: Path) -> dict[str, bytes]:
    return {str(p.relative_to(folder)): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


def test_a_case_comes_back_as_it_was_approved(store, make_approval):
    given = make_approval()
    record = store.approve(given)
    case = CaseStore(store.root).read(record.case_id)
    start = np.array(record.grid.offset) - given.grid.offset
    stop = start + record.box_shape
    for volume, stored in (
        (given.prediction, case.prediction),
        (given.correction, case.correction),
        (given.images["t1"], case.images["t1"]),
        (given.images["fa"], case.images["fa"]),
    ):
        np.testing.assert_array_equal(crop(volume, start, stop).array, stored.array)
        # To the last bit, which no NIfTI header holds.
        np.testing.assert_array_equal(stored.affine, record.grid.box_affine)
    np.testing.assert_array_equal(
        case.changed.array, case.prediction.array != case.correction.array
    )
    np.testing.assert_array_equal(case.record.grid.affine, given.grid.affine)
    assert case.correction.array.dtype == np.uint8
    assert set(case.images) == {"t1", "fa"}


def test_what_a_case_says_about_itself(store, make_approval):
    record = store.approve(make_approval(approved_all=False, from_simulation=False))
    written = json.loads((store.root / "cases" / record.case_id / "case.json").read_text())
    assert written == json.loads(json.dumps(to_json(record)))
    assert written["subject"] == "ALS-017"
    assert written["annotator"] == "rater2"
    assert written["visit_date"] == "2026-03-31"
    assert written["seconds_spent"] == 81.5
    assert written["software"] == __version__
    assert written["model"]["structures"]["version"] == "1"
    assert written["modalities"] == ["t1", "fa"]
    assert record.modalities == ("t1", "fa")
    assert written["approved_all"] is False
    assert written["prediction_learned_from_simulation"] is False
    assert record.changes == {
        "basis_pontis_left": Change(added=1, removed=1),
        "basis_pontis_right": Change(added=0, removed=1),
        "red_nucleus_left": Change(added=2, removed=1),
    }
    assert (record.revision, record.supersedes) == (1, None)


def test_what_the_prediction_was_made_with_is_not_what_is_stored(store, make_approval):
    record = store.approve(make_approval(modalities=("t1", "fa", "md")))
    (read,) = CaseStore(store.root).cases()
    assert read.modalities == store.read(record.case_id).record.modalities == ("t1", "fa", "md")
    assert read.images == ("t1", "fa")


def test_a_case_of_before_modalities_were_kept(store, make_approval):
    record = store.approve(make_approval())
    content = to_json(record)
    del content["modalities"]
    assert from_json(content).modalities == ()


def test_directions_come_back_as_they_were_approved(store, make_approval, make_directions):
    given = make_approval()
    images = {**given.images, "v1": make_directions()}
    record = store.approve(make_approval(images=images, modalities=("t1", "fa", "v1")))
    (read,) = CaseStore(store.root).cases()
    assert read.images == ("t1", "fa", "v1")
    assert read.modalities == ("t1", "fa", "v1")
    assert store.verify(record.case_id) == ()
    start = np.array(record.grid.offset) - given.grid.offset
    wanted = crop(images["v1"], start, start + record.box_shape).array
    stored = store.read(record.case_id).images["v1"]
    np.testing.assert_array_equal(stored.array, wanted, strict=True)
    np.testing.assert_array_equal(stored.affine, record.grid.box_affine)
    folder = store.root / "cases" / record.case_id
    # What other programs see: the parts of the direction along a fourth axis.
    image = nib.load(folder / "v1.nii.gz")
    np.testing.assert_array_equal(np.asarray(image.dataobj), wanted)
    np.testing.assert_allclose(image.affine, record.grid.box_affine, atol=1e-4)
    nib.save(nib.Nifti1Image(-wanted, image.affine), folder / "v1.nii.gz")
    assert store.verify(record.case_id) == ("v1.nii.gz was altered",)


def test_only_a_case_with_directions_needs_a_version_that_knows_them(
    store, make_approval, make_directions
):
    plain = make_approval()
    without = to_json(store.approve(plain))
    # As every case was written before there were directions.
    assert without["schema"] == 1
    assert from_json(without).images == ("t1", "fa")
    record = store.approve(make_approval(images={**plain.images, "v1": make_directions()}))
    assert to_json(record)["schema"] == 2
    assert to_json(store.approve(make_approval(modalities=("t1", "fa", "v1"))))["schema"] == 2


def test_no_face_is_stored(store, make_approval):
    record = store.approve(make_approval())
    # The labels take 4 x 4 x 4 voxels of 4 mm; 16 mm around them are kept.
    assert record.box_shape == (12, 12, 12)
    assert record.grid.offset == (3 + 4, 4 + 4, 5 + 5)
    assert record.grid.shape == (30, 32, 34)


def test_other_programs_read_the_files(store, make_approval):
    given = make_approval()
    record = store.approve(given)
    folder = store.root / "cases" / record.case_id
    image = nib.load(folder / "correction.nii.gz")
    np.testing.assert_allclose(image.affine, record.grid.box_affine, atol=1e-4)
    assert int((np.asarray(image.dataobj) == 9).sum()) == 3
    rows = (folder / "labels.tsv").read_text().splitlines()
    assert rows[0].split("\t") == ["index", "key", "name"]
    assert [row.split("\t")[:2] for row in rows[1:]] == [
        ["9", "red_nucleus_left"],
        ["23", "basis_pontis_left"],
        ["24", "basis_pontis_right"],
    ]
    assert sorted(path.name for path in folder.iterdir()) == [
        "case.json",
        "case.sha256",
        "changed.nii.gz",
        "correction.nii.gz",
        "fa.nii.gz",
        "labels.tsv",
        "prediction.nii.gz",
        "t1.nii.gz",
    ]


@pytest.mark.skipif(os.name == "nt", reason="sha256sum is not a program of Windows")
def test_sha256sum_reads_the_seal(store, make_approval):
    folder = store.root / "cases" / store.approve(make_approval()).case_id
    check = ["sha256sum", "--check", "--strict", "case.sha256"]
    assert subprocess.run(check, cwd=folder, capture_output=True).returncode == 0


def test_no_name_tells_of_the_patient(store, make_approval):
    record = store.approve(make_approval())
    assert is_case_id(record.case_id)
    names = " ".join(str(path.relative_to(store.root)) for path in store.root.rglob("*"))
    assert "ALS-017" not in names
    assert "rater2" not in names


def test_a_second_approval_supersedes_and_changes_nothing(store, make_approval):
    first = store.approve(make_approval())
    before = content(store.root / "cases")
    other = store.approve(make_approval(exam="other"))
    second = store.approve(make_approval(annotator="rater1"))
    assert (second.revision, second.supersedes) == (2, first.case_id)
    assert other.supersedes is None
    assert store.latest(first.exam_key).case_id == second.case_id
    assert store.latest(first.exam_key, annotator="rater2").case_id == first.case_id
    assert store.latest("0" * 64) is None
    assert {r.case_id for r in store.cases()} == {first.case_id, other.case_id, second.case_id}
    after = content(store.root / "cases")
    assert {name: after[name] for name in before} == before


def test_a_correction_may_take_everything_away(store, make_approval):
    given = make_approval()
    nothing = Volume(np.zeros_like(given.correction.array), given.correction.affine)
    record = store.approve(make_approval(correction=nothing))
    assert store.verify(record.case_id) == ()
    assert not store.read(record.case_id).correction.array.any()


@pytest.mark.parametrize("dtype", [np.int16, np.uint8, np.float64, np.int32, np.uint16])
def test_t1_of_any_type(store, make_approval, dtype):
    given = make_approval()
    t1 = given.images["t1"]
    array = np.clip(t1.array / 10, 0, 250).astype(dtype)
    record = store.approve(make_approval(images={"t1": Volume(array, t1.affine)}))
    stored = store.read(record.case_id).images["t1"].array
    start = np.array(record.grid.offset) - given.grid.offset
    whole = Volume(array.astype(np.float32), t1.affine)
    np.testing.assert_array_equal(stored, crop(whole, start, start + record.box_shape).array)


def test_a_map_that_shows_nothing_is_left_out(store, make_approval):
    given = make_approval()
    blank = Volume(np.zeros_like(given.images["fa"].array), given.images["fa"].affine)
    holes = Volume(np.full_like(blank.array, np.nan), blank.affine)
    record = store.approve(make_approval(images={**given.images, "fa": blank, "md": holes}))
    assert record.images == ("t1",)
    assert store.verify(record.case_id) == ()


@pytest.mark.skipif(os.name == "nt", reason="watches POSIX calls")
def test_everything_is_flushed_before_a_case_gets_its_name(store, make_approval, monkeypatch):
    calls: list[str] = []
    fsync, rename = os.fsync, os.rename

    def watched_fsync(descriptor):
        calls.append(Path(os.readlink(f"/proc/self/fd/{descriptor}")).name)
        fsync(descriptor)

    def watched_rename(source, target):
        calls.append("rename")
        rename(source, target)

    if not Path("/proc/self/fd").exists():
        pytest.skip("needs /proc to name an open file")
    monkeypatch.setattr(os, "fsync", watched_fsync)
    monkeypatch.setattr(os, "rename", watched_rename)
    record = store.approve(make_approval())
    moment = calls.index("rename")
    files = {path.name for path in (store.root / "cases" / record.case_id).iterdir()}
    assert files | {f".partial-{record.case_id}"} <= set(calls[:moment])
    assert "cases" in calls[moment:]


def test_a_read_only_store_is_never_written(store, make_approval):
    record = store.approve(make_approval())
    (store.root / "index.sqlite").unlink()
    before = content(store.root)
    reader = CaseStore(store.root, read_only=True)
    assert [case.case_id for case in reader.cases()] == [record.case_id]
    assert reader.read(record.case_id).record.subject == "ALS-017"
    with pytest.raises(BrainstemALSError) as caught:
        reader.approve(make_approval())
    assert caught.value.code == ExitCode.OUTPUT_REFUSED
    assert content(store.root) == before


def test_a_file_system_that_gives_back_something_else(store, make_approval, monkeypatch):
    write = case_files.write_volume

    def write_another_voxel(volume, path):
        array = volume.array.copy()
        if path.name == "t1.nii.gz":
            array[0, 0, 0] += 1
        write(Volume(array, volume.affine), path)

    monkeypatch.setattr(case_files, "write_volume", write_another_voxel)
    with pytest.raises(BrainstemALSError) as caught:
        store.approve(make_approval())
    assert caught.value.code == ExitCode.OUTPUT_REFUSED
    assert os.listdir(store.root / "cases") == []


def test_waiting_for_another_program_ends(store, make_approval, monkeypatch):
    monkeypatch.setattr(store_module, "_LOCK_WAIT_S", 0.1)
    with FileLock(store.root / "store.lock"):
        with pytest.raises(BrainstemALSError, match="another program"):
            store.approve(make_approval())
        assert store.cases() == ()
    assert store.approve(make_approval()).revision == 1


def test_threads_of_one_program(store, make_approval):
    with ThreadPoolExecutor(3) as pool:
        records = list(pool.map(lambda n: store.approve(make_approval(n)), range(6)))
    assert sorted(record.revision for record in records) == [1, 2, 3, 4, 5, 6]
    assert store.verify_all() == {}


@pytest.mark.parametrize("case_id", ["20260331T120000Z-0123456789ab", "..", "../cases", ""])
def test_a_case_that_is_not_there(store, case_id):
    for look in (store.read, store.verify):
        with pytest.raises(BrainstemALSError, match="no such case"):
            look(case_id)
