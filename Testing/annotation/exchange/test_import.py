"""Corrections of other programs into a store: as they are, or refused in one sentence."""

from __future__ import annotations

import json
import shutil

import nibabel as nib
import numpy as np
import pytest

from BrainstemALSLib.annotation.codes import exam_key
from BrainstemALSLib.annotation.exchange import (
    Choices,
    import_corrections,
    read_codes,
)
from BrainstemALSLib.annotation.exchange.lookup import (
    Mapping,
)
from BrainstemALSLib.errors import BrainstemALSError, ExitCode
from BrainstemALSLib.imaging.reading import read_volume
from BrainstemALSLib.imaging.volume import Volume
from BrainstemALSLib.imaging.writing import write_volume
from Testing.annotation.exchange.files import (
    AFFINE,
    LEFT,
    RED,
    RIGHT,
    SHAPE,
    first,
    only,
    ours,
    refused,
    table,
    whole_labels,
    whole_t1,
)


def test_labels_of_a_whole_t1_are_stored_with_an_empty_prediction(store, t1, dseg):
    choices = Choices(annotator="rater1", t1=t1)
    import_corrections(dseg, store, choices)
    case = only(store)
    record = case.record
    assert record.exam_key == exam_key(read_volume(t1))
    assert (record.subject, record.annotator, record.model) == ("07", "rater1", {})
    assert record.approved_all
    assert not record.from_simulation
    assert not case.prediction.array.any()
    window = tuple(
        slice(a, a + n) for a, n in zip(record.grid.offset, record.box_shape, strict=True)
    )
    np.testing.assert_array_equal(case.correction.array, whole_labels()[window])
    np.testing.assert_array_equal(case.images["t1"].array, whole_t1().array[window])
    assert record.keys == ("red_nucleus_left", "basis_pontis_left", "basis_pontis_right")


def test_a_partial_review_without_prediction_vouches_for_what_is_labelled(store, t1, dseg):
    import_corrections(dseg, store, Choices(annotator="rater1", t1=t1, whole=False))
    case = only(store)
    assert not case.record.approved_all
    np.testing.assert_array_equal(case.changed.array, case.correction.array > 0)


def test_the_prediction_of_the_segment_command_comes_along(store, t1, dseg, tmp_path):
    folder = tmp_path / "derivatives"
    folder.mkdir()
    drawn = whole_labels()
    drawn[11, 13:15, 11:13] = LEFT
    model = folder / "sub-07_desc-brainstem_dseg.nii.gz"
    write_volume(Volume(drawn, AFFINE), model)
    ours(folder / "sub-07_desc-brainstem_dseg.tsv")
    versions = {"structures": {"name": "structures", "version": "1", "sha256": "0" * 64}}
    provenance = {"model": versions, "modalities_used": ["t1", "fa"]}
    (folder / "sub-07_desc-brainstem_provenance.json").write_text(json.dumps(provenance))
    shutil.copy(dseg, folder / "sub-07_desc-expert_dseg.nii.gz")
    ours(folder / "dseg.tsv")

    import_corrections(folder, store, Choices(annotator="rater1", t1=t1))

    case = only(store)
    assert case.record.model == versions
    assert case.record.modalities == ("t1", "fa")
    assert case.record.from_simulation
    assert case.changed.array.sum() == 4
    assert case.record.changes["red_nucleus_left"].added == 4


