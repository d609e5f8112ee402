import shutil

import pytest
from typer.testing import CliRunner

from BrainstemALSLib.cli.app import app
from BrainstemALSLib.cohort import machine, settings
from BrainstemALSLib.errors import ExitCode
from Testing.cohort import light


def command(*words):
    return CliRunner().invoke(app, [str(word) for word in words])


def test_labels_may_follow_each_other_as_bids_apps_take_them(tmp_path):
    light.dataset(tmp_path / "bids", 1)
    words = [tmp_path / "bids", tmp_path / "out", "participant", "--skip-bids-validation"]
    for labels in (["01", "77", "88"], ["sub-01,77", "88"], ["77", "--participant_label", "88"]):
        ended = command("cohort", *words, "--participant-label", *labels)
        assert ended.exit_code == ExitCode.USAGE
        assert "the dataset has no sub-77, sub-88" in ended.stderr
    assert not (tmp_path / "out").exists()
    ended = command("cohort", "--participant-label", "77", *words)
    assert "the dataset has no sub-77" in ended.stderr


@pytest.mark.parametrize("words", [["participants"], [], ["participant", "--n-procs", "0"]])
def test_wrong_usage_is_refused(tmp_path, words):
    assert command("cohort", tmp_path, tmp_path / "out", *words).exit_code == ExitCode.USAGE


def test_a_folder_that_is_no_dataset_is_one_sentence(tmp_path):
    ended = command("cohort", tmp_path, tmp_path / "out", "participant")
    assert ended.exit_code == ExitCode.USAGE
    assert "no folders of participants" in ended.stderr
    ended = command("cohort", tmp_path / "none", tmp_path / "out", "group")
    assert "no such folder" in ended.stderr


def test_the_group_level_says_what_is_missing_and_goes_on(tmp_path, run):
    pytest.importorskip("statsmodels", reason="statsmodels is not installed")
    root, out = light.dataset(tmp_path / "bids", 3), tmp_path / "out"
    run(root, out, participants=["01", "02"])
    ended = command("cohort", root, out, "group", "--permutations", "0")
    assert "1 of 3 visits have no results" in ended.stdout
    # Two people are too few to analyse: a refusal or a report that says so, never a traceback.
    assert ended.exit_code in (ExitCode.OK, ExitCode.USAGE), ended.stderr
    shutil.rmtree(out)
    ended = command("cohort", root, out, "group")
    assert "participant level first" in ended.stderr


def test_forgetting_asks_first(tmp_path, run):
    root, out = light.dataset(tmp_path / "bids", 1), tmp_path / "out"
    run(root, out)
    assert command("cohort-forget", out, "--participant", "01").exit_code == 1
    assert (out / "sub-01").exists()
    ended = command("cohort-forget", out, "--participant", "01", "--yes")
    assert ended.exit_code == ExitCode.OK
    assert "next run makes these results again" in ended.stdout.replace("\n", " ")
    assert not (out / "sub-01").exists()


def test_settings_that_change_results_change_the_fingerprint():
    plain = settings.Settings(device="cpu")
    assert plain.fingerprint() == settings.Settings(device="cuda").fingerprint()
    for changed in ({"flip": False}, {"models": (("locator", "0"),)}, {"motion": False}):
        assert settings.Settings(**changed).fingerprint() != plain.fingerprint()


def test_processes_are_as_many_as_memory_cores_and_gpus_bear(monkeypatch):
    monkeypatch.setattr(machine, "cores", lambda: 8)
    for gib, expected in ((1, 1), (5.1, 2), (100, 8)):
        monkeypatch.setattr(machine, "available_memory", lambda gib=gib: int(gib * 2**30))
        assert machine.processes_for(20) == expected
    assert machine.processes_for(3) == 3
    assert machine.processes_for(20, gpus=2) == 2
    assert machine.processes_for(20, wanted=12) == 12
    assert machine.processes_for(5, wanted=12) == 5
    monkeypatch.setattr(machine, "available_memory", lambda: None)
    assert machine.processes_for(20) == 1


def test_a_batch_jobs_memory_limit_counts(tmp_path):
    (tmp_path / "memory.max").write_text("1000\n")
    (tmp_path / "memory.current").write_text("400\n")
    assert machine._of_group(tmp_path) == 600
    (tmp_path / "memory.max").write_text("max\n")
    assert machine._of_group(tmp_path) is None


def test_gpus_are_those_that_may_be_used(monkeypatch):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "0, 3")
    assert machine.usable_gpus("auto") == ["0", "3"]
    assert machine.usable_gpus("cpu") == []
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "-1")
    assert machine.usable_gpus("cuda") == []
