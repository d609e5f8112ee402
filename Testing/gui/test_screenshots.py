"""Pictures of every state of the panel, for the docs and for the eye; and that it all fits.

``make screenshots`` writes them to docs/screenshots; a test run only looks at them.
"""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest

ROOM = (420, 640)
"""Pixels that Slicer leaves for a module's panel on a screen of 1366x768."""
TALL = (420, 1180)
LARGE_FONT = 1.5
RUN_S = 120


@pytest.fixture
def folder(tmp_path) -> Path:
    """Where the pictures go."""
    return Path(os.environ.get("BRAINSTEM_ALS_SCREENSHOTS", tmp_path))


@pytest.fixture
def show(host, opened, folder):
    """Give a function that opens the named sections and takes a picture of the panel."""

    def take(name: str, *sections: str, size: tuple[int, int] = ROOM, into: Path = folder) -> None:
        for section in ("exam", "segment", "results", "correct", "export", "learning", "stage"):
            button = getattr(opened.panel.ui, f"{section}SectionButton")
            button.collapsed = section not in sections
        host.process_events()
        path = host.panel_screenshot(opened, into / f"{name}.png", size)
        _check_picture(path, size)
        _check_width(opened)

    return take


def test_before_anything_is_loaded(host, opened, show):
    show("opened", "exam", "segment", "stage")


def test_what_to_correct_next(host, opened, t1, show, tmp_path, monkeypatch):
    from Testing.gui.test_learning import listed

    monkeypatch.setenv("BRAINSTEM_ALS_MODELS", str(tmp_path / "models"))
    panel, ui = opened.panel, opened.panel.ui
    ui.learningSectionButton.collapsed = False
    host.wait_until(lambda: not panel.learning.busy, RUN_S)
    ui.nextCasesEdit.currentPath = str(listed(tmp_path, t1))
    ui.nextCasesTree.itemDoubleClicked.emit(ui.nextCasesTree.topLevelItem(0), 0)
    ui.nextCasesEdit.blockSignals(True)  # another place for the picture, and the same list
    ui.nextCasesEdit.currentPath = "D:/study/next_cases.json"
    ui.nextCasesEdit.blockSignals(False)
    show("learning", "learning", size=(420, 760))


def test_a_prediction(host, opened, spheres, show):
    from Testing.gui.predicting import ask, fill

    ask(host, fill(opened.panel))
    opened.panel.ui.clinicalButton.collapsed = True
    show("prediction", "stage", size=(420, 900))


def test_packages_missing(host, opened, show):
    from BrainstemALSLib.installation.requirements import Missing

    panel = opened.panel
    panel._install._missing = (Missing("torch", "torch<3,>=2.4", None),)
    panel.visit_changed()
    show("missing", "exam", "segment")


@pytest.mark.usefixtures("remembered")
def test_a_visit(host, opened, exam, stroke, show, tmp_path):
    panel, ui = opened.panel, opened.panel.ui
    for role, node in exam.items():
        node.SetName(f"Simulated patient {role.upper()}")
    ui.subjectEdit.text, ui.visitDateEdit.text, ui.ageSpin.value = "ALS-017", "2026-03-31", 61
    ui.sexCombo.currentIndex = 1
    ui.sexCombo.activated.emit(1)
    ratings = (3, 4, 3, 2, 2, 3, 3, 2, 1, 4, 4, 4)
    for number, rating in enumerate(ratings, start=1):
        getattr(ui, f"alsfrs{number}Spin").value = rating
    ui.alsfrsButton.collapsed = False
    show("exam", "exam")
    ui.segmentButton.click()
    host.wait_until(lambda: ui.progressBar.value >= 20, RUN_S)
    show("running", "segment")
    host.wait_until(lambda: not panel.run.running, RUN_S)
    show("results", "results", size=TALL)
    ui.uncertainButton.click()
    stroke("pyramid_left", (98, 100, 20), 4)
    host.wait_until(lambda: panel.visit.measures is not None, 30)
    ui.annotatorEdit.text = "R-01"
    ui.storeEdit.currentPath = str(tmp_path / "cases")
    ui.approveButton.click()
    host.wait_until(lambda: "Approved" in panel.messages.text, 30)
    ui.storeEdit.currentPath = "D:/study/cases"
    show("approved", "correct", size=(420, 760))
    panel.messages.clear()
    stroke("pyramid_left", (98, 104, 20), 4)
    show("edited", "correct", size=(420, 760))
    host.wait_until(lambda: panel.visit.measures is not None, 30)
    ui.exportFolderEdit.currentPath = ""
    ui.exportButton.click()
    show("refused", "export", "stage")
    panel.messages.clear()
    with host.font_scale(LARGE_FONT):
        # Only looked at: no picture of the docs.
        show("large-font", "segment", "results", size=TALL, into=tmp_path)


def test_what_a_killed_slicer_left(host, opened, outcome, t1, show):
    from BrainstemALSLib.annotation import BoxGrid, Draft, DraftFolder, exam_key
    from BrainstemALSLib.gui.settings import local_folder

    labels = outcome.labels.array
    grid = BoxGrid(t1.shape, t1.affine, outcome.offset)
    drafts = DraftFolder(local_folder() / "drafts")
    drafts.save(Draft(labels, labels, grid, exam_key(t1), "ALS-017", outcome=outcome.record()))
    drafts.close()
    opened.panel.enter()
    host.wait_until(lambda: opened.panel.ui.messageActionButton.visible, 20)
    show("recovery", "exam")


def test_the_dialog_of_the_installation(host, local, folder):
    from BrainstemALSLib.gui.install_dialog import InstallDialog

    dialog = InstallDialog()
    try:
        path = host.screenshot(dialog.widget, folder / "install.png", (520, 420))
        _check_picture(path, (520, 420))
    finally:
        dialog.close()
        dialog.widget.hide()


def _check_width(opened) -> None:
    """Nothing is wider than the room there is: no scrolling sideways."""
    assert opened.parent.minimumSizeHint.width() <= ROOM[0]


def _check_picture(path: Path, size: tuple[int, int]) -> None:
    from matplotlib.image import imread

    picture = imread(path)
    assert picture.shape[:2] == size[::-1]
    assert np.std(picture[..., :3]) > 0.02  # something is drawn
