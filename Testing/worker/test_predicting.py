"""The command ``predict``: as the command line, without pandas, and nothing in the log."""

from __future__ import annotations

import json
import os
from dataclasses import replace

import pytest

from BrainstemALSLib.errors import BrainstemALSError, ExitCode
from BrainstemALSLib.imaging.finding import Finding
from BrainstemALSLib.measurement.intracranial import Intracranial
from BrainstemALSLib.measurement.records import measures_record
from BrainstemALSLib.norms.files import bundled_norms
from BrainstemALSLib.prediction.models import read_models
from BrainstemALSLib.prediction.person_file import exam_measures, read_person
from BrainstemALSLib.prediction.predict import predict
from BrainstemALSLib.prediction.prediction_json import prediction_record
from BrainstemALSLib.worker.client import WorkerClient
from BrainstemALSLib.worker.predicting import Predicting, unusual_sentence, write_exam_tables
from BrainstemALSLib.worker.protocol import Request
from BrainstemALSLib.worker.requests import predict_params
from Testing.prediction.classification_people import measures
from Testing.worker.measured import PATIENT, PERSON, exam_of
from Testing.worker.test_server import answer, stub_package

BLOCKS = ["compared", "consistency", "stage", "disease_stage", "course", "risk", "contributions"]


@pytest.fixture(scope="module")
def norms():
    return bundled_norms()


@pytest.fixture(scope="module")
def exam(norms):
    return exam_of(norms)


def test_a_worker_predicts_without_pandas_and_logs_nobody(raw_worker, exam, tmp_path):
    environment = {
        **os.environ,
        **stub_package(tmp_path / "stubs", "pandas", "raise ImportError('no pandas here')"),
    }
    worker = raw_worker(environment=environment)
    worker.read()
    (tmp_path / "job").mkdir()
    params = predict_params(tmp_path / "job", PERSON, exam)
    worker.write(Request("1", "predict", params).encode())
    event = answer(worker)
    assert event["event"] == "result", event
    data = event["data"]
    assert [block["name"] for block in data["blocks"]] == BLOCKS
    assert data["prediction"]["person"]["age"] == 61
    assert data["prediction"]["classification"]["answers"] is True
    assert data["simulated"] is True
    assert data["report"].startswith("<!doctype html>")
    log = "".join(path.read_text(encoding="utf-8") for path in (tmp_path / "log").glob("*.log"))
    assert "predict: done" in log
    for secret in (PERSON["participant"], "bulbar", str(tmp_path)):
        assert secret not in log


def test_it_says_what_the_command_line_says(norms, exam, tmp_path):
    write_exam_tables(tmp_path / "results", exam)
    visit = {**PERSON["visits"][0], "exam": "results"}
    path = tmp_path / "person.json"
    path.write_text(json.dumps({**PERSON, "visits": [visit]}))
    of_file = prediction_record(predict(read_person(path), norms, read_models()), "2026-11-29")
    (tmp_path / "job").mkdir()
    of_panel = Predicting().run(predict_params(tmp_path / "job", PERSON, exam))["prediction"]
    assert {**of_panel, "created": "2026-11-29"} == of_file


def test_measures_survive_their_tables(norms, exam, tmp_path):
    write_exam_tables(tmp_path / "exam", exam)
    found = exam_measures(tmp_path / "exam")
    wanted = measures(norms, 61.0, "F", **PATIENT)
    assert set(found) == set(wanted)
    for key, one in wanted.items():
        assert found[key].value == pytest.approx(one.value, rel=1e-3, abs=1e-4)


def test_a_bad_finding_makes_a_measure_bad(norms, tmp_path):
    finding = Finding("volume_implausible", "error", "It is odd.", "Look.", structure="medulla")
    write_exam_tables(tmp_path / "exam", exam_of(norms, findings=(finding,)))
    found = exam_measures(tmp_path / "exam")
    assert found["medulla", "volume"].quality == "bad"
    assert found["pons", "volume"].quality == "good"


def test_unusual_is_only_what_its_interval_bears_out(norms, tmp_path):
    path = tmp_path / "person.json"

    def said(**z):
        write_exam_tables(tmp_path / "exam", exam_of(norms, **z))
        path.write_text(json.dumps({**PERSON, "visits": [{"exam": "exam"}]}))
        return unusual_sentence(read_person(path), norms, tmp_path / "exam")

    assert said(pyramid_volume=-2.2).startswith("None of 16 measures")  # beyond, but not surely
    far = said(pyramid_volume=-7.0)
    assert far.startswith("2 of 16 measures")
    assert "medullary pyramid, left, volume" in far
    assert "(below)" in far
    assert "between" in far


def test_without_images_the_clinic_is_predicted_from(tmp_path):
    data = Predicting().run(predict_params(tmp_path, PERSON, None))
    assert data["prediction"]["classification"]["answers"] is False
    assert any(severity == "error" and "images" in said for severity, _, said in data["findings"])
    assert data["prediction"]["survival"]["answers"] is True


