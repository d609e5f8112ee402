"""The lock: one holder at a time, freed by death."""

from __future__ import annotations

import subprocess
import sys

import pytest

from BrainstemALSLib.file_lock import FileLock, is_held

HOLDER = """
import sys
from BrainstemALSLib.file_lock import FileLock
lock = FileLock(sys.argv[1])
assert lock.acquire()
print("held", flush=True)
sys.stdin.read()
"""


def test_one_holder_at_a_time(tmp_path):
    first, second = FileLock(tmp_path / "lock"), FileLock(tmp_path / "lock")
    assert not is_held(tmp_path / "lock")
    with first:
        assert is_held(tmp_path / "lock")
        assert is_held(tmp_path / "lock")  # asking takes nothing away
        assert not second.acquire()
        with pytest.raises(BlockingIOError):
            second.__enter__()
    assert not is_held(tmp_path / "lock")
    assert second.acquire()
    second.release()
    second.release()


def test_taking_it_twice_is_a_mistake(tmp_path):
    with FileLock(tmp_path / "lock") as lock, pytest.raises(RuntimeError):
        lock.acquire()


def test_death_frees_it(tmp_path):
    path = tmp_path / "Schloß"
    process = subprocess.Popen(
        [sys.executable, "-c", f"import sys; sys.path[:0] = {sys.path!r}\n{HOLDER}", str(path)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    with process:
        assert process.stdout.readline().strip() == b"held"
        assert is_held(path)
        assert not FileLock(path).acquire()
        process.kill()
        process.wait(timeout=20)
    assert not is_held(path)


@pytest.mark.skipif(sys.platform == "win32", reason="Windows deletes no open file")
def test_a_lock_on_a_deleted_file_keeps_others_out_of_nothing(tmp_path):
    first, second = FileLock(tmp_path / "lock"), FileLock(tmp_path / "lock")
    with first:
        (tmp_path / "lock").unlink()
        with second:  # another file by now, and a lock of its own
            assert is_held(tmp_path / "lock")
            first.release()
            assert is_held(tmp_path / "lock")


def test_a_folder_that_is_not_there(tmp_path):
    with pytest.raises(OSError, match="No such file"):
        FileLock(tmp_path / "none" / "lock").acquire()
    assert not is_held(tmp_path / "none" / "lock")
