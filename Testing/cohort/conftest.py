"""Small cohorts that are processed in this process, without a network."""

import os
from pathlib import Path

import pytest

from BrainstemALSLib.cohort.discovery import find_visits
from BrainstemALSLib.cohort.job import run_job
from BrainstemALSLib.cohort.participant_level import run_participants
from BrainstemALSLib.cohort.settings import Settings, model_checksums
from Testing.cohort import light

ROOT = Path(__file__).resolve().parents[2]


class Serial:
    """Runs jobs one after the other, here."""

    def __init__(self, jobs=0):
        self.done = []

    def run(self, jobs):
        for job in jobs:
            self.done.append(job.visit.key)
            yield run_job(job)


@pytest.fixture
def settings():
    return Settings(device="cpu", models=model_checksums(None), segmenter=light.HERE)


@pytest.fixture
def run(settings):
    """Return a function that runs the participant level and returns its summary and its jobs."""

    def inner(root, out, changed=settings, redo=False, runner=None, **search):
        remarks = []
        visits = find_visits(root, remarks, leave_out=out, **search)
        runner = runner or Serial()
        every = find_visits(root, [], leave_out=out)
        summary = run_participants(
            root, out, visits, every, changed, lambda jobs: runner, remarks=remarks, redo=redo
        )
        return summary, getattr(runner, "done", None)

    return inner


@pytest.fixture
def environment():
    """Of a process that sees the library and the tests."""
    paths = os.pathsep.join([str(ROOT / "BrainstemALS"), str(ROOT)])
    return {**os.environ, "PYTHONPATH": paths, "OMP_NUM_THREADS": "1", "COLUMNS": "200"}
