"""The fit command reads a cohort's tables, or says what they lack."""

from __future__ import annotations

import sys

import numpy as np
import pytest

from BrainstemALSLib.cohort.tables import Cohort, write_cohort
from BrainstemALSLib.prediction.survival import predict_survival
from BrainstemALSLib.prediction.survival_model import read_survival
from training.cohort.config import load_config
from training.cohort.simulate import simulate
from training.prediction.survival import main
from training.prediction.survival_data import patients_of


@pytest.fixture(scope="module")
def cohort():
    return simulate(load_config(), 120, 200, 5, 41)[0]


def written(cohort, folder) -> None:
    """Write a cohort that says that it is real."""
    write_cohort(cohort, folder)
    (folder / "dataset_description.json").write_text('{"source": "real"}')


def fit(monkeypatch, *words) -> None:
    monkeypatch.setattr(sys, "argv", ["survival", *map(str, words)])
    main()


def test_a_cohort_of_tables_gives_a_model(cohort, tmp_path, monkeypatch, capsys):
    real = Cohort(cohort.participants, cohort.visits, cohort.measures)
    written(real, tmp_path / "cohort")
    path = tmp_path / "survival.json"
    fit(monkeypatch, "--cohort", tmp_path / "cohort", "--out", path)
    model = read_survival(path)
    assert model.training.source == "real"
    assert model.training.seed is None
    assert "--cohort DIR" in model.training.command
    assert "trained on real data" in capsys.readouterr().out
    patients = patients_of(real)
    asked = zip(patients.records[:10], patients.scored_by[:10], strict=True)
    found = [predict_survival(person, model, norms) for person, norms in asked]
    assert all("real data" in result.statement for result in found)
    assert sum(not result.abstains for result in found) >= 8


def test_a_cohort_without_follow_up_is_refused(cohort, tmp_path, monkeypatch, capsys):
    people = cohort.participants.assign(event=float("nan"))
    written(Cohort(people, cohort.visits, cohort.measures), tmp_path / "cohort")
    with pytest.raises(SystemExit) as ended:
        fit(monkeypatch, "--cohort", tmp_path / "cohort", "--out", tmp_path / "m.json")
    assert ended.value.code == 2
    assert "survival_months" in capsys.readouterr().err
    assert not (tmp_path / "m.json").exists()


def test_patients_are_those_with_als_whose_scanner_is_unknown(cohort):
    found = patients_of(cohort)
    als = cohort.participants[cohort.participants["group"] == "ALS"]
    assert found.people + found.left_out == len(als)
    seen = [len(record.visits) for record in found.records]
    assert sorted(set(seen)) == [1, 2, 3]
    assert (found.times.later == (np.array(seen) > 1)).all()
    assert all(record.event is None for record in found.records)
    months = [r.months_since_onset + (r.visits[-1].months or 0.0) for r in found.records]
    assert found.times.entry == pytest.approx(months)
    assert {record.site for record in found.records} == {None}
    assert (found.times.exit > found.times.entry).all()
    assert (found.times.event == (found.times.cause >= 0)).all()
    assert len({id(norms) for norms in found.scored_by}) >= 2
