"""The tuning study: its hospital, its store, and what its page says."""

from __future__ import annotations

import numpy as np
import pytest

from BrainstemALSLib.anatomy import load_structures
from BrainstemALSLib.annotation import CaseStore
from BrainstemALSLib.imaging.exam import Exam
from BrainstemALSLib.segmentation.result import Segmentation
from training.active import tuning_cases
from training.active.frozen_set import is_set_aside
from training.active.loop import region_keys
from training.active.tuning_page import page_of
from training.active.tuning_study import ARMS, REGION, WHOLE, Outcome, Study
from training.corrections import read_corrections

from .corrected_exams import SMALL, exam

KEYS = [structure.key for structure in load_structures()]


class Blind:
    """Draws the truth without one structure."""

    identity = {"structures": {"version": "0"}}  # noqa: RUF012
    keys = tuple(KEYS)

    def __init__(self, lost: str):
        self.lost = next(s.index for s in load_structures() if s.key == lost)

    def segment(self, given: Exam) -> Segmentation:
        truth = exam(int(given.names["t1"]))[1]
        labels = np.where(truth.array == self.lost, 0, truth.array).astype(np.uint8)
        return type("Found", (), {"labels": type(truth)(labels, truth.affine)})()


@pytest.fixture
def hospital(monkeypatch):
    def drawn(case: str, seed: int):
        t1, truth = exam(int(case))
        return Exam(t1=t1, names={"t1": case}), truth

    monkeypatch.setattr(tuning_cases, "site_exam", drawn)


def test_the_scanner_is_softer_along_the_body_and_noisier(monkeypatch):
    t1, truth = exam(3)
    monkeypatch.setattr(
        tuning_cases.adapter, "simulate", lambda case, seed: (Exam(t1=t1, names={"t1": "a"}), truth)
    )
    seen, same = tuning_cases.site_exam("3", 1)
    assert same is truth
    steps = [np.abs(np.diff(one.t1.array, axis=2)) for one in (seen, Exam(t1=t1, names={}))]
    assert np.quantile(steps[0], 0.999) < np.quantile(steps[1], 0.999)
    again, other = (tuning_cases.site_exam("3", seed)[0].t1.array for seed in (1, 2))
    assert np.array_equal(seen.t1.array, again)
    assert not np.array_equal(seen.t1.array, other)


def test_whole_exams_are_vouched_for_everywhere(hospital, tmp_path):
    _, minutes = tuning_cases.fill_store(
        tmp_path / "s", ["1", "2"], Blind("pyramid_left"), "careful", None, 1
    )
    found = list(read_corrections(tmp_path / "s"))
    assert len(found) == 2
    assert minutes > 2
    assert all((one.weights.array == 1).all() for one in found)
    assert all("pyramid_left" in one.record.changes for one in found)
    assert not any(is_set_aside(one.record.subject) for one in found)


def test_of_one_region_only_what_changed_is_vouched_for(hospital, tmp_path):
    keys = region_keys()
    tuning_cases.fill_store(tmp_path / "s", ["1"], Blind(keys[0]), "careful", keys, 1)
    (one,) = read_corrections(tmp_path / "s")
    assert (one.weights.array > 0).sum() == one.changed.array.sum() > 0
    assert keys[0] in one.record.changes
    assert CaseStore(tmp_path / "s", read_only=True).cases()[0].approved_all is False


def test_the_page_tells_what_nobody_corrected():
    asked = list(region_keys())
    before = [[0.8] * len(KEYS)] * 3
    after = [[0.9 if key in asked else 0.8 for key in KEYS]] * 3
    after[0] = [
        0.7 if key == "pyramid_left" else value for key, value in zip(KEYS, after[0], strict=True)
    ]
    pair = {"site": before, "elsewhere": before}, {"site": after, "elsewhere": before}
    outcomes = [
        Outcome(WHOLE, KEYS, KEYS, 9.0, 4, 1300, "promote", "Better.", [0.1, 0.0, 0.2], *pair),
        Outcome(REGION, asked, asked, 9.0, 4, 60, "reject", "Worse.", [0.1, 0.0, 0.2], *pair),
    ]
    study = object.__new__(Study)
    study.setting, study.seed, study.profile = SMALL, 1, "careful"
    study.learned, study.judged, study.model = ["a"], ["b"], {}
    told = dict(page_of(outcomes, study).marks)
    assert [passed for text, passed in told.items() if "20 minutes" in text] == [False, True]
    (each,) = (text for text in told if "each" in text)
    assert "pyramid_left, -0.0167" in each
    assert told[each] is False
    assert set(ARMS) == {WHOLE, REGION}
