"""Random numbers that a larger cohort does not change.

Every quantity of every group has a generator of its own, and patients are its rows: the first rows
are the same however many follow.
"""

from __future__ import annotations

import zlib

import numpy as np
from scipy.special import ndtr


class Streams:
    """Generators of one group.

    Parameters
    ----------
    seed : int
        Of the whole simulation.
    group : str
        ``HC``, ``ALS``, ``MIMIC``, or what else draws.
    """

    def __init__(self, seed: int, group: str):
        self.seed, self.group = seed, group

    def _generator(self, name: str) -> np.random.Generator:
        code = zlib.crc32(f"{self.group}/{name}".encode())
        return np.random.Generator(np.random.PCG64(np.random.SeedSequence([self.seed, code])))

    def normal(self, name: str, *shape: int) -> np.ndarray:
        """Return standard normal numbers; the first axis is the participants."""
        return self._generator(name).standard_normal(shape)

    def uniform(self, name: str, *shape: int) -> np.ndarray:
        """Return numbers from 0 (excluded) to 1, uniform."""
        return ndtr(self.normal(name, *shape))

    def chance(self, name: str, share: np.ndarray | float, n: int) -> np.ndarray:
        """Return (n,) bool, true with this probability."""
        return self.uniform(name, n) < share

    def category(self, name: str, shares: np.ndarray, n: int) -> np.ndarray:
        """Return (n,) int, the index of a category; ``shares`` (k,) or (n, k) add up to 1."""
        edges = np.cumsum(np.broadcast_to(shares, (n, np.shape(shares)[-1])), axis=1)[:, :-1]
        return (self.uniform(name, n)[:, None] > edges).sum(axis=1)
