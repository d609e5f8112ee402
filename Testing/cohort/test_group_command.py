"""The level group: with a dataset, with tables alone, and which options it reads."""

import hashlib
import shutil

import pytest
from typer.testing import CliRunner

from BrainstemALSLib.cli.app import app
from BrainstemALSLib.cli.cohort_summary import GROUP_PARTS
from BrainstemALSLib.cohort.collect import describe
from BrainstemALSLib.cohort.out_folder import LOCK, only_run
from BrainstemALSLib.cohort.tables import read_foreign, write_cohort
from BrainstemALSLib.cohort_analysis import group
from BrainstemALSLib.errors import ExitCode
from BrainstemALSLib.file_lock import FileLock
from BrainstemALSLib.longitudinal.writing import TEMPLATE, names_of
from Testing.cohort import light
from Testing.cohort_analysis.small_cohort import small_cohort


def command(*words):
    return CliRunner().invoke(app, [str(word) for word in words])


def contents(folder):
    return {
        path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in folder.rglob("*") if path.is_file()
    }  # fmt: skip


@pytest.fixture
def tables(tmp_path):
    """Tables of a cohort that nobody describes."""
    cohort = small_cohort(1, {"HC": 12, "ALS": 14}, {"ALS": -0.9}, structures=("medulla",))
    write_cohort(cohort, tmp_path / "tables")
    return tmp_path / "tables"


@pytest.fixture
def analysed(monkeypatch):
    """Stand in for the analysis: what it was given, and whether another run could have begun."""
    calls = []

    def run_group(cohort, out, options, say, changes):
        say(GROUP_PARTS[-1])
        free = FileLock(out.parent / LOCK).acquire()
        calls.append((cohort, out, options, changes, free))
        return [out / "group.html"]

    monkeypatch.setattr(group, "run_group", run_group)
    return calls


def test_tables_alone_are_analysed_and_not_touched(tmp_path, tables):
    pytest.importorskip("statsmodels", reason="statsmodels is not installed")
    before = contents(tables)
    out = tmp_path / "out"
    ended = command("cohort", tables, out, "group", "--permutations", "0")
    assert ended.exit_code == ExitCode.OK, ended.stderr
    assert contents(tables) == before
    assert {path.name for path in out.iterdir()} == {"group", "logs"}
    forgetting = command("cohort-forget", out, "--participant", "01", "--yes")
    assert "nothing here tells who took part in the group results" in forgetting.stderr
    assert "not stated" in (out / "group" / "group_comparisons.tsv").read_text()
    said = [line for line in ended.stdout.split("\n") if line.startswith("Part ")]
    assert said[0] == f"Part 1 of {len(GROUP_PARTS)}: {GROUP_PARTS[0]}"
    assert {line.split(": ")[1] for line in said} <= set(GROUP_PARTS)
    assert said[-1].startswith(f"Part {len(GROUP_PARTS)} of")
    assert len(said) > 4


def test_a_run_s_own_tables_may_be_analysed_without_the_dataset(tmp_path, run, analysed):
    root, out = light.dataset(tmp_path / "bids", 2, source="simulated"), tmp_path / "out"
    run(root, out)
    shutil.rmtree(root)
    # The average of a participant's visits is called T1w and is no image of a dataset.
    name = names_of("sub-01_ses-longitudinal")[TEMPLATE]
    assert name.endswith("_T1w.nii.gz")
    template = out / "sub-01" / "ses-longitudinal" / "anat" / name
    template.parent.mkdir(parents=True)
    template.write_bytes(b"x")
    before = contents(out)
    for place in (out, tmp_path / "elsewhere"):
        ended = command("cohort", out, place, "group")
        assert ended.exit_code == ExitCode.OK, ended.stderr
        cohort, where, options, changes, _ = analysed[-1]
        assert set(cohort.measures.participant_id) == {"sub-01", "sub-02"}
        assert (where, changes, options.source) == (place / "group", out, "simulated")
    assert contents(out) == before


def test_a_folder_of_another_cohort_takes_no_group_results(tmp_path, run, tables, analysed):
    root, out = light.dataset(tmp_path / "bids", 1), tmp_path / "out"
    run(root, out)
    for place, words in (
        (out, "another cohort"),
        (tables, "not a result"),
        (tables / "x", "among"),
    ):
        ended = command("cohort", tables, place, "group")
        assert ended.exit_code == ExitCode.OUTPUT_REFUSED
        assert words in ended.stderr
    assert analysed == []
    assert not (tables / "logs").exists()
    assert not (tables / "x").exists()


