"""The ALSFRS-R is complete or it is not a total."""

from __future__ import annotations

import pytest

from BrainstemALSLib.prognosis.alsfrs import HIGHEST_TOTAL, ITEMS, NOT_RATED, total


def test_it_has_twelve_items_and_48_points():
    assert len(set(ITEMS)) == 12
    assert total([4] * 12) == HIGHEST_TOTAL == 48
    assert total([0] * 12) == 0


def test_a_missing_item_leaves_no_total():
    assert total([4] * 5 + [NOT_RATED] + [4] * 6) is None


@pytest.mark.parametrize("ratings", [[4] * 11, [5] + [4] * 11, [-2] + [4] * 11])
def test_what_is_no_rating_is_refused(ratings):
    with pytest.raises(ValueError, match="ALSFRS-R"):
        total(ratings)
