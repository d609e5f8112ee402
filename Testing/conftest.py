"""A made-up exam whose every volume is known: structures are spheres."""

from __future__ import annotations

import math
import os
import pickle
import shutil
import time
from collections.abc import Callable
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from BrainstemALSLib.anatomy import by_key
from BrainstemALSLib.file_lock import FileLock
from BrainstemALSLib.imaging.volume import Volume
from BrainstemALSLib.segmentation.result import Segmentation
from Testing.host.fixtures import host, slicer_host  # noqa: F401  (fixtures of every test)

SUBSAMPLES = 4
SHARED = "shared"


# Files that take longest, the slowest first. Processes that share the tests begin with them, so
# that none is left with a slow file when the others have nothing to do any more. A file that is not
# named here comes after these, and a name that is wrong costs nothing but that.
SLOWEST = (
    "gui/test_correcting.py",
    "test_cli_diffusion.py",
    "segmentation/test_segmenter.py",
    "imaging/registration/test_register.py",
    "longitudinal/test_process.py",
    "training/active/test_finetune.py",
    "gui/test_visit.py",
    "cohort/test_longitudinal_level.py",
    "imaging/diffusion/test_axes.py",
    "gui/test_logic.py",
    "gui/test_diffusion.py",
    "test_cli.py",
    "training/active/test_finetune_kills.py",
    "phantom/test_sample.py",
    "gui/test_stage.py",
    "gui/test_learning.py",
    "imaging/registration/test_distortion.py",
    "imaging/diffusion/test_process.py",
    "test_privacy_of_results.py",
    "training/evaluation/test_segmentation.py",
    "test_cli_predict.py",
    "segmentation/test_inputs.py",
    "training/test_smoke.py",
    "training/active/test_gate_networks.py",
    "training/cohort/test_imaging.py",
    "training/active/test_loop.py",
    "worker/test_client.py",
    "gui/test_losing.py",
    "gui/test_following.py",
    "test_pipeline.py",
    "imaging/diffusion/test_motion.py",
    "imaging/diffusion/test_outliers.py",
)


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Sort the files for ``pytest -n``; within a file nothing changes place."""
    if hasattr(config, "workerinput"):
        place = {name: number for number, name in enumerate(SLOWEST)}
        here = Path(__file__).parent
        items.sort(key=lambda item: place.get(item.path.relative_to(here).as_posix(), len(place)))


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """Pass over files without a test to be run alone where only those are wanted: they import much.

    ``-m alone`` chooses no test of these files, so that none is lost.
    """
    if config.option.markexpr != "alone" or collection_path.suffix != ".py":
        return None
    return "mark.alone" not in collection_path.read_text(encoding="utf-8") or None


def pytest_sessionfinish(session: pytest.Session) -> None:
    """Remove what the processes of this run shared (half a gigabyte); pytest keeps its folders."""
    factory = getattr(session.config, "_tmp_path_factory", None)  # pytest-xdist takes it so too
    if factory is not None and not hasattr(session.config, "workerinput"):
        shutil.rmtree(factory.getbasetemp() / SHARED, ignore_errors=True)


@pytest.fixture(scope="session", autouse=True)
def _no_models_of_the_user(tmp_path_factory):
    """Tests see the bundled model, whichever version the person who runs them has put into use."""
    os.environ["BRAINSTEM_ALS_MODELS"] = str(tmp_path_factory.mktemp("models"))


@pytest.fixture(scope="session")
def shared_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of this run of the tests alone, the same for all processes of ``pytest -n``."""
    base = tmp_path_factory.getbasetemp()
    folder = (base.parent if "PYTEST_XDIST_WORKER" in os.environ else base) / SHARED
    folder.mkdir(exist_ok=True)
    return folder


@pytest.fixture(scope="session")
def once(shared_folder: Path) -> Callable[[str, Callable[[], Any]], Any]:
    """Give a function that makes something dear once in a run, whichever process needs it first.

    Every process gets its own copy, so that no test can change what another one sees.
    """

    def get(name: str, make: Callable[[], Any]) -> Any:
        path = shared_folder / f"{name}.pickle"
        lock = FileLock(shared_folder / f"{name}.lock")
        while not lock.acquire():
            time.sleep(0.05)
        try:
            if not path.exists():
                partial = path.with_suffix(".partial")
                partial.write_bytes(pickle.dumps(make(), protocol=5))
                partial.replace(path)
        finally:
            lock.release()
        return pickle.loads(path.read_bytes())  # noqa: S301 - written above, in this run

    return get


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
