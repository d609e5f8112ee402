"""Section *Stage and risk*: what the worker predicts, shown with its intervals, and taken back."""

from __future__ import annotations

import json
import os
from dataclasses import replace
from html import escape
from pathlib import Path

import pytest

from BrainstemALSLib.scene.evidence import FOR, NOTHING, evidence_is_shown
from Testing.gui.predicting import PREDICT_S, ask, choose, pictures, shown


def test_it_says_why_there_is_no_prediction_yet(host, panel, spheres):
    ui = panel.ui
    assert "Enter age and sex under Exam" in ui.stageLabel.text
    assert ui.predictButton.enabled is False
    ui.ageSpin.value = 61
    assert "Enter sex" in ui.stageLabel.text
    choose(ui.sexCombo, "M")
    assert ui.predictButton.enabled is True
    ui.earlierTotal1Spin.value = 40  # when?
    assert "how many months ago" in ui.stageLabel.text
    assert ui.predictButton.enabled is False
    ui.earlierMonths1Spin.value = 6.0
    assert ui.predictButton.enabled is True
    panel.visit.measures = None
    panel.visit_changed()
    assert "measured again" in ui.stageLabel.text
    host.choose(ui.t1Selector, None)
    assert "Segment the T1 first" in ui.stageLabel.text
    assert ui.predictButton.enabled is False


def test_numbers_come_with_intervals_and_with_whom_they_come_from(predicted):
    from BrainstemALSLib.gui.prediction_view import pieces_of

    text = shown(predicted)
    assert "between" in text
    assert "best estimate" in text
    notice = predicted.ui.predictionNoticeLabel.text
    assert "Trained on simulated cohort" in notice
    assert "Not for diagnosis" in notice
    assert len(pictures(predicted)) >= 5  # norms, stage, course, risk, contributions
    answer = predicted.stage.answer
    stage = answer["prediction"]["stage"]
    assert stage["clinical"] == "2"  # bulbar and legs
    assert "Clinical stage 2" in text
    for block in answer["blocks"]:
        assert "not for diagnosis" in "".join(pieces_of(block["html"]))
    for severity, _where, said in answer["findings"]:
        assert severity in ("error", "warning", "info")
        assert escape(said) in text


def test_a_change_of_any_input_takes_the_numbers_away(host, predicted, stroke):
    ui = predicted.ui
    ui.fvcSpin.value = 60
    assert predicted.stage.answer is None
    assert ui.predictionView.visible is False
    assert pictures(predicted) == []
    assert "predict again" in ui.stageLabel.text
    ask(host, predicted)
    assert predicted.stage.answer["prediction"]["visits"][0]["fvc"] == 60
    stroke("pyramid_left", (20, 20, 20))
    assert predicted.stage.answer is None
    assert ui.predictButton.enabled is False


def test_the_share_of_als_beforehand_is_asked_for(host, predicted):
    before = predicted.stage.answer["prediction"]["classification"]
    assert before["prior"] == 0.5
    predicted.ui.priorSpin.value = 10
    assert predicted.stage.answer is None
    ask(host, predicted)
    after = predicted.stage.answer["prediction"]["classification"]
    assert after["prior"] == pytest.approx(0.1)
    assert after["probability"] < before["probability"]
    assert after["evidence"] == pytest.approx(before["evidence"])
    assert "of whom 10 % have it" in shown(predicted)


def test_what_was_asked_of_other_inputs_is_not_shown(host, filled):
    filled.ui.predictButton.click()
    assert filled.ui.predictButton.enabled is False
    assert "Predicting" in filled.ui.stageLabel.text
    filled.ui.alsfrs8Spin.value = 1
    host.wait_until(lambda: filled.jobs.running is None, PREDICT_S)
    assert filled.stage.answer is None
    assert "changed meanwhile" in filled.ui.stageLabel.text
    assert filled.ui.predictButton.enabled is True


def test_another_t1_takes_the_numbers_away(host, predicted, add_volume, t1):
    host.choose(predicted.ui.t1Selector, add_volume(t1, "Another"))
    assert predicted.stage.answer is None
    assert predicted.ui.predictionView.visible is False


def test_outside_of_the_norms_it_abstains_and_says_why(host, filled):
    filled.ui.ageSpin.value = 12
    filled.ui.diagnosticDelaySpin.value = 1.0
    ask(host, filled)
    text = shown(filled)
    assert filled.stage.answer["prediction"]["classification"]["answers"] is False
    assert "No number is given" in text
    assert "age" in text


def test_what_cannot_be_is_one_sentence(host, filled):
    ui = filled.ui
    ui.earlierMonths1Spin.value = 20.0  # before the first symptom
    ui.earlierTotal1Spin.value = 48
    ask(host, filled)
    assert filled.stage.answer is None
    assert "months from onset to the first visit is -6" in filled.messages.text
    assert "Traceback" not in filled.messages.text
    assert ui.predictButton.enabled is True


def test_nothing_else_is_computed_meanwhile(host, filled, stroke):
    filled.ui.predictButton.click()
    running = filled.jobs.running
    filled.stage._predict()
    assert "something else is being computed" in filled.messages.text
    assert filled.jobs.running is running
    host.wait_until(lambda: filled.jobs.running is None, PREDICT_S)
    assert filled.stage.answer is not None


def colours(node):
    display = node.GetDisplayNode()
    ids = node.GetSegmentation().GetSegmentIDs()
    return {key: tuple(display.GetSegmentColor(key)) for key in ids}


