"""Section Learning: the list leads to its places, the model learns, and one click leads back."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from BrainstemALSLib.annotation import CaseStore, exam_key
from BrainstemALSLib.annotation.next_cases import NextCase, NextCases, NextPlace, write_next_cases
from BrainstemALSLib.imaging.writing import write_volume
from BrainstemALSLib.segmentation.models import LOCATOR, STRUCTURES, find_model
from BrainstemALSLib.segmentation.registry import BUNDLED, Lineage, ModelRegistry, models_folder
from BrainstemALSLib.worker import learning
from Testing.training.active.corrected_exams import approval

WAIT_S = 180
PLACES = (
    NextPlace((3.0, 4.0, -5.0), 16.0, ("pyramid_left",), "The pyramid is doubtful here."),
    NextPlace((-6.0, 1.0, 9.0), 16.0, ("red_nucleus_left",), "The red nucleus is doubtful here."),
)


@pytest.fixture(autouse=True)
def mine(tmp_path, monkeypatch) -> Path:
    """The user's own models, and the work folder of training; both empty."""
    monkeypatch.setenv("BRAINSTEM_ALS_MODELS", str(tmp_path / "models"))
    monkeypatch.setenv("BRAINSTEM_ALS_DATA", str(tmp_path / "data"))
    return tmp_path / "models"


@pytest.fixture
def section(host, panel):
    """The section, open."""
    panel.ui.learningSectionButton.collapsed = False
    settled(host, panel)
    return panel.learning


def settled(host, panel):
    host.wait_until(lambda: not panel.learning.busy, WAIT_S)


def listed(folder: Path, t1, model=None) -> Path:
    """A list of two exams, the second of which is gone; of the models in use if no other."""
    if model is None:
        model = {role: find_model(role).identity for role in (LOCATOR, STRUCTURES)}
    path = folder / "head.nii.gz"
    write_volume(t1, path)
    cases = (
        NextCase(1, str(path), None, exam_key(t1), 0.9, "Its entropy is the highest.", PLACES),
        NextCase(2, str(folder / "gone.nii.gz"), None, "0" * 64, 0.5, "The next.", ()),
    )
    content = NextCases("clasp", 1, "2026-03-31T12:00:00Z", model, cases)
    write_next_cases(folder / "next_cases.json", content)
    return folder / "next_cases.json"


def heights():
    """Where the three slice views look, RAS mm."""
    import slicer

    views = {name: slicer.mrmlScene.GetNodeByID(f"vtkMRMLSliceNode{name}") for name in
             ("Yellow", "Green", "Red")}  # fmt: skip
    return [round(v.GetSliceToRAS().GetElement(row, 3), 1) for row, v in enumerate(views.values())]


def test_the_list_leads_to_exams_and_places(host, panel, section, t1, tmp_path):
    ui, tree = panel.ui, panel.ui.nextCasesTree
    ui.nextCasesEdit.currentPath = str(listed(tmp_path, t1))
    first = tree.topLevelItem(0)
    assert tree.topLevelItemCount == 2
    assert first.text(0) == "1. head.nii.gz"
    assert first.text(1) == "Its entropy is the highest."
    assert [first.child(n).text(1) for n in range(first.childCount())] == [
        place.reason for place in PLACES
    ]
    assert "ranked by clasp" in ui.nextCasesLabel.text
    assert "Another model" not in ui.nextCasesLabel.text

    # A place of an exam that is not loaded leads nowhere.
    tree.itemClicked.emit(first.child(1), 1)
    assert "Load the exam first" in panel.messages.text
    assert panel.visit.parameters.t1 is None

    tree.itemDoubleClicked.emit(first, 0)
    node = panel.visit.parameters.t1
    assert node is not None
    assert ui.t1Selector.currentNode() is node
    assert heights() == list(PLACES[0].centre_ras)
    assert PLACES[0].reason in panel.messages.text

    tree.itemClicked.emit(first.child(1), 1)
    assert heights() == list(PLACES[1].centre_ras)

    # Again, with the button: the exam is there already.
    tree.setCurrentItem(first)
    ui.loadCaseButton.click()
    assert panel.visit.parameters.t1 is node

    tree.setCurrentItem(tree.topLevelItem(1))
    ui.loadCaseButton.click()
    assert "no longer where the list was made" in panel.messages.text
    assert panel.visit.parameters.t1 is node


