"""Staging: all results of a run or none, and the old ones whole until then."""

from __future__ import annotations

import os
import shutil
import tempfile
from pathlib import Path

import pytest

from BrainstemALSLib.errors import BrainstemALSError, ExitCode
from BrainstemALSLib.imaging.staging import staged_output

NAMES = ["labels.nii.gz", "volumes.tsv"]


def content(folder: Path) -> dict[str, str]:
    return {path.name: path.read_text() for path in folder.iterdir()}


def run(folder: Path, texts: dict[str, str], names=NAMES, overwrite=False) -> None:
    with staged_output(folder, names, overwrite) as staging:
        for name, text in texts.items():
            (staging / name).write_text(text)


def refusal(folder: Path, **options) -> BrainstemALSError:
    with pytest.raises(BrainstemALSError) as caught:
        run(folder, {NAMES[0]: "new"}, **options)
    assert caught.value.code == ExitCode.OUTPUT_REFUSED
    assert str(folder.parent) not in str(caught.value)
    return caught.value


def test_results_appear_together_in_a_new_folder(tmp_path):
    out = tmp_path / "a" / "b"
    with staged_output(out, NAMES) as staging:
        (staging / NAMES[0]).write_text("x")
        assert not (out / NAMES[0]).exists()
        (staging / NAMES[1]).write_text("y")
    assert content(out) == {NAMES[0]: "x", NAMES[1]: "y"}


def test_existing_results_are_refused_and_left_alone(tmp_path):
    run(tmp_path, {NAMES[1]: "old"})
    error = refusal(tmp_path)
    assert NAMES[1] in error.problem
    assert "--overwrite" in error.remedy
    assert content(tmp_path) == {NAMES[1]: "old"}


def test_an_unannounced_file_does_not_replace_an_old_one_either(tmp_path):
    (tmp_path / "extra.json").write_text("old")
    with pytest.raises(BrainstemALSError):
        run(tmp_path, {"extra.json": "new"})
    assert content(tmp_path) == {"extra.json": "old"}


def test_other_files_of_the_folder_do_not_matter(tmp_path):
    (tmp_path / "t1.nii.gz").write_text("input")
    run(tmp_path, {NAMES[0]: "x"})
    assert content(tmp_path) == {"t1.nii.gz": "input", NAMES[0]: "x"}


@pytest.mark.parametrize("overwrite", [False, True])
def test_a_shared_file_is_put_once_and_never_replaced(tmp_path, overwrite):
    for number in ("first", "second"):
        with staged_output(tmp_path, [number], overwrite, shared=["shared"]) as staging:
            (staging / number).write_text(number)
            (staging / "shared").write_text(number)
    assert content(tmp_path) == {"first": "first", "second": "second", "shared": "first"}


def test_overwriting_leaves_no_mixture(tmp_path):
    run(tmp_path, {NAMES[0]: "old", NAMES[1]: "old"})
    run(tmp_path, {NAMES[0]: "new"}, overwrite=True)
    assert content(tmp_path) == {NAMES[0]: "new"}


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt, SystemExit])
def test_a_broken_run_leaves_the_old_results(tmp_path, error):
    run(tmp_path, {NAMES[0]: "old", NAMES[1]: "old"})

    def broken_run():
        with staged_output(tmp_path, NAMES, overwrite=True) as staging:
            (staging / NAMES[0]).write_text("half")
            raise error

    with pytest.raises(error):
        broken_run()
    assert content(tmp_path) == {NAMES[0]: "old", NAMES[1]: "old"}


def test_a_broken_run_leaves_no_new_folder(tmp_path):
    with pytest.raises(KeyboardInterrupt), staged_output(tmp_path / "a" / "b", NAMES):
        raise KeyboardInterrupt
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("failing", [1, 2, 3, 4])
def test_a_failure_at_any_move_is_undone(tmp_path, monkeypatch, failing):
    run(tmp_path, {NAMES[0]: "old", NAMES[1]: "old"})
    moves, real_replace = [], os.replace

    def replace(source, target):
        moves.append(target)
        if len(moves) == failing:
            raise OSError(28, "No space left on device")
        real_replace(source, target)

    monkeypatch.setattr(os, "replace", replace)
    with pytest.raises(BrainstemALSError) as caught:
        run(tmp_path, {NAMES[0]: "new", NAMES[1]: "new"}, overwrite=True)
    assert caught.value.code == ExitCode.OUTPUT_REFUSED
    assert content(tmp_path) == {NAMES[0]: "old", NAMES[1]: "old"}


@pytest.mark.parametrize("below", [".", "deeper"])
def test_a_file_where_the_folder_should_be(tmp_path, below):
    (tmp_path / "file").write_text("x")
    error = refusal(tmp_path / "file" / below)
    assert "cannot be written" in error.problem
    assert content(tmp_path) == {"file": "x"}


@pytest.mark.skipif(not hasattr(os, "seteuid"), reason="needs POSIX permissions")
@pytest.mark.parametrize("below", [".", "deeper"])
def test_a_folder_without_permission(below):
    root = Path(tempfile.mkdtemp())  # pytest's own folders are closed to other users
    try:
        root.chmod(0o555)
        was_root = os.geteuid() == 0
        if was_root:  # permissions do not bind root
            os.seteuid(65534)
        try:
            error = refusal(root / below)
        finally:
            if was_root:
                os.seteuid(0)
        assert "cannot be written" in error.problem
        assert list(root.iterdir()) == []
    finally:
        root.chmod(0o755)
        shutil.rmtree(root)
