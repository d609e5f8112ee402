"""Images of simulated people for the network: painted as for the imaging cohort, kept small.

A person gets an anatomy, a shape, the volumes, FA and MD that the simulator says, and is painted as
the site's scanner sees them (``training.cohort.imaging``). Kept are T1, FA and MD at 2 mm around
the brainstem, float16, one file each; nothing is segmented. Anatomies are taken at 1 mm, not 0.75:
the network sees 2 mm, and one person takes a second instead of three and a half.
"""

from __future__ import annotations

import json
import zlib
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path

import numpy as np
from scipy import ndimage

from BrainstemALSLib.durability import write_whole
from BrainstemALSLib.errors import BrainstemALSError, ExitCode
from BrainstemALSLib.imaging.volume import Volume
from BrainstemALSLib.phantom.deformation import random_shape

from ...anatomies import built_cases, load_anatomy
from ...cohort.config import load_config
from ...cohort.healthy import build_norm
from ...cohort.imaging_painting import paint, protocol_of
from ...cohort.imaging_shape import VALUES, Shape, shaped, volumes_of
from ...data import work_dir
from .people import Simulated, site_number, targets

VERSION = 1
"""Goes up when the images of a seed change."""
STEP_MM, MARGIN_MM = 1.0, 15.0
CHANNELS = ("t1", "fa", "md")
MD_MOST = 1.6
"""1e-3 mm2/s: above it is fluid, however free; it would drown what differs between tissues."""
SIZE = (32, 32, 40)
"""Voxels of 2 mm: the largest brainstem, and the 5 mm that a head lies off the middle."""


def network_folder() -> Path:
    """Where the images lie: data/cohort/network, which git does not keep."""
    return work_dir() / "cohort" / "network"


def coarse(anatomy: Volume) -> Volume:
    """Return an anatomy on ``STEP_MM`` voxels, cut ``MARGIN_MM`` around its structures."""
    count = np.floor((np.array(anatomy.shape) - 1) * anatomy.spacing / STEP_MM).astype(int) + 1
    places = [
        np.round(np.arange(n) * STEP_MM / s).astype(int)
        for n, s in zip(count, anatomy.spacing, strict=True)
    ]
    labels = anatomy.array[np.ix_(*places)]
    found, margin = np.argwhere(np.isin(labels, VALUES)), int(np.ceil(MARGIN_MM / STEP_MM))
    start = np.maximum(found.min(0) - margin, 0)
    stop = np.minimum(found.max(0) + 1 + margin, labels.shape)
    affine = np.diag([STEP_MM, STEP_MM, STEP_MM, 1.0])
    affine[:3, 3] = anatomy.affine[:3, 3] + start * STEP_MM
    part = labels[tuple(slice(a, b) for a, b in zip(start, stop, strict=True))]
    return Volume(np.ascontiguousarray(part), affine)


@lru_cache(maxsize=100)
def _anatomy(case: str) -> Volume:
    return coarse(load_anatomy(case))


def cases_of(held_out: bool) -> list[str]:
    """Return the anatomies of training, or those held out.

    Raises
    ------
    BrainstemALSError
        USAGE: none is built.
    """
    cases = built_cases(held_out)
    if not cases:
        raise BrainstemALSError(
            "anatomies", "none is built", "Run `make atlas` first.", ExitCode.USAGE
        )
    return cases


def level_of(cases: list[str]) -> np.ndarray:
    """Return the mean ln(volume / norm) (K,) of anatomies, whose borders are not the norms'."""
    expected = build_norm(load_config()).volume
    return np.nanmean([np.log(volumes_of(_anatomy(case)) / expected) for case in cases], axis=0)


