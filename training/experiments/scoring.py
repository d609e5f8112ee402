"""Dice of a run on held-out anatomies, and on the real ICBM T1."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence

import torch
from monai.metrics import compute_dice

from BrainstemALSLib.anatomy import load_structures
from BrainstemALSLib.segmentation.channels import CHANNELS

from ..evaluation.summary import groups
from ..synthesis import channel_table
from .bank import Tensors
from .batches import channels, window
from .settings import Images
from .store import Scores

Predict = Callable[[torch.Tensor], torch.Tensor]
"""Channels (planes, i, j, k) to network classes, int64 (i, j, k)."""


def evaluate(
    predict: Predict,
    bank: Mapping[str, Tensors],
    cases: Sequence[str],
    images: Images,
    modalities: Sequence[str] = CHANNELS,
) -> Scores:
    """Score every image of some cases; a case's score is the mean of its images.

    A structure that the truth lacks is left out (not in the result); one that is missed scores 0.
    """
    scores: Scores = {}
    keys = [s.key for s in load_structures()]
    unmirrored = torch.arange(256, dtype=torch.uint8)
    for case in cases:
        tensors = bank[case]
        rows = []
        for render in range(len(tensors["images"])):
            exam, labels = window(None, tensors, render, images, unmirrored)
            rows.append(dice(predict(channels(exam, modalities)), channel_table()[labels.long()]))
        means = torch.stack(rows).nanmean(0).tolist()
        scores[case] = {k: v for k, v in zip(keys, means, strict=True) if not math.isnan(v)}
    return scores


def dice(predicted: torch.Tensor, truth: torch.Tensor) -> torch.Tensor:
    """Dice of every structure, float32; NaN where the truth lacks it.

    Parameters
    ----------
    predicted, truth : torch.Tensor, shape (i, j, k)
        int64 network classes.
    """
    size = 1 + len(load_structures())
    pair = [
        torch.nn.functional.one_hot(classes, size).movedim(-1, 0)[None]
        for classes in (predicted, truth)
    ]
    return compute_dice(*pair, include_background=False, ignore_empty=True)[0].float()


def group_means(sheet: Mapping[str, float]) -> dict[str, float]:
    """Return the mean Dice of tier A, tier B and all structures of one case."""
    members = {
        "tier_A": groups()["tier_A"],
        "tier_B": groups()["tier_B"],
        "all": tuple(s.key for s in load_structures()),
    }
    return {name: _mean([sheet[k] for k in keys if k in sheet]) for name, keys in members.items()}


def _mean(values: Sequence[float]) -> float:
    return sum(values) / len(values) if values else math.nan
