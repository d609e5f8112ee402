"""What is done to images for the safety page, and how what is noticed is counted."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from BrainstemALSLib.anatomy import by_key
from BrainstemALSLib.errors import BrainstemALSError, ExitCode
from BrainstemALSLib.imaging.volume import Volume
from BrainstemALSLib.segmentation.result import Familiarity
from training.evaluation import safety
from training.evaluation.adapter import exam_of
from training.evaluation.safety_cases import CONTROLS, MANIPULATIONS, Subject, head
from training.evaluation.tables import write_page

STEM, FLUID, OTHER = 900.0, 200.0, 600.0


@pytest.fixture(scope="module")
def subject(anatomy) -> Subject:
    """Cubes of every structure, bright; ventricle dark; tissue around; air outside."""
    labels = np.where(anatomy.array < 100, anatomy.array, 0).astype(np.uint8)
    image = np.where(labels > 0, STEM, np.where(anatomy.array == 100, OTHER, 0.0))
    image[labels == by_key()["fourth_ventricle"].index] = FLUID
    return Subject(Volume(image.astype(np.float32), anatomy.affine), Volume(labels, anatomy.affine))


def every_change():
    both = {"good": CONTROLS, **MANIPULATIONS}
    return [(kind, case) for kind, changes in both.items() for case in changes]


@pytest.mark.parametrize(("kind", "case"), every_change())
def test_every_change_gives_another_image_and_leaves_the_good_one(subject, kind, case):
    before = subject.t1.array.copy()

    changed = {"good": CONTROLS, **MANIPULATIONS}[kind][case](subject, 3)

    np.testing.assert_array_equal(subject.t1.array, before)
    assert np.isfinite(changed.array).all()
    if case not in ("as it is", "cut to a box", "skull stripped"):  # nothing to cut or strip here
        same_grid = changed.shape == before.shape and np.allclose(changed.affine, subject.t1.affine)
        assert not (same_grid and np.array_equal(changed.array, before))


def test_contrasts_turn_round_as_named(subject):
    negative, t2 = (MANIPULATIONS["wrong contrast"][n](subject, 0) for n in ("inverted", "T2-like"))
    stem = tuple(subject.points("basis_pontis_left")[0])
    fluid = tuple(subject.points("fourth_ventricle").mean(0).astype(int))

    assert negative.array[fluid] > negative.array[stem]
    assert negative.array[0, 0, 0] > negative.array[stem]  # air is bright
    assert t2.array[fluid] > t2.array[stem]
    assert t2.array[0, 0, 0] == 0  # air stays dark
    assert head(subject.t1)[fluid] == 1


@pytest.mark.parametrize(("word", "sign"), [("dark", -1), ("bright", 1)])
def test_a_lesion_has_its_size_place_and_depth(subject, word, sign):
    changed = MANIPULATIONS["lesion"][f"{word}, 6 mm, pons"](subject, 0)
    difference = sign * (changed.array - subject.t1.array)

    assert difference.min() >= 0
    assert difference.max() == pytest.approx(0.5 * (STEM - FLUID))
    volume = float(difference.sum() / difference.max()) * subject.t1.voxel_volume
    assert volume == pytest.approx(np.pi / 6 * 6**3, rel=0.15)
    middle = np.argwhere(difference > 0).mean(0)
    np.testing.assert_allclose(middle, subject.points("basis_pontis_left").mean(0), atol=0.6)


def test_a_wrong_header_changes_no_voxel_and_stays_in_place(subject):
    for change in MANIPULATIONS["wrong orientation"].values():
        changed = change(subject, 0)
        middle = (np.array(subject.t1.shape) - 1) / 2

        np.testing.assert_array_equal(changed.array, subject.t1.array)
        np.testing.assert_allclose(
            changed.affine[:3, :3] @ middle + changed.affine[:3, 3], subject.ras(middle), atol=1e-6
        )
        assert not np.allclose(changed.affine, subject.t1.affine)


def test_what_is_cut_off_is_gone(subject):
    half = MANIPULATIONS["wrong body part"]["upper half of the brainstem"](subject, 0)
    z = subject.points()[:, 2]

    assert half.shape[2] == pytest.approx(subject.t1.shape[2] - (z.min() + z.max()) / 2, abs=1)
    assert (half.affine @ [0, 0, half.shape[2], 1])[2] == pytest.approx(
        (subject.t1.affine @ [0, 0, subject.t1.shape[2], 1])[2]
    )


def test_motion_keeps_the_mean_and_smears_along_one_axis(subject):
    moved = MANIPULATIONS["motion and noise"]["ghosts of 3 mm"](subject, 0)

    assert moved.shape == subject.t1.shape
    change = np.abs(moved.array - subject.t1.array)
    assert change.mean() > 0.02 * STEM
    assert moved.array.mean() == pytest.approx(subject.t1.array.mean(), rel=0.2)


class Judged:
    """A segmenter that answers with a known familiarity, or refuses."""

    def __init__(self, inner, ratio=None, refusal=None, **changes):
        self.inner, self.ratio, self.refusal, self.changes = inner, ratio, refusal, changes

    def segment(self, exam, progress=None, place=None):
        if self.refusal:
            raise BrainstemALSError("T1", "nothing was found", "Look.", self.refusal)
        found = dataclasses.replace(self.inner.segment(exam), **self.changes)
        if self.ratio is None:
            return found
        properties = {"texture": "noise"} if self.ratio > 1 else {}
        known = Familiarity(self.ratio, {"texture": self.ratio}, properties)
        return dataclasses.replace(found, familiarity=known)


def test_judging_tells_a_refusal_from_an_alarm_from_nothing(subject, knowing):
    exam, inner = exam_of(subject.t1), knowing(subject.labels)

    refused = safety.judge(exam, Judged(inner, refusal=ExitCode.NO_BRAINSTEM))
    alarm = safety.judge(exam, Judged(inner, 1.7))
    cut = Judged(inner, 0.5, touches_border={"left": 50.0})
    other = safety.judge(exam, cut)

    assert (refused["noticed"], refused["by"]) == ("refused", "no_brainstem")
    assert (alarm["noticed"], alarm["ratio"]) == ("unfamiliar", 1.7)
    assert "noisy" in alarm["message"]
    assert (other["noticed"], other["by"]) == ("other finding", "field_of_view_cut_left")
    known = frozenset({"field_of_view_cut_left"})
    assert safety.judge(exam, cut, known)["noticed"] == "nothing"


def test_a_failure_is_not_a_refusal(subject, knowing):
    broken = Judged(knowing(subject.labels), refusal=ExitCode.MODEL_UNAVAILABLE)

    with pytest.raises(BrainstemALSError):
        safety.judge(exam_of(subject.t1), broken)


def outcome(kind, case, noticed, data="real"):
    return safety.Outcome(data, "head", kind, case, noticed, "", 0.5, "")


def test_rates_count_by_case_and_kind_with_an_exact_interval():
    rows = safety.rates(
        [
            outcome("good", "as it is", "nothing"),
            *[outcome("lesion", "dark", "unfamiliar")] * 2,
            outcome("lesion", "dark", "other finding"),
            outcome("lesion", "bright", "refused"),
        ]
    )

    assert [row[1:4] for row in rows] == [
        ("good", "as it is", 1),
        ("lesion", "dark", 3),
        ("lesion", "bright", 1),
        ("lesion", "all", 4),
    ]
    assert rows[-1][4:8] == (1, 2, 1, 0)
    assert rows[-1][8] == 0.75
    assert rows[0][9] == "0.00 to 0.97"  # 1 - 0.025


def test_the_page_keeps_real_and_simulated_apart(tmp_path):
    page = safety.page_of(
        [
            outcome("good", "as it is", "nothing"),
            outcome("lesion", "dark", "nothing"),
            outcome("good", "T1", "unfamiliar", "simulated"),
            outcome("lesion", "dark", "unfamiliar", "simulated"),
        ],
        {},
        7,
    )
    write_page(page, tmp_path)

    assert {passed for text, passed in page.marks if "good real" in text} == {True}
    assert {passed for text, passed in page.marks if "good simulated" in text} == {False}
    assert {passed for text, passed in page.marks if "manipulated real" in text} == {False}
    tables = {table.name: table for table in page.tables}
    assert {row[0] for row in tables["rates_real"].rows} == {"real"}
    assert {row[0] for row in tables["rates_simulated"].rows} == {"simulated"}
    assert [row[1:4] for row in tables["missed"].rows] == [("head", "lesion", "dark")]
    assert (tmp_path / "safety_cases.tsv").exists()
    assert (tmp_path / "safety_rates.tsv").exists()


def test_real_and_simulated_exams_go_the_whole_way(subject, knowing, monkeypatch):
    shape, affine = subject.t1.shape, subject.t1.affine
    maps = {n: Volume(np.full(shape, v, np.float32), affine) for n, v in (("fa", 0.4), ("md", 0.8))}
    exam = dataclasses.replace(exam_of(subject.t1), **maps)
    monkeypatch.setattr(safety.adapter, "simulate", lambda case, seed: (exam, subject.labels))
    kept = {"wrong contrast": {"inverted": MANIPULATIONS["wrong contrast"]["inverted"]}}
    monkeypatch.setattr(safety, "MANIPULATIONS", kept)
    monkeypatch.setattr(safety, "CONTROLS", {"as it is": CONTROLS["as it is"]})

    class Inner(knowing):
        """Calls an image bright in its corner, as a negative is, unfamiliar."""

        def segment(self, exam, progress=None, place=None):
            ratio = 1.5 if exam.t1.array[0, 0, 0] > 0 else 0.5
            return Judged(knowing(self.labels), ratio).segment(exam)

    segmenter = Inner(subject.labels)
    real = list(safety.real_outcomes("a", subject.t1, segmenter, 1))
    simulated = list(safety.simulated_outcomes(["b"], 1, segmenter))

    assert [(o.kind, o.noticed) for o in real] == [
        ("good", "nothing"),
        ("wrong contrast", "unfamiliar"),
    ]
    assert [(o.kind, o.case) for o in simulated] == [
        ("good", "T1"),
        ("good", "T1 + FA + MD"),
        *safety.SIMULATED.items(),
    ]
    told = {o.case: o.noticed for o in simulated}
    assert told["inverted"] == "unfamiliar"
    assert "unfamiliar" not in (told["T1"], told["T1 + FA + MD"])
