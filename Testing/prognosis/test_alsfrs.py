"""The ALSFRS-R is complete or it is not a total."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from BrainstemALSLib.errors import BrainstemALSError
from BrainstemALSLib.prognosis import alsfrs
from BrainstemALSLib.prognosis.alsfrs import HIGHEST_TOTAL, ITEMS, NOT_RATED, total

RATINGS = st.lists(st.integers(NOT_RATED, 4), min_size=12, max_size=12)


def test_it_has_twelve_items_and_48_points():
    assert len(set(ITEMS)) == 12
    assert total([4] * 12) == HIGHEST_TOTAL == 48
    assert total([0] * 12) == 0


def test_a_missing_item_leaves_no_total():
    assert total([4] * 5 + [NOT_RATED] + [4] * 6) is None


@pytest.mark.parametrize(
    "ratings", [[4] * 11, [5] + [4] * 11, [-2] + [4] * 11, [2.5] + [4] * 11, ["four"] * 12]
)
def test_what_is_no_rating_is_refused(ratings):
    with pytest.raises(BrainstemALSError, match="ALSFRS-R"):
        total(ratings)


def test_the_refusal_names_the_item():
    with pytest.raises(BrainstemALSError, match=r"item 8 \(Walking\) is rated 7"):
        alsfrs.checked([[4] * 12, [4] * 7 + [7] + [4] * 4])


def test_missing_items_may_be_nan_in_a_table():
    table = np.full((2, 12), 4.0)
    table[1, 0] = np.nan
    assert alsfrs.totals(table).tolist() == pytest.approx([48, np.nan], nan_ok=True)


def test_the_subscores_split_the_items():
    assert sorted(sum(alsfrs.SUBSCORES.values(), ())) == list(range(1, 13))
    found = alsfrs.subscores([1, 2, 3, 4, 4, 4, 0, 0, 0, 4, NOT_RATED, 4])
    assert found == {"bulbar": 6, "fine motor": 12, "gross motor": 0, "respiratory": None}


@settings(deadline=None)
@given(RATINGS)
def test_the_range_holds_the_total_and_is_one_number_only_when_complete(ratings):
    low, high = alsfrs.total_range(ratings)
    assert high - low == 4 * ratings.count(NOT_RATED)
    assert total(ratings) == (low if low == high else None)


@settings(deadline=None)
@given(RATINGS)
def test_subscores_add_up_to_the_total(ratings):
    parts = alsfrs.subscores(ratings).values()
    assert total(ratings) == (None if None in parts else sum(parts))


@pytest.mark.parametrize(
    ("without", "with_one", "expected"),
    [(3, -1, (3, False)), (-1, 2, (2, True)), (-1, -1, (NOT_RATED, None)), (0, -1, (0, False))],
)
def test_the_form_of_item_5_tells_of_a_gastrostomy(without, with_one, expected):
    assert alsfrs.item_5(without, with_one) == expected


def test_both_forms_of_item_5_are_refused():
    with pytest.raises(BrainstemALSError, match="5a and 5b"):
        alsfrs.item_5(3, 3)
