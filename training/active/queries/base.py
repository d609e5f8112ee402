"""What a query strategy is, and how a list comes of it: one by one, the same for the same seed."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from .candidates import Candidates


@dataclass(frozen=True)
class Choice:
    """One line of a ranking.

    Attributes
    ----------
    index : int
        Row of the candidates.
    score : float
        What the strategy went by; higher is more wanted. Comparable within one ranking only.
    reason : str
        Why, one clause without the final full stop.
    """

    index: int
    score: float
    reason: str


@dataclass(frozen=True, eq=False)
class Turn:
    """What a strategy knows when it picks.

    Attributes
    ----------
    candidates : Candidates
    open_rows : numpy.ndarray, shape (n,)
        bool, rows that may be picked; at least one.
    taken : sequence of int
        Rows that were picked before, in order.
    known : numpy.ndarray, shape (m, f)
        Features of what experts have corrected already.
    rng : numpy.random.Generator
        The only source of chance; ties are broken with it too.
    """

    candidates: Candidates
    open_rows: np.ndarray
    taken: Sequence[int]
    known: np.ndarray
    rng: np.random.Generator


class Strategy(Protocol):
    """Picks what an expert should see next."""

    name: str

    def pick(self, turn: Turn) -> Choice:
        """Return the next one."""
        ...


def ranked(
    strategy: Strategy,
    candidates: Candidates,
    count: int,
    seed: int,
    known: np.ndarray | None = None,
    clashes: Callable[[int], np.ndarray] | None = None,
) -> list[Choice]:
    """Return the first ``count`` choices of a strategy, the most wanted first.

    The same candidates in the same order, and the same seed, give the same list.

    Parameters
    ----------
    strategy : Strategy
    candidates : Candidates
    count : int
        Fewer come back where fewer are open.
    seed : int
    known : numpy.ndarray, shape (m, f), optional
        Features of what is corrected already.
    clashes : callable, optional
        Row to bool (n,): rows that may not be picked beside it, such as boxes that overlap it.

    Raises
    ------
    ValueError
        A score is no number.
    """
    if not (np.isfinite(candidates.entropy).all() and np.isfinite(candidates.disagreement).all()):
        raise ValueError("a score of a candidate is no number")
    rng = np.random.default_rng(seed)
    width = candidates.features.shape[1]
    known = np.empty((0, width)) if known is None else np.asarray(known, float).reshape(-1, width)
    open_rows = np.ones(len(candidates), bool)
    choices: list[Choice] = []
    while len(choices) < count and open_rows.any():
        taken = [choice.index for choice in choices]
        choice = strategy.pick(Turn(candidates, open_rows, taken, known, rng))
        choices.append(choice)
        if clashes is not None:
            open_rows &= ~clashes(choice.index)
        open_rows[choice.index] = False
    return choices


def highest(scores: np.ndarray, open_rows: np.ndarray, rng: np.random.Generator) -> int:
    """Return the open row with the highest score; one of several equals is drawn."""
    rows = np.flatnonzero(open_rows)
    values = scores[rows]
    return int(rng.choice(rows[values == values.max()]))
