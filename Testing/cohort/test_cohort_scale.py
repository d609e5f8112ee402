"""The arithmetic and the marks of the page; the page itself is run by hand."""

from types import SimpleNamespace

import pytest

pytest.importorskip("torch", reason="training needs torch")
from training.evaluation.cohort_scale import (
    Restarts,
    Scale,
    Throughput,
    page_of,
    people_for,
)

GIVEN = SimpleNamespace(threads=1, seed=7, model_dir=None)
SCALE = Scale(4, 100.0, (20.0, 24.0, 20.0, 24.0), 2 * 2**30, 1)


def marks(scale=SCALE, restarts=None, cluster=()):
    page = page_of(scale, restarts, list(cluster), True, GIVEN)
    return [passed for _, passed in page.marks]


def test_hours_are_start_up_and_visits_by_process():
    assert SCALE.hours(1000, 500)[0] == pytest.approx((12 + 1000 * 22) / 3600)
    two = Scale(4, 56.0, SCALE.each, 2**30, 2)
    assert two.hours(1000, 500)[0] == pytest.approx((12 + 500 * 22) / 3600)
    both = Scale(4, 110.0, SCALE.each, 2**30, 1, (4.0, 6.0))
    assert both.hours(1000, 500)[0] == pytest.approx((12 + 1000 * 22 + 500 * 5) / 3600)


def test_the_interval_is_a_t_interval_for_the_mean_of_the_visits_to_come():
    middle, low, high = SCALE.hours(1000, 500)
    # SD of 20, 24, 20, 24 is 2.3094; t of 3 degrees of freedom is 3.1824.
    half = 3.1824 * 2.3094 * (1 / 4 + 1 / 1000) ** 0.5 * 1000 / 3600
    assert (high - middle, middle - low) == pytest.approx((half, half), rel=1e-3)
    single = Scale(1, 30.0, (20.0,), 2**30, 1)
    assert len(set(single.hours(10, 5))) == 1


def test_marks_follow_what_was_found():
    assert marks() == [True, True, None, None]
    slow = Scale(2, 2000.0, (900.0, 1100.0), 3 * 2**30, 1)
    assert marks(slow)[:2] == [False, False]
    fine = Restarts(2, (1, 3), 6, lost=0, duplicates=0, leftovers=0, same_table=True)
    assert marks(restarts=fine)[2:4] == [True, True]
    lost = Restarts(2, (1, 3), 6, lost=1, duplicates=0, leftovers=0, same_table=False)
    assert marks(restarts=lost)[2:4] == [False, False]
    # Nothing was done yet at any kill: that shows nothing.
    early = Restarts(2, (0, 0), 6, lost=0, duplicates=0, leftovers=0, same_table=True)
    assert marks(restarts=early)[2] is None


def test_two_workers_are_compared_with_one():
    from BrainstemALSLib.cohort.warm import cores

    found = marks(cluster=[Throughput(1, 6, 60.0), Throughput(2, 6, 40.0)])[-1]
    assert found is (False if cores() > 1 else None)
    assert marks(cluster=[Throughput(1, 6, 60.0)])[-1] is None


def test_people_are_taken_until_there_are_enough_visits():
    visits = [SimpleNamespace(participant=f"sub-{n}", has_t1=n != 2) for n in (1, 1, 2, 3, 3, 4)]
    assert people_for(visits, 3) == ["sub-1", "sub-3"]
    assert people_for(visits, 99) == ["sub-1", "sub-3", "sub-4"]