def test_what_cannot_be_is_refused_and_the_worker_goes_on(exam, tmp_path):
    with WorkerClient(log_dir=tmp_path) as client:
        for change, words in (
            ({"age": 150}, "age is 150"),
            ({"sex": "x"}, "sex is 'x'"),
            ({"months_since_onset": -2}, "number of months from onset to the first visit is -2"),
            ({"visits": [{"alsfrs": [9] * 12}]}, "rated 9"),
        ):
            with pytest.raises(BrainstemALSError) as caught:
                client.predict({**PERSON, **change}, exam)
            assert words in str(caught.value)
            assert caught.value.code is ExitCode.USAGE
        assert client.predict(PERSON, exam)["prediction"]["format"] == "BrainstemALS prediction"


def test_params_are_strict_json(exam, tmp_path):
    line = Request("1", "predict", predict_params(tmp_path, PERSON, exam)).encode()
    assert json.loads(line)["params"]["measures"] == json.loads(json.dumps(measures_record(exam)))


CUT = Intracranial(None, None)
"""What an exam says of the head where it is not wholly in view."""


def predicted(exam, folder, **person):
    folder.mkdir()
    return Predicting().run(predict_params(folder, {**PERSON, **person}, exam))["prediction"]


def test_an_exam_that_is_cut_answers_once_the_head_is_entered(exam, tmp_path):
    cut, mm3 = replace(exam, intracranial=CUT), exam.intracranial.volume_mm3
    nothing = predicted(cut, tmp_path / "nothing")
    assert nothing["classification"]["answers"] is False
    assert nothing["stage"]["answers"] is False
    assert nothing["visits"][0]["intracranial_mm3"] is None
    found = predicted(cut, tmp_path / "found", intracranial_mm3=mm3)
    for part in ("classification", "stage", "disease_stage"):
        assert found[part]["answers"] is True, found[part]["findings"]
    assert found["visits"][0]["intracranial_mm3"] == pytest.approx(mm3)
    assert found["visits"][0]["intracranial_entered"] is True
    (said,) = [f for f in found["person"]["findings"] if f["code"] == "person-intracranial-entered"]
    assert "another method's bias" in said["message"]
    assert "SynthSeg" in said["action"]
    # What is not known of the method widens the intervals of volumes, and of no others.
    own = predicted(exam, tmp_path / "own")
    assert own["visits"][0]["intracranial_entered"] is False
    for one, before in zip(found["norms"]["features"], own["norms"]["features"], strict=True):
        assert one["z"] == pytest.approx(before["z"], abs=1e-3)
        wider = one["high"] - one["low"] > 1.01 * (before["high"] - before["low"])
        assert wider is one["name"].endswith("_volume"), one["name"]


def test_the_exam_s_own_head_wins_unless_told_otherwise(exam, tmp_path):
    mm3 = exam.intracranial.volume_mm3
    other = round(1.12 * mm3)
    found = predicted(exam, tmp_path / "a", intracranial_mm3=other)
    assert found["visits"][0]["intracranial_mm3"] == pytest.approx(mm3, rel=1e-5)
    (said,) = [f for f in found["person"]["findings"] if "intracranial" in f["code"]]
    assert said["severity"] == "warning"
    assert "of its own, which was taken (12 % away from the entered one)" in said["message"]
    near = predicted(exam, tmp_path / "c", intracranial_mm3=round(1.03 * mm3))
    assert [f["severity"] for f in near["person"]["findings"] if "intracranial" in f["code"]] == [
        "info"
    ]
    told = predicted(exam, tmp_path / "b", intracranial_mm3=other, intracranial_wins="yes")
    assert told["visits"][0]["intracranial_mm3"] == other
    first, then = (
        next(f["z"] for f in one["norms"]["features"] if f["name"] == "medulla_volume")
        for one in (found, told)
    )
    assert then < first - 0.2  # the same medulla in a larger head


def test_progress_is_told_step_by_step(exam, tmp_path):
    told = []
    Predicting().run(predict_params(tmp_path, PERSON, exam), lambda *step: told.append(step))
    shares = [share for _, share, _ in told]
    assert shares == sorted(shares)
    assert shares[0] == 0.0
    assert 0.85 < shares[-1] < 1.0
    assert told[0][0] == "models"
    assert {"exam", "predict", "report"} <= {stage for stage, _, _ in told}


def test_unusual_measures_know_the_entered_head(norms, exam, tmp_path):
    cut = replace(exam_of(norms, pyramid_volume=-7.0), intracranial=CUT)
    write_exam_tables(tmp_path / "exam", cut)
    path = tmp_path / "person.json"

    def said(**person):
        path.write_text(json.dumps({**PERSON, **person, "visits": [{"exam": "exam"}]}))
        return unusual_sentence(read_person(path), norms, tmp_path / "exam")

    assert "medullary pyramid, left, volume" not in said()
    entered = said(intracranial_mm3=exam.intracranial.volume_mm3, intracranial_sd_mm3=10_000)
    assert "medullary pyramid, left, volume" in entered
