"""From a folder of exams to the list: what counts as an exam, what is printed, what is listed."""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np
import pytest
import torch

from BrainstemALSLib.anatomy import load_structures
from BrainstemALSLib.annotation.next_cases import read_next_cases, write_next_cases
from BrainstemALSLib.errors import BrainstemALSError, ExitCode
from BrainstemALSLib.segmentation.channels import CHANNELS
from training.active import next_cases as command
from training.active.members import changed, member_probabilities
from training.active.pool import Asked, PoolExam, exams_of
from training.active.summary import CaseSummary
from training.geometry_augmentation import Draw

KEYS = tuple(structure.key for structure in load_structures())
MODEL = {"structures": {"name": "structures", "version": "1", "sha256": "c" * 64}}


def asked(number: int, doubt: float) -> Asked:
    """An exam with one structure that the model doubts."""
    classes = np.zeros((16, 16, 16), np.uint8)
    classes[4:12, 4:12, 4:12] = 1 + number
    entropy = np.where(classes > 0, doubt, 0.0).astype(np.float16)
    features = np.random.default_rng(number).random(4).astype(np.float32)
    summary = CaseSummary(
        f"exam-{number}", KEYS, np.diag([2.0, 2, 2, 1]), classes, entropy, entropy, features, 3
    )
    key = hashlib.sha256(str(number).encode()).hexdigest()
    return Asked(PoolExam(Path(f"{number}.nii.gz")), key, summary)


def test_the_list_is_ranked_and_what_is_approved_is_not_on_it(tmp_path):
    pool = [asked(n, 0.1 * (n + 1)) for n in range(5)]
    approved = frozenset({pool[4].key})
    found = command.next_cases(pool, "entropy", 1, MODEL, 3, 2, approved, skipped=2)
    assert [Path(case.exam).name for case in found.cases] == ["3.nii.gz", "2.nii.gz", "1.nii.gz"]
    assert all(Path(case.exam).is_absolute() for case in found.cases)
    assert found.skipped == 2
    first = found.cases[0]
    assert KEYS[3].replace("_", " ") in first.reason
    assert first.places[0].keys == (KEYS[3],)
    path = tmp_path / "next_cases.json"
    write_next_cases(path, found)
    assert read_next_cases(path) == found


def test_every_strategy_makes_a_list_and_an_exam_that_is_there_twice_is_one():
    pool = [asked(n, 0.2) for n in (0, 1, 2, 2)]
    for name in command.STRATEGIES:
        found = command.next_cases(pool, name, 1, MODEL)
        assert len({case.exam_key for case in found.cases}) == 3
    everything = frozenset(one.key for one in pool)
    assert command.next_cases(pool, "coreset", 1, MODEL, approved=everything).cases == ()


def test_exams_of_a_folder(tmp_path):
    for name in ("b.nii.gz", "a.nii", "notes.txt", ".hidden.nii"):
        (tmp_path / name).write_bytes(b"x")
    (tmp_path / "dicom").mkdir()
    (tmp_path / "dicom" / "1").write_bytes(b"x")
    (tmp_path / "empty").mkdir()
    assert [e.path.name for e in exams_of(tmp_path)] == ["a.nii", "b.nii.gz", "dicom"]


def test_every_session_of_a_data_set_is_an_exam(tmp_path):
    (tmp_path / "dataset_description.json").write_text("{}")
    for visit in ("sub-02/ses-1", "sub-02/ses-2", "sub-01", "derivatives/x"):
        folder = tmp_path / visit / "anat"
        folder.mkdir(parents=True)
        name = "_".join(part for part in visit.split("/")) + "_T1w.nii.gz"
        (folder / name).write_bytes(b"x")
    found = [(e.path.name, e.session) for e in exams_of(tmp_path)]
    assert found == [("sub-01", None), ("sub-02", "1"), ("sub-02", "2")]


def test_a_folder_without_exams_is_refused(tmp_path):
    for folder in (tmp_path, tmp_path / "not-there"):
        with pytest.raises(BrainstemALSError) as refusal:
            exams_of(folder)
        assert refusal.value.code is ExitCode.USAGE


class OneAnswer:
    """Stands for the models: refuses one exam, as a file that cannot be read is refused."""

    identity = MODEL

    def __init__(self, *_: object):
        self.number = -1

    def ask(self, exam: PoolExam, name: str, seed: int) -> Asked:
        self.number += 1
        if "broken" in exam.path.name:
            raise BrainstemALSError(exam.path, "not an image", "Look.", ExitCode.UNREADABLE_IMAGE)
        return Asked(exam, asked(self.number, 0.3).key, asked(self.number, 0.3).summary)


def test_the_command_prints_numbers_and_no_names(tmp_path, monkeypatch, capsys):
    pool = tmp_path / "pool"
    pool.mkdir()
    for name in ("Ada_Lovelace", "broken_Grace_Hopper", "Mary_Shelley"):
        (pool / f"{name}.nii.gz").write_bytes(b"x")
    monkeypatch.setattr(command, "PoolModel", OneAnswer)
    out = tmp_path / "list.json"
    line = ["next_cases", "--pool", str(pool), "--strategy", "clasp", "--out", str(out)]
    monkeypatch.setattr("sys.argv", line)
    command.main()
    printed = capsys.readouterr()
    for name in ("Lovelace", "Hopper", "Shelley", str(pool)):
        assert name not in printed.out + printed.err
    assert "exam 3 of 3: not an image" in printed.out
    found = read_next_cases(out)
    assert (len(found.cases), found.skipped) == (2, 1)
    assert {Path(case.exam).name[:3] for case in found.cases} == {"Ada", "Mar"}


def test_members_are_brought_back_and_missing_images_stay_missing():
    window = torch.randn(1, 6, 8, 8, 8, generator=torch.Generator().manual_seed(1))
    window[:, 3:] = 0

    def run(seen: torch.Tensor) -> torch.Tensor:
        assert not seen[:, 3:].any()
        logits = torch.zeros(1, 1 + len(KEYS), 8, 8, 8)
        logits[:, 1] = 5 * seen[:, 0]  # a structure of the left
        return logits

    left, right = KEYS[0], KEYS[1]
    assert (left, right) == (left, left.replace("_left", "_right"))
    members = list(member_probabilities(run, window, KEYS, CHANNELS, 1, 4))
    assert len(members) == 4
    assert all(m.shape == (8, 8, 8, 1 + len(KEYS)) for m in members)
    # This network knows no sides, so its mirror image comes back as the structure of the other one.
    assert members[1][..., 2] == pytest.approx(members[0][..., 1], abs=1e-6)
    assert not np.allclose(members[2], members[0])
    again = list(member_probabilities(run, window, KEYS, CHANNELS, 1, 4))
    assert np.array_equal(again[3], members[3])
    draw = Draw(torch.Generator().manual_seed(2))
    assert not torch.equal(changed(window, CHANNELS, draw)[:, :3], window[:, :3])
