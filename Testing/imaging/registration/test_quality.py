"""The figure falls where maps do not lie right."""

from __future__ import annotations

import numpy as np
import pytest

from BrainstemALSLib.imaging.registration.quality import ACCEPTED, DOUBTFUL, quality_of
from BrainstemALSLib.imaging.registration.region import region_around
from BrainstemALSLib.imaging.volume import Volume


@pytest.fixture
def quality(tensor_maps, icbm_t1, centre):
    region = region_around(centre, icbm_t1)

    def measured(*shift: float, name: str = "fa") -> float:
        matrix = np.eye(4)
        matrix[:3, 3] = shift
        return quality_of(getattr(tensor_maps.moved(matrix), name), icbm_t1, region)

    return measured


@pytest.mark.parametrize("name", ["fa", "b0", "md"])
def test_the_right_place_is_accepted(quality, name):
    assert quality(0, 0, 0, name=name) > ACCEPTED


@pytest.mark.parametrize("name", ["fa", "b0", "md"])
@pytest.mark.parametrize("shift", [(5, 0, 0), (0, -5, 0), (0, 0, 5), (12, 12, -12)])
def test_other_places_are_refused(quality, name, shift):
    assert quality(*shift, name=name) < DOUBTFUL


def test_a_small_error_costs_something(quality):
    assert quality(0, 0, 0) > quality(1.5, 1.0, -1.0) > quality(3.0, 2.0, -2.0)


def test_the_scale_of_the_intensities_does_not_matter(tensor_maps, icbm_t1, centre):
    region = region_around(centre, icbm_t1)
    louder = Volume(tensor_maps.b0.array * np.float32(730), tensor_maps.b0.affine)
    assert quality_of(louder, icbm_t1, region) == quality_of(tensor_maps.b0, icbm_t1, region)


def test_nothing_to_compare_is_zero(tensor_maps, icbm_t1, centre):
    far = np.eye(4)
    far[2, 3] = 500
    assert quality_of(tensor_maps.moved(far).fa, icbm_t1, region_around(centre, icbm_t1)) == 0.0
