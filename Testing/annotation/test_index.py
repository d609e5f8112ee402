"""The index is a cache: whatever happens to it, the folders say what there is."""

from __future__ import annotations

import os
import shutil
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from BrainstemALSLib.annotation import CaseStore


def indexed(root: Path) -> set[str]:
    with closing(sqlite3.connect(root / "index.sqlite")) as index:
        return {row[0] for row in index.execute("SELECT case_id FROM cases")}


@pytest.mark.parametrize("content", [None, b"", b"garbage" * 999, "truncated", "table", "rows"])
def test_a_lost_or_damaged_index_is_rebuilt(store, make_approval, content):
    wanted = {store.approve(make_approval(n, exam=str(n))).case_id for n in range(4)}
    path = store.root / "index.sqlite"
    assert indexed(store.root) == wanted
    if content is None:
        path.unlink()
    elif content == "truncated":
        path.write_bytes(path.read_bytes()[:5000])
    elif isinstance(content, str):
        command = "DROP TABLE cases" if content == "table" else "UPDATE cases SET record = '{'"
        with closing(sqlite3.connect(path)) as index, index:
            index.execute(command)
    else:
        path.write_bytes(content)
    assert {record.case_id for record in CaseStore(store.root, read_only=True).cases()} == wanted
    assert {record.case_id for record in store.cases()} == wanted
    assert indexed(store.root) == wanted


def test_an_index_out_of_step_follows_the_folders(store, make_approval, root):
    ids = [store.approve(make_approval(n, exam=str(n))).case_id for n in range(3)]
    shutil.rmtree(root / "cases" / ids[0])
    with closing(sqlite3.connect(root / "index.sqlite")) as index, index:
        index.execute("DELETE FROM cases WHERE case_id = ?", (ids[1],))
    assert {record.case_id for record in store.cases()} == set(ids[1:])
    assert indexed(root) == set(ids[1:])


def test_an_approval_survives_an_index_that_fails(store, make_approval, root):
    (root / "index.sqlite").unlink()
    (root / "index.sqlite").mkdir()
    record = store.approve(make_approval())
    assert [case.case_id for case in store.cases()] == [record.case_id]
    assert CaseStore(root).verify_all() == {}


def test_an_index_of_another_format_is_rebuilt(store, make_approval, root):
    record = store.approve(make_approval())
    with closing(sqlite3.connect(root / "index.sqlite")) as index, index:
        index.execute("PRAGMA user_version = 99")
    assert [case.case_id for case in store.cases()] == [record.case_id]
    with closing(sqlite3.connect(root / "index.sqlite")) as index:
        assert index.execute("PRAGMA user_version").fetchone() == (2,)


def test_what_an_approval_that_died_left_is_swept(store, root, make_approval):
    record = store.approve(make_approval())
    partial = root / "cases" / ".partial-20260331T120000Z-0123456789ab"
    partial.mkdir()
    (partial / "t1.nii.gz").write_bytes(b"half")
    assert [case.case_id for case in store.cases()] == [record.case_id]
    CaseStore(root)
    assert os.listdir(root / "cases") == [record.case_id]
