"""What a data manager may hand over: nothing is lost, and everything odd is named."""

import csv
import gzip
import json
import os
import shutil
from types import SimpleNamespace

import pytest

from BrainstemALSLib.cohort import dask_cluster, out_folder
from BrainstemALSLib.cohort.discovery import find_visits
from BrainstemALSLib.cohort.forget import forget
from BrainstemALSLib.cohort.job import FAILED, Outcome
from BrainstemALSLib.cohort.participant_level import collect_only
from BrainstemALSLib.cohort.results_said import say_lost_diffusion, say_outdated, say_same_image
from BrainstemALSLib.cohort.run_record import (
    inputs_of,
    read_record,
    record_path,
    voxels_of,
    write_record,
)
from BrainstemALSLib.cohort.settings import Settings
from BrainstemALSLib.errors import BrainstemALSError, ExitCode
from Testing.cohort import light


def problems(remarks):
    return [remark.problem for remark in remarks]


def recorded(root, out):
    """Records of every visit, as a run leaves them, without any run."""
    found, settings = [], Settings()
    for visit in find_visits(root, []):
        record_path(out, visit).parent.mkdir(parents=True, exist_ok=True)
        write_record(visit, out, settings, inputs_of(visit, root), [], 1.0)
        found.append(read_record(record_path(out, visit)))
    return found


def test_folders_that_are_no_participants_are_counted_and_not_called_by_name(tmp_path):
    root, remarks = light.dataset(tmp_path, 1), []
    for name in ("sub-Jane Doe", "Sub_02", "sub-01/ses-1 old", "subject3"):
        (root / name).mkdir()
    assert [visit.key for visit in find_visits(root, remarks)] == ["sub-01_ses-01"]
    assert any("begin with sub" in text and "(3)" in text for text in problems(remarks))
    assert any("begin with ses" in text and "(1)" in text for text in problems(remarks))
    assert "Jane" not in str(remarks)


def test_an_image_named_after_another_participant_is_nobodys(tmp_path):
    root, remarks = light.dataset(tmp_path, 2, 2), []
    (image,) = (root / "sub-01" / "ses-02").rglob("*_T1w.nii.gz")
    image.rename(image.with_name("sub-02_ses-02_T1w.nii.gz"))
    (image,) = (root / "sub-02" / "ses-01").rglob("*_T1w.nii.gz")
    image.rename(image.with_name("sub-02_ses-02_T1w.nii.gz"))
    (image,) = (root / "sub-02" / "ses-02").rglob("*_T1w.nii.gz")
    image.rename(image.with_name("sub-02_T1w.nii.gz"))
    found = {visit.key: visit.has_t1 for visit in find_visits(root, remarks)}
    assert found == {
        "sub-01_ses-01": True, "sub-01_ses-02": False,
        "sub-02_ses-01": False, "sub-02_ses-02": True,
    }  # fmt: skip
    named = [r for r in remarks if "named after another" in r.problem]
    assert [(r.participant, r.session) for r in named] == [
        ("sub-01", "ses-02"),
        ("sub-02", "ses-01"),
    ]


@pytest.mark.parametrize(
    "pointer",
    ["/annex/objects/MD5E-s9--a.nii.gz\n", "version https://git-lfs.github.com/spec/v1\n"],
)
def test_what_was_not_fetched_is_not_there(tmp_path, pointer):
    root, remarks = light.dataset(tmp_path, 1), []
    (image,) = root.rglob("*_T1w.nii.gz")
    image.write_text(pointer)
    maps = root / "derivatives" / "fit" / "sub-01" / "ses-01" / "dwi"
    maps.mkdir(parents=True)
    (maps / "sub-01_ses-01_FA.nii.gz").write_text(pointer)
    (visit,) = find_visits(root, remarks)
    assert (visit.has_t1, visit.fa) == (False, None)
    assert "an image is a link to a file that is not there" in problems(remarks)
    assert "a diffusion map is a link to a file that is not there" in problems(remarks)


