"""Predictions from real segmentations: a tiny cohort without images, and figures that are known."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from BrainstemALSLib.cohort.tables import Cohort, write_cohort
from BrainstemALSLib.errors import BrainstemALSError
from BrainstemALSLib.norms import bundled_norms
from BrainstemALSLib.prediction.features import FEATURES
from BrainstemALSLib.prediction.models import read_models
from BrainstemALSLib.prediction.records import INTRACRANIAL
from training.cohort.config import load_config
from training.cohort.imaging import Sizes
from training.cohort.imaging_files import write_dataset, write_truth
from training.cohort.scenario import Scenario
from training.cohort.simulate import simulate
from training.evaluation import prediction_chain as page
from training.evaluation import prediction_chain_answers as answers
from training.evaluation import prediction_chain_people as people
from training.evaluation import prediction_chain_scores as scores
from training.evaluation import prediction_chain_tables as tables
from training.evaluation import summary
from training.evaluation.prediction_classification_metrics import areas

SEED, SIZES = 51, Sizes(controls=12, patients=5, mimics=1, visits=2)
LARGER = 1.3
"""What the stand-in of a segmentation makes of a medulla."""


@pytest.fixture(scope="module")
def norms():
    return bundled_norms()


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Files of an imaging cohort; its measures are simulated ones, with a medulla too large."""
    folder = tmp_path_factory.mktemp("imaging")
    cohort, truth = simulate(load_config(), SIZES.controls, SIZES.patients, SIZES.mimics, SEED)
    write_dataset(folder, cohort, truth, SEED, SIZES)
    write_truth(folder, truth)
    measures = cohort.measures[cohort.measures.structure != INTRACRANIAL[0]].copy()
    medulla = (measures.structure == "medulla") & (measures.measure == "volume")
    measures.loc[medulla, ["value", "uncertainty"]] *= LARGER
    pyramid = measures.structure.str.startswith("pyramid") & (measures.measure == "fa")
    measures = measures[~(pyramid & (measures.participant_id == "sub-A00001"))]
    measures["quality"] = "good"
    segmented = Cohort(cohort.participants, cohort.visits, measures, simulated=True)
    (folder / "results").mkdir()
    write_cohort(segmented, folder / "results")
    description = folder / "bids" / "dataset_description.json"
    (folder / "results" / description.name).write_bytes(description.read_bytes())
    return folder


@pytest.fixture(scope="module")
def chain(folder, norms):
    return people.read_chain(folder, norms)


def z_of(records, norms, name="medulla_volume"):
    z, _ = scores.scores_of(records, norms)
    return z[..., [f.name for f in FEATURES].index(name)]


def test_a_folder_that_is_not_there_says_how_it_is_made(tmp_path, norms):
    with pytest.raises(BrainstemALSError) as refusal:
        people.read_chain(tmp_path, norms)
    assert "python -m training.cohort.imaging" in refusal.value.remedy
    assert "brainstem-als cohort" in refusal.value.remedy


def test_people_of_another_simulator_are_refused(folder, tmp_path, norms):
    import shutil

    other = tmp_path / "imaging"
    shutil.copytree(folder, other)
    values = other / "truth" / "values.tsv"
    lines = values.read_text().splitlines()
    cells = lines[1].split("\t")
    cells[4] = str(float(cells[4]) * 1.01)
    values.write_text("\n".join([lines[0], "\t".join(cells), *lines[2:]]) + "\n")
    with pytest.raises(BrainstemALSError, match="another version of the simulator"):
        people.read_chain(other, norms)


def test_the_intracranial_volume_is_the_simulators_with_its_error(chain):
    cohort, _ = simulate(load_config(), SIZES.controls, SIZES.patients, SIZES.mimics, SEED)
    heads = people.heads_of(cohort.measures)
    entered = 0
    for person in chain.people:
        for visit in person.measured.visits:
            if visit.has_images:
                known = heads[person.measured.participant, visit.session]
                assert visit.measures[INTRACRANIAL] == known
                assert known.sd > 0
                entered += 1
            else:
                assert INTRACRANIAL not in visit.measures
    assert entered
    alone = people.without_head(chain.people[0].measured)
    assert all(INTRACRANIAL not in visit.measures for visit in alone.visits)


def test_neither_outcome_nor_site_is_shown(chain):
    for person in chain.people:
        for record in (person.measured, person.calibrated, person.true):
            assert (record.survival_months, record.event, record.site) == (None, None, None)


