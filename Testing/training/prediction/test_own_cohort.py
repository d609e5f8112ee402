"""A real cohort without diffusion images through all six commands, and what they refuse."""

from __future__ import annotations

import importlib
import json
import sys

import pytest

from BrainstemALSLib.cohort.tables import Cohort, write_cohort
from BrainstemALSLib.norms import bundled_norms, read_norms
from BrainstemALSLib.prediction.models import PARTS, read_models
from BrainstemALSLib.prediction.predict import predict
from BrainstemALSLib.prediction.records import records_of
from BrainstemALSLib.prediction.report_html import report_html
from training.cohort.config import load_config
from training.cohort.simulate import simulate

SENTENCE = 'Write "source": "real" or "source": "simulated" into this file.'
DIFFUSION = ("fa", "md", "fa_asymmetry")


def run(kind, *words) -> None:
    """Run a command as from a shell."""
    before, sys.argv = sys.argv, [kind, *map(str, words)]
    try:
        importlib.import_module(f"training.prediction.{kind}").main()
    finally:
        sys.argv = before


def stated(cohort, folder, source="real"):
    """Write a cohort as a real one, its source said or not."""
    write_cohort(cohort, folder)
    text = json.dumps({"Name": "test"} | ({"source": source} if source else {}))
    (folder / "dataset_description.json").write_text(text)
    return folder


@pytest.fixture(scope="module")
def volumes():
    config = load_config().with_values(visits__follow_ups=2)
    whole = simulate(config, 130, 130, 0, 77)[0]
    kept = ~whole.measures["measure"].isin(DIFFUSION)
    return Cohort(whole.participants, whole.visits, whole.measures[kept])


@pytest.fixture(scope="module")
def folder(volumes, tmp_path_factory):
    return stated(volumes, tmp_path_factory.mktemp("own") / "cohort")


@pytest.fixture(scope="module")
def models(folder):
    out = folder.with_name("models")
    for kind in PARTS:
        run(kind, "--cohort", folder, "--out", out / f"{kind}.json")
    return out


def test_volumes_alone_give_all_six_models_and_their_norms(volumes, models):
    found, norms = read_models(models), read_norms(models / "norms.json")
    assert not found.absent
    assert norms.population.source == "real"
    for part in PARTS:
        training = getattr(found, part).training
        assert (training.source, training.norms) == ("real", "real")
        assert "cst_fa" in training.without.split(", ")
        assert "too few people had" in training.statement
    person = next(p for p in records_of(volumes) if p.group == "ALS" and p.visits[0].has_images)
    prediction = predict(person.until(1), norms, found, strict=True)
    assert all(prediction.answers(part) for part in PARTS)
    page = report_html(prediction, "2026-11-29")
    assert "trained on simulated patients" not in page
    assert "simulated norms" not in page
    assert 'class="sim"' not in page
    other = report_html(predict(person.until(1), bundled_norms(), found, strict=True), "2026-11-29")
    assert "trained on simulated patients" not in other
    assert "Images are scored by simulated norms" in other
    assert "--norms" in other


@pytest.mark.parametrize("kind", PARTS)
def test_nothing_is_replaced_and_a_place_is_asked_for(kind, folder, models, capsys):
    path = models / f"{kind}.json"
    before = path.read_bytes()
    for words, said in (((), "needs a place of its own"), (("--out", path), "never replaces")):
        with pytest.raises(SystemExit) as ended:
            run(kind, "--cohort", folder, *words)
        assert ended.value.code != 0
        assert said in capsys.readouterr().err
    assert path.read_bytes() == before


@pytest.mark.parametrize("kind", PARTS)
def test_a_cohort_that_does_not_say_its_source_is_refused(kind, volumes, tmp_path, capsys):
    few = Cohort(*(t.head(30) for t in (volumes.participants, volumes.visits, volumes.measures)))
    with pytest.raises(SystemExit) as ended:
        run(kind, "--cohort", stated(few, tmp_path / "c", ""), "--out", tmp_path / "m.json")
    said = capsys.readouterr().err
    assert ended.value.code == 2
    assert SENTENCE in said
    assert "dataset_description.json" in said
    assert "--source" not in said
    assert list(tmp_path.iterdir()) == [tmp_path / "c"]


def test_models_of_two_cohorts_do_not_share_norms(folder, tmp_path, capsys):
    from BrainstemALSLib.norms import write_norms

    write_norms(bundled_norms(), tmp_path / "norms.json")
    with pytest.raises(SystemExit):
        run("stage", "--cohort", folder, "--out", tmp_path / "stage.json")
    assert "norms of other people" in capsys.readouterr().err
    assert not (tmp_path / "stage.json").exists()


def test_without_patients_no_stage_is_learned_from_images(volumes, tmp_path, capsys):
    people = volumes.participants
    controls = people[people["group"] == "HC"]
    few = Cohort(controls, *(
        table[table["participant_id"].isin(controls["participant_id"])]
        for table in (volumes.visits, volumes.measures)
    ))  # fmt: skip
    with pytest.raises(SystemExit) as ended:
        run("disease_stage", "--cohort", stated(few, tmp_path / "c"), "--out", tmp_path / "m.json")
    assert ended.value.code == 2
    assert "20 patients with ALS and 20 controls have 0 of 7" in capsys.readouterr().err


def test_survival_without_controls_says_that_norms_were_simulated(volumes, tmp_path, capsys):
    people = volumes.participants
    patients = people[people["group"] == "ALS"]
    few = Cohort(patients, *(
        table[table["participant_id"].isin(patients["participant_id"])]
        for table in (volumes.visits, volumes.measures)
    ))  # fmt: skip
    run("survival", "--cohort", stated(few, tmp_path / "c"), "--out", tmp_path / "m" / "s.json")
    said = json.loads((tmp_path / "m" / "s.json").read_text())
    assert "trained on real data" in said["statement"]
    assert "images scored by simulated norms" in said["statement"]
    assert not (tmp_path / "m" / "norms.json").exists()
    assert said["statement"] in capsys.readouterr().out