def test_what_was_approved_leaves_the_list(host, panel, section, t1, tmp_path):
    panel.ui.nextCasesEdit.currentPath = str(listed(tmp_path, t1))
    store = CaseStore(tmp_path / "store")
    store.approve(approval(0, exam_key=exam_key(t1)))
    panel.ui.storeEdit.currentPath = str(store.root)
    settled(host, panel)
    assert panel.ui.nextCasesTree.topLevelItemCount == 1
    assert panel.ui.nextCasesTree.topLevelItem(0).text(0) == "2. gone.nii.gz"
    assert panel.ui.improveButton.text == "Improve the model with 1 approved case"


def test_a_list_of_another_model_says_so(host, panel, section, t1, tmp_path):
    path = listed(tmp_path, t1, {STRUCTURES: {"sha256": "0" * 64}})
    panel.ui.nextCasesEdit.currentPath = str(path)
    assert "Another model made this list" in panel.ui.nextCasesLabel.text


@pytest.mark.parametrize("content", ["", "[]", '{"format": 99}'])
def test_a_list_that_is_none_is_a_sentence(panel, section, tmp_path, content):
    (tmp_path / "next_cases.json").write_text(content)
    panel.ui.nextCasesEdit.currentPath = str(tmp_path / "next_cases.json")
    assert panel.ui.nextCasesTree.topLevelItemCount == 0
    assert "list" in panel.ui.nextCasesLabel.text
    assert panel.ui.loadCaseButton.enabled is False


def test_without_the_training_code_the_panel_says_what_to_do(host, panel, section, monkeypatch):
    assert learning.lacking() == ""
    monkeypatch.setattr(learning, "_SCRIPT", Path("nowhere", "finetune_worker.py"))
    panel.learning.look()
    settled(host, panel)
    assert panel.ui.improveButton.enabled is False
    assert "python -m training.active.finetune" in panel.ui.improveLabel.text


def candidate(folder: Path, outcome: str) -> Path:
    """A run whose candidate is the bundled model, judged as named."""
    import shutil

    run = folder / "run"
    (run / "candidate").mkdir(parents=True)
    (run / "gate").mkdir()
    for path in models_folder().glob("structures.*"):
        shutil.copyfile(path, run / "candidate" / path.name)
    sha256 = find_model(STRUCTURES, run / "candidate").identity["sha256"]
    lineage = Lineage(BUNDLED, sha256, ("20260331T120000Z-0123456789ab",))
    (run / "candidate" / "lineage.json").write_text(json.dumps(lineage.to_json()))
    about = {"candidate": {"sha256": sha256}, "current_version": BUNDLED}
    (run / "gate" / "gate.json").write_text(json.dumps({"outcome": outcome, "about": about}))
    for kind in ("html", "tsv"):
        (run / "gate" / f"gate.{kind}").write_text("report")
    return run


def answer(run: Path, outcome: str) -> dict:
    """What the worker says of such a run."""
    return {
        "run": str(run), "candidate": str(run / "candidate"), "corrections": 5,
        "replay": "simulated patients", "warnings": [], "outcome": outcome,
        "headline": "The verdict", "reasons": ["Pons <b> got better."],
        "report": str(run / "gate" / "gate.html"),
    }  # fmt: skip


