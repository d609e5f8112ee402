"""From simulated exam to page, with a segmenter whose answer is known."""

import numpy as np
import pytest

from BrainstemALSLib.errors import BrainstemALSError, ExitCode
from BrainstemALSLib.imaging.volume import Volume
from training.evaluation import adapter, bench, icbm, real, synthetic
from training.evaluation.grids import structures_only
from training.evaluation.metrics import score_labels
from training.evaluation.process import Run
from training.evaluation.simulate import simulate_exam
from training.evaluation.tables import write_page


@pytest.fixture(scope="module")
def simulated(anatomy):
    return simulate_exam(anatomy, seed=5)


@pytest.fixture
def one_anatomy(monkeypatch, anatomy):
    """The adapter's cases, without built data."""
    monkeypatch.setattr(
        adapter, "simulate_with_mask", lambda case, seed: simulate_exam(anatomy, seed)
    )


def test_simulated_exam_is_whole_and_repeats(anatomy, simulated):
    exam, truth, brain = simulated
    for volume in (exam.t1, exam.fa, exam.md, truth):
        assert volume.shape == truth.shape == brain.shape
        assert np.isfinite(volume.array).all()
    assert 0 <= exam.fa.array.min() <= exam.fa.array.max() <= 1
    assert exam.t1.array.std() > 0
    assert set(np.unique(truth.array)) == {0} | set(np.unique(structures_only(anatomy).array))
    volume = (structures_only(anatomy).array > 0).sum() * anatomy.voxel_volume
    assert (truth.array > 0).sum() * truth.voxel_volume == pytest.approx(volume, rel=0.02)
    again, *_ = simulate_exam(anatomy, seed=5)
    assert np.array_equal(again.t1.array, exam.t1.array)
    other, *_ = simulate_exam(anatomy, seed=6)
    assert not np.array_equal(other.t1.array, exam.t1.array)


def test_truth_lies_where_the_anatomy_is(anatomy, simulated):
    _, truth, _ = simulated
    for value in (1, 26, 50):
        middles = []
        for volume in (anatomy, truth):
            voxels = np.argwhere(volume.array == value)
            middles.append(volume.affine[:3, :3] @ voxels.mean(0) + volume.affine[:3, 3])
        assert middles[1] == pytest.approx(middles[0], abs=0.3)


def test_synthetic_evaluation_tells_a_good_from_a_poor_segmenter(
    one_anatomy, anatomy, knowing, tmp_path
):
    truth = structures_only(anatomy)
    good = knowing(truth)
    scores, model = synthetic.evaluate(["a"], 7, good)
    # With V1, without it, then the T1 alone.
    seen = [(exam.fa is not None, exam.v1 is not None) for exam in good.seen]
    assert seen == [(True, True), (True, False), (False, False)]
    page = synthetic.page_of(scores, model, 7, quick=True)
    tiers = [passed for text, passed in page.marks if text.startswith("tier")]
    assert tiers == [True] * 6
    text = write_page(page, tmp_path).read_text()
    assert text.startswith("# Segmentation of simulated exams of held-out anatomies (simulated")
    assert "knowing 0, sha256" in text
    assert (tmp_path / "synthetic_quick_cases_t1.tsv").exists()

    scores, model = synthetic.evaluate(["a"], 7, knowing(truth, shift=3))
    marks = synthetic.page_of(scores, model, 7, quick=True).marks
    assert [passed for text, passed in marks if text.startswith("tier")] == [False] * 6


def test_a_refused_exam_counts_as_nothing_found(one_anatomy):
    class Refusing:
        def segment(self, exam, progress=None, place=None):
            raise BrainstemALSError("T1", "no brainstem", "Look.", ExitCode.NO_BRAINSTEM)

    scores, _ = synthetic.evaluate(["a"], 7, Refusing())
    assert {sheet["brainstem"].dice for cases in scores.values() for sheet in cases.values()} == {0}


def test_steadiness_follows_the_volume(simulated, anatomy, knowing, tmp_path):
    exam, _, _ = simulated
    segmenter = knowing(structures_only(anatomy))
    reference = adapter.volumes_mm3(segmenter.segment(exam))
    changes = real.steadiness("x", exam.t1, reference["brainstem"], segmenter, 7, quick=True)
    assert {change.what for change in changes} == {"grid", "grid + noise", "noise"}
    page = real.page_of({"x": reference}, changes, {}, {}, 7, quick=True)
    worst = max(abs(c.percent) for c in changes if c.what == "grid + noise")
    assert page.marks[0][1] == (worst <= 1)
    write_page(page, tmp_path)
    double = real.steadiness("x", exam.t1, reference["brainstem"] / 2, segmenter, 7, quick=True)
    assert all(c.percent > 90 for c in double)
    assert not real.page_of({"x": reference}, double, {}, {}, 7, quick=True).marks[0][1]


def test_a_refusal_of_a_changed_image_fails_the_mark():
    changes = [
        real.Change("x", "grid + noise", "a", 20000.0, 0.1),
        real.Change("x", "grid + noise", "b", float("nan"), float("nan")),
    ]
    page = real.page_of({"x": {"brainstem": 20000.0}}, changes, {}, {}, 7, quick=True)
    assert page.marks[0][1] is False


def test_icbm_page_marks_regions(anatomy, tmp_path):
    truth = structures_only(anatomy)
    moved = Volume(np.roll(truth.array, 2, axis=0), truth.affine)
    for found, passed in ((truth, True), (moved, False)):
        page = icbm.page_of(score_labels(found, truth), {}, "icbm.png")
        assert [mark[1] for mark in page.marks] == [passed] * 4
    assert write_page(page, tmp_path).read_text().splitlines()[0].endswith("(real data)")


def test_missing_atlas_is_refused_with_the_way_out(monkeypatch, tmp_path):
    monkeypatch.setenv("BRAINSTEM_ALS_DATA", str(tmp_path))
    with pytest.raises(BrainstemALSError, match=r"python -m training\.atlas"):
        icbm.atlas_labels()


@pytest.mark.parametrize(
    ("warm_seconds", "peak_gib", "expected"),
    [(10.0, 2.0, [True, True]), (20.0, 2.0, [False, True]), (10.0, 3.0, [True, False])],
)
def test_bench_marks(warm_seconds, peak_gib, expected, tmp_path):
    run = Run(30.0, int(peak_gib * 2**30))
    ants = Run(110.0, 2**30)
    result = bench.Measured("a", run, Run(60.0, 2**30), ants, warm_seconds, 100.0, {})
    dice = {"a": {"ours": {"brainstem": 0.91}, "ants": {"brainstem": 0.87}}}
    page = bench.page_of([result], dice, 2, 7)
    assert [passed for _, passed in page.marks] == expected
    text = write_page(page, tmp_path).read_text()
    assert "limited to 2 threads" in text
    rows = [line for line in text.splitlines() if line.startswith("| a |")]
    assert [("0.91" in row, "0.87" in row) for row in rows] == [(True, False), (False, True)]
