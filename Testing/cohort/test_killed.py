"""The command line, killed at random moments and started again: nothing lost, nothing twice."""

import os
import random
import signal
import subprocess
import sys
import time

import pytest

from BrainstemALSLib.cohort.run_record import all_records
from BrainstemALSLib.cohort.tables import read_cohort
from BrainstemALSLib.errors import ExitCode
from Testing.cohort import light

VISITS = 4
pytestmark = pytest.mark.skipif(os.name == "nt", reason="needs SIGKILL")


def start(root, out, environment, *more, processes=1, **variables):
    command = [sys.executable, "-m", "Testing.cohort.light", "cohort", root, out, "participant"]
    command += ["--device", "cpu", "--n-procs", str(processes), "--threads", "1", *more]
    return subprocess.Popen(
        [str(word) for word in command],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=environment | {name: str(value) for name, value in variables.items()},
        # What a shell starts in the background is deaf to Ctrl-C, and so is what that starts.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )


def children(pid):
    try:
        with open(f"/proc/{pid}/task/{pid}/children") as handle:
            return [int(child) for child in handle.read().split()]
    except OSError:
        return []


def gone(pid):
    try:
        with open(f"/proc/{pid}/stat") as handle:
            return handle.read().rsplit(")", 1)[1].split()[0] == "Z"
    except OSError:
        return True


def wait_for(condition, seconds):
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it did not happen"
        time.sleep(0.05)


def finished(process):
    out, err = process.communicate(timeout=120)
    assert "Traceback" not in err
    return process.returncode, out, err


def test_killed_at_random_and_started_again_nothing_is_lost_or_twice(tmp_path, environment):
    root, out = light.dataset(tmp_path / "bids", VISITS), tmp_path / "out"
    random.seed(7)
    done_before = set()
    for kill in range(3):
        process = start(root, out, environment, LIGHT_SECONDS=0.3)
        if kill:  # the first one may die before anything happened
            process.stdout.readline()
        time.sleep(random.uniform(0.0, 2.0) if kill else random.uniform(1.0, 3.0))
        workers = children(process.pid)
        process.kill()
        process.communicate(timeout=30)
        wait_for(lambda workers=workers: all(map(gone, workers)), 20)
        done = {record.stem for record in all_records(out)}
        assert done_before <= done, "something that was done is lost"
        done_before = done
    code, said, _ = finished(start(root, out, environment))
    assert code == ExitCode.OK
    assert f"{VISITS - len(done_before)} visits processed, {len(done_before)} unchanged" in said
    assert len(all_records(out)) == VISITS
    assert list(out.rglob(".partial-*")) == []
    measures = read_cohort(out).measures
    keys = ["participant_id", "session_id", "structure", "measure"]
    assert not measures.duplicated(keys).any()
    assert measures.groupby("participant_id").size().to_list() == [len(measures) // VISITS] * VISITS


@pytest.mark.skipif(not os.path.isdir("/proc/self/task"), reason="needs /proc")
def test_no_worker_outlives_its_parent_whatever_it_is_at(tmp_path, environment):
    root, out = light.dataset(tmp_path / "bids", 1), tmp_path / "out"
    process = start(root, out, environment, LIGHT_SECONDS=300)
    wait_for(lambda: list(out.rglob("anat/.partial-*")), 60)
    workers = children(process.pid)
    assert workers
    process.kill()
    process.communicate(timeout=30)
    wait_for(lambda: all(map(gone, workers)), 20)


def test_interrupted_from_the_keyboard_nothing_half_written_stays(tmp_path, environment):
    root, out = light.dataset(tmp_path / "bids", 2), tmp_path / "out"
    process = start(root, out, environment, processes=2, LIGHT_SECONDS=30)
    wait_for(lambda: list(out.rglob("anat/.partial-*")), 60)
    process.send_signal(signal.SIGINT)
    code, _, err = finished(process)
    assert code == ExitCode.INTERRUPTED
    assert "interrupted" in err
    assert list(out.rglob(".partial-*")) == []


def test_a_worker_that_dies_costs_its_visit_alone(tmp_path, environment):
    root, out = light.dataset(tmp_path / "bids", 2), tmp_path / "out"
    light.write_t1(root / "sub-01" / "ses-01", "sub-01_ses-01", 1, light.BRIGHT - 100)
    code, said, _ = finished(start(root, out, environment, LIGHT_DIES=1))
    assert code == ExitCode.SOME_FAILED
    assert "1 visits processed, 0 unchanged, 1 failed" in said
    assert "died, twice" in said
    assert list(out.rglob(".partial-*")) == []
    assert [record.participant for record in all_records(out)] == ["sub-02"]
