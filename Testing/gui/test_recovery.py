"""A killed application loses at most what came after the last autosave, and offers the rest."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from BrainstemALSLib.imaging.volume import Volume

ROOT = Path(__file__).resolve().parents[2]
WORK = """
import json, os, signal, sys
import numpy as np
from Testing.host import install
host = install()
host.new_scene()
import slicer
from BrainstemALSLib.imaging.volume import Volume
from BrainstemALSLib.scene.results import show_outcome
from BrainstemALSLib.worker.outcome import Outcome
folder = sys.argv[1]
arrays = np.load(folder + "/exam.npz")
record = json.load(open(folder + "/record.json"))
module, widget = host.load_module("BrainstemALS/BrainstemALS.py")
host.enter(widget)
panel = widget.panel
node = slicer.util.addVolumeFromArray(arrays["t1"].transpose(2, 1, 0).copy(), arrays["affine"])
host.choose(panel.ui.t1Selector, node)
outcome = Outcome.from_record(record, arrays["labels"], arrays["entropy"])
with panel.visit.own_writes():
    result = show_outcome(outcome, node)
panel.visit.parameters.segmentation = result.segmentation
panel.visit.show(result, outcome)
panel._new_result()
panel.ui.subjectEdit.text = "P-07"
def stroke(first):
    panel.ui.segmentEditor.setCurrentSegmentID("pyramid_left")
    mask = np.zeros(arrays["t1"].shape, np.uint8)
    mask[tuple(slice(a, a + 3) for a in first)] = 1
    host.paint(panel.ui.segmentEditor, mask)
