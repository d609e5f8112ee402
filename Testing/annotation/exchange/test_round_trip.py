"""A store to other programs and back: exact, whole, and without identities."""

from __future__ import annotations

import csv
import json

import nibabel as nib
import numpy as np
import pytest

from BrainstemALSLib.annotation import CaseStore
from BrainstemALSLib.annotation.exchange import (
    FORMATS,
    Choices,
    export_corrections,
    import_corrections,
)
from BrainstemALSLib.errors import BrainstemALSError, ExitCode
from BrainstemALSLib.imaging.reading import read_label_map
from BrainstemALSLib.imaging.volume import Volume
from BrainstemALSLib.imaging.writing import write_volume
from Testing.annotation.exchange.files import (
    KEPT,
    LEFT,
    RED,
    first,
    refused,
)


@pytest.mark.parametrize("form", FORMATS)
def test_a_store_comes_back_as_it_was(filled, tmp_path, form):
    export_corrections(filled, tmp_path / "out", form, with_dates=True)
    copy = CaseStore(tmp_path / "copy")

    imported = import_corrections(tmp_path / "out", copy, Choices())

    assert len(imported.stored) == 3
    assert imported.already_there == 0
    wanted = {(r.exam_key, r.annotator): r for r in filled.cases()}
    assert any("v1" in record.images for record in copy.cases())
    for record in copy.cases():
        before = filled.read(wanted[record.exam_key, record.annotator].case_id)
        after = copy.read(record.case_id)
        assert set(after.images) == set(before.images)
        for name in ("prediction", "correction", "changed"):
            np.testing.assert_array_equal(
                getattr(after, name).array, getattr(before, name).array, strict=True
            )
        for name, volume in before.images.items():
            np.testing.assert_array_equal(after.images[name].array, volume.array, strict=True)
        # To the bit: it comes from the JSON in double precision and not from the images.
        np.testing.assert_array_equal(after.correction.affine, before.correction.affine)
        for name in (*KEPT, "box_shape", "changes"):
            assert getattr(record, name) == getattr(before.record, name), name


@pytest.mark.parametrize("form", FORMATS)
def test_the_latest_case_stays_the_latest(store, make_approval, tmp_path, form):
    for annotator in ("c", "a", "b"):
        store.approve(make_approval(annotator=annotator))
    export_corrections(store, tmp_path / "out", form)
    copy = CaseStore(tmp_path / "copy")
    imported = import_corrections(tmp_path / "out", copy, Choices())
    assert [record.annotator for record in imported.stored] == ["c", "a", "b"]
    assert copy.latest(imported.stored[0].exam_key).annotator == "b"


@pytest.mark.parametrize("form", FORMATS)
def test_what_is_there_already_is_not_stored_again(filled, tmp_path, form):
    export_corrections(filled, tmp_path / "out", form)
    n = len(filled.ids())
    imported = import_corrections(tmp_path / "out", filled, Choices())
    assert (len(imported.stored), imported.already_there) == (0, 3)
    assert len(filled.ids()) == n


@pytest.mark.parametrize("form", FORMATS)
def test_no_date_and_no_face_leaves_a_store(filled, tmp_path, form):
    export_corrections(filled, tmp_path / "out", form)
    text = ""
    for path in (tmp_path / "out").rglob("*"):
        text += path.relative_to(tmp_path).as_posix()
        if path.suffix in (".json", ".tsv"):
            text += path.read_text(encoding="utf-8")
        if path.name.endswith("T1w.nii.gz"):
            assert nib.load(path).shape in {record.box_shape for record in filled.cases()}
    assert "2026-03-31" not in text
    assert "20260331" not in text
    assert not any(record.approved_utc in text for record in filled.cases())
    assert not any(record.case_id[:8] in text for record in filled.cases())


def test_an_export_overwrites_nothing(filled, tmp_path):
    out = tmp_path / "out"
    out.mkdir()
    (out / "precious.txt").write_text("mine")
    with pytest.raises(BrainstemALSError, match="something in it") as refusal:
        export_corrections(filled, out, "bids")
    assert refusal.value.code == ExitCode.OUTPUT_REFUSED
    assert [path.name for path in tmp_path.iterdir() if path != filled.root] == ["out"]
    assert [path.name for path in out.iterdir()] == ["precious.txt"]


def test_a_damaged_case_leaves_no_half_export(filled, tmp_path):
    last = filled.cases()[-1]
    (filled.root / "cases" / last.case_id / "t1.nii.gz").write_bytes(b"")
    with pytest.raises(BrainstemALSError, match="altered"):
        export_corrections(filled, tmp_path / "out", "bids")
    assert [path for path in tmp_path.iterdir() if path != filled.root] == []


def test_an_export_can_be_narrowed(filled, tmp_path):
    key = first(filled).exam_key
    one = export_corrections(
        filled, tmp_path / "one", "seg.nrrd", exam=key[:10], annotators=["rater2"]
    )
    assert [(record.exam_key, record.annotator) for record in one] == [(key, "rater2")]
    with pytest.raises(BrainstemALSError, match="no such case"):
        export_corrections(filled, tmp_path / "none", "bids", annotators=["nobody"])


