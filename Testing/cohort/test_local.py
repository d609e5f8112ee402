"""Processes of this computer, with jobs that compute nothing."""

import time
from dataclasses import dataclass

from BrainstemALSLib.cohort.discovery import Visit
from BrainstemALSLib.cohort.job import DONE, FAILED, Job
from BrainstemALSLib.cohort.local import LocalPool
from BrainstemALSLib.cohort.settings import Settings

SECONDS = 3.0


@dataclass(frozen=True)
class Sleeps(Job):
    """A job that hangs where it is told to."""

    seconds: float = 0.0

    def is_done(self):
        return False

    def process(self, started):
        folder = self.out / self.visit.place / ".partial-x"
        folder.mkdir(parents=True)
        time.sleep(self.seconds)
        folder.rmdir()


def test_a_visit_that_hangs_is_ended_and_the_others_go_on(tmp_path):
    def job(name, seconds):
        visit = Visit(name, "ses-01", tmp_path / name / "ses-01")
        return Sleeps(tmp_path, tmp_path / "out", visit, Settings(), seconds=seconds)

    started = time.monotonic()
    pool = LocalPool(1, 1, limit_minutes=SECONDS / 60)
    ended = list(pool.run([job("sub-01", 600.0), job("sub-02", 0.0)]))
    assert [(o.key, o.status) for o in ended] == [
        ("sub-01_ses-01", FAILED),
        ("sub-02_ses-01", DONE),
    ]
    assert "took longer than" in ended[0].problem
    assert "--limit-minutes" in ended[0].remedy
    assert time.monotonic() - started >= SECONDS
    assert list(tmp_path.rglob(".partial-*")) == []
    assert (tmp_path / "out" / "logs" / "sub-01_ses-01.json").is_file()