def test_evidence_colours_the_structures_and_goes_again(host, predicted):
    ui, node = predicted.ui, predicted.visit.result.segmentation
    display, segmentation = node.GetDisplayNode(), node.GetSegmentation()
    display.SetSegmentOverrideColor("basis_pontis_left", 0.1, 0.2, 0.3)  # the user's own
    before, edits = colours(node), predicted.visit.edits
    own = {key: segmentation.GetSegment(key).GetColor() for key in before}
    ui.evidenceButton.checked = True
    after = colours(node)
    assert after["pyramid_left"] == pytest.approx(FOR, abs=0.35)
    assert after["pyramid_left"][0] > after["pyramid_left"][2]  # towards orange
    assert after["midbrain_tegmentum_left"] != after["pyramid_left"]
    assert "Orange speaks for ALS" in ui.evidenceLabel.text
    assert "Trained on simulated cohort" in ui.evidenceLabel.text
    assert {key: segmentation.GetSegment(key).GetColor() for key in before} == own
    ui.evidenceButton.checked = False
    assert colours(node) == before
    assert ui.evidenceLabel.text == ""
    assert predicted.visit.edits == edits
    ui.evidenceButton.checked = True
    ui.fvcSpin.value = 70  # the prediction goes, and its colours with it
    assert colours(node) == before
    assert ui.evidenceButton.checked is False


def test_structures_without_evidence_are_grey(predicted):
    evidence = predicted.stage.answer["prediction"]["explanation"]["evidence"]
    kept = [one for one in evidence if one["structure"].startswith("pyramid")]
    predicted.stage.answer["prediction"]["explanation"]["evidence"] = kept
    predicted.ui.evidenceButton.checked = True
    found = colours(predicted.visit.result.segmentation)
    assert found["basis_pontis_left"] == pytest.approx(NOTHING)
    assert found["pyramid_left"] != pytest.approx(NOTHING)


def test_without_evidence_it_says_so(host, filled):
    filled.visit.measures = replace(filled.visit.measures, volumes=(), diffusion=())
    filled.visit_changed()
    ask(host, filled)
    filled.ui.evidenceButton.checked = True
    assert "the images give none" in filled.messages.text
    assert filled.ui.evidenceButton.checked is False


def test_a_scene_that_was_saved_with_evidence_opens_without(host, predicted, tmp_path):
    predicted.ui.evidenceButton.checked = True
    assert evidence_is_shown(predicted.visit.result.segmentation)
    host.save_scene(tmp_path / "scene.mrb")
    host.load_scene(tmp_path / "scene.mrb")
    node = predicted.visit.result.segmentation
    assert not evidence_is_shown(node)
    segment = node.GetSegmentation().GetSegment("pyramid_left")
    assert colours(node)["pyramid_left"] == pytest.approx(segment.GetColor())
    assert predicted.stage.answer is None
    assert predicted.ui.predictionView.visible is False


def test_the_report_is_written_and_nothing_overwritten_unasked(host, predicted, tmp_path):
    import qt

    ui, folder = predicted.ui, tmp_path / "Bericht ä"
    ui.reportFolderEdit.currentPath = ""
    ui.exportReportButton.click()
    assert "no folder is chosen" in predicted.messages.text
    ui.reportFolderEdit.currentPath = str(folder)
    ui.exportReportButton.click()
    assert "prediction.html" in predicted.messages.text
    assert sorted(path.name for path in folder.iterdir()) == ["prediction.html", "prediction.json"]
    record = json.loads((folder / "prediction.json").read_text(encoding="utf-8"))
    assert record == predicted.stage.answer["prediction"]
    page = (folder / "prediction.html").read_text(encoding="utf-8")
    assert "simulated" in page
    assert "Not for diagnosis" in page
    (folder / "prediction.json").write_text("mine")
    host.answer(qt.QMessageBox.Cancel)
    ui.exportReportButton.click()
    assert (folder / "prediction.json").read_text() == "mine"
    host.answer(qt.QMessageBox.Ok)
    ui.exportReportButton.click()
    assert json.loads((folder / "prediction.json").read_text(encoding="utf-8")) == record


def test_a_folder_that_takes_nothing_is_one_sentence(predicted, tmp_path):
    (tmp_path / "file").write_text("no folder")
    predicted.ui.reportFolderEdit.currentPath = str(tmp_path / "file")
    predicted.ui.exportReportButton.click()
    assert "cannot be written" in predicted.messages.text
    assert (tmp_path / "file").read_text() == "no folder"


def test_nothing_of_the_patient_is_in_logs_or_left_on_the_way(predicted, local):
    (log,) = list(local.rglob("*.log")) or [None]
    assert log is not None
    text = log.read_text(encoding="utf-8")
    assert "predict: done" in text
    for secret in ("ALS-017", "bulbar", "Doe"):
        assert secret not in text
    folder = predicted.jobs.new_folder()
    assert [path for path in folder.parent.iterdir() if path.is_dir()] == [folder]


def test_closing_the_scene_takes_everything_away(host, predicted):
    predicted.ui.evidenceButton.checked = True
    host.close_scene()
    assert predicted.stage.answer is None
    assert predicted.ui.predictionView.visible is False
    assert predicted.ui.predictButton.enabled is False


def test_it_all_fits_the_panel(host, opened, predicted, tmp_path):
    folder = Path(os.environ.get("BRAINSTEM_ALS_SCREENSHOTS", tmp_path))
    ui = predicted.ui
    for section in ("exam", "segment", "results", "correct", "export", "learning", "stage"):
        getattr(ui, f"{section}SectionButton").collapsed = section != "stage"
    ui.evidenceButton.checked = True
    host.process_events()
    host.panel_screenshot(opened, folder / "stage.png", (420, 2600))
    assert opened.parent.minimumSizeHint.width() <= 420
    for label in pictures(predicted):
        assert label.pixmap.width() / label.pixmap.devicePixelRatio() <= 380
