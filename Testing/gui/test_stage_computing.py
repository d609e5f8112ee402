"""Section *Stage and risk* while it computes, and of an exam that does not show the whole head."""

from __future__ import annotations

from dataclasses import replace
from html import escape

from BrainstemALSLib.measurement.intracranial import Intracranial
from Testing.gui.predicting import PREDICT_S, ask, shown
from Testing.worker.measured import PERSON


def test_it_can_be_cancelled_and_shows_how_far_it_is(host, filled):
    ui, seen = filled.ui, []
    ui.stageSectionButton.collapsed = False
    assert ui.predictCancelButton.enabled is False
    assert ui.predictProgressBar.isVisibleTo(ui.stageSectionButton) is False
    ui.predictProgressBar.valueChanged.connect(
        lambda value: seen.append((value, ui.stageLabel.text))
    )
    ui.predictButton.click()
    assert ui.predictCancelButton.enabled is True
    assert ui.predictProgressBar.isVisibleTo(ui.stageSectionButton) is True
    ui.predictCancelButton.click()
    assert ui.predictCancelButton.enabled is False
    host.wait_until(lambda: filled.jobs.running is None, PREDICT_S)
    assert filled.stage.answer is None
    assert "cancelled" in ui.stageLabel.text
    assert ui.predictProgressBar.isVisibleTo(ui.stageSectionButton) is False
    assert ui.predictButton.enabled is True
    ask(host, filled)  # the worker goes on
    assert filled.stage.answer is not None
    assert ui.predictCancelButton.enabled is False
    assert [value for value, _ in seen if value] == sorted({value for value, _ in seen if value})
    assert any("King's stage" in said for _, said in seen)


def test_what_runs_in_the_worker_is_stopped_too(host, filled):
    ask(host, filled)  # the worker is there, its models are read
    filled.ui.predictButton.click()
    host.wait_until(lambda: filled.ui.predictProgressBar.value > 10, PREDICT_S)
    filled.ui.predictCancelButton.click()
    host.wait_until(lambda: filled.jobs.running is None, PREDICT_S)
    ask(host, filled)
    assert filled.stage.answer is not None


def test_another_job_is_not_cancelled_in_its_place(host, filled):
    from BrainstemALSLib.gui.worker_jobs import Job
    from BrainstemALSLib.worker.requests import predict_params

    filled.ui.predictButton.click()
    said, folder = [], filled.jobs.new_folder()
    filled.jobs.start(
        Job("predict", predict_params(folder, PERSON, None), folder, iter([1.0]),
            lambda _answer: said.append("finished"), said.append, lambda: said.append("cancelled"))
    )  # fmt: skip
    filled.stage._cancel()
    host.wait_until(lambda: filled.jobs.running is None, PREDICT_S)
    assert said == ["finished"]
    assert filled.stage.answer is not None


def test_closing_the_scene_cancels_it(host, filled):
    filled.ui.predictButton.click()
    host.close_scene()
    host.wait_until(lambda: filled.jobs.running is None, PREDICT_S)
    assert filled.stage.answer is None
    assert filled.ui.predictProgressBar.isVisibleTo(filled.ui.stageSectionButton) is False


def test_an_exam_that_is_cut_answers_once_its_head_is_entered(host, filled):
    measures = filled.visit.measures
    filled.visit.measures = replace(measures, intracranial=Intracranial(None, None))
    filled.visit_changed()
    ask(host, filled)
    assert filled.stage.answer["prediction"]["classification"]["answers"] is False
    assert "intracranial volume is missing" in shown(filled)
    filled.ui.intracranialSpin.value = round(measures.intracranial.volume_mm3 / 1000)
    assert filled.stage.answer is None  # the numbers rest on it
    ask(host, filled)
    assert filled.stage.answer["prediction"]["classification"]["answers"] is True
    assert filled.stage.answer["prediction"]["stage"]["answers"] is True
    assert "was entered, not measured on the exam" in shown(filled)
    filled.ui.intracranialSpin.value = 145
    ask(host, filled)
    assert "the intracranial volume is 145 mL" in filled.messages.text
    assert "Give 960 to 2040 mL" in filled.messages.text


def test_warnings_of_a_part_stand_in_its_block(predicted):
    warned = {
        name: [f["message"] for f in block["findings"] if f["severity"] == "warning"]
        for name, block in predicted.stage.answer["prediction"].items()
        if name in ("classification", "survival", "progression")
    }
    assert warned["survival"]
    blocks = {block["name"]: block["html"] for block in predicted.stage.answer["blocks"]}
    for part, name in (("classification", "consistency"), ("survival", "risk"),
                       ("progression", "course")):  # fmt: skip
        for message in warned[part]:
            assert escape(message[1:]) in blocks[name].replace("\u00a0", " ")


def test_simulated_norms_are_said_apart_from_simulated_models():
    from BrainstemALSLib.gui.prediction_view import notice

    both = notice({"simulated": True, "simulated_norms": True})
    norms = notice({"simulated": False, "simulated_norms": True})
    assert "Trained on simulated cohort" in both
    assert "Trained on" not in norms
    assert "scored by simulated norms" in norms
    assert "simulated" not in notice({"simulated": False, "simulated_norms": False})
