"""Images drawn once and kept, so that a training sample costs a millisecond.

A set is a folder with one safetensors file per case: ``images``, uint8 (renders, planes, i, j, k),
and ``labels``, uint8 (renders, i, j, k), on the window with its margin. A file carries the
fingerprint of what it was drawn from; one that still fits is not drawn again.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable, Mapping
from dataclasses import asdict
from pathlib import Path

import numpy as np
import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import load_file, save_file

from BrainstemALSLib.segmentation.channels import CHANNELS, PLANES
from BrainstemALSLib.segmentation.preprocess import MD_LIMIT

from ..fibre_field import fibre_field
from ..geometry_augmentation import Draw, look_up, misregistered, window_points
from ..synthesis import Anatomy, render
from .settings import Images

VERSION = 1
"""Raised when banked images or stored results no longer mean what they did."""
TOP = {"t1": 1.0, "fa": 1.0, "md": MD_LIMIT, "v1": 1.0}
"""What 255 stands for, by modality."""

Tensors = dict[str, torch.Tensor]


def fingerprint(facts: object) -> str:
    """Return the SHA-256 of anything that JSON can hold."""
    text = json.dumps([VERSION, facts], sort_keys=True, default=str)
    return hashlib.sha256(text.encode()).hexdigest()


def size_with_margin(images: Images) -> tuple[int, ...]:
    """Voxels of a banked image along (i, j, k)."""
    return tuple(n + 2 * images.margin for n in images.window)


def straight_points(centre: torch.Tensor, shape: tuple[int, ...], spacing: float) -> torch.Tensor:
    """Points (i, j, k, 3), RAS mm, of a window that is neither turned nor deformed."""
    axes = [(torch.arange(n) - (n - 1) / 2) * spacing for n in shape]
    return torch.stack(torch.meshgrid(*axes, indexing="ij"), -1) + centre


def draw_exam(
    anatomy: Anatomy, seed: int, images: Images, deformed: bool
) -> tuple[torch.Tensor, torch.Tensor]:
    """Draw T1, FA, MD and V1 of an anatomy on the coarse window.

    Parameters
    ----------
    anatomy : Anatomy
    seed : int
        The same seed draws the same images.
    images : Images
    deformed : bool
        Turned and deformed at random, as training sees it, or as it is.

    Returns
    -------
    (images, labels)
        uint8 (planes, i, j, k) and uint8 label values (i, j, k), the margin included.
    """
    draw = Draw(torch.Generator().manual_seed(seed))
    shape, spacing = size_with_margin(images), images.spacing_mm
    if deformed:
        points = window_points(draw, anatomy.centre, anatomy.sites, shape, spacing)
    else:
        points = straight_points(anatomy.centre, shape, spacing)
    labels = look_up(anatomy.labels, anatomy.inverse, points)
    moved = misregistered(draw, points, spacing)
    seen = look_up(anatomy.labels, anatomy.inverse, moved)
    directions = fibre_field(draw, seen, moved, anatomy.centroids, spacing)
    return packed(render(draw, labels, seen, directions, spacing)), labels


def packed(images: Mapping[str, torch.Tensor]) -> torch.Tensor:
    """Return images by modality as uint8 planes; those that are not there are 0."""
    shape = images["t1"].shape
    planes = [
        (images[name] / TOP[name] * 255).reshape(-1, *shape)
        if name in images
        else torch.zeros(PLANES[name], *shape)
        for name in CHANNELS
    ]
    # MONAI's noise leaves its own kind of tensor behind.
    return torch.cat(planes).clamp(0, 255).round().to(torch.uint8).as_subclass(torch.Tensor)


def unpacked(planes: torch.Tensor) -> dict[str, torch.Tensor]:
    """Return uint8 planes (planes, i, j, k) as float32 images by modality."""
    parts = planes.float().split([PLANES[name] for name in CHANNELS])
    return {
        name: (part if name == "v1" else part[0]) * (TOP[name] / 255)
        for name, part in zip(CHANNELS, parts, strict=True)
    }


def seeds_of(case: str, count: int, seed: int) -> list[int]:
    """Seeds of a case's images: they do not change when other cases come or go."""
    number = int.from_bytes(hashlib.sha256(case.encode()).digest()[:4])
    return [int(s) for s in np.random.SeedSequence([seed, number]).generate_state(count)]


class Bank:
    """One set of images on disk, read when first asked for.

    Parameters
    ----------
    folder : Path
        Of the set.
    facts : object
        What every file depends on; JSON can hold it.
    """

    def __init__(self, folder: Path, facts: object):
        self.folder, self.facts = folder, facts
        self._read: dict[str, Tensors] = {}

    def add(self, case: str, source: str, make: Callable[[], Tensors]) -> None:
        """Draw a case unless its file is there and was drawn from the same.

        Parameters
        ----------
        case : str
            Name of the file.
        source : str
            Fingerprint of what the case is drawn from.
        make : callable
            Draws its tensors.
        """
        mark = fingerprint([self.facts, case, source])
        if self.mark(case) == mark:
            return
        path = self._path(case)
        self.folder.mkdir(parents=True, exist_ok=True)
        partial = path.with_suffix(".partial")
        tensors = {name: tensor.contiguous() for name, tensor in make().items()}
        save_file(tensors, partial, {"fingerprint": mark})
        os.replace(partial, path)
        self._read.pop(case, None)

    def __getitem__(self, case: str) -> Tensors:
        """Tensors of a case that was added."""
        if case not in self._read:
            self._read[case] = load_file(self._path(case))
        return self._read[case]

    def mark(self, case: str) -> str | None:
        """Return the fingerprint of a case's file; None where there is no file that can be read."""
        path = self._path(case)
        if not path.exists():
            return None
        try:
            with safe_open(path, "pt") as file:
                return (file.metadata() or {}).get("fingerprint")
        except SafetensorError:
            return None

    def _path(self, case: str) -> Path:
        return self.folder / f"{case}.safetensors"


def exams(anatomy: Anatomy, case: str, images: Images, seed: int, held_out: bool) -> Tensors:
    """Draw all images of a case: held-out ones as they are, others deformed."""
    count = images.held_out_renders if held_out else images.renders
    pairs = [
        draw_exam(anatomy, one, images, deformed=not held_out)
        for one in seeds_of(case, count, seed)
    ]
    return {
        "images": torch.stack([pair[0] for pair in pairs]),
        "labels": torch.stack([pair[1] for pair in pairs]),
    }


def image_facts(images: Images, seed: int, *parts: str) -> dict:
    """Return what a set depends on: the grid, the seed, and the named counts."""
    whole = asdict(images)
    return {
        "seed": seed,
        **{name: whole[name] for name in ("spacing_mm", "window", "margin", *parts)},
    }
