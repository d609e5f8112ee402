"""What the gate lets through and what not, with models whose errors are known."""

from __future__ import annotations

import numpy as np
import pytest

from BrainstemALSLib.anatomy import by_key, load_structures
from BrainstemALSLib.errors import BrainstemALSError
from Testing.training.active.gate_brainstem import Changed, brainstem, cases, model
from training.active.gate import judge
from training.active.gate_rules import NEEDS_MORE, PROMOTE, REJECT, Flagged, Rules
from training.active.gate_scores import APPROVED, PATIENT, Prediction, ValidationCase, overlap

INDEX = {key: structure.index for key, structure in by_key().items()}


def swapped(first: str, second: str):
    def change(array):
        table = np.arange(256, dtype=np.uint8)
        table[INDEX[first]], table[INDEX[second]] = INDEX[second], INDEX[first]
        return table[array]

    return change


def all_sides(array):
    table = np.arange(256, dtype=np.uint8)
    for structure in load_structures():
        table[structure.index] = INDEX[structure.mirror_key]
    return table[array]


def without(key: str, instead: int = 0):
    def change(array):
        array[array == INDEX[key]] = instead
        return array

    return change


def verdict(candidate, count=8, **more):
    return judge(cases(count), model(), candidate, **more)


def test_dice_and_middles_are_those_of_the_masks():
    (case,) = cases(1)
    labels = model().predict(case).labels
    found = overlap(Prediction(labels), case)
    for n, structure in enumerate(load_structures()):
        ours, true = labels.array == structure.index, case.truth.array == structure.index
        assert found.dice[n] == pytest.approx(2 * (ours & true).sum() / (ours.sum() + true.sum()))
        middle = case.truth.affine @ [*np.argwhere(true).mean(0), 1]
        assert found.true_centres[n] == pytest.approx(middle[:3])
    assert np.isfinite(found.centres).all()


def test_a_better_candidate_is_promoted_and_the_reasons_say_why():
    found = verdict(model().better(0.5, 1))
    assert found.outcome == PROMOTE, found.reasons
    assert found.gain > found.gain_low > 0
    assert "gain" in found.reasons[0]
    assert {line.state for line in found.lines} == {"not worse"}
    assert (found.cases, found.subjects, found.kinds) == (8, 8, ("simulated",))


def test_a_worse_candidate_is_rejected():
    found = verdict(model().better(1.6, 1))
    assert found.outcome == REJECT
    assert "got worse" in found.reasons[0]


def test_the_same_model_again_is_rejected_as_not_worth_a_change():
    found = verdict(model())
    assert found.outcome == REJECT
    assert found.gain == 0
    assert "a change of model is worth it" in found.reasons[0]


def test_one_structure_that_gets_worse_is_named_whatever_the_others_gain():
    key = "pyramid_left"
    found = verdict(model().better(0.5, 1).better(6.0, 1, (key,)), count=12)
    assert found.outcome == REJECT
    assert "medullary pyramid, left got worse" in found.reasons[0]
    assert [line.key for line in found.lines if line.state == "worse"] == [key]


def test_few_subjects_are_never_enough_however_many_exams():
    found = verdict(model().better(0.5, 1), count=5)
    assert found.outcome == NEEDS_MORE
    assert "Only 5 subjects" in found.reasons[0]
    many = [
        ValidationCase(f"{case.name}, {n}", case.subject, case.kind, case.truth)
        for case in cases(2) for n in range(4)
    ]  # fmt: skip
    found = judge(many, model(), model().better(0.5, 1))
    assert (found.outcome, found.cases, found.subjects) == (NEEDS_MORE, 8, 2)


class Moody:
    """Better in every other exam, much worse in the others; everywhere or in some structures."""

    name, keys = "candidate", model().keys

    def __init__(self, base, factors, only=None):
        self.models = [base.better(factor, 1, only) for factor in factors]

    def predict(self, case):
        return self.models[int(case.name[-1]) % 2].predict(case)


