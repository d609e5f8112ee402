"""Unapproved work: saved, replaced, recovered, discarded."""

from __future__ import annotations

import os
import time
from dataclasses import replace

import numpy as np
import pytest

from BrainstemALSLib.annotation import DraftFolder, recoverable
from BrainstemALSLib.annotation.box import BoxGrid
from BrainstemALSLib.errors import BrainstemALSError, ExitCode


@pytest.fixture
def session(root):
    """A session's drafts."""
    folder = DraftFolder(root)
    yield folder
    folder.close()


def test_a_draft_comes_back_whole(session, make_draft, root):
    noise = np.random.default_rng(0)
    given = make_draft()
    given = make_draft(
        labels=np.asfortranarray(noise.integers(0, 50, given.labels.shape, dtype=np.uint8)),
        prediction=noise.integers(0, 50, given.labels.shape, dtype=np.uint8),
        outcome={"measures": [1.5, None], "text": "Größe", "nested": {"a": [True]}},
    )
    session.save(given)
    session.close()
    (found,) = recoverable(root)
    draft = found.draft
    np.testing.assert_array_equal(draft.labels, given.labels)
    np.testing.assert_array_equal(draft.prediction, given.prediction)
    np.testing.assert_array_equal(draft.grid.affine, given.grid.affine)
    assert (draft.grid.shape, draft.grid.offset) == (given.grid.shape, given.grid.offset)
    for name in ("exam_key", "subject", "annotator", "visit_date", "seconds_spent", "outcome"):
        assert getattr(draft, name) == getattr(given, name)
    assert draft.saved_utc.endswith("Z")


def test_drafts_need_no_store(tmp_path, make_draft):
    root = tmp_path / "Größe" / "local"
    assert recoverable(root) == ()
    folder = DraftFolder(str(root))
    folder.save(make_draft())
    folder.close()
    assert os.listdir(root) == ["drafts"]
    assert len(recoverable(str(root))) == 1


def test_no_folder_can_be_made(tmp_path):
    (tmp_path / "file").write_text("x")
    with pytest.raises(BrainstemALSError) as caught:
        DraftFolder(tmp_path / "file")
    assert caught.value.code == ExitCode.OUTPUT_REFUSED
    assert str(tmp_path) not in str(caught.value)


def test_the_last_save_of_each_exam_counts(session, make_draft, root):
    for value in range(1, 6):
        session.save(make_draft(value))
    session.save(make_draft(77, exam="other"))
    session.close()
    values = {item.draft.exam_key: item.draft.outcome["value"] for item in recoverable(root)}
    assert sorted(values.values()) == [5, 77]


@pytest.mark.parametrize("how", ["empty", "truncated", "flipped", "text"])
@pytest.mark.parametrize("turn", [0, 1])
def test_of_two_saves_the_whole_one_counts(session, make_draft, root, how, turn):
    session.save(make_draft(1))
    session.save(make_draft(2))
    session.close()
    (damaged,) = (root / "drafts").glob(f"*/*-{turn}.npz")
    content = bytearray(damaged.read_bytes())
    content[3000] ^= 255
    damaged.write_bytes(
        {
            "empty": b"",
            "truncated": damaged.read_bytes()[:5000],
            "flipped": bytes(content),
            "text": b"PK not an archive",
        }[how]
    )
    (found,) = recoverable(root)
    assert found.draft.outcome["value"] == 2 - turn
    assert set(np.unique(found.draft.labels)) == {2 - turn}


def test_drafts_of_which_nothing_is_whole_are_left_alone(session, make_draft, root):
    session.save(make_draft(1))
    session.close()
    (damaged,) = (root / "drafts").glob("*/*.npz")
    damaged.write_bytes(b"")
    assert recoverable(root) == ()
    DraftFolder(root).close()
    assert damaged.exists()


def test_discarding(session, make_draft, root):
    session.save(make_draft(1))
    session.save(make_draft(2, exam="other"))
    session.discard(make_draft().key)
    session.close()
    (found,) = recoverable(root)
    assert found.draft.outcome["value"] == 2
    found.discard()
    assert recoverable(root) == ()
    assert os.listdir(root / "drafts") == []
    found.discard()  # another Slicer may have been quicker


def test_discarding_everything_leaves_nothing(session, make_draft, root):
    session.save(make_draft(1))
    session.save(make_draft(1, exam="other"))
    session.discard()
    session.close()
    assert os.listdir(root / "drafts") == []


def test_a_session_that_goes_on_after_discarding(session, make_draft, root):
    session.save(make_draft(1))
    session.discard()
    session.save(make_draft(3))
    session.close()
    assert [item.draft.outcome["value"] for item in recoverable(root)] == [3]


def test_living_sessions_are_not_recovered_nor_tidied(session, make_draft, root):
    empty = DraftFolder(root)
    session.save(make_draft(4))
    other = DraftFolder(root)
    assert recoverable(root) == ()
    empty.save(make_draft(5))
    for folder in (empty, other):
        folder.close()
    assert [item.draft.outcome["value"] for item in recoverable(root)] == [5]


def test_what_may_be_an_identity_is_not_saved(session, make_draft, root):
    session.save(make_draft(subject="Ada Lovelace", annotator="Dr. Ä", visit_date="31.3.26"))
    session.close()
    (found,) = recoverable(root)
    assert (found.draft.subject, found.draft.annotator, found.draft.visit_date) == ("", "", "")
    for path in (root / "drafts").rglob("*.npz"):
        assert b"Lovelace" not in path.read_bytes()


@pytest.mark.parametrize(
    ("kind", "sentence"),
    [("dtype", "uint8"), ("shape", "one box"), ("grid", "within the T1"), ("key", "SHA-256")],
)
def test_drafts_that_cannot_be(session, make_draft, kind, sentence):
    good = make_draft()
    fields = {
        "dtype": {"labels": good.labels.astype(float)},
        "shape": {"labels": good.labels[1:]},
        "grid": {"grid": BoxGrid((10, 10, 10), np.eye(4), (0, 0, 0))},
        "key": {"exam_key": "../x"},
    }[kind]
    with pytest.raises(ValueError, match=sentence):
        session.save(make_draft(**fields))


def test_a_folder_that_vanished(session, make_draft, root):
    session.save(make_draft(1))
    os.rename(root, root.with_name("moved"))
    with pytest.raises(BrainstemALSError) as caught:
        session.save(make_draft(2))
    assert caught.value.code == ExitCode.OUTPUT_REFUSED
    assert recoverable(root) == ()
    os.rename(root.with_name("moved"), root)
    session.save(make_draft(3))


@pytest.mark.alone
def test_saving_does_not_hold_up_the_window(session, make_draft):
    shape = (72, 90, 110)
    labels = np.random.default_rng(0).integers(0, 62, shape, dtype=np.uint8)
    grid = BoxGrid((180, 220, 200), np.eye(4), (50, 60, 40))
    draft = make_draft(labels=labels, prediction=labels, grid=grid)
    seconds = []
    for _ in range(9):
        start = time.perf_counter()
        session.save(draft)
        seconds.append(time.perf_counter() - start)
    assert np.median(seconds) < 0.05


def test_two_segmentations_of_one_exam_have_a_draft_each(root, make_draft):
    session = DraftFolder(root)
    for work in ("0000000a", "0000000b"):
        session.save(replace(make_draft(), work=work))
        session.save(replace(make_draft(), work=work))
    session.close()
    assert {found.draft.work for found in recoverable(root)} == {"0000000a", "0000000b"}
