"""Exams to fine-tune on: stored boxes, drawn anew as the network's window at every step.

A window is deformed as in training (``geometry_augmentation``), mirrored every other time, and gets
another contrast and noise (``members.changed``). Labels go with it, and so does where somebody
vouches for them; directions of fibres turn with it (``finetune_directions``). Maps are left out as
often as in training (``synthesis.MODALITY_SETS``), so that a network without them stays as good.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch.nn import functional as F

from BrainstemALSLib.anatomy import REGIONS, load_structures
from BrainstemALSLib.errors import BrainstemALSError, ExitCode
from BrainstemALSLib.imaging.volume import Volume
from BrainstemALSLib.segmentation.channels import CHANNELS, PLANES
from BrainstemALSLib.segmentation.preprocess import NORMALISE, SPACING_MM, WINDOW_MM, grounded

from ..corrections import Correction, read_corrections
from ..geometry_augmentation import Draw, look_up, window_points
from ..samples import mirrored
from ..synthesis import channel_table, drawn_modalities
from .finetune_directions import colours_at, weighted_directions
from .frozen_set import is_set_aside
from .members import changed

KEYS = frozenset(structure.key for structure in load_structures())


@dataclass(frozen=True, eq=False)
class Window:
    """One thing to learn from.

    Attributes
    ----------
    channels : torch.Tensor, shape (planes, i, j, k)
        float32, as the network takes it.
    classes : torch.Tensor, shape (i, j, k)
        int64 network classes.
    vouched : torch.Tensor or None
        bool (i, j, k), where somebody vouches for the class; None for everywhere.
    shown : torch.Tensor or None
        bool (i, j, k), where the image is known at all; None for everywhere.
    """

    channels: torch.Tensor
    classes: torch.Tensor
    vouched: torch.Tensor | None = None
    shown: torch.Tensor | None = None


class Lesson:
    """One exam with labels, on grids of its own.

    Parameters
    ----------
    name : str
        Case id, or what else it is; never a subject's code.
    images : dict of str to Volume
        ``t1`` and those of ``fa`` (0-1), ``md`` (1e-3 mm2/s) and ``v1`` (i, j, k, 3; RAS, unit
        length or 0) that there are, each on any grid; a V1 without FA is not used.
    labels : Volume
        uint8, ``Structure.index``.
    vouched : Volume
        On the grid of ``labels``; nonzero where the label counts.

    Attributes
    ----------
    name : str
    partial : bool
        Somewhere in its box nobody vouches for the label.
    """

    def __init__(self, name: str, images: dict[str, Volume], labels: Volume, vouched: Volume):
        self.name = name
        self.partial = not bool((vouched.array > 0).all())
        images = {**images, "t1": grounded(images["t1"])}
        v1 = images.pop("v1", None)
        self._images = {
            role: (_tensor(volume.array, np.float32), _inverse(volume))
            for role, volume in images.items()
        }
        if v1 is not None and "fa" in images:
            self._images["v1"] = weighted_directions(v1, images["fa"]), _inverse(v1)
        self._inverse = _inverse(labels)
        self._labels = _tensor(labels.array, np.uint8)
        self._vouched = _tensor(vouched.array > 0, np.uint8)
        self._centre, self._sites = _places(labels)

    def channels(self, points: torch.Tensor, modalities: tuple[str, ...]) -> torch.Tensor:
        """Return what the network is given at points (i, j, k, 3) in RAS mm: (planes, i, j, k).

        Of ``modalities`` what the exam has; where its voxels look straight, as
        ``segmentation.inference.network_input`` has it.
        """
        planes = []
        for name in CHANNELS:
            if name not in modalities or name not in self._images:
                planes.append(torch.zeros(PLANES[name], *points.shape[:3]))
                continue
            look = colours_at if name == "v1" else _looked_up
            seen = look(*self._images[name], points)
            planes.append(NORMALISE[name](seen).reshape(PLANES[name], *points.shape[:3]))
        return torch.cat(planes)

    def draw(self, number: int, window: tuple[int, int, int] = WINDOW_MM) -> Window:
        """Return a window; the same number gives the same one."""
        draw = Draw(torch.Generator().manual_seed(number))
        points = window_points(draw, self._centre, self._sites, window, SPACING_MM)
        channels = self.channels(points, drawn_modalities(draw))
        # An image that is missing is all 0, and stays so.
        channels = changed(channels[None], CHANNELS, draw)[0]
        classes = channel_table()[look_up(self._labels, self._inverse, points).long()]
        vouched = look_up(self._vouched, self._inverse, points) > 0
        shown = look_up(torch.ones_like(self._vouched), self._inverse, points) > 0
        if draw.chance(0.5):
            channels, classes = mirrored(channels, classes)
            vouched, shown = vouched.flip(-3), shown.flip(-3)
        return Window(channels, classes, vouched, shown)


def read_lessons(store: Path, warnings: list[str]) -> tuple[list[Lesson], str]:
    """Read what experts approved, without the subjects that the gate judges by.

    Parameters
    ----------
    store : Path
        Folder of an annotation store; nothing in it is written.
    warnings : list of str
        Gets a sentence for what was left out.

    Returns
    -------
    (lessons, fingerprint)
        The latest case of each exam, and a text that is another one once any of them is.

    Raises
    ------
    BrainstemALSError
        OUTPUT_REFUSED: no store. USAGE: nothing in it to learn from.
    """
    lessons, aside, sums = [], 0, []
    for correction in read_corrections(store, warnings):
        if is_set_aside(correction.record.subject):
            aside += 1
            continue
        lesson = lesson_of(correction)
        if lesson is None:
            warnings.append(f"{correction.record.case_id}: nobody vouches for anything in it.")
            continue
        lessons.append(lesson)
        sums += [lesson.name, *(f"{k}={v}" for k, v in sorted(_checksums(correction)))]
    if aside:
        warnings.append(f"Kept aside to judge by, and not learned from: {aside} exams.")
    if not lessons:
        raise BrainstemALSError(
            "annotation store",
            "it holds no approved case to learn from"
            + (f"; {aside} exams are kept aside to judge by" if aside else ""),
            "Correct and approve more exams first.",
            ExitCode.USAGE,
        )
    return lessons, " ".join(sums)


def lesson_of(correction: Correction) -> Lesson | None:
    """Return a correction as a lesson; None where nobody vouches for a single voxel.

    Where the model or program that drew the labels did not know all structures, what looks like
    background may be one of the others: only what was changed counts then.
    """
    vouched = correction.weights.array > 0
    if KEYS - set(correction.record.keys):
        vouched &= correction.changed.array > 0
    if not vouched.any():
        return None
    affine = correction.correction.affine
    return Lesson(
        correction.record.case_id,
        correction.images,
        correction.correction,
        Volume(vouched.astype(np.uint8), affine),
    )


def _checksums(correction: Correction) -> Iterator[tuple[str, str]]:
    return iter(correction.record.checksums.items())


def _tensor(array: np.ndarray, kind: type) -> torch.Tensor:
    return torch.from_numpy(np.array(array, kind))  # a copy: a file's array may be read-only


def _inverse(volume: Volume) -> torch.Tensor:
    return torch.from_numpy(np.linalg.inv(volume.affine)).float()


def _places(labels: Volume) -> tuple[torch.Tensor, torch.Tensor]:
    """Middle of the brainstem, and of its regions that are there; RAS mm, (3,) and (n, 3)."""
    found = []
    for parents in (*((region,) for region in REGIONS), REGIONS):
        members = [s.index for s in load_structures() if s.parent in parents]
        voxels = np.argwhere(np.isin(labels.array, members))
        if len(voxels):
            found.append(labels.affine[:3, :3] @ voxels.mean(0) + labels.affine[:3, 3])
    middle = (np.array(labels.shape) - 1) / 2
    if not found:  # an expert who erased everything
        found = [labels.affine[:3, :3] @ middle + labels.affine[:3, 3]]
    places = torch.from_numpy(np.array(found)).float()
    return places[-1], places


def _looked_up(image: torch.Tensor, inverse: torch.Tensor, points: torch.Tensor) -> torch.Tensor:
    """Linear interpolation at points (i, j, k, 3) in RAS mm; 0 outside the image."""
    index = points @ inverse[:3, :3].T + inverse[:3, 3]
    size = torch.tensor(image.shape, dtype=torch.float32)
    grid = 2 * index / (size - 1).clamp_min(1) - 1
    found = F.grid_sample(image[None, None], grid.flip(-1)[None], align_corners=True)
    return found[0, 0]
