"""Visits of a participant compared by the cohort runner: dates, persons, restarts, forgetting."""

import csv
import json
import shutil
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from typer.testing import CliRunner

from BrainstemALSLib.cli.app import app
from BrainstemALSLib.cohort import settings as settings_module
from BrainstemALSLib.cohort.changes import COLUMNS, PARQUET, TABLE, read_changes
from BrainstemALSLib.cohort.dask_cluster import DaskCluster
from BrainstemALSLib.cohort.discovery import find_visits
from BrainstemALSLib.cohort.forget import forget
from BrainstemALSLib.cohort.job import Job, run_job
from BrainstemALSLib.cohort.local import LocalPool
from BrainstemALSLib.cohort.longitudinal_level import (
    SESSION,
    Comparisons,
    Timed,
    comparison_path,
    read_comparison,
    scanners,
)
from BrainstemALSLib.cohort.participant_level import collect_only, run_participants
from BrainstemALSLib.cohort.run_record import all_records
from BrainstemALSLib.cohort.settings import Settings, model_checksums
from BrainstemALSLib.errors import BrainstemALSError, ExitCode
from BrainstemALSLib.imaging.writing import write_volume
from BrainstemALSLib.segmentation.locate import Location
from Testing.cohort import light
from Testing.longitudinal import heads

HERE = "Testing.cohort.test_longitudinal_level:HeadSegmenter"
POSES = ((1, -2, 1, 1, -1.5, 1), (-2, 1, 2, -1, 2, 0.5), (1, 1, -2, 0.5, -1, 2))
SETTINGS = Settings(device="cpu", models=model_checksums(None), segmenter=HERE)
GROUPS = "participant_id\tgroup\nsub-01\tALS\nsub-02\tALS\nsub-03\tALS\nsub-04\tHC\n"


class HeadSegmenter(heads.LightSegmenter):
    """Of the heads of Testing/longitudinal, as the runner makes its segmenters."""

    findings = ()
    loads = 0

    def __init__(self, device="auto", model_dir=None, flip=True):
        super().__init__()
        type(self).loads += 1
        self.identity = {
            role: {"name": role, "version": "1", "sha256": sha}
            for role, sha in model_checksums(model_dir)
        }

    def locate(self, exam):
        return Location(np.asarray(super().locate(exam).centre), 3e4, None)

    def segment(self, exam, progress=None, place=None):
        found = super().segment(exam, progress, place or self.locate(exam))
        return replace(found, intracranial_mm3=1.4e6, model=self.identity)


class Serial:
    """Runs jobs here, one after the other, and what they make ready after them."""

    def __init__(self):
        self.done = []

    def run(self, jobs, then=None):
        waiting = list(jobs)
        while waiting:
            job = waiting.pop(0)
            self.done.append(job.visit.key)
            outcome = run_job(job)
            waiting += then(outcome) if then else ()
            yield outcome


def visit(root, who, number, months, seed, loss=0.0, **shape):
    """Write one visit of a person (seed, shape) and its line in the table of sessions."""
    session = f"ses-{number:02d}"
    exam = heads.head(seed, POSES[number - 1], loss, noise_seed=number, **shape)
    folder = root / who / session / "anat"
    folder.mkdir(parents=True)
    write_volume(exam.t1, folder / f"{who}_{session}_T1w.nii.gz")
    table = root / who / f"{who}_sessions.tsv"
    before = table.read_text() if table.exists() else "session_id\tmonths\n"
    table.write_text(f"{before}{session}\t{months}\n")


def run(root, out, *, longitudinal=True, runner=None, redo=False, **search):
    remarks = []
    visits = find_visits(root, remarks, leave_out=out, **search)
    every = find_visits(root, [], leave_out=out)
    runner = runner or Serial()
    summary = run_participants(
        root, out, visits, every, SETTINGS, lambda jobs: runner, remarks=remarks, redo=redo,
        longitudinal=longitudinal,
    )  # fmt: skip
    return summary, getattr(runner, "done", None)


