"""The pages on real images: steadiness under re-gridding, the ICBM T1, the race against ANTs."""

import csv
import math

import numpy as np
import pytest

from BrainstemALSLib.errors import BrainstemALSError, ExitCode
from BrainstemALSLib.imaging.volume import Volume
from training.evaluation import adapter, bench, icbm, real
from training.evaluation.grids import structures_only
from training.evaluation.metrics import score_labels
from training.evaluation.process import Run
from training.evaluation.tables import write_page


def change(what="grid", image="x", **percent):
    values = dict.fromkeys(real.REGIONS, 0.0) | percent
    return real.Change(image, what, "an axis", dict.fromkeys(real.REGIONS, 1000.0), values)


def marks_of(changes, images=("x",)):
    volumes = {image: dict.fromkeys(real.REGIONS, 1000.0) for image in images}
    return real.page_of(volumes, changes, {}, {}, 7, quick=True).marks


def test_every_part_of_the_brainstem_is_followed(anatomy, knowing, tmp_path):
    truth = structures_only(anatomy)
    t1 = Volume(truth.array.astype(np.float32), truth.affine)
    segmenter = knowing(truth)
    reference = adapter.volumes_mm3(segmenter.segment(adapter.exam_of(t1)))
    changes = real.steadiness("x", t1, reference, segmenter, 7, quick=True)
    assert [c.what for c in changes] == ["grid", "grid + noise", "noise"]
    assert all(c.percent["medulla"] == 0 for c in changes if c.what == "noise")  # the same grid
    page = real.page_of({"x": reference}, changes, {}, {}, 7, quick=True)
    write_page(page, tmp_path)
    with (tmp_path / "real_quick_steadiness.tsv").open() as file:
        rows = list(csv.DictReader(file, delimiter="\t"))
    for row, found in zip(rows, changes, strict=True):
        for region in real.REGIONS:
            assert float(row[f"{region} (%)"]) == pytest.approx(found.percent[region], rel=1e-4)

    smaller = reference | {"medulla": reference["medulla"] / 2}
    against = real.steadiness("x", t1, smaller, segmenter, 7, quick=True)
    assert all(c.percent["medulla"] > 90 for c in against)
    assert all(abs(c.percent["pons"]) < 10 for c in against)


def test_the_mark_is_on_another_grid_alone():
    marks = marks_of([change(brainstem=0.4), change("grid + noise", brainstem=3.0, medulla=3.0)])
    assert [passed for _, passed in marks] == [True, True]
    assert "worst of 1: 0.40 %" in marks[0][0]


@pytest.mark.parametrize(
    ("percent", "passed"),
    [
        ({"brainstem": -0.46}, [False, True]),
        ({"medulla": -1.1}, [True, False]),
        ({"midbrain": 9.0, "pons": 9.0}, [True, True]),
    ],
)
def test_the_worst_image_decides(percent, passed):
    marks = marks_of([change(), change(**percent), change()])
    assert [mark[1] for mark in marks] == passed
    assert all("missed by 0.0" in text or "missed by 0.1" in text for text, ok in marks if not ok)
    assert all("worst of 3" in text for text, _ in marks)


def test_images_are_marked_each_by_itself():
    marks = marks_of([change(), change(image="y", brainstem=2.0)], ("x", "y"))
    assert [passed for _, passed in marks] == [True, True, False, True]


def test_a_refused_image_is_no_steady_one():
    refused = change(**dict.fromkeys(real.REGIONS, math.nan))
    marks = marks_of([change(), refused])
    assert [passed for _, passed in marks] == [False, False]
    assert all("refused" in text for text, _ in marks)


def test_a_refusal_is_told_and_kept(anatomy, capsys):
    class Refusing:
        def segment(self, exam, progress=None, place=None):
            raise BrainstemALSError("T1", "no brainstem", "Look.", ExitCode.NO_BRAINSTEM)

    t1 = Volume(anatomy.array.astype(np.float32), anatomy.affine)
    reference = dict.fromkeys(real.REGIONS, 1000.0)
    changes = real.steadiness("x", t1, reference, Refusing(), 7, quick=True)
    assert all(math.isnan(value) for c in changes for value in c.percent.values())
    assert "no brainstem" in capsys.readouterr().err


def test_the_icbm_page_marks_brainstem_and_parts(anatomy, tmp_path):
    truth = structures_only(anatomy)
    moved = Volume(np.roll(truth.array, 2, axis=0), truth.affine)
    for found, passed in ((truth, True), (moved, False)):
        page = icbm.page_of(score_labels(found, truth), {}, "icbm.png")
        assert [mark[1] for mark in page.marks] == [passed] * 4
    text = write_page(page, tmp_path).read_text()
    assert text.splitlines()[0].endswith("(real data)")
    assert "ANTs is not compared on this image" in text


def test_the_missing_atlas_is_refused_with_the_way_out(monkeypatch, tmp_path):
    monkeypatch.setenv("BRAINSTEM_ALS_DATA", str(tmp_path))
    with pytest.raises(BrainstemALSError, match=r"python -m training\.atlas"):
        icbm.atlas_labels()


def measured(image, warm_seconds, peak_gib=2.0):
    cold, warm = Run(30.0, int(peak_gib * 2**30)), Run(60.0, 2**30)
    return bench.Measured(image, cold, warm, Run(160.0, 2**30), warm_seconds, 150.0, {})


@pytest.mark.parametrize(
    ("warm_seconds", "peak_gib", "expected"),
    [(10.0, 2.0, [True, True]), (12.5, 2.0, [False, True]), (10.0, 3.0, [True, False])],
)
def test_the_race_is_marked(warm_seconds, peak_gib, expected, tmp_path):
    dice = {"a": {"ours": {"brainstem": 0.91}, "ants": {"brainstem": 0.87}}}
    page = bench.page_of([measured("a", warm_seconds, peak_gib)], dice, 2, 7)
    assert [passed for _, passed in page.marks] == expected
    assert [("missed by" in text) for text, _ in page.marks] == [not passed for passed in expected]
    text = write_page(page, tmp_path).read_text()
    assert "limited to 2 threads" in text
    rows = [line for line in text.splitlines() if line.startswith("| a |")]
    assert [("0.91" in row, "0.87" in row) for row in rows] == [(True, False), (False, True)]


def test_the_box_and_the_whole_head_are_raced_apart():
    page = bench.page_of([measured("a", 60.0), measured(bench.REAL_NAME, 5.0)], {}, 2, 7)
    fast = [(text, passed) for text, passed in page.marks if "times faster" in text]
    assert [passed for _, passed in fast] == [False, True]
    assert "missed by 12.5" in fast[0][0]
    assert fast[1][0].startswith(bench.REAL_NAME)