def test_images_come_before_tables(tmp_path, run, tables, analysed):
    root, out = light.dataset(tmp_path / "bids", 1), tmp_path / "out"
    run(root, out)
    for name in ("visits.tsv", "measures.tsv"):
        shutil.copy(tables / name, root / name)
    assert command("cohort", root, out, "group").exit_code == ExitCode.OK
    assert set(analysed[-1][0].measures.participant_id) == {"sub-01"}


def test_tables_alone_are_refused_where_images_are_needed(tmp_path, tables):
    ended = command("cohort", tables, tmp_path / "out", "participant")
    assert ended.exit_code == ExitCode.USAGE
    assert "no images" in ended.stderr
    (tables / "measures.tsv").write_text("participant_id\tsession_id\tvalue\nsub-1\tses-1\t1,5\n")
    ended = command("cohort", tables, tmp_path / "out", "group")
    assert ended.exit_code == ExitCode.UNREADABLE_IMAGE
    assert "value in row 2 is no number" in ended.stderr
    assert not (tmp_path / "out").exists()


def test_columns_that_may_be_empty_may_be_absent(tables):
    whole = read_foreign(tables)
    text = (tables / "measures.tsv").read_text().split("\n")
    few = ["\t".join(line.split("\t")[:5]) for line in text]
    (tables / "measures.tsv").write_text("\n".join(few))
    found = read_foreign(tables).measures
    assert sorted(found) == sorted(whole.measures)
    assert found.uncertainty.isna().all()
    assert found.value.notna().all()
    # Without an age nothing can be compared: that is for the analysis to say.
    (tables / "participants.tsv").write_text("participant_id\tgroup\nsub-1\tALS\n")
    assert "age" not in read_foreign(tables).participants


@pytest.mark.parametrize("option", [["--participant-label", "01"], ["--session-label", "1"],
                                    ["--redo"]])  # fmt: skip
def test_options_that_would_choose_other_results_are_refused(tmp_path, tables, option):
    ended = command("cohort", tables, tmp_path / "out", "group", *option)
    assert ended.exit_code == ExitCode.USAGE
    assert option[0] in ended.stderr
    assert not (tmp_path / "out").exists()


def test_other_options_that_a_level_does_not_read_are_named(tmp_path, tables, analysed):
    words = ["--n-procs", "2", "--no-flip", "--diffusion", "none", "--seed", "3"]
    ended = command("cohort", tables, tmp_path / "out", "group", *words)
    assert ended.exit_code == ExitCode.OK
    said = "Not used at the level group with tables alone: --n-procs, --flip, --diffusion."
    assert said in ended.stderr.replace("\n", " ")
    assert analysed[-1][2].seed == 3
    light.dataset(tmp_path / "bids", 1)
    words = ["--harmonise", "combat", "--participant-label", "77"]
    ended = command("cohort", tmp_path / "bids", tmp_path / "out2", "participant", *words)
    assert "Not used at the level participant: --harmonise." in ended.stderr
    assert "Not used" not in command("cohort", tmp_path, tmp_path / "out3", "group").stderr


def test_nobody_else_runs_in_the_folder_while_it_is_analysed(tmp_path, run, analysed):
    root, out = light.dataset(tmp_path / "bids", 2), tmp_path / "out"
    run(root, out)
    assert command("cohort", root, out, "group").exit_code == ExitCode.OK
    assert command("cohort", out, out, "group").exit_code == ExitCode.OK
    assert [call[-1] for call in analysed] == [False, False]
    with only_run(out):
        for source in (root, out):
            ended = command("cohort", source, out, "group")
            assert ended.exit_code == ExitCode.OUTPUT_REFUSED
            assert "another run" in ended.stderr
    assert len(analysed) == 2


def test_a_dataset_written_in_another_way_has_not_changed(tmp_path, run, analysed, monkeypatch):
    root, out = light.dataset(tmp_path / "bids", 2), tmp_path / "out"
    run(root, out)
    monkeypatch.chdir(tmp_path)
    (tmp_path / "link").symlink_to(root)
    (tmp_path / "out-link").symlink_to(out)
    for source, place in ((root, out), ("bids", "out"), ("link", "out-link")):
        ended = command("cohort", source, place, "group")
        assert ended.exit_code == ExitCode.OK, ended.stderr
        assert "changed since" not in ended.stdout
        assert "incomplete" not in ended.stdout
    light.write_t1(root / "sub-01" / "ses-01", "sub-01_ses-01", seed=99)
    assert "changed since" in command("cohort", "bids", "out", "group").stdout


def test_a_described_folder_without_source_is_taken_for_real_people(tmp_path, tables, analysed):
    describe(tables, simulated=False)
    command("cohort", tables, tmp_path / "out", "group")
    describe(tables, simulated=True)
    command("cohort", tables, tmp_path / "out", "group")
    assert [call[2].source for call in analysed] == ["real", "simulated"]
