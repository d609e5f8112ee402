"""`predict` from end to end in a process of its own; every bad input is refused in one sentence."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from BrainstemALSLib.cli.app import app
from BrainstemALSLib.cli.predict import EXAMPLE
from BrainstemALSLib.errors import ExitCode
from BrainstemALSLib.prediction.model_files import bundled

from .prediction.person_files import patient, write_person

LIBRARY = Path(__file__).parents[1] / "BrainstemALS"
FILES = {"prediction.json", "prediction.html"}


def run(*arguments: object) -> subprocess.CompletedProcess:
    return subprocess.run(
        [sys.executable, "-m", "BrainstemALSLib.cli", "predict", *map(str, arguments)],
        capture_output=True,
        text=True,
        timeout=120,
        env={**os.environ, "PYTHONPATH": str(LIBRARY), "COLUMNS": "200"},
    )


def here(*arguments: object) -> tuple[int, str]:
    """Run in this process, which is faster; return the code and the refusal, which is one line."""
    outcome = CliRunner().invoke(app, ["predict", *map(str, arguments)])
    (line,) = outcome.stderr.strip().splitlines()
    assert line.startswith("brainstem-als: ")
    return outcome.exit_code, line


def example(**changed) -> dict:
    return {**json.loads(EXAMPLE), **changed}


def with_visits(*changes: dict) -> dict:
    """The example with visits like its first one, each changed."""
    first = example()["visits"][0]
    return example(visits=[{**first, **change} for change in changes])


def write(content: object, folder: Path) -> Path:
    path = folder / "person.json"
    path.write_text(content if isinstance(content, str) else json.dumps(content))
    return path


def predicted(content: object, folder: Path, *options: object) -> tuple[dict, str]:
    """Predict; return the JSON and what was printed."""
    outcome = run(write(content, folder), "--out", folder / "out", *options)
    assert outcome.returncode == ExitCode.OK, outcome.stderr
    assert "Traceback" not in outcome.stderr
    assert {path.name for path in (folder / "out").iterdir()} == FILES
    return json.loads((folder / "out" / "prediction.json").read_text()), outcome.stdout


def findings(record: dict, part: str) -> dict[str, str]:
    """Code to severity of what is said of a part."""
    return {one["code"]: one["severity"] for one in record[part]["findings"]}


def test_a_patient_with_exams_gets_all_numbers(tmp_path):
    person = write_person(patient(), tmp_path)
    out = tmp_path / "out"
    outcome = run(person, "--out", out)
    assert outcome.returncode == ExitCode.OK, outcome.stderr
    record = json.loads((out / "prediction.json").read_text())
    for part in ("classification", "stage", "disease_stage", "progression", "survival"):
        assert record[part]["answers"], record[part]["findings"]
    assert "best estimate" in outcome.stdout
    assert "trained on simulated cohort" in outcome.stdout
    assert "Not for diagnosis" in outcome.stdout
    assert str(tmp_path) not in (out / "prediction.html").read_text()
    again = run(person, "--out", out)
    assert again.returncode == ExitCode.OUTPUT_REFUSED
    assert run(person, "--out", out, "--overwrite", "--visit", 1).returncode == ExitCode.OK
    assert len(json.loads((out / "prediction.json").read_text())["visits"]) == 1


def test_the_example_can_be_used_as_it_is(tmp_path):
    outcome = run("--example")
    assert outcome.returncode == ExitCode.OK
    record, _ = predicted(outcome.stdout, tmp_path)
    assert record["progression"]["answers"]
    assert record["survival"]["answers"]
    assert not record["classification"]["answers"]


def test_models_that_are_missing_are_named_and_the_rest_answers(tmp_path):
    models = tmp_path / "models"
    models.mkdir()
    (models / "survival.json").write_bytes(bundled("survival").read_bytes())
    record, printed = predicted(example(), tmp_path, "--models", models)
    assert record["survival"]["answers"]
    assert findings(record, "progression") == {"progression-no-model": "error"}
    assert "Forecast of ALSFRS-R and FVC is left out" in printed


REFUSED = {
    "no visit": (example(visits=[]), "there is no visit"),
    "wrong sex code": (example(sex="female"), "sex is 'female'"),
    "no age": (example(age=None), "age is missing"),
    "out of order": (with_visits({"months": 6}, {"months": 0}), "visit 2 is before visit 1"),
    "one date": (with_visits({"months": 3}, {"months": 3}), "on one date"),
    "rating out of range": (with_visits({"alsfrs": [5] * 12}), "is rated 5"),
    "eleven ratings": (with_visits({"alsfrs": [4] * 11}), "12 items, not 11"),
    "FVC in litres": (with_visits({"fvc": 3.1}), "outside 5-180"),
    "misspelt": (example(fvcs=3), "'fvcs' is not known"),
    "no JSON": ("{", "no JSON"),
    "no exam": (with_visits({"exam": "gone"}), "no results of one exam"),
}


@pytest.mark.parametrize(("content", "said"), REFUSED.values(), ids=REFUSED)
def test_what_cannot_be_is_refused(content, said, tmp_path):
    outcome = run(write(content, tmp_path), "--out", tmp_path / "out")
    wanted = ExitCode.UNREADABLE_IMAGE if said.startswith("no results") else ExitCode.USAGE
    assert outcome.returncode == wanted
    (line,) = outcome.stderr.strip().splitlines()
    assert line.startswith("brainstem-als: ")
    assert said in line
    assert not (tmp_path / "out").exists()


def child(record):
    assert findings(record, "progression")["age-outside"] == "error"
    for part in ("classification", "stage", "progression", "survival"):
        assert not record[part]["answers"]


def higher(record):
    assert findings(record, "person")["person-alsfrs-rises"] == "warning"
    said = findings(record, "progression")
    assert record["progression"]["answers"] != ("error" in said.values())
    assert set(said) & {"alsfrs-rise", "unlike-training", "unusual"}


def missing_items(record):
    assert findings(record, "person")["person-items-missing"] == "warning"
    assert record["progression"]["answers"]


def all_items_missing(record):
    assert findings(record, "person")["person-no-alsfrs"] == "warning"
    assert not record["progression"]["answers"]
    assert not record["survival"]["answers"]


def no_fvc(record):
    assert findings(record, "person")["person-no-fvc"] == "info"
    assert record["progression"]["answers"]
    assert record["survival"]["answers"]


def one_visit(record):
    assert record["progression"]["answers"]
    assert len(record["visits"]) == 1


def far_outside(record):
    assert not record["progression"]["answers"]
    assert not record["survival"]["answers"]


def healthy(record):
    assert findings(record, "survival")["survival-no-als"] == "error"
    assert not record["progression"]["answers"]


ABSTAINS = {
    "age 12": (example(age=12, onset_age=11), child),
    "ALSFRS-R higher than before": (
        with_visits({"alsfrs": [3] * 12}, {"months": 4, "alsfrs": [4] * 8 + [3] * 4}), higher,
    ),
    "missing items": (with_visits({"alsfrs": [None, None, *[3] * 10]}), missing_items),
    "no item": (with_visits({"alsfrs": None}), all_items_missing),
    "no FVC": (with_visits({"fvc": None}), no_fvc),
    "one visit": (with_visits({}), one_visit),
    "onset 45 years ago": (example(months_since_onset=540, onset_age=16), far_outside),
    "no ALS": (example(group="HC"), healthy),
}  # fmt: skip


@pytest.mark.parametrize(("content", "expected"), ABSTAINS.values(), ids=ABSTAINS)
def test_what_is_unusual_is_said_and_abstained_from_where_due(content, expected, tmp_path):
    record, printed = predicted(content, tmp_path)
    expected(record)
    assert "Not for diagnosis" in printed


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--visit", 3], "visits 1 to 2"),
        (["--visit", 0], "visits 1 to 2"),
        (["--prior", 30], "no share between 0 and 1"),
        (["--models", "nowhere"], "no such folder"),
    ],
)
def test_options_that_cannot_be_are_refused(options, said, tmp_path):
    code, line = here(write(example(), tmp_path), "--out", tmp_path / "out", *options)
    assert code == ExitCode.USAGE
    assert said in line
    assert not (tmp_path / "out").exists()


def test_a_file_and_a_folder_have_to_be_named(tmp_path):
    assert "--example prints one" in here()[1]
    assert "Name a folder" in here(write(example(), tmp_path))[1]
    code, line = here(tmp_path / "none.json", "--out", tmp_path / "out")
    assert code == ExitCode.USAGE
    assert "cannot be read" in line
