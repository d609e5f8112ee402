"""The commands that measure longitudinal processing: their truths and their sums."""

from __future__ import annotations

import numpy as np
import pytest

from BrainstemALSLib.anatomy import by_key, composites
from BrainstemALSLib.errors import BrainstemALSError, ExitCode
from BrainstemALSLib.imaging.geometry import box_around
from BrainstemALSLib.imaging.volume import Volume
from training.evaluation.longitudinal_cases import ATTEMPTS, course, first_accepted, pose
from training.evaluation.longitudinal_error import standard_deviations
from training.evaluation.longitudinal_page import Row, page, reduction
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


def rows(better):
    return [
        Row(case, series, key, "volume", true, true + 2.0, true + 2.0 * (1 - better), word)
        for case in ("a", "b")
        for series, true, word in (("no change", 0.0, False), ("loss", -4.0, True))
        for key in ("medulla", "pons", "red_nucleus_left")
    ]


def test_the_reduction_is_that_of_the_root_mean_square():
    assert reduction(rows(0.5), 1) == pytest.approx((50, 50, 50))


@pytest.mark.parametrize(("better", "reached"), [(0.4, True), (0.2, False)])
def test_the_page_marks_what_was_asked_for(tmp_path, better, reached):
    done = page("longitudinal", rows(better), True, 0, 2, 1, {})
    assert [passed for _, passed in done.marks] == [reached, True]
    text = write_page(done, tmp_path).read_text()
    assert "(simulated data)" in text
    assert "| loss | 2 | -4.00 | -2.00 |" in text
