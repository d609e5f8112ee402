"""A run of the study, small, and the page that comes of many."""

from __future__ import annotations

import numpy as np
import pytest

from BrainstemALSLib.imaging.volume import Volume
from Testing.training.active.gate_brainstem import brainstem, cases, model
from training.active import gate_study
from training.active.gate_rules import NEEDS_MORE, PROMOTE, REJECT
from training.active.gate_simulated import HARMS, harmed, shape_of, simulated_case
from training.active.gate_study import CORRECTED, EVERYWHERE, KINDS, Verdict, final, page_of
from training.evaluation.tables import write_page


@pytest.fixture(scope="module")
def verdicts():
    shapes = [(f"anatomy-{n}", brainstem()) for n in range(7)]
    return gate_study.study_run(0, 3, shapes, subjects=6, looks=(1, 2))


def test_harm_is_rejected_at_the_first_look(verdicts):
    for harm in HARMS:
        (found,) = [verdict for verdict in verdicts if verdict.kind == harm]
        assert (found.outcome, found.exams) == (REJECT, 1), found.reason


def test_only_who_needs_more_is_looked_at_again(verdicts):
    for kind in KINDS:
        looks = [verdict for verdict in verdicts if verdict.kind == kind]
        assert len(looks) == (2 if looks[0].outcome == NEEDS_MORE else 1)


def test_a_run_is_the_same_every_time(verdicts):
    shapes = [(f"anatomy-{n}", brainstem()) for n in range(7)]
    again = gate_study.study_run(0, 3, shapes, subjects=6, looks=(1, 2))
    assert again == verdicts


def test_the_page_sets_marks_on_what_comes_of_it_in_the_end(tmp_path):
    def verdict(run, kind, exams, outcome):
        return Verdict(run, kind, exams, outcome, 0.01, "x got worse: a", 0.01)

    found = [verdict(run, harm, 1, REJECT) for run in range(10) for harm in HARMS]
    found += [verdict(run, EVERYWHERE, 1, NEEDS_MORE) for run in range(10)]
    found += [verdict(run, EVERYWHERE, 3, PROMOTE) for run in range(9)]
    found += [verdict(9, EVERYWHERE, 3, REJECT)]
    found += [verdict(run, CORRECTED, 1, PROMOTE) for run in range(8)]
    found += [verdict(run, CORRECTED, 1, NEEDS_MORE) for run in (8, 9)]
    assert len(final(found)) == 50
    page = page_of(found, 10, 3, 20)
    marks = dict(page.marks)
    assert list(marks.values()) == [True, True, True, True, False]
    text = write_page(page, tmp_path).read_text()
    assert "simulated data" in text.splitlines()[0]
    assert "9 of 10 | reached" in text
    assert "8 of 10 | **not reached**" in text


def test_harm_does_what_it_says():
    (case,) = cases(1)
    prediction = model(0.0).predict(case)
    assert np.array_equal(prediction.labels.array, case.truth.array)  # no error, no difference
    for seed in range(6):
        sizes = np.bincount(case.truth.array.ravel(), minlength=256)
        swapped = harmed(prediction, "label swap", seed).labels.array
        assert np.array_equal(np.bincount(swapped.ravel(), minlength=256), sizes)
        assert not np.array_equal(swapped, case.truth.array)
        forgotten = harmed(prediction, "forgotten structure", seed).labels.array
        assert (np.bincount(forgotten.ravel(), minlength=256)[sizes > 0] == 0).sum() == 1
        flipped = harmed(prediction, "wrong orientation", seed).labels.array
        assert any(np.array_equal(np.flip(flipped, axis), case.truth.array) for axis in range(3))
    with pytest.raises(ValueError, match="harm is one of"):
        harmed(prediction, "kindness", 0)


def test_errors_grow_with_their_level():
    (case,) = cases(1)
    wrong = [
        (model(level).predict(case).labels.array != case.truth.array).mean()
        for level in (0.0, 0.3, 0.6, 1.2)
    ]
    assert wrong == sorted(wrong)
    assert wrong[0] == 0 < wrong[1]


def test_an_anatomy_keeps_its_place_and_its_volumes():
    fine = np.repeat(np.repeat(np.repeat(brainstem().array, 2, 0), 2, 1), 2, 2)
    affine = brainstem().affine.copy()
    affine[:3, :3] /= 2
    affine[:3, 3] -= 0.25
    shape = shape_of(Volume(fine, affine))
    assert shape.spacing == pytest.approx([1, 1, 1])
    sizes = np.bincount(shape.array.ravel(), minlength=256)
    assert sizes[1:] == pytest.approx(np.bincount(brainstem().array.ravel(), minlength=256)[1:])
    for value in (1, 26, 62):
        middles = [
            v.affine @ [*np.argwhere(v.array == value).mean(0), 1] for v in (shape, brainstem())
        ]
        assert middles[0] == pytest.approx(middles[1], abs=0.51)
    assert simulated_case(shape, "name", 1).case.subject == "name"