def test_a_dataset_of_t1_images_serves_many(store, tmp_path, dseg):
    folder = tmp_path / "derivatives"
    for subject in ("07", "08"):
        anat = tmp_path / "raw" / f"sub-{subject}" / "ses-1" / "anat"
        anat.mkdir(parents=True)
        noise = np.random.default_rng(int(subject)).normal(300, 30, SHAPE).astype(np.float32)
        write_volume(Volume(noise, AFFINE), anat / f"sub-{subject}_ses-1_T1w.nii.gz")
        folder.mkdir(exist_ok=True)
        shutil.copy(dseg, folder / f"sub-{subject}_ses-1_dseg.nii.gz")
    ours(folder / "dseg.tsv")
    refused(
        ExitCode.USAGE, "there are 2", folder, store, annotator="a1", t1=tmp_path, subject="ALS-1"
    )
    imported = import_corrections(folder, store, Choices(annotator="a1", t1=tmp_path / "raw"))
    assert [record.subject for record in imported.stored] == ["07", "08"]
    assert len({record.exam_key for record in imported.stored}) == 2

    (tmp_path / "raw" / "sub-08" / "ses-1" / "anat" / "sub-08_ses-1_T1w.nii.gz").unlink()
    refused(
        ExitCode.UNREADABLE_IMAGE, "none for it", folder, store, annotator="a2", t1=tmp_path / "raw"
    )
    assert len(store.cases()) == 2


def test_an_exam_of_the_store_needs_no_t1(filled, tmp_path):
    case = filled.read(first(filled).case_id)
    labels = case.correction.array.copy()
    labels[labels == RED] = LEFT
    path = tmp_path / "mine.nii.gz"
    # Cut, as Slicer does, and turned, as other programs do.
    cut = np.argwhere(labels).min(axis=0)
    affine = case.correction.affine.copy()
    affine[:3, 3] += affine[:3, :3] @ cut
    part = nib.Nifti1Image(labels[tuple(slice(a, None) for a in cut)], affine)
    part.set_qform(affine, 1)
    part.set_sform(affine, 1)
    nib.save(nib.as_closest_canonical(part), path)
    ours(tmp_path / "mine.tsv")
    key = case.record.exam_key
    (record,) = import_corrections(path, filled, Choices(annotator="rater9", exam=key[:16])).stored
    stored = filled.read(record.case_id)
    np.testing.assert_array_equal(stored.correction.array, labels)
    np.testing.assert_array_equal(stored.prediction.array, case.prediction.array)
    assert (record.exam_key, record.subject) == (key, case.record.subject)
    refused(ExitCode.USAGE, "no exam", path, filled, annotator="rater9", exam="zzz")


@pytest.mark.parametrize(
    "change",
    [
        lambda affine: affine @ np.diag([1.02, 1, 1, 1]),
        lambda affine: affine + np.array([[0, 0, 0, 2.0]] + [[0] * 4] * 3),
        lambda affine: affine @ np.diag([0.5, 0.5, 0.5, 1]),
    ],
    ids=["another voxel size", "half a voxel off", "finer"],
)
def test_labels_of_another_grid_are_refused(store, t1, tmp_path, change):
    path = tmp_path / "sub-07_dseg.nii.gz"
    write_volume(Volume(whole_labels(), change(AFFINE)), path)
    ours(tmp_path / "sub-07_dseg.tsv")
    message = refused(
        ExitCode.MISMATCHED_IMAGES, "does not lie on the voxels", path, store, annotator="a", t1=t1
    )
    assert "T1" in message
    assert store.ids() == []


def test_labels_outside_the_image_are_refused(store, t1, tmp_path):
    path = tmp_path / "sub-07_dseg.nii.gz"
    affine = AFFINE.copy()
    affine[:3, 3] += affine[:3, :3] @ [15, 0, 0]
    write_volume(Volume(whole_labels(), affine), path)
    ours(tmp_path / "sub-07_dseg.tsv")
    refused(ExitCode.MISMATCHED_IMAGES, "lie outside", path, store, annotator="a", t1=t1)


@pytest.mark.parametrize(
    ("fields", "what"),
    [
        ({"annotator": "Ada_Lovelace"}, "annotator code"),
        ({"annotator": "a", "subject": "Grace-Hopper"}, "subject code"),
        ({"annotator": "a", "subject": "1953-04-12"}, "subject code"),
        ({"annotator": "a", "visit_date": "tomorrow"}, "visit date"),
    ],
)
def test_identities_are_refused(store, t1, dseg, fields, what):
    message = refused(ExitCode.USAGE, what, dseg, store, t1=t1, **fields)
    assert not any(value in message for value in fields.values() if len(value) > 1)
    assert store.ids() == []


