"""The table of fibre directions: whole, symmetric, and as anatomy has it."""

from __future__ import annotations

import numpy as np
import pytest

from BrainstemALSLib.anatomy import by_key
from BrainstemALSLib.anatomy.fibres import REACH_MM, load_fibre_directions

FLIP = np.array([-1.0, 1.0, 1.0])


def test_rows_are_structures_with_unit_directions():
    table = load_fibre_directions()
    assert set(table) <= set(by_key())
    for fibre in table.values():
        assert np.linalg.norm(fibre.direction) == pytest.approx(1, abs=2e-3)
        assert 0 < fibre.spread_deg < 45
        assert fibre.status in ("atlas", "derived")
        assert fibre.source


def test_left_and_right_mirror_each_other():
    table = load_fibre_directions()
    offsets = np.random.default_rng(1).uniform(-8, 8, (50, 3))
    for key, fibre in table.items():
        other = table[by_key()[key].mirror_key]
        found = other.at(offsets * FLIP) * FLIP
        # A direction has no sign.
        assert np.allclose(np.abs((found * fibre.at(offsets)).sum(1)), 1, atol=1e-3), key


@pytest.mark.parametrize(
    ("key", "axis"),
    [
        ("cst_pons_left", 2),
        ("pyramid_right", 2),
        ("medial_lemniscus_pons_left", 2),
        ("inferior_cerebellar_peduncle_left", 2),
        ("basis_pontis_left", 0),
        ("superior_cerebellar_peduncle_left", 1),
        ("middle_cerebellar_peduncle_right", 1),
    ],
)
def test_tracts_run_as_anatomy_says(key, axis):
    """Long tracts along the body, pontine fibres across, cerebellar peduncles front to back."""
    direction = load_fibre_directions()[key].direction
    assert np.argmax(np.abs(direction)) == axis


def test_the_field_is_held_far_away_and_always_of_unit_length():
    fibre = load_fibre_directions()["middle_cerebellar_peduncle_left"]
    far = np.array([[100.0, 0, 0], [REACH_MM, 0, 0]])
    assert np.allclose(fibre.at(far)[0], fibre.at(far)[1])
    offsets = np.random.default_rng(2).uniform(-30, 30, (200, 3))
    assert np.allclose(np.linalg.norm(fibre.at(offsets), axis=1), 1, atol=2e-3)
