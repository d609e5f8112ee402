"""A made-up exam whose every volume is known: structures are spheres."""

from __future__ import annotations

import math
import os
from collections.abc import Callable
from itertools import product

import numpy as np
import pytest

from BrainstemALSLib.anatomy import by_key
from BrainstemALSLib.imaging.volume import Volume
from BrainstemALSLib.segmentation.result import Segmentation
from Testing.host.fixtures import host, slicer_host  # noqa: F401  (fixtures of every test)

SUBSAMPLES = 4


@pytest.fixture(scope="session", autouse=True)
def _no_models_of_the_user(tmp_path_factory):
    """Tests see the bundled model, whichever version the person who runs them has put into use."""
    os.environ["BRAINSTEM_ALS_MODELS"] = str(tmp_path_factory.mktemp("models"))


# Key: centre (RAS mm) and radius (mm). Later spheres carve earlier ones. Sizes lie within the
# plausible ranges, so that the exam has no quality finding.
SPHERES = {
    "midbrain_tegmentum_left": ((-9.0, 4.0, 24.0), 9.0),
    "midbrain_tegmentum_right": ((9.0, 4.0, 24.0), 9.0),
    "basis_pontis_left": ((-11.0, 6.0, 0.0), 11.0),
    "basis_pontis_right": ((11.0, 6.0, 0.0), 11.0),
    "medullary_tegmentum_left": ((-8.0, 0.0, -22.0), 8.0),
    "medullary_tegmentum_right": ((8.0, 0.0, -22.0), 8.0),
    "cst_crus_left": ((-8.0, 7.0, 24.0), 4.0),
    "cst_crus_right": ((8.0, 7.0, 24.0), 4.0),
    "cst_pons_left": ((-8.0, 7.0, 0.0), 4.0),
    "cst_pons_right": ((8.0, 7.0, 0.0), 4.0),
    "pyramid_left": ((-6.0, 3.0, -22.0), 3.5),
    "pyramid_right": ((6.0, 3.0, -22.0), 3.5),
}


def _fraction(
    shape: tuple[int, int, int], affine: np.ndarray, centre: tuple[float, ...], radius: float
) -> np.ndarray:
    """Return how much of each voxel lies inside a sphere, shape (i, j, k), 0-1."""
    middle = np.linalg.solve(affine, [*centre, 1.0])[:3]
    reach = radius / np.linalg.norm(affine[:3, :3], axis=0) + 1.5
    low = np.maximum(np.floor(middle - reach), 0).astype(int)
    high = np.minimum(np.ceil(middle + reach) + 1, shape).astype(int)
    steps = (np.arange(SUBSAMPLES) + 0.5) / SUBSAMPLES - 0.5
    index = np.stack(
        np.meshgrid(*(np.arange(a, b) for a, b in zip(low, high, strict=True)), indexing="ij"), -1
    )
    inside = np.zeros(index.shape[:3])
    for offset in product(steps, repeat=3):
        positions = (index + offset) @ affine[:3, :3].T + affine[:3, 3]
        inside += ((positions - np.asarray(centre)) ** 2).sum(axis=-1) <= radius**2
    whole = np.zeros(shape)
    whole[tuple(slice(a, b) for a, b in zip(low, high, strict=True))] = inside / SUBSAMPLES**3
    return whole


def grid(
    spacing: tuple[float, ...], size_mm: tuple[float, ...], rotation: np.ndarray | None = None
) -> tuple[tuple[int, ...], np.ndarray]:
    """Return shape and affine of a grid whose middle is at the origin, first axis to the left."""
    shape = tuple(math.ceil(size / step) for size, step in zip(size_mm, spacing, strict=True))
    affine = np.eye(4)
    affine[:3, :3] = (np.eye(3) if rotation is None else rotation) @ np.diag(
        np.multiply(spacing, (-1, 1, 1))
    )
    affine[:3, 3] = -affine[:3, :3] @ ((np.array(shape) - 1) / 2)
    return shape, affine


def segment_spheres(
    spheres: dict[str, tuple[tuple[float, ...], float]],
    shape: tuple[int, int, int],
    affine: np.ndarray,
    empty: tuple[str, ...] = (),
    **overrides: object,
) -> Segmentation:
    """Return a segmentation whose probabilities are the exact partial volumes of spheres."""
    keys = (*spheres, *empty)
    probability = np.zeros((*shape, len(keys)))
    for position, (centre, radius) in enumerate(spheres.values()):
        fraction = _fraction(shape, affine, centre, radius)
        probability *= 1 - fraction[..., None]
        probability[..., position] = fraction
    table = by_key()
    indices = np.array([0, *(table[key].index for key in keys)], dtype=np.uint8)
    background = 1 - probability.sum(axis=-1, keepdims=True)
    winner = np.concatenate([background, probability], axis=-1).argmax(axis=-1)
    labels = indices[winner]
    found = np.argwhere(probability.sum(axis=-1) > 0)
    start = np.maximum(found.min(axis=0) - 1, 0)
    window = tuple(slice(a, b + 2) for a, b in zip(start, found.max(axis=0), strict=True))
    box_affine = affine.copy()
    box_affine[:3, 3] += affine[:3, :3] @ start
    confidence = {
        key: float(probability[winner == n + 1, n].mean()) if (winner == n + 1).any() else math.nan
        for n, key in enumerate(keys)
    }
    fields = {
        "labels": Volume(labels, affine),
        "entropy": Volume(np.zeros(shape, np.float32), affine),
        "probabilities": Volume(probability[window].astype(np.float16), box_affine),
        "keys": keys,
        "confidence": confidence,
        "intracranial_mm3": 1_400_000.0,
        "modalities": ("t1", "fa", "md"),
        "device": "cpu",
        "device_reason": "no CUDA device was found",
        "model": {"brainstem": {"name": "spheres", "version": "1", "sha256": "0" * 64}},
        "timings": {"infer": 1.5},
    }
    return Segmentation(**{**fields, **overrides})


@pytest.fixture(scope="session")
def make_grid() -> Callable[..., tuple[tuple[int, ...], np.ndarray]]:
    """Give ``grid``."""
    return grid


@pytest.fixture(scope="session")
def make_segmentation() -> Callable[..., Segmentation]:
    """Give ``segment_spheres``."""
    return segment_spheres


@pytest.fixture(scope="session")
def segmentation() -> Segmentation:
    """A brainstem of twelve spheres at 1.5 mm, without a quality finding."""
    return segment_spheres(SPHERES, *grid((1.5, 1.5, 1.5), (60.0, 60.0, 90.0)))


@pytest.fixture(scope="session")
def t1(segmentation: Segmentation) -> Volume:
    """The T1 of ``segmentation``: brighter where it is labelled."""
    image = np.where(segmentation.labels.array > 0, 800, 300).astype(np.float32)
    image += np.random.default_rng(0).normal(0, 20, image.shape).astype(np.float32)
    return Volume(image, segmentation.labels.affine)