stroke((4, 4, 4))
panel._approval._timer.setInterval(1)   # the autosave's turn, minutes early
host.wait_until(lambda: "Draft saved" in panel.ui.approvalLabel.text, 20)
panel._approval._timer.setInterval(10**8)
np.save(folder + "/saved.npy", panel.visit.result.labels_now().labels)
stroke((9, 4, 4))                       # after the last autosave: lost
os.kill(os.getpid(), signal.SIGKILL)
"""


@pytest.fixture
def killed(tmp_path, local, t1, outcome) -> Path:
    """Another Slicer that was killed while an expert worked on the exam of the spheres."""
    import json

    np.savez(
        tmp_path / "exam.npz",
        t1=t1.array,
        affine=t1.affine,
        labels=outcome.labels.array,
        entropy=outcome.entropy.array,
    )
    (tmp_path / "record.json").write_text(json.dumps(outcome.record()))
    process = subprocess.run(
        [sys.executable, "-c", WORK, str(tmp_path)],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": f"{ROOT}{os.pathsep}{ROOT / 'BrainstemALS'}"},
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert process.returncode == -signal.SIGKILL, process.stderr
    return tmp_path


def offered(panel, text: str) -> bool:
    """Whether the panel offers to do something."""
    button = panel.ui.messageActionButton
    return button.visible and button.text == text


def test_the_interval_is_a_few_minutes(host):
    from BrainstemALSLib.gui.approval_section import AUTOSAVE_MINUTES

    assert 1 <= AUTOSAVE_MINUTES <= 5


@pytest.mark.skipif(sys.platform == "win32", reason="POSIX signals")
def test_what_was_saved_comes_back(host, killed, opened, add_volume, t1):
    panel = opened.panel
    # Without its T1 nothing can be brought back, and that is said.
    host.wait_until(lambda: panel.messages.text != "", 20)
    assert "was saved but not approved" in panel.messages.text
    assert "P-07" in panel.messages.text
    mine = add_volume(t1)
    host.choose(panel.ui.t1Selector, mine)
    host.wait_until(lambda: offered(panel, "Recover"), 20)
    # Another T1 of the same grid is chosen before the button is pressed: nothing is mixed.
    action = panel.messages._action
    host.choose(panel.ui.t1Selector, add_volume(Volume(t1.array[::-1].copy(), t1.affine)))
    with panel.messages.refusals():
        action()
    assert "not of the T1 that is chosen" in panel.messages.text
    assert panel.visit.result is None
    host.wait_until(lambda: offered(panel, "Discard it"), 20)
    host.choose(panel.ui.t1Selector, mine)
    host.wait_until(lambda: offered(panel, "Recover"), 20)
    panel.ui.messageActionButton.click()
    panel.ui.uncertainButton.click()
    assert "no longer in the scene" in panel.messages.text
    result = panel.visit.result
    np.testing.assert_array_equal(result.labels_now().labels, np.load(killed / "saved.npy"))
    assert panel.visit.parameters.subject_code == "P-07"
    assert set(result.corrected()) >= {"pyramid_left"}
    # It is this session's draft now: killed again, it would be offered once.
    host.wait_until(lambda: panel.visit.measures is not None, 30)
    panel.messages.clear()
    panel.exit()
    panel.enter()
    host.wait_until(lambda: not panel._approval._recovery._background.running, 20)
    assert panel.messages.text == ""


@pytest.mark.skipif(sys.platform == "win32", reason="POSIX signals")
def test_it_is_deleted_only_when_the_user_says_so_twice(host, killed, opened):
    import qt

    panel = opened.panel
    host.wait_until(lambda: offered(panel, "Discard it"), 20)
    host.answer(qt.QMessageBox.Cancel)
    panel.ui.messageActionButton.click()
    panel.enter()
    host.wait_until(lambda: offered(panel, "Discard it"), 20)
    assert "was saved but not approved" in panel.messages.text
    host.answer(qt.QMessageBox.Ok)
    panel.ui.messageActionButton.click()
    panel.enter()
    host.wait_until(lambda: not panel._approval._recovery._background.running, 20)
    assert panel.messages.text == ""


def test_closing_slicer_keeps_what_is_not_approved(host, opened, spheres, stroke, t1, add_volume):
    panel = opened.panel
    stroke("pyramid_left", (4, 4, 4))
    labels = panel.visit.result.labels_now().labels
    opened.cleanup()
    host.new_scene()
    from Testing.gui.conftest import MODULE

    _module, widget = host.load_module(MODULE)
    host.choose(widget.panel.ui.t1Selector, add_volume(t1))
    host.enter(widget)
    host.wait_until(lambda: offered(widget.panel, "Recover"), 20)
    widget.panel.ui.messageActionButton.click()
    np.testing.assert_array_equal(widget.panel.visit.result.labels_now().labels, labels)


def test_an_approved_case_leaves_no_draft(host, opened, spheres, stroke, tmp_path):
    panel = opened.panel
    stroke("pyramid_left", (4, 4, 4))
    panel._approval.autosave()
    panel.ui.storeEdit.currentPath = str(tmp_path / "store")
    panel.ui.subjectEdit.text, panel.ui.annotatorEdit.text = "P-07", "R-01"
    panel.ui.approveButton.click()
    host.wait_until(lambda: "Approved" in panel.messages.text, 30)
    panel.messages.clear()
    panel.exit()
    opened.cleanup()
    from BrainstemALSLib.annotation.drafts import recoverable
    from BrainstemALSLib.gui.settings import local_folder

    assert recoverable(local_folder() / "drafts") == ()


def test_two_slicers_on_one_store_lose_nothing(host, opened, spheres, tmp_path):
    """This one approves while another process has the store open and approves too."""
    from BrainstemALSLib.annotation.store import CaseStore

    panel = opened.panel
    store = tmp_path / "store"
    panel.ui.storeEdit.currentPath = str(store)
    panel.ui.subjectEdit.text, panel.ui.annotatorEdit.text = "P-07", "R-01"
    panel.ui.approveButton.click()
    host.wait_until(lambda: "Approved" in panel.messages.text, 30)
    (first,) = CaseStore(store).cases()
    code = (
        "import sys; from BrainstemALSLib.annotation.store import CaseStore;"
        "from dataclasses import replace; from BrainstemALSLib.annotation.approval import Approval;"
        "s = CaseStore(sys.argv[1]); c = s.read(sys.argv[2]); r = c.record;"
        "[print(s.approve(Approval(c.images, c.prediction, c.correction, r.grid, 'b' * 64, 'P-08',"
        " 'R-02', keys=r.keys)).case_id, flush=True) for _ in range(3)]"
    )
    other = subprocess.Popen(
        [sys.executable, "-c", code, str(store), first.case_id],
        env={**os.environ, "PYTHONPATH": str(ROOT / "BrainstemALS")},
        stdout=subprocess.PIPE,
        text=True,
    )
    from BrainstemALSLib.scene.results import approved_case

    node = panel.visit.result.segmentation
    ours = []
    for _ in range(2):
        node.RemoveAttribute("BrainstemALS.Approved")
        panel._approval.update()
        panel.messages.clear()
        panel.ui.approveButton.click()
        host.wait_until(lambda: "Approved" in panel.messages.text, 60)
        ours.append(approved_case(node))
    theirs = other.communicate(timeout=60)[0].split()
    assert len(theirs) == 3
    cases = {record.case_id: record for record in CaseStore(store).cases()}
    assert set(cases) == {first.case_id, *ours, *theirs}
    assert CaseStore(store).verify_all() == {}
