"""Places: where the doubt is, apart from each other, in millimetres of the patient."""

from __future__ import annotations

import numpy as np
import pytest

from training.active.queries import (
    STRATEGIES,
    Entropy,
    StratifiedPowerEntropy,
    strategies,
)
from training.active.regions import best_places, box_mask
from training.active.summary import CaseSummary

KEYS = ("pyramid_left", "red_nucleus_left")
AFFINE = np.diag([2.0, 2.0, 2.0, 1.0])
AFFINE[:3, 3] = (-30, -60, -50)


def summary(*hot: tuple[int, int, int], shape=(32, 40, 48)) -> CaseSummary:
    """Left pyramid in a big block, red nucleus above it; doubt around some voxels."""
    classes = np.zeros(shape, np.uint8)
    classes[4:28, 4:36, 4:36] = 1
    classes[4:28, 4:36, 36:44] = 2
    entropy = np.full(shape, 0.01, np.float16)
    for weight, (i, j, k) in enumerate(hot):
        entropy[i - 2 : i + 3, j - 2 : j + 3, k - 2 : k + 3] = 0.9 - 0.1 * weight
    return CaseSummary(
        "a", KEYS, AFFINE, classes, entropy, entropy * 0.1, np.zeros(3, np.float32), 1
    )


def test_the_three_most_doubtful_places_are_found_in_their_order():
    hot = [(8, 10, 12), (20, 28, 40), (22, 12, 24)]
    places = best_places(summary(*hot), Entropy(), seed=1)
    assert len(places) == 3
    for place, voxel in zip(places, hot, strict=True):
        middle = AFFINE[:3, :3] @ voxel + AFFINE[:3, 3]
        assert np.abs(np.array(place.centre_ras) - middle).max() <= 8.0
        assert box_mask((32, 40, 48), AFFINE, place.centre_ras, place.size_mm)[voxel]
    assert [p.score for p in places] == sorted((p.score for p in places), reverse=True)
    assert places[0].keys == ("pyramid_left",)
    assert "red_nucleus_left" in places[1].keys
    assert "pyramid left" in places[0].reason
    assert places[0].reason.endswith(".")


@pytest.mark.parametrize("name", STRATEGIES)
def test_places_never_overlap_and_repeat(name):
    case = summary((8, 10, 12))
    first, again = (best_places(case, strategies()[name], 5, count=4) for _ in range(2))
    assert first == again
    masks = [box_mask(case.classes.shape, AFFINE, p.centre_ras, p.size_mm) for p in first]
    assert len(masks) == 4
    assert np.sum(masks, axis=0).max() == 1
    assert all(mask.sum() == 8**3 for mask in masks)
    assert all(case.classes[mask].any() for mask in masks), "every place shows a structure"


def test_a_place_for_a_structure_holds_that_structure():
    case = summary((8, 10, 12))
    case.classes[6, 6, 6] = 2  # one stray voxel, as doubtful as can be
    case.entropy[6, 6, 6] = 1.0
    case.entropy[20:24, 20:24, 38:42] = 0.4
    strategy = StratifiedPowerEntropy(late=1.0)
    found = [best_places(case, strategy, seed, count=1)[0] for seed in range(30)]
    nucleus = [place for place in found if "red nucleus" in place.reason.split(":")[1]]
    assert len(nucleus) > 5
    assert all("red_nucleus_left" in place.keys for place in nucleus)


def test_an_exam_without_structures_has_no_places():
    case = summary()
    empty = CaseSummary(
        "a", KEYS, AFFINE, case.classes * 0, case.entropy, case.entropy, case.features, 1
    )
    assert best_places(empty, Entropy(), 1) == ()


def test_a_grid_smaller_than_a_place_is_one_place():
    classes = np.ones((3, 3, 3), np.uint8)
    doubt = np.full((3, 3, 3), 0.5, np.float16)
    case = CaseSummary("a", KEYS, AFFINE, classes, doubt, doubt, np.zeros(1, np.float32), 1)
    assert len(best_places(case, Entropy(), 1)) == 1


def test_a_finer_grid_gives_the_same_place():
    fine = AFFINE.copy()
    fine[:3, :3] /= 2
    fine[:3, 3] -= 0.5
    coarse = summary((10, 16, 20))
    double = [np.kron(a, np.ones((2, 2, 2), a.dtype)) for a in (coarse.classes, coarse.entropy)]
    case = CaseSummary("a", KEYS, fine, double[0], double[1], double[1], coarse.features, 1)
    at_two, at_one = (best_places(one, Entropy(), 1, count=1)[0] for one in (coarse, case))
    assert at_one.centre_ras == pytest.approx(at_two.centre_ras, abs=4.0)