def test_codes_that_differ_in_a_dash_do_not_meet(store, make_approval, tmp_path):
    store.approve(make_approval(annotator="a-1"))
    store.approve(make_approval(annotator="a_1"))
    export_corrections(store, tmp_path / "out", "monailabel")
    copy = CaseStore(tmp_path / "copy")
    import_corrections(tmp_path / "out", copy, Choices())
    assert sorted(record.annotator for record in copy.cases()) == ["a-1", "a_1"]


def test_bids_files_are_read_by_others(filled, tmp_path):
    export_corrections(filled, tmp_path / "out", "bids")
    case = filled.read(first(filled).case_id)
    stem = f"sub-ALS017_ses-{case.record.exam_key[:8]}_desc-rater1"
    folder = tmp_path / "out" / "sub-ALS017" / stem.split("_")[1] / "anat"
    image = nib.load(folder / f"{stem}_dseg.nii.gz")
    np.testing.assert_array_equal(np.asarray(image.dataobj), case.correction.array)
    np.testing.assert_allclose(image.affine, case.correction.affine, atol=1e-4)
    with (folder / f"{stem}_dseg.tsv").open(encoding="utf-8") as handle:
        rows = {int(row["index"]): row for row in csv.DictReader(handle, delimiter="\t")}
    assert rows[LEFT]["key"] == "basis_pontis_left"
    description = json.loads((tmp_path / "out" / "dataset_description.json").read_text())
    assert description["DatasetType"] == "derivative"


@pytest.mark.parametrize("wrong", ["scalar", "vectors", "cut off"])
def test_directions_of_another_kind_are_refused(filled, tmp_path, wrong):
    out = tmp_path / "out"
    export_corrections(filled, out, "bids")
    (path,) = out.rglob("*_param-v1_dwimap.nii.gz")
    image = nib.load(path)
    array = np.asarray(image.dataobj)
    assert array.shape[3:] == (3,)
    if wrong == "cut off":
        path.write_bytes(path.read_bytes()[:2000])
    else:
        other = array[..., 0] if wrong == "scalar" else array[:, :, :, None]
        header = nib.Nifti1Header()
        if wrong == "vectors":
            header.set_intent("vector")
        again = nib.Nifti1Image(other, image.affine, header)
        again.set_qform(image.affine, 1)
        again.set_sform(image.affine, 1)
        nib.save(again, path)
    copy = CaseStore(tmp_path / "copy")
    code = ExitCode.UNREADABLE_IMAGE if wrong == "cut off" else ExitCode.UNSUITABLE_IMAGE
    refused(code, "damaged" if wrong == "cut off" else "three values per voxel", out, copy)
    assert copy.ids() == []


def test_an_edit_after_the_export_needs_its_author(filled, tmp_path):
    export_corrections(filled, tmp_path / "out", "bids", annotators=["rater2"])
    (path,) = (tmp_path / "out").rglob("*rater2_dseg.nii.gz")
    labels = read_label_map(path)
    edited = labels.array.copy()
    edited[tuple(np.argwhere(edited == LEFT)[0])] = RED
    write_volume(Volume(edited, labels.affine), path)
    message = refused(ExitCode.USAGE, "by whom", path, filled)
    assert "--annotator" in message

    imported = import_corrections(path, filled, Choices(annotator="rater3"))

    (record,) = imported.stored
    old = first(filled, "rater2")
    assert (record.annotator, record.subject) == ("rater3", old.subject)
    assert (record.exam_key, record.model, record.keys) == (old.exam_key, old.model, old.keys)
    # It was vouched for in part, and an edit does not vouch for more.
    assert (record.approved_all, record.seconds_spent) == (False, 0.0)
    np.testing.assert_array_equal(filled.read(record.case_id).correction.array, edited)


def test_one_refused_correction_leaves_the_store_as_it_was(filled, tmp_path):
    out = tmp_path / "out"
    export_corrections(filled, out, "bids")
    bad = sorted(out.rglob("*rater2_dseg.nii.gz"))[0]
    bad.write_bytes(bad.read_bytes()[:60])
    copy = CaseStore(tmp_path / "copy")
    refused(ExitCode.UNREADABLE_IMAGE, "incomplete or damaged", out, copy)
    assert copy.ids() == []


def test_a_damaged_description_is_refused(filled, tmp_path):
    out = tmp_path / "out"
    export_corrections(filled, out, "seg.nrrd", annotators=["rater2"])
    (path,) = out.glob("*.json")
    content = json.loads(path.read_text())
    for change in (
        {"schema": 99},
        {"subject": "Ada_Lovelace"},
        {"files": {"t1": "../../etc/passwd"}},
        {"exam_key": "no"},
        {"box_shape": [1000, 1, 1]},
        {"t1_grid": {"shape": [1]}},
    ):
        path.write_text(json.dumps({"BrainstemALS": {**content["BrainstemALS"], **change}}))
        with pytest.raises(BrainstemALSError) as refusal:
            import_corrections(out, filled, Choices())
        assert "Ada" not in str(refusal.value)
    path.write_text("{")
    refused(ExitCode.UNREADABLE_IMAGE, "JSON", out, filled)
