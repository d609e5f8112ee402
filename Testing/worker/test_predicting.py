"""The command ``predict``: as the command line, without pandas, and nothing in the log."""

from __future__ import annotations

import json
import os

import pytest

from BrainstemALSLib.errors import BrainstemALSError, ExitCode
from BrainstemALSLib.imaging.finding import Finding
from BrainstemALSLib.measurement.records import measures_record
from BrainstemALSLib.norms.files import bundled_norms
from BrainstemALSLib.prediction.person_file import exam_measures, read_person
from BrainstemALSLib.prediction.predict import predict, read_models
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
            ({"months_since_onset": -2}, "months_since_onset is -2"),
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