def test_a_gain_that_is_not_certain_needs_more_cases():
    candidate = Moody(model(), (1.3, 0.6))
    found = verdict(candidate, rules=Rules(margins={"A": 1.0, "B": 1.0}))
    assert found.outcome == NEEDS_MORE, found.reasons
    assert "not certain yet that the structures that should get better do" in found.reasons[0]


def test_a_structure_that_is_not_certain_needs_more_cases():
    found = verdict(Moody(model().better(0.5, 1), (4.0, 0.5), ("dorsal_raphe",)))
    assert found.outcome == NEEDS_MORE, found.reasons
    assert "Dorsal raphe nucleus stays as good" in found.reasons[0]


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (all_sides, "left and right are exchanged"),
        (lambda a: a[::-1], "left and right are exchanged"),
        (lambda a: a[:, :, ::-1], "top and bottom are exchanged"),
        (lambda a: a[:, ::-1], "front and back are exchanged"),
        (swapped("pyramid_left", "pyramid_right"), "is drawn where"),
        (swapped("red_nucleus_left", "substantia_nigra_left"), "Red nucleus, left is drawn where"),
        (without("dorsal_raphe"), "no longer draws Dorsal raphe"),
        (without("pyramid_left", INDEX["medullary_tegmentum_left"]), "no longer draws"),
        (np.zeros_like, "no longer draws"),
    ],
)
def test_harm_is_rejected_in_its_own_words(change, words):
    better = model().better(0.5, 1)
    found = verdict(Changed(better, lambda array: np.ascontiguousarray(change(array))))
    assert found.outcome == REJECT
    assert any(words in reason for reason in found.reasons), found.reasons


def test_a_candidate_that_fails_in_an_exam_is_rejected():
    found = verdict(Changed(model(), problem="gives values that are not numbers"))
    assert found.outcome == REJECT
    assert "8 of 8 exams" in found.reasons[0]
    assert "not numbers" in found.reasons[0]


def test_an_exam_in_which_both_fail_is_nobodys_fault():
    def fails(inner):
        class Fails:
            name, keys = inner.name, inner.keys

            def predict(self, case):
                return Prediction(None, "x") if case.name == "anatomy-0" else inner.predict(case)

        return Fails()

    found = judge(cases(8), fails(model()), fails(model().better(0.4, 1)))
    assert found.outcome == PROMOTE, found.reasons


@pytest.mark.parametrize(
    ("keys", "words"),
    [
        (tuple(INDEX)[1:], "no output for Midbrain tegmentum, left"),
        ((*INDEX, "left_thumb"), "left_thumb"),
        ((*INDEX, "dorsal_raphe"), "two outputs"),
    ],
)
def test_wrong_outputs_are_rejected_before_anything_is_computed(keys, words):
    found = verdict(Changed(model(), keys=keys, change=None))
    assert found.outcome == REJECT
    assert words in found.reasons[0]
    assert found.lines == ()


def test_labels_on_another_grid_are_rejected():
    class Elsewhere(Changed):
        def predict(self, case):
            found = super().predict(case).labels
            return Prediction(type(found)(found.array, found.affine + np.eye(4)))

    found = verdict(Elsewhere(model(), lambda a: a))
    assert found.outcome == REJECT
    assert "another grid" in found.reasons[0]


def test_what_should_get_better_can_be_named():
    targets = ["pyramid_left", "pyramid_right"]
    found = verdict(model().better(0.5, 1, tuple(targets)), targets=targets)
    assert found.outcome == PROMOTE, found.reasons
    assert [line.key for line in found.lines if line.target] == targets
    with pytest.raises(BrainstemALSError, match="left_thumb"):
        verdict(model(), targets=["left_thumb"])
    # Those who gain are not those who should.
    others = model().better(0.5, 1, ("red_nucleus_left",))
    assert verdict(others, targets=targets).outcome == REJECT


def test_no_exam_is_no_verdict():
    assert judge([], model(), model()).outcome == NEEDS_MORE


