"""The evaluation's command, from simulated exam to page, with segmenters whose answer is known."""

import csv
import math

import numpy as np
import pytest

from BrainstemALSLib.errors import BrainstemALSError, ExitCode
from BrainstemALSLib.imaging.volume import Volume
from training.evaluation import adapter, methods, segmentation
from training.evaluation.grids import on_grid, structures_only
from training.evaluation.kinds import KINDS, Exams
from training.evaluation.methods import Method
from training.evaluation.records import Record, Store
from training.evaluation.segmentation_page import publishable
from training.evaluation.tables import write_page


@pytest.fixture
def cases(monkeypatch, anatomy):
    """Held-out anatomies, without built data."""
    monkeypatch.setattr(adapter, "anatomy", lambda case: anatomy)
    monkeypatch.setattr(adapter, "fingerprint", lambda case: case)
    monkeypatch.setattr(adapter, "held_out", lambda count: ["one", "two"][:count])


def method(segmenter, kinds=("t1_fa_md", "t1"), slug="model", **settings):
    identity = {"structures": {"name": "knowing", "version": "0", "sha256": "0" * 64}}
    return Method(slug, slug, kinds, identity, settings, lambda d: segmenter.segment(d.exam))


def rows_of(path):
    with path.open(newline="") as handle:
        return list(csv.DictReader(handle, delimiter="\t"))


def marks_of(page):
    return {text.split(":")[0]: passed for text, passed in page.marks}


def published(methods, results, folder):
    page = publishable(results, methods, 7, True, folder)
    return page, write_page(page, folder)


def test_command_writes_a_page_resumes_and_rebuilds(
    cases, anatomy, knowing, monkeypatch, tmp_path, capsys
):
    monkeypatch.setenv("BRAINSTEM_ALS_DATA", str(tmp_path / "data"))
    segmenters = []

    def make(device, folder, **settings):
        segmenters.append(knowing(structures_only(anatomy)))
        return segmenters[-1]

    monkeypatch.setattr(adapter, "segmenter", make)
    asked = {kind: KINDS[kind] for kind in ("t1_fa_md", "t1", "thick")}
    monkeypatch.setattr(methods, "KINDS", asked)
    out = tmp_path / "out"
    words = ["--quick", "--cases", "1", "--methods", "model", "unet", "--out", str(out)]
    assert segmentation.main(words) == 0
    assert "unet is left out: data/runs/unet" in capsys.readouterr().out
    assert len(segmenters) == 1
    assert len(segmenters[0].seen) == len(asked)
    text = (out / "segmentation_quick.md").read_text()
    assert text.startswith("# Segmentation of simulated exams of held-out anatomies (simulated")
    summary = rows_of(out / "segmentation_quick_summary.tsv")
    dice = {
        row["exam"]: float(row["Dice"]) for row in summary if row["structure or group"] == "tier_A"
    }
    assert set(dice) == set(asked)
    assert min(dice.values()) > 0.75
    assert dice["t1"] > 0.97
    for name in ("overview", "structures", "calibration", "cases", "reliability", "against_ants"):
        columns = (out / f"segmentation_quick_{name}.tsv").read_text().splitlines()[0].split("\t")
        assert len(set(columns)) == len(columns)
    assert (out / "segmentation_quick_reliability.png").read_bytes().startswith(b"\x89PNG")

    assert segmentation.main([*words, "--page-only"]) == 0
    assert len(segmenters) == 1  # nothing was loaded, so nothing was measured
    again = rows_of(out / "segmentation_quick_summary.tsv")
    assert [(r["exam"], r["Dice"][:5]) for r in again] == [
        (r["exam"], r["Dice"][:5]) for r in summary
    ]

    assert segmentation.main([*words, "--seed", "8", "--page-only"]) == int(ExitCode.USAGE)
    assert "without --page-only" in capsys.readouterr().err


def test_good_and_poor_segmenters_are_told_apart(cases, anatomy, knowing, tmp_path):
    truth = structures_only(anatomy)
    passed = {}
    for shift in (0, 2):
        mine = method(knowing(truth, shift), shift=shift)
        results = segmentation.evaluate(["one"], 7, [mine], Store(7, tmp_path))
        page, _ = published([mine], results, tmp_path)
        passed[shift] = marks_of(page)
    assert passed[0]["tier A mean Dice, T1 + FA + MD, at least 0.9"]
    assert passed[0]["calibration error, label given, T1 only, at most 0.05"]
    assert passed[0]["tier A mean Dice lost without FA and MD at most 0.04"]
    assert not passed[2]["tier A mean Dice, T1 + FA + MD, at least 0.9"]
    assert not passed[2]["calibration error, label given, T1 only, at most 0.05"]
    assert passed[0]["every structure at least equal to ANTs on the same T1"] is None


def test_structures_where_ants_is_better_are_named(cases, anatomy, knowing, tmp_path):
    truth = structures_only(anatomy)
    lacking = Volume(np.where(truth.array == 9, 0, truth.array).astype(np.uint8), truth.affine)
    ours = method(knowing(lacking), ("t1",))
    theirs = method(knowing(truth), ("t1",), "ants")
    results = segmentation.evaluate(["one"], 7, [ours, theirs], Store(7, tmp_path))
    page, _ = published([ours, theirs], results, tmp_path)
    text, passed = next(mark for mark in page.marks if "equal to ANTs" in mark[0])
    assert passed is False
    assert "43 of 44; not red_nucleus_left (-" in text
    rows = {
        r["structure or group"]: r
        for r in rows_of(tmp_path / "segmentation_quick_against_ants.tsv")
    }
    assert float(rows["red_nucleus_left"]["difference"]) < -0.9
    assert float(rows["red_nucleus_right"]["difference"]) == pytest.approx(0)


