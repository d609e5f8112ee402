"""The cohort as an analysis reads it: columns, repeatability, what is missing, what stays out."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest

from BrainstemALSLib.anatomy import by_key, composites
from BrainstemALSLib.cohort.tables import read_cohort
from BrainstemALSLib.errors import BrainstemALSError, ExitCode
from BrainstemALSLib.prognosis import kings, mitos
from training.cohort.scenario import Scenario
from training.cohort.simulate import simulate, write_simulation

PARTICIPANTS = ["participant_id", "group", "age", "sex", "site", "onset", "onset_age"]
PARTICIPANTS += ["months_since_onset", "diagnostic_delay", "ftd", "c9orf72", "riluzole"]
PARTICIPANTS += ["definite_ee", "survival_months", "event"]
ITEMS = [f"alsfrs_{k:02d}" for k in range(1, 13)]
VISITS = ["participant_id", "session_id", "months", *ITEMS, "gastrostomy", "alsfrs_total"]
VISITS += ["fvc", "kings", "mitos", "niv"]
MEASURES = ["participant_id", "session_id", "structure", "measure", "value", "unit"]
MEASURES += ["uncertainty", "quality"]
TABLES = ("participants", "visits", "measures")


def of(table, ids):
    return table[table.participant_id.isin(ids)].reset_index(drop=True)


def test_tables_have_the_columns_of_the_contract(simulated):
    cohort, _ = simulated
    assert list(cohort.participants) == PARTICIPANTS
    assert list(cohort.visits) == VISITS
    assert list(cohort.measures) == MEASURES


def test_values_are_those_of_the_contract(simulated):
    people, visits, measures = (getattr(simulated[0], name) for name in TABLES)
    assert people.group.value_counts().to_dict() == {"ALS": 500, "HC": 200, "MIMIC": 30}
    assert not people.participant_id.duplicated().any()
    assert not visits.duplicated(["participant_id", "session_id"]).any()
    words = {"sex": {"M", "F"}, "onset": {"bulbar", "spinal", "respiratory"}}
    words |= {key: {"yes", "no"} for key in ("ftd", "c9orf72", "riluzole", "definite_ee")}
    words["event"] = {"death", "niv", "tracheostomy", "censored"}
    for column, allowed in words.items():
        assert set(people[column].dropna()) <= allowed, column
    assert people[people.group != "ALS"].onset.isna().all()
    patients = people[people.group == "ALS"]
    assert (patients.diagnostic_delay <= patients.months_since_onset).all()
    assert (patients.survival_months >= patients.months_since_onset).all()
    ratings = visits[ITEMS].stack().dropna()
    assert set(ratings) <= {0, 1, 2, 3, 4}
    assert set(visits.kings.dropna()) <= set("01234")
    assert set(measures.quality) == {"good", "warning", "bad"}
    assert (measures.uncertainty > 0).all()
    known = {*by_key(), *composites(), "intracranial", *(s.stem for s in by_key().values())}
    known.add("corticospinal_tract")
    assert set(measures.structure) <= known
    units = measures.groupby("measure").unit.unique().map(list).to_dict()
    assert units["volume"] == ["mm3"]
    assert units["md"] == ["1e-3 mm2/s"]
    assert units["fa_asymmetry"] == ["%"]


def test_controls_have_no_clinical_data(simulated):
    cohort, _ = simulated
    ids = cohort.participants.participant_id[cohort.participants.group == "HC"]
    visits = of(cohort.visits, ids)
    assert len(visits) > 200
    assert visits[[*ITEMS, "alsfrs_total", "fvc", "kings", "mitos", "niv"]].isna().all(axis=None)


def test_stages_are_those_of_the_scales(simulated):
    visits = simulated[0].visits.dropna(subset=["kings", "mitos", *ITEMS]).head(150)
    assert len(visits) == 150
    for row in visits.itertuples():
        ratings = [int(getattr(row, item)) for item in ITEMS]
        assert row.kings == kings.stage(ratings, row.gastrostomy == "yes", row.niv == "yes")
        assert row.mitos == mitos.stage(ratings)
        assert row.alsfrs_total == sum(ratings)


def test_the_same_seed_gives_the_same_cohort(config, simulated):
    again, _ = simulate(config, 200, 500, 30, seed=3)
    other, _ = simulate(config, 200, 500, 30, seed=5)
    for name in TABLES:
        pd.testing.assert_frame_equal(getattr(again, name), getattr(simulated[0], name))
    assert not other.participants.age.equals(again.participants.age)


def test_more_people_change_nobody(config, simulated):
    fewer, _ = simulate(config, 20, 60, 0, seed=3)
    ids = fewer.participants.participant_id
    for name in TABLES:
        small, large = getattr(fewer, name), of(getattr(simulated[0], name), ids)
        # Other groups may change the type of a column, never a value.
        pd.testing.assert_frame_equal(small, large, check_dtype=False, rtol=1e-12)


def test_nobody_is_seen_after_the_event(simulated):
    cohort, _ = simulated
    table = cohort.visits.merge(cohort.participants, on="participant_id")
    patients = table[table.group == "ALS"]
    seen = patients.months_since_onset + patients.months
    assert (seen <= patients.survival_months + 0.15).all()  # both are rounded to 0.1 months
    for _, visits in table.groupby("participant_id"):
        assert list(visits.session_id) == [f"ses-{k:02d}" for k in range(1, len(visits) + 1)]


def test_the_more_ill_stay_away_more(config):
    cohort, _ = simulate(config, 0, 2000, 0, seed=8)
    first = cohort.visits[cohort.visits.session_id == "ses-01"].merge(cohort.participants)
    again = set(cohort.visits[cohort.visits.session_id == "ses-02"].participant_id)
    alive = first[first.survival_months > first.months_since_onset + 6.1]
    came = alive.participant_id.isin(again)
    ill = alive.alsfrs_total < 36
    assert came[ill].mean() < came[~ill].mean() - 0.03


def test_without_dropout_and_missing_data_all_is_there(config):
    scenario = Scenario(dropout=0.0, missing=0.0)
    cohort, _ = simulate(config, 40, 0, 40, seed=1, scenario=scenario)
    assert len(cohort.visits) == 80 * 3
    assert cohort.measures.groupby(["participant_id", "session_id"]).ngroups == 80 * 3
    mimics = cohort.visits[cohort.visits.participant_id.str.startswith("sub-M")]
    assert mimics[[*ITEMS, "fvc"]].notna().all(axis=None)


def test_regions_are_the_sum_of_their_parts(simulated):
    table = simulated[0].measures
    one = table[(table.participant_id == table.participant_id[0]) & (table.session_id == "ses-01")]
    volume = one[one.measure == "volume"].set_index("structure").value
    for name in ("brainstem", "pons", "medulla"):
        assert volume[name] == pytest.approx(volume[list(composites()[name])].sum(), abs=0.3)
    fa = one[one.measure == "fa"].set_index("structure").value
    parts = list(composites()["medulla"])
    assert fa["medulla"] == pytest.approx(np.average(fa[parts], weights=volume[parts]), abs=2e-5)
    index = one[one.measure == "volume_asymmetry"].set_index("structure").value
    left, right = volume["pyramid_left"], volume["pyramid_right"]
    assert index["pyramid"] == pytest.approx(200.0 * (left - right) / (left + right), abs=0.01)


def test_stated_uncertainty_is_the_error(config):
    """Two scans of the same head at one scanner differ as the uncertainty says."""
    still = config.with_values(
        visits__interval_low=0.0, visits__interval_high=0.0, error__bad=0.0, error__warning=0.0
    )
    scenario = Scenario(dropout=0.0, missing=0.0)
    cohort, _ = simulate(still, 400, 0, 0, seed=2, scenario=scenario)
    for structure, measure in (("pyramid_left", "volume"), ("medulla", "volume"), ("pons", "fa")):
        table = cohort.measures
        chosen = table[(table.structure == structure) & (table.measure == measure)]
        pair = chosen.pivot(index="participant_id", columns="session_id", values="value")
        found = (pair["ses-01"] - pair["ses-02"]).std() / np.sqrt(2.0)
        assert found == pytest.approx(np.sqrt((chosen.uncertainty**2).mean()), rel=0.15)


def test_truth_lies_beside_the_cohort_and_not_in_it(config, simulated, tmp_path):
    cohort, truth = simulate(config, 5, 10, 5, seed=1)
    folder = tmp_path / "mine"
    beside = write_simulation(folder, cohort, truth, 1, Scenario())
    assert beside == tmp_path / "mine-truth"
    names = {"participants.tsv", "visits.tsv", "measures.tsv", "measures.parquet"}
    written = {path.name for path in folder.iterdir()}
    assert written <= names | {"dataset_description.json"}
    assert written >= names - {"measures.parquet"}
    for place in (folder, beside):
        description = json.loads((place / "dataset_description.json").read_text())
        assert description["source"] == "simulated"
        assert description["simulated"] is True
    secret = {*truth.participants, *truth.clocks, *truth.order, "value_true", "without_disease"}
    secret -= {"participant_id", "session_id", "structure", "event", "rank", "months_since_onset"}
    secret.discard("onset")
    for name in TABLES:
        header = (folder / f"{name}.tsv").read_text(encoding="utf-8").split("\n")[0].split("\t")
        assert not secret & set(header), name
    assert {"order.tsv", "effects.tsv", "values.tsv"} <= {path.name for path in beside.iterdir()}
    text = (folder / "participants.tsv").read_text(encoding="utf-8")
    assert "n/a" in text
    assert "nan" not in text.lower()


def test_what_is_written_is_read_again(config, tmp_path):
    cohort, truth = simulate(config, 4, 8, 2, seed=9)
    write_simulation(tmp_path / "mine", cohort, truth, 9, Scenario())
    again = read_cohort(tmp_path / "mine")
    assert cohort.simulated
    assert again.simulated
    for name in TABLES:
        old, new = getattr(cohort, name), getattr(again, name)
        pd.testing.assert_frame_equal(old, new, check_dtype=False, rtol=1e-6)


def test_truth_is_never_written_into_the_cohort(config, tmp_path):
    cohort, truth = simulate(config, 2, 2, 0, seed=1)
    inside = tmp_path / "mine" / "truth"
    with pytest.raises(BrainstemALSError) as caught:
        write_simulation(tmp_path / "mine", cohort, truth, 1, Scenario(), inside)
    assert caught.value.code == ExitCode.OUTPUT_REFUSED
    assert not (tmp_path / "mine").exists()


def contents(folder):
    return {path.name: path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.mark.parametrize(
    "held",
    [
        {"participants.tsv": "a", "dataset_description.json": '{"Name": "PULSE"}'},
        {"measures.tsv": "a", "dataset_description.json": '{"GeneratedBy": [{"Name": "Other"}]}'},
        {"note.txt": "mine"},
        {"dataset_description.json": "[]"},
    ],
)
def test_what_is_no_simulation_is_never_overwritten(config, tmp_path, held):
    cohort, truth = simulate(config, 2, 2, 0, seed=1)
    theirs, free = tmp_path / "theirs", tmp_path / "free"
    theirs.mkdir()
    for name, text in held.items():
        (theirs / name).write_text(text)
    before = contents(theirs)
    for folder, beside in ((theirs, free), (free, theirs)):
        with pytest.raises(BrainstemALSError, match="no simulated cohort") as caught:
            write_simulation(folder, cohort, truth, 1, Scenario(), beside)
        assert caught.value.code == ExitCode.OUTPUT_REFUSED
    assert contents(theirs) == before
    assert not free.exists()


def test_a_simulation_replaces_an_earlier_one_where_nothing_was_added(config, tmp_path):
    folder = tmp_path / "mine"
    write_simulation(folder, *simulate(config, 3, 3, 0, seed=1), 1, Scenario())
    (folder / ".partial-killed").write_text("")
    (tmp_path / "new").mkdir()
    for place in (folder, tmp_path / "new"):
        write_simulation(place, *simulate(config, 2, 2, 0, seed=2), 2, Scenario())
        assert len(read_cohort(place).participants) == 4
        assert json.loads((place / "dataset_description.json").read_text())["Seed"] == 2
    (folder / "group").mkdir()
    before = contents(folder)
    with pytest.raises(BrainstemALSError, match="no simulated cohort"):
        write_simulation(folder, *simulate(config, 3, 3, 0, seed=1), 1, Scenario())
    assert contents(folder) == before


def test_what_an_interruption_leaves_is_known_as_simulated(config, tmp_path, monkeypatch):
    cohort, truth = simulate(config, 2, 2, 0, seed=1)
    monkeypatch.setattr(type(truth), "write", lambda self, folder: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        write_simulation(tmp_path / "mine", cohort, truth, 1, Scenario())
    monkeypatch.undo()
    assert read_cohort(tmp_path / "mine").simulated
    write_simulation(tmp_path / "mine", cohort, truth, 1, Scenario())


def test_decimal_commas_can_be_had(config, tmp_path):
    scenario = Scenario(decimal=",")
    cohort, truth = simulate(config, 3, 0, 0, seed=1, scenario=scenario)
    write_simulation(tmp_path / "bad", cohort, truth, 1, scenario)
    row = (tmp_path / "bad" / "participants.tsv").read_text().split("\n")[1].split("\t")
    assert row[2] == str(cohort.participants.age[0]).replace(".", ",")


@pytest.mark.parametrize("sizes", [(0, 0, 0), (-1, 5, 0), (5, 10**6, 0)])
def test_impossible_sizes_are_refused(config, sizes):
    with pytest.raises(BrainstemALSError) as caught:
        simulate(config, *sizes, seed=1)
    assert caught.value.code == ExitCode.USAGE


def test_a_negative_seed_is_refused(config):
    with pytest.raises(BrainstemALSError, match="negative"):
        simulate(config, 1, 1, 1, seed=-1)
