"""A form that is filled in, asked for its prediction, and what the panel then shows."""

from __future__ import annotations

from functools import cache

from BrainstemALSLib.measurement import Measures
from BrainstemALSLib.norms.files import bundled_norms
from Testing.worker.measured import PERSON, exam_of

PREDICT_S = 60


@cache
def exam_measures() -> Measures:
    """Measures of a patient, T1 and diffusion, whose z-scores are known."""
    return exam_of(bundled_norms())


def measure(panel):
    """Give the panel a measured exam, age and sex: all that a prediction needs."""
    panel.visit.measures = exam_measures()
    panel.ui.ageSpin.value = 61
    choose(panel.ui.sexCombo, "F")
    return panel


def fill(panel):
    """Fill in the form of a patient with bulbar onset."""
    ui = measure(panel).ui
    choose(ui.groupCombo, "ALS")
    choose(ui.onsetCombo, "bulbar")
    ui.monthsSinceOnsetSpin.value = 14.0
    ui.diagnosticDelaySpin.value = 9.0
    ui.fvcSpin.value = 84
    for name, word in (("gastrostomy", "no"), ("niv", "no"), ("riluzole", "yes"), ("ftd", "no")):
        choose(getattr(ui, f"{name}Combo"), word)
    for number, rating in enumerate(PERSON["visits"][0]["alsfrs"], start=1):
        getattr(ui, f"alsfrs{number}Spin").value = rating
    return panel


def choose(combo, value):
    """Choose a value as a user does."""
    combo.currentIndex = combo.findData(value)
    combo.activated.emit(combo.currentIndex)


def ask(host, panel):
    """Press Predict and wait for the worker."""
    panel.ui.predictButton.click()
    host.wait_until(lambda: panel.jobs.running is None, PREDICT_S)


def predict(host, panel):
    """Return the panel with a prediction shown."""
    ask(host, fill(panel))
    assert panel.stage.answer is not None, panel.messages.text
    return panel


def shown(panel) -> str:
    """Return all text of the view."""
    labels = panel.stage._view._labels
    texts = [label.text for label in labels if label.isVisibleTo(panel.ui.predictionView)]
    return "\n".join([panel.ui.predictionNoticeLabel.text, *texts])


def pictures(panel) -> list:
    """Return the labels that show a picture."""
    return [label for label in panel.stage._view._labels if not label.pixmap.isNull()]