def said(summary, participant):
    return [r for r in summary.remarks if r.participant == participant and r.action == "left out"]


@pytest.fixture(scope="module")
def done(tmp_path_factory):
    """Four people: with loss; two persons under one id; a broken visit; two visits of one date."""
    folder = tmp_path_factory.mktemp("compared")
    root, out = light.dataset(folder / "bids", 0, source="simulated"), folder / "out"
    (root / "participants.tsv").write_text(GROUPS)
    visit(root, "sub-01", 1, 0, 1)
    visit(root, "sub-01", 2, 12, 1, 0.1)
    visit(root, "sub-02", 1, 0, 2)
    visit(root, "sub-02", 2, 6, 9, radii=heads.RADII * [1.3, 0.75, 0.9], fluid_mm=1.0)
    visit(root, "sub-03", 1, 0, 4)
    visit(root, "sub-03", 2, 6, 4)
    (broken,) = root.glob("sub-03/ses-02/anat/*_T1w.nii.gz")
    broken.write_bytes(broken.read_bytes()[:2000])
    visit(root, "sub-04", 1, 0, 5)
    visit(root, "sub-04", 2, 0, 5)
    before = HeadSegmenter.loads
    summary, jobs = run(root, out)
    assert HeadSegmenter.loads - before == 1, "one model for visits and comparisons"
    return root, out, summary, jobs


@pytest.fixture
def copy(done, tmp_path):
    for name, folder in zip(("bids", "out"), done[:2], strict=True):
        shutil.copytree(folder, tmp_path / name)
    return tmp_path / "bids", tmp_path / "out"


def test_a_person_is_compared_once_the_last_visit_has_ended(done):
    _, out, summary, jobs = done
    keys = [f"{who}_{SESSION}" for who in ("sub-01", "sub-02")]
    assert [key for key in jobs if SESSION in key] == keys
    assert jobs.index(keys[0]) > jobs.index("sub-01_ses-02")
    assert [(o.key, o.status) for o in summary.compared] == [
        (keys[0], "done"),
        (keys[1], "failed"),
    ]
    assert {record.session for record in all_records(out)} == {"ses-01", "ses-02"}


def test_the_table_has_the_loss_with_its_quality_and_says_simulated(done):
    _, out, summary, _ = done
    table = read_changes(out)
    assert tuple(table.columns) == COLUMNS
    assert table.attrs["simulated"]
    assert set(table.participant_id) == {"sub-01"}
    assert summary.changes == 1
    lower = table.query("structure == 'pyramid_left' and measure == 'volume'").iloc[0]
    assert lower.unit == "%/year"
    assert -11 < lower.change_per_year < -4
    assert lower.low < lower.change_per_year < lower.high
    assert lower.beyond_error == "yes"
    assert (lower.visits, lower.years) == (2, 1.0)
    measured = summary.cohort.measures
    at_visits = measured[(measured.participant_id == "sub-01") & (measured.measure == "volume")]
    rank = {"good": 0, "warning": 1, "bad": 2}
    worst = at_visits.groupby("structure").quality.agg(lambda words: max(words, key=rank.get))
    volumes = table[table.measure == "volume"].set_index("structure").quality
    assert volumes["pyramid_left"] == worst["pyramid_left"]
    about = json.loads(next(out.glob(f"sub-01/{SESSION}/anat/*_changes.json")).read_text())
    assert about["simulated"] is True


def test_who_is_not_compared_is_named_with_reason_and_remedy(done):
    _, out, summary, _ = done
    (two,) = said(summary, "sub-02")
    assert "no two of them show the same brainstem" in two.problem
    assert "one person" in two.remedy
    assert [r.session for r in said(summary, "sub-03")] == ["ses-02"]
    assert "no results of its own" in said(summary, "sub-03")[0].problem
    assert [r.session for r in said(summary, "sub-04")] == ["ses-01", "ses-02"]
    assert "same date" in said(summary, "sub-04")[0].problem
    with (out / "remarks.tsv").open(newline="") as handle:
        written = list(csv.DictReader(handle, delimiter="\t"))
    assert "sub-02" in {row["participant_id"] for row in written if "compared" in row["problem"]}
    assert not read_comparison(out, "sub-02")
    assert not list(out.rglob(".partial-*"))


