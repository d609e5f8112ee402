"""The validation set is the same every time, or none."""

from __future__ import annotations

import json

import numpy as np
import pytest

from BrainstemALSLib.annotation import CaseStore
from BrainstemALSLib.errors import BrainstemALSError
from BrainstemALSLib.imaging.writing import write_volume
from Testing.annotation.conftest import approval
from Testing.training.evaluation.conftest import slab_anatomy
from training import anatomies
from training.active import frozen_set
from training.active.frozen_set import exams, is_set_aside, load_frozen_set
from training.evaluation import adapter

NAMES = ["hoa2-1", "hoa2-2", "synthseg-3"]


@pytest.fixture
def built(monkeypatch, tmp_path):
    """Three anatomies in a data folder of their own, each simulated at once."""
    monkeypatch.setenv("BRAINSTEM_ALS_DATA", str(tmp_path / "data"))
    folder = tmp_path / "data" / "anatomies"
    folder.mkdir(parents=True)
    for name in NAMES:
        write_volume(slab_anatomy(), folder / f"{name}.nii.gz")
    monkeypatch.setattr(anatomies, "built_cases", lambda held_out: list(NAMES))
    monkeypatch.setattr(adapter, "simulate", lambda name, seed: ((name, seed), slab_anatomy()))
    return folder


@pytest.fixture
def store(tmp_path):
    """Eight subjects, of whom some are set aside."""
    store = CaseStore(tmp_path / "store")
    for number in range(8):
        store.approve(approval(number, f"exam-{number}", subject=f"ALS-{number:03d}"))
    return store


def aside(store):
    return {
        record.case_id for record in store.cases()
        if record.approved_all and is_set_aside(record.subject)
    }  # fmt: skip


def test_it_is_kept_and_read_again(built):
    first = load_frozen_set()
    assert frozen_set.frozen_file().exists()
    assert load_frozen_set() == first
    assert load_frozen_set().identity == first.identity
    assert set(first.anatomies) == set(NAMES)
    assert len(first.cases) == frozen_set.REPEATS * len(NAMES)
    assert len({case.seed for case in first.cases}) == len(first.cases)
    assert [case.name for case in first.first(2).cases] == [case.name for case in first.cases[:2]]
    assert len(first.first(None).cases) == len(NAMES)
    drawn = [case.exam for case in exams(first.first(2))]
    assert drawn == [(case.name, case.seed) for case in first.cases[:2]]


def test_another_anatomy_under_the_same_name_is_refused(built):
    kept = load_frozen_set()
    changed = slab_anatomy()
    changed.array[0, 0, 0] = 1
    for name in NAMES:
        write_volume(changed, built / f"{name}.nii.gz")
    with pytest.raises(BrainstemALSError, match="built anew"):
        list(exams(kept))
    assert load_frozen_set(anew=True).identity != kept.identity


@pytest.mark.parametrize("content", ["{", "[]", '{"format": 1}', '{"format": 7, "cases": []}'])
def test_a_damaged_file_is_refused(built, content):
    load_frozen_set()
    frozen_set.frozen_file().write_text(content)
    with pytest.raises(BrainstemALSError, match="damaged"):
        load_frozen_set()


def test_another_simulation_is_refused(built):
    load_frozen_set()
    path = frozen_set.frozen_file()
    path.write_text(json.dumps({**json.loads(path.read_text()), "simulation": "0" * 64}))
    with pytest.raises(BrainstemALSError, match="has changed"):
        load_frozen_set()


def test_subjects_are_set_aside_for_ever_and_about_every_fifth():
    found = [is_set_aside(f"ALS-{number:04d}") for number in range(2000)]
    assert np.mean(found) == pytest.approx(1 / frozen_set.ASIDE_EVERY, abs=0.03)
    assert found == [is_set_aside(f"ALS-{number:04d}") for number in range(2000)]


def test_approved_cases_that_are_set_aside_are_in_it(built, store):
    wanted = aside(store)
    assert wanted  # the subjects' codes were chosen so
    kept = load_frozen_set(store.root)
    assert {case.name for case in kept.cases if case.kind == "approved"} == wanted
    text = frozen_set.frozen_file().read_text()
    assert "ALS-" not in text
    found = list(exams(kept.first(0), store.root))
    assert {case.name for case in found} == wanted
    for case in found:
        assert np.array_equal(case.truth.array, store.read(case.name).correction.array)
        assert "t1" in case.exam.names
    with pytest.raises(BrainstemALSError, match="--store"):
        list(exams(kept.first(0)))


def test_a_case_that_was_corrected_anew_is_refused(built, store):
    kept = load_frozen_set(store.root)
    store.approve(approval(3, "exam-0", subject="ALS-000"))  # one that is set aside
    with pytest.raises(BrainstemALSError, match="corrected anew"):
        list(exams(kept.first(0), store.root))
