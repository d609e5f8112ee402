"""Pages of results."""

import csv
import math
import os
import platform
import re

import pytest

from training.evaluation.tables import Page, Table, cell, command_line, machine, write_page


def page(**changes):
    values = {
        "stem": "trial",
        "title": "A trial",
        "kind": "simulated",
        "data": "two cubes.",
        "seed": 7,
        "tables": [
            Table("scores", "Scores", ("structure", "Dice"), [("pons", 0.123456789), ("x|y", None)])
        ],
        "model": {"network": {"name": "fine", "version": "0.1.0", "sha256": "ab" * 32}},
        "marks": [("Dice at least 0.9: 0.123", False), ("speed", None)],
        "notes": ["A note."],
        "command": "python -m trial --seed 7",
    }
    return Page(**(values | changes))


def test_header_says_how_the_numbers_came_about(tmp_path):
    text = write_page(page(threads=2), tmp_path).read_text()
    title, *header = text.splitlines()[:12]
    assert title == "# A trial (simulated data)"
    header = "\n".join(header)
    assert "`python -m trial --seed 7`" in header
    assert "two cubes." in header
    assert "Seed: 7" in header
    assert "fine 0.1.0, sha256 `" + "ab" * 32 in header
    assert re.search(r"Date: \d{4}-\d\d-\d\d", header)
    assert re.search(r"\d+ cores", header)
    assert "limited to 2 threads" in header
    assert "**not reached**" in text
    assert "not measured" in text


def test_tsv_beside_the_page_holds_the_same_numbers_more_exactly(tmp_path):
    path = write_page(page(), tmp_path)
    assert "0.123 |" in path.read_text()
    with (tmp_path / "trial_scores.tsv").open(newline="") as handle:
        rows = list(csv.reader(handle, delimiter="\t"))
    assert rows == [["structure", "Dice"], ["pons", "0.123457"], ["x|y", "n/a"]]


def test_a_bar_in_a_cell_does_not_break_the_table(tmp_path):
    lines = write_page(page(), tmp_path).read_text().splitlines()
    row = next(line for line in lines if "x\\|y" in line)
    assert len(re.findall(r"(?<!\\)\|", row)) == 3


def test_long_tables_are_written_beside_the_page_only(tmp_path):
    extra = Table("cases", "Every case", ("case",), [("unmistakable",)])
    text = write_page(page(attachments=[extra]), tmp_path).read_text()
    assert "unmistakable" not in text
    assert "[Every case](trial_cases.tsv)" in text
    assert "unmistakable" in (tmp_path / "trial_cases.tsv").read_text()


def test_nothing_half_written_stays(tmp_path):
    write_page(page(), tmp_path)
    assert sorted(os.listdir(tmp_path)) == ["trial.md", "trial_scores.tsv"]


def test_a_wrong_page_is_refused_before_anything_is_written(tmp_path):
    with pytest.raises(ValueError, match="kind"):
        write_page(page(kind="made up"), tmp_path)
    with pytest.raises(ValueError, match="columns"):
        write_page(page(tables=[Table("t", "T", ("a", "b"), [(1,)])]), tmp_path)
    assert os.listdir(tmp_path) == []


def test_machine_is_described_without_its_name():
    assert "cores" in machine()
    assert platform.node() not in machine()


def test_command_keeps_arguments_and_drops_folders(monkeypatch):
    monkeypatch.setattr(
        "sys.argv", ["tool.py", "--seed", "7", os.sep + os.path.join("home", "x", "m")]
    )
    assert command_line().endswith("--seed 7 m")
    assert "home" not in command_line()


def test_cells():
    assert cell(math.nan) == cell(None) == "n/a"
    assert (cell(True), cell(3), cell(2.0, 1), cell("pons")) == ("yes", "3", "2.0", "pons")


def test_what_is_too_long_for_a_clone_lies_apart_and_is_said_so(tmp_path):
    rows = [(n, "x" * 40) for n in range(2000)]
    long = Table("cases", "Every case", ("number", "text"), rows)
    text = write_page(page(attachments=[long]), tmp_path).read_text()
    assert "Every case: `large/trial_cases.tsv`, which the command writes" in text
    assert len((tmp_path / "large" / "trial_cases.tsv").read_text().splitlines()) == 2001
    assert not (tmp_path / "trial_cases.tsv").exists()