@pytest.mark.parametrize(
    ("failure", "crashed"),
    [
        (BrainstemALSError("T1", "no brainstem", "Look.", ExitCode.NO_BRAINSTEM), False),
        (RuntimeError("the network broke"), True),
    ],
)
def test_an_exam_without_a_segmentation_counts_as_nothing_found(cases, tmp_path, failure, crashed):
    class Failing:
        asked = 0

        def segment(self, exam):
            self.asked += 1
            raise failure

    failing = Failing()
    mine = method(failing, ("t1",))
    store = Store(7, tmp_path)
    for _ in range(2):
        results = segmentation.evaluate(["one"], 7, [mine], store)
    record = results["model"]["t1"]["one"]
    assert {score.dice for score in record.scores.values()} == {0}
    assert {score.volume_bias_percent for score in record.scores.values()} == {-100}
    assert record.refused
    assert failing.asked == (2 if crashed else 1)  # a crash is tried again, a refusal is an answer
    page, path = published([mine], results, tmp_path)
    assert "| 1 | 1 | 0.000 |" in path.read_text()  # cases, refused, Dice
    assert marks_of(page)["calibration error, label given, T1 only, at most 0.05"] is None


def test_structures_out_of_view_are_not_scored(cases, anatomy, knowing):
    drawn = Exams("one", 7).of("cropped")
    record = segmentation.measure(method(knowing(structures_only(anatomy))), drawn)
    assert drawn.left_out
    assert not drawn.left_out & set(record.scores)
    assert not drawn.left_out & set(record.bins)


def test_a_record_comes_back_as_it_was(cases, anatomy, knowing, tmp_path):
    drawn = Exams("one", 7).of("t1")
    mine = method(knowing(structures_only(anatomy), 1))
    record = segmentation.measure(mine, drawn)
    back = Record.from_json(record.to_json())
    assert back.scores.keys() == record.scores.keys()
    for key, score in record.scores.items():
        for name, value in vars(score).items():
            if isinstance(value, float) and math.isfinite(value):
                assert getattr(back.scores[key], name) == pytest.approx(value, abs=1e-5)
    assert back.bins["brainstem"].error == pytest.approx(record.bins["brainstem"].error, abs=1e-4)
    store = Store(7, tmp_path)
    assert store.load(mine, "t1", "one") is None
    store.save(record, mine, "t1", "one")
    store.path(mine, "t1", "one").write_text("{}")
    assert store.load(mine, "t1", "one") is None  # a damaged record is measured anew


def test_weights_settings_seed_kind_and_anatomy_each_name_another_record(cases, tmp_path):
    mine = method(None)
    other = Method("model", "", mine.kinds, {"structures": {"sha256": "1" * 64}}, {}, mine.segment)
    paths = {
        Store(7, tmp_path).path(mine, "t1", "one"),
        Store(8, tmp_path).path(mine, "t1", "one"),
        Store(7, tmp_path).path(mine, "thick", "one"),
        Store(7, tmp_path).path(mine, "t1", "two"),
        Store(7, tmp_path).path(other, "t1", "one"),
        Store(7, tmp_path).path(method(None, temperature=1.5), "t1", "one"),
    }
    assert len(paths) == 6


def test_soft_volumes_are_judged_not_labels(cases, anatomy, knowing):
    class Modest(knowing):
        """Probabilities of 0.9 where it says brainstem."""

        def segment(self, exam):
            found = super().segment(exam)
            found.probabilities.array[...] *= 0.9
            return found

    drawn = Exams("one", 7).of("t1")
    record = segmentation.measure(method(Modest(structures_only(anatomy))), drawn)
    score = record.scores["pons"]
    assert score.dice > 0.97
    assert score.measured_mm3 == pytest.approx(0.9 * score.predicted_mm3, rel=0.01)
    assert score.volume_bias_percent == pytest.approx(
        100 * (score.measured_mm3 / score.truth_mm3 - 1), abs=0.01
    )
    assert record.bins["any"].error == pytest.approx(0.1, abs=0.03)


def test_ants_gets_the_atlas_to_the_t1(cases, anatomy, monkeypatch, tmp_path):
    """The real propagation, of the drawn anatomy's own labels and picture."""
    pytest.importorskip("ants")
    import SimpleITK as sitk

    from BrainstemALSLib.cli import icbm as icbm_images
    from BrainstemALSLib.imaging.geometry import to_sitk
    from training.evaluation import icbm

    drawn = Exams("one", 7).of("t1")
    template = tmp_path / "template.nii.gz"
    sitk.WriteImage(to_sitk(drawn.exam.t1), str(template))
    monkeypatch.setattr(icbm_images, "icbm_path", lambda name: template)
    monkeypatch.setattr(icbm, "atlas_labels", lambda: structures_only(anatomy))
    found = methods.propagated(drawn)
    assert found.probabilities is None
    expected = on_grid(structures_only(anatomy), drawn.exam.t1)
    assert np.mean(found.labels.array == expected.array) > 0.97
