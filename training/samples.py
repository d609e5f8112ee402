"""Training pairs by number over a list of anatomies, every window seen twice: as is and mirrored.

Drawing a window takes as long as a training step on one processor core. Its mirror image costs
nothing, and shows every structure in the place and under the name of its partner.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache

import torch

from BrainstemALSLib.anatomy import load_structures
from BrainstemALSLib.segmentation.inference import mirror_channels

from .anatomies import load_anatomy
from .synthesis import Anatomy, training_sample


@cache
def prepared_anatomy(case: str) -> Anatomy:
    """Anatomy by case name, kept in memory once read."""
    return Anatomy.from_volume(load_anatomy(case))


class CaseSampler:
    """Training pair by number, over a list of cases.

    Parameters
    ----------
    cases : list of str
        Names of anatomies.
    load : callable
        Turns a name into an anatomy.
    """

    def __init__(self, cases: list[str], load: Callable[[str], Anatomy] = prepared_anatomy):
        self.cases, self.load = cases, load

    def __call__(self, number: int) -> tuple[torch.Tensor, torch.Tensor]:
        """Pair (channels, classes) of ``training_sample``."""
        generator = torch.Generator().manual_seed(number)
        which = int(torch.randint(len(self.cases), (), generator=generator))
        return training_sample(self.load(self.cases[which]), number)


class MirroredTwice:
    """Pairs of another sampler, each used for two numbers in a row, the second time mirrored."""

    def __init__(self, sampler: Callable[[int], tuple[torch.Tensor, torch.Tensor]]):
        self.sampler = sampler
        self._last: tuple[int, tuple[torch.Tensor, torch.Tensor]] | None = None

    def __call__(self, number: int) -> tuple[torch.Tensor, torch.Tensor]:
        """Pair of number // 2, mirrored where the number is odd."""
        half = number // 2
        if self._last is None or self._last[0] != half:
            self._last = half, self.sampler(half)
        pair = self._last[1]
        return mirrored(*pair) if number % 2 else pair


def mirrored(channels: torch.Tensor, classes: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Swap left and right in a pair: channels (planes, i, j, k), classes (i, j, k).

    Colour FA has no sign, so it only changes places, as T1, FA and MD do.
    """
    keys = tuple(structure.key for structure in load_structures())
    partner = torch.tensor(mirror_channels(keys))
    return channels.flip(-3), partner[classes.flip(-3)]
