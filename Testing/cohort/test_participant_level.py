import csv
import json
import os
import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from BrainstemALSLib.cohort.discovery import find_visits
from BrainstemALSLib.cohort.job import Job, run_job
from BrainstemALSLib.cohort.participant_level import collect_only, only_run
from BrainstemALSLib.cohort.settings import Settings, model_checksums
from BrainstemALSLib.cohort.tables import read_cohort
from BrainstemALSLib.errors import BrainstemALSError, ExitCode
from BrainstemALSLib.imaging.volume import Volume
from BrainstemALSLib.imaging.writing import write_volume
from Testing.cohort import light


def rows(path):
    with path.open(newline="") as handle:
        return list(csv.DictReader(handle, delimiter="\t"))


@pytest.fixture(scope="module")
def done(tmp_path_factory):
    """Two participants with two visits each, processed once; copied for who changes something."""
    folder = tmp_path_factory.mktemp("cohort")
    root, out = light.dataset(folder / "bids", 2, 2, source="simulated"), folder / "out"
    settings = Settings(device="cpu", models=model_checksums(None), segmenter=light.HERE)
    for visit in find_visits(root, []):
        out.mkdir(exist_ok=True)
        assert run_job(Job(root.resolve(), out.resolve(), visit, settings)).status == "done"
    return root, out


@pytest.fixture
def copy(done, tmp_path):
    for name, folder in zip(("bids", "out"), done, strict=True):
        shutil.copytree(folder, tmp_path / name)
    return tmp_path / "bids", tmp_path / "out"


def test_tables_hold_every_visit_and_say_that_people_are_simulated(copy, run):
    root, out = copy
    summary, processed = run(root, out)
    assert processed == []
    assert summary.count("unchanged") == 4
    found = read_cohort(out)
    assert found.simulated
    assert json.loads((out / "dataset_description.json").read_text())["simulated"] is True
    assert list(found.participants.participant_id) == ["sub-01", "sub-02"]
    assert list(found.visits.months) == [0, 6, 0, 6]
    visits = set(zip(found.measures.participant_id, found.measures.session_id, strict=True))
    assert len(visits) == 4
    brainstem = found.measures.query("structure == 'brainstem' and measure == 'volume'")
    # Four blocks of 3 x 16 x 16 voxels of 8 mm3, of probability 0.95.
    assert brainstem.value.to_list() == pytest.approx([4 * 3 * 16 * 16 * 8 * 0.95] * 4, rel=1e-3)
    assert set(brainstem.unit) == {"mm3"}
    assert {row["status"] for row in rows(out / "summary.tsv")} == {"done"}


def test_tables_are_the_same_to_the_byte_when_built_again(copy, run):
    root, out = copy
    run(root, out)
    names = ("participants.tsv", "visits.tsv", "measures.tsv", "measures.parquet", "summary.tsv")
    before = {name: (out / name).read_bytes() for name in names if (out / name).exists()}
    for name in before:
        (out / name).unlink()
    collect_only(root, out, find_visits(root, []), [])
    assert {name: (out / name).read_bytes() for name in before} == before
    assert "measures.tsv" in before


def test_only_what_changed_is_done_again(copy, run, settings):
    root, out = copy
    light.write_t1(root / "sub-01" / "ses-02", "sub-01_ses-02", seed=99)
    _, processed = run(root, out)
    assert processed == ["sub-01_ses-02"]
    _, processed = run(root, out)
    assert processed == []
    (image,) = (root / "sub-02" / "ses-01" / "anat").glob("*_T1w.nii.gz")
    os.utime(image, (1, 1))  # touched, but the same
    (out / "sub-02" / "ses-02" / "anat" / "sub-02_ses-02_desc-brainstem_volumes.tsv").unlink()
    _, processed = run(root, out)
    assert processed == ["sub-02_ses-02"]
    _, processed = run(root, out, changed=replace(settings, flip=False), participants=["02"])
    assert processed == ["sub-02_ses-01", "sub-02_ses-02"]
    _, processed = run(root, out, redo=True, participants=["01"], sessions=["01"])
    assert processed == ["sub-01_ses-01"]


class Keeps:
    """Keeps the jobs and does none."""

    def run(self, jobs):
        self.jobs = list(jobs)
        return iter(())


def test_a_path_written_in_another_way_is_the_same_dataset(copy, run, tmp_path, monkeypatch):
    root, out = copy
    maps = root / "derivatives" / "p" / "sub-01" / "ses-01" / "dwi" / "sub-01_ses-01_FA.nii.gz"
    maps.parent.mkdir(parents=True)
    t1 = light.head(1)
    write_volume(Volume((t1.array / 300).clip(0, 1), t1.affine), maps)
    named = [root / "derivatives" / "p"]
    monkeypatch.chdir(tmp_path)
    (tmp_path / "link").symlink_to(root)
    (tmp_path / "out-link").symlink_to(out)
    _, processed = run(root, out, derivatives=named)
    assert processed == ["sub-01_ses-01"]  # it has a map now
    ways = [("bids", "out", "bids/derivatives/p"), ("link", "out-link", "link/derivatives/p")]
    for first, second, third in [*ways, ("./link/../bids", "out", "bids/derivatives/p")]:
        summary, processed = run(Path(first), Path(second), derivatives=[Path(third)])
        assert processed == []
        assert summary.count("unchanged") == 4
        assert not [r for r in summary.remarks if "changed since" in r.problem]
    # What another machine is sent does not depend on the folder that this one works in.
    keeps = Keeps()
    run(
        Path("link"),
        Path("out-link"),
        redo=True,
        runner=keeps,
        derivatives=[Path("link/derivatives/p")],
    )
    paths = [(job.root, job.out, job.visit.folder) for job in keeps.jobs]
    paths += [(job.visit.fa,) for job in keeps.jobs if job.visit.fa]
    assert len(paths) == 5
    assert all(path.is_absolute() for several in paths for path in several)


