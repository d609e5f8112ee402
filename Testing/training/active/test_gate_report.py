"""The report: a page that stands alone, and the same as JSON and TSV."""

from __future__ import annotations

import csv
import json
import re
from dataclasses import replace

import pytest

from Testing.training.active.gate_brainstem import Changed, cases, model
from training.active.gate import judge, refused
from training.active.gate_report import HEADLINES, About, page, record, write_report
from training.active.gate_rules import Flagged
from training.active.gate_scores import PATIENT, ValidationCase


@pytest.fixture(scope="module")
def judgement():
    worse = model().better(0.5, 1).better(4.0, 1, ("pyramid_left",))
    return judge(cases(12), model(), worse)


def test_the_page_stands_alone_and_says_why(judgement, tmp_path):
    about = About(current_version="bundled", corrections=("20260331T120000Z-0123456789ab",))
    html, content, table = write_report(judgement, about, tmp_path / "out")
    text = html.read_text(encoding="utf-8")
    assert HEADLINES["reject"] in text
    assert "medullary pyramid, left got worse" in text
    assert "Simulated exams" in text
    assert "No exam of a patient took part" in text
    assert "Research use only" in text
    assert "20260331T120000Z-0123456789ab" in text
    assert "data:image/png;base64,iVBOR" in text
    # Nothing is fetched from anywhere.
    assert re.findall(r'(?:src|href)="(?!data:)', text) == []
    assert "://" not in text
    stored = json.loads(content.read_text())
    assert stored["outcome"] == "reject"
    assert len(stored["structures"]) == len(judgement.lines)
    rows = list(csv.DictReader(table.read_text().splitlines(), delimiter="\t"))
    assert [row["key"] for row in rows] == [line.key for line in judgement.lines]
    (worse,) = [row for row in rows if row["state"] == "worse"]
    assert worse["key"] == "pyramid_left"
    assert float(worse["difference"]) < -0.01
    assert sorted(path.name for path in html.parent.iterdir()) == [
        "gate.html", "gate.json", "gate.tsv",
    ]  # fmt: skip


def test_a_candidate_that_was_never_scored_has_a_page_too():
    found = refused("outputs", "The candidate has no output for <Pons>.")
    text = page(found, About())
    assert "&lt;Pons&gt;" in text
    assert "<img" not in text
    assert json.loads(json.dumps(record(found, About()), allow_nan=False))["gain"]["mean"] is None


def test_figures_that_are_not_numbers_can_be_stored_and_drawn():
    empty = Changed(model(), lambda array: array * 0)
    found = judge(cases(6), empty, empty)
    assert "n/a" in page(found, About()) or found.lines
    json.dumps(record(found, About()), allow_nan=False)


def test_the_page_says_that_simulated_patients_are_one_anatomy():
    few = [ValidationCase(c.name, "average anatomy", PATIENT, c.truth) for c in cases(3)]
    found = judge(few, model(), model().better(0.5, 1))
    text = page(found, About())
    assert "3 exams, all of the one average anatomy" in text
    assert "0 exams of 0 subjects, and 3 simulated patients, which are no subjects" in text
    assert "No exam of a patient took part" in text
    stored = record(found, About())
    assert (stored["subjects"], stored["simulated_patients"]) == (0, 3)
    json.dumps(stored, allow_nan=False)


def test_the_page_says_how_often_each_model_knew_no_such_exam(judgement):
    found = replace(judgement, unfamiliar=(Flagged(2, 12), Flagged()))
    assert record(found, About())["unfamiliar"] == {
        "current": {"unfamiliar": 2, "compared": 12},
        "candidate": {"unfamiliar": 0, "compared": 0},
    }
    text = page(found, About())
    assert "2 of 12 exams" in text
    assert "it cannot tell" in text
    assert "Called unfamiliar" not in page(refused("outputs", "None."), About())
