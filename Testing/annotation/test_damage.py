"""Folders and files that are not what they should be: a sentence, and nothing is lost."""

from __future__ import annotations

import json
import os
from contextlib import closing, suppress
from pathlib import Path

import pytest

from BrainstemALSLib.annotation import CaseStore, DraftFolder, recoverable
from BrainstemALSLib.errors import BrainstemALSError, ExitCode
from BrainstemALSLib.imaging.checksum import sha256_of
from BrainstemALSLib.imaging.volume import Volume
from BrainstemALSLib.imaging.writing import write_volume


def refused(root: Path, **options) -> BrainstemALSError:
    with pytest.raises(BrainstemALSError) as caught:
        CaseStore(root, **options)
    assert caught.value.code == ExitCode.OUTPUT_REFUSED
    assert str(root.parent) not in str(caught.value)
    return caught.value


@pytest.fixture
def case(store, make_approval):
    """Folder of an approved case."""
    return store.root / "cases" / store.approve(make_approval()).case_id


# The folder


def test_a_folder_with_something_else_in_it(root):
    root.mkdir()
    (root / "thesis.docx").write_text("x")
    assert "no annotation store" in refused(root).problem
    assert os.listdir(root) == ["thesis.docx"]


def test_an_empty_folder_with_litter_becomes_a_store(root, make_approval):
    root.mkdir()
    (root / ".DS_Store").write_text("x")
    (root / ".partial-0123").write_text("a store whose making was interrupted")
    assert CaseStore(root).cases() == ()


def test_a_file_instead_of_a_folder(root):
    root.write_text("x")
    assert "file" in refused(root).problem
    refused(root / "below")
    refused(root, read_only=True)
    assert root.read_text() == "x"


def test_nothing_there_to_read(root):
    assert "no annotation store" in refused(root, read_only=True).problem
    assert not root.exists()


def test_a_store_of_a_newer_version(store, root):
    written = json.loads((root / "store.json").read_text())
    (root / "store.json").write_text(json.dumps({**written, "format": written["format"] + 1}))
    for read_only in (False, True):
        assert "newer version" in refused(root, read_only=read_only).problem


@pytest.mark.parametrize("text", ["", "{", "[]", '{"format": null}', "\ufeff", "[" * 100_000])
def test_a_damaged_store_file(store, root, text):
    (root / "store.json").write_text(text, encoding="utf-8")
    assert "store.json is damaged" in refused(root).problem


def test_a_folder_that_may_not_be_written_to(open_tmp, make_approval, closed_folder):
    root = open_tmp / "store"
    store = CaseStore(root)
    record = store.approve(make_approval())
    closed_folder(root)
    assert "written" in refused(root).problem
    with pytest.raises(BrainstemALSError) as caught:
        store.approve(make_approval())
    assert caught.value.code == ExitCode.OUTPUT_REFUSED
    with pytest.raises(BrainstemALSError) as caught:
        DraftFolder(root)
    assert caught.value.code == ExitCode.OUTPUT_REFUSED
    reader = CaseStore(root, read_only=True)
    assert reader.read(record.case_id).record.case_id == record.case_id
    assert recoverable(root) == ()


def test_no_folder_can_be_made(open_tmp, closed_folder):
    closed_folder(open_tmp)
    assert "written" in refused(open_tmp / "store").problem


def test_a_full_disk(small_disk, make_approval, make_draft):
    store = CaseStore(small_disk)
    drafts = DraftFolder(small_disk)
    drafts.save(make_draft(7))
    stored: list[str] = []

    def fill():
        for number in range(40):
            stored.append(store.approve(make_approval(number, exam=str(number))).case_id)

    with pytest.raises(BrainstemALSError) as caught:
        fill()
    assert caught.value.code == ExitCode.OUTPUT_REFUSED
    assert 1 <= len(stored) < 40
    with suppress(OSError):
        (small_disk / "filler").write_bytes(bytes(200_000))
    with closing(drafts), pytest.raises(BrainstemALSError) as caught:
        drafts.save(make_draft(8))
    assert caught.value.code == ExitCode.OUTPUT_REFUSED
    again = CaseStore(small_disk, read_only=True)
    assert sorted(again.ids()) == sorted(stored)
    assert again.verify_all() == {}
    assert [item.draft.outcome["value"] for item in recoverable(small_disk)] == [7]


def test_long_and_foreign_names(tmp_path, make_approval, make_draft):
    root = tmp_path / "Łódź Große Ödemklinik 脳幹"
    for _ in range(6):
        root /= "sehr langer Ordnername " * 4
    store = CaseStore(root)
    record = store.approve(make_approval())
    assert store.verify(record.case_id) == ()
    drafts = DraftFolder(root)
    drafts.save(make_draft())
    drafts.close()
    assert len(recoverable(root)) == 1
    assert "written" in refused(tmp_path / ("x" * 300)).problem


