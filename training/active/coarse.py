"""The small world of the label-efficiency study: exams on a coarse grid and a network for them.

Real corrections are learned at 1 mm with the product's network. Hundreds of simulated loops need a
network that learns in seconds: 2 mm, the same window, the same kinds of images, all structures.
"""

from __future__ import annotations

import copy
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import torch

from BrainstemALSLib.anatomy import load_structures
from BrainstemALSLib.imaging.geometry import box_around
from BrainstemALSLib.imaging.volume import Volume
from BrainstemALSLib.segmentation.channels import CHANNELS, PLANES
from BrainstemALSLib.segmentation.preprocess import NORMALISE, WINDOW_MM

from ..fibre_field import fibre_field
from ..geometry_augmentation import Draw, look_up, misregistered, window_points
from ..networks import WindowNetwork, structure_network
from ..samples import mirrored
from ..synthesis import Anatomy, channel_table, drawn_modalities, render
from .finetune_data import Window
from .finetune_loss import lesson_loss
from .members import changed

SPACING_MM = 2.0
WINDOW = tuple(int(mm / SPACING_MM) for mm in WINDOW_MM)
AFFINE = box_around((0.0, 0.0, 0.0), WINDOW, SPACING_MM)
FILTERS = (8, 16, 32)
WARM_UP = 10
PRIOR_MM = 3.0
PRIOR_FLOOR = 1e-3
"""Of the prior map (own choices): how far it is smoothed, and the least it gives any class."""
KEYS = tuple(structure.key for structure in load_structures())


@dataclass(frozen=True, eq=False)
class CoarseExam:
    """One simulated exam.

    Attributes
    ----------
    name : str
        Of its anatomy and seed.
    channels : torch.Tensor, shape (planes, i, j, k)
        float16, normalised as the network takes it.
    truth : Volume
        uint8, ``Structure.index``, on ``AFFINE``.
    """

    name: str
    channels: torch.Tensor
    truth: Volume


def draw_exam(anatomy: Anatomy, name: str, seed: int) -> CoarseExam:
    """Draw an exam of a deformed anatomy: as ``training.synthesis.training_sample``, at 2 mm."""
    draw = Draw(torch.Generator().manual_seed(seed))
    points = window_points(draw, anatomy.centre, anatomy.sites, WINDOW, SPACING_MM)
    labels = look_up(anatomy.labels, anatomy.inverse, points)
    moved = misregistered(draw, points, SPACING_MM)
    seen = look_up(anatomy.labels, anatomy.inverse, moved)
    directions = fibre_field(draw, seen, moved, anatomy.centroids, SPACING_MM)
    images = render(draw, labels, seen, directions, SPACING_MM)
    modalities = drawn_modalities(draw)
    planes = [
        NORMALISE[one](images[one]).reshape(-1, *WINDOW)
        if one in modalities
        else torch.zeros(PLANES[one], *WINDOW)
        for one in CHANNELS
    ]
    structures = torch.where(labels < 100, labels, torch.zeros_like(labels))
    # MONAI's bias field gives a tensor with a history, which every later step would drag along.
    channels = torch.cat(planes).as_subclass(torch.Tensor).half()
    return CoarseExam(name, channels, Volume(structures.numpy(), AFFINE))


@lru_cache(maxsize=1)
def index_table() -> np.ndarray:
    """uint8 (1 + structures,): network class to ``Structure.index``."""
    return np.array([0, *(structure.index for structure in load_structures())], np.uint8)


def labelled(exam: CoarseExam, labels: Volume, weights: Volume | None = None) -> Window:
    """Return an exam with labels, ``Structure.index``, and the weights of who gave them."""
    classes = channel_table()[torch.from_numpy(labels.array).long()]
    vouched = None
    if weights is not None and not (weights.array > 0).all():
        vouched = torch.from_numpy(weights.array > 0)
    return Window(exam.channels, classes, vouched)


class PriorNetwork(torch.nn.Module):
    """A small network whose logits are added to the logarithm of a prior map.

    The map says how often each class lies at a voxel of the window in the start exams. It spares
    the network thousands of steps: after 250 steps on four exams, held-out Dice was 0.33 with it
    and at most 0.11 without (one trial each; our own choice).

    Parameters
    ----------
    network : WindowNetwork
    prior : torch.Tensor, shape (1, classes, i, j, k)
        float32, logarithms.
    """

    def __init__(self, network: WindowNetwork, prior: torch.Tensor):
        super().__init__()
        self.network = network
        self.register_buffer("prior", prior)

    @property
    def body(self) -> torch.nn.Module:
        """The DynUNet, whose bottleneck tells exams apart."""
        return self.network.body

    def forward(self, channels: torch.Tensor) -> torch.Tensor:
        """Logits (n, classes, i, j, k) from channels (n, planes, i, j, k)."""
        return self.network(channels) + self.prior


