import shutil
from pathlib import Path

import pytest

from BrainstemALSLib.cohort.forget import forget
from BrainstemALSLib.cohort.tables import read_cohort
from BrainstemALSLib.errors import BrainstemALSError, ExitCode
from BrainstemALSLib.file_lock import FileLock
from Testing.cohort import light


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("forget")


@pytest.fixture
def out(folder, tmp_path, run):
    """Results of sub-1 and sub-11, one of whom has failed before; group results; a log."""
    root, first = folder / "bids", folder / "out"
    if not first.exists():
        light.dataset(root, 0)
        for who in ("sub-1", "sub-11"):
            light.write_t1(root / who / "ses-01", f"{who}_ses-01", 3)
        (root / "participants.tsv").write_text("participant_id\tage\nsub-1\t4000\nsub-11\t70\n")
        run(root, first)
        (first / "group").mkdir()
        (first / "group" / "group.html").write_text("sub-1")
        (first / "logs" / "sub-1_ses-01.json").write_text("{}")
        (first / "logs" / "sub-11_ses-01.json").write_text("{}")
    shutil.copytree(first, tmp_path / "out")
    return tmp_path / "out"


def everything(out):
    """Names and contents of all files, but of the images, which name nobody."""
    return "".join(
        f"{path.relative_to(out)} {path.read_bytes() if path.suffix != '.gz' else b''}\n"
        for path in sorted(out.rglob("*"))
        if path.is_file()
    )


def test_the_folder_may_be_named_by_a_link(out, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "link").symlink_to("out")
    assert "sub-1" in forget(Path("link"), "1")
    assert not (out / "sub-1").exists()
    assert "sub-11" in forget(Path("out"), "11")
    assert (tmp_path / "link").is_symlink()


def test_nothing_of_a_participant_is_left_and_nothing_else_is_lost(out):
    assert "sub-1_" in everything(out)
    results = sorted((out / "sub-11").rglob("*"))
    changed = forget(out, "1")
    left = everything(out).replace("sub-11", "")
    assert "sub-1" not in left
    assert sorted((out / "sub-11").rglob("*")) == results
    found = read_cohort(out)
    assert set(found.participants.participant_id) == {"sub-11"}
    assert set(found.measures.participant_id) == {"sub-11"}
    assert (out / "logs" / "sub-11_ses-01.json").exists()
    assert (out / "summary.tsv").read_text().count("sub-11\tses-01") == 1
    assert not (out / "group").exists()
    assert {"sub-1", "group", "measures.tsv", "remarks.tsv", "summary.tsv"} <= set(changed)


def test_it_can_be_done_again_after_an_interruption(out):
    saved = out.parent / "saved"
    shutil.copytree(out / "sub-1", saved)
    forget(out, "sub-1")
    shutil.copytree(saved, out / "sub-1")  # as if it had been killed before the images went
    assert forget(out, "sub-1") == ["sub-1"]
    assert not (out / "sub-1").exists()


def test_who_is_not_there_cannot_be_deleted(out, tmp_path):
    before = everything(out)
    for who in ("sub-2", "1x"):
        with pytest.raises(BrainstemALSError, match="nothing of this participant") as refusal:
            forget(out, who)
        assert refusal.value.code == ExitCode.USAGE
    assert everything(out) == before
    with pytest.raises(BrainstemALSError, match="no such folder"):
        forget(tmp_path / "nowhere", "1")


def test_a_damaged_table_or_one_that_is_missing_keeps_nobody(out):
    (out / "measures.tsv").unlink()
    (out / "visits.tsv").write_bytes(
        b"participant_id\tsession_id\n\xffsub-1\tses-01\nsub-1\tses-01\n"
    )
    (out / "changes.tsv").write_text("participant_id\tstructure\nsub-1\tpons\nsub-11\tpons\n")
    forget(out, "sub-1")
    assert "sub-1" not in everything(out).replace("sub-11", "")
    assert "sub-11" in (out / "participants.tsv").read_text()
    assert (out / "changes.tsv").read_text().count("sub-11") == 1
    assert not (out / "measures.parquet").exists()


def test_who_is_still_worked_on_is_not_half_deleted(out):
    before = everything(out)
    (out / "logs" / "locks").mkdir(exist_ok=True)
    with FileLock(out / "logs" / "locks" / "sub-1_ses-01.lock"):
        with pytest.raises(BrainstemALSError, match="still works on this participant") as refusal:
            forget(out, "sub-1")
        assert refusal.value.code == ExitCode.OUTPUT_REFUSED
        forget(out, "sub-11")
    assert (out / "sub-1" / "ses-01").is_dir()
    assert "sub-11" not in everything(out)
    assert len(everything(out)) < len(before)
