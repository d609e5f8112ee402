"""The validation set is the same every time, or none."""

from __future__ import annotations

import json

import numpy as np
import pytest

from BrainstemALSLib.annotation import CaseStore
from BrainstemALSLib.errors import BrainstemALSError
from BrainstemALSLib.imaging.writing import write_volume
from BrainstemALSLib.phantom import sample
from Testing.annotation.conftest import approval
from Testing.phantom.conftest import anatomy  # noqa: F401
from Testing.training.evaluation.conftest import slab_anatomy
from training import anatomies
from training.active import finetune_replay, frozen_patients, frozen_set
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
    number = next(n for n in range(8) if is_set_aside(f"ALS-{n:03d}"))
    store.approve(approval(9, f"exam-{number}", subject=f"ALS-{number:03d}"))
    with pytest.raises(BrainstemALSError, match="corrected anew"):
        list(exams(kept.first(0), store.root))


# Where no anatomies are built.


@pytest.fixture
def hospital(monkeypatch, tmp_path, anatomy):  # noqa: F811
    """Neither anatomies nor what they are built from; a small anatomy is installed."""
    monkeypatch.setenv("BRAINSTEM_ALS_DATA", str(tmp_path / "data"))
    monkeypatch.setenv("BRAINSTEM_ALS_SHARED", str(tmp_path / "none"))
    monkeypatch.setattr(sample, "sample_anatomy", lambda: anatomy)
    monkeypatch.setattr(frozen_patients, "COUNT", 2)


def test_without_anatomies_simulated_patients_of_one_anatomy_are_drawn(hospital):
    kept = load_frozen_set()
    assert {case.kind for case in kept.cases} == {"simulated patient"}
    assert len({case.sha256 for case in kept.cases}) == len(kept.cases) == frozen_patients.COUNT
    assert json.loads(frozen_set.frozen_file().read_text())["format"] == 2
    assert load_frozen_set() == kept
    assert kept.first(None) == kept
    drawn = list(exams(kept))
    assert len(drawn) == 2
    assert [case.name for case in exams(kept.first(1))] == [drawn[0].name]
    assert {case.subject for case in drawn} == {"average anatomy"}
    for case, frozen in zip(drawn, kept.cases, strict=False):
        assert case.exam.t1.shape == case.truth.shape
        assert case.exam.fa is not None
        assert case.exam.md is not None
        assert str(frozen.seed) in case.name
    assert not np.array_equal(drawn[0].truth.array, drawn[1].truth.array)


def test_its_patients_are_not_those_that_anybody_learns_from_or_measures():
    first, count = finetune_replay._FIRST_SEED, finetune_replay.COUNT
    assert not set(frozen_patients.seeds()) & {*range(first, first + count), sample.SEED}
    assert min(frozen_patients.seeds()) > 10_000


def test_approved_cases_that_are_set_aside_are_in_it_too(hospital, store):
    kept = load_frozen_set(store.root)
    assert {case.name for case in kept.cases if case.kind == "approved"} == aside(store)
    assert [case.kind for case in exams(kept.first(1), store.root)] == [
        "simulated patient", *["approved"] * len(aside(store)),
    ]  # fmt: skip


def test_another_simulated_patient_under_the_same_seed_is_refused(hospital, monkeypatch):
    kept = load_frozen_set()
    labels, white, grey = sample.sample_anatomy()
    moved = type(labels)(np.roll(labels.array, 1, 0), labels.affine)
    monkeypatch.setattr(sample, "sample_anatomy", lambda: (moved, white, grey))
    with pytest.raises(BrainstemALSError, match="comes out otherwise"):
        list(exams(kept))


def test_another_simulation_of_patients_is_refused(hospital, monkeypatch):
    load_frozen_set()
    monkeypatch.setattr(frozen_patients, "code_sum", lambda: "0" * 64)
    with pytest.raises(BrainstemALSError, match="has changed"):
        load_frozen_set()


@pytest.mark.parametrize("number", [1, 3])
def test_a_set_of_patients_of_another_format_is_refused_and_made_anew(hospital, number):
    kept = load_frozen_set()
    path = frozen_set.frozen_file()
    path.write_text(json.dumps({**json.loads(path.read_text()), "format": number}))
    with pytest.raises(BrainstemALSError, match="damaged"):
        load_frozen_set()
    assert load_frozen_set(anew=True) == kept


def test_a_kept_set_of_anatomies_is_still_read_without_them(built, monkeypatch):
    kept = load_frozen_set()
    assert json.loads(frozen_set.frozen_file().read_text())["format"] == 1
    monkeypatch.setattr(anatomies, "built_cases", lambda held_out: [])
    assert load_frozen_set() == kept


def test_exams_approved_since_are_counted(hospital, store):
    kept = load_frozen_set(store.root)
    assert frozen_set.left_out(kept, store.root) == 0
    subject = next(f"NEW-{n}" for n in range(99) if is_set_aside(f"NEW-{n}"))
    other = next(f"NEW-{n}" for n in range(99) if not is_set_aside(f"NEW-{n}"))
    store.approve(approval(20, "exam-20", subject=subject))
    store.approve(approval(21, "exam-21", subject=other))
    assert frozen_set.left_out(kept, store.root) == 1
    assert frozen_set.left_out(load_frozen_set(store.root, anew=True), store.root) == 0


def test_a_subject_stays_on_its_side_however_its_code_is_spelled():
    for number in range(200):
        code = f"ALS-{number:03d}"
        spellings = (code, code.replace("-", ""), code.replace("-", "_"), code.lower())
        assert len({is_set_aside(one) for one in spellings}) == 1


def test_the_panel_keeps_the_set_while_it_can_be_used(built, store):
    first, told = frozen_set.up_to_date(store.root)
    assert aside(store) <= {case.name for case in first.cases}
    again, nothing = frozen_set.up_to_date(store.root)
    assert (again, nothing) == (first, [])
    subject = next(r.subject for r in store.cases() if is_set_aside(r.subject))
    exam = next(r.exam_key for r in store.cases() if r.subject == subject)
    number = next(n for n in range(8) if f"ALS-{n:03d}" == subject)
    corrected = store.approve(approval(number + 50, f"exam-{number}", subject=subject))
    assert corrected.exam_key == exam
    made, told = frozen_set.up_to_date(store.root)
    assert "made anew" in told[0]
    assert corrected.case_id in {case.name for case in made.cases}