def small_network(
    seed: int, samples: Sequence[Window], filters: tuple[int, ...] = FILTERS
) -> PriorNetwork:
    """Return the network of the study: random weights, and the prior of some exams."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return PriorNetwork(structure_network(filters), prior_map(samples))


def prior_map(samples: Sequence[Window]) -> torch.Tensor:
    """Return the logarithm of how often each class lies where, (1, classes, i, j, k).

    Every exam counts with its mirror image, smoothed by ``PRIOR_MM``.
    """
    from scipy.ndimage import gaussian_filter

    size, sigma = 1 + len(KEYS), PRIOR_MM / SPACING_MM
    total = np.zeros((size, *WINDOW), np.float32)
    for sample in samples:
        for classes in (sample.classes, mirrored(sample.channels, sample.classes)[1]):
            one_hot = torch.nn.functional.one_hot(classes, size).movedim(-1, 0).float().numpy()
            total += gaussian_filter(one_hot, (0, sigma, sigma, sigma))
    share = total / total.sum(0)
    return torch.from_numpy(np.log(share + PRIOR_FLOOR))[None]


def run(network: torch.nn.Module, channels: torch.Tensor) -> torch.Tensor:
    """Logits (n, classes, i, j, k), in bfloat16 on the processor: four times as quick."""
    with torch.autocast("cpu", torch.bfloat16):
        return network(channels.float())


def varied(sample: Window, draw: Draw) -> Window:
    """Return a sample with another contrast and noise, mirrored every other time."""
    channels = changed(sample.channels.float()[None], CHANNELS, draw)[0]
    classes, vouched = sample.classes, sample.vouched
    if draw.chance(0.5):
        channels, classes = mirrored(channels, classes)
        vouched = None if vouched is None else vouched.flip(-3)
    return Window(channels, classes, vouched)


def fit(
    network: PriorNetwork,
    choose: Callable[[Draw], Window],
    steps: int,
    rate: float,
    seed: int,
) -> PriorNetwork:
    """Return a copy of a network that has learned: AdamW, a warm-up, a cosine decay.

    Where nobody vouches for a label, the copy learns what the network itself says.

    Parameters
    ----------
    network : PriorNetwork
        Where it starts; not changed.
    choose : callable
        Draws a sample.
    steps : int
    rate : float
        Peak learning rate.
    seed : int
    """
    old, network = network, copy.deepcopy(network).train()
    optimizer = torch.optim.AdamW(network.parameters(), lr=rate, weight_decay=1e-4)
    for step in range(1, steps + 1):
        progress = (step - 1) / steps
        for group in optimizer.param_groups:
            group["lr"] = rate * min(step / WARM_UP, 0.5 * (1 + math.cos(math.pi * progress)))
        draw = Draw(torch.Generator().manual_seed(seed * 10_000_019 + step))
        sample = varied(choose(draw), draw)
        seen = sample.channels[None]
        loss = lesson_loss(run(network, seen), sample, lambda seen=seen: answers(old, seen))
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(network.parameters(), 5.0)
        optimizer.step()
    return network.eval()


def answers(network: torch.nn.Module, channels: torch.Tensor) -> torch.Tensor:
    """Logits as ``run``, of a network that does not learn."""
    with torch.no_grad():
        return run(network, channels)


@torch.inference_mode()
def segment(network: torch.nn.Module, exam: CoarseExam) -> Volume:
    """Return the labels that a network gives an exam, ``Structure.index``."""
    classes = run(network, exam.channels[None]).argmax(1)[0].numpy()
    return Volume(index_table()[classes], AFFINE)


def dice(predicted: np.ndarray, truth: np.ndarray) -> np.ndarray:
    """Dice of every structure, (structures,); NaN where the truth lacks it.

    Parameters
    ----------
    predicted, truth : numpy.ndarray, shape (i, j, k)
        uint8, ``Structure.index``.
    """
    values = index_table()[1:]
    in_both = np.bincount(truth[predicted == truth], minlength=256)[values]
    true = np.bincount(truth.ravel(), minlength=256)[values]
    found = np.bincount(predicted.ravel(), minlength=256)[values]
    return np.where(true > 0, 2 * in_both / np.maximum(true + found, 1), np.nan)