def test_true_values_are_those_without_scanner_and_error(chain):
    exact, _ = simulate(
        load_config(), SIZES.controls, SIZES.patients, SIZES.mimics, SEED,
        Scenario(measurement_error=0.0, site_effect=0.0),
    )  # fmt: skip
    rows = exact.measures.set_index(["participant_id", "session_id", "structure", "measure"]).value
    for person in chain.people:
        for seen, true in zip(person.measured.visits, person.true.visits, strict=True):
            assert set(true.measures) == set(seen.measures)
            for key, measure in true.measures.items():
                where = (person.true.participant, true.session, *key)
                assert measure.value == pytest.approx(rows[where])
                assert not measure.sd


def test_what_was_not_measured_is_not_true_either(chain):
    person = next(p for p in chain.people if p.measured.participant == "sub-A00001")
    assert all(("pyramid_left", "fa") not in visit.measures for visit in person.true.visits)


def test_controls_take_out_what_all_people_share(chain, norms):
    kinds = {k: [getattr(p, k) for p in chain.people] for k in ("measured", "calibrated", "true")}
    z = {name: z_of(records, norms) for name, records in kinds.items()}
    before = np.nanmean(z["measured"] - z["true"])
    after = np.nanmean(z["calibrated"] - z["true"])
    assert before > 1.5
    assert abs(after) < 0.6
    _, stated = scores.scores_of(kinds["measured"], norms)
    _, wider = scores.scores_of(kinds["calibrated"], norms)
    assert np.nanmean(wider) > np.nanmean(stated)


def test_a_control_is_moved_by_the_others(chain, norms):
    records = [p.measured for p in chain.people]
    place = next(k for k, p in enumerate(records) if p.group == "HC")
    key = ("medulla", "volume")

    def with_factor(person, factor):
        visits = tuple(
            dataclasses.replace(
                v,
                measures={
                    k: dataclasses.replace(m, value=m.value * factor) if k == key else m
                    for k, m in v.measures.items()
                },
            )
            for v in person.visits
        )
        return dataclasses.replace(person, visits=visits)

    changed = list(records)
    changed[place] = with_factor(records[place], 1.1)
    before, after = (people.calibrated(some, norms) for some in (records, changed))

    def value(found, k):
        visit = next(v for v in found[k].visits if v.has_images)
        return visit.measures[key].value

    assert value(after, place) == pytest.approx(1.1 * value(before, place))
    patient = next(k for k, p in enumerate(records) if p.group == "ALS")
    assert value(after, patient) < value(before, patient)


def test_too_few_controls_give_no_level():
    few = [{("medulla", "volume"): 0.1}] * (people.FEWEST - 1)
    assert people.levels(few) == {}
    level, error = people.levels([*few, {("medulla", "volume"): 0.6}])["medulla", "volume"]
    assert level == pytest.approx(0.2)
    assert error == pytest.approx(0.1)


def known_scores(seed=0, n=300):
    """Errors of half of what is stated, and just as large as what is drawn."""
    rng = np.random.default_rng(seed)
    true = rng.standard_normal((n, 2, len(FEATURES)))
    error = 0.5 * rng.standard_normal(true.shape)
    one = np.ones_like(true)
    return scores.Scored(true + error + 2.0, true + error, true, one, 0.5 * one)


def test_errors_stand_beside_what_is_said_of_them(monkeypatch):
    monkeypatch.setattr(summary, "RESAMPLES", 50)
    z = known_scores()
    row = scores.feature_rows(z, 0)[-1]
    assert row[:2] == ("all", z.true.size)
    assert row[2] == pytest.approx(2.0, abs=0.05)
    assert row[3] == pytest.approx(0.0, abs=0.05)
    assert row[7] == pytest.approx(0.5, abs=0.03)
    assert row[8] < row[7] < row[9]
    assert row[11] == pytest.approx(1.0, abs=0.05)
    held = scores.held_rows(z, 0)[-1]
    assert held[2] == pytest.approx(99.0, abs=1.0)
    assert held[8] == pytest.approx(80.0, abs=2.0)
    assert held[11] == pytest.approx(95.0, abs=1.0)


def test_a_predictor_that_nobody_has_is_left_out(monkeypatch):
    monkeypatch.setattr(summary, "RESAMPLES", 20)
    z = known_scores(n=20)
    z.calibrated[..., 0] = np.nan
    rows = scores.feature_rows(z, 0)
    assert [row[0] for row in rows] == [f.name for f in FEATURES[1:]] + ["all"]
    assert rows[-1][1] == 20 * 2 * (len(FEATURES) - 1)