def test_labels_that_differ_in_capitals_alone_are_named(tmp_path):
    root, remarks = light.dataset(tmp_path, 1), []
    (root / "sub-a1" / "anat").mkdir(parents=True)
    (root / "sub-A1" / "anat").mkdir(parents=True)
    if len(os.listdir(root)) < 5:
        pytest.skip("this file system does not keep them apart")
    find_visits(root, remarks)
    assert problems(remarks).count("two labels differ in capitals alone") == 2


def test_a_dataset_is_no_folder_for_results_and_nothing_of_it_is_lost(tmp_path, run):
    root, other = light.dataset(tmp_path / "bids", 1), light.dataset(tmp_path / "other", 1)
    before = {path: path.read_bytes() for path in other.rglob("*") if path.is_file()}
    for attempt in (
        lambda: run(root, other),
        lambda: forget(other, "sub-01"),
        lambda: collect_only(root, other, find_visits(root, []), []),
    ):
        with pytest.raises(BrainstemALSError, match="holds"):
            attempt()
    assert {path: path.read_bytes() for path in other.rglob("*") if path.is_file()} == before


def test_a_group_level_without_any_result_leaves_no_tables(tmp_path):
    root, out = light.dataset(tmp_path / "bids", 1), tmp_path / "out"
    out.mkdir()
    with pytest.raises(BrainstemALSError, match="participant level first"):
        collect_only(root, out, find_visits(root, []), [])
    assert list(out.iterdir()) == []


def test_a_full_disk_ends_the_run_instead_of_failing_every_visit(tmp_path, run, monkeypatch):
    root, out = light.dataset(tmp_path / "bids", 3), tmp_path / "out"
    asked = []

    class Full:
        def run(self, jobs):
            for job in jobs:
                asked.append(job.visit.key)
                yield Outcome(job.visit.key, FAILED, "no", "No.", int(ExitCode.OUTPUT_REFUSED))

    nothing = SimpleNamespace(free=0)
    monkeypatch.setattr(out_folder.shutil, "disk_usage", lambda path: nothing)
    with pytest.raises(BrainstemALSError, match="full") as refusal:
        run(root, out, runner=Full())
    assert refusal.value.code == ExitCode.OUTPUT_REFUSED
    assert asked == ["sub-01_ses-01"]
    assert list(out.rglob(".partial-*")) == []
    nothing.free = 1 << 40
    assert run(root, out, runner=Full())[0].count(FAILED) == 3


def test_an_image_packed_again_is_the_same_image(tmp_path):
    root, out, remarks = light.dataset(tmp_path / "bids", 3), tmp_path / "out", []
    images = sorted(root.rglob("*_T1w.nii.gz"))
    content = gzip.decompress(images[0].read_bytes())
    # Packed otherwise, and with another description in its header.
    images[1].write_bytes(gzip.compress(content[:148] + b"SOMEBODY" + content[156:], 1))
    assert voxels_of(images[0]) == voxels_of(images[1]) != voxels_of(images[2])
    plain = tmp_path / "t1.nii"
    plain.write_bytes(content)
    assert voxels_of(plain) == voxels_of(images[0])
    images[2].write_bytes(images[2].read_bytes()[:500])
    assert voxels_of(images[2]) == ""
    say_same_image(recorded(root, out), remarks)
    assert [(r.participant, r.problem) for r in remarks] == [
        ("sub-02", "its T1 is that of sub-01_ses-01, voxel for voxel")
    ]


def test_results_of_other_images_or_options_are_named_where_they_are_kept(tmp_path):
    root, out, remarks = light.dataset(tmp_path / "bids", 3), tmp_path / "out", []
    records = recorded(root, out)
    visits = find_visits(root, [])
    say_outdated(records, visits, root, remarks)
    assert remarks == []
    (image,) = (root / "sub-01").rglob("*_T1w.nii.gz")
    image.write_bytes(image.read_bytes() + b"0")
    write_record(visits[1], out, Settings(flip=False), inputs_of(visits[1], root), [], 1.0)
    records[1] = read_record(record_path(out, visits[1]))
    say_outdated(records, visits, root, remarks)
    assert [(r.participant, r.problem.split()[-1]) for r in remarks] == [
        ("sub-01", "since"), ("sub-02", "most"),
    ]  # fmt: skip


