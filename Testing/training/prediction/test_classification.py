"""From a cohort to a file: what norms may see, what is refused, and what the file says."""

from __future__ import annotations

import json
import sys
from dataclasses import replace

import numpy as np
import pytest

from BrainstemALSLib.cohort.tables import write_cohort
from BrainstemALSLib.errors import BrainstemALSError, ExitCode
from BrainstemALSLib.norms import bundled_norms
from BrainstemALSLib.prediction.classification import classify
from BrainstemALSLib.prediction.classification_model import classifiers_of, read_classifiers
from training.prediction import classification
from training.prediction.classification import (
    chosen,
    fit_classifiers,
    norms_in_use,
    preferred,
    simulated_cohort,
    training_of,
)
from training.prediction.classification_data import (
    left_out_features,
    norms_of,
    people_of,
    scored,
)
from training.prediction.classification_fit import Curves, Fitted

SIZES = (120, 90, 60)


@pytest.fixture(scope="module")
def cohort():
    return simulated_cohort(8990, SIZES, 4)


@pytest.fixture(scope="module")
def norms():
    return norms_in_use(8991, 200)


@pytest.fixture(scope="module")
def content(cohort, norms):
    return fit_classifiers(cohort, 1, norms)


def test_everybody_has_one_visit_and_no_site_that_norms_could_know(cohort):
    people = people_of(cohort, 1)
    assert people.by_site
    assert set(people.site) == {f"scanner-0{k}" for k in range(1, 5)}
    assert all(len(record.visits) == 1 and record.site is None for record in people.records)
    imaged = set(cohort.measures["participant_id"])
    assert {record.participant for record in people.records} == imaged


def test_a_sites_own_controls_say_nothing_about_its_people(cohort):
    people = people_of(cohort, 1)
    rows = np.ones(len(people), bool)
    before = left_out_features(people, rows)
    here = people.site == "scanner-02"
    names = {people.records[k].participant for k in np.flatnonzero(here & (people.group == "HC"))}
    measures = people.cohort.measures.copy()
    measures.loc[measures["participant_id"].isin(names), "value"] *= 1.5
    spoilt = replace(people, cohort=replace(people.cohort, measures=measures))
    after = left_out_features(spoilt, rows)
    np.testing.assert_array_equal(before[here], after[here])
    assert np.nanmax(np.abs(before[~here] - after[~here])) > 0.1


def test_rows_that_are_not_asked_for_are_not_scored(cohort):
    people = people_of(cohort, 1)
    rows = people.site != "scanner-01"
    z = left_out_features(people, rows)
    assert np.isnan(z[~rows]).all()
    assert np.isfinite(z[rows]).all(axis=1).mean() > 0.8


def test_a_cohort_of_one_site_is_held_out_by_person():
    one = people_of(simulated_cohort(8992, (60, 60, 0), 1), 1)
    assert not one.by_site
    assert len(set(one.site)) == 5


def test_few_controls_are_refused():
    people = people_of(simulated_cohort(8993, (30, 60, 0), 3), 1)
    with pytest.raises(BrainstemALSError, match="controls") as refusal:
        norms_of(people, np.ones(len(people), bool))
    assert refusal.value.code is ExitCode.USAGE


def test_few_patients_are_refused(norms):
    with pytest.raises(BrainstemALSError, match="patients have all measures") as refusal:
        fit_classifiers(simulated_cohort(8994, (70, 20, 0), 4), 1, norms)
    assert refusal.value.code is ExitCode.USAGE


def test_patients_with_a_missing_measure_take_part_where_it_is_not_needed(cohort, norms):
    people = people_of(cohort, 1)
    z = scored(people, np.ones(len(people), bool), norms).z
    z[people.group == "ALS", 5] = np.where(np.arange((people.group == "ALS").sum()) < 20, np.nan, 0)
    whole, volumes = (chosen(people, z, "healthy", which)[0] for which in ("all", "volumes"))
    assert volumes.sum() - whole.sum() == 20
    assert not (people.group[volumes] == "MIMIC").any()


def test_the_curved_form_must_win_clearly():
    y = np.arange(400) % 2 == 0
    truth = np.where(y, 1.0, -1.0)

    def fits(plain, curved):
        curves = Curves((), np.zeros(0), 0.0, np.zeros(0), np.zeros((1, 1)))
        return {
            name: Fitted(curves, (1.0, 0.0), 0.0, 1.0, eta)
            for name, eta in (("logistic", plain), ("additive", curved))
        }

    noise = 0.01 * np.random.default_rng(0).standard_normal(400)
    assert preferred(fits(0.2 * truth, truth), y)[0] == "additive"
    assert preferred(fits(truth, truth + noise), y)[0] == "logistic"
    assert preferred(fits(truth, 0.2 * truth), y)[0] == "logistic"


def test_what_was_fitted_answers_people_of_the_cohort(cohort, content, norms):
    models = classifiers_of(training_of(cohort, 8990, "-"), content)
    assert models.training.people == {"HC": 120, "ALS": 90, "MIMIC": 60}
    assert (models.training.sites, models.training.seed) == (4, 8990)
    record = people_of(cohort, 1).records[0]
    found = classify(record, norms, models=models)
    assert 0 < found.low < found.high < 1
    assert "classification-norms" not in {f.code for f in found.findings}
    other = classify(record, bundled_norms(), models=models)
    assert "classification-norms" in {f.code for f in other.findings}


def test_a_cohort_without_mimics_leaves_their_questions_open(norms):
    content = fit_classifiers(simulated_cohort(8995, (70, 70, 0), 4), 1, norms)
    assert {m["question"] for m in content["models"]} == {"healthy"}


def test_the_command_fits_a_cohort_of_files_and_says_that_it_is_simulated(
    cohort, tmp_path, monkeypatch, capsys
):
    write_cohort(cohort, tmp_path / "cohort")
    description = tmp_path / "cohort" / "dataset_description.json"
    description.write_text(json.dumps({"source": "simulated", "Seed": 8990}))
    out = tmp_path / "model.json"
    given = ["x", "--cohort", str(tmp_path / "cohort"), "--out", str(out)]
    monkeypatch.setattr(sys, "argv", given)
    classification.main()
    found = read_classifiers(out)
    assert (found.training.source, found.training.seed) == ("simulated", 8990)
    assert (found.norms["source"], found.norms["seed"]) == ("simulated", 8990)
    assert (tmp_path / "norms.json").exists()
    assert found.training.command.endswith("--cohort DIR")
    assert "Wrote model.json" in capsys.readouterr().out


def test_a_cohort_that_does_not_say_whether_it_is_simulated_is_refused(
    cohort, tmp_path, monkeypatch, capsys
):
    write_cohort(cohort, tmp_path)
    (tmp_path / "dataset_description.json").unlink(missing_ok=True)
    monkeypatch.setattr(sys, "argv", ["x", "--cohort", str(tmp_path), "--out", "none.json"])
    with pytest.raises(SystemExit) as ended:
        classification.main()
    assert ended.value.code == ExitCode.USAGE
    assert "simulated or real" in capsys.readouterr().err


def test_a_folder_that_is_no_cohort_ends_with_one_sentence(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", ["x", "--cohort", str(tmp_path), "--out", "none.json"])
    with pytest.raises(SystemExit) as ended:
        classification.main()
    assert ended.value.code != 0
    assert len(capsys.readouterr().err.strip().splitlines()) == 1
