"""Curves: areas, paired differences, and intervals that hold what they should."""

from __future__ import annotations

import numpy as np
import pytest

from training.active.coarse import KEYS
from training.active.curves import (
    common_end,
    corrected,
    difference,
    exam_dice,
    heights,
    pigeonhole,
    spent,
    structure_change,
)
from training.active.loop import CASES, NOTHING, PLACES, REGION, Arm, Round, Setting
from training.active.queries import BASELINE
from training.active.study_figure import draw_curves
from training.active.study_page import UNIT_NAMES, page_of
from training.evaluation.tables import write_page

EXAMS = 6


def loop(levels: list[float], minutes: float = 10.0, seed: int = 0) -> list[Round]:
    """Rounds whose exams lie around some levels of Dice."""
    own = np.random.default_rng(seed).normal(0, 0.05, EXAMS)
    return [
        Round(3 * n, minutes * n, [[float(level + o)] * len(KEYS) for o in own])
        for n, level in enumerate(levels)
    ]


def test_a_table_of_seeds_by_exams_has_its_mean_and_an_interval():
    rng = np.random.default_rng(1)
    table = rng.normal(0.3, 0.1, (4, 12))
    found = pigeonhole(table)
    assert found.mean == pytest.approx(table.mean())
    assert found.low < found.mean < found.high
    assert pigeonhole(table) == found
    seeds = np.repeat(rng.normal(0.3, 0.1, (4, 1)), 12, axis=1)
    exams_only = np.repeat(rng.normal(0.3, 0.1, (1, 12)), 4, axis=0)
    wide, narrow = pigeonhole(seeds), pigeonhole(exams_only)
    assert wide.high - wide.low > 0.02
    assert narrow.high - narrow.low > 0.02
    flat = pigeonhole(np.full((3, 5), 0.4))
    assert (flat.low, flat.high) == pytest.approx((0.4, 0.4))
    assert np.isnan(pigeonhole(table[:1]).low)


def test_the_interval_holds_the_truth_about_as_often_as_it_says():
    rng = np.random.default_rng(3)
    held = 0
    for n in range(100):
        table = rng.normal(0, 0.1, (8, 1)) + rng.normal(0, 0.1, 20) + rng.normal(0, 0.1, (8, 20))
        found = pigeonhole(table, n)
        held += found.low <= 0 <= found.high
    assert held >= 88


def test_the_height_of_a_straight_line_is_its_middle():
    values = np.array([[[0.2, 0.4, 0.6]]])
    along = np.array([[0.0, 3.0, 6.0]])
    assert heights(values, along, 6.0)[0, 0] == pytest.approx(0.4)
    assert heights(values, along, 3.0)[0, 0] == pytest.approx(0.3)
    assert heights(values, along, 4.5)[0, 0] == pytest.approx(0.35)


def test_differences_are_paired_and_end_where_all_do():
    good = {s: loop([0.3, 0.5, 0.6], minutes=20, seed=s) for s in (1, 2, 3)}
    base = {s: loop([0.3, 0.4, 0.5], minutes=10, seed=s) for s in (1, 2, 3)}
    assert exam_dice(good).shape == (3, EXAMS, 3)
    end = common_end([corrected(good), corrected(base)])
    found = difference(good, base, "corrected", end)
    assert found.mean == pytest.approx(0.075), "0.05 at 3 and 0.1 at both later ends, averaged"
    assert found.low == pytest.approx(found.high), "the exams cancel out"
    limit = common_end([spent(good), spent(base)])
    assert limit == 20.0
    assert difference(good, base, "minutes", limit).mean == pytest.approx(0.0)
    with pytest.raises(ValueError, match="same seeds"):
        difference(good, {1: base[1]}, "corrected", end)
    with pytest.raises(ValueError, match="minutes"):
        difference(good, base, "voxels", end)


def test_change_of_structures_leaves_out_what_no_exam_has():
    rounds = loop([0.4, 0.5])
    for one in rounds:
        for row in one.dice:
            row[2] = None
    keep = np.zeros(len(KEYS), bool)
    keep[:3] = True
    changes = structure_change({1: rounds}, keep)
    assert changes[:2] == pytest.approx([0.1, 0.1])
    assert np.isnan(changes[2])


def study_of(entropy: list[float], region: list[float]) -> dict[Arm, list[Round]]:
    """Loops of a study in which random goes from 0.3 to 0.5."""
    random = [0.3, 0.4, 0.5]
    levels = {
        (BASELINE, NOTHING): [0.3, 0.32, 0.32],
        (BASELINE, REGION): region,
        (BASELINE, CASES): random,
        ("entropy", CASES): entropy,
        (BASELINE, PLACES): random,
        ("entropy", PLACES): random,
    }
    return {
        Arm(strategy, unit, seed): loop(values, 5.0 if unit == PLACES else 20.0, seed)
        for (strategy, unit), values in levels.items()
        for seed in (1, 2, 3)
    }


def marks_of(done: dict[Arm, list[Round]]) -> dict[str, bool | None]:
    return dict(page_of(done, Setting(), (4, 40, EXAMS), "label_efficiency")[0].marks)


def test_the_page_says_which_strategy_wins_and_that_none_does():
    better = marks_of(study_of([0.3, 0.5, 0.6], [0.3, 0.3, 0.298]))
    text = next(t for t in better if "(whole exams, over corrected)" in t)
    assert better[text] is True
    assert "entropy; the highest is entropy, +0.0750" in text
    none = next(t for t in better if "(three places of each exam, over minutes)" in t)
    assert better[none] is False
    assert ": none; the highest is entropy, +0.0000" in none
    worse = marks_of(study_of([0.3, 0.3, 0.4], [0.3, 0.3, 0.29]))
    text = next(t for t in worse if "(whole exams, over corrected)" in t)
    assert worse[text] is False
    assert text.endswith("entropy is worse")


def test_the_page_says_what_the_others_lost():
    held = marks_of(study_of([0.3, 0.4, 0.5], [0.3, 0.3, 0.298]))
    lost = marks_of(study_of([0.3, 0.4, 0.5], [0.3, 0.3, 0.29]))
    for marks, wanted in ((held, True), (lost, False)):
        found = [passed for text, passed in marks.items() if "nobody corrected" in text]
        assert found == [wanted, wanted]


def test_the_page_and_its_picture_are_written(tmp_path):
    done = study_of([0.3, 0.5, 0.6], [0.3, 0.3, 0.3])
    page, loops = page_of(done, Setting(), (4, 40, EXAMS), "label_efficiency")
    draw_curves(loops, UNIT_NAMES, tmp_path / "label_efficiency_curves.png")
    text = write_page(page, tmp_path).read_text()
    assert "(simulated data)" in text
    assert "at least 3 seeds: 3 | reached" in text
    assert "own choice" in text
    assert "(label_efficiency_curves.png)" in text
    assert (tmp_path / "label_efficiency_curves.png").stat().st_size > 5000
    assert "replay alone" in (tmp_path / "label_efficiency_curves.tsv").read_text()
