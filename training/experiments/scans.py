"""Windows of real T1s, without labels; and the ICBM T1 with the atlas drawn in its space."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch

from BrainstemALSLib.cli.icbm import icbm_path
from BrainstemALSLib.errors import BrainstemALSError, ExitCode
from BrainstemALSLib.imaging.checksum import sha256_of
from BrainstemALSLib.imaging.geometry import resample
from BrainstemALSLib.imaging.volume import Volume
from BrainstemALSLib.segmentation import models
from BrainstemALSLib.segmentation.locate import locate
from BrainstemALSLib.segmentation.preprocess import grounded

from ..data import shared_data
from ..evaluation import adapter
from ..evaluation.grids import on_grid
from ..evaluation.icbm import atlas_labels
from ..evaluation.real import IMAGES
from ..geometry_augmentation import MAX_PITCH_DEG, MAX_ROLL_YAW_DEG, MAX_SHIFT_MM, Draw, rotation
from .bank import Tensors, packed, size_with_margin
from .settings import Images

ICBM = "icbm"
ENDINGS = (".nii", ".nii.gz")
BRIGHT_PERCENTILE = 99.9  # what becomes 1, as the simulated T1 ends there


def scan_files(folder: Path | None = None) -> dict[str, Path]:
    """Return the real T1s that may be learned from: name to file.

    Parameters
    ----------
    folder : Path, optional
        A user's own T1s, NIfTI; each is called by the checksum of its content, never by its name.

    Raises
    ------
    BrainstemALSError
        The folder has no NIfTI file, or an image of the project is missing.
    """
    files = {ICBM: icbm_path("t1")}
    files |= {name: shared_data() / "images" / file for name, file in IMAGES.items()}
    for path in files.values():
        if not path.is_file():
            raise BrainstemALSError(
                path, "this image is missing", "Fetch the shared data again.", ExitCode.USAGE
            )
    if folder is not None:
        own = sorted(p for p in folder.rglob("*") if p.name.lower().endswith(ENDINGS))
        if not own:
            raise BrainstemALSError(
                folder, "no NIfTI file is in this folder", "Name another folder.", ExitCode.USAGE
            )
        files |= {f"own-{sha256_of(path)[:12]}": path for path in own}
    return files


def brainstem_finder() -> Callable[[Volume, str], np.ndarray]:
    """Return what finds the middle of a brainstem, RAS mm: the product's locator."""
    file = models.find_model(models.LOCATOR)
    network, classes = models.load_network(file, "cpu"), tuple(file.card["classes"])
    return lambda t1, name: locate(t1, network, classes, "cpu", name).centre


def scan_windows(t1: Volume, centre: np.ndarray, images: Images, seed: int) -> Tensors:
    """Cut windows of a T1 in random poses around its brainstem.

    Parameters
    ----------
    t1 : Volume
        Any grid and intensity scale.
    centre : numpy.ndarray, shape (3,)
        Middle of the brainstem, RAS mm.
    images : Images
    seed : int

    Returns
    -------
    dict
        ``images`` alone, uint8; all planes but the T1's are 0.
    """
    limits = torch.tensor([MAX_PITCH_DEG, MAX_ROLL_YAW_DEG, MAX_ROLL_YAW_DEG])
    planes = []
    for number in range(images.scan_windows):
        draw = Draw(torch.Generator().manual_seed(seed * 1000 + number))
        turn = rotation(draw.uniform(-1, 1, 3) * limits).numpy()
        shift = MAX_SHIFT_MM * draw.uniform(-1, 1, 3).numpy()
        planes.append(_window(t1, centre + shift, turn, images))
    return {"images": torch.stack(planes)}


def icbm_case(images: Images) -> Tensors:
    """Return the ICBM T1 in a straight window, with the structures of the atlas as its labels.

    Raises
    ------
    BrainstemALSError
        The atlas is not built, or nilearn, which carries the image, is not installed.
    """
    t1, atlas = adapter.read_t1(icbm_path("t1")).t1, atlas_labels()
    middle = np.argwhere(atlas.array > 0).mean(0)
    centre = atlas.affine[:3, :3] @ middle + atlas.affine[:3, 3]
    affine = _affine(centre, np.eye(3), images)
    shape = size_with_margin(images)
    labels = on_grid(atlas, Volume(np.zeros(shape, np.uint8), affine))
    return {
        "images": _window(t1, centre, np.eye(3), images)[None],
        "labels": torch.from_numpy(labels.array)[None],
    }


def _affine(centre: np.ndarray, turn: np.ndarray, images: Images) -> np.ndarray:
    shape = np.array(size_with_margin(images))
    affine = np.eye(4)
    affine[:3, :3] = turn * images.spacing_mm
    affine[:3, 3] = centre - affine[:3, :3] @ ((shape - 1) / 2)
    return affine


def _window(t1: Volume, centre: np.ndarray, turn: np.ndarray, images: Images) -> torch.Tensor:
    """One window as uint8 planes (planes, i, j, k)."""
    grid = _affine(centre, turn, images)
    cut = resample(grounded(t1), size_with_margin(images), grid).array
    bright = float(np.percentile(cut, BRIGHT_PERCENTILE))
    image = torch.from_numpy(np.ascontiguousarray(cut)) / max(bright, 1e-6)
    return packed({"t1": image.float()})