def test_unchanged_people_are_skipped_and_the_table_is_the_same(copy):
    root, out = copy
    before = (out / TABLE).read_bytes()
    summary, jobs = run(root, out, participants=["01"])
    assert jobs == []
    assert [o.status for o in summary.compared] == ["unchanged"]
    assert (out / TABLE).read_bytes() == before
    (out / TABLE).unlink()
    collect_only(root, out, find_visits(root, []), [])
    assert (out / TABLE).read_bytes() == before


def test_another_date_or_a_lost_file_makes_a_person_be_compared_again(copy):
    root, out = copy
    (root / "sub-01" / "sub-01_sessions.tsv").write_text("session_id\tmonths\nses-01\t0\nses-02\t6")
    summary, jobs = run(root, out, participants=["01"], longitudinal=False)
    assert jobs == []
    assert "older than its visits" in said(summary, "sub-01")[0].problem
    assert not (out / TABLE).exists()
    comparison_path(out, "sub-01").with_name(".partial-x").mkdir()
    _, jobs = run(root, out, participants=["01"])
    assert jobs == [f"sub-01_{SESSION}"]
    assert set(read_changes(out).years) == {0.5}
    assert not list(out.rglob(".partial-*"))
    visits = find_visits(root, [], participants=["01"])
    people = Comparisons(root, out, visits, visits, SETTINGS, redo=False)
    assert (people.begin([]), len(people.unchanged)) == ([], 1)
    next(out.glob(f"sub-01/{SESSION}/anat/*_changes.tsv")).unlink()
    assert len(people.begin([])) == 1
    other = replace(SETTINGS, motion=False)
    assert len(Comparisons(root, out, visits, visits, other, redo=False).begin([])) == 1


def test_between_scanners_the_table_has_no_change(copy):
    root, out = copy
    for session, maker in (("ses-01", "A"), ("ses-02", "B")):
        path = root / "sub-01" / session / "anat" / f"sub-01_{session}_T1w.json"
        path.write_text(json.dumps({"Manufacturer": maker}))
    summary, _ = run(root, out, participants=["01"])
    table = read_changes(out)
    assert len(table) > 0
    assert table[["change_per_year", "se", "low", "high", "beyond_error"]].isna().all(axis=None)
    assert set(table.quality) <= {"warning", "bad"}
    assert table["mean"].notna().all()
    (remark,) = [r for r in summary.remarks if "no change is given" in r.problem]
    assert remark.problem.startswith("ses-01 and ses-02 differ in scanner or contrast")
    assert "measures.tsv" in remark.remedy
    # Its own results, as an earlier version left them, are not believed either.
    (own,) = out.glob(f"sub-01/{SESSION}/anat/*_changes.tsv")
    size = own.stat().st_size
    own.write_text(own.read_text().replace("%/year\tn/a", "%/year\t-10"))
    assert own.stat().st_size == size
    collect_only(root, out, find_visits(root, []), [])
    assert read_changes(out).change_per_year.isna().all()


def test_changes_of_a_visit_that_failed_afterwards_are_not_taken(copy):
    root, out = copy
    (image,) = root.glob("sub-01/ses-02/anat/*_T1w.nii.gz")
    image.write_bytes(image.read_bytes()[:2000])
    summary, jobs = run(root, out, participants=["01"])
    assert jobs == ["sub-01_ses-02"]
    assert summary.compared == ()
    problems = " ".join(remark.problem for remark in said(summary, "sub-01"))
    assert "no results of its own" in problems
    assert "older than its visits" in problems
    assert not (out / TABLE).exists()


