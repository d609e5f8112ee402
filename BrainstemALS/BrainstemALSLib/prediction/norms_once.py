"""Norms that score each exam once, and can be told to find some measures average.

All parts of a prediction ask for the same scores; and "if the medulla were average" is answered by
asking the parts again with norms that find it so.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import Any

import numpy as np

from ..norms.score import Norms, Scores
from .records import Key


class NormsOnce:
    """Norms whose answers are kept; all else is that of the norms behind.

    Parameters
    ----------
    norms : Norms
    """

    def __init__(self, norms: Norms):
        self._norms = norms
        self._kept: dict[tuple, Scores] = {}
        self._average: frozenset[Key] = frozenset()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._norms, name)

    def finding_average(self, keys: Iterable[Key]) -> NormsOnce:
        """Return norms that give these measures a z-score of 0, with the interval's width as is."""
        other = NormsOnce(self._norms)
        other._kept = self._kept
        other._average = frozenset(keys)
        return other

    def score_many(self, structure: str, measure: str, *arguments: Any) -> Scores:
        """Return ``Norms.score_many``, positional arguments only."""
        key = (structure, measure, *(_hashable(argument) for argument in arguments))
        scores = self._kept.get(key)
        if scores is None:
            scores = self._kept[key] = self._norms.score_many(structure, measure, *arguments)
        if (structure, measure) not in self._average:
            return scores
        middle = scores.z
        return replace(
            scores, z=middle * 0.0, z_low=scores.z_low - middle, z_high=scores.z_high - middle
        )


def _hashable(argument: Any) -> Any:
    if not isinstance(argument, np.ndarray):
        return argument
    return tuple(argument.tolist()) if argument.dtype == object else argument.tobytes()