def test_intervals_and_changes_are_of_those_with_both_answers(monkeypatch):
    monkeypatch.setattr(summary, "RESAMPLES", 50)

    def itself(found):
        return found

    found = [[(0.5, 0.2, 0.8)], [(0.5, 0.2, 0.8)], [], [(0.1, 0.0, 0.2)]]
    true = [[(0.6, 0.6, 0.6)], [(0.9, 0.9, 0.9)], [(0.1, 0.1, 0.1)], []]
    n, (share, low, high), width = answers.held(answers.Interval("x", 0.9, itself), found, true, 0)
    assert (n, share) == (2, 50.0)
    assert low < share < high
    assert width == pytest.approx(0.6)
    change, _ = answers.changes(itself, found, true)
    assert change == pytest.approx([0.1, 0.4])


def test_nobody_gives_no_figure():
    n, figures, width = answers.held(answers.Interval("x", 0.9, lambda p: p), [[]], [[]], 0)
    assert n == 0
    assert np.isnan([*figures, width]).all()
    assert np.isnan(answers.area(np.array([[0.3, 1.0], [0.4, 1.0]])))
    assert np.isnan(tables.brier(np.empty((0, 2))))


def test_the_area_is_that_of_the_page_of_the_classification():
    rng = np.random.default_rng(3)
    patient = np.arange(40) % 3 == 0
    score = np.round(rng.normal(0.7 * patient), 1)  # with ties
    assert answers.area(np.column_stack([score, patient])) == pytest.approx(
        areas(score, patient).auc[0]
    )


def test_signs_are_sorted_by_what_was_said_of_them(monkeypatch):
    monkeypatch.setattr(summary, "RESAMPLES", 50)
    nobody: list = []
    one = answers.Reasons(
        "a", [[(0.5, 0.0), (1.0, 1.0)], nobody], [[], []], np.array([3.0, np.nan])
    )
    two = answers.Reasons("b", [[(0.6, 1.0)], [(0.85, 1.0)]], [[], []], np.array([1.0, 3.0]))
    rows = {row[0]: row for row in answers.sign_rows([one, two], 0)}
    assert rows["a"][1:4] == (2, 75.0, 50.0)
    assert rows["all"][1] == 4
    assert rows["said of 0 to below 70 %"][1:4] == (2, pytest.approx(55.0), 50.0)
    assert rows["said of 80 to below 90 %"][1:4] == (1, 85.0, 100.0)
    assert rows["said of 99 to 100 %"][1] == 1
    assert rows["said of 70 to below 80 %"][1] == 0
    first, second = answers.place_rows([one, two], 0)
    assert first[:3] == ("a", 1, 100.0)
    assert (second[1], second[2], second[5]) == (2, 50.0, 2.0)


def test_a_tiny_cohort_makes_the_whole_page(folder, norms, monkeypatch):
    monkeypatch.setattr(summary, "RESAMPLES", 30)
    found = page.chain_page(folder, norms, read_models())
    assert found.kind == "simulated"
    assert found.seed == SEED
    by_name = {table.name: table for table in found.tables}
    for table in found.tables:
        assert all(len(row) == len(table.columns) for row in table.rows)
    parts = by_name["answers"]
    alone, calibrated = (parts.columns.index(name) for name in ("images alone", "calibrated"))
    consistency = parts.rows[0]
    # Without the size of the head no volume has a score.
    assert consistency[alone] == 0.0 < consistency[calibrated]
    assert any("100 ms" in text for text, _ in found.marks)
    assert any("ECE" in text and "exactly right" in text for text, _ in found.marks)
    assert found.notes[0].startswith("NOT INDEPENDENT")
    measured = [passed for text, passed in found.marks if "interval of probability of ALS" in text]
    assert measured in ([True], [False])
    assert any("another tool" in note for note in found.notes)


def test_a_part_without_a_model_is_not_measured(folder, norms, monkeypatch):
    monkeypatch.setattr(summary, "RESAMPLES", 5)
    models = dataclasses.replace(
        read_models(), survival=None, stage=None, absent={"survival": "x", "stage": "x"}
    )
    found = page.chain_page(folder, norms, models)
    passed = {text.split(":")[0]: mark for text, mark in found.marks}
    assert passed["King's stage from images beats the shares of the stages"] is None
    assert all(mark is None for text, mark in passed.items() if "risk" in text)
    rows = next(table for table in found.tables if table.name == "answers").rows
    assert any("survival-no-model" in row[-1] for row in rows)
