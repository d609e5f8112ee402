"""Session folders: private, gone at the end, and cleared away after a death."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from BrainstemALSLib.errors import BrainstemALSError, ExitCode
from BrainstemALSLib.worker.temporary import SessionFolder

LIVE = """
import sys
from BrainstemALSLib.worker.temporary import SessionFolder
session = SessionFolder(sys.argv[1])
(session.job() / "t1.npy").write_bytes(b"voxels")
print(session.path, flush=True)
sys.stdin.read()
"""


@pytest.fixture
def other_session(tmp_path):
    """Another process with a session folder, and that folder."""
    process = subprocess.Popen(
        [sys.executable, "-c", LIVE, str(tmp_path)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
    )
    yield process, Path(process.stdout.readline().strip())
    process.kill()
    process.communicate()


def test_jobs_have_folders_of_their_own_and_all_go_with_the_session(tmp_path):
    with SessionFolder(tmp_path) as session:
        first, second = session.job(), session.job()
        assert first != second
        assert first.parent == second.parent == session.path
        (first / "t1.npy").write_bytes(b"voxels")
    assert list(tmp_path.iterdir()) == []
    session.close()  # a second time does no harm


@pytest.mark.skipif(os.name == "nt", reason="Windows has access lists instead")
def test_nobody_else_may_read_it(tmp_path):
    with SessionFolder(tmp_path) as session:
        assert session.path.stat().st_mode & 0o077 == 0


def test_a_folder_that_nobody_closes_goes_with_the_process(tmp_path, other_session):
    process, folder = other_session
    assert folder.is_dir()
    process.communicate()
    assert list(tmp_path.iterdir()) == []


def test_the_folder_of_a_living_process_stays_and_that_of_a_killed_one_goes(
    tmp_path, other_session
):
    process, folder = other_session
    with SessionFolder(tmp_path):
        assert [path.name for path in folder.rglob("*.npy")] == ["t1.npy"]
    process.kill()
    process.wait()
    assert folder.is_dir()
    with SessionFolder(tmp_path) as session:
        assert not folder.exists()
        assert session.path.is_dir()
    assert list(tmp_path.iterdir()) == []


def test_other_files_are_left_alone(tmp_path):
    (tmp_path / "BrainstemALS-results").mkdir()
    (tmp_path / "other.lock").write_text("")
    with SessionFolder(tmp_path):
        pass
    assert {path.name for path in tmp_path.iterdir()} == {"BrainstemALS-results", "other.lock"}


def test_no_place_for_it_is_said_so(tmp_path):
    with pytest.raises(BrainstemALSError) as caught:
        SessionFolder(tmp_path / "gone")
    assert caught.value.code is ExitCode.OUTPUT_REFUSED