def test_forgetting_deletes_changes_too(copy):
    _, out = copy
    changed = forget(out, "01")
    assert TABLE in changed
    assert read_changes(out).empty
    assert "sub-01" not in (out / TABLE).read_text()
    assert not (out / PARQUET).exists() or pd.read_parquet(out / PARQUET).empty
    assert not list(out.rglob("*sub-01*"))
    forget(out, "02")
    assert "sub-02" not in "".join(path.name for path in out.rglob("*"))


def test_a_damaged_table_is_one_sentence(tmp_path):
    assert read_changes(tmp_path).empty
    for text in ("participant_id\tse\nsub-01\t1\n", "\t".join(COLUMNS) + "\n" + "x\t" * 12 + "x\n"):
        (tmp_path / TABLE).write_text(text)
        with pytest.raises(BrainstemALSError, match="damaged"):
            read_changes(tmp_path)


def test_only_what_all_visits_state_tells_scanners_apart(tmp_path):
    root = light.dataset(tmp_path / "bids", 1, 2)
    visits = [Timed(visit, 0.0, "") for visit in find_visits(root, [])]
    assert scanners(visits) == [None, None]
    first, second = (
        next(timed.visit.folder.glob("anat/*.nii.gz")).with_name(f"{timed.visit.key}_T1w.json")
        for timed in visits
    )
    first.write_text(json.dumps({"Manufacturer": "A", "MagneticFieldStrength": 3}))
    second.write_text(json.dumps({"Manufacturer": "A"}))
    assert scanners(visits) == ["A", "A"]
    second.write_text(json.dumps({"Manufacturer": "A", "MagneticFieldStrength": 1.5}))
    assert scanners(visits) == ["A; 3", "A; 1.5"]
    second.write_text("{")
    assert scanners(visits) == [None, None]
    assert replace(visits[0], months=3.0).record()["months"] == 3.0


@pytest.fixture
def two_jobs(tmp_path, settings):
    """The jobs of two visits, the second of which is to follow the first."""
    root, out = light.dataset(tmp_path / "bids", 2), tmp_path / "out"
    out.mkdir()
    return [Job(root, out, visit, settings) for visit in find_visits(root, [])]


def follow(runner, first, second):
    then = {first.visit.key: [second]}
    return [
        (outcome.key, outcome.status)
        for outcome in runner.run([first], lambda outcome: then.pop(outcome.key, ()))
    ]


BOTH = [("sub-01_ses-01", "done"), ("sub-02_ses-01", "done")]


def test_a_process_takes_what_a_job_makes_ready(two_jobs):
    assert follow(LocalPool(1, 1), *two_jobs) == BOTH


@pytest.mark.filterwarnings("ignore::ResourceWarning", "ignore::DeprecationWarning")
def test_a_cluster_takes_what_a_job_makes_ready_with_one_model(two_jobs):
    distributed = pytest.importorskip("distributed", reason="dask.distributed is not installed")
    before = light.LightSegmenter.loads
    with distributed.LocalCluster(
        n_workers=1, threads_per_worker=1, processes=False, dashboard_address=":0"
    ) as cluster:
        assert follow(DaskCluster(cluster.scheduler_address, threads=1), *two_jobs) == BOTH
    assert light.LightSegmenter.loads - before <= 1


def test_the_command_compares_unless_told_not_to(tmp_path, monkeypatch):
    monkeypatch.setattr(settings_module, "SEGMENTER", light.HERE)
    root, out = light.dataset(tmp_path / "bids", 1, 2), tmp_path / "out"
    words = ["cohort", str(root), str(out), "participant", "--device", "cpu", "--n-procs", "1"]
    ended = CliRunner().invoke(app, [*words, "--no-longitudinal"])
    assert ended.exit_code == ExitCode.OK, ended.output
    assert "compared" not in ended.stdout
    ended = CliRunner().invoke(app, words)
    assert ended.exit_code == ExitCode.OK
    assert "sub-01_ses-longitudinal: done" in ended.stdout
    assert "0 visits processed, 2 unchanged" in ended.stdout
    assert "Visits compared: 1 participants, 0 unchanged, 0 failed" in ended.stdout
    assert set(read_changes(out).participant_id) == {"sub-01"}