def test_a_model_that_passed_is_used_and_one_click_goes_back(host, panel, section, tmp_path):
    import qt

    ui, run = panel.ui, candidate(tmp_path, "promote")
    assert "learned from simulation" in ui.modelInUseLabel.text
    assert ui.previousModelButton.enabled is False
    section._improved(answer(run, "promote"))
    assert "The verdict" in ui.verdictLabel.text
    assert "Pons &lt;b&gt; got better." in ui.verdictLabel.text
    assert (run / "gate" / "gate.html").as_uri() in ui.verdictLabel.text
    ui.useCandidateButton.click()
    settled(host, panel)
    version = ModelRegistry().in_use().version
    assert version != BUNDLED
    assert version in ui.modelInUseLabel.text
    assert "The new model is in use" in panel.messages.text
    assert ui.useCandidateButton.enabled is False

    host.answer(qt.QMessageBox.Cancel)
    ui.previousModelButton.click()
    assert ModelRegistry().in_use().version == version
    host.answer(qt.QMessageBox.Ok)
    ui.previousModelButton.click()
    settled(host, panel)
    assert ModelRegistry().in_use().version == BUNDLED
    assert version not in ui.modelInUseLabel.text


def test_a_model_that_did_not_pass_cannot_be_used(host, panel, section, tmp_path):
    run = candidate(tmp_path, "reject")
    section._improved(answer(run, "reject"))
    assert panel.ui.useCandidateButton.enabled is False
    # Not even where the panel was told otherwise, or the model was changed after it was judged.
    section._improved(answer(run, "promote"))
    panel.ui.useCandidateButton.click()
    settled(host, panel)
    assert "not the one that was judged" in panel.messages.text
    assert ModelRegistry().in_use().version == BUNDLED


@pytest.fixture
def store(host, panel, section, tmp_path) -> CaseStore:
    """One approved case, chosen in the panel; a short run without replay or judgement."""
    from training.active.frozen_set import is_set_aside

    subject = next(f"ALS-{n}" for n in range(99) if not is_set_aside(f"ALS-{n}"))
    store = CaseStore(tmp_path / "store")
    store.approve(approval(0, subject))
    panel.ui.storeEdit.currentPath = str(store.root)
    settled(host, panel)
    section.params = {"steps": 2, "replay": 0.0, "device": "cpu", "judge": False}
    return store


def test_improve_learns_and_leaves_the_model_in_use(host, panel, section, store, local):
    fractions = []
    panel.ui.improveBar.valueChanged.connect(fractions.append)
    with host.heartbeat() as beat:
        panel.ui.improveButton.click()
        assert panel.ui.improveButton.enabled is False
        host.wait_until(lambda: not section.running, WAIT_S)
    assert panel.messages.text == ""
    assert fractions == sorted(fractions)
    assert beat.longest < 0.5
    assert "Learned from 1 cases" in panel.ui.improveLabel.text
    assert "Not judged, so it cannot be used" in panel.ui.verdictLabel.text
    assert panel.ui.verdictLabel.visible
    assert panel.ui.useCandidateButton.enabled is False
    assert ModelRegistry().in_use().version == BUNDLED
    (found,) = local.rglob("candidate/lineage.json")
    (record,) = store.cases()
    assert json.loads(found.read_text())["corrections"] == [record.case_id]


def test_stop_keeps_what_was_learned(host, panel, section, store, local):
    section.params["steps"] = 1000
    panel.ui.improveButton.click()
    host.wait_until(lambda: "step 1 of" in panel.ui.improveLabel.text, WAIT_S)
    panel.ui.stopImprovingButton.click()
    host.wait_until(lambda: not section.running, 60)
    assert "goes on from here" in panel.ui.improveLabel.text
    assert panel.ui.improveButton.enabled is True
    (latest,) = local.rglob("latest.json")
    assert json.loads(latest.read_text())["step"] >= 1
    assert not list(local.rglob("candidate"))


def test_a_store_that_is_none_is_a_sentence(host, panel, section, tmp_path):
    np.save(tmp_path / "letter.npy", np.zeros(1))
    panel.ui.storeEdit.currentPath = str(tmp_path)
    settled(host, panel)
    assert panel.ui.improveButton.enabled is False
    assert "no annotation store" in panel.ui.improveLabel.text
