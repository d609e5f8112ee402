"""Time and memory of a process."""

import sys

import pytest

from training.evaluation.process import measured


def test_memory_and_time_of_the_child_are_seen():
    small = measured([sys.executable, "-c", "import time; time.sleep(0.3)"], 1)
    large = measured([sys.executable, "-c", "x = b'1' * 900_000_000"], 1)
    assert 0.3 <= small.seconds < 20
    assert large.peak_bytes > 900_000_000
    # Linux counts a child from the size of its parent, here the whole test run.
    assert large.peak_bytes < 900_000_000 + max(small.peak_bytes, 200_000_000)


def test_threads_are_limited_by_the_environment():
    check = "import os; assert os.environ['OMP_NUM_THREADS'] == '3'; "
    check += "assert os.environ['ITK_GLOBAL_DEFAULT_NUMBER_OF_THREADS'] == '3'"
    measured([sys.executable, "-c", check], 3)


def test_a_failure_carries_the_last_words():
    with pytest.raises(RuntimeError, match="no such luck"):
        measured([sys.executable, "-c", "raise SystemExit('no such luck')"], 1)
