"""Probabilities whose calibration is known, and uncertainty that does or does not find errors."""

import math
from dataclasses import replace

import numpy as np
import pytest

from BrainstemALSLib.anatomy import by_key
from BrainstemALSLib.imaging.volume import Volume
from BrainstemALSLib.segmentation.result import Segmentation
from training.evaluation.calibration import (
    ANY,
    bins_of,
    calibration,
    error_auroc,
    pooled,
    pooled_error,
    stacked,
)

KEYS = ("pyramid_left", "pyramid_right")
SHAPE = (40, 40, 40)
OFFSET = (4, 6, 8)
BOX = (30, 30, 30)


def segmented(probabilities, entropy=None):
    """A segmentation of two structures, on a box of a larger grid."""
    window = tuple(slice(a, a + n) for a, n in zip(OFFSET, BOX, strict=True))
    labels = np.zeros(SHAPE, np.uint8)
    values = np.array([by_key()[key].index for key in KEYS])
    found = values[probabilities.argmax(-1)]
    labels[window] = np.where(probabilities.sum(-1) > 0.5, found, 0)
    affine = np.eye(4)
    affine[:3, 3] = OFFSET
    return Segmentation(
        labels=Volume(labels, np.eye(4)),
        entropy=Volume(np.zeros(SHAPE, np.float32) if entropy is None else entropy, np.eye(4)),
        probabilities=Volume(probabilities.astype(np.float16), affine),
        keys=KEYS,
        confidence={},
        intracranial_mm3=None,
        modalities=("t1",),
        device="cpu",
        device_reason="",
        model={},
    )


def drawn_truth(probabilities, rng, power=1.0):
    """Labels drawn with the probabilities that were said, or with others of the same order."""
    chance = np.concatenate([1 - probabilities.sum(-1, keepdims=True), probabilities], -1) ** power
    chance /= chance.sum(-1, keepdims=True)
    choice = (rng.random((*BOX, 1)) > chance.cumsum(-1)).sum(-1).clip(0, 2)
    truth = np.zeros(SHAPE, np.uint8)
    window = tuple(slice(a, a + n) for a, n in zip(OFFSET, BOX, strict=True))
    truth[window] = np.array([0, *(by_key()[key].index for key in KEYS)])[choice]
    return Volume(truth, np.eye(4))


@pytest.fixture(scope="module")
def probabilities():
    rng = np.random.default_rng(0)
    return rng.dirichlet((1.0, 0.6, 0.6), BOX)[..., 1:]


def test_probabilities_that_come_true_have_no_error(probabilities):
    truth = drawn_truth(probabilities, np.random.default_rng(1))
    found = calibration(segmented(probabilities), truth)
    for key in (ANY, *KEYS, "medulla"):
        assert found[key].error < 0.015, key


def test_overconfidence_is_found_and_is_as_large_as_it_is(probabilities):
    truth = drawn_truth(probabilities, np.random.default_rng(1), power=0.4)
    bins = calibration(segmented(probabilities), truth)[ANY]
    gap = (bins.said.sum() - bins.right.sum()) / bins.voxels.sum()
    assert gap > 0.08
    assert bins.error == pytest.approx(gap, abs=0.02)


def test_error_is_the_gap_weighted_by_the_voxels_of_each_bin():
    said = np.array([0.9] * 10 + [0.3] * 30)
    right = np.array([True] * 7 + [False] * 3 + [True] * 15 + [False] * 15)
    assert bins_of(said, right).error == pytest.approx((10 * 0.2 + 30 * 0.2) / 40)


def test_bins_hold_their_upper_end():
    bins = bins_of(np.array([0.0, 1 / 15, 1 / 15 + 1e-6, 1.0]), np.ones(4, bool))
    assert bins.voxels.tolist() == [2, 1, *[0] * 11, 0, 1]


def test_true_voxels_without_probability_are_overlooked(probabilities):
    sure = np.zeros((*BOX, 2))
    sure[10:20, 10:20, 10:20, 0] = 1
    truth = np.zeros(SHAPE, np.uint8)
    truth[14:24, 16:26, 18:33] = by_key()["pyramid_left"].index
    bins = calibration(segmented(sure), Volume(truth, np.eye(4)))
    for key in (ANY, "pyramid_left", "medulla"):
        assert (bins[key].true, bins[key].overlooked) == (1500, 500)
        assert bins[key].error == 0
    assert math.isnan(bins["pyramid_right"].overlooked_percent)
    assert math.isnan(bins["midbrain"].error)


def test_cases_pool_by_voxels_not_by_cases():
    one = {"x": bins_of(np.full(10, 0.8), np.zeros(10, bool), true=4)}
    other = {"x": bins_of(np.full(30, 0.8), np.ones(30, bool), true=30)}
    expected = abs(40 * 0.8 - 30) / 40
    assert pooled([one["x"], other["x"]]).error == pytest.approx(expected)
    assert pooled([one["x"], other["x"]]).overlooked_percent == pytest.approx(100 * 4 / 34)
    assert pooled_error(stacked([one, other], ["x", "absent"])) == pytest.approx(expected)
    assert math.isnan(pooled_error(stacked([], ["x"])))


def test_entropy_at_the_errors_finds_all_of_them_and_elsewhere_none(probabilities):
    sure = np.zeros((*BOX, 2))
    sure[10:20, 10:20, 10:20, 0] = 1
    found = segmented(sure)
    truth = Volume(found.labels.array.copy(), np.eye(4))
    assert math.isnan(error_auroc(found, truth))
    truth.array[14:16] = 0
    wrong = (truth.array != found.labels.array).astype(np.float32)
    assert error_auroc(segmented(sure, wrong), truth) == 1
    assert error_auroc(segmented(sure, 1 - wrong), truth) == 0
    assert error_auroc(found, truth) == 0.5
    noise = np.random.default_rng(0).random(SHAPE, np.float32)
    assert error_auroc(segmented(sure, noise), truth) == pytest.approx(0.5, abs=0.05)


def test_errors_far_from_any_label_do_not_exist_and_far_background_does_not_count():
    sure = np.zeros((*BOX, 2))
    sure[10:20, 10:20, 10:20, 0] = 1
    truth = Volume(segmented(sure).labels.array.copy(), np.eye(4))
    truth.array[14:16] = 0
    entropy = np.zeros(SHAPE, np.float32)
    entropy[truth.array != segmented(sure).labels.array] = 0.5
    entropy[:, :, :4] = 1  # uncertain, but 14 mm below the lowest label
    assert error_auroc(segmented(sure, entropy), truth) == 1


def test_labels_alone_have_neither():
    sure = np.zeros((*BOX, 2))
    sure[10:20, 10:20, 10:20, 0] = 1
    bare = replace(segmented(sure), probabilities=None)
    assert calibration(bare, bare.labels) == {}
    assert math.isnan(error_auroc(bare, bare.labels))
