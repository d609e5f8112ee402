"""A whole study in miniature: it is resumed, it is nested, and its page says what it found."""

import csv
import dataclasses

import pytest

from BrainstemALSLib.errors import BrainstemALSError
from training.experiments import curve, page, supervised
from training.experiments.store import Result
from training.experiments.study import Study

from .conftest import tiny_settings


def test_larger_budgets_hold_the_smaller_ones(study):
    few, more, all_of_them = study.budgets()
    assert (len(few), len(more), len(all_of_them)) == (1, 3, 5)
    assert set(few) < set(more) < set(all_of_them)
    assert not set(all_of_them) & set(study.held_out_cases)


def test_budgets_that_are_the_same_are_done_once(study):
    again = Study(dataclasses.replace(study.settings, budgets=(1, 5, 20, "all")))
    assert [len(cases) for cases in again.budgets()] == [1, 5]


@pytest.fixture
def counted(monkeypatch):
    """Names of the runs that are fitted, in order."""
    names = []
    from training.experiments import few_shot, fitting, mean_teacher, pretrain, transfer

    def fit(name, *arguments):
        names.append(name)
        return fitting.fit(name, *arguments)

    for module in (few_shot, mean_teacher, pretrain, supervised, transfer):
        monkeypatch.setattr(module, "fit", fit)
    return names


def test_a_study_is_done_once_and_its_page_holds_every_run(study, counted, tmp_path):
    runs = curve.all_runs(study)
    study.perform_all(runs)
    fitted = list(counted)
    assert len(fitted) == len(set(fitted)) == 3 + 3 * 3 + 2 + 2
    study.perform_all(runs)
    assert counted == fitted

    (study.folder / "transfer-03.json").unlink()
    Study(study.settings).perform_all(runs)
    assert counted == [*fitted, "transfer-03"]

    curve.write(study, tmp_path / "page")
    text = (tmp_path / "page" / "tiny.md").read_text(encoding="utf-8")
    assert "Not finished" not in text
    assert "not measured" in text  # no budget of 5 with another above it
    assert (tmp_path / "page" / "tiny_curve.png").stat().st_size > 5000
    with (tmp_path / "page" / "tiny_curve.tsv").open(newline="", encoding="utf-8") as handle:
        rows = list(csv.DictReader(handle, delimiter="\t"))
    assert len(rows) == len([run for run in runs if run.predictor])
    by_name = {(row["method"], row["labelled anatomies"]): row for row in rows}
    assert by_name["transfer", "1"]["steps of pretraining"] == "2"
    assert by_name["scratch", "1"]["steps of pretraining"] == "0"
    for row in rows:
        assert 0 <= float(row["Dice, tier A"]) <= 1
    last, average = by_name["no_averaging", "5"], by_name["scratch", "5"]
    assert last["core seconds"] == average["core seconds"]


def test_scores_are_done_again_without_training_when_only_they_change(study, counted):
    run = supervised.runs(study)[0]
    study.perform(run)
    images = dataclasses.replace(study.settings.images, held_out_renders=2)
    other = Study(dataclasses.replace(study.settings, images=images))
    assert other.finished(run) is None
    result = other.perform(run)
    assert counted == [run.name]
    assert other.finished(run).scores == result.scores


def test_what_a_run_does_not_depend_on_does_not_undo_it(study):
    run = supervised.runs(study)[0]
    plan = dataclasses.replace(study.settings.transfer, steps=99)
    assert Study(dataclasses.replace(study.settings, transfer=plan)).fingerprint(
        run
    ) == study.fingerprint(run)
    plan = dataclasses.replace(study.settings.training, steps=99)
    other = Study(dataclasses.replace(study.settings, training=plan))
    assert other.fingerprint(supervised.runs(other)[0]) != study.fingerprint(run)


def test_a_page_without_results_is_refused(study, tmp_path):
    with pytest.raises(BrainstemALSError, match="no run of this study"):
        curve.write(study, tmp_path)


def test_without_anatomies_the_study_says_what_to_do(study, monkeypatch, tmp_path):
    monkeypatch.setenv("BRAINSTEM_ALS_DATA", str(tmp_path / "empty"))
    with pytest.raises(BrainstemALSError, match="make atlas"):
        _ = Study(tiny_settings()).training_cases


def result(method, labelled, dice):
    key = "red_nucleus_left"  # tier A
    scores = {"a": {key: dice - 0.01}, "b": {key: dice + 0.01}}
    return Result(f"{method}-{labelled}", method, labelled, "", 1, 1.0, scores=scores)


@pytest.mark.parametrize(("few", "passed"), [(0.79, True), (0.70, False)])
def test_the_mark_compares_the_best_of_both(few, passed):
    results = [
        result("scratch", 5, 0.99),  # has no pretraining
        result("transfer", 5, few),
        result("self_supervised", 5, 0.5),
        result("scratch", 73, 0.8),
        result("transfer", 73, 0.7),
        result("hierarchy", 73, 0.95),  # is no method of the curve
    ]
    text, reached = page.mark_few_labels(results)
    assert reached is passed
    assert f"{100 * few / 0.8:.1f} %" in text


def test_a_gain_is_paired_by_subject():
    gain = page.gain(result("transfer", 5, 0.7), result("scratch", 5, 0.6), 1)
    assert (gain.mean, gain.low, gain.high) == pytest.approx((0.1, 0.1, 0.1))