def test_the_made_up_brainstem_is_one():
    labels = brainstem()
    sizes = np.bincount(labels.array.ravel(), minlength=256)
    assert {s.index for s in load_structures()} == set(np.flatnonzero(sizes)) - {0}
    assert set(sizes[sizes > 0][1:]) == {250}


# Simulated patients: all one anatomy.


def patients(count: int = 6) -> list[ValidationCase]:
    return [
        ValidationCase(f"patient-{n}", "average anatomy", PATIENT, brainstem())
        for n in range(count)
    ]


def approved(count: int) -> list[ValidationCase]:
    return [ValidationCase(c.name, c.subject, APPROVED, c.truth) for c in cases(count)]


def test_simulated_patients_alone_never_promote_however_many():
    found = judge(patients(12), model(), model().better(0.5, 1))
    assert found.outcome == NEEDS_MORE
    assert (found.cases, found.subjects, found.patients) == (12, 0, 12)
    assert "Only 0 subjects" in found.reasons[0]
    assert "simulated patients (12) are all one anatomy" in found.reasons[1]
    # Their means are shown, and no bounds.
    assert found.gain > 0
    assert np.isnan(found.gain_low)
    assert {line.state for line in found.lines} == {"not shown"}


def test_approved_cases_decide_beside_simulated_patients():
    better = model().better(0.5, 1)
    found = judge([*patients(), *approved(8)], model(), better)
    alone = judge(approved(8), model(), better)
    assert found.outcome == PROMOTE, found.reasons
    assert (found.subjects, found.patients, found.kinds) == (8, 6, ("approved", PATIENT))
    assert (found.gain_low, found.lines) == (alone.gain_low, alone.lines)
    few = judge([*patients(), *approved(5)], model(), better)
    assert (few.outcome, few.subjects) == (NEEDS_MORE, 5)


def test_simulated_patients_guard_against_harm():
    class Harmed:
        """Better on approved cases, and blind to one structure's place in simulated patients."""

        name, keys = "candidate", model().keys

        def predict(self, case):
            factor = 4.0 if case.kind == PATIENT else 1.0
            return model().better(0.5, 1).better(factor, 1, ("pyramid_left",)).predict(case)

    found = judge([*patients(), *approved(8)], model(), Harmed())
    assert found.outcome == REJECT
    assert "In the simulated patients the candidate loses too much of" in found.reasons[0]
    assert "edullary pyramid, left loses" in found.reasons[0]
    assert dict(found.checks)["simulated patients"] == found.reasons[0]
    alone = judge(patients(), model(), Harmed())
    assert alone.outcome == REJECT
    assert "simulated patients" not in dict(judge(cases(8), model(), model()).checks)


# Unfamiliar exams.


class Telling:
    """A model that calls so many of the first exams unfamiliar; None: it cannot tell."""

    def __init__(self, inner, unfamiliar):
        self.name, self.keys, self.inner, self.unfamiliar = "x", inner.keys, inner, unfamiliar

    def predict(self, case):
        labels = self.inner.predict(case).labels
        if self.unfamiliar is None:
            return Prediction(labels)
        return Prediction(labels, ratio=1.3 if int(case.name[-1]) < self.unfamiliar else 0.7)


def test_unfamiliar_exams_are_counted_for_both_models():
    found = judge(cases(8), Telling(model(), 3), Telling(model().better(0.5, 1), 1))
    assert found.unfamiliar == (Flagged(3, 8), Flagged(1, 8))
    assert found.outcome == PROMOTE
    assert not any("does not know" in reason for reason in found.reasons)


def test_a_candidate_that_can_no_longer_warn_is_told_of_and_not_rejected():
    better = model().better(0.5, 1)
    found = judge(cases(8), Telling(model(), 3), Telling(better, None))
    assert found.outcome == PROMOTE
    assert found.unfamiliar == (Flagged(3, 8), Flagged(0, 0))
    assert "cannot warn of an exam that it does not know" in found.reasons[-1]
    # Where neither ever could, there is nothing to tell.
    both = judge(cases(8), Telling(model(), None), Telling(better, None))
    assert not any("does not know" in reason for reason in both.reasons)
