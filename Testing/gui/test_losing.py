"""Whatever is lost while the worker is at it: a message, and a state that holds."""

from __future__ import annotations

import os
import signal
import sys

import pytest

from BrainstemALSLib.worker.session import State

WAIT_S = 120


@pytest.fixture
def running(host, panel, exam):
    """A run that the worker has begun."""
    panel.ui.segmentButton.click()
    host.wait_until(lambda: panel.jobs.process.session.state is State.BUSY, WAIT_S)
    host.wait_until(lambda: panel.ui.progressBar.value >= 6, WAIT_S)
    return panel


def settled(host, panel):
    host.wait_until(lambda: not panel.run.running, 10)
    assert panel.ui.cancelButton.enabled is False
    assert panel.ui.progressBar.visible is False


def test_the_scene_is_closed(host, running):
    host.close_scene()
    settled(host, running)
    assert "scene was closed" in running.messages.text
    assert running.visit.result is None
    assert running.visit.parameters.t1 is None
    assert running.ui.segmentButton.enabled is False


def test_the_t1_is_removed(host, running, exam):
    import slicer

    slicer.mrmlScene.RemoveNode(exam["t1"])
    settled(host, running)
    assert "T1 was removed" in running.messages.text
    assert slicer.mrmlScene.GetNumberOfNodesByClass("vtkMRMLSegmentationNode") == 0


@pytest.mark.usefixtures("unhurried")
def test_the_fa_is_removed_and_the_run_goes_on_with_what_was_handed_over(host, running, exam):
    import slicer

    slicer.mrmlScene.RemoveNode(exam["fa"])
    assert running.run.running
    host.wait_until(lambda: not running.run.running, WAIT_S)
    assert running.messages.text == ""
    assert running.visit.outcome.modalities == ("t1", "fa", "md")


@pytest.mark.skipif(sys.platform == "win32", reason="POSIX signals")
@pytest.mark.usefixtures("unhurried")
def test_the_worker_is_killed_and_the_next_run_has_another(host, running):
    os.kill(running.jobs.process.session.pid, signal.SIGKILL)
    settled(host, running)
    assert "stopped unexpectedly" in running.messages.text
    assert running.visit.result is None
    running.ui.segmentButton.click()
    host.wait_until(lambda: not running.run.running, WAIT_S)
    assert running.messages.text == ""
    assert running.visit.result is not None


def test_the_module_is_reloaded_and_nothing_is_left_running(host, running, opened):
    pid = running.jobs.process.session.pid
    folder = running.jobs._folder.path
    opened.cleanup()
    host.wait_until(lambda: not _lives(pid), 5)
    assert not folder.exists()


def _lives(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    with open(f"/proc/{pid}/status", encoding="ascii") as status:
        return "State:\tZ" not in status.read()