def painted(
    anatomy: Volume, target: np.ndarray, site: int, seed: int, rng: np.random.Generator
) -> tuple[np.ndarray, Shape]:
    """Return a person's images (3, *SIZE) and shape.

    Parameters
    ----------
    anatomy : Volume
        Of ``coarse``.
    target : numpy.ndarray, shape (3, K)
        mm3, FA, 1e-3 mm2/s.
    site, seed : int
        Whose protocol.
    rng : numpy.random.Generator
        Of the person: shape, tissue, pose and noise.
    """
    outline = random_shape(anatomy.shape, anatomy.spacing, rng)
    shape = shaped(anatomy, target[0], outline)
    person, visit = int(rng.integers(2**31)), int(rng.integers(2**31))
    images = paint(shape, target[1], target[2], protocol_of(seed, site), person, visit)
    return compact(images), shape


def compact(images: dict[str, Volume]) -> np.ndarray:
    """Return T1, FA and MD (3, *SIZE) of 2 mm voxels about the middle, float16.

    T1 is relative to its median where FA was fitted.
    """
    t1 = images["t1"].array
    for axis in range(3):
        t1 = ndimage.convolve1d(t1, [0.25, 0.5, 0.25], axis=axis, mode="nearest")
    t1 = t1[::2, ::2, ::2]
    brain = images["fa"].array > 0
    parts = [t1 / np.median(t1[brain]), images["fa"].array, images["md"].array]
    return np.stack([_middle(part) for part in parts]).astype(np.float16)


def _middle(image: np.ndarray) -> np.ndarray:
    """Cut or fill up with 0 to ``SIZE``, the middle in the middle."""
    out = np.zeros(SIZE, np.float32)
    here, there = [], []
    for n, size in zip(image.shape, SIZE, strict=True):
        count = min(n, size)
        here.append(slice((n - count) // 2, (n - count) // 2 + count))
        there.append(slice((size - count) // 2, (size - count) // 2 + count))
    out[tuple(there)] = image[tuple(here)]
    return out


def render(found: Simulated, folder: Path | None = None) -> Iterator[str]:
    """Paint everybody who is not there yet; yields names. Goes on where it stopped.

    Raises
    ------
    BrainstemALSError
        OUTPUT_REFUSED: the folder holds other images. USAGE: no anatomy is built.
    """
    place = _place(found, folder)
    cases, plan = cases_of(found.plan.held_out), found.plan
    _describe(place, found, cases)
    lacking = [name for name in found.ids if not (place / f"{name}.npy").exists()]
    if not lacking:
        return
    # Volumes of all people are brought to the level of one set of anatomies.
    wanted = targets(found, level_of(cases_of(held_out=False)))
    for row, name in enumerate(found.ids):
        if name not in lacking:
            continue
        rng = np.random.default_rng([plan.seed, zlib.crc32(name.encode())])
        anatomy = _anatomy(cases[int(rng.integers(len(cases)))])
        image, _ = painted(anatomy, wanted[row], site_number(found.site[row]), plan.seed, rng)
        partial = place / f".{name}.partial.npy"
        np.save(partial, image, allow_pickle=False)
        partial.replace(place / f"{name}.npy")
        yield name


def read_images(found: Simulated, folder: Path | None = None) -> np.ndarray:
    """Return everybody's images (n, 3, *SIZE), float16, in the order of ``found``."""
    place = _place(found, folder)
    return np.stack([np.load(place / f"{name}.npy", allow_pickle=False) for name in found.ids])


def _place(found: Simulated, folder: Path | None) -> Path:
    return (folder or network_folder()) / f"seed-{found.plan.seed}"


def _describe(place: Path, found: Simulated, cases: list[str]) -> None:
    content = {
        "source": "simulated",
        "simulated": True,
        "version": VERSION,
        "seed": found.plan.seed,
        "sites": found.plan.sites,
        "held_out": found.plan.held_out,
        "anatomies": cases,
    }
    path = place / "description.json"
    if path.exists():
        if json.loads(path.read_text(encoding="utf-8")) != content:
            raise BrainstemALSError(
                place.name, "it holds images of another simulation",
                "Remove the folder, or choose another seed.", ExitCode.OUTPUT_REFUSED,
            )  # fmt: skip
        return
    place.mkdir(parents=True, exist_ok=True)
    write_whole(path, (json.dumps(content, indent=1) + "\n").encode())
