"""Training samples from the bank: a shift, a mirror, another contrast, fewer modalities."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from monai.transforms import RandHistogramShift

from BrainstemALSLib.segmentation.channels import CHANNELS, PLANES
from BrainstemALSLib.segmentation.preprocess import NORMALISE

from ..geometry_augmentation import Draw
from ..synthesis import MODALITY_SETS, channel_table, mirror_table
from .bank import Tensors, unpacked
from .settings import Images

GAMMA = (0.7, 1.4)
NOISE = 0.03  # standard deviation of what is added, at most, as a share of the full scale
SCALE = 0.1  # by which FA and MD are off, at most
CONTROL_POINTS = (4, 8)  # of the curve that changes contrast in self-supervised learning
# All six are our own choices: small beside what the simulation itself varies.

Exam = dict[str, torch.Tensor]


def choose(draw: Draw, items: Sequence[str]) -> str:
    """Return one of the items."""
    return items[int(draw.number(0, len(items)))]


def draw_modalities(draw: Draw) -> tuple[str, ...]:
    """Return modalities as training of the product's network draws them."""
    chance = draw.number(0, 1)
    for names, probability in MODALITY_SETS:
        if chance < probability:
            return names
        chance -= probability
    return MODALITY_SETS[0][0]


def window(
    draw: Draw | None, tensors: Tensors, render: int, images: Images, mirror: torch.Tensor
) -> tuple[Exam, torch.Tensor]:
    """Cut one window from a banked image.

    Parameters
    ----------
    draw : Draw or None
        Shifts it within the margin and mirrors it every other time; None cuts the middle.
    tensors : dict
        A case of the bank; without ``labels`` they are taken as 0.
    render : int
        Which of its images.
    images : Images
    mirror : torch.Tensor, shape (256,)
        Label value to that of the other side.

    Returns
    -------
    (exam, labels)
        float32 images by modality and uint8 label values (i, j, k).
    """
    planes = tensors["images"][render]
    labels = tensors.get("labels")
    labels = torch.zeros_like(planes[0]) if labels is None else labels[render]
    room = 2 * images.margin + 1
    start = [int(draw.number(0, room)) for _ in range(3)] if draw else [images.margin] * 3
    for axis, (first, size) in enumerate(zip(start, images.window, strict=True)):
        planes, labels = planes.narrow(axis + 1, first, size), labels.narrow(axis, first, size)
    exam = unpacked(planes)
    if draw and draw.chance(0.5):
        # Colour FA has no sign: a mirror image only changes places, as the scalars do.
        exam = {name: image.flip(-3) for name, image in exam.items()}
        labels = mirror[labels.flip(0).long()]
    return exam, labels


def contrasted(draw: Draw, exam: Exam, strong: bool = False) -> Exam:
    """Return an exam with other intensities and a little more noise.

    Parameters
    ----------
    draw : Draw
    exam : dict
        Images by modality.
    strong : bool
        Bend the T1's grey values along a random rising curve as well (Zhou et al. 2021, "Models
        Genesis", doi:10.1016/j.media.2020.101840; here MONAI's RandHistogramShift).
    """
    out = dict(exam)
    t1 = exam["t1"].clamp(0, 1)
    if strong:
        curve = RandHistogramShift(num_control_points=CONTROL_POINTS, prob=1.0)
        curve.set_random_state(int(draw.number(0, 2**31)))
        t1 = torch.as_tensor(curve(t1[None])).as_subclass(torch.Tensor)[0].clamp(0, 1)
    out["t1"] = t1 ** draw.number(*GAMMA)
    for name in ("fa", "md"):
        out[name] = exam[name] * draw.number(1 - SCALE, 1 + SCALE)
    for name in CHANNELS:
        empty = exam[name] == 0
        noisy = out[name] + draw.number(0, NOISE) * draw.normal(*exam[name].shape)
        out[name] = torch.where(empty, out[name], noisy.clamp_min(0))
    return out


def channels(exam: Exam, modalities: Sequence[str] = CHANNELS) -> torch.Tensor:
    """Return the network's input: float32 (planes, i, j, k), 0 where a modality is missing."""
    shape = exam["t1"].shape
    return torch.cat(
        [
            NORMALISE[name](exam[name]).reshape(-1, *shape)
            if name in modalities
            else torch.zeros(PLANES[name], *shape)
            for name in CHANNELS
        ]
    )


@dataclass(frozen=True)
class LabelMap:
    """What ``training.adjacency`` looks at of an anatomy: label values, uint8 (i, j, k)."""

    labels: torch.Tensor


class Labelled:
    """Draws labelled pairs of some cases.

    Parameters
    ----------
    bank : mapping
        Case to tensors.
    cases : sequence of str
        The only ones it looks at.
    images : Images
    classes, mirror : torch.Tensor, shape (256,), optional
        Label value to network class, and to the value of the other side; the brainstem's unless
        given.
    modalities : sequence of str, optional
        Those of the bank; all unless given.
    """

    def __init__(
        self,
        bank: Mapping[str, Tensors],
        cases: Sequence[str],
        images: Images,
        classes: torch.Tensor | None = None,
        mirror: torch.Tensor | None = None,
        modalities: Sequence[str] = CHANNELS,
    ):
        self.bank, self.cases, self.images = bank, tuple(cases), images
        self.classes = channel_table() if classes is None else classes
        self.mirror = mirror_table() if mirror is None else mirror
        self.modalities = modalities

    def pair(self, draw: Draw) -> tuple[torch.Tensor, torch.Tensor]:
        """Channels (planes, i, j, k) and int64 classes (1, i, j, k)."""
        exam, labels = self.exam(draw)
        names = [name for name in draw_modalities(draw) if name in self.modalities]
        return channels(contrasted(draw, exam), names), self.classes[labels.long()][None]

    def exam(self, draw: Draw) -> tuple[Exam, torch.Tensor]:
        """Images by modality and label values of a random image of a random case."""
        tensors = self.bank[choose(draw, self.cases)]
        render = int(draw.number(0, len(tensors["images"])))
        return window(draw, tensors, render, self.images, self.mirror)

    def batch(self, draw: Draw, count: int) -> tuple[torch.Tensor, torch.Tensor]:
        """Return several pairs, stacked."""
        pairs = [self.pair(draw) for _ in range(count)]
        return torch.stack([p[0] for p in pairs]), torch.stack([p[1] for p in pairs])

    def label_maps(self) -> list[LabelMap]:
        """Return every banked label map of these cases."""
        return [LabelMap(labels) for case in self.cases for labels in self.bank[case]["labels"]]

    def weights(self) -> tuple[float, ...]:
        """Weights of the classes, as ``training.train.class_weights``, from these labels alone."""
        count = torch.zeros(int(self.classes.max()) + 1)
        images = 0
        for case in self.cases:
            labels = self.bank[case]["labels"]
            images += len(labels)
            by_value = torch.bincount(labels.ravel().int(), minlength=256)
            count.index_add_(0, self.classes, by_value.float())
        volume = count / images * self.images.spacing_mm**3
        weights = 1 / volume.clamp_min(1.0).sqrt()
        return tuple((weights / weights.mean()).tolist())