def test_results_of_an_image_that_was_replaced_do_not_outlive_it(copy, run):
    root, out = copy
    brighter = light.BRIGHT + 100
    light.write_t1(root / "sub-01" / "ses-01", "sub-01_ses-01", seed=98, brightest=brighter)
    summary, processed = run(root, out)
    assert processed == ["sub-01_ses-01"]
    assert summary.count("failed") == 1
    visits = read_cohort(out).measures.query("participant_id == 'sub-01'").session_id
    assert set(visits) == {"ses-02"}
    assert rows(out / "summary.tsv")[0]["status"] == "failed"


def test_other_models_make_everything_be_done_again(copy, run, settings):
    root, out = copy
    other = replace(settings, models=(("locator", "0" * 64), ("structures", "1" * 64)))
    with pytest.raises(BrainstemALSError, match="other models") as refusal:
        run(root, out, changed=other)
    assert refusal.value.code == ExitCode.MODEL_UNAVAILABLE


def test_a_bad_subject_stops_nobody_and_is_named_with_reason_and_remedy(tmp_path, run):
    root, out = light.dataset(tmp_path / "bids", 3), tmp_path / "out"
    (broken,) = root.glob("sub-01/ses-01/anat/*_T1w.nii.gz")
    broken.write_bytes(broken.read_bytes()[:1000])
    light.write_t1(root / "sub-02" / "ses-01", "sub-02_ses-01", 1, brightest=light.BRIGHT + 100)
    shutil.rmtree(root / "sub-03" / "ses-01" / "anat")
    (root / "sub-03" / "ses-01" / "dwi").mkdir()
    light.write_t1(root / "sub-04" / "ses-01", "sub-04_ses-01", 5)
    summary, processed = run(root, out)
    assert processed == ["sub-01_ses-01", "sub-02_ses-01", "sub-04_ses-01"]
    found = {row["participant_id"]: row for row in rows(out / "summary.tsv")}
    assert {who: row["status"] for who, row in found.items()} == {
        "sub-01": "failed", "sub-02": "failed", "sub-03": "no T1", "sub-04": "done",
    }  # fmt: skip
    assert found["sub-02"]["problem"] == "there is none"
    assert len(found["sub-01"]["problem"]) > 5
    assert found["sub-01"]["remedy"] != "n/a"
    assert summary.count("failed") == 2
    assert (out / "logs" / "sub-01_ses-01.json").is_file()
    assert set(read_cohort(out).measures.participant_id) == {"sub-04"}
    assert not (out / "sub-01").exists()
    light.write_t1(root / "sub-01" / "ses-01", "sub-01_ses-01", 5)
    summary, processed = run(root, out)
    assert processed == ["sub-01_ses-01", "sub-02_ses-01"]
    assert not (out / "logs" / "sub-01_ses-01.json").exists()
    # The T1 that was put there is that of sub-04: one person under two names, or a slip.
    said = [remark for remark in summary.remarks if "voxel for voxel" in remark.problem]
    assert [remark.participant for remark in said] == ["sub-04"]
    assert str(tmp_path) not in "".join(p.read_text() for p in out.glob("logs/*.json"))


def test_results_that_went_halfway_are_done_again(copy, run):
    root, out = copy
    folder = out / "sub-01" / "ses-01" / "anat"
    left = folder / ".partial-abc" / "new"
    left.mkdir(parents=True)
    (left / "sub-01_ses-01_desc-brainstem_dseg.nii.gz").write_bytes(b"half")
    (folder / "sub-01_ses-01_desc-brainstem_run.json").write_text("{")
    _, processed = run(root, out)
    assert processed == ["sub-01_ses-01"]
    assert not left.parent.exists()
    assert not (folder / "dataset_description.json").exists()


def test_two_runs_do_not_share_a_folder(copy, run):
    root, out = copy
    with only_run(out), pytest.raises(BrainstemALSError, match="another run") as refusal:
        run(root, out)
    assert refusal.value.code == ExitCode.OUTPUT_REFUSED
    assert run(root, out)[0].count("unchanged") == 4


def test_results_never_go_among_the_images(copy, run):
    root, _ = copy
    for out in (root, root / "sub-01"):
        with pytest.raises(BrainstemALSError, match="among the images"):
            run(root, out)
    assert run(root, root / "derivatives" / "ours", participants=["01"], sessions=["01"])[1]


def test_a_visit_without_its_series_is_named_like_the_others(tmp_path, run):
    root, out = light.dataset(tmp_path / "bids", 1), tmp_path / "out"
    (root / "sub-01" / "ses-01" / "dwi").mkdir()
    (root / "sub-01" / "ses-01" / "dwi" / "sub-01_ses-01_dwi.nii.gz").write_bytes(b"none")
    run(root, out, diffusion="none")
    assert [row["status"] for row in rows(out / "summary.tsv")] == ["done"]
    assert (out / "sub-01/ses-01/anat/sub-01_ses-01_desc-brainstem_run.json").is_file()


def test_results_of_people_who_left_the_dataset_are_named(copy, run):
    root, out = copy
    shutil.rmtree(root / "sub-02")
    (root / "participants.tsv").write_text("participant_id\tgroup\nsub-01\tALS\n")
    summary, _ = run(root, out)
    said = [r for r in summary.remarks if "cohort-forget" in r.remedy]
    assert [remark.participant for remark in said] == ["sub-02"]
    assert set(read_cohort(out).participants.participant_id) == {"sub-01", "sub-02"}
