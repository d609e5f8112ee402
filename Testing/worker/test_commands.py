"""What the worker keeps of an exam, so that a correction does not lose it."""

from __future__ import annotations

import dataclasses

from BrainstemALSLib.imaging.exam import Exam
from BrainstemALSLib.imaging.finding import Finding
from BrainstemALSLib.imaging.volume import Volume
from BrainstemALSLib.measurement.measure import measure
from BrainstemALSLib.measurement.unfamiliar import CODE
from BrainstemALSLib.pipeline import ExamResult
from BrainstemALSLib.segmentation.result import Familiarity
from BrainstemALSLib.worker.commands import _outcome, _segmentation, _with_findings


def test_an_unfamiliar_exam_stays_one_after_a_correction(segmentation):
    found = dataclasses.replace(
        segmentation, familiarity=Familiarity(1.5, {"texture": 1.5}, {"texture": "noise"})
    )
    t1 = Volume(found.labels.array.astype("float32"), found.labels.affine)
    before = measure(found, t1)
    assert [f.code for f in before.findings].count(CODE) == 1

    of_model = Finding("familiarity_inherited", "info", "It is of another model.", "")
    outcome, probabilities = _outcome(ExamResult(Exam(t1=t1), found, before, {}), (of_model,))
    again = _segmentation(outcome, probabilities)
    assert again.familiarity is None  # it is not measured anew, so it has to be handed on
    after = _with_findings(measure(again, again.labels), outcome.exam_findings)

    assert [f for f in after.findings if f.code == CODE] == [
        f for f in before.findings if f.code == CODE
    ]
    assert of_model in after.findings
