"""Places of high entropy are found, named and ordered."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from BrainstemALSLib.anatomy import by_key
from BrainstemALSLib.imaging.volume import Volume
from BrainstemALSLib.measurement.uncertain_places import uncertain_places

SHAPE = (40, 36, 30)
NIGRA = by_key()["substantia_nigra_left"].index


def made(*blobs, affine=None):
    """Entropy with blobs (window, value), and labels: the nigra in the lower half along i."""
    entropy = np.zeros(SHAPE, np.float32)
    for window, value in blobs:
        entropy[window] = value
    labels = np.zeros(SHAPE, np.uint8)
    labels[:20] = NIGRA
    return Volume(entropy, np.eye(4) if affine is None else affine), labels


def window(first, size):
    return tuple(slice(a, a + n) for a, n in zip(first, size, strict=True))


def test_the_largest_comes_first_with_its_structure_and_size():
    small, large = window((30, 5, 5), (6, 6, 6)), window((5, 20, 10), (9, 8, 8))
    affine = np.diag([-1.0, 1.0, 2.0, 1.0])
    entropy, labels = made((small, 0.5), (large, 0.4), affine=affine)

    first, second = uncertain_places(entropy, labels)

    assert first.key == "substantia_nigra_left"
    assert second.key is None
    assert first.volume_mm3 == pytest.approx(9 * 8 * 8 * 2, rel=0.25)
    assert first.mean_entropy == pytest.approx(0.4, rel=0.2)
    np.testing.assert_allclose(first.centre_ras, (-9, 23.5, 27), atol=2.1)


def test_what_is_certain_or_a_thin_skin_or_tiny_is_not_listed():
    skin, speck = window((2, 2, 2), (30, 30, 1)), window((20, 10, 15), (2, 2, 2))
    two_classes = window((10, 10, 20), (8, 8, 8))
    for blob in ((skin, 0.3), (speck, 0.3), (two_classes, 0.18)):
        assert uncertain_places(*made(blob)) == ()
    assert uncertain_places(*made()) == ()


def test_a_hollow_place_has_its_centre_inside():
    shell = window((5, 5, 5), (18, 18, 18))
    entropy, labels = made((shell, 0.6), (window((10, 10, 10), (8, 8, 8)), 0.0))

    (place,) = uncertain_places(entropy, labels)

    i, j, k = np.rint(place.centre_ras).astype(int)
    assert entropy.array[i, j, k] > 0 or min(abs(i - 9.5), abs(i - 17.5)) < 1.5


def test_a_place_without_labels_is_named_after_its_neighbour():
    blob = window((20, 10, 10), (6, 6, 6))
    entropy, labels = made((blob, 0.8))
    labels[19:] = 0

    (place,) = uncertain_places(entropy, labels)

    assert place.key == "substantia_nigra_left"


@settings(deadline=None, max_examples=30)
@given(
    seed=st.integers(0, 2**16),
    sizes=st.tuples(*[st.sampled_from((0.5, 1.0, 1.5))] * 3),
    signs=st.tuples(*[st.sampled_from((-1, 1))] * 3),
)
def test_centres_lie_in_uncertain_voxels_and_sizes_add_up(seed, sizes, signs):
    rng = np.random.default_rng(seed)
    coarse = rng.random((8, 7, 6)) ** 3
    entropy = np.kron(coarse, np.ones((4, 4, 4))).astype(np.float32)
    affine = np.diag([*np.multiply(sizes, signs), 1.0])
    affine[:3, 3] = rng.normal(0, 50, 3)
    labels = np.zeros(entropy.shape, np.uint8)

    places = uncertain_places(Volume(entropy, affine), labels)

    volumes = [place.volume_mm3 for place in places]
    assert volumes == sorted(volumes, reverse=True)
    assert sum(volumes) <= entropy.size * np.prod(sizes)
    for place in places:
        voxel = np.linalg.solve(affine, [*place.centre_ras, 1.0])[:3]
        np.testing.assert_allclose(voxel, np.rint(voxel), atol=1e-6)
        assert (np.rint(voxel) >= 0).all()
        assert (np.rint(voxel) < entropy.shape).all()
        assert 0 < place.mean_entropy <= 1


def test_other_grids_are_a_mistake_of_the_caller():
    entropy, labels = made()
    with pytest.raises(ValueError, match="voxels"):
        uncertain_places(entropy, labels[1:])
