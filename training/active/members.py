"""An ensemble from one model: the same exam, seen a little differently each time.

The bundled model is a traced TorchScript without dropout, so the members come from test-time
changes of its input that leave the anatomy where it is: the mirror image, another contrast of the
T1, and noise (Ayhan & Berens 2018; Wang et al. 2019, doi:10.1016/j.neucom.2019.01.103).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

import numpy as np
import torch

from BrainstemALSLib.segmentation.channels import PLANES
from BrainstemALSLib.segmentation.inference import mirror_channels
from BrainstemALSLib.segmentation.preprocess import normalise_t1

from ..geometry_augmentation import Draw

MEMBERS = 6
GAMMA = (0.75, 1.33)
NOISE = 0.15
"""Own choices. Noise is a standard deviation in the unit of the network's input, where the T1 has a
standard deviation of 1; both lie within what training draws (``training.synthesis``)."""

Run = Callable[[torch.Tensor], torch.Tensor]
"""Channels (1, planes, i, j, k) to logits (1, classes, i, j, k)."""


def member_probabilities(
    run: Run,
    window: torch.Tensor,
    keys: Sequence[str],
    channels: Sequence[str],
    seed: int,
    count: int = MEMBERS,
) -> Iterator[np.ndarray]:
    """Yield the predictions of an ensemble, one at a time.

    The first is the plain one, the second its mirror image brought back; the others have another
    contrast and noise, every other one mirrored as well.

    Parameters
    ----------
    run : callable
        The network.
    window : torch.Tensor, shape (1, planes, i, j, k)
        As ``segmentation.inference.network_input`` makes it.
    keys : sequence of str
        Structures of the outputs 1, 2 ...
    channels : sequence of str
        Images behind the planes, in their order.
    seed : int
    count : int
        Members, at least 1.

    Yields
    ------
    numpy.ndarray, shape (i, j, k, 1 + structures)
        float32 probabilities.
    """
    partner = mirror_channels(tuple(keys))
    with torch.inference_mode():
        for number in range(count):
            seen = window
            if number >= 2:
                draw = Draw(torch.Generator().manual_seed(seed * 1009 + number))
                seen = changed(window, channels, draw)
            mirrored = number % 2 == 1
            logits = run(seen.flip(2) if mirrored else seen).float()
            probability = logits.softmax(1)
            if mirrored:
                # Colour FA has no sign: it only changes places, as the scalars do.
                probability = probability.flip(2)[:, partner]
            yield probability[0].movedim(0, -1).cpu().numpy()


def changed(window: torch.Tensor, channels: Sequence[str], draw: Draw) -> torch.Tensor:
    """Return a window with another contrast of the T1 and noise on every image that is there.

    Parameters
    ----------
    window : torch.Tensor, shape (1, planes, i, j, k)
        Normalised; an image that is missing is all 0 and stays so.
    channels : sequence of str
    draw : Draw
    """
    out = window.clone()
    start = 0
    for name in channels:
        part = out[:, start : start + PLANES[name]]
        start += PLANES[name]
        if not part.any():
            continue
        noise = draw.number(0, NOISE) * draw.normal(*part.shape).to(part.device)
        if name == "t1":
            low, high = part.min(), part.max()
            scaled = (part - low) / (high - low).clamp_min(1e-6)
            # Noise only where there is tissue: air has none after masking, and tells the mask.
            inside = scaled > 0
            bent = normalise_t1(scaled ** draw.number(*GAMMA))
            part.copy_(torch.where(inside, bent + noise, bent))
        else:
            part.add_(noise)
    return out
