"""King's and MiToS stages: the published rules, missing items, one answer for one and for many."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from BrainstemALSLib.errors import BrainstemALSError
from BrainstemALSLib.prognosis import kings, mitos
from BrainstemALSLib.prognosis.alsfrs import NOT_RATED

COMPLETE = st.lists(st.integers(0, 4), min_size=12, max_size=12)
FLAG = st.booleans()


def rated(**items):
    """Return twelve normal ratings but for items named i1 to i12."""
    ratings = [4] * 12
    for name, rating in items.items():
        ratings[int(name[1:]) - 1] = rating
    return ratings


def kings_by_the_table(ratings, gastrostomy, niv):
    """The published table once more, in plain words."""
    speech, saliva, swallow, write, cut, _, _, walk, _, breath, _, support = ratings
    if gastrostomy or niv or breath == 0 or support < 4:
        return 4
    bulbar = 1 if min(speech, saliva, swallow) < 4 else 0
    arms = 1 if min(write, cut) < 4 else 0
    return bulbar + arms + (1 if walk < 4 else 0)


def mitos_by_the_table(ratings):
    speech, _, swallow, write, _, dress, _, walk, _, breath, _, support = ratings
    lost = 0
    if min(walk, dress) <= 1:
        lost += 1
    if swallow <= 1:
        lost += 1
    if max(speech, write) <= 1:
        lost += 1
    if breath <= 1 or support <= 2:
        lost += 1
    return lost


@pytest.mark.parametrize(
    ("items", "expected"),
    [
        ({}, "0"),
        ({"i1": 3}, "1"),
        ({"i2": 3}, "1"),
        ({"i3": 3}, "1"),
        ({"i1": 0, "i2": 0, "i3": 0}, "1"),  # three items, one region
        ({"i4": 3}, "1"),
        ({"i5": 3}, "1"),
        ({"i8": 3}, "1"),
        ({"i6": 0, "i7": 0, "i9": 0, "i11": 0}, "0"),  # none of these counts
        ({"i1": 3, "i4": 3}, "2"),
        ({"i5": 3, "i8": 3}, "2"),
        ({"i1": 3, "i4": 3, "i8": 3}, "3"),
        ({"i10": 1}, "0"),  # dyspnea at rest is not yet failure
        ({"i10": 0}, "4"),
        ({"i12": 3}, "4"),
    ],
)
def test_kings_rules(items, expected):
    assert kings.stage(rated(**items), gastrostomy=False) == expected


@pytest.mark.parametrize(
    ("items", "expected"),
    [
        ({}, 0),
        ({"i8": 2, "i6": 2}, 0),
        ({"i8": 1}, 1),
        ({"i6": 1}, 1),
        ({"i8": 0, "i6": 0}, 1),  # two items, one domain
        ({"i3": 2}, 0),
        ({"i3": 1}, 1),
        ({"i1": 0}, 0),  # speech alone leaves writing
        ({"i4": 0}, 0),
        ({"i1": 1, "i4": 1}, 1),
        ({"i10": 2, "i12": 3}, 0),
        ({"i10": 1}, 1),
        ({"i12": 2}, 1),
        ({"i8": 1, "i3": 1}, 2),
        ({"i8": 1, "i3": 1, "i12": 0}, 3),
        ({"i8": 0, "i3": 0, "i1": 0, "i4": 0, "i10": 0}, 4),
    ],
)
def test_mitos_rules(items, expected):
    assert mitos.stage(rated(**items)) == expected


@pytest.mark.parametrize(
    ("items", "gastrostomy", "niv", "expected"),
    [
        ({}, False, False, ()),
        ({}, True, False, ("4A",)),
        ({"i12": 3}, False, False, ("4B",)),
        ({"i10": 0}, True, False, ("4A", "4B")),
        ({}, False, True, ("4B",)),
        ({"i12": NOT_RATED}, None, None, ()),  # nothing is certain
    ],
)
def test_what_makes_stage_four(items, gastrostomy, niv, expected):
    assert kings.failures(rated(**items), gastrostomy, niv) == expected
    assert (kings.stage(rated(**items), gastrostomy, niv) == "4") == bool(expected)


def test_death_is_stage_five_whatever_was_rated():
    assert kings.stage([NOT_RATED] * 12, None, None, dead=True) == "5"
    assert mitos.stage([NOT_RATED] * 12, dead=True) == 5


def test_a_missing_item_that_cannot_matter_leaves_the_stage():
    assert kings.stage(rated(i1=3, i2=NOT_RATED, i9=NOT_RATED), gastrostomy=False) == "1"
    assert kings.stage(rated(i1=NOT_RATED, i12=2), gastrostomy=None) == "4"
    assert mitos.stage(rated(i8=1, i6=NOT_RATED)) == 1
    assert mitos.stage(rated(i1=NOT_RATED, i4=2)) == 0


def test_a_missing_item_that_may_matter_leaves_none_and_the_possible_stages():
    assert kings.stage(rated(i8=NOT_RATED), gastrostomy=False) is None
    assert kings.possible_stages(rated(i8=NOT_RATED), gastrostomy=False) == (0, 1)
    assert kings.possible_stages(rated(i12=NOT_RATED), gastrostomy=False) == (0, 4)
    assert kings.possible_stages(rated(), gastrostomy=None) == (0, 4)
    assert kings.possible_stages([NOT_RATED] * 12, None) == (0, 1, 2, 3, 4)
    assert mitos.possible_stages(rated(i3=NOT_RATED)) == (0, 1)
    assert mitos.lost_domains(rated(i3=NOT_RATED, i8=0)) == {
        "movement": True,
        "swallowing": None,
        "communicating": False,
        "breathing": False,
    }


@settings(deadline=None)
@given(COMPLETE, FLAG, FLAG)
def test_every_complete_visit_has_the_stage_of_the_table(ratings, gastrostomy, niv):
    assert kings.stage(ratings, gastrostomy, niv) == str(
        kings_by_the_table(ratings, gastrostomy, niv)
    )
    assert mitos.stage(ratings) == mitos_by_the_table(ratings)


@settings(deadline=None)
@given(COMPLETE, FLAG, st.sets(st.integers(0, 11), max_size=3))
def test_possible_stages_are_those_of_every_way_to_complete_the_visit(ratings, gastrostomy, gone):
    incomplete = [NOT_RATED if at in gone else rating for at, rating in enumerate(ratings)]
    king, milano = set(), set()
    for filling in product(range(5), repeat=len(gone)):
        complete = list(ratings)
        for at, rating in zip(sorted(gone), filling, strict=True):
            complete[at] = rating
        king.add(kings_by_the_table(complete, gastrostomy, False))
        milano.add(mitos_by_the_table(complete))
    assert kings.possible_stages(incomplete, gastrostomy) == tuple(sorted(king))
    assert mitos.possible_stages(incomplete) == tuple(sorted(milano))


@settings(deadline=None)
@given(COMPLETE, st.integers(0, 11), FLAG)
def test_a_worse_item_never_gives_a_better_stage(ratings, at, gastrostomy):
    worse = list(ratings)
    worse[at] = max(0, worse[at] - 1)
    assert kings.stage(worse, gastrostomy) >= kings.stage(ratings, gastrostomy)
    assert mitos.stage(worse) >= mitos.stage(ratings)


@settings(deadline=None)
@given(
    st.lists(
        st.tuples(
            st.lists(st.integers(NOT_RATED, 4), min_size=12, max_size=12),
            st.sampled_from([True, False, None]),
            st.sampled_from([True, False, None]),
            FLAG,
        ),
        min_size=1,
        max_size=8,
    )
)
def test_many_visits_are_staged_as_one_by_one(visits):
    ratings, gastrostomy, niv, dead = (list(column) for column in zip(*visits, strict=True))
    king = kings.stages(ratings, gastrostomy, niv, dead)
    milano = mitos.stages(ratings, dead)
    low, high = kings.stage_ranges(ratings, gastrostomy, niv, dead)
    for at, visit in enumerate(visits):
        alone = kings.stage(*visit)
        assert king[at] == (kings.NOT_STAGED if alone is None else int(alone))
        possible = kings.possible_stages(*visit)
        assert (low[at], high[at]) == (possible[0], possible[-1])
        alone = mitos.stage(visit[0], visit[3])
        assert milano[at] == (mitos.NOT_STAGED if alone is None else alone)


def test_one_flag_holds_for_every_visit():
    assert kings.stages(np.full((3, 12), 4), True).tolist() == [4, 4, 4]
    assert kings.stages(np.full((0, 12), 4), False).tolist() == []


@pytest.mark.parametrize("flag", ["yes", 3, [True, False]])
def test_what_is_no_flag_is_refused(flag):
    with pytest.raises(BrainstemALSError, match="gastrostomy"):
        kings.stages(np.full((3, 12), 4), flag)


@pytest.mark.parametrize("call", [lambda r: kings.stage(r, False), mitos.stage])
def test_bad_ratings_are_refused(call):
    with pytest.raises(BrainstemALSError, match="ALSFRS-R"):
        call([4] * 11 + [6])
    with pytest.raises(BrainstemALSError, match="more than one visit"):
        call([[4] * 12] * 2)
