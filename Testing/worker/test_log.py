"""The log file: kept small, shared, and never a reason to stop."""

from __future__ import annotations

from pathlib import Path

import pytest

from BrainstemALSLib.errors import BrainstemALSError, ExitCode
from BrainstemALSLib.worker.failures import refusal_of
from BrainstemALSLib.worker.log import BACKUPS, MAX_BYTES, default_log_dir, open_log, where


def close(log):
    for handler in log.handlers:
        handler.close()


def test_old_lines_go_and_the_files_stay_small(tmp_path):
    log = open_log(tmp_path)
    for number in range(4 * MAX_BYTES // 100):
        log.info("%s %d", "x" * 80, number)
    close(log)
    sizes = [path.stat().st_size for path in tmp_path.iterdir()]
    assert len(sizes) == 1 + BACKUPS
    assert max(sizes) <= MAX_BYTES


def test_two_workers_write_into_one_log(tmp_path):
    first, second = open_log(tmp_path), open_log(tmp_path)
    first.info("one")
    second.info("two")
    first.info("three")
    close(first), close(second)
    lines = (tmp_path / "worker.log").read_text().splitlines()
    assert [line.split()[-1] for line in lines] == ["one", "two", "three"]


def test_a_folder_that_takes_no_log_is_no_reason_to_stop(tmp_path):
    (tmp_path / "file").write_text("")
    log = open_log(tmp_path / "file" / "logs")
    log.info("nobody hears it")
    assert log.handlers == []


def test_it_lies_in_the_cache_of_the_user(monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(Path("/cache")))
    monkeypatch.setenv("LOCALAPPDATA", str(Path("/cache")))
    assert default_log_dir().name == "BrainstemALS"


def test_an_exception_is_told_by_type_and_place_alone():
    try:
        int("Musterfrau")
    except ValueError as problem:
        told = where(problem)
    assert told.startswith("ValueError at test_log.py:")
    assert "Musterfrau" not in told
    assert str(Path(__file__).parent) not in told


@pytest.mark.parametrize(
    ("problem", "subject", "code"),
    [
        (MemoryError(), "memory", ExitCode.UNEXPECTED),
        (RuntimeError("DefaultCPUAllocator: can't allocate memory"), "memory", 1),
        (RuntimeError("CUDA out of memory. Tried to allocate"), "memory", 1),
        (RuntimeError("Failed to allocate memory for image."), "memory", 1),
        (RuntimeError("/home/Musterfrau is odd"), "worker", ExitCode.UNEXPECTED),
        (ModuleNotFoundError("No module", name="scipy.ndimage"), "scipy", 32),
        (OSError(28, "No space left on device"), "temporary folder", ExitCode.OUTPUT_REFUSED),
        (BrainstemALSError("T1", "a", "B.", ExitCode.NO_BRAINSTEM), "T1", ExitCode.NO_BRAINSTEM),
    ],
)
def test_every_failure_has_a_sentence(problem, subject, code):
    refusal = refusal_of(problem)
    assert (refusal.subject, refusal.code) == (subject, code)
    assert "Musterfrau" not in str(refusal)
