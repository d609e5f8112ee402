"""A process that is killed at any moment loses nothing that it said was stored."""

from __future__ import annotations

import json
import os
import signal
import sqlite3
import subprocess
import sys
from contextlib import closing

import pytest

from BrainstemALSLib.annotation import CaseStore, recoverable

forks = pytest.mark.skipif(not hasattr(os, "fork"), reason="kills forked processes")


def run(script, *arguments) -> list[dict]:
    done = subprocess.run(
        [sys.executable, "-W", "error", str(script), *map(str, arguments)],
        capture_output=True,
        text=True,
        timeout=100,
    )
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    return [json.loads(line) for line in done.stdout.splitlines()]


@forks
def test_a_hundred_kills_lose_nothing_approved(script, root):
    rounds = run(script, "kill-approvals", root, 100)
    assert len(rounds) == 100
    reported = [case_id for one in rounds for case_id in one["reported"]]
    # The moments are spread: some kills met an approval half done, some approvals were reported.
    assert sum(one["interrupted"] for one in rounds) >= 10
    assert len(reported) >= 20

    store = CaseStore(root)
    cases = store.cases()
    assert set(reported) <= {record.case_id for record in cases}
    assert store.verify_all() == {}
    for case_id in reported:
        assert store.read(case_id).changed.array.sum() == 3
    assert sorted(os.listdir(root / "cases")) == sorted(record.case_id for record in cases)
    with closing(sqlite3.connect(root / "index.sqlite")) as index:
        indexed = index.execute("SELECT case_id FROM cases").fetchall()
    assert {row[0] for row in indexed} == {record.case_id for record in cases}
    # One line of revisions for each exam: every approval saw the one before.
    for exam in {record.exam_key for record in cases}:
        line = sorted((r for r in cases if r.exam_key == exam), key=lambda r: r.revision)
        assert [record.revision for record in line] == list(range(1, len(line) + 1))
        assert [r.supersedes for r in line] == [None, *(r.case_id for r in line[:-1])]


@forks
def test_kills_while_drafts_are_saved_keep_the_last_whole_one(script, root):
    rounds = run(script, "kill-drafts", root, 40)
    assert len(rounds) == 40
    for one in rounds:
        ((value, labels),) = one["found"]
        assert labels == [value]  # not a mixture of two saves
        last = max(one["reported"])
        assert last <= value <= last + 1  # at most one more was saved than could be reported
    assert max(max(one["reported"]) for one in rounds) > 3
    assert sum(one["interrupted"] for one in rounds) >= 1


def test_two_processes_on_one_store(script, root):
    command = [sys.executable, str(script), "approve", str(root), "9"]
    both = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(2)]
    outputs = [process.communicate(timeout=60)[0] for process in both]
    assert [process.returncode for process in both] == [0, 0]
    reported = [json.loads(line)["case"] for text in outputs for line in text.splitlines()]
    assert len(set(reported)) == 18
    store = CaseStore(root)
    assert {record.case_id for record in store.cases()} == set(reported)
    assert store.verify_all() == {}
    for exam in {record.exam_key for record in store.cases()}:
        revisions = [r.revision for r in store.cases() if r.exam_key == exam]
        assert sorted(revisions) == list(range(1, 7))


def test_a_draft_belongs_to_its_session_until_it_dies(script, store, root):
    process = subprocess.Popen(
        [sys.executable, str(script), "hold-draft", str(root)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    with process:
        assert json.loads(process.stdout.readline()) == {"saved": True}
        assert recoverable(root) == ()
        process.send_signal(signal.SIGTERM if os.name == "nt" else signal.SIGKILL)
        process.wait(timeout=20)
    (found,) = recoverable(root)
    assert found.draft.subject == "ALS-017"


@pytest.mark.skipif(os.name == "nt", reason="Windows has no file size limit")
@pytest.mark.parametrize("n_bytes", [0, 100, 400, 2000, 6000])
def test_a_file_that_cannot_grow(script, root, make_approval, n_bytes):
    kept = CaseStore(root).approve(make_approval())
    approved, saved = run(script, "limited", root, n_bytes)
    assert approved["code"] == 20
    assert "written" in approved["text"]
    assert saved["code"] == 20
    assert recoverable(root) == ()
    store = CaseStore(root)
    assert [record.case_id for record in store.cases()] == [kept.case_id]
    assert os.listdir(root / "cases") == [kept.case_id]
    assert store.verify_all() == {}
