"""Trains the imaging network: site by site held out, so that its probabilities can be calibrated.

As many networks as folds of sites are trained, each without the people of one fold. What they say
about those is calibrated (Platt); new people are asked of all, and the mean is taken.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch.nn.functional import binary_cross_entropy_with_logits, pad

from ..classification_data import folds
from ..classification_fit import fit_calibration
from .model import ImagingNetwork, prepared

FOLDS = 4
SHIFT = 2
"""Voxels that a training image is moved at most, beside its own pose (own choice)."""
CONTRAST, NOISE = 0.1, 0.05
"""Of augmentation: spread of T1's contrast, and noise on prepared images (own choice)."""


@dataclass(frozen=True)
class Schedule:
    """How to train.

    Attributes
    ----------
    epochs, batch : int
    rate : float
        Peak of AdamW, with warm-up and cosine decay.
    decay : float
        Of weights.
    """

    epochs: int = 25
    batch: int = 16
    rate: float = 1e-3
    decay: float = 0.05


@dataclass(frozen=True, eq=False)
class Asked:
    """People for the network, one row each.

    Attributes
    ----------
    images : torch.Tensor, shape (n, 3, i, j, k)
        float16, as ``images.read_images``.
    known : torch.Tensor, shape (n, 3)
        float32, ``Simulated.known``.
    """

    images: torch.Tensor
    known: torch.Tensor

    def part(self, rows: np.ndarray) -> Asked:
        """Return these rows."""
        index = torch.from_numpy(np.arange(len(self.known))[rows])
        return Asked(self.images[index], self.known[index])


@dataclass(frozen=True, eq=False)
class Trained:
    """Networks of all folds, and the calibration.

    Attributes
    ----------
    networks : list of ImagingNetwork
    offset, slope : float
    inner : numpy.ndarray, shape (n,)
        Calibrated log-odds of the training people by the network that had not seen their site.
    own : numpy.ndarray, shape (n,)
        Log-odds of the training people, mean of the networks that were trained on them: beside
        ``inner`` it says how much was learned by heart.
    """

    networks: list[ImagingNetwork]
    offset: float
    slope: float
    inner: np.ndarray
    own: np.ndarray

    def log_odds(self, people: Asked) -> np.ndarray:
        """Return calibrated log-odds (n,)."""
        raw = np.mean([log_odds(network, people) for network in self.networks], axis=0)
        return self.offset + self.slope * raw


def asked(images: np.ndarray, known: np.ndarray) -> Asked:
    """Return people as the network takes them."""
    return Asked(torch.from_numpy(images), torch.from_numpy(known.astype(np.float32)))


def cross_fitted(
    people: Asked, y: np.ndarray, site: np.ndarray, schedule: Schedule, seed: int
) -> Trained:
    """Train ``FOLDS`` networks with sites held out, and calibrate.

    Parameters
    ----------
    people : Asked
    y : numpy.ndarray of bool, shape (n,)
        Whether each has ALS.
    site : numpy.ndarray of str, shape (n,)
    schedule : Schedule
    seed : int
        Of weights, order and augmentation.
    """
    networks, raw, own = [], np.full(len(y), np.nan), np.zeros(len(y))
    for k, held in enumerate(folds(site, FOLDS, seed=0)):
        network = train(people.part(~held), y[~held], schedule, 100 * seed + k)
        found = log_odds(network, people)
        raw[held] = found[held]
        own[~held] += found[~held] / (FOLDS - 1)
        networks.append(network)
    offset, slope = fit_calibration(raw, y)
    return Trained(networks, offset, slope, offset + slope * raw, own)


def train(people: Asked, y: np.ndarray, schedule: Schedule, seed: int) -> ImagingNetwork:
    """Train one network; the same seed gives the same one."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        network = ImagingNetwork()
        images, wanted = prepared(people.images), torch.from_numpy(y.astype(np.float32))
        batches = max(len(y) // schedule.batch, 1)
        optimiser = torch.optim.AdamW(
            network.parameters(), lr=schedule.rate, weight_decay=schedule.decay
        )
        pace = torch.optim.lr_scheduler.OneCycleLR(
            optimiser, schedule.rate, total_steps=schedule.epochs * batches, pct_start=0.15
        )
        network.train()
        for _ in range(schedule.epochs):
            order = torch.randperm(len(y))
            for rows in order.tensor_split(batches):
                found = network(augmented(images[rows]), people.known[rows])
                loss = binary_cross_entropy_with_logits(found, wanted[rows])
                optimiser.zero_grad()
                loss.backward()
                optimiser.step()
                pace.step()
    return network.eval()


@torch.no_grad()
def log_odds(network: ImagingNetwork, people: Asked, batch: int = 64) -> np.ndarray:
    """Return a network's log-odds (n,), mean of the images and their mirror images."""
    found = []
    for rows in torch.arange(len(people.known)).split(batch):
        images = prepared(people.images[rows])
        both = [network(x, people.known[rows]) for x in (images, images.flip(2))]
        found.append((both[0] + both[1]) / 2)
    return torch.cat(found).numpy().astype(float)


def augmented(images: torch.Tensor) -> torch.Tensor:
    """Return prepared images (n, 3, i, j, k) moved, mirrored and noisier, at random.

    By whole voxels: turning would take longer than the network, and poses differ already.
    """
    n = len(images)
    wide = pad(images, (SHIFT,) * 6, mode="replicate")
    starts = torch.randint(2 * SHIFT + 1, (n, 3)).tolist()
    i, j, k = images.shape[2:]
    moved = torch.stack(
        [
            one[:, a : a + i, b : b + j, c : c + k]
            for one, (a, b, c) in zip(wide, starts, strict=True)
        ]
    )
    mirrored = torch.randint(2, (n,)).bool()
    moved[mirrored] = moved[mirrored].flip(2)
    moved[:, 0] *= 1 + CONTRAST * torch.randn(n, 1, 1, 1)
    return moved + NOISE * torch.randn_like(moved)
