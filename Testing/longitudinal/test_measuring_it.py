"""The commands that measure longitudinal processing: their truths and their sums."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from BrainstemALSLib.anatomy import by_key, composites
from BrainstemALSLib.errors import BrainstemALSError, ExitCode
from BrainstemALSLib.imaging.geometry import box_around
from BrainstemALSLib.imaging.volume import Volume
from training.evaluation.longitudinal import LOOKED_AT, unseen
from training.evaluation.longitudinal_cases import ATTEMPTS, course, first_accepted, pose
from training.evaluation.longitudinal_error import found_of_loss, standard_deviations
from training.evaluation.longitudinal_page import page
from training.evaluation.longitudinal_rows import (
    Row,
    agreement_table,
    found_share,
    limits_of_agreement,
    marks,
    mean_found,
    reduction,
)
from training.evaluation.tables import write_page


@pytest.fixture(scope="module")
def anatomy():
    labels = np.zeros((44, 44, 60), np.uint8)
    index = np.indices(labels.shape) - np.reshape([21.5, 21.5, 29.5], (3, 1, 1, 1))
    body = np.hypot(index[0], index[1]) < 9
    labels[body & (np.abs(index[2]) < 24)] = by_key()["basis_pontis_left"].index
    labels[body & (index[2] < 0) & (index[2] > -24)] = by_key()["pyramid_left"].index
    return Volume(labels, box_around((3.0, -4.0, 5.0), labels.shape, 0.75))


def test_a_course_loses_what_was_asked_for_where_it_was_asked_for(anatomy):
    shape = course(anatomy, "medulla", 4.0)
    assert shape.change_percent["medulla"] == pytest.approx(-4.0, abs=0.1)
    assert shape.change_percent["pons"] > -1.5
    assert set(composites()["midbrain"]).isdisjoint(shape.change_percent)


def test_a_course_looks_further_out_than_it_stands(anatomy):
    shape = course(anatomy, "medulla", 4.0)
    centre = np.array([3.0, -4.0, 5.0 - 8.0])
    rim, far = centre + np.array([6.0, 0, 0]), centre + np.array([0, 0, 500.0])
    looked = shape.look(np.stack([rim, far]))
    assert looked[0, 0] - centre[0] == pytest.approx(6.0 / np.sqrt(0.96), abs=0.05)
    np.testing.assert_array_equal(looked[1], far)
    assert course(anatomy, "medulla", 0.0).look(rim[None])[0, 0] == rim[0]


def test_a_pose_is_rigid_and_never_none():
    matrix = pose(5, np.array([1.0, 2.0, 3.0]))
    np.testing.assert_allclose(matrix[:3, :3] @ matrix[:3, :3].T, np.eye(3), atol=1e-12)
    assert np.abs(matrix @ [1, 2, 3, 1] - [1, 2, 3, 1])[:3].min() >= 1.5


def test_refused_scanners_are_drawn_anew_and_counted():
    def attempt(scanner):
        if scanner < 2 * 10_000_019:
            raise BrainstemALSError("T1", "no", "None.", ExitCode.NO_BRAINSTEM)
        return scanner

    assert first_accepted(attempt, 7) == (7 + 2 * 10_000_019, 2)

    def never(scanner):
        raise BrainstemALSError("T1", f"no {ATTEMPTS}", "None.", ExitCode.NO_BRAINSTEM)

    with pytest.raises(BrainstemALSError):
        first_accepted(never, 7)


def test_the_error_of_one_measurement_is_that_of_a_difference_over_root_two():
    repeats = [{("brainstem", "volume"): value} for value in (1.0, -1.0, 1.0, -1.0)]
    assert standard_deviations(repeats)["volume"]["brainstem"] == pytest.approx(
        1 / np.sqrt(2), 1e-3
    )


def test_a_figure_is_drawn_half_way_to_its_group():
    repeats = [{("brainstem", "volume"): 2.0 * sign, ("pons", "volume"): 0.0} for sign in (1, -1)]
    of = standard_deviations(repeats)["volume"]
    assert of["brainstem"] ** 2 == pytest.approx((2.0 + 1.0) / 2, rel=1e-3)
    assert of["pons"] ** 2 == pytest.approx((0.0 + 1.0) / 2, rel=1e-3)


def test_the_share_of_a_loss_that_is_found_is_a_slope_through_the_origin():
    losses = [
        {("medulla", "volume"): found, ("pyramid_left", "volume"): 0.5} for found in (-2.0, -3.0)
    ]
    truths = [{"medulla": -4.0, "pons": -1.0, "red_nucleus_left": 0.0}] * 2
    found = found_of_loss(losses, truths)
    # Leaving out one or the other gives 0.75 and 0.5: a standard error of 0.125.
    assert found["share"] == {"medulla": {"value": 0.625, "se": 0.12}}
    assert found["cases"] == 2


def test_anatomies_that_were_looked_at_take_no_part(monkeypatch):
    built = [*LOOKED_AT, *(f"new-{number}" for number in range(10))]
    monkeypatch.setattr(
        "training.evaluation.adapter.held_out", lambda count: sorted(built)[: min(count, 99)]
    )
    assert unseen(3) == ["new-0", "new-4", "new-9"]
    assert len(unseen(99)) == 10


def rows(better):
    return [
        Row(case, series, key, "volume", true, true + 2, true + 2 * (1 - better), word, -1.0, 1.0)
        for case in ("a", "b")
        for series, true, word in (("no change", 0.0, False), ("loss", -4.0, True))
        for key in ("medulla", "pons", "red_nucleus_left")
    ]


def test_the_reduction_is_that_of_the_root_mean_square():
    assert reduction(rows(0.5), 1) == pytest.approx((50, 50, 50))


@pytest.mark.parametrize(("better", "reached"), [(0.4, True), (0.2, False)])
def test_the_page_marks_what_was_asked_for(tmp_path, better, reached):
    done = page("longitudinal", rows(better), True, 0, 2, 1, {})
    assert [passed for _, passed in done.marks[:2]] == [reached, reached]
    assert [passed for _, passed in done.marks[2:4]] == [None, None], "no FA, no MD"
    assert done.marks[-1][1] is True
    text = write_page(done, tmp_path).read_text()
    assert "(simulated data)" in text
    assert "| loss | 2 | -4.00 | -2.00 |" in text
    assert "| no change | volumes that do not change | 6 | 100.0 |" in text
    assert "| loss | volumes that do | 6 | 0.0 |" in text


def test_the_page_tells_where_it_is_not_better_and_what_was_left_out(tmp_path):
    worse = [replace(row, measure="fa") for row in rows(-0.5)]
    little = [replace(row, measure="md") for row in rows(0.2)]
    done = page(
        "longitudinal",
        rows(0.4) + worse + little,
        True,
        0,
        2,
        1,
        {},
        {"c": "a trial"},
        [("a", "loss")],
    )
    text = write_page(done, tmp_path).read_text()
    assert "No gain that is clear (no): fa of whole regions, fa of tier A structures" in text
    assert "Better, by less than 30 %: md of whole regions" in text
    assert "take no part: c (a trial)." in text
    assert "in no table: a, loss." in text


def made(series, structure, found, measure="volume", true=0.0, given=True, independent=0.0):
    return [
        Row(case, series, structure, measure, true, independent, value, None, given=given)
        for case, value in zip("abc", found, strict=True)
    ]


def test_limits_of_agreement_are_those_of_bland_and_altman():
    mean, low, high = limits_of_agreement([1.0, 2.0, 3.0])
    assert (mean, low, high) == pytest.approx((2.0, 0.04, 3.96))
    table = agreement_table(
        made("no change", "pons", (1.0, 2.0, 3.0)) + made("loss", "pons", (90.0, 9.0, 9.0))
    )
    ((measure, _, group, n, *limits),) = table.rows
    assert (measure, group, n) == ("volume", "whole regions", 3)
    assert limits == pytest.approx([0, 0, 0, 2.0, 0.04, 3.96])


def test_a_loss_found_in_part_is_a_bias_by_how_much():
    lost = made("loss", "medulla", (-3.0, -3.1, -2.9), true=-4.0, independent=-4.0)
    assert found_share(lost, "longitudinal", 1) == pytest.approx((75, 73, 77), abs=1)
    text, reached = next(mark for mark in marks(lost, 1) if "unbiased" in mark[0])
    assert reached is False
    assert "75 % (" in text
    assert "off by 25; independent segmentations find 100 % (100 to 100)" in text
    around = made("loss", "medulla", (-4.3, -4.0, -3.7), true=-4.0)
    assert next(mark for mark in marks(around, 1) if "unbiased" in mark[0])[1] is True


def test_change_where_there_is_none_is_a_bias_too():
    still = made("no change", "pons", (0.2, 0.3, 0.1))
    assert mean_found(still, "longitudinal", 1)[0] == pytest.approx(0.2)
    text, reached = next(mark for mark in marks(still, 1) if "no change unbiased" in mark[0])
    assert reached is False
    assert "off by 0.20" in text


def test_regions_fa_and_md_have_marks_of_their_own():
    gain = made("loss", "red_nucleus_left", (1.0, -1.0, 1.0), independent=9.0)
    regions = made("loss", "pons", (1.0, -1.0, 1.0), independent=1.25)
    fa = made("loss", "pons", (1.0, -1.0, 1.0), "fa", independent=1.0)
    md = made("loss", "pons", (2.0, -2.0, 2.0), "md", independent=1.0)
    found = marks(gain + regions + fa + md, 1)[:4]
    assert [reached for _, reached in found] == [True, False, False, False]
    assert "whole regions alone" in found[1][0]
    assert found[1][0].endswith("20 % (20 to 20), short by 10")
    assert found[2][0].endswith("0 % (0 to 0), short by 30")
    assert found[3][0].endswith("-100 % (-100 to -100), short by 130")


@pytest.mark.parametrize("given", [False, True])
def test_a_change_that_is_given_between_scanners_is_a_mark_not_reached(tmp_path, given):
    other = made("another scanner", "pons", (-9.0, -10.0, -8.0), given=given, independent=1.0)
    (mark,) = [mark for mark in marks(rows(0.5) + other, 1) if "scanners" in mark[0]]
    assert mark[1] is not given
    assert mark[0].endswith(f"{3 if given else 0} of 3 series")
    done = page("longitudinal", rows(0.5) + other, True, 0, 2, 1, {})
    text = write_page(done, tmp_path).read_text()
    assert ("a, another scanner; b, another scanner" in text) is not given
    assert "another scanner" not in " ".join(r[2] for r in done.tables[0].rows)