def test_diffusion_that_could_not_be_read_is_named_with_its_reason(tmp_path):
    root, out, remarks = light.dataset(tmp_path / "bids", 1), tmp_path / "out", []
    dwi = root / "sub-01" / "ses-01" / "dwi"
    dwi.mkdir()
    (dwi / "sub-01_ses-01_dwi.nii.gz").write_bytes(b"broken")
    (record,) = recorded(root, out)
    findings = [
        {"code": "resolution_coarse", "severity": "warning", "message": "No.", "action": "No."},
        {
            "code": "dwi_not_read",
            "severity": "warning",
            "message": "Cut off.",
            "action": "Copy it.",
        },
    ]
    quality = record.path.with_name("sub-01_ses-01_desc-brainstem_qc.json")
    quality.write_text(json.dumps({"findings": findings}))
    say_lost_diffusion(record, [{"measure": "fa"}], remarks)
    assert remarks == []
    say_lost_diffusion(record, [{"measure": "volume"}], remarks)
    (remark,) = remarks
    assert remark.problem == "its diffusion gave no measures: Cut off"
    assert remark.remedy == "Copy it."


def test_the_summary_says_where_diffusion_was_not_used(tmp_path, run):
    root, out = light.dataset(tmp_path / "bids", 1), tmp_path / "out"
    dwi = root / "sub-01" / "ses-01" / "dwi"
    dwi.mkdir()
    (dwi / "sub-01_ses-01_dwi.nii.gz").write_bytes(b"broken")
    summary, _ = run(root, out)
    assert [row["diffusion"] for row in summary.rows] == ["series, not used"]
    assert any("its diffusion gave no measures" in text for text in problems(summary.remarks))


def test_the_summary_holds_everybody_whom_anything_names(tmp_path, run):
    root, out = light.dataset(tmp_path / "bids", 2), tmp_path / "out"
    shutil.rmtree(root / "sub-01" / "ses-01" / "anat")
    (root / "sub-01" / "ses-01" / "anat").mkdir()
    shutil.rmtree(root / "sub-02" / "ses-01")
    (root / "sub-02" / "sub-02_sessions.tsv").write_text("session_id\nses-09\n")
    with (root / "participants.tsv").open("a") as table:
        table.write("sub-77\tHC\t60\tM\tA\n")
    summary, _ = run(root, out)
    with (out / "summary.tsv").open(newline="") as handle:
        found = [tuple(row.values())[:3] for row in csv.DictReader(handle, delimiter="\t")]
    assert found == [
        ("sub-01", "ses-01", "no T1"),
        ("sub-02", "ses-01", "no T1"),
        ("sub-02", "ses-09", "no images"),
        ("sub-77", "n/a", "no images"),
    ]
    assert list(summary.cohort.participants.participant_id) == ["sub-01", "sub-02", "sub-77"]


def test_a_cluster_without_workers_is_not_waited_for_all_night(monkeypatch):
    monkeypatch.setattr(dask_cluster, "_LOOK_S", 0.0)
    monkeypatch.setattr(dask_cluster, "_NOBODY_S", 0.3)
    workers = {"a": 1}
    client = SimpleNamespace(scheduler_info=lambda: {"workers": workers})
    dask_cluster._wait_for(SimpleNamespace(has_ready=lambda: True), client)
    turns = iter([False, False, False, True])
    dask_cluster._wait_for(SimpleNamespace(has_ready=lambda: next(turns)), client)
    workers.clear()
    with pytest.raises(BrainstemALSError, match="no workers any more"):
        dask_cluster._wait_for(SimpleNamespace(has_ready=lambda: False), client)
