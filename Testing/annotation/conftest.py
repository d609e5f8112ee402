"""A small exam that an expert corrected, and a store for it."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

from BrainstemALSLib.annotation import Approval, BoxGrid, CaseStore, Draft
from BrainstemALSLib.imaging.volume import Volume

SPACING_MM = 4.0
SHAPE = (30, 32, 34)
OFFSET = (3, 4, 5)
BOX = (20, 21, 22)
SCRIPT = Path(__file__).with_name("doomed.py")
KEYS = ("basis_pontis_left", "basis_pontis_right", "red_nucleus_left")
LEFT, RIGHT, RED, MEDULLA = 23, 24, 9, 41


def key_of(text: str) -> str:
    """An exam key."""
    return hashlib.sha256(text.encode()).hexdigest()


def t1_grid() -> BoxGrid:
    """An oblique grid whose numbers no float32 holds."""
    turn, tilt = np.deg2rad(11.0), np.deg2rad(-7.0)
    about_k = [[np.cos(turn), -np.sin(turn), 0], [np.sin(turn), np.cos(turn), 0], [0, 0, 1]]
    about_i = [[1, 0, 0], [0, np.cos(tilt), -np.sin(tilt)], [0, np.sin(tilt), np.cos(tilt)]]
    affine = np.eye(4)
    affine[:3, :3] = np.array(about_k) @ about_i @ np.diag([-SPACING_MM, SPACING_MM, SPACING_MM])
    affine[:3, 3] = (57.123456789, -61.1, -70.0 - 1 / 3)
    return BoxGrid(SHAPE, affine, OFFSET)


def approval(seed: int = 0, exam: str = "exam", **overrides: object) -> Approval:
    """An approval in which two voxels of the red nucleus were added and one taken away."""
    grid = t1_grid()
    prediction = np.zeros(BOX, dtype=np.uint8)
    prediction[8:10, 8:12, 9:13] = LEFT
    prediction[10:12, 8:12, 9:13] = RIGHT
    prediction[9, 9, 10:12] = RED
    correction = prediction.copy()
    correction[9, 9, 10] = LEFT
    correction[9, 10, 10] = correction[10, 10, 10] = RED
    noise = np.random.default_rng(seed)
    t1 = (noise.normal(300, 20, BOX) + 500 * (prediction > 0)).astype(np.float32)

    def on_box(array: np.ndarray) -> Volume:
        return Volume(array, grid.box_affine)

    fields = {
        "images": {"t1": on_box(t1), "fa": on_box(noise.random(BOX).astype(np.float32))},
        "prediction": on_box(prediction),
        "correction": on_box(correction),
        "grid": grid,
        "exam_key": key_of(exam),
        "subject": "ALS-017",
        "annotator": "rater2",
        "visit_date": "2026-03-31",
        "model": {"structures": {"name": "structures", "version": "1", "sha256": "0" * 64}},
        "keys": KEYS,
        "modalities": ("t1", "fa"),
        "seconds_spent": 81.5,
    }
    return Approval(**{**fields, **overrides})


def directions(seed: int = 0) -> Volume:
    """A V1 on the box of ``approval``: unit vectors of either sign, and a corner without any."""
    v1 = np.random.default_rng(seed).normal(size=(*BOX, 3)).astype(np.float32)
    v1 /= np.linalg.norm(v1, axis=-1, keepdims=True)
    v1[:2, :2, :2] = 0
    return Volume(v1, t1_grid().box_affine)


def draft(value: int = LEFT, exam: str = "exam", **overrides: object) -> Draft:
    """A draft whose every voxel and whose outcome hold one value."""
    fields = {
        "labels": np.full(BOX, value, dtype=np.uint8),
        "prediction": np.zeros(BOX, dtype=np.uint8),
        "grid": t1_grid(),
        "exam_key": key_of(exam),
        "subject": "ALS-017",
        "annotator": "rater2",
        "visit_date": "2026-03-31",
        "seconds_spent": 12.25,
        "outcome": {"value": value, "device": "cpu", "intracranial_mm3": None},
    }
    return Draft(**{**fields, **overrides})


@pytest.fixture(scope="session")
def make_approval() -> Callable[..., Approval]:
    """Give ``approval``."""
    return approval


@pytest.fixture(scope="session")
def make_directions() -> Callable[..., Volume]:
    """Give ``directions``."""
    return directions


@pytest.fixture(scope="session")
def make_draft() -> Callable[..., Draft]:
    """Give ``draft``."""
    return draft


@pytest.fixture(scope="session")
def script() -> Path:
    """The program that works on a store until it is stopped; see there."""
    return SCRIPT


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """Folder of a store that does not exist yet."""
    return tmp_path / "store"


@pytest.fixture
def store(root: Path) -> CaseStore:
    """An empty store."""
    return CaseStore(root)


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 192 kB."""
    disk = tmp_path / "disk"
    disk.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=192k", "tmpfs", str(disk)]
    if shutil.which("mount") is None or subprocess.run(command, capture_output=True).returncode:
        pytest.skip("only root may mount a small disk")
    try:
        yield disk
    finally:
        subprocess.run(["umount", str(disk)], check=True)


@pytest.fixture
def closed_folder() -> Iterator[Callable[[Path], None]]:
    """Take away the right to write to a folder, for root as well, until the test ends."""
    if not hasattr(os, "seteuid"):
        pytest.skip("needs POSIX permissions")
    was_root = os.geteuid() == 0
    changed: list[Path] = []

    def close(folder: Path) -> None:
        for path in (folder, *(path for path in folder.rglob("*"))):
            path.chmod(0o555 if path.is_dir() else 0o444)
            changed.append(path)
        if was_root:  # permissions do not bind root
            os.seteuid(65534)

    yield close
    if was_root:
        os.seteuid(0)
    for path in changed:
        path.chmod(0o755 if path.is_dir() else 0o644)


@pytest.fixture
def open_tmp() -> Iterator[Path]:
    """A temporary folder that every user may look into; pytest's own are closed."""
    folder = Path(tempfile.mkdtemp())
    folder.chmod(0o755)
    yield folder
    shutil.rmtree(folder)