def test_a_date_in_a_file_name_is_no_subject(store, t1, dseg):
    path = dseg.rename(dseg.with_name("sub-19530412_dseg.nii.gz"))
    ours(path.with_name("sub-19530412_dseg.tsv"))
    refused(ExitCode.USAGE, "subject code", path, store, annotator="a", t1=t1)
    plain = path.rename(path.with_name("lovelace.nii.gz"))
    ours(path.with_name("lovelace.tsv"))
    refused(ExitCode.USAGE, "no subject code", plain, store, annotator="a", t1=t1)
    refused(ExitCode.USAGE, "which exam", plain, store, annotator="a", subject="ALS-1")
    codes = table(path.with_name("codes.tsv"), [("image", "subject"), ("lovelace", "ALS-1")])
    import_corrections(plain, store, Choices(annotator="a", t1=t1, codes=read_codes(codes)))
    assert store.cases()[0].subject == "ALS-1"


def test_a_folder_without_corrections_is_refused(store, tmp_path):
    (tmp_path / "empty").mkdir()
    refused(ExitCode.UNREADABLE_IMAGE, "no corrections here", tmp_path / "empty", store)


def test_a_datastore_of_monai_label_is_imported(store, tmp_path):
    folder = tmp_path / "datastore"
    (folder / "labels" / "final").mkdir(parents=True)
    (folder / "labels" / "original").mkdir()
    for name in ("patient1", "patient2", "patient3"):
        write_volume(whole_t1(), folder / f"{name}.nii.gz")
    write_volume(Volume(whole_labels((1, 2, 3)), AFFINE), folder / "labels/final/patient1.nii.gz")
    drawn = whole_labels((1, 2, 2))
    write_volume(Volume(drawn, AFFINE), folder / "labels/original/patient1.nii.gz")
    write_volume(Volume(drawn, AFFINE), folder / "labels/original/patient2.nii.gz")
    names = [
        {"name": "Basis pontis left", "idx": 1},
        {"name": "BP-R", "idx": 2},
        {"name": "red nucleus, left", "idx": 3},
    ]
    label = {"ext": ".nii.gz", "info": {"label_info": names, "client_id": "Ada", "ts": 1}}
    image = {"ext": ".nii.gz", "info": {"ts": 1}}
    objects = {
        "patient1": {"image": image, "labels": {"final": label, "original": label}},
        "patient2": {"image": image, "labels": {"original": label}},
        "patient3": {"image": image, "labels": {}},
    }
    record = {"name": "x", "description": "", "images_dir": ".", "labels_dir": "labels"}
    (folder / "datastore_v2.json").write_text(json.dumps({**record, "objects": objects}))
    codes = {"patient1": {"subject": "ALS-1"}}
    mapping = Mapping(by_name={("basis", "left", "pontis"): LEFT})

    refused(ExitCode.USAGE, "no subject code", folder, store, annotator="a", mapping=mapping)
    import_corrections(folder, store, Choices(annotator="a", codes=codes, mapping=mapping))

    case = only(store)
    assert case.record.exam_key == exam_key(whole_t1())
    assert set(np.unique(case.correction.array)) == {0, LEFT, RIGHT, RED}
    assert set(np.unique(case.prediction.array)) == {0, LEFT, RIGHT}
    assert case.changed.array.sum() == 4

    for broken in (
        {"objects": {"../../x": objects["patient1"]}},
        {"objects": objects, "labels_dir": "../elsewhere"},
        {"objects": {"patient1": {"image": {"ext": ".exe"}, "labels": {"final": label}}}},
        {"objects": 3},
        {"objects": {"patient3": objects["patient3"]}},
    ):
        (folder / "datastore_v2.json").write_text(json.dumps({**record, **broken}))
        with pytest.raises(BrainstemALSError) as refusal:
            import_corrections(folder, store, Choices(annotator="a", subject="b"))
        assert refusal.value.code == ExitCode.UNREADABLE_IMAGE
