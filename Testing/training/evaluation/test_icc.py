"""Intraclass correlation against published figures and its own laws."""

import math

import numpy as np
import pytest

from training.evaluation.icc import icc_2_1

# Shrout & Fleiss 1979, table 2: six targets rated by four judges.
PUBLISHED = np.array(
    [[9, 2, 5, 8], [6, 1, 3, 2], [8, 4, 6, 8], [7, 1, 2, 6], [10, 5, 6, 9], [6, 2, 4, 7]]
)


def test_published_example():
    assert icc_2_1(PUBLISHED) == pytest.approx(0.29, abs=0.005)


def test_equal_ratings_agree_wholly_and_a_constant_bias_costs_agreement():
    volumes = np.array([20.0, 24.0, 22.0, 27.0])
    assert icc_2_1(np.stack([volumes, volumes], 1)) == pytest.approx(1)
    biased = [icc_2_1(np.stack([volumes, volumes + bias], 1)) for bias in (1, 4, 16)]
    assert 1 > biased[0] > biased[1] > biased[2] > 0


def test_units_do_not_matter():
    assert icc_2_1(PUBLISHED * 1000.0 + 5) == pytest.approx(icc_2_1(PUBLISHED))


def test_subjects_without_a_rating_are_left_out():
    more = np.vstack([PUBLISHED, [5, math.nan, 5, 5]])
    assert icc_2_1(more) == pytest.approx(icc_2_1(PUBLISHED))


@pytest.mark.parametrize("ratings", [np.ones((1, 2)), np.ones((5, 2)), np.zeros((0, 2))])
def test_what_does_not_vary_has_no_correlation(ratings):
    assert math.isnan(icc_2_1(ratings))
