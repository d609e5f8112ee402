"""The command from a candidate's folder to the model in use; the networks are simulated."""

from __future__ import annotations

import json
from types import SimpleNamespace

import pytest

from BrainstemALSLib.annotation import CaseStore
from BrainstemALSLib.errors import BrainstemALSError, ExitCode
from BrainstemALSLib.segmentation.registry import BUNDLED, Lineage, ModelRegistry, read_lineage
from Testing.segmentation.registry.conftest import CASE, small_candidate
from Testing.training.active.gate_brainstem import cases, model
from training.active import frozen_set, gate, gate_command
from training.active.frozen_set import FrozenCase, FrozenSet

FROZEN = FrozenSet(tuple(FrozenCase("simulated", f"anatomy-{n}", n, "0") for n in range(8)), "0")
PARENT = "f" * 64


class Simulated:
    """Stands for a folder of models: how good it is stands in its structure network."""

    def __init__(self, folder, locator_from, device="auto", name=""):
        content = (folder / "structures.ts").read_bytes()
        inner = model() if b"bet" not in content else model().better(0.5, 1)
        if b"worse" in content:
            inner = model().better(2.0, 1)
        self.name, self.keys, self.predict = name, inner.keys, inner.predict
        self.segmenter = SimpleNamespace(channels=("t1",))
        if b"broken" in content:
            raise BrainstemALSError("x", "it is broken", "y", ExitCode.MODEL_UNAVAILABLE)


@pytest.fixture(autouse=True)
def simulated(monkeypatch, tmp_path):
    monkeypatch.setenv("BRAINSTEM_ALS_MODELS", str(tmp_path / "models"))
    monkeypatch.setenv("BRAINSTEM_ALS_DATA", str(tmp_path / "data"))
    monkeypatch.setattr(gate_command, "ModelPredictor", Simulated)
    monkeypatch.setattr(frozen_set, "load_frozen_set", lambda store, anew: FROZEN)
    monkeypatch.setattr(frozen_set, "exams", lambda frozen, store: cases(len(frozen.cases)))


def run(folder, *arguments):
    return gate.main([str(folder), *map(str, arguments)])


def test_a_better_candidate_is_put_into_use_with_its_report(tmp_path, capsys):
    candidate = small_candidate(tmp_path / "candidate", b"better")
    lineage = Lineage(BUNDLED, PARENT, (CASE,), {"seconds": 3}, "simulation and corrections")
    (candidate / "lineage.json").write_text(json.dumps(lineage.to_json()))
    assert run(candidate, "--promote", "--out", tmp_path / "out") == 0
    registry = ModelRegistry()
    (version,) = registry.versions()
    assert registry.in_use().version == version.id
    assert version.gate["outcome"] == "promote"
    assert version.gate["about"]["frozen_set"] == FROZEN.identity
    assert version.gate == json.loads((tmp_path / "out" / "gate.json").read_text())
    page = (version.folder / "report.html").read_text()
    assert "may replace the model in use" in page
    assert CASE in page
    stored = read_lineage(version.folder)
    assert (stored.corrections, stored.parent_sha256) == ((CASE,), PARENT)
    said = capsys.readouterr().out
    assert f"In use: {version.id}" in said
    assert str(tmp_path) not in said
    # The next candidate is compared with this one, which is as good.
    again = small_candidate(tmp_path / "again", b"better")
    assert run(again, "--promote", "--out", tmp_path / "out2") == 0
    assert registry.in_use().version == version.id
    assert json.loads((tmp_path / "out2" / "gate.json").read_text())["outcome"] == "reject"


@pytest.mark.parametrize(
    ("content", "words"), [(b"worse", "got worse"), (b"broken", "cannot be used: it is broken")]
)
def test_a_candidate_that_does_not_pass_is_not_promoted(tmp_path, capsys, content, words):
    candidate = small_candidate(tmp_path / "candidate", content)
    assert run(candidate, "--promote", "--out", tmp_path / "out") == 0
    assert ModelRegistry().in_use().version == BUNDLED
    assert ModelRegistry().versions() == ()
    said = capsys.readouterr().out
    assert "Nothing was promoted; bundled stays in use." in said
    assert words in said


def test_without_promote_nothing_is_put_into_use(tmp_path, capsys):
    assert run(small_candidate(tmp_path / "candidate", b"better")) == 0
    assert "(promote)" in capsys.readouterr().out
    assert ModelRegistry().versions() == ()
    assert list((tmp_path / "data" / "gate").glob("*/gate.html"))


def test_what_was_altered_while_it_was_judged_is_not_put_into_use(tmp_path, monkeypatch, capsys):
    candidate = small_candidate(tmp_path / "candidate", b"better")

    def replaced(frozen, store):
        for number, case in enumerate(cases(len(frozen.cases))):
            if number == 5:  # another run ends in the same folder meanwhile
                small_candidate(candidate, b"worse")
            yield case

    monkeypatch.setattr(frozen_set, "exams", replaced)
    assert run(candidate, "--promote", "--out", tmp_path / "out") != 0
    assert "altered while it was judged" in capsys.readouterr().err
    assert ModelRegistry().in_use().version == BUNDLED


def test_few_cases_are_asked_for(tmp_path, capsys):
    candidate = small_candidate(tmp_path / "candidate", b"better")
    assert run(candidate, "--cases", 3, "--promote", "--out", tmp_path / "out") == 0
    assert "Only 3 subjects" in capsys.readouterr().out


def test_a_candidate_that_learned_from_the_set_is_rejected(tmp_path, monkeypatch, capsys):
    aside = FrozenSet((*FROZEN.cases, FrozenCase("approved", CASE, None, "0")), "0")
    monkeypatch.setattr(frozen_set, "load_frozen_set", lambda store, anew: aside)
    candidate = small_candidate(tmp_path / "candidate", b"better")
    (candidate / "lineage.json").write_text(json.dumps(Lineage(BUNDLED, PARENT, (CASE,)).to_json()))
    store = CaseStore(tmp_path / "store").root
    assert run(candidate, "--store", store, "--out", tmp_path / "out") == 0
    assert f"has learned from the case {CASE}" in capsys.readouterr().out


def test_no_candidate_is_one_sentence(tmp_path, capsys):
    assert run(tmp_path / "nothing") == ExitCode.MODEL_UNAVAILABLE
    said = capsys.readouterr()
    assert said.err.count("\n") == 1
    assert str(tmp_path) not in said.err


def test_a_damaged_lineage_is_refused(tmp_path, capsys):
    candidate = small_candidate(tmp_path / "candidate")
    (candidate / "lineage.json").write_text('{"parent": "Musterfrau"}')
    assert run(candidate) == ExitCode.MODEL_UNAVAILABLE
    assert "lineage.json: it cannot be understood" in capsys.readouterr().err


def test_without_lineage_the_parent_is_known_by_its_checksum(tmp_path):
    registry = ModelRegistry()
    first = registry.promote(small_candidate(tmp_path / "one"), Lineage(BUNDLED, PARENT))
    candidate = small_candidate(tmp_path / "two", b"two")
    card = json.loads((candidate / "structures.json").read_text())
    card["training"] = {"warm_start": {"sha256": first.identity["sha256"]}, "steps": 5}
    (candidate / "structures.json").write_text(json.dumps(card))
    found = gate_command.lineage_of(candidate, registry)
    assert (found.parent, found.parent_sha256) == (first.id, first.identity["sha256"])
    assert found.training["steps"] == 5
