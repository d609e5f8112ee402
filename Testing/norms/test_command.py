"""``brainstem-als norms``."""

from __future__ import annotations

import json

import pytest
from typer.testing import CliRunner

from BrainstemALSLib.cli.norms import norms
from BrainstemALSLib.errors import ExitCode
from Testing.norms.people import cohort, draw


@pytest.fixture
def folder(tmp_path):
    from BrainstemALSLib.cohort.tables import Cohort, write_cohort

    made = cohort(draw(80, 1))
    write_cohort(Cohort(made.participants, made.visits, made.measures), tmp_path / "cohort")
    description = json.dumps({"source": "simulated", "Seed": 1})
    (tmp_path / "cohort" / "dataset_description.json").write_text(description)
    return tmp_path


def run(*arguments):
    return CliRunner().invoke(norms, [str(a) for a in arguments])


SCORE = ("score", "--structure", "medulla", "--measure", "volume", "--value", 5000, "--sex", "F")


def test_norms_are_fitted_shown_and_scored_with(folder):
    file = folder / "norms.json"
    fitted = run("fit", folder / "cohort", "--out", file)
    assert fitted.exit_code == 0, fitted.output
    assert "Wrote 2 norms" in fitted.output
    shown = run("show", file, "--json")
    population = json.loads(shown.stdout)["population"]
    assert (population["source"], population["seed"], population["n"]) == ("simulated", 1, 80)
    scored = run(*SCORE, "--age", 60, "--icv", 1.4e6, "--site", "A", "--norms", file)
    assert "z-score" in scored.output
    table = run("table", folder / "cohort", "--out", folder / "z.tsv", "--norms", file)
    assert "Scored 160 of 160 values" in table.output
    assert len((folder / "z.tsv").read_text().splitlines()) == 161
    for answer in (fitted, shown, run("show", file), scored, table):
        assert "trained on simulated cohort" in " ".join(answer.output.split())


def test_a_person_outside_gets_the_reason(folder):
    file = folder / "norms.json"
    run("fit", folder / "cohort", "--out", file)
    answer = run(*SCORE, "--age", 12, "--icv", 1.4e6, "--norms", file)
    assert answer.exit_code == 0
    assert "outside the norms" in answer.output
    assert "z-score" not in answer.output
    record = json.loads(run(*SCORE, "--age", 60, "--norms", file, "--json").stdout)
    assert record["z"] is None
    assert "intracranial volume is missing" in record["reason"]


def test_a_file_that_is_there_stays(folder):
    file = folder / "norms.json"
    file.write_text("mine")
    answer = run("fit", folder / "cohort", "--out", file)
    assert answer.exit_code == ExitCode.OUTPUT_REFUSED
    assert file.read_text() == "mine"
    assert run("fit", folder / "cohort", "--out", file, "--overwrite").exit_code == 0


def test_a_cohort_that_does_not_say_what_it_is_is_refused(folder):
    (folder / "cohort" / "dataset_description.json").unlink()
    answer = run("fit", folder / "cohort", "--out", folder / "norms.json")
    assert answer.exit_code == ExitCode.USAGE
    assert not (folder / "norms.json").exists()
    answer = run("fit", folder / "cohort", "--out", folder / "norms.json", "--source", "real")
    assert answer.exit_code == 0
    assert "trained on real data" in answer.output