# The cases


@pytest.mark.parametrize(
    "name",
    [
        "t1.nii.gz",
        "fa.nii.gz",
        "prediction.nii.gz",
        "correction.nii.gz",
        "changed.nii.gz",
        "labels.tsv",
        "case.json",
        "case.sha256",
    ],
)
@pytest.mark.parametrize("how", ["missing", "altered"])
def test_altered_and_missing_files_are_reported(store, case, name, how):
    path = case / name
    if how == "missing":
        path.unlink()
    else:
        path.write_bytes(b"{}" if name == "case.json" else b"!" + path.read_bytes()[1:])
    problems = store.verify(case.name)
    assert len(problems) == 1
    # An altered seal looks like an altered description.
    altered_seal = (name, how) == ("case.sha256", "altered")
    assert ("case.json" if altered_seal else name) in problems[0]
    assert store.verify_all() == {case.name: problems}
    with pytest.raises(BrainstemALSError) as caught:
        store.read(case.name)
    assert caught.value.code == ExitCode.UNREADABLE_IMAGE
    assert case.name in str(caught.value)


def test_a_changed_word_in_the_description(store, case):
    text = (case / "case.json").read_text()
    (case / "case.json").write_text(text.replace("rater2", "rater1"))
    assert store.verify(case.name) == ("case.json was altered",)


def test_files_added_by_others_do_not_matter(store, case):
    (case / ".DS_Store").write_text("x")
    (store.root / "cases" / "notes.txt").write_text("x")
    (store.root / "cases" / "old").mkdir()
    assert store.verify_all() == {}
    assert [record.case_id for record in store.cases()] == [case.name]


@pytest.mark.parametrize(
    "change",
    [
        lambda c: c.pop("sha256"),
        lambda c: c.pop("box_shape"),
        lambda c: c.update(subject="Ada Lovelace"),
        lambda c: c.update(seconds_spent="x"),
        lambda c: c.update(revision=0),
        lambda c: c.update(supersedes="../x"),
        lambda c: c.update(images=["t1", "../../x"]),
        lambda c: c.update(modalities=["t1", "flair"]),
        lambda c: c.update(modalities=None),
        lambda c: c.update(case="20260331T120000Z-0123456789ab"),
        lambda c: c["t1_grid"].update(affine=[[1.0]]),
        lambda c: c["t1_grid"].update(offset=[29, 0, 0]),
        lambda c: c.update(changed_voxels=3),
        lambda c: c.update(schema=3),
        lambda c: c.update(images=["t1", "v1"]),
    ],
)
def test_a_description_that_cannot_be(store, case, make_approval, change):
    content = json.loads((case / "case.json").read_text())
    change(content)
    (case / "case.json").write_text(json.dumps(content))
    (store.root / "index.sqlite").unlink()
    again = CaseStore(store.root)
    assert again.cases() == ()
    assert again.ids() == [case.name]
    assert len(again.verify(case.name)) == 1
    # The exam can be approved again, and the damaged folder is left as it is.
    again.approve(make_approval())
    assert len(again.cases()) == 1
    assert (case / "case.json").read_text() == json.dumps(content)


def reseal(case: Path) -> None:
    """Give the files of a case, altered ones too, the checksums of a whole one."""
    content = json.loads((case / "case.json").read_text())
    content["sha256"] = {name: sha256_of(case / name) for name in content["sha256"]}
    (case / "case.json").write_text(json.dumps(content))
    (case / "case.sha256").write_text(f"{sha256_of(case / 'case.json')}  case.json\n")


@pytest.mark.parametrize("kind", ["grid", "changed", "label", "table"])
def test_files_that_contradict_each_other(store, case, kind):
    whole = store.read(case.name)
    labels, affine = whole.correction.array.copy(), whole.correction.affine.copy()
    if kind == "grid":
        affine[0, 3] += 2.0
    elif kind == "changed":
        labels[0, 0, 0] = 23
    elif kind == "label":
        labels[whole.changed.array] = 200
    else:
        table = (case / "labels.tsv").read_text().replace("red_nucleus_left", "red_nucleus_right")
        (case / "labels.tsv").write_text(table)
    write_volume(Volume(labels, affine), case / "correction.nii.gz")
    reseal(case)
    assert store.verify(case.name) == ()
    with pytest.raises(BrainstemALSError) as caught:
        store.read(case.name)
    assert caught.value.code == ExitCode.UNREADABLE_IMAGE
